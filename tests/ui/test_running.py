"""A stage while it runs, when it fails, when a step is skipped, and a run to the end; by keys and by mouse."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
from piloted import Pressed, press, rest, text, until
from textual.content import Content
from textual.widgets import Input, Static, TabbedContent

from iconha_tui.app import IconhaApp
from iconha_tui.control import open_cluster
from iconha_tui.errors import Trouble
from iconha_tui.screens.dialogs import Ask
from iconha_tui.screens.help import Help
from iconha_tui.screens.resume import Resume
from iconha_tui.screens.stage import StageScreen
from iconha_tui.screens.summary import Summary
from iconha_tui.status.memory import save_verdict
from iconha_tui.store import Store
from iconha_tui.widgets import step_list
from iconha_tui.widgets.failure import FailureBox, FailureKeys
from iconha_tui.widgets.glyphs import SPIN
from iconha_tui.widgets.rail import StageRail
from iconha_tui.widgets.words import Words

from .conftest import begin, kept, run_before, run_stage, shows
from .fakes import TITLES, World, stages

Make = Callable[..., IconhaApp]
OPEN = "Nobody knows then."


@pytest.fixture
def app(wizard: Make, world: World) -> IconhaApp:
    """The wizard, over steps that take 8 seconds each by their own word; corosync's second may be skipped."""
    made = stages(world)
    for stage in made:
        for step in stage.steps:
            step.usual = 8.0
    step_of(made, "corosync.corosync-b").skip = OPEN
    step_of(made, "corosync.corosync-a").vital = "The cluster would fall apart."
    return wizard(stages=made)


def step_of(made: tuple, name: str):  # type: ignore[type-arg, no-untyped-def]
    return next(step for stage in made for step in stage.steps if step.id == name)


async def to(pilot: Pressed, stage: str) -> None:
    """Runs the stages before a stage, and turns to it: without the pages of the others, which take a second each to paint."""
    await begin(pilot)
    app = pilot.app
    assert isinstance(app, IconhaApp)
    await run_before(pilot, stage)
    app.pages.show_stage(stage)
    await until(pilot, lambda: isinstance(app.screen, StageScreen) and app.screen.stage.name == stage)
    await until(pilot, lambda: app.screen.query("Form"))


async def held(pilot: Pressed, world: World) -> None:
    """Starts the stage on the screen, and leaves it in the middle of a command."""
    world.gate.clear()
    before = len(world.commands)
    await press(pilot, "f5")
    await until(pilot, lambda: len(world.commands) >= before + 2)


def line(app: IconhaApp, words: str) -> str:
    """The first line on the screen that has these words."""
    return next((each for each in text(app).splitlines() if words in each), "")


def rail(app: IconhaApp) -> str:
    told = app.screen.query_one("#rail-line", Words)._told
    return told.plain if isinstance(told, Content) else told


# What a stage builds on


async def offered(pilot: Pressed, stage: str, first: str, *keys: str) -> None:
    """Presses keys on the page of a stage, to be offered to run from the first stage on."""
    app = pilot.app
    assert isinstance(app, IconhaApp)
    app.pages.show_stage(stage)
    await until(pilot, lambda: isinstance(app.screen, StageScreen) and app.screen.stage.name == stage)
    await until(pilot, lambda: app.screen.query("Form"))
    await press(pilot, *keys)
    await until(pilot, lambda: isinstance(app.screen, Ask))
    await shows(pilot, f"Run from “{TITLES[first]}” on?")
    assert not app.work.busy


def question(app: IconhaApp) -> str:
    return str(app.screen.query_one(".dialog-text Static", Static).render())


async def test_the_last_stage_of_an_untouched_cluster_runs_nothing_and_offers_those_before_it(
    app: IconhaApp, world: World, size: tuple[int, int]
) -> None:
    async with app.run_test(size=size) as pilot:
        await begin(pilot)
        await offered(pilot, "elastic_ip", "credentials", "f5")
        assert "“Elastic IP” builds on “Credentials”, which has not been run yet." in question(app)
        await press(pilot, "n")
        await until(pilot, lambda: isinstance(app.screen, StageScreen))
        assert app.screen.stage.name == "elastic_ip"
        assert not app.work.busy
        assert not world.commands
        assert {entry.state for entry in app.cluster.runs.progress.stages.values()} == {"todo"}


async def test_a_yes_to_the_offer_runs_all_stages_up_to_the_one_that_was_asked_for(
    app: IconhaApp, world: World
) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await begin(pilot)
        await offered(pilot, "packages", "credentials", "f5")
        world.gate.clear()
        await press(pilot, "y")
        await until(pilot, lambda: world.commands)
        await until(pilot, lambda: isinstance(app.screen, StageScreen) and app.screen.stage.name == "instances")
        assert app.screen.query_one(TabbedContent).active == "progress"
        world.gate.set()
        await until(pilot, lambda: not app.work.busy)
        ended = {name: entry.state for name, entry in app.cluster.runs.progress.stages.items()}
        assert [name for name in TITLES if ended[name] == "done"] == ["credentials", "instances", "packages"]
        assert {ended[name] for name in list(TITLES)[3:]} == {"todo"}
        await until(pilot, lambda: isinstance(app.screen, StageScreen) and app.screen.stage.name == "packages")


async def test_the_offer_begins_at_the_first_stage_that_is_missing(app: IconhaApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await to(pilot, "instances")
        await offered(pilot, "corosync", "instances", "f12")
        assert "runs the stages from “Instances and ports” to “Elastic IP” in order" in question(app)


async def test_a_stage_whose_predecessor_has_failed_since_it_was_done_may_be_tried(
    app: IconhaApp, world: World
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await to(pilot, "instances")
        world.cloud_trouble = Trouble("Denied.")
        app.pages.show_stage("credentials")
        await until(pilot, lambda: isinstance(app.screen, StageScreen) and app.screen.stage.name == "credentials")
        await run_stage(pilot)
        assert app.cluster.runs.progress.stage("credentials").state == "blocked"
        world.cloud_trouble = None
        app.pages.show_stage("instances")
        await until(pilot, lambda: isinstance(app.screen, StageScreen) and app.screen.stage.name == "instances")
        await run_stage(pilot)
        assert app.cluster.runs.progress.stage("instances").state == "done"


# Running


async def test_what_runs_is_told_with_its_command_its_time_and_what_is_left(
    app: IconhaApp, world: World, size: tuple[int, int]
) -> None:
    async with app.run_test(size=size) as pilot:
        await to(pilot, "packages")
        await held(pilot, world)
        await shows(pilot, "step 1 of 2")
        said = text(app)
        for node in ("PRep-01", "PRep-02"):
            assert re.search(
                rf"{node}: .apt-get -y install packages-a|{node}: . apt-get -y install packages-a", said
            ), said
        assert re.search(r"step 1 of 2, [\d.]+ s, (some seconds|less than 1 min) left", said), said
        assert re.search(r"\d+ %, about \d+ min left · packages [\d.]+ s", said.splitlines()[0]), said
        world.gate.set()
        await until(pilot, lambda: not app.work.busy)


async def test_the_clock_of_the_running_stage_ticks_in_the_rail(app: IconhaApp, world: World) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await to(pilot, "packages")
        await held(pilot, world)
        entry = app.screen.query_one("#rail-packages", Words)
        first = str(entry._told)
        await until(pilot, lambda: str(entry._told) != first)
        assert re.search(r"running [\d.]+ s", str(entry._told))
        assert re.search(r"done [\d.]+ s", str(app.screen.query_one("#rail-instances", Words)._told)), (
            "what is done keeps its own"
        )
        world.gate.set()
        await until(pilot, lambda: not app.work.busy)


async def test_a_bar_shows_all_eight_stages_together(app: IconhaApp, world: World) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await begin(pilot)
        await shows(pilot, "All stages")
        assert "0 %" in line(app, "All stages")
        assert "about 2 min left" in text(app)
        await run_stage(pilot)
        await press(pilot, "f12")
        await until(pilot, lambda: isinstance(app.screen, Summary))
        await press(pilot, "f7")
        await shows(pilot, "All stages")
        assert "100 %" in line(app, "All stages")
        assert "left" not in text(app).partition("1 Credentials")[0], "nothing is left"


async def test_the_bar_never_goes_back_while_all_is_run(app: IconhaApp) -> None:
    async with app.run_test() as pilot:
        await begin(pilot)
        seen: list[float] = []

        def there() -> bool:
            seen.append(app.cluster.runs.forecast().share)
            return isinstance(app.screen, Summary)

        await press(pilot, "f12")
        await until(pilot, there)
        assert seen == sorted(seen)
        assert seen[-1] == 1.0


async def test_the_bar_of_a_finished_cluster_is_not_whole_while_a_stage_runs_again_and_says_that_it_failed(
    app: IconhaApp, world: World
) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await begin(pilot)
        await press(pilot, "f12")
        await until(pilot, lambda: isinstance(app.screen, Summary))
        await press(pilot, "f7")
        await shows(pilot, "100 %")
        world.files.clear()
        world.broken.add("elastic_ip-b")
        world.gate.clear()
        before = len(world.commands)
        await press(pilot, "f5")
        await until(pilot, lambda: len(world.commands) >= before + 2)
        seen = [app.cluster.runs.forecast().share]
        assert seen[0] < 1
        assert "100 %" not in line(app, "All stages")
        world.gate.set()

        def over() -> bool:
            seen.append(app.cluster.runs.forecast().share)
            return not app.work.busy

        await until(pilot, over)
        await until(pilot, lambda: app.screen.query_one(FailureBox).display)
        assert re.search(r"Stages +failed at [89]\d %", text(app)), text(app)
        seen.append(app.cluster.runs.forecast().share)
        assert seen == sorted(seen), "what was reached stays"
        assert seen[-1] < 1
        world.broken.clear()
        await run_stage(pilot)
        await shows(pilot, "100 %")


async def test_a_setting_that_was_changed_is_not_done_until_it_is_applied(app: IconhaApp, world: World) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await begin(pilot)
        await press(pilot, "f12")
        await until(pilot, lambda: isinstance(app.screen, Summary))
        app.pages.show_stage("corosync")
        await until(pilot, lambda: isinstance(app.screen, StageScreen) and app.screen.stage.name == "corosync")
        app.screen.aim("corosync.token_ms")  # type: ignore[attr-defined]
        await pilot.pause(0.1)
        await press(pilot, "end", "ctrl+u", *"3000")
        entry = app.screen.query_one("#rail-corosync", Words)
        await until(pilot, lambda: "changed, not applied" in str(entry._told))
        assert "100 %" not in line(app, "All stages")
        assert "These settings were changed since the stage last ran; F5 applies them." in " ".join(text(app).split())
        await press(pilot, "f8")
        await press(pilot, "f2")
        await shows(pilot, "has changed settings that are not applied yet")
        assert not app.cluster.summary().finished
        await press(pilot, "f7")
        await run_stage(pilot)
        await until(pilot, lambda: "done" in str(app.screen.query_one("#rail-corosync", Words)._told))
        await shows(pilot, "100 %")


async def test_a_stage_that_nobody_has_looked_at_for_long_was_done(
    app: IconhaApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await begin(pilot)
        await run_stage(pilot)
        assert "✓ done" in str(app.screen.query_one("#rail-credentials", Words)._told)
        monkeypatch.setattr("iconha_tui.screens.stage.OLD", 0.0)
        app.screen.follow()  # type: ignore[attr-defined]
        assert "✓ was done" in str(app.screen.query_one("#rail-credentials", Words)._told)


async def test_the_rail_of_a_finished_cluster_tells_how_the_pair_was_last_seen(app: IconhaApp, store: Store) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await begin(pilot)
        await press(pilot, "f12")
        await until(pilot, lambda: isinstance(app.screen, Summary))
        await press(pilot, "f7")
        await shows(pilot, "pair never looked at")
        save_verdict(store.folder("icon"), "down", time.time())
        app.screen.follow()  # type: ignore[attr-defined]
        await shows(pilot, "pair DOWN, just now")
        assert "DOWN" in line(app, "All stages")
        assert "100 %" not in line(app, "All stages"), "an outage"


async def test_the_second_cluster_is_estimated_by_the_first(
    app: IconhaApp, wizard: Make, world: World, store: Store
) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await begin(pilot)
        await press(pilot, "f12")
        await until(pilot, lambda: isinstance(app.screen, Summary))
        first = app.cluster.name
    world.files.clear()
    again = wizard(stages=app.stages)
    async with again.run_test(size=(120, 40)) as pilot:
        await shows(pilot, "Saved clusters")
        await begin(pilot)
        await run_stage(pilot)
        assert again.cluster.name != first
        assert again.cluster.runs.forecast().left < 30, "its steps say 8 seconds each; there they took less than one"


async def test_the_rail_is_one_line_that_is_never_cut(app: IconhaApp, world: World) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await to(pilot, "awscli")  # the longest title
        await held(pilot, world)
        for width in (80, 70, 60, 120, 80):
            await pilot.resize_terminal(width, 24)
            await until(pilot, lambda width=width: app.screen.query_one(StageRail).outer_size.width == width)
            await rest(pilot)
            assert len(rail(app)) <= width - 2
            assert re.search(r"7 of 8  AWS CLI on the machines  . running \d", rail(app)), (
                "its name, state and time stay"
            )
        world.gate.set()
        await until(pilot, lambda: not app.work.busy)


async def test_a_silent_node_is_told_with_the_time_since_its_last_output(
    app: IconhaApp, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step_list, "SILENT", 0.3)
    async with app.run_test() as pilot:
        await to(pilot, "packages")
        await held(pilot, world)
        await shows(pilot, "last output")
        assert re.search(r"PRep-02: .*last output [\d.]+ s ago", text(app))
        world.gate.set()
        await until(pilot, lambda: not app.work.busy)


@pytest.mark.parametrize("motion", ["full", "none"])
async def test_what_runs_turns_unless_motion_is_off(app: IconhaApp, world: World, motion: str) -> None:
    async with app.run_test() as pilot:
        app.animation_level = motion  # type: ignore[assignment]
        await to(pilot, "packages")
        await held(pilot, world)
        seen = set()

        def several() -> bool:
            seen.add(rail(app).partition("  running")[0].partition(" running")[0][-1])
            return len(seen) >= 3

        if motion == "full":
            await until(pilot, several)
            assert seen <= set(SPIN)
        else:
            for _ in range(20):
                await pilot.pause(0.05)
                several()
            assert seen == {"◐"}
        world.gate.set()
        await until(pilot, lambda: not app.work.busy)


# Failure


async def fail(pilot: Pressed, world: World, word: str) -> None:
    world.broken.add(word)
    await run_stage(pilot)
    await until(pilot, lambda: pilot.app.screen.query_one(FailureBox).display)


async def test_a_failure_is_explained_and_readable_to_its_end(
    app: IconhaApp, world: World, size: tuple[int, int]
) -> None:
    async with app.run_test(size=size) as pilot:
        await to(pilot, "packages")
        await fail(pilot, world, "packages-b")
        for words in (
            "Packages-b on both machines",
            "PRep-01: The command ended",
            "no package of that name",
            "add-apt-repository",
        ):
            assert words in text(app), text(app)
        assert isinstance(app.focused, FailureBox), "the arrows scroll it"
        await press(pilot, "end")
        await shows(pilot, "It cannot be left out.")
        for key in ("F5 retry", "F12 retry and go on", "F2 edit Packages", "c copy command", "^q quit"):
            assert key in text(app), "the keys never scroll away"
        assert "k skip" not in text(app)


@pytest.mark.parametrize("small", [(60, 20), (80, 24), (120, 40)])
async def test_a_long_failure_leaves_the_keys_in_sight(app: IconhaApp, world: World, small: tuple[int, int]) -> None:
    async with app.run_test(size=small) as pilot:
        await to(pilot, "corosync")
        world.said = "".join(f"line {n} of what it said\n" for n in range(40))
        await fail(pilot, world, "corosync-b")
        for key in ("home", "pagedown", "pagedown", "end"):
            await press(pilot, key)
            said = text(app)
            assert "F5 retry" in said
            assert "quit" in said
        await shows(pilot, OPEN)
        await press(pilot, "pageup")
        await shows(pilot, "of what it said")


async def test_the_failed_step_is_the_one_in_sight(app: IconhaApp, world: World) -> None:
    async with app.run_test(size=(120, 32)) as pilot:
        await to(pilot, "packages")
        await fail(pilot, world, "packages-b")
        assert "failed" in line(app, "Packages-b on both machines")


async def test_f2_leads_to_the_setting_at_fault_in_whatever_stage_it_is(app: IconhaApp, world: World) -> None:
    async with app.run_test() as pilot:
        await to(pilot, "corosync")
        world.said = "sudo: a password is required\n"
        await fail(pilot, world, "corosync-b")
        assert "F2 edit Credentials" in text(app)
        await press(pilot, "f2")
        assert isinstance(app.screen, StageScreen)
        await until(pilot, lambda: isinstance(app.focused, Input))
        assert app.screen.stage.name == "credentials"
        assert app.screen.query_one(TabbedContent).active == "settings"
        assert app.focused is app.screen.query("Field").filter(".field").first().screen.focused
        assert [f.path for f in app.screen.form.fields if app.focused in f.query("Input")] == ["ssh.user"]


async def test_f2_without_a_known_cause_opens_this_stages_settings(app: IconhaApp, world: World) -> None:
    async with app.run_test() as pilot:
        await to(pilot, "corosync")
        world.said = "something nobody has seen\n"
        await fail(pilot, world, "corosync-b")
        await press(pilot, "f2")
        assert isinstance(app.screen, StageScreen)
        assert app.screen.stage.name == "corosync"
        assert app.screen.query_one(TabbedContent).active == "settings"


async def test_the_words_of_the_keys_can_be_clicked(app: IconhaApp, world: World, size: tuple[int, int]) -> None:
    async with app.run_test(size=size) as pilot:
        await to(pilot, "corosync")
        await fail(pilot, world, "corosync-b")
        keys = app.screen.query_one(FailureKeys)

        async def click(words: str) -> None:
            for y, row in enumerate(text(app).splitlines()):
                if words in row and keys.region.contains(row.index(words), y):
                    await pilot.click(offset=(row.index(words) + 1, y))
                    await rest(pilot)
                    return
            raise AssertionError(words)

        await click("copy command")
        assert app.clipboard == "apt-get -y install corosync-b"
        await kept(pilot, app.clipboard)
        await click("skip")
        assert isinstance(app.screen, Ask)
        await press(pilot, "escape")
        world.broken.clear()
        await click("retry")
        await until(pilot, lambda: app.cluster.runs.progress.stage("corosync").state == "done")


# Skip


async def test_a_skip_asks_with_its_consequence_and_is_noted(
    app: IconhaApp, wizard: Make, world: World, store: Store, size: tuple[int, int]
) -> None:
    async with app.run_test(size=size) as pilot:
        await to(pilot, "corosync")
        await fail(pilot, world, "corosync-b")
        await press(pilot, "k")
        assert isinstance(app.screen, Ask)
        await shows(pilot, OPEN)
        await press(pilot, "n")
        assert app.cluster.runs.progress.stage("corosync").state == "failed", "no is no"
        await press(pilot, "k", "y")
        await until(pilot, lambda: app.cluster.runs.progress.stage("corosync").state == "skipped")
        await until(pilot, lambda: not app.work.busy)
        await shows(pilot, "» skipped")
        await shows(pilot, OPEN)
        assert not app.screen.query_one(FailureBox).display
        assert store.progress("icon").skipped == ["corosync.corosync-b"]
        await press(pilot, "f8")
        await run_stage(pilot)
        assert app.cluster.runs.progress.stage("pacemaker").state == "done", "it goes on"
        await press(pilot, "q")

    again = wizard(stages=app.stages)
    async with again.run_test(size=size) as pilot:
        await shows(pilot, "Saved clusters")
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(again.screen, Resume) and not again.work.busy)
        await shows(pilot, "skipped")
        await press(pilot, "f8")
        assert isinstance(again.screen, StageScreen)
        assert again.screen.stage.name == "awscli", "a look goes past what was skipped"
        world.broken.clear()
        again.pages.show_stage("corosync")
        await rest(pilot)
        await run_stage(pilot)
        assert again.cluster.runs.progress.stage("corosync").state == "done", "and a run tries it again"


async def test_what_is_not_safe_to_skip_says_why(app: IconhaApp, world: World) -> None:
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await to(pilot, "corosync")
        await fail(pilot, world, "corosync-a")
        await press(pilot, "k")
        assert isinstance(app.screen, StageScreen)
        await shows(pilot, "The cluster would fall apart.")
        assert app.cluster.runs.progress.stage("corosync").state == "failed"


# To the end


async def test_one_key_runs_all_and_shows_each_stage_as_it_comes(
    app: IconhaApp, world: World, size: tuple[int, int]
) -> None:
    async with app.run_test(size=size) as pilot:
        await begin(pilot)
        pages: list[str] = []
        turn = app.pages.show_stage

        def show_stage(name: str, field: str | None = None) -> None:
            pages.append(name)
            turn(name, field)

        app.pages.show_stage = show_stage  # type: ignore[method-assign]
        await press(pilot, "f12")
        await until(pilot, lambda: isinstance(app.screen, Summary))
        assert pages == list(TITLES)[1:]
        assert {app.cluster.runs.progress.stage(name).state for name in TITLES} == {"done"}


async def test_it_stops_at_the_first_failure_and_a_skip_goes_on_to_the_end(app: IconhaApp, world: World) -> None:
    world.broken.add("corosync-b")
    async with app.run_test() as pilot:
        await begin(pilot)
        await press(pilot, "f12")
        await until(pilot, lambda: app.cluster.runs.progress.stage("corosync").state == "failed")
        await pilot.pause(0.2)
        assert isinstance(app.screen, StageScreen)
        assert app.screen.stage.name == "corosync"
        assert not app.work.busy
        await press(pilot, "k", "y")
        await until(pilot, lambda: isinstance(app.screen, Summary))
        assert app.cluster.runs.progress.stage("elastic_ip").state == "done"


async def test_it_stops_at_a_form_that_is_not_complete(app: IconhaApp, world: World) -> None:
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await begin(pilot)
        await press(pilot, "f8")
        name = app.screen.query("Field")
        wrong = next(field for field in name if field.path == "nodes.1.name").query_one(Input)  # type: ignore[attr-defined]
        wrong.focus()
        await press(pilot, "end", "ctrl+u", *"PRep-01", "f7", "f12")
        await until(pilot, lambda: app.screen.stage.name == "instances")  # type: ignore[attr-defined]
        await shows(pilot, "correct this first")
        assert not app.work.busy
        assert app.cluster.runs.progress.stage("instances").state == "todo"
        assert not app.cluster.runs.run_through


async def test_stopping_ends_it_for_good(app: IconhaApp, world: World) -> None:
    async with app.run_test() as pilot:
        await to(pilot, "instances")
        world.gate.clear()
        await press(pilot, "f12")
        await until(pilot, lambda: app.cluster.controller.long)
        await press(pilot, "f9", "l")
        await until(pilot, lambda: not app.work.busy)
        world.gate.set()
        await press(pilot, "f5")
        await until(pilot, lambda: app.cluster.runs.progress.stage("instances").state == "done")
        await pilot.pause(0.3)
        assert app.screen.stage.name == "instances"  # type: ignore[attr-defined]


async def test_a_run_that_goes_on_waits_behind_what_is_being_read(app: IconhaApp, world: World) -> None:
    async with app.run_test() as pilot:
        await to(pilot, "instances")
        world.gate.clear()
        await press(pilot, "f5")
        await until(pilot, lambda: world.commands)
        await press(pilot, "f12", "f12", "f1")
        assert app.cluster.runs.run_through, "it can be decided while a stage runs, and once is as good as twice"
        assert isinstance(app.screen, Help)
        world.gate.set()
        await until(pilot, lambda: not app.work.busy)
        await pilot.pause(0.3)
        assert isinstance(app.screen, Help), "the page is not pulled away"
        await press(pilot, "escape")
        await until(pilot, lambda: isinstance(app.screen, Summary))


async def test_the_palette_has_it_all(app: IconhaApp, world: World) -> None:
    async with app.run_test() as pilot:
        await to(pilot, "corosync")
        await fail(pilot, world, "corosync-b")
        offered = {command.title for command in app.get_system_commands(app.screen)}
        assert {
            "Run this and the following stages",
            "Go on without the step that failed",
            "Copy the failed command",
            "Settings",
            "Run",
        } <= offered


def test_an_estimate_looks_at_a_few_journals_only() -> None:
    assert open_cluster.RECENT <= 10
