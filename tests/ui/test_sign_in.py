"""An MFA code is asked in a field of the wizard, and nothing is painted over it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from piloted import Pressed, hurry, press, text, until

from iconha_tui.app import IconhaApp
from iconha_tui.screens.dialogs import Choose, HostKey, MfaCode
from iconha_tui.screens.run_questions import LOOK_UP
from iconha_tui.screens.stage import StageScreen
from iconha_tui.store import Store
from iconha_tui.widgets.fields import Field

from .conftest import begin, run_stage, shows
from .fakes import World

Make = Callable[..., IconhaApp]
DEVICE = "arn:aws:iam::123456789012:mfa/operator"
CODE = "491827"


async def asked(pilot: Pressed, world: World) -> None:
    """A run that calls AWS stands at the question."""
    await begin(pilot)
    await run_stage(pilot)
    world.device = DEVICE
    await press(pilot, "f8", "f5")
    await until(pilot, lambda: isinstance(pilot.app.screen, MfaCode))


async def test_the_code_is_asked_in_a_field_and_the_run_goes_on_with_it(
    wizard: Make, world: World, store: Store, size: tuple[int, int]
) -> None:
    app = wizard()
    async with app.run_test(size=size) as pilot:
        await asked(pilot, world)
        assert DEVICE in text(app)
        await press(pilot, *"4918", "enter")
        assert isinstance(app.screen, MfaCode), "it is not taken before it is whole"
        await shows(pilot, "An MFA code has six digits.")
        await hurry(pilot, "2", "7", "enter")
        await until(pilot, lambda: not app.work.busy)
        assert isinstance(app.screen, StageScreen)
        assert app.cluster.runs.progress.stage("instances").state == "done"
    assert world.codes == [CODE]
    kept = [path for path in store.root.rglob("*") if path.is_file()]
    assert kept
    assert not [path for path in kept if CODE.encode() in path.read_bytes()]


@pytest.mark.parametrize("key", ["escape", "f9"])
async def test_who_gives_no_code_stops_the_run(wizard: Make, world: World, store: Store, key: str) -> None:
    app = wizard()
    async with app.run_test() as pilot:
        await asked(pilot, world)
        await press(pilot, "4", key)
        await until(pilot, lambda: not app.work.busy)
        assert app.cluster.runs.progress.stage("instances").state == "cancelled"
        assert isinstance(app.screen, StageScreen)
        world.device = ""
        await run_stage(pilot)
        assert app.cluster.runs.progress.stage("instances").state == "done"
    assert world.codes == []


async def test_a_question_of_a_run_that_is_stopped_goes_away(wizard: Make, world: World) -> None:
    app = wizard()
    async with app.run_test() as pilot:
        await asked(pilot, world)
        app.work.stop()
        await until(pilot, lambda: not app.work.busy and isinstance(app.screen, StageScreen))
        assert app.cluster.runs.progress.stage("instances").state == "cancelled"


async def test_the_program_ends_at_the_question(wizard: Make, world: World) -> None:
    app = wizard()
    async with app.run_test() as pilot:
        await asked(pilot, world)
        await press(pilot, "ctrl+q")
        await until(pilot, lambda: app._exit)


async def test_a_list_asks_too_also_after_a_run_was_stopped(wizard: Make, world: World) -> None:
    world.answers["describe_regions"] = {"Regions": [{"RegionName": "eu-north-1"}]}
    app = wizard()
    async with app.run_test(size=(120, 40)) as pilot:
        await asked(pilot, world)
        await press(pilot, "escape")
        await until(pilot, lambda: not app.work.busy)
        await press(pilot, "f7", "f2")
        next(field for field in app.screen.query(Field) if field.path == "aws.region").go()
        await press(pilot, "f6")
        await until(pilot, lambda: isinstance(app.screen, MfaCode))
        await press(pilot, *CODE, "enter")
        await until(pilot, lambda: isinstance(app.screen, Choose))
        await shows(pilot, "eu-north-1")


async def test_a_host_key_is_asked_about_also_after_a_run_was_stopped(wizard: Make, world: World) -> None:
    app = wizard()
    async with app.run_test() as pilot:
        await asked(pilot, world)
        await press(pilot, "escape")
        await until(pilot, lambda: not app.work.busy)
        node = app.cluster.session.ctx.node("PRep-01")
        world.ask_key.add("PRep-01")
        look = asyncio.ensure_future(asyncio.to_thread(node.run, ("cat", "/etc/corosync/corosync.conf")))
        await until(pilot, lambda: isinstance(app.screen, HostKey))
        await asyncio.sleep(2 * LOOK_UP)
        await press(pilot, "y")
        assert (await look).code == 0
