"""What a checker has to say about a file: one sentence at one place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One sentence for the operator; `line` and `column` count from 1.

    An "error" is something that the program which reads the file refuses; a "warning" is something that it takes,
    but that a pair must not have.
    """

    line: int
    column: int
    severity: Severity
    message: str

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}: {self.severity}: {self.message}"


def has_errors(findings: Iterable[Finding]) -> bool:
    return any(finding.severity == "error" for finding in findings)


def shown(value: str, limit: int = 60) -> str:
    """A value from a file as it may stand in a sentence: quoted, printable and short."""
    text = value if len(value) <= limit else value[: limit - 1] + "…"
    return "'" + "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text) + "'"
