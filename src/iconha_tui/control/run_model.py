"""What is known of a cluster's runs while it is open: a fold over what the run controller reports. Views observe it.

It belongs to one thread, the screen's: whoever hears the controller hands over there what was reported.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from iconha_tui.control.observers import Observers
from iconha_tui.control.run_controller import PreflightFinished, PreflightStarted, RunEnded, RunRequest, Update
from iconha_tui.control.run_state import StageRun, StepState, lines_of
from iconha_tui.engine.estimate import Forecast, Pace, forecast
from iconha_tui.engine.events import PASSED, Outcome, Output, Probed, RunStarted, StageStarted
from iconha_tui.engine.journal import Progress
from iconha_tui.engine.plan import Look
from iconha_tui.engine.step import Stage
from iconha_tui.errors import Cancelled, Trouble
from iconha_tui.preflight import Found
from iconha_tui.preflight.found import bad
from iconha_tui.spec import Spec

ALMOST = 0.99
"""The share of a run that has not ended well: never the whole."""
KEPT = 2_000
"""Pieces of output that are kept of a stage while nobody shows them; the transcript has all."""


@dataclass(frozen=True)
class Measured:
    """How long steps have taken so far, read before a run begins."""

    pace: Pace


Reported = Update | Measured | Trouble | RunEnded


class OutputChannel:
    """What the targets of one stage say: to whoever shows it, and kept for whoever will."""

    def __init__(self) -> None:
        self._show: Callable[[str, Sequence[str]], object] | None = None
        self._kept: deque[tuple[str, Sequence[str]]] = deque(maxlen=KEPT)

    def show(self, show: Callable[[str, Sequence[str]], object] | None) -> None:
        """Has what is said shown by `show`, first what was kept; None: nobody shows it any more."""
        self._show = show
        while show is not None and self._kept:
            show(*self._kept.popleft())

    def say(self, target: str, lines: Sequence[str]) -> None:
        if self._show is None:
            self._kept.append((target, lines))
        else:
            self._show(target, lines)

    def forget(self) -> None:
        """A new run begins."""
        self._kept.clear()


class RunModel:
    """What the runs of a cluster have come to.

    progress: the journal's fold. runs: each stage's last run here. trouble: what stopped a stage's run before it could say so
    itself (a lock, a disk). current: the stage that runs or is looked at, "" while nothing goes on. requested: the stages
    that were last asked for; run_through: those after the current one follow, or were to follow before one failed.
    stopping: "" until the run is asked to stop; then that it stops, and what becomes of a long command. checking: it is a
    preflight that goes on. findings: of the last one, as far as it came; complete: it has looked at everything; precedes_run: it
    was made for one. held: the run that its findings keep from beginning. looks: what probes have found, as far as the facts of
    it still hold. draft: the spec as it is typed now.

    changed: something is to be drawn anew. began: a stage's run begins. preflight_began: a preflight of a run does.
    ended: what went on has ended, and how.
    """

    def __init__(self, stages: Sequence[Stage], progress: Progress, draft: Callable[[], Spec]) -> None:
        self._stages, self._draft = stages, draft
        self.progress = progress
        self.runs = {
            stage.name: StageRun(stage.name, [StepState(step.id, step.title) for step in stage.steps])
            for stage in stages
        }
        self.output = {stage.name: OutputChannel() for stage in stages}
        self.trouble: dict[str, Trouble] = {}
        self.current = self._last = ""
        self.run_through = False
        self.requested: tuple[Stage, ...] = ()
        self.stopping = ""
        self.checking = self.complete = self.precedes_run = False
        self.findings: list[Found] = []
        self.held: RunRequest | None = None
        self.looks: dict[tuple[str, str], Look] = {}
        self.changed = Observers[[]]()
        self.began = Observers[[str]]()
        self.preflight_began = Observers[[]]()
        self.ended = Observers[[RunEnded]]()
        self._request: RunRequest | None = None
        self._begun = ""
        self._spec = draft()
        self._pace = Pace()
        self._reached = 0.0

    @property
    def busy(self) -> bool:
        return bool(self.current)

    @property
    def running(self) -> StageRun | None:
        """The run of the current stage."""
        return self.runs.get(self.current)

    @property
    def is_run(self) -> bool:
        """Whether what goes on is a run, and no survey or preflight alone."""
        return self._request is not None

    def after(self, stage: Stage) -> tuple[Stage, ...]:
        """The stages that were asked for to come after this one."""
        names = [each.name for each in self.requested]
        return self.requested[names.index(stage.name) + 1 :] if stage.name in names else ()

    def follow_with(self, stages: Sequence[Stage]) -> None:
        """Further stages follow those that were asked for."""
        self.requested += tuple(stages)
        self.run_through = True

    @property
    def last(self) -> str:
        """The stage that was current when something last went on."""
        return self.current or self._last

    # What begins

    def start(self, request: RunRequest, spec: Spec, *, checked: bool) -> None:
        """A run of a request begins, under a spec. checked: first by a preflight."""
        first = request.stages[0].name
        self._reached = 0.0
        self.requested = request.stages
        self.run_through, self.held = len(request.stages) > 1, None
        self.trouble.pop(first, None)
        self._begin(first, spec, request)
        if checked:
            self.take(PreflightStarted())
        else:
            self._begin_stage(first)

    def start_survey(self, spec: Spec) -> None:
        """A look at all stages begins."""
        self.run_through, self._reached = False, 0.0
        self.trouble.clear()
        for run in self.runs.values():
            run.start("survey")
            run.state = "todo"
        self._begin(self._stages[0].name, spec, None)

    def start_preflight(self, spec: Spec) -> None:
        """A preflight begins that no run waits for, or whose run waits already."""
        self._begin(self._stages[0].name, spec, None)
        self.take(PreflightStarted())

    def _begin(self, stage: str, spec: Spec, request: RunRequest | None) -> None:
        self.current, self.stopping, self._spec, self._request, self._begun = stage, "", spec, request, ""
        self.changed()

    def _begin_stage(self, stage: str) -> None:
        assert self._request is not None  # noqa: S101  a run is asked for by a request
        self._begun = stage
        self.runs[stage].start("run", self._request.skip)
        self.output[stage].forget()
        self.began(stage)

    def stop(self, nodes: Sequence[str], *, stop_long: bool) -> None:
        """The run is asked to stop. nodes: where a long command goes on, which is left running there, or stopped too."""
        self.run_through = False
        if self.busy and not self.stopping:
            told = " and ".join(nodes)
            fate = f"stopping, also on {told}" if stop_long else f"stopping; left running on {told}"
            self.stopping = fate if nodes else "stopping"
            self.changed()

    # What is reported

    def take(self, item: Reported) -> None:
        """Takes what was reported next; whoever is to see it hears of it."""
        match item:
            case Measured():
                self._pace = item.pace
            case RunEnded():
                self._end(item)
            case PreflightStarted():
                self._begin_preflight()
            case PreflightFinished():
                self.checking, self.complete = False, True
                if item.held_by:
                    self._hold()
            case Found():
                self.findings.append(item)
            case Trouble():
                self._fail(item)
            case _:
                self._follow(item)

    def _begin_preflight(self) -> None:
        if self.checking:  # it was known to come when the run was asked for
            return
        self.checking, self.complete, self.findings = True, False, []
        self.precedes_run = self._request is not None
        if self.precedes_run:
            self.preflight_began()

    def _follow(self, event: object) -> None:
        """An event of a run or survey."""
        if isinstance(event, Output):
            self.runs[event.stage].take(event)
            self.output[event.stage].say(event.target, event.lines)
            return
        self.progress.take(time.time(), event)  # type: ignore[arg-type]
        if isinstance(event, RunStarted):
            return
        if isinstance(event, Probed):
            settings = self._spec.settings_digest(event.stage)
            self.looks[event.step, event.target] = Look(time.time(), event.verdict, settings, event.text)
        stage = getattr(event, "stage", "")
        if not stage:
            return
        if isinstance(event, StageStarted):
            self.current = stage
            if self._request is not None and stage != self._begun:
                self._begin_stage(stage)
            self.runs[stage].state = "running"
        self.runs[stage].take(event)  # type: ignore[arg-type]
        target, lines = lines_of(event)  # type: ignore[arg-type]
        if lines:
            self.output[stage].say(target, lines)

    def _fail(self, trouble: Trouble) -> None:
        """What ended the work before it could say so itself."""
        if self.checking:
            self.checking = False
            self._hold()
            if not isinstance(trouble, Cancelled):
                self.findings.append(bad("here", "The check itself", trouble))
            return
        run = self.runs[self.current]
        if self._request is not None and self._begun != self.current:
            self._begin_stage(self.current)
        run.seconds = time.monotonic() - run.began
        if isinstance(trouble, Cancelled):
            run.state = "cancelled"
        else:
            run.state = "failed"
            self.trouble[self.current] = trouble

    def _end(self, end: RunEnded) -> None:
        self._last, self.current, self.checking, self._request = self.current, "", False, None
        self.changed()
        self.ended(end)

    def _hold(self) -> None:
        """The run that was to follow a preflight does not: it waits for the operator's word."""
        if self._request is not None:
            self.held = replace(self._request, stages=self.requested)

    # What it comes to

    def state(self, stage: str) -> str:
        """How a stage stands under the settings as they are typed now: "changed" where they are not applied yet."""
        return self.progress.state_under(stage, self._draft())

    @property
    def trouble_state(self) -> str:
        """How the last run ended, where it did not end well; "" where it did, goes on, or there was none."""
        if self.busy:
            return ""
        if self._last in self.trouble:
            return "failed"
        if self.progress.failure is not None:
            return self.progress.failure.outcome
        return "cancelled" if self.progress.interrupted else ""

    def forecast(self, *stages: Stage) -> Forecast:
        """How far the work has got and how long it will take: of these stages, or of all.

        Of all, the share never goes back in a run, and is short of the whole until the run has ended well.
        """
        run = self.running
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
