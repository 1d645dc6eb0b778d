"""One owner of a run, for the wizard and for `run`: sequence, preflight, lock, stop, summary, outcome."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import pytest
from waiting import BOUND

from iconha_tui import summary
from iconha_tui.control.run_controller import (
    PreflightFinished,
    PreflightStarted,
    RunController,
    RunEnded,
    RunRequest,
    Update,
)
from iconha_tui.engine.events import ActionStarted, RunFinished, StageFinished, StageStarted, StepStarted
from iconha_tui.engine.step import Stage
from iconha_tui.errors import Cancelled
from iconha_tui.preflight import Found
from iconha_tui.session import Session
from iconha_tui.spec import Spec
from iconha_tui.store import Locked, Store
from ui.fakes import World, stages

WELL = Found("AWS", "AWS knows you", "done", "account 1")
WARNING = Found("PRep-01", "apt", "warning", "it is held", "A run waits for it.")
BAD = Found("PRep-02", "Disk", "stands_in_the_way", "/var is full", "Make room.")


class Preflight:
    """Finds what it is told to, and counts its looks."""

    def __init__(self, *found: Found) -> None:
        self.found = (WELL, *found)
        self.looks = 0

    def __call__(self, session: Session, skip: Collection[str]) -> Iterator[Found]:
        self.looks += 1
        yield from self.found


class Reports(list[Update]):
    """What a controller reports. at: called with each report, in the thread that reports it."""

    def __init__(self, at: Callable[[Update], object] = lambda _: None) -> None:
        self._at = at

    def __call__(self, update: Update) -> None:
        self.append(update)
        self._at(update)

    def begun(self) -> list[str]:
        return [each.stage for each in self if isinstance(each, StageStarted)]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "state")


@pytest.fixture
def session(world: World, store: Store) -> Session:
    return world.session(store, Spec(name="icon"), lambda *_: True)


@pytest.fixture
def all_stages(world: World) -> tuple[Stage, ...]:
    return stages(world)


Make = Callable[..., RunController]


@pytest.fixture
def controller(session: Session, all_stages: tuple[Stage, ...]) -> Make:
    return lambda look=None: RunController(session, all_stages, look)


def is_held(store: Store) -> bool:
    """Whether another run would find the cluster taken."""
    try:
        with store.lock("icon"):
            return False
    except Locked:
        return True


def test_the_cluster_is_held_from_the_preflight_to_the_last_stage(
    controller: Make, store: Store, all_stages: tuple[Stage, ...]
) -> None:
    held: dict[str, bool] = {}

    def look(update: Update) -> None:
        if isinstance(update, PreflightFinished | StageStarted | StageFinished):
            held[f"{type(update).__name__} {getattr(update, 'stage', '')}"] = is_held(store)

    reports = Reports(look)
    assert controller(Preflight()).run(RunRequest(all_stages), reports).outcome == "done"
    assert reports.begun() == [stage.name for stage in all_stages]
    assert set(held.values()) == {True}
    assert len(held) == 1 + 2 * len(all_stages)
    assert not is_held(store)


def test_stages_that_are_to_follow_run_under_the_same_lock(
    controller: Make, store: Store, all_stages: tuple[Stage, ...]
) -> None:
    """F12 while a stage runs."""
    made = controller()
    held: list[bool] = []

    def look(update: Update) -> None:
        if isinstance(update, StepStarted) and not reports.begun()[1:]:
            made.follow_with(all_stages[1:])
        if isinstance(update, RunFinished):
            held.append(is_held(store))

    reports = Reports(look)
    assert made.run(RunRequest(all_stages[:1]), reports).outcome == "done"
    assert reports.begun() == [stage.name for stage in all_stages]
    assert held == [True, True]


def test_what_was_to_follow_a_stage_that_fails_does_not_follow_the_next_run(
    controller: Make, world: World, all_stages: tuple[Stage, ...]
) -> None:
    made = controller()
    world.broken.add("instances")
    reports = Reports(lambda update: isinstance(update, StepStarted) and made.follow_with(all_stages[2:]))
    assert made.run(RunRequest(all_stages[:2]), reports).outcome == "failed"
    world.broken.clear()
    again = Reports()
    assert made.run(RunRequest(all_stages[:2]), again).outcome == "done"
    assert again.begun() == [stage.name for stage in all_stages[:2]]


def test_a_stop_ends_the_sequence_and_holds_for_no_run_after_it(
    controller: Make, session: Session, all_stages: tuple[Stage, ...]
) -> None:
    made = controller()
    reports = Reports(lambda update: isinstance(update, StageFinished) and made.stop())
    assert made.run(RunRequest(all_stages), reports).outcome == "cancelled"
    assert reports.begun() == [all_stages[0].name], "no further stage is begun"
    assert not session.ctx.cancel.is_set()
    assert made.run(RunRequest(all_stages), Reports()).outcome == "done"


@pytest.mark.parametrize("then", ["resume", "stop"])
def test_a_paused_run_begins_no_stage_until_it_is_decided(
    controller: Make, all_stages: tuple[Stage, ...], then: str
) -> None:
    """While the operator is asked whether to stop."""
    made = controller()
    first = threading.Event()

    def look(update: Update) -> None:
        if isinstance(update, StepStarted) and not first.is_set():
            made.pause()
        if isinstance(update, StageFinished):
            first.set()

    reports = Reports(look)
    ended: list[RunEnded] = []
    run = threading.Thread(target=lambda: ended.append(made.run(RunRequest(all_stages[:2]), reports)), daemon=True)
    run.start()
    assert first.wait(BOUND)
    run.join(0.3)
    assert reports.begun() == [all_stages[0].name]
    getattr(made, then)()
    run.join(BOUND)
    assert ended[0].outcome == ("done" if then == "resume" else "cancelled")
    assert len(reports.begun()) == (2 if then == "resume" else 1)


def test_what_stands_in_the_way_keeps_the_run_from_beginning(
    controller: Make, store: Store, all_stages: tuple[Stage, ...]
) -> None:
    look = Preflight(WARNING, BAD)
    reports = Reports()
    ended = controller(look).run(RunRequest(all_stages), reports)
    assert (ended.outcome, ended.findings) == ("blocked", (BAD,))
    assert reports == [PreflightStarted(), WELL, WARNING, BAD, PreflightFinished((BAD,))]
    assert not store.progress("icon").last, "the journal knows of no run"
    assert not is_held(store)


def test_findings_that_the_operator_accepts_are_not_looked_for_again_until_the_spec_changes(
    controller: Make, session: Session, all_stages: tuple[Stage, ...], world: World
) -> None:
    look = Preflight(BAD)
    made = controller(look)
    assert made.run(RunRequest(all_stages), Reports()).findings == (BAD,)
    made.accept()
    world.broken.add("instances")
    assert made.run(RunRequest(all_stages[:1]), Reports()).outcome == "done"
    assert look.looks == 1
    session.use(session.spec.model_copy(update={"corosync": session.spec.corosync.model_copy(update={"port": 5500})}))
    assert made.run(RunRequest(all_stages), Reports()).findings == (BAD,)
    assert look.looks == 2


@pytest.mark.parametrize("passes", [True, False])
def test_whether_a_warning_is_read_first_is_the_views_own(
    controller: Make, all_stages: tuple[Stage, ...], passes: bool
) -> None:
    made = controller(Preflight(WARNING))
    asked: list[Any] = []
    made.pass_warnings = lambda warnings: bool(asked.append(warnings)) or passes
    ended = made.run(RunRequest(all_stages), Reports())
    assert asked == [(WARNING,)]
    assert (ended.outcome, ended.findings) == (("done", ()) if passes else ("blocked", (WARNING,)))


def test_a_cluster_in_which_something_was_changed_is_not_checked_again(
    controller: Make, all_stages: tuple[Stage, ...]
) -> None:
    look = Preflight()
    made = controller(look)
    assert made.run(RunRequest(all_stages[:2]), Reports()).outcome == "done"
    assert made.run(RunRequest(all_stages), Reports()).outcome == "done"
    assert look.looks == 1


def test_a_preflight_that_is_stopped_is_no_yes_and_stops_nothing_after_it(
    session: Session, all_stages: tuple[Stage, ...]
) -> None:
    def look(session: Session, skip: Collection[str]) -> Iterator[Found]:
        yield WELL
        raise Cancelled("Stopped by the operator; nothing was changed.")

    made = RunController(session, all_stages, look)
    reports = Reports()
    with pytest.raises(Cancelled):
        made.run(RunRequest(all_stages), reports)
    assert reports == [PreflightStarted(), WELL]
    assert made.accepted is None
    assert not session.ctx.cancel.is_set()


def test_the_summary_is_kept_once_every_stage_has_passed_whichever_was_the_last_to_run(
    controller: Make, store: Store, all_stages: tuple[Stage, ...], world: World
) -> None:
    made = controller()
    assert made.run(RunRequest(all_stages[:-1]), Reports()).summary == ""
    assert not summary.file_of(store, "icon").exists()
    assert made.run(RunRequest(all_stages[-1:]), Reports()).summary
    ended = made.run(RunRequest(all_stages[:1]), Reports())
    assert ended.summary.startswith("# icon: the pair is up")
    assert summary.file_of(store, "icon").read_text() == ended.summary


def test_a_summary_that_cannot_be_kept_leaves_the_run_done_and_is_told(
    controller: Make, store: Store, all_stages: tuple[Stage, ...]
) -> None:
    summary.file_of(store, "icon").mkdir(parents=True)
    ended = controller().run(RunRequest(all_stages), Reports())
    assert ended.outcome == "done"
    assert "summary.md" in str(ended.trouble)


def test_long_commands_are_known_before_anybody_has_drawn_them(controller: Make, all_stages: tuple[Stage, ...]) -> None:
    made = controller()
    known: list[list[str]] = []
    reports = Reports(lambda update: isinstance(update, ActionStarted) and known.append(sorted(made.long)))
    made.run(RunRequest(all_stages), reports)
    assert ["PRep-01", "PRep-02"] in known


def test_a_run_changes_no_spec_that_a_wizard_has_open(
    controller: Make, session: Session, store: Store, all_stages: tuple[Stage, ...]
) -> None:
    """The wizard would put its own draft over it, or run what nobody has seen there."""
    store.save(session.spec)
    with store.editing("icon"):
        assert controller().run(RunRequest(all_stages), Reports()).outcome == "done", "the saved spec may run"
        session.use(
            session.spec.model_copy(update={"corosync": session.spec.corosync.model_copy(update={"port": 5500})})
        )
        with pytest.raises(Locked, match=r"Another wizard \(process \d+, since .*\) has this cluster open"):
            controller().run(RunRequest(all_stages), Reports())
    assert store.spec("icon").corosync.port != 5500
    assert controller().run(RunRequest(all_stages), Reports()).outcome == "done"
    assert store.spec("icon").corosync.port == 5500
