"""What the parts of the bench share: figures, repetition, and programs on a terminal of their own."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import statistics
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

PROGRAM = Path(sys.executable).with_name("iconha-tui")
COLUMNS, ROWS = 120, 40


class NotMeasured(Exception):
    """A part that could not be measured; the message says why."""


@dataclass
class Figure:
    """One line of the bench. limit: what `ours` may be at most. notes: lines below it."""

    part: str
    what: str
    ours: float
    unit: str
    limit: float
    target: str
    reference: float | None = None
    reference_what: str = ""
    notes: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return self.ours <= self.limit

    @property
    def ratio(self) -> float | None:
        return self.ours / self.reference if self.reference else None

    def text(self) -> str:
        reference = f"; {self.reference_what} {shown(self.reference, self.unit)}" if self.reference is not None else ""
        ratio = f"; ratio {self.ratio:.2f}" if self.ratio is not None else ""
        word = "pass" if self.passed else "FAIL"
        line = (
            f"{self.part:<7} {word}  {self.what} {shown(self.ours, self.unit)}{reference}{ratio}; target {self.target}"
        )
        return "\n".join([line, *(f"              {note}" for note in self.notes)])


def shown(value: float, unit: str) -> str:
    return f"{value:.{0 if abs(value) >= 100 or value == int(value) else 1}f} {unit}"


def alternate(times: int, *measures: Callable[[], float]) -> list[list[float]]:
    """The samples of each measure, taken in turns, so that what else the machine does falls on all; one turn is not counted."""
    samples: list[list[float]] = [[] for _ in measures]
    for turn in range(times + 1):
        for kept, measure in zip(samples, measures, strict=True):
            value = measure()
            if turn:
                kept.append(value)
    return samples


def median(samples: Sequence[float]) -> float:
    return statistics.median(samples)


def spread(samples: Sequence[float], unit: str) -> str:
    return f"{shown(min(samples), unit)} to {shown(max(samples), unit)} in {len(samples)} turns"


def milliseconds(argv: Sequence[str]) -> float:
    """How long a command takes from start to end."""
    began = time.perf_counter()
    subprocess.run(argv, stdout=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - began) * 1000


class OnTerminal:
    """A program on a terminal of its own, killed at the end of the `with`."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str]) -> None:
        self._argv, self._env = argv, env
        self.said = b""

    def __enter__(self) -> Self:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        terminal = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
        self.began = time.perf_counter()
        self.process = subprocess.Popen(
            self._argv,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, **terminal, **self._env},
            start_new_session=True,
        )
        os.close(theirs)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)

    def press(self, keys: bytes) -> None:
        os.write(self._ours, keys)

    def listen(self, seconds: float) -> Iterator[float]:
        """Takes what the program paints for that long; each time it has painted, the seconds since it was started."""
        until = time.perf_counter() + seconds
        while (left := until - time.perf_counter()) > 0:
            if not select.select([self._ours], [], [], left)[0]:
                return
            try:
                self.said += os.read(self._ours, 65536)
            except OSError:
                raise NotMeasured(f"{self._argv[0]} ended: {self.said.decode(errors='replace')[-500:]}") from None
            yield time.perf_counter() - self.began


@contextmanager
def progress(text: str) -> Iterator[None]:
    """Says on stderr what is being measured, where somebody watches."""
    watched = sys.stderr.isatty()
    if watched:
        print(f"\r\x1b[K{text} ...", end="", file=sys.stderr, flush=True)
    yield
    if watched:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
