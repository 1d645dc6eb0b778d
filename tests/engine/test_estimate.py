"""How long it will take: as it took here before, never more precise than it is known."""

from __future__ import annotations

import pytest

from iconha_tui.engine.estimate import Forecast, Pace, forecast
from iconha_tui.engine.events import Event, Probed, StepFinished, StepStarted
from iconha_tui.stages import STAGES

from .fakes import Wants, stage

A, B, C = (Wants(f"/{name}") for name in "abc")
for step, seconds in ((A, 10.0), (B, 60.0), (C, 30.0)):
    step.usual = seconds
STAGE = stage(A, B, C)


def ran(step: Wants, seconds: float, *, needed: bool = True) -> list[Event]:
    verdict = "needed" if needed else "done"
    return [
        StepStarted("corosync", step.id, step.title),
        Probed("corosync", step.id, "PRep-01", "probe", verdict, ""),  # type: ignore[arg-type]
        StepFinished("corosync", step.id, "done", needed, seconds),
    ]


def pace_of(*journals: list[Event]) -> Pace:
    pace = Pace()
    for events in journals:
        for event in events:
            pace.take(event)
    return pace


def test_a_step_takes_what_it_took_here_the_last_time() -> None:
    another, own = ran(A, 3.0) + ran(B, 40.0), ran(A, 7.0)
    pace = pace_of(another, own)
    assert (pace.of(A), pace.of(B), pace.of(C)) == (7.0, 40.0, 30.0)


def test_a_look_that_found_the_work_done_tells_nothing_of_how_long_it_takes() -> None:
    pace = pace_of(ran(A, 7.0), ran(A, 0.1, needed=False))
    assert pace.of(A) == 7.0


def test_what_is_done_counts_by_its_time_and_not_by_its_number() -> None:
    assert forecast([STAGE], Pace(), {}) == Forecast(0.0, 100.0)
    assert forecast([STAGE], Pace(), {A.id: "done"}) == Forecast(0.1, 90.0)
    assert forecast([STAGE], Pace(), {A.id: "done", B.id: "skipped", C.id: "done"}) == Forecast(1.0, 0.0)


def test_the_step_that_runs_moves_the_bar_but_never_past_its_end() -> None:
    shares = [forecast([STAGE], Pace(), {A.id: "done"}, (B.id, spent)) for spent in (0.0, 30.0, 59.0, 500.0)]
    assert [each.share for each in shares] == sorted(each.share for each in shares)
    assert shares[1].left == 60.0
    assert shares[-1].share < 0.7
    assert shares[-1].words() == "longer than usual"


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (0.2, ""),
        (7.3, "some seconds left"),
        (38.0, "less than 1 min left"),
        (51.0, "about 1 min left"),
        (133.7, "about 2 min left"),
        (3000.0, "about 50 min left"),
        (7300.0, "about 2 h left"),
    ],
)
def test_what_is_left_is_told_without_false_precision(left: float, words: str) -> None:
    assert Forecast(0.5, left).words() == words


def test_the_eight_stages_have_a_first_estimate_of_their_own() -> None:
    first = forecast(STAGES, Pace(), {})
    assert 60 < first.left < 180
