"""What is known of a stage's run: a fold over events, drawn by the step list, the failure box and the result line."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from iconha_tui.engine.events import (
    PASSED,
    ActionFinished,
    ActionStarted,
    ActionStopped,
    Event,
    Output,
    Probed,
    StageFinished,
    StageStarted,
    StepFinished,
    StepStarted,
    Waiting,
)
from iconha_tui.text import COMMAND
from iconha_tui.when import duration


@dataclass
class TargetState:
    """What one target of a step is doing. doing: a sentence or the command. waiting: sentence and seconds left.

    heard: when its command last said something, or began, on the monotonic clock; 0 while no command runs. long: the command,
    where it outlives the run.
    """

    doing: str = ""
    waiting: tuple[str, float] | None = None
    heard: float = 0.0
    long: str = ""

    def end(self, text: str = "") -> None:
        """Its command has come to an end, or is no longer followed: then `text` says so."""
        self.heard, self.long = 0.0, ""
        self.doing = text or self.doing


@dataclass
class StepState:
    """One step of a run. began: on the monotonic clock. targets: what each is doing, while it runs."""

    id: str
    title: str
    state: str = "todo"
    began: float = 0.0
    seconds: float = 0.0
    changed: bool = False
    text: str = ""
    targets: dict[str, TargetState] = field(default_factory=dict)


@dataclass
class StageRun:
    """One stage's last run. steps are known before it starts, so that the list never jumps. skip: those it goes on without."""

    stage: str
    steps: list[StepState] = field(default_factory=list)
    mode: str = ""
    state: str = "todo"
    began: float = 0.0
    seconds: float = 0.0
    changed: bool = False
    failure: StepFinished | None = None
    skip: frozenset[str] = frozenset()

    def start(self, mode: str, skip: frozenset[str] = frozenset()) -> None:
        """Forgets the run before."""
        self.mode, self.state, self.failure, self.changed, self.skip = mode, "running", None, False, skip
        self.began, self.seconds = time.monotonic(), 0.0
        own = [step for step in self.steps if step.id.startswith(f"{self.stage}.")]
        self.steps = [StepState(step.id, step.title) for step in own]

    def step(self, identity: str) -> StepState:
        for known in self.steps:
            if known.id == identity:
                return known
        self.steps.append(StepState(identity, identity))
        return self.steps[-1]

    def take(self, event: Event) -> None:
        """Takes the next event of this stage."""
        match event:
            case StageStarted():
                self.began = time.monotonic()
            case StepStarted():
                step = self.step(event.step)
                step.title, step.state, step.began = event.title, "running", time.monotonic()
            case Probed():
                target = self._target(event.step, event.target)
                target.waiting = None
                target.doing = event.text
            case ActionStarted():
                target = self._target(event.step, event.target)
                target.waiting = None
                target.doing = f"{COMMAND} {event.shown.splitlines()[0] if event.shown else event.why}"
                target.heard = time.monotonic()
                target.long = event.shown if event.long else ""
            case Output():
                self._target(event.step, event.target).heard = time.monotonic()
            case ActionFinished():
                self._target(event.step, event.target).end()
            case ActionStopped():
                self._target(event.step, event.target).end(event.text)
            case Waiting():
                self._target(event.step, event.target).waiting = (event.text, event.left)
            case StepFinished():
                step = self.step(event.step)
                step.state, step.seconds, step.changed, step.text = (
                    event.outcome,
                    event.seconds,
                    event.changed,
                    event.text,
                )
                step.targets.clear()
                if event.outcome not in (*PASSED, "todo"):
                    self.failure = self.failure or event  # what comes after it only tells how the pair is left
            case StageFinished():
                self.state, self.seconds, self.changed = event.outcome, event.seconds, event.changed
            case _:
                pass

    def _target(self, step: str, target: str) -> TargetState:
        return self.step(step).targets.setdefault(target, TargetState())

    @property
    def passed_steps(self) -> int:
        return sum(step.state in PASSED for step in self.steps)

    @property
    def skipped_steps(self) -> int:
        return sum(step.state == "skipped" for step in self.steps)

    @property
    def spent(self) -> float:
        """Seconds so far."""
        return time.monotonic() - self.began if self.state == "running" else self.seconds

    @property
    def current(self) -> StepState | None:
        return next((step for step in self.steps if step.state == "running"), None)

    @property
    def long(self) -> dict[str, str]:
        """The long commands that are going on, by target."""
        targets = self.current.targets if self.current else {}
        return {name: target.long for name, target in sorted(targets.items()) if target.long}


def lines_of(event: Event) -> tuple[str, list[str]]:
    """The target of an event and what it writes into that target's output pane."""
    if isinstance(event, Output | ActionStarted | ActionFinished | ActionStopped | Probed):
        return event.target, _lines(event)
    return "", []


def _lines(event: Output | ActionStarted | ActionFinished | ActionStopped | Probed) -> list[str]:
    match event:
        case Output():
            return event.lines
        case ActionStarted():
            first, *rest = event.shown.splitlines() or [""]
            return [f"{COMMAND} {first}", *(f"  {line}" for line in rest)]
        case ActionFinished():
            code = f", exit code {event.code}" if event.code else ""
            code = ", no exit code" if event.code == -1 else code
            return [f"  ({duration(event.seconds)}{code})"]
        case ActionStopped():
            return [f"  ({event.text})"]
        case Probed():
            phase = "looked" if event.phase == "probe" else "checked"
            return [f"  {phase}: {event.verdict}: {event.text}"]
