"""Between a run's thread and the screen: what the controller reports is queued; a timer hands it to the model.

Threads never touch the model or a widget.
"""

from __future__ import annotations

import gc
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from textual.app import App

from iconha_tui.control.observers import Observers
from iconha_tui.control.open_cluster import OpenCluster
from iconha_tui.control.run_controller import RunEnded, RunRequest
from iconha_tui.control.run_model import Reported
from iconha_tui.engine.events import Output, Waiting
from iconha_tui.engine.step import Stage
from iconha_tui.errors import Cancelled, Trouble, unforeseen
from iconha_tui.widgets.glyphs import TURNS

DRAIN = 0.05
"""Seconds between two looks at what the threads have queued."""
SHOW = 0.09
"""Seconds between two pictures of the output at least: more of them nobody reads, and each keeps a key waiting."""
FLOOD = 400
"""Lines since the last picture from which on the next may wait three times as long."""
BUDGET = 0.01
"""Seconds that one look may take from the screen; the rest waits for the next."""
CLOCKS = 1 / TURNS
"""Seconds between two redraws of what turns and of running clocks when nothing else has changed."""
THRESHOLDS = gc.get_threshold()
"""When Python collects of itself."""
FULL_COLLECTION = 50
"""Collections of the middle generation for each full one; Python's own figure is 10."""


class RunFeed:
    """Has the runs of an open cluster done in a thread, one at a time. draw_output: told when output is to be drawn."""

    def __init__(self, app: App[Any], cluster: OpenCluster, draw_output: Observers[[]]) -> None:
        self._app, self._cluster, self.draw_output = app, cluster, draw_output
        self._queue: deque[Reported] = deque()
        self._drawn = self._shown = 0.0
        self._fresh = 0
        self._timer = app.set_interval(DRAIN, self._drain, pause=True)

    def run(self, request: RunRequest) -> bool:
        """Runs a request under the draft. False where something is running already."""
        cluster = self._cluster
        if cluster.runs.busy:
            return False
        checked = cluster.controller.is_checked(cluster.runs.progress, request)
        cluster.runs.start(request, cluster.session.spec, checked=checked)
        self._begin(partial(cluster.controller.run, request, self._queue.append))
        return True

    def follow_with(self, stages: Sequence[Stage]) -> None:
        """Has further stages follow the run that goes on."""
        self._cluster.controller.follow_with(stages)
        self._cluster.runs.follow_with(stages)

    def survey(self) -> None:
        """Looks at all stages up to the first that is not done, and brings what is known."""
        cluster = self._cluster
        if not cluster.runs.busy:
            cluster.runs.start_survey(cluster.session.spec)
            self._begin(partial(cluster.controller.survey, self._queue.append))

    def preflight(self) -> None:
        """Looks at all that a run needs; the run that waited for it goes on where there is nothing to read."""
        cluster = self._cluster
        if cluster.runs.busy:
            return
        if cluster.runs.held is not None:
            self.run(cluster.runs.held)
            return
        skipped = cluster.runs.progress.skipped
        cluster.runs.start_preflight(cluster.session.spec)
        self._begin(lambda: cluster.controller.preflight(self._queue.append, skipped))

    def stop(self, *, stop_long: bool = False) -> None:
        """Asks what goes on to stop. A long command is left running on its node, or is stopped too."""
        self._cluster.runs.stop(sorted(self._cluster.controller.long), stop_long=stop_long)
        self._cluster.controller.stop(stop_long=stop_long)

    def close(self) -> None:
        """Draws no more."""
        self._timer.stop()
        _collect_as_usual()

    def _begin(self, work: Callable[[], RunEnded]) -> None:
        _collect_rarely()
        self._timer.resume()
        self._app.run_worker(partial(self._carry, work), thread=True, exit_on_error=False, group="run")
        self._cluster.runs.changed()

    def _carry(self, work: Callable[[], RunEnded]) -> None:
        """In a thread of its own: does the work; whatever goes wrong ends in the queue as a sentence."""
        end = RunEnded("failed")
        try:
            if measured := self._cluster.measure():
                self._queue.append(measured)
            end = work()
        except Trouble as trouble:
            self._queue.append(trouble)
            if isinstance(trouble, Cancelled):
                end = RunEnded("cancelled")
        except Exception as error:
            self._queue.append(unforeseen(error))
        finally:
            self._queue.append(end)

    def _drain(self) -> None:
        """Takes what the threads have queued, for no longer than the screen can spare; draws it; rests when all is drawn."""
        if not self._app.is_running:  # it ends, and the screens are being taken down
            return
        runs = self._cluster.runs
        changed = False
        end = time.monotonic() + BUDGET
        while self._queue and time.monotonic() < end:
            item = self._queue.popleft()
            if isinstance(item, RunEnded):
                _collect_as_usual()
                self._draw_output()
            if isinstance(item, Output):
                self._fresh += len(item.lines)
            runs.take(item)
            changed = changed or not isinstance(item, Output | Waiting)
        if not runs.busy or time.monotonic() - self._shown > (3 * SHOW if self._fresh > FLOOD else SHOW):
            self._draw_output()
        if changed or time.monotonic() - self._drawn > CLOCKS:
            self._drawn = time.monotonic()
            runs.changed()
        if not runs.busy and not self._queue:
            self._timer.pause()

    def _draw_output(self) -> None:
        self._shown, self._fresh = time.monotonic(), 0
        self.draw_output()


def _collect_rarely() -> None:
    """For a run: a full collection stops the screen for 50 ms and more, and a flood of lines would cause two a second."""
    gc.set_threshold(*THRESHOLDS[:2], FULL_COLLECTION)
    gc.freeze()


def _collect_as_usual() -> None:
    """Between runs: what was frozen can be given back, as the pages of a cluster that is closed."""
    gc.set_threshold(*THRESHOLDS)
    gc.unfreeze()
