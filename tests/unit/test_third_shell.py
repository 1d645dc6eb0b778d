"""A third cluster shell is one object and one entry in SHELLS: what runs, and what the operator reads, is then its own."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from stage_world import KNOWN, ONE, TWO

import iconha_tui
from iconha_tui.cluster.primitive import Primitive
from iconha_tui.cluster.shells import SHELLS
from iconha_tui.cluster.shells.protocol import Argv, ClusterShell, Update
from iconha_tui.engine.actions import Action, Run, Upload
from iconha_tui.engine.events import StageFinished
from iconha_tui.engine.journal import Journal
from iconha_tui.engine.plan import plan_of
from iconha_tui.engine.step import View
from iconha_tui.errors import SpecTrouble
from iconha_tui.forms.packages import form
from iconha_tui.session import Session
from iconha_tui.spec import Spec, dumps, loads
from iconha_tui.stages import STAGES
from iconha_tui.stages.elastic_ip import wanted_primitive
from iconha_tui.stages.packages import apt_packages, why_another_shell
from iconha_tui.store import Store
from iconha_tui.summary import summary_markdown
from iconha_tui.widgets.fields import ChoiceField


class Hactl:
    """A shell that is neither of the two, in each of its words."""

    name = "hactl"
    title = "hactl"
    about = "Nobody's shell."
    beside_guide = "The guide does not know it."
    package = "hactl-tools"
    disturbing = ("hactl move",)

    def show_version(self) -> Argv:
        return ["hactl", "version"]

    def show_status(self) -> Argv:
        return ["hactl", "how"]

    def show_configuration(self) -> Argv:
        return ["hactl", "what"]

    def show_resource(self, id: str) -> Argv:
        return ["hactl", "what", id]

    def set_properties(self, properties: Mapping[str, str]) -> list[Argv]:
        return [["hactl", "let", name, value] for name, value in properties.items()]

    def create(self, primitive: Primitive) -> Argv:
        return ["hactl", "add", primitive.id]

    def update(self, wanted: Primitive, actual: Primitive) -> Update:
        return Update([["hactl", "alter", "/run/x"]], "/run/x", wanted.id)

    def clean_up(self, id: str) -> Argv:
        return ["hactl", "forget", id]

    def stop(self, id: str) -> Argv:
        return ["hactl", "halt", id]


HACTL: ClusterShell = Hactl()


@pytest.fixture
def spec(monkeypatch: pytest.MonkeyPatch) -> Spec:
    monkeypatch.setitem(SHELLS, HACTL.name, HACTL)  # type: ignore[arg-type]
    return loads('name = "third"\n[packages]\nshell = "hactl"\n')


def planned(spec: Spec, **facts: object) -> list[Action]:
    view = View(spec, KNOWN | facts)
    return [action for plan in plan_of(STAGES, view) for action in plan.actions]


def commands(actions: list[Action]) -> list[str]:
    return [" ".join(action.argv) for action in actions if isinstance(action, Run)]


def test_a_spec_takes_each_shell_that_is_entered_and_refuses_the_rest(spec: Spec) -> None:
    assert loads(dumps(spec)).packages.shell == "hactl"
    with pytest.raises(SpecTrouble, match="The cluster shell is crm or pcs or hactl"):
        loads('[packages]\nshell = "bash"\n')


def test_its_package_is_installed_and_its_commands_build_the_cluster(spec: Spec) -> None:
    assert {"hactl-tools"} == set(apt_packages(View(spec), ONE)) & {"hactl-tools", "crmsh", "pcs"}
    ran = commands(planned(spec))
    assert any(command.endswith("corosync -v; hactl version") for command in ran)
    assert [command for command in ran if command.startswith("hactl ")] == [
        "hactl let stonith-enabled false",
        "hactl let no-quorum-policy ignore",
        "hactl what",
        "hactl add elastic-ip",
    ]


def test_its_commands_change_the_cluster_and_mend_it(spec: Spec) -> None:
    wanted = wanted_primitive(View(spec, KNOWN))
    actions = planned(spec, primitive=replace(wanted, meta={}), failed=True)
    assert [action.path for action in actions if isinstance(action, Upload) and action.content == (wanted.id,)] == [
        "/run/x"
    ]
    ran = commands(actions)
    assert any("hactl alter /run/x" in command for command in ran)
    assert "hactl forget elastic-ip" in ran


def test_no_command_of_another_shell_is_left_in_the_plan(spec: Spec) -> None:
    actions = planned(spec) + planned(
        spec, primitive=replace(wanted_primitive(View(spec, KNOWN)), meta={}), failed=True
    )
    words = {word.strip(";") for command in commands(actions) for word in command.split()}
    assert not words & {"crm", "crmsh", "pcs"}


def test_the_operator_reads_its_words(spec: Spec, tmp_path: Path) -> None:
    (field,) = (part for part in form()._parts if isinstance(part, ChoiceField))
    assert [option.value for option in field.options] == ["crm", "pcs", "hactl"]
    assert why_another_shell(spec) == "You chose hactl in the stage “Packages”. The guide does not know it."
    spec.instances.mode = "existing"
    facts = KNOWN | {f"{name}.versions": {"hactl-tools": "9.8.7"} for name in (ONE, TWO)}
    text = " ".join(summary_of_a_finished(spec, facts, Store(tmp_path / "state")).split())
    assert "| hactl | 9.8.7 | 9.8.7 |" in text
    assert "`sudo hactl halt elastic-ip`" in text


def summary_of_a_finished(spec: Spec, facts: dict[str, object], store: Store) -> str:
    store.save(spec)
    journal = Journal(store.folder(spec.name))
    for stage in STAGES:
        journal(StageFinished(stage.name, "done", True, 1.0))
    journal.close()
    ctx = Session(store, spec, confirm_host_key=lambda *_: False).ctx
    ctx.learn(facts)
    return summary_markdown(ctx, store)


def literals(path: Path) -> Iterator[str]:
    return (
        node.value
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def test_no_module_but_the_shells_own_names_one() -> None:
    root = Path(iconha_tui.__file__).parent
    names = {name for shell in SHELLS.values() for name in (shell.name, shell.package)}
    naming = {
        str(path.relative_to(root))
        for path in root.rglob("*.py")
        if path.parent.name != "shells" and names & set(literals(path))
    }
    assert not naming, "it asks SHELLS instead"
