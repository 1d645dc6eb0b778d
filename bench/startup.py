"""How soon the program is there, and how much memory it holds: --help, the wizard's first paint, the idle wizard."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from measure import PROGRAM, Figure, NotMeasured, OnTerminal, alternate, median, milliseconds, spread

EMPTY_APP = (sys.executable, str(Path(__file__).with_name("empty_app.py")))
FOOTER = b"^p"
"""The palette's key, which both apps' last line ends in: it is painted last, with everything above it."""


def help_time(times: int = 15) -> Figure:
    ours, reference = alternate(
        times,
        lambda: milliseconds([str(PROGRAM), "--help"]),
        lambda: milliseconds([sys.executable, "-c", "import argparse"]),
    )
    return Figure(
        "help",
        "iconha-tui --help",
        median(ours),
        "ms",
        1.5 * median(reference) + 60,
        f"1.5 times and 60 ms more: {1.5 * median(reference) + 60:.0f} ms",
        median(reference),
        'python -c "import argparse"',
        [spread(ours, "ms")],
    )


def first_paint(times: int = 11) -> Figure:
    with tempfile.TemporaryDirectory() as state:
        ours, reference = alternate(times, lambda: _paint([str(PROGRAM)], state), lambda: _paint(EMPTY_APP, state))
    return Figure(
        "paint",
        "the wizard's first paint",
        median(ours),
        "ms",
        1.3 * median(reference),
        "1.30 times",
        median(reference),
        "an empty app's with header and footer",
        [f"from the start of the process, {spread(ours, 'ms')}"],
    )


def _paint(argv: Sequence[str], state: str) -> float:
    with OnTerminal(argv, {"ICONHA_STATE_DIR": state}) as program:
        for now in program.listen(30):
            if FOOTER in program.said:
                return now * 1000
    raise NotMeasured(f"{argv[0]} painted no footer in 30 s")


def idle_memory(times: int = 3) -> Figure:
    with tempfile.TemporaryDirectory() as state:
        ours, reference = alternate(times, lambda: _memory([str(PROGRAM)], state), lambda: _memory(EMPTY_APP, state))
    return Figure(
        "memory",
        "the idle wizard after 5 s, resident",
        median(ours),
        "MiB",
        120,
        "120 MiB",
        median(reference),
        "an empty app",
        ["boto3 and paramiko are loaded by then"],
    )


def _memory(argv: Sequence[str], state: str) -> float:
    with OnTerminal(argv, {"ICONHA_STATE_DIR": state}) as program:
        for _ in program.listen(5):
            pass
        if FOOTER not in program.said:
            raise NotMeasured(f"{argv[0]} painted no footer in 5 s")
        status = Path(f"/proc/{program.process.pid}/status").read_text()
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(resident.split()[1]) / 1024
