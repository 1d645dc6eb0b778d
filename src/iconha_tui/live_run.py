"""The run that is going on, as the screens see it. Threads never touch widgets: they queue what they have, a timer draws."""

from __future__ import annotations

import gc
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from iconha_tui.engine import journal
from iconha_tui.engine.cancel import Cancel
from iconha_tui.engine.estimate import Forecast, Pace, forecast
from iconha_tui.engine.events import PASSED, Event, Outcome, Output, Probed, StageStarted, Waiting
from iconha_tui.engine.plan import Look
from iconha_tui.errors import Cancelled, Trouble, unforeseen
from iconha_tui.preflight.found import Found, bad
from iconha_tui.screens.base import WizardScreen
from iconha_tui.widgets.glyphs import TURNS, duration, mark
from iconha_tui.widgets.run_state import StageRun, StepState, lines_of

if TYPE_CHECKING:
    from textual.app import App

    from iconha_tui.engine.journal import Progress
    from iconha_tui.engine.step import Stage
    from iconha_tui.screens.stage import StageScreen
    from iconha_tui.session import Session
    from iconha_tui.spec import Spec


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
ALMOST = 0.99
"""The share of a run that has not ended well: never the whole."""
RECENT = 5
"""Other clusters' journals that an estimate looks at."""


class Ended:
    """Queued behind the last event of a run."""


class Complete:
    """Queued behind the last finding of a preflight."""


class LiveRun:
    """What a cluster's runs have come to while it is open: one at a time, in a thread of its own.

    progress: the journal's fold. runs: each stage's last run here. trouble: what stopped a stage's run before it could say
    so itself (a lock, a disk). screens: the stages' screens, as far as they are made; output goes there. ended: called
    when a run is over and drawn. onward: the stages after the one that runs, or has failed, are to follow it. stopping: "" until
    the run is asked to stop; then that it stops, and what becomes of a long command.
    ahead: it is a preflight that goes on. findings: of the last one, as far as it came; complete: it came to its end.
    draft: the spec as it is typed now. looks: what probes have found, as far as the facts of it still hold.
    """

    def __init__(
        self,
        app: App[None],
        session: Session,
        stages: Sequence[Stage],
        progress: Progress,
        screens: Mapping[str, StageScreen],
        ended: Callable[[], None],
        draft: Callable[[], Spec],
    ) -> None:
        self._app, self._session, self._stages, self._screens, self._ended = app, session, stages, screens, ended
        self._draft = draft
        self.progress = progress
        self.runs = {
            stage.name: StageRun(stage.name, [StepState(step.id, step.title) for step in stage.steps])
            for stage in stages
        }
        self.trouble: dict[str, Trouble] = {}
        self.stopping = ""
        self.onward = False
        self.ahead = self.complete = False
        self.findings: list[Found] = []
        self.looks: dict[tuple[str, str], Look] = {}
        self._pace = Pace()
        self._measured = False
        self._queue: deque[Event | Trouble | Ended | Found | Complete] = deque()
        self._stage_now = self._stage_last = ""
        self._reached = 0.0
        self._drawn = self._shown = 0.0
        self._fresh = 0
        self._timer = app.set_interval(DRAIN, self._drain, pause=True)

    @property
    def busy(self) -> bool:
        return bool(self._stage_now)

    @property
    def long(self) -> Mapping[str, str]:
        """The long commands that are going on on nodes, which outlive the run: by node."""
        return self.runs[self._stage_now].long if self.busy else {}

    @property
    def following(self) -> Sequence[Stage] | None:
        """The stages that are to follow now, none after the last; None where the run has not come to go on."""
        if not self.onward or self.busy or self.runs[self._stage_last].state not in PASSED:
            return None
        return self._stages[[stage.name for stage in self._stages].index(self._stage_last) + 1 :]

    def activity(self) -> str:
        """What is going on, for the title line."""
        if not self._stage_now:
            return ""
        run = self.runs[self._stage_now]
        glyph = mark("running", self.moment()).glyph
        if self.stopping:
            return f"{glyph} stopping {self._stage_now}"
        if self.ahead:
            return f"{glyph} checking before the run"
        if run.mode == "survey":
            return f"{glyph} looking at {self._stage_now}"
        overall = self.forecast()
        left = f", {words}" if (words := overall.words()) else ""
        return f"{glyph} {overall.percent} %{left} · {self._stage_now} {duration(run.spent)}"

    def moment(self) -> float | None:
        """The clock by which what runs turns; None where the operator wants nothing to move."""
        return None if self._app.animation_level == "none" else time.monotonic()

    def state(self, stage: str) -> str:
        """How a stage stands under the settings as they are typed now: "changed" where they are not applied yet."""
        return self.progress.state_under(stage, self._draft())

    @property
    def trouble_state(self) -> str:
        """How the last run ended, where it did not end well; "" where it did, goes on, or there was none."""
        if self.busy:
            return ""
        if self._stage_last in self.trouble:
            return "failed"
        if self.progress.failure is not None:
            return self.progress.failure.outcome
        return "cancelled" if self.progress.interrupted else ""

    def forecast(self, *stages: Stage) -> Forecast:
        """How far the work has got and how long it will take: of these stages, or of all.

        Of all, the share never goes back in a run, and is short of the whole until the run has ended well.
        """
        run = self.runs.get(self._stage_now)
        step = run.current if run and run.mode == "run" else None
        running = (step.id, time.monotonic() - step.began) if step else ("", 0.0)
        found = forecast(stages or self._stages, self._pace, self._passed_steps(), running)
        if stages or not (step or self.busy or self.trouble_state):
            return found
        self._reached = max(self._reached, min(found.share, ALMOST))
        return replace(found, share=self._reached)

    def _passed_steps(self) -> dict[str, Outcome]:
        """The steps that count as done: of a stage that runs, those of this run; of one that is not done, those before the
        first that is not."""
        passed: dict[str, Outcome] = {}
        for stage in self._stages:
            run = self.runs[stage.name]
            state = self.state(stage.name)
            if run.state == "running" and run.mode == "run":
                mine: list[tuple[str, str]] = [(step.id, step.state) for step in run.steps]
            elif state in (*PASSED, "failed", "blocked", "cancelled", "todo"):
                mine = [(step.id, self.progress.steps.get(step.id, "todo")) for step in stage.steps]
                if state not in PASSED and all(outcome in PASSED for _, outcome in mine):
                    continue  # what it builds on is in doubt
            else:
                continue
            for name, outcome in mine:
                if outcome not in PASSED:
                    break
                passed[name] = "done"
        return passed

    def start(self, stage: Stage, *, onward: bool = False, skip: frozenset[str] = frozenset()) -> bool:
        """Runs a stage under the session's spec, but for the steps in `skip`. False where something is running already.

        onward: the stages after it are to follow, up to the first that does not pass.
        """
        if self.busy:
            return False
        if self.following is None or stage not in self.following:
            self._reached = 0.0
        self.onward = onward
        self.trouble.pop(stage.name, None)
        self.runs[stage.name].start("run", skip)
        self._start(stage.name, lambda: self._session.run([stage], self._queue.append, skip))
        return True

    def survey(self) -> None:
        """Looks at all stages up to the first that is not done, and brings what is known."""
        if self.busy:
            return
        self.onward, self._reached = False, 0.0
        self.trouble.clear()
        for run in self.runs.values():
            run.start("survey")
            run.state = "todo"
        self._start(self._stages[0].name, lambda: self._session.survey(self._stages, self._queue.append))

    def look_ahead(self, look: Callable[[Session], Iterable[Found]]) -> bool:
        """Looks at all that a run needs. False where something is running already."""
        if self.busy:
            return False
        self.onward, self.complete, self.ahead = False, False, True
        self.findings = []

        def work() -> None:
            self._queue.extend(look(self._session))
            self._queue.append(Complete())

        self._start(self._stages[0].name, work)
        return True

    def stop(self, *, stop_long: bool = False) -> None:
        """Asks the run to stop. What goes on on a node is left running there, or is stopped too."""
        self.onward = False
        if self.busy and not self.stopping:
            nodes = " and ".join(self.long)
            fate = f"stopping, also on {nodes}" if stop_long else f"stopping; left running on {nodes}"
            self.stopping = fate if nodes else "stopping"
            self._session.cancel(stop_long=stop_long)

    def close(self) -> None:
        """Stops what is going on, and draws no more."""
        self.stop()
        self._timer.stop()
        _collect_as_usual()

    def _start(self, stage: str, work: Callable[[], object]) -> None:
        self._stage_now, self.stopping = stage, ""
        self._session.ctx.cancel = Cancel()
        _collect_rarely()
        self._timer.resume()
        self._app.run_worker(partial(self._carry, work), thread=True, exit_on_error=False, group="run")
        self._follow()

    def _carry(self, work: Callable[[], object]) -> None:
        """In a thread of its own: does the work; whatever goes wrong ends in the queue as a sentence."""
        try:
            if not self._measured:
                self._pace, self._measured = self._measure(), True
            work()
        except Trouble as trouble:
            self._queue.append(trouble)
        except Exception as error:
            self._queue.append(unforeseen(error))
        finally:
            self._session.ctx.cancel = Cancel()  # what was stopped stops nothing else, as a list that is read from AWS
            self._queue.append(Ended())

    def _measure(self) -> Pace:
        """How long steps have taken: in the runs of other clusters here, then in those of this one. Read once: a bar whose
        measure changes under it goes backwards."""
        store, own = self._session.store, self._session.spec.name
        pace = Pace()
        for name in (*reversed([name for name in store.names() if name != own][:RECENT]), own):
            with suppress(Trouble):  # a journal that cannot be read tells nothing of time
                for _, event in journal.read(store.folder(name) / "journal.jsonl"):
                    pace.take(event)
        return pace

    def _drain(self) -> None:
        """Takes what the threads have queued, for no longer than the screen can spare; draws it; rests when all is drawn."""
        if not self._app.is_running:  # it ends, and the screens are being taken down
            return
        changed = ended = False
        end = time.monotonic() + BUDGET
        while self._queue and time.monotonic() < end:
            item = self._queue.popleft()
            if isinstance(item, Output):
                self.runs[item.stage].take(item)
                self._fresh += len(item.lines)
                if screen := self._screens.get(item.stage):
                    screen.write_output(item.target, item.lines)
                continue
            self._take(item)
            ended = ended or isinstance(item, Ended)
            changed = changed or not isinstance(item, Waiting)
        if not self.busy or time.monotonic() - self._shown > (3 * SHOW if self._fresh > FLOOD else SHOW):
            self._shown, self._fresh = time.monotonic(), 0
            for screen in self._screens.values():
                if screen.is_mounted:
                    screen.draw_output()
        if changed or time.monotonic() - self._drawn > CLOCKS:
            self._follow()
        if ended:
            self._ended()
        if not self.busy and not self._queue:
            self._timer.pause()

    def _take(self, item: Event | Trouble | Ended | Found | Complete) -> None:
        if isinstance(item, Ended):
            self._stage_last, self._stage_now, self.ahead = self._stage_now, "", False
            _collect_as_usual()
            return
        if isinstance(item, Found | Complete) or self.ahead:
            self._take_ahead(item)
            return
        if isinstance(item, Trouble):
            run = self.runs[self._stage_now]
            run.state, run.seconds = "failed", time.monotonic() - run.began
            self.trouble[self._stage_now] = item
            return
        self.progress.take(time.time(), item)
        if isinstance(item, Probed):
            settings = self._session.spec.settings_digest(item.stage)
            self.looks[item.step, item.target] = Look(time.time(), item.verdict, settings, item.text)
        stage = getattr(item, "stage", "")
        if stage:
            if isinstance(item, StageStarted):
                self._stage_now = stage
                self.runs[stage].state = "running"
            self.runs[stage].take(item)
            target, lines = lines_of(item)
            if lines and stage in self._screens:
                self._screens[stage].write_output(target, lines)

    def _take_ahead(self, item: Event | Trouble | Found | Complete) -> None:
        if isinstance(item, Found):
            self.findings.append(item)
        elif isinstance(item, Complete):
            self.complete = True
        elif isinstance(item, Trouble) and not isinstance(item, Cancelled):
            self.findings.append(bad("here", "The check itself", item))

    def _follow(self) -> None:
        self._drawn = time.monotonic()
        for screen in self._app.screen_stack:
            if isinstance(screen, WizardScreen) and screen.is_mounted:
                screen.follow()


def _collect_rarely() -> None:
    """For a run: a full collection stops the screen for 50 ms and more, and a flood of lines would cause two a second."""
    gc.set_threshold(*THRESHOLDS[:2], FULL_COLLECTION)
    gc.freeze()


def _collect_as_usual() -> None:
    """Between runs: what was frozen can be given back, as the pages of a cluster that is closed."""
    gc.set_threshold(*THRESHOLDS)
    gc.unfreeze()
