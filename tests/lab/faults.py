"""The table of docs/reliability.md: each test of a fault adds its row, in the program's own words."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass
class Row:
    """fault: what goes wrong. how: how the test makes it. sees: what the operator reads. result: what becomes of the run."""

    section: str
    fault: str
    how: str
    sees: str
    result: str
    runs: int
    test: str


class Table:
    """Collects rows of one section, into a file where `make reliability` asks for one."""

    def __init__(self, file: Path | None, section: str, test: str) -> None:
        self._file = file
        self._section = section
        self._test = test

    def row(self, *, fault: str, how: str, sees: str, result: str, runs: int = 1) -> None:
        if self._file is not None:
            row = Row(self._section, fault, how, sees, result, runs, self._test)
            with self._file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(row), ensure_ascii=False) + "\n")
