"""How long a run will take: what the steps have taken here before, else what was measured when they were written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from iconha_tui.engine.events import PASSED, Event, Outcome, Probed, StepFinished, StepStarted
from iconha_tui.engine.step import Stage, Step


class Pace:
    """What each step took when it last had work to do: a fold over journals. What comes last counts: the cluster's own."""

    def __init__(self) -> None:
        self._took: dict[str, float] = {}
        self._needed: set[str] = set()

    def take(self, event: Event) -> None:
        """Takes the next event. A step that found its work done tells nothing of how long the work takes."""
        match event:
            case StepStarted(step=step):
                self._needed.discard(step)
            case Probed(step=step, phase="probe", verdict="needed"):
                self._needed.add(step)
            case StepFinished(step=step, outcome="done") if step in self._needed:
                self._took[step] = event.seconds
            case _:
                pass

    def of(self, step: Step) -> float:
        """Seconds that the work of a step is expected to take."""
        return self._took.get(step.id, step.usual)


@dataclass(frozen=True)
class Forecast:
    """share: how much of the work is done, 0 to 1. left: seconds of work still to come. slow: the step that is running has
    taken so much longer than it usually does that `left` cannot be believed."""

    share: float
    left: float
    slow: bool = False

    @property
    def percent(self) -> int:
        """The share in whole per cent: 100 only where all is done."""
        return int(self.share * 100)

    def words(self) -> str:
        """What is left, no more precise than it is known."""
        if self.slow:
            return "longer than usual"
        if self.left < 1:
            return ""
        if self.left < 20:
            return "some seconds left"
        if self.left < 45:
            return "less than 1 min left"
        if self.left < 90 * 60:
            return f"about {max(round(self.left / 60), 1)} min left"
        return f"about {round(self.left / 3600)} h left"


def forecast(
    stages: Iterable[Stage], pace: Pace, ended: Mapping[str, Outcome], running: tuple[str, float] = ("", 0.0)
) -> Forecast:
    """What is done of `stages` and what is left. ended: how each step ended. running: a step's id, and its seconds so far."""
    whole = done = left = 0.0
    slow = False
    current, spent = running
    for step in (step for stage in stages for step in stage.steps):
        expected = max(pace.of(step), 0.05)
        whole += expected
        if step.id == current and ended.get(step.id) not in PASSED:
            done += min(spent, 0.9 * expected)
            left += max(expected - spent, 0.1 * expected)
            slow = spent > 2 * expected + 10
        elif ended.get(step.id) in PASSED:
            done += expected
        else:
            left += expected
    return Forecast(done / whole if whole else 0.0, left, slow)
