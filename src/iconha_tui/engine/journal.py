"""The journal: every event but output, as JSON lines; and what follows from it, as folds."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from iconha_tui.engine.events import (
    PASSED,
    ActionFinished,
    ActionStarted,
    Event,
    Outcome,
    Output,
    RunFinished,
    RunStarted,
    StageFinished,
    StageStarted,
    StepFinished,
    StepStarted,
    Waiting,
    from_dict,
    to_dict,
)
from iconha_tui.errors import Trouble


class Journal:
    """Appends events to journal.jsonl and output to transcript.log (both 0600). An observer: call it with events.

    Each event is on disk before the call returns, so before the next action starts.
    """

    def __init__(self, folder: Path) -> None:
        self._lock = threading.Lock()
        self._events = _append(folder / "journal.jsonl")
        _end_cut_line(self._events)
        self._transcript = _append(folder / "transcript.log")

    def __call__(self, event: Event) -> None:
        with self._lock:
            if isinstance(event, Output):
                stamp = time.strftime("%H:%M:%S")
                self._transcript.writelines(f"{stamp} {event.target} | {line}\n" for line in event.lines)
                self._transcript.flush()  # what counts as shown must outlive a kill
                return
            if isinstance(event, Waiting):
                return
            self._transcript.flush()
            self._events.write(json.dumps(to_dict(event, time.time()), ensure_ascii=False) + "\n")
            self._events.flush()
            os.fsync(self._events.fileno())

    def close(self) -> None:
        self._events.close()
        self._transcript.close()


def _append(path: Path) -> IO[str]:
    try:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.fdopen(os.open(path, flags, 0o600), "a+", encoding="utf-8")
    except OSError as error:
        raise Trouble(
            f"Cannot be written: {error.strerror}.",
            where=str(path),
            remedy="Make room or mend the folder's permissions.",
        ) from error


def _end_cut_line(file: IO[str]) -> None:
    """A crash may have cut the last line short: end it, so that the next event begins on a line of its own."""
    end = os.lseek(file.fileno(), 0, os.SEEK_END)
    if end and os.pread(file.fileno(), 1, end - 1) != b"\n":
        file.write("\n")
        file.flush()


def read(path: Path) -> Iterator[tuple[float, Event]]:
    """The events of a journal with their times, oldest first. Lines that are cut or unknown are passed over."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                try:
                    data = json.loads(line)
                    at = float(data.get("at", 0.0))
                except (ValueError, TypeError, AttributeError, RecursionError):
                    continue
                if (event := from_dict(data)) is not None:
                    yield at, event
    except FileNotFoundError:
        return
    except OSError as error:
        raise Trouble(
            f"Cannot be read: {error.strerror}.", where=str(path), remedy="Mend its permissions, or move it away."
        ) from error


@dataclass
class StageProgress:
    """One stage so far. state: todo, running, or how it ended (events.Outcome). seconds: of its last run."""

    state: str = "todo"
    seconds: float = 0.0
    at: float = 0.0
    step: str = ""
    changed: bool = False
    worked: float = 0.0
    """When the run ended that took `seconds`: the one that last had something to do."""


@dataclass
class Work:
    """What a run was at when it last said something. doing: the commands that had begun and not ended, by target."""

    stage: str = ""
    step: str = ""
    at: float = 0.0
    doing: dict[str, str] = field(default_factory=dict)


@dataclass
class Progress:
    """Where the runs of a cluster have got to: a fold over its journal.

    interrupted: the last run ended without a RunFinished, so it was killed, or is still going on. work, failure: of the last
    run. A survey after it changes none of the three, unless it finds that nothing is left to do.
    steps: how each step ended when it was last tried or looked at.
    """

    stages: dict[str, StageProgress] = field(default_factory=dict)
    steps: dict[str, Outcome] = field(default_factory=dict)
    last: float = 0.0
    interrupted: bool = False
    outcome: str = ""
    failure: StepFinished | None = None
    work: Work = field(default_factory=Work)
    _survey: RunStarted | None = field(default=None, repr=False, compare=False)

    def stage(self, name: str) -> StageProgress:
        return self.stages.setdefault(name, StageProgress())

    @property
    def skipped(self) -> list[str]:
        """The steps that the operator goes on without."""
        return [step for step, outcome in self.steps.items() if outcome == "skipped"]

    def take(self, at: float, event: Event) -> None:
        """Takes the next event."""
        self.last = at
        if isinstance(event, RunStarted):
            self.outcome, self._survey = "", event if event.mode == "survey" else None
            if self._survey is None:
                self.interrupted, self.failure, self.work = True, None, Work()
        if self._survey is None:
            self._follow(at, event)
        match event:
            case StageStarted(stage=name):
                entry = self.stage(name)
                entry.state, entry.at, entry.step = "running", at, ""
            case StepStarted(stage=name, title=title):
                self.stage(name).step = title
            case StepFinished():
                self.steps[event.step] = event.outcome
                if event.outcome not in PASSED and self._survey is None:
                    self.failure = event
            case StageFinished(stage=name):
                entry = self.stage(name)
                entry.state, entry.at = event.outcome, at
                entry.changed = entry.changed or event.changed
                if event.changed or not entry.seconds:
                    entry.seconds, entry.worked = event.seconds, at
                if self._survey is not None and event.outcome == "todo":
                    self._doubt(self._survey.stages, name)
            case RunFinished():
                self.outcome = event.outcome
                if self._survey is None or event.outcome in PASSED:
                    self.interrupted = False
            case _:
                pass

    def _follow(self, at: float, event: Event) -> None:
        """What the run is at."""
        self.work.at = at
        match event:
            case StepStarted():
                self.work.stage, self.work.step = event.stage, event.title
            case ActionStarted():
                self.work.doing[event.target] = event.shown
            case ActionFinished():
                self.work.doing.pop(event.target, None)
            case StepFinished():
                self.work.doing.clear()
            case _:
                pass

    def _doubt(self, order: Sequence[str], name: str) -> None:
        """A stage that was done has work to do again: those that build on it are to be looked at before they count as done."""
        for later in order[order.index(name) + 1 :] if name in order else ():
            if (entry := self.stage(later)).state in PASSED:
                entry.state = "todo"


def fold(events: Iterable[tuple[float, Event]]) -> Progress:
    """The progress after all of `events`."""
    progress = Progress()
    for at, event in events:
        progress.take(at, event)
    return progress
