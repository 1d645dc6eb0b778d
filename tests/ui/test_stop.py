"""Stopping a run: what becomes of a long command on a node is asked, done, and said wherever somebody looks."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from piloted import Pressed, press, text, until

from iconha_tui.app import IconhaApp
from iconha_tui.engine.events import StepFinished
from iconha_tui.errors import Left
from iconha_tui.screens.dialogs import Ask
from iconha_tui.screens.resume import Resume
from iconha_tui.screens.stage import StageScreen
from iconha_tui.screens.stop import StopRun
from iconha_tui.store import Store
from iconha_tui.widgets.failure import FailureBox

from .conftest import begin, run_stage, shows
from .fakes import SAID, World

Make = Callable[..., IconhaApp]
BOTH = {"PRep-01", "PRep-02"}
SIZES = pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40)], ids=["60x20", "80x24", "120x40"])


def flat(app: IconhaApp) -> str:
    """What is on the screen, without its line breaks, frames and scrollbars."""
    return " ".join(text(app).translate(str.maketrans("│▌▐█▁▂▃▄▅▆▇", " " * 11)).split())


async def going(pilot: Pressed, world: World) -> None:
    """A stage whose command goes on on both nodes."""
    await begin(pilot)
    await run_stage(pilot)
    world.gate.clear()
    await press(pilot, "f8", "f5")
    await until(pilot, lambda: len(world.commands) == 2)
    await until(pilot, lambda: not world.long or len(pilot.app.cluster.controller.long) == 2)  # type: ignore[attr-defined]


@SIZES
async def test_the_question_says_what_goes_on_where_and_what_each_answer_means(
    wizard: Make, world: World, size: tuple[int, int]
) -> None:
    app = wizard()
    async with app.run_test(size=size) as pilot:
        await going(pilot, world)
        await press(pilot, "f9")
        assert isinstance(app.screen, StopRun)
        said = flat(app)
        for words in (
            "Stop this run?", "PRep-01 ▶ apt-get -y install instances-a", "PRep-02 ▶ apt-get -y install instances-a",
            "n go on", "l leave running", "s stop it too", "the next run reads on",
        ):  # fmt: skip
            assert words in said
        assert app.focused is not None
        assert app.focused.id == "leave"
        for button in app.screen.query("Button"):
            assert app.screen.find_widget(button).visible_region.width == button.outer_size.width, "it is cut off"
        await press(pilot, "escape")
        assert app.work.busy
        assert not app.cluster.runs.stopping
        world.gate.set()
        await until(pilot, lambda: not app.work.busy)
        assert app.cluster.runs.progress.stage("instances").state == "done"


@pytest.mark.parametrize(
    ("key", "left", "size"),
    [("l", "running", (60, 20)), ("s", "stopped", (80, 24)), ("enter", "running", (120, 40))],
    ids=["leave-60x20", "stop-80x24", "enter-120x40"],
)
async def test_what_was_chosen_is_done_and_said_for_each_node(
    wizard: Make, world: World, store: Store, key: str, left: Left, size: tuple[int, int]
) -> None:
    one, two = (SAID[left].format(node) for node in ("prep-01", "prep-02"))
    app = wizard()
    async with app.run_test(size=size) as pilot:
        await going(pilot, world)
        await press(pilot, "f9", key)
        await until(pilot, lambda: not app.work.busy)
        await pilot.pause(0.2)
        assert world.left == dict.fromkeys(BOTH, left)
        assert app.cluster.runs.progress.stage("instances").state == "cancelled"
        failure = app.screen.query_one(FailureBox).shown
        assert isinstance(failure, StepFinished)
        assert failure.text == f"PRep-01: {one} PRep-02: {two}"
        for words in ("◇ stopped", "PRep-01: iconha-prep-01.service", "iconha-prep-02.service", "Run again."):
            assert words in text(app)
    progress = store.progress("icon")
    assert {target: event.left for target, event in progress.work.stopped.items()} == world.left
    assert progress.failure is not None
    assert progress.failure.text == failure.text

    world.gate.set()
    again = wizard()
    async with again.run_test(size=size) as pilot:
        await until(pilot, lambda: "◇ stopped" in text(again))
        assert ("a command was left running on PRep-01 and PRep-02" in flat(again)) is (left == "running")
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(again.screen, Resume) and not again.work.busy)
        await until(pilot, lambda: f"PRep-01: {one} PRep-02: {two}" in flat(again))
        await press(pilot, "f8")
        assert isinstance(again.screen, StageScreen)
        await run_stage(pilot)
        assert again.cluster.runs.progress.stage("instances").state == "done"


async def test_while_it_stops_the_screen_says_what_becomes_of_the_command(wizard: Make, world: World) -> None:
    app = wizard()
    async with app.run_test(size=(120, 40)) as pilot:
        await going(pilot, world)
        app.cluster.session.cancel = lambda **_: None  # type: ignore[method-assign]  the nodes do not answer yet
        await press(pilot, "f9", "s")
        await shows(pilot, "stopping, also on PRep-01 and PRep-02")
        await shows(pilot, "stopping instances")
        await press(pilot, "f9")
        assert isinstance(app.screen, StageScreen), "it is not asked twice"
        world.gate.set()
        await until(pilot, lambda: not app.work.busy)


async def test_without_a_long_command_it_stops_at_once(wizard: Make, world: World, store: Store) -> None:
    world.long = False
    app = wizard()
    async with app.run_test() as pilot:
        await going(pilot, world)
        await press(pilot, "f9")
        assert isinstance(app.screen, StageScreen)
        await until(pilot, lambda: not app.work.busy)
    assert world.left == dict.fromkeys(BOTH, "stopped")
    assert store.progress("icon").stage("instances").state == "cancelled"


async def test_a_command_that_ends_while_it_is_asked_about_is_no_longer_named(wizard: Make, world: World) -> None:
    app = wizard()
    async with app.run_test() as pilot:
        await going(pilot, world)
        await press(pilot, "f9")
        world.gate.set()
        await shows(pilot, "has come to its end meanwhile")
        await press(pilot, "s")
        assert isinstance(app.screen, StageScreen)
        await until(pilot, lambda: not app.work.busy)
        assert world.left == {}


@pytest.mark.parametrize(("key", "left"), [("l", "running"), ("s", "stopped")])
async def test_quitting_asks_the_same_and_says_it_once_more_afterwards(
    wizard: Make, world: World, store: Store, key: str, left: Left
) -> None:
    app = wizard()
    async with app.run_test() as pilot:
        await going(pilot, world)
        await press(pilot, "ctrl+q")
        assert isinstance(app.screen, StopRun)
        await shows(pilot, "Stop this run and quit?")
        await press(pilot, "escape")
        assert app.work.busy
        assert not app.work.leaving
        await press(pilot, "ctrl+q", key)
        await until(pilot, lambda: app._exit)
    assert world.left == dict.fromkeys(BOTH, left)
    assert store.progress("icon").stage("credentials").state == "done"
    assert store.progress("icon").stage("instances").state == "cancelled"
    assert app.farewell.startswith(f"Stopped. PRep-01: {SAID[left].format('prep-01')}")
    assert f"PRep-02: {SAID[left].format('prep-02')}" in app.farewell
    assert app.farewell.endswith("Start it again to go on from here.\n")


async def test_quitting_without_a_long_command_asks_nothing(wizard: Make, world: World, store: Store) -> None:
    world.long = False
    app = wizard()
    async with app.run_test() as pilot:
        await going(pilot, world)
        await press(pilot, "ctrl+q")
        await until(pilot, lambda: app._exit)
    assert store.progress("icon").stage("instances").state == "cancelled"


async def test_quitting_at_the_question_leaves_the_command_running(wizard: Make, world: World) -> None:
    app = wizard()
    async with app.run_test() as pilot:
        await going(pilot, world)
        await press(pilot, "ctrl+q", "ctrl+q")
        await until(pilot, lambda: app._exit)
    assert "stopped" not in world.left.values()


async def test_quitting_after_the_run_has_ended_under_the_question_ends_the_program(wizard: Make, world: World) -> None:
    app = wizard()
    async with app.run_test() as pilot:
        await going(pilot, world)
        await press(pilot, "ctrl+q")
        world.gate.set()
        await until(pilot, lambda: not app.work.busy)
        await press(pilot, "l")
        await until(pilot, lambda: app._exit)


async def test_a_run_to_the_end_does_not_go_on_after_a_stop_that_came_too_late(wizard: Make, world: World) -> None:
    app = wizard()
    async with app.run_test() as pilot:
        await begin(pilot)
        await run_stage(pilot)
        world.gate.clear()
        await press(pilot, "f8", "f12")
        await until(pilot, lambda: len(app.cluster.controller.long) == 2)
        await press(pilot, "f9")
        world.gate.set()
        await until(pilot, lambda: app.cluster.runs.progress.stage("instances").state == "done")
        await pilot.pause(0.3)
        assert isinstance(app.screen, StopRun), "the next stage waits for the answer"
        await press(pilot, "l")
        await until(pilot, lambda: not app.work.busy)
        assert app.cluster.runs.progress.stage("packages").state == "todo"


async def test_a_look_is_stopped_without_a_question(wizard: Make, world: World, store: Store) -> None:
    app = wizard()
    async with app.run_test() as pilot:
        await begin(pilot)
        await run_stage(pilot)
        await press(pilot, "escape", "escape")
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(app.screen, Resume))
        await press(pilot, "f9")
        assert not isinstance(app.screen, StopRun | Ask)
        await until(pilot, lambda: not app.work.busy)


@pytest.mark.parametrize("button", ["stop", "go-on"])
async def test_the_buttons_are_there_for_the_mouse(wizard: Make, world: World, button: str) -> None:
    app = wizard()
    async with app.run_test() as pilot:
        await going(pilot, world)
        await press(pilot, "f9")
        await pilot.click(f"#{button}")
        if button == "go-on":
            assert not app.cluster.runs.stopping
            world.gate.set()
        await until(pilot, lambda: not app.work.busy)
        fate = {"stop": "stopped"}.get(button)
        assert world.left == (dict.fromkeys(BOTH, fate) if fate else {})
