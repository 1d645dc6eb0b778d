"""A stage begins only where each stage before it has passed once."""

from __future__ import annotations

import pytest

from iconha_tui.engine import journal
from iconha_tui.engine.events import Event, Outcome, RunFinished, RunStarted, StageFinished, StageStarted
from iconha_tui.engine.prerequisites import first_unmet
from iconha_tui.stages import STAGES

NAMES = [stage.name for stage in STAGES]
FIRST, SECOND, THIRD = STAGES[:3]


def after(*events: Event) -> journal.Progress:
    return journal.fold((float(number), event) for number, event in enumerate(events))


def ended(outcome: Outcome, *names: str) -> list[Event]:
    return [event for name in names for event in (StageStarted(name), StageFinished(name, outcome, True, 1.0))]


def test_of_an_untouched_cluster_the_first_stage_alone_can_begin() -> None:
    assert first_unmet(FIRST, STAGES, after()) is None
    assert {first_unmet(stage, STAGES, after()) for stage in STAGES[1:]} == {FIRST}


def test_the_first_stage_that_is_missing_is_told_not_the_nearest() -> None:
    progress = after(*ended("done", FIRST.name))
    assert first_unmet(SECOND, STAGES, progress) is None
    assert first_unmet(STAGES[-1], STAGES, progress) is SECOND


@pytest.mark.parametrize("outcome", ["failed", "blocked", "cancelled", "todo"])
def test_a_stage_that_was_tried_and_has_never_passed_is_missing(outcome: Outcome) -> None:
    assert first_unmet(SECOND, STAGES, after(*ended(outcome, FIRST.name))) is FIRST


def test_a_stage_at_which_a_run_was_killed_is_missing() -> None:
    assert first_unmet(SECOND, STAGES, after(StageStarted(FIRST.name))) is FIRST


@pytest.mark.parametrize("outcome", ["failed", "blocked", "cancelled"])
def test_a_stage_that_passed_and_has_failed_since_is_not_in_the_way(outcome: Outcome) -> None:
    progress = after(*ended("done", FIRST.name, SECOND.name), *ended(outcome, FIRST.name))
    assert first_unmet(THIRD, STAGES, progress) is None


def test_a_stage_that_passed_without_a_step_is_not_in_the_way() -> None:
    assert first_unmet(SECOND, STAGES, after(*ended("skipped", FIRST.name))) is None


def test_what_a_look_has_found_done_is_not_in_the_way_nor_what_it_doubts() -> None:
    looked = [
        RunStarted(NAMES, "survey", "0.1.0"),
        *ended("done", FIRST.name, SECOND.name),
        RunFinished("todo", False, 1.0),
    ]
    assert first_unmet(THIRD, STAGES, after(*looked)) is None
    again = [RunStarted(NAMES, "survey", "0.1.0"), *ended("todo", FIRST.name), RunFinished("todo", False, 1.0)]
    doubted = after(*looked, *again)
    assert doubted.stage(SECOND.name).state == "todo"
    assert first_unmet(THIRD, STAGES, doubted) is None
