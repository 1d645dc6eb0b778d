"""The forms of the real stages: what they say before anything runs, and what stands beside them."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from piloted import Pressed, press, rest, text, until
from textual.widgets import DataTable, Input

from iconha_tui.app import IconhaApp
from iconha_tui.cluster.shells import GUIDE_SHELL
from iconha_tui.engine.plan import plan_of
from iconha_tui.engine.step import Stage, View
from iconha_tui.forms.pickers import LISTS
from iconha_tui.screens.stage import StageScreen
from iconha_tui.spec import Spec
from iconha_tui.stages import STAGES
from iconha_tui.stages.elastic_ip import creation
from iconha_tui.widgets.choices import Choices
from iconha_tui.widgets.command_note import MORE, CommandNote, laid_out
from iconha_tui.widgets.fields import Field
from iconha_tui.widgets.form import Form
from iconha_tui.widgets.hanging import Hanging
from iconha_tui.widgets.preview import CommandPreview

from .conftest import begin, run_stage, shows
from .fakes import World

Make = Callable[..., IconhaApp]
FACTS = {
    "elastic_ip": "203.0.113.10",
    "allocation_id": "eipalloc-0a1b2c3d4e5f60718",
    "PRep-01.aws": "/usr/bin/aws",
    "PRep-02.aws": "/usr/bin/aws",
    "PRep-01.private_ip": "10.0.0.11",
    "PRep-02.private_ip": "10.0.0.12",
}


@pytest.fixture
def real(wizard: Make) -> Callable[..., IconhaApp]:
    """The app over the real stages."""

    def make(spec: Spec | None = None) -> IconhaApp:
        return wizard(spec=spec or Spec(), stages=STAGES)

    return make


async def at(pilot: Pressed, stage: str, **facts: Any) -> IconhaApp:
    app: Any = pilot.app
    await until(pilot, lambda: app.work.is_open)
    app.cluster.session.ctx.learn(FACTS | facts)
    app.pages.show_stage(stage)
    await until(pilot, lambda: app.screen.query(Form) and app.screen.stage.name == stage)
    await rest(pilot)
    return app  # type: ignore[no-any-return]


def field(app: IconhaApp, path: str) -> Field:
    return next(field for field in app.screen.query(Field) if field.path == path)


def note(app: IconhaApp) -> str:
    return app.screen.query_one(CommandNote).query_one(Hanging).plain


async def type_into(pilot: Pressed, box: Input, words: str) -> None:
    box.focus()
    await press(pilot, "end", "ctrl+u", *words)


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
async def test_each_stage_says_what_will_happen_and_shows_all_of_it(
    real: Callable[..., IconhaApp], stage: Stage, size: tuple[int, int]
) -> None:
    app = real()
    async with app.run_test(size=size) as pilot:
        await at(pilot, stage.name)
        assert " ".join(stage.summary.split()[:6]) in " ".join(text(app).split())
        for part in app.screen.query("Form Input, Form Choices"):
            if part.display and part.is_on_screen:
                assert part.region.right <= size[0]
        await press(pilot, "f3")
        told = app.screen.query_one(CommandPreview).query_one(Hanging).plain
        acting = {plan.step.id for plan in plan_of([stage], app.cluster.session.ctx.view) if plan.actions}  # type: ignore[union-attr]
        for step in stage.steps:
            assert step.title in told
            assert step.guide in told
            assert step.departs in told
        assert told.count("has nothing of this") == sum(step.id in acting and not step.guide for step in stage.steps)


# The primitive and its command


async def test_the_command_stays_in_sight_and_changes_as_one_types(
    real: Callable[..., IconhaApp], size: tuple[int, int]
) -> None:
    app = real()
    async with app.run_test(size=size) as pilot:
        await at(pilot, "elastic_ip")
        await shows(pilot, "params elastic_ip=203.0.113.10")
        assert "the guide's own" in note(app)
        box = app.screen.query_one("#of-failure-timeout", Input)
        await type_into(pilot, box, "75s")
        await until(pilot, lambda: "failure-timeout=75s" in text(app))
        assert box.region.y < size[1] - 1
        assert box.is_on_screen
        wide = size[0] >= 100
        assert (app.screen.query_one(CommandNote).region.x > box.region.x) == wide
        assert "The guide's own; ≠ marks what differs" in note(app)
        assert "The other values are your own." in note(app)
        assert app.cluster.draft.elastic_ip.meta["failure-timeout"] == "75s"


@pytest.mark.parametrize("known", ["203.0.113.10", None])
async def test_a_value_that_is_not_known_yet_is_told_as_that(real: Callable[..., IconhaApp], known: str | None) -> None:
    app = real()
    async with app.run_test(size=(120, 40)) as pilot:
        await at(pilot, "elastic_ip", elastic_ip=known)
        await shows(pilot, f"elastic_ip={known or '⟪elastic_ip⟫'}")
        assert "with your values for the address" in note(app)
        assert ("What stands in ⟪ ⟫ is not known yet." in note(app)) == (known is None)


async def test_where_nothing_is_run_the_guides_command_differs_from_nothing(real: Callable[..., IconhaApp]) -> None:
    app = real()
    wanted = Spec().pacemaker.properties
    async with app.run_test(size=(120, 40)) as pilot:
        await at(pilot, "pacemaker", properties=wanted, properties_noted=wanted)
        await shows(pilot, "crm configure property stonith-enabled=false")
        assert "The guide's own" in note(app)
        assert "≠" not in note(app)


async def test_with_pcs_the_guides_crm_command_stands_beside_with_the_reason(real: Callable[..., IconhaApp]) -> None:
    spec = Spec()
    spec.packages.shell = "pcs"
    app = real(spec)
    async with app.run_test(size=(120, 40)) as pilot:
        await at(pilot, "elastic_ip")
        await shows(pilot, "pcs resource create elastic-ip")
        await shows(pilot, "crm configure primitive elastic-ip")
        assert "You chose pcs in the stage “Packages”. The guide allows it too." in note(app)
        assert "values are your own" not in note(app)
        await at(pilot, "pacemaker")
        await shows(pilot, "pcs property set stonith-enabled=false")
        await shows(pilot, "crm configure property stonith-enabled=false")


@pytest.mark.parametrize("shell", ["crm", "pcs"])
@pytest.mark.parametrize("width", [40, 60, 200])
def test_the_lines_of_a_command_are_that_command(shell: str, width: int) -> None:
    spec = Spec()
    spec.packages.shell = shell
    argv = creation(View(spec, FACTS))
    lines = laid_out(argv, width)
    assert shlex.split(" ".join(line.removesuffix(MORE) for line in lines)) == list(argv)
    assert all(line.endswith(MORE) for line in lines[:-1])
    assert all(len(line) <= width or " " not in line.removesuffix(" \\") for line in lines)
    assert laid_out(GUIDE_SHELL.set_properties({"a": "b"})[0], width) == ["crm configure property a=b"]


async def test_an_operations_fault_is_told_under_its_row_as_one_types(
    real: Callable[..., IconhaApp], size: tuple[int, int]
) -> None:
    app = real()
    async with app.run_test(size=size) as pilot:
        await at(pilot, "elastic_ip")
        await type_into(pilot, field(app, "elastic_ip.monitor").query_one("#cell-interval", Input), "soon")
        await shows(pilot, "✗ interval: A time looks like")
        await shows(pilot, "F5 waits until this is corrected: monitor: interval")
        await press(pilot, "f5")
        assert not app.work.busy


# What stands in the way


async def test_a_stage_says_which_one_before_it_is_not_done(wizard: Make, size: tuple[int, int]) -> None:
    app = wizard()
    async with app.run_test(size=size) as pilot:
        await begin(pilot)
        assert "is not done yet" not in text(app)
        await press(pilot, "f8")
        await shows(pilot, "“Credentials” is not done yet")
        await press(pilot, "f7")
        await run_stage(pilot)
        await press(pilot, "f8")
        await pilot.pause(0.1)
        assert "is not done yet" not in text(app)


async def test_f5_and_the_fields_say_why_they_wait_while_a_stage_runs(wizard: Make, world: World) -> None:
    app = wizard()
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await begin(pilot)
        await run_stage(pilot)
        world.gate.clear()
        await press(pilot, "f8", "f5")
        await until(pilot, lambda: world.commands)
        await press(pilot, "f8")
        await shows(pilot, "“Instances and ports” is running. The settings are open again when it has ended")
        assert all(box.disabled for box in app.screen.query("Field Input, Field Choices, Field Button"))
        await press(pilot, "f5")
        await shows(pilot, "Not now")
        world.gate.set()
        await until(pilot, lambda: not app.work.busy)
        await until(
            pilot, lambda: not any(box.disabled for box in app.screen.query("Field Input, Field Choices, Field Button"))
        )


async def test_knet_is_refused_where_a_node_has_corosync_2(real: Callable[..., IconhaApp]) -> None:
    app = real()
    async with app.run_test(size=(120, 40)) as pilot:
        await at(pilot, "corosync", **{"PRep-01.corosync": "2.4.3", "PRep-02.corosync": "2.4.3"})
        field(app, "corosync.transport").go()
        await press(pilot, "right")
        await shows(pilot, "✗ PRep-01 and PRep-02 have Corosync 2.4.3")
        await shows(pilot, "F5 waits until this is corrected: Transport")
        await press(pilot, "left")
        await until(pilot, lambda: "F5 waits" not in text(app))


async def test_the_guides_lines_stand_beside_ours_where_the_file_is_not_the_guides(
    real: Callable[..., IconhaApp],
) -> None:
    spec = Spec()
    spec.corosync.transport = "knet"
    app = real(spec)
    async with app.run_test(size=(120, 40)) as pilot:
        await at(pilot, "corosync")
        told = next(each.plain for each in app.screen.query("Table Hanging").results(Hanging))
        assert "transport: udpu" in told
        assert "crypto_cipher: aes256" in told
        assert "Corosync 3 encrypts with knet only" in told


# What is known already


def test_a_subnet_without_ipv4_is_listed_with_its_ipv6_network() -> None:
    subnet = {"SubnetId": "subnet-1", "AvailabilityZone": "us-east-1a", "VpcId": "vpc-1"}
    networks = [{"Ipv6CidrBlock": "2001:db8::/64"}]

    class Answers:
        def call(self, *_: Any) -> dict[str, Any]:
            return {
                "Subnets": [subnet | {"Ipv6CidrBlockAssociationSet": networks}, subnet | {"CidrBlock": "10.0.0.0/24"}]
            }

    rows = LISTS["subnets"].rows(Answers(), Spec())
    assert [row[3] for row in rows] == ["10.0.0.0/24", "2001:db8::/64"]


async def test_regions_profiles_and_keys_are_chosen_from_lists(
    wizard: Make, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.answers["describe_regions"] = {"Regions": [{"RegionName": "ap-northeast-2"}, {"RegionName": "eu-west-3"}]}
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "prep").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nx\n")
    (tmp_path / ".ssh" / "prep.pub").write_text("ssh-ed25519 AAAA\n")
    config = tmp_path / "aws-config"
    config.write_text("[profile icon]\nregion = ap-northeast-2\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    app = wizard()
    async with app.run_test(size=(120, 40)) as pilot:
        await begin(pilot)
        for path, value in (("aws.region", "ap-northeast-2"), ("aws.profile", "icon"), ("ssh.key_file", "~/.ssh/prep")):
            field(app, path).go()
            await press(pilot, "f6")
            await until(pilot, lambda value=value: isinstance(app.focused, DataTable) and app.focused.row_count)
            assert value in text(app)
            assert ".pub" not in text(app)
            await press(pilot, "enter")
            await until(pilot, lambda: isinstance(app.screen, StageScreen))
            await until(pilot, lambda path=path, value=value: field(app, path).value == value)


async def test_what_each_machine_gets_follows_its_system(real: Callable[..., IconhaApp]) -> None:
    app = real()
    async with app.run_test(size=(120, 40)) as pilot:
        await at(pilot, "packages", **{"PRep-01.os": "ubuntu 24.04"})
        await shows(pilot, "Ubuntu 24.04: corosync, pacemaker, pacemaker-cli-utils, crmsh")
        await shows(pilot, "Ubuntu 22.04: corosync")
        await press(pilot, "right")
        await shows(pilot, "pacemaker-cli-utils, pcs")


@pytest.mark.parametrize(
    ("stage", "fact"), [("pacemaker", "properties_foreign"), ("elastic_ip", "primitive_foreign")], ids=lambda each: each
)
async def test_what_somebody_else_has_set_is_offered_to_be_set_anew(
    real: Callable[..., IconhaApp], size: tuple[int, int], stage: str, fact: str
) -> None:
    app = real()
    async with app.run_test(size=size) as pilot:
        await at(pilot, stage, **{fact: "0123456789abcdef"})
        yes = field(app, f"{stage}.replace")
        assert yes.value == ""
        yes.query_one(Choices).focus()
        await press(pilot, "right")
        assert yes.value == "0123456789abcdef"
        assert "What you have allowed" in " ".join(text(app).split())
