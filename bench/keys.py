"""Key press to paint: the wizard on a terminal of its own, while both nodes together say 20,000 lines a second.

`python bench/keys.py STATE_DIR RATE` is that wizard.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flood import SPEC, Flooding, app_of
from measure import Figure, NotMeasured, OnTerminal, shown

from iconha_tui.engine.ports import Completed, OnLines
from iconha_tui.store import Store
from iconha_tui.text import LineSplitter

RATE = 20_000
"""Lines a second, of both nodes together."""
TICK = 0.02
"""Seconds between two chunks of a node."""
LIMIT = 50
F2, F4, F5, END, PAGE_UP, BACKSPACE, ENTER = b"\x1bOQ", b"\x1bOS", b"\x1b[15~", b"\x1b[F", b"\x1b[5~", b"\x7f", b"\r"
LETTERS = [chr(code) for code in range(0x250, 0x2A0)]
"""Letters that no line of the output has, so that their paint is told from all others."""


class Streaming(Flooding):
    """A node that says so many lines a second until the program ends. Of 0 it says what fills a pane, and is silent then."""

    def __init__(self, name: str, rate: int) -> None:
        super().__init__(name)
        self._rate = rate

    def run(self, argv: tuple[str, ...], *, on_lines: OnLines | None = None, **_: Any) -> Completed:
        assert on_lines
        splitter = LineSplitter()
        if not self._rate:
            on_lines(splitter.feed(b"".join(self.chunks[:20])))
            time.sleep(3600)
        lines = b"".join(self.chunks).splitlines(keepends=True)
        began, told = time.monotonic(), 0
        while True:
            due = int((time.monotonic() - began) * self._rate)
            at = told % len(lines)
            part = lines[at : at + due - told]
            on_lines(splitter.feed(b"".join(part)))
            told += len(part)
            time.sleep(TICK)


def keys(times: int = 60) -> Figure:
    quiet, _ = _pressed(times, 0)
    loaded, rate = _pressed(times, RATE)
    everything = [sample for samples in loaded.values() for sample in samples]
    if rate < 0.95 * RATE:
        raise NotMeasured(f"The wizard took {rate:,.0f} lines a second, not {RATE:,}.")
    return Figure(
        "keys",
        f"key press to paint in {RATE:,} lines a second, p95",
        _p95(everything),
        "ms",
        LIMIT,
        f"{LIMIT} ms",
        _p95([sample for samples in quiet.values() for sample in samples]),
        "with full panes at rest",
        [
            *(
                f"{name}: p50 {shown(statistics.median(samples), 'ms')}, p95 {shown(_p95(samples), 'ms')}, "
                f"longest {shown(max(samples), 'ms')} of {len(samples)}"
                for name, samples in {**loaded, "all": everything}.items()
            ),
            f"{rate:,.0f} lines a second reached transcript.log meanwhile",
        ],
    )


def _p95(samples: Sequence[float]) -> float:
    return statistics.quantiles(samples, n=20)[-1]


def _pressed(times: int, rate: int) -> tuple[dict[str, list[float]], float]:
    """How long each press of each kind took to be painted, in ms; and the lines a second that were written meanwhile."""
    samples: dict[str, list[float]] = {
        "a letter in the search": [],
        "Page Up": [],
        "F2, the settings": [],
    }
    letter, page, tab = samples.values()
    with tempfile.TemporaryDirectory() as state:
        argv = [sys.executable, __file__, state, str(rate)]
        with OnTerminal(argv, {}) as program:
            _painted(program, b"", b"^p", 30)
            _rest(program, 1)
            _painted(program, F5, b"of PRep-02", 30)
            _rest(program, 3)
            transcript = Path(state) / "clusters" / SPEC.name / "transcript.log"
            began, before = time.monotonic(), _lines(transcript)
            for number in range(times):
                pick = LETTERS[number % len(LETTERS)]
                _painted(program, b"/", b"Search ", 10)
                _rest(program)
                letter.append(_painted(program, pick.encode(), pick.encode()))
                program.press(BACKSPACE + ENTER)
                _rest(program)
                page.append(_painted(program, PAGE_UP, b"End follows again"))
                _rest(program)
                program.press(END)
                _rest(program)
                tab.append(_painted(program, F2, b"Cluster shell"))
                _rest(program)
                program.press(F4)
                _rest(program)
            said, seconds = _lines(transcript) - before, time.monotonic() - began
    return samples, said / seconds


def _painted(program: OnTerminal, press: bytes, words: bytes, within: float = 5) -> float:
    """Presses a key; the milliseconds until the words are painted."""
    program.said = b""
    began = time.perf_counter()
    program.press(press)
    for _ in program.listen(within):
        if words in program.said:
            return (time.perf_counter() - began) * 1000
    raise NotMeasured(f"{press!r} was not answered with {words!r} in {within} s: {program.said[-800:]!r}")


def _rest(program: OnTerminal, seconds: float = 0) -> None:
    """Takes what is painted for a while that is no multiple of the screen's own rhythm."""
    for _ in program.listen(seconds or random.uniform(0.12, 0.25)):
        program.said = b""


def _lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(portion.count(b"\n") for portion in iter(lambda: file.read(1 << 20), b""))


if __name__ == "__main__":
    app_of(Store(Path(sys.argv[1])), {name: Streaming(name, int(sys.argv[2]) // 2) for name in SPEC.names}).run()
