"""The run that is going on, as the screens see it. Threads never touch widgets: they queue what they have, a timer draws."""

from __future__ import annotations

import gc
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from iconha_tui.engine.events import Event, Output, RunStarted, StageStarted, Waiting
from iconha_tui.errors import Trouble
from iconha_tui.screens.base import WizardScreen
from iconha_tui.widgets.glyphs import duration, mark
from iconha_tui.widgets.run_state import StageRun, StepState, lines_of

if TYPE_CHECKING:
    from textual.app import App

    from iconha_tui.engine.journal import Progress
    from iconha_tui.engine.step import Stage
    from iconha_tui.screens.stage import StageScreen
    from iconha_tui.session import Session

log = logging.getLogger(__name__)

DRAIN = 0.05
"""Seconds between two looks at what the threads have queued."""
BUDGET = 0.01
"""Seconds that one look may take from the screen; the rest waits for the next."""
CLOCKS = 0.5
"""Seconds between two redraws of running clocks when nothing else has changed."""


class Ended:
    """Queued behind the last event of a run."""


class LiveRun:
    """What a cluster's runs have come to while it is open: one at a time, in a thread of its own.

    progress: the journal's fold. runs: each stage's last run here. trouble: what stopped a stage's run before it could say
    so itself (a lock, a disk). screens: the stages' screens, as far as they are made; output goes there. ended: called
    when a run is over and drawn.
    """

    def __init__(
        self,
        app: App[None],
        session: Session,
        stages: Sequence[Stage],
        progress: Progress,
        screens: Mapping[str, StageScreen],
        ended: Callable[[], None],
    ) -> None:
        self._app, self._session, self._stages, self._screens, self._ended = app, session, stages, screens, ended
        self.progress = progress
        self.runs = {
            stage.name: StageRun(stage.name, [StepState(step.id, step.title) for step in stage.steps])
            for stage in stages
        }
        self.trouble: dict[str, Trouble] = {}
        self.stopping = False
        self._queue: deque[Event | Trouble | Ended] = deque()
        self._stage_now = ""
        self._drawn = 0.0
        self._timer = app.set_interval(DRAIN, self._drain, pause=True)

    @property
    def busy(self) -> bool:
        return bool(self._stage_now)

    def activity(self) -> str:
        """What is going on, for the title line."""
        if not self._stage_now:
            return ""
        run = self.runs[self._stage_now]
        return f"{mark('running').glyph} running {self._stage_now} {duration(time.monotonic() - run.began)}"

    def start(self, stage: Stage) -> bool:
        """Runs a stage under the session's spec. False where something is running already."""
        if self.busy:
            return False
        self.trouble.pop(stage.name, None)
        self.runs[stage.name].start("run")
        self._start(stage.name, lambda: self._session.run([stage], self._queue.append))
        return True

    def survey(self) -> None:
        """Looks at all stages up to the first that is not done, and brings what is known."""
        if self.busy:
            return
        self.trouble.clear()
        for run in self.runs.values():
            run.start("survey")
            run.state = "todo"
        self._start(self._stages[0].name, lambda: self._session.survey(self._stages, self._queue.append))

    def stop(self) -> None:
        """Asks the run to stop; it does so at the next safe point."""
        self.stopping = True
        self._session.cancel()

    def close(self) -> None:
        """Stops what is going on, and draws no more."""
        self.stop()
        self._timer.stop()
        gc.unfreeze()

    def _start(self, stage: str, work: Callable[[], object]) -> None:
        self._stage_now, self.stopping = stage, False
        gc.freeze()  # a full collection of all widgets would stop the screen for 100 ms and more in the middle of a flood
        self._timer.resume()
        self._app.run_worker(partial(self._carry, work), thread=True, exit_on_error=False, group="run")
        self._follow()

    def _carry(self, work: Callable[[], object]) -> None:
        """In a thread of its own: does the work; whatever goes wrong ends in the queue as a sentence."""
        try:
            work()
        except Trouble as trouble:
            self._queue.append(trouble)
        except Exception as error:
            log.exception("The run ended with an error that was not foreseen")
            self._queue.append(_unforeseen(error, self._session.store.log_file))
        finally:
            self._queue.append(Ended())

    def _drain(self) -> None:
        """Takes what the threads have queued, for no longer than the screen can spare; draws it; rests when all is drawn."""
        changed = ended = False
        end = time.monotonic() + BUDGET
        while self._queue and time.monotonic() < end:
            item = self._queue.popleft()
            if isinstance(item, Output):
                self.runs[item.stage].take(item)
                if screen := self._screens.get(item.stage):
                    screen.write_output(item.target, item.lines)
                continue
            self._take(item)
            ended = ended or isinstance(item, Ended)
            changed = changed or not isinstance(item, Waiting)
        drawn = [screen.draw_output() for screen in self._screens.values() if screen.is_mounted]
        if changed or time.monotonic() - self._drawn > CLOCKS:
            self._follow()
        if ended:
            self._ended()
        if not self.busy and not any(drawn) and not self._queue:
            self._timer.pause()

    def _take(self, item: Event | Trouble | Ended) -> None:
        if isinstance(item, Ended):
            self._stage_now = ""
            return
        if isinstance(item, Trouble):
            run = self.runs[self._stage_now]
            run.state, run.seconds = "failed", time.monotonic() - run.began
            self.trouble[self._stage_now] = item
            return
        self.progress.take(time.time(), item)
        if isinstance(item, RunStarted) and self.stopping:
            self.stop()
        stage = getattr(item, "stage", "")
        if stage:
            if isinstance(item, StageStarted):
                self._stage_now = stage
                self.runs[stage].state = "running"
            self.runs[stage].take(item)
            target, lines = lines_of(item)
            if lines and stage in self._screens:
                self._screens[stage].write_output(target, lines)

    def _follow(self) -> None:
        self._drawn = time.monotonic()
        for screen in self._app.screen_stack:
            if isinstance(screen, WizardScreen) and screen.is_mounted:
                screen.follow()


def _unforeseen(error: Exception, log_file: Path) -> Trouble:
    return Trouble(
        f"An error that this program did not foresee: {type(error).__name__}: {error}.",
        remedy=f"{log_file} has the details; retry, and report it if it stays.",
    )
