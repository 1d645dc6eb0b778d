"""The table of docs/reliability.md: each test of a fault adds its row, in the program's own words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from iconha_tui.causes import cause_of
from iconha_tui.engine.events import StepFinished


@dataclass
class Row:
    """fault: what goes wrong. how: how the test makes it. sees: what the operator reads. result: what becomes of the run.
    on: the nodes that it was made on. module, line: where the test is.
    """

    section: str
    fault: str
    how: str
    sees: str
    result: str
    runs: int
    on: str
    module: str
    line: int


class Table:
    """Collects rows of one section, into a file where `make reliability` asks for one."""

    def __init__(self, file: Path | None, section: str, on: str, module: str, line: int) -> None:
        self._file = file
        self._section = section
        self._place = (on, module, line)

    def row(self, *, fault: str, how: str, sees: str, result: str, runs: int = 1) -> None:
        if self._file is not None:
            row = Row(self._section, fault, how, sees, result, runs, *self._place)
            with self._file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(row), ensure_ascii=False) + "\n")


def sentence(failed: StepFinished | Mapping[str, Any]) -> str:
    """What the operator reads of a step that failed, or of its event: where, what, why, and what to do."""
    event = failed if isinstance(failed, Mapping) else asdict(failed)
    cause = cause_of(event["code"], event["text"], event["tail"])
    why, remedy = (cause.why, cause.remedy) if cause else ("", "")
    return " ".join(filter(None, (f"{event['where']}: {event['text']}", why, remedy or event["remedy"])))
