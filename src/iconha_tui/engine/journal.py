"""The journal: every event but output, as JSON lines; and what follows from it, as folds."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from iconha_tui import disk
from iconha_tui.engine import transcript
from iconha_tui.engine.events import (
    PASSED,
    ActionFinished,
    ActionStarted,
    ActionStopped,
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
from iconha_tui.error_codes import Code
from iconha_tui.errors import Trouble

if TYPE_CHECKING:
    from iconha_tui.spec import Spec

FORMAT = 3
"""The version of the journal's form; every run's first line has it. A journal of a newer one is refused, never guessed at."""

LINE_BYTES = 1 << 20
"""A longer line is damaged: no event is as long as that."""


class Journal:
    """Appends events to journal.jsonl, and the same for a reader to transcript.log (both 0600). An observer: call it with events.

    Each event is on disk before the call returns, so before the next action starts. Raises Trouble where it cannot be, and
    nothing half-written stays. Output that cannot be kept is Trouble at the next event: no command is cut off for it.
    """

    def __init__(self, folder: Path) -> None:
        self._lock = threading.Lock()
        self._lost: Trouble | None = None
        _mend(folder / "journal.jsonl")
        self._events = _Lines(folder / "journal.jsonl")
        self._transcript = _Lines(folder / "transcript.log")

    def __call__(self, event: Event) -> None:
        with self._lock:
            if isinstance(event, Waiting):
                return
            at = time.time()
            self._tell(event, at)
            if not isinstance(event, Output):
                if self._lost:
                    raise self._lost
                data = to_dict(event, at)
                if isinstance(event, RunStarted):
                    data["format"] = FORMAT
                self._events.add(f"{json.dumps(data)}\n")
                self._events.sync()

    def _tell(self, event: Event, at: float) -> None:
        try:
            self._transcript.add(transcript.lines_of(event, at))
        except Trouble as trouble:
            self._lost = trouble

    def close(self) -> None:
        self._events.close()
        self._transcript.close()


class _Lines:
    """A file that grows by whole lines."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._handle = disk.open_private(path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
            disk.sync_folder(path.parent)
        except OSError as error:
            raise disk.trouble("Cannot be written", path, error) from error

    def add(self, text: str) -> None:
        before = os.fstat(self._handle).st_size
        try:
            disk.write_all(self._handle, text.encode(errors="backslashreplace"))
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._handle, before)
            raise disk.trouble("Cannot be written", self._path, error) from error

    def sync(self) -> None:
        try:
            os.fsync(self._handle)
        except OSError as error:
            raise disk.trouble("Cannot be written", self._path, error) from error

    def close(self) -> None:
        os.close(self._handle)


Record = tuple[float, Event]


def _records(path: Path) -> Iterator[tuple[bytes, Record | None]]:
    """The lines of a journal, with what each says; None where it cannot be told. Raises Trouble."""
    try:
        with os.fdopen(disk.open_private(path, os.O_RDONLY), "rb") as file:
            while line := file.readline(LINE_BYTES):
                yield line, _record(line, path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise disk.trouble("Cannot be read", path, error) from error


def _record(line: bytes, path: Path) -> Record | None:
    try:
        data = json.loads(line)
        at = float(data["at"])
        if not 0 <= at < 1e11:
            return None
        if data.get("format", FORMAT) > FORMAT:
            raise Trouble(
                "A newer version of this program wrote it; nothing of it is guessed at.",
                code=Code.FORMAT_NEWER,
                where=str(path),
                remedy="Update iconha-tui; or move the file away: a run finds out by itself what is done already.",
            )
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError):
        return None
    event = from_dict(data)
    return None if event is None else (at, event)


def read(path: Path) -> Iterator[Record]:
    """The events of a journal with their times, oldest first. Lines that cannot be read are passed over. Raises Trouble."""
    return (record for _, record in _records(path) if record is not None)


def progress_of(path: Path) -> Progress:
    """Where the runs of a journal have got to, with the number of lines that could not be read. Raises Trouble."""
    progress = Progress()
    for line, record in _records(path):
        if record is not None:
            progress.take(*record)
        elif line.endswith(b"\n"):  # else a crash has cut it: its event was never over
            progress.unread += 1
    return progress


def _mend(path: Path) -> None:
    """Makes a journal one that can be gone on with: only whole lines that can be read. A damaged one is kept beside it."""
    found = list(_records(path))
    good = b"".join(line.rstrip(b"\n") + b"\n" for line, record in found if record is not None)
    damaged = any(record is None and line.endswith(b"\n") for line, record in found)
    if good != b"".join(line for line, _ in found):
        disk.write(path, good, keep=disk.backup_of(path, "damaged") if damaged else None)


@dataclass
class StageProgress:
    """One stage so far. state: todo, running, or how it ended (events.Outcome). seconds: of its last run.

    settings: the digest of what it ended with; "" where an older journal has none.
    """

    state: str = "todo"
    seconds: float = 0.0
    at: float = 0.0
    step: str = ""
    changed: bool = False
    worked: float = 0.0
    """When the run ended that took `seconds`: the one that last had something to do."""
    settings: str = ""
    passed: bool = False
    """Whether it has ever passed, whatever has become of it since."""


@dataclass
class Work:
    """What a run was at when it last said something. doing: the commands that had begun and not ended, by target.

    long: those of them that go on without the run. stopped: where the operator stopped the run, what has become of them.
    """

    stage: str = ""
    step: str = ""
    at: float = 0.0
    doing: dict[str, str] = field(default_factory=dict)
    long: dict[str, str] = field(default_factory=dict)
    stopped: dict[str, ActionStopped] = field(default_factory=dict)

    def fates(self) -> list[str]:
        """What has become of the commands on the nodes, a sentence for each."""
        return [f"{target}: {event.text}" for target, event in sorted(self.stopped.items())]

    def left_on(self) -> str:
        """The nodes on which a command was left running, or may have been; "" where there are none."""
        return " and ".join(target for target, event in sorted(self.stopped.items()) if event.left != "stopped")


@dataclass
class Progress:
    """Where the runs of a cluster have got to: a fold over its journal.

    interrupted: the last run ended without a RunFinished, so it was killed, or is still going on. work, failure: of the last
    run. A survey after it changes none of the three, unless it finds that nothing is left to do.
    steps: how each step ended when it was last tried or looked at. acted: something may have been changed, by any run.
    unread: lines of the journal that are damaged.
    """

    stages: dict[str, StageProgress] = field(default_factory=dict)
    steps: dict[str, Outcome] = field(default_factory=dict)
    last: float = 0.0
    interrupted: bool = False
    outcome: str = ""
    failure: StepFinished | None = None
    work: Work = field(default_factory=Work)
    _survey: RunStarted | None = field(default=None, repr=False, compare=False)
    acted: bool = False
    unread: int = 0

    def stage(self, name: str) -> StageProgress:
        return self.stages.setdefault(name, StageProgress())

    def has_passed(self, name: str) -> bool:
        """Whether a stage has ever passed, in a run or by a look at how things stand."""
        return name in self.stages and self.stages[name].passed

    def state_under(self, name: str, spec: Spec) -> str:
        """How a stage stands under a spec: its state; "changed" where it has passed, and its settings were changed since."""
        entry = self.stages.get(name, StageProgress())
        changed = entry.state in PASSED and entry.settings and entry.settings != spec.settings_digest(name)
        return "changed" if changed else entry.state

    @property
    def note(self) -> str:
        """What the operator must know of the journal itself, "" where nothing is wrong with it."""
        if not self.unread:
            return ""
        lines = "A line of the journal is" if self.unread == 1 else f"{self.unread} lines of the journal are"
        return (
            f"{lines} damaged. The next run keeps the file as journal.jsonl.damaged-<time>, and goes on with the rest."
        )

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
            case ActionStarted():
                self.acted = True
            case StepFinished():
                self.steps[event.step] = event.outcome
                if event.outcome not in PASSED and self._survey is None:
                    self.failure = self.failure or event  # what comes after it only tells how the pair is left
            case StageFinished(stage=name):
                entry = self.stage(name)
                entry.state, entry.at, entry.settings = event.outcome, at, event.settings
                entry.passed = entry.passed or event.outcome in PASSED
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
                if event.long:
                    self.work.long[event.target] = event.shown
            case ActionFinished():
                self.work.doing.pop(event.target, None)
                self.work.long.pop(event.target, None)
            case ActionStopped():
                self.work.doing.pop(event.target, None)
                self.work.long.pop(event.target, None)
                self.work.stopped[event.target] = event
            case StepFinished():
                self.work.doing.clear()
                self.work.long.clear()
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
