"""What nodes and AWS answer, fed to every probe that there is: a verdict or a sentence, and no command that they have written.

Nothing is listed here. The steps are those of the guide, the calls those that the source makes, and the answers have every
field that botocore knows of.
"""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.model import ListShape, MapShape, Shape, StructureShape
from stage_world import KNOWN, ONE, TWO, World
from test_hostile import moves_a_terminal
from waiting import BOUND

import iconha_tui
from iconha_tui.cloud.client import cleaned
from iconha_tui.engine.actions import Action, Run, waits_for
from iconha_tui.engine.plan import plan_of
from iconha_tui.engine.ports import Completed
from iconha_tui.engine.step import AWS, Blocked, Done, Needed, View
from iconha_tui.errors import Trouble
from iconha_tui.forms.pickers import LISTS, LiveList
from iconha_tui.spec import Spec
from iconha_tui.stages import STAGES
from iconha_tui.text import strip_controls

BASH = shutil.which("bash") or "bash"
STEPS = [step for stage in STAGES for step in stage.steps]

ANSWERS = {
    "commands": "$(touch owned); touch owned #`touch owned`'; touch owned; '\"; touch owned; \"\n| touch owned\n&& touch owned\n",
    "a word and more": "1;touch${IFS}owned\n" * 20,
    "options": "--version\n-x\n-oProxyCommand=touch owned\n",
    "sequences": "\x1b]52;c;ZXZpbA==\x07\x1b[2J\x9b31m\x1bP+q544e\x1b\\\u202e\r\x00\x08\n" * 3,
    "markers": "⟪group_id⟫ ⟪PRep-02.private_ip⟫\n" * 8,
    "numbers": "² ٣ 99999999999999999999999999999999 -1 1e999 nan 0x10\n" * 8,
    "one number": "²",
    "a long number": "9" * 5000,
    "a megabyte": "x" * 1_000_000,
    "many lines": ":\n" * 100_000,
    "broken UTF-8": b"\xff\xfe\xe2\x80 \xc3\n".decode(errors="replace") * 9,
    "nothing": "",
    "markup": "[red]x[/] [/x] [link=http://x]y[/link]\n" * 8,
    "XML": "<crm_mon><nodes><node name='$(touch owned)' online='true'/></nodes></crm_mon>",
}


def spoken(text: str) -> str:
    """As the connection hands it on."""
    return strip_controls(text)


def judged(world: World, target: str, step: Any) -> None:
    """Looks at a step, and holds what it says and what it would do then against what may be."""
    try:
        verdict = world.probe(step, target)
        told = verdict.evidence if isinstance(verdict, Done) else verdict.why
        told += verdict.remedy if isinstance(verdict, Blocked) else ""
        assert isinstance(verdict, Done | Needed | Blocked)
        assert moves_a_terminal(told, keep="\n\t") == []
        actions = step.plan(world.ctx.view, target)
    except Trouble as trouble:
        assert moves_a_terminal(str(trouble)) == []  # noqa: PT017
        return
    assert obeyed(actions) == [], step.id


def obeyed(actions: list[Action]) -> list[str]:
    """The commands of hostile text that a shell would have run: it is a restricted one, so that nothing is done, and traces."""
    scripts = [
        action.argv[2] if action.argv[:2] in (("sh", "-c"), ("bash", "-c")) else action.shown()
        for action in actions
        if isinstance(action, Run) and not waits_for(action)
    ]
    return [line for script in scripts for line in _traced(script)]


def _traced(script: str) -> list[str]:
    handle = 'command_not_found_handle() { return 0; }; set -x; eval "$1"'
    try:
        done = subprocess.run(
            [BASH, "--norc", "-r", "-c", handle, "x", script],
            env={"PATH": "/nowhere", "PS4": "+ "},
            capture_output=True,
            timeout=BOUND,
            stdin=subprocess.DEVNULL,
            errors="replace",
        )
        said = done.stderr
    except subprocess.TimeoutExpired as waiting:
        said = (waiting.stderr or b"").decode(errors="replace")
    return [line for line in said.split("\n") if re.match(r"\++ (touch|reboot)\b", line)]


def test_what_looks_for_obeyed_commands_sees_them() -> None:
    for script in (
        "touch owned",
        "echo $(touch owned)",
        "x='a'; touch owned; 'b'",
        "{ touch owned; }",
        "a | touch b",
    ):
        assert _traced(script), script
    assert _traced("echo 'touch owned' \"; touch owned\"") == []
    assert not Path("owned").exists()


# Nodes


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.id)
def test_whatever_a_node_answers_a_probe_has_a_verdict_or_a_sentence(step: Any) -> None:
    for name, text in ANSWERS.items():
        for code in (0, 1) if len(text) < 10_000 else (0,):
            world = World(facts={f"{node}.corosync": "3.1.6" for node in (ONE, TWO)})
            answer = Completed(code, spoken(text), spoken(text))
            for node in world.nodes.values():
                node.says = {"": answer}
                node.files = _Every(text.encode(errors="replace"))
            world.cloud.says = world.node_cloud.says = _Every({})
            for target in step.targets(world.ctx.view):
                if target != AWS:
                    try:
                        judged(world, target, step)
                    except Exception as error:
                        error.add_note(f"{step.id} on {target}: {name}, exit code {code}")
                        raise


class _Every(dict):  # type: ignore[type-arg]
    """Has the same under every name."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def get(self, name: Any, default: Any = None) -> Any:
        return self.value

    def __getitem__(self, name: Any) -> Any:
        return self.value


# AWS

SOURCE = Path(iconha_tui.__file__).parent
MODELS = {service: botocore.session.get_session().get_service_model(service) for service in ("ec2", "sts")}


def calls_in_the_source() -> set[tuple[str, str]]:
    """Every pair of words in the source that names an operation of AWS."""
    found = set()
    for path in SOURCE.rglob("*.py"):
        if "lab" in path.relative_to(SOURCE).parts:
            continue
        words = {
            node.value
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        for service, model in MODELS.items():
            names = {re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower(): name for name in model.operation_names}
            found |= {(service, name) for name in words & set(names)}
    return found


CALLS = sorted(calls_in_the_source())


def answer_of(service: str, operation: str, text: str) -> dict[str, Any]:
    model = MODELS[service]
    name = next(each for each in model.operation_names if re.sub(r"(?<!^)(?=[A-Z])", "_", each).lower() == operation)
    shape = model.operation_model(name).output_shape
    return cleaned(_filled(shape, text)) if shape else {}  # type: ignore[no-any-return]


def _filled(shape: Shape, text: str, depth: int = 0) -> Any:
    """An answer with every field there, and two of whatever there may be several of."""
    if isinstance(shape, StructureShape):
        return {name: _filled(member, text, depth + 1) for name, member in shape.members.items()} if depth < 9 else {}
    if isinstance(shape, ListShape):
        return [_filled(shape.member, text, depth + 1)] * 2
    if isinstance(shape, MapShape):
        return {text: _filled(shape.value, text, depth + 1)}
    match shape.type_name:
        case "boolean":
            return True
        case "integer" | "long":
            return 7
        case "float" | "double":
            return 0.5
        case "timestamp":
            return datetime(2026, 11, 23, tzinfo=UTC)
        case "blob":
            return text.encode(errors="replace")
        case _:
            return text


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for each in value.values():
            yield from strings(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from strings(each)
    elif isinstance(value, str):
        yield value


def test_the_calls_are_found() -> None:
    assert {("ec2", "describe_instances"), ("ec2", "describe_addresses"), ("sts", "get_caller_identity")} <= set(CALLS)
    assert {("ec2", each.operation) for each in LISTS.values() if isinstance(each, LiveList)} <= set(CALLS)


@pytest.mark.parametrize("call", CALLS, ids=".".join)
def test_no_field_of_any_answer_moves_a_terminal(call: tuple[str, str]) -> None:
    for text in ANSWERS.values():
        if len(text) < 10_000:
            assert moves_a_terminal("".join(strings(answer_of(*call, text)))) == []


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.id)
def test_whatever_aws_answers_a_probe_has_a_verdict_or_a_sentence(step: Any) -> None:
    for name in ("commands", "options", "sequences", "markers", "numbers", "markup", "nothing"):
        answers = {operation: answer_of(service, operation, ANSWERS[name]) for service, operation in CALLS}
        world = World()
        world.cloud.says = world.node_cloud.says = answers
        for target in step.targets(world.ctx.view):
            try:
                judged(world, target, step)
            except Exception as error:
                error.add_note(f"{step.id} on {target}: {name}")
                raise


@pytest.mark.parametrize("name", LISTS)
def test_a_list_to_choose_from_takes_any_answer(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "id\x1b[2J\u202e").write_text("-----BEGIN PRIVATE KEY-----\n")
    world = World()
    for text in ("commands", "sequences", "markup"):
        world.cloud.says = {operation: answer_of(service, operation, ANSWERS[text]) for service, operation in CALLS}
        for row in LISTS[name].rows(world.cloud, Spec()):
            assert all(isinstance(cell, str) for cell in row)


# Facts


def test_no_fact_reaches_a_command_unless_it_is_a_word() -> None:
    """Every fact of a plan in turn is what somebody would run."""
    spec = Spec()
    plain = View(spec, {})
    wanted = {fact for each in plan_of(STAGES, plain) for action in each.actions for fact in waits_for(action)} | set(
        KNOWN
    )
    for fact in sorted(wanted):
        for evil in (
            "x; touch owned",
            "$(touch owned)",
            "`touch owned`",
            "x\ntouch owned",
            "-x; touch owned",
            "'; touch owned; '",
        ):
            view = View(spec, {**KNOWN, fact: evil})
            for step in STEPS:
                for target in step.targets(view):
                    try:
                        actions = step.plan(view, target)
                    except Trouble as trouble:
                        assert moves_a_terminal(str(trouble)) == []  # noqa: PT017
                        continue
                    held = json.dumps([action.shown() for action in actions], ensure_ascii=False)
                    if "touch owned" in held:
                        assert obeyed(actions) == [], (fact, step.id)
