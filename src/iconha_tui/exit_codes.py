"""The exit codes of every command, and how `--help` tells them. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum


class ExitCode(IntEnum):
    """What a command ends with. One number means one thing in all commands, but for 0, 1 and 3 of `status`: see OF_VERDICT."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    BLOCKED = 3
    LOCKED = 4
    DOWN = 5
    SPLIT = 6
    NOT_BUILT = 7
    INTERRUPTED = 130


OF_RUN: Mapping[str, ExitCode] = {
    "done": ExitCode.DONE,
    "skipped": ExitCode.DONE,
    "failed": ExitCode.FAILED,
    "blocked": ExitCode.BLOCKED,
    "cancelled": ExitCode.INTERRUPTED,
    "todo": ExitCode.BLOCKED,
}
"""Outcome of a run (engine.events.Outcome) -> exit code."""

OF_VERDICT: Mapping[str, ExitCode] = {
    "ready": ExitCode.DONE,
    "not_ready": ExitCode.FAILED,
    "unknown": ExitCode.BLOCKED,
    "down": ExitCode.DOWN,
    "split": ExitCode.SPLIT,
    "not_built": ExitCode.NOT_BUILT,
}
"""Verdict of `status` (status.report.Verdict) -> exit code. A monitor tells it from wrong usage and from a locked cluster."""

RUN_WORDS: Mapping[ExitCode, str] = {
    ExitCode.DONE: "done",
    ExitCode.FAILED: "a step failed",
    ExitCode.USAGE: "wrong usage or spec",
    ExitCode.BLOCKED: "blocked",
    ExitCode.LOCKED: "another run or another wizard holds the cluster",
    ExitCode.INTERRUPTED: "interrupted",
}
STATUS_WORDS: Mapping[ExitCode, str] = {
    ExitCode.DONE: "ready",
    ExitCode.FAILED: "not ready (the address works, there would be no takeover)",
    ExitCode.USAGE: "wrong usage",
    ExitCode.BLOCKED: "unknown",
    ExitCode.DOWN: "down (nobody has the address)",
    ExitCode.SPLIT: "split (two words contradict each other)",
    ExitCode.NOT_BUILT: "not built",
    ExitCode.INTERRUPTED: "interrupted",
}
"""Exit code -> what it says of a cluster."""


def told(words: Mapping[ExitCode, str], between: str) -> str:
    """The exit codes as one sentence for `--help`."""
    return f"Exit codes: {between.join(f'{code:d} {word}' for code, word in words.items())}."
