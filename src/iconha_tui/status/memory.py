"""Remembers on this machine what was seen last: what cannot be read at the next start is then told with its age."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path
from typing import Any

from iconha_tui import disk
from iconha_tui.errors import Trouble
from iconha_tui.status.compose import Part, Parts
from iconha_tui.status.report import Chain

log = logging.getLogger(__name__)

_FORM = 1
_ROOM = 4 << 20
_SHAPES: dict[str, dict[str, type | tuple[type, ...]]] = {
    "aws": {},
    "node": {"said": str, "began": (int, float), "ended": (int, float)},
    "view": {"said": str, "began": (int, float), "ended": (int, float)},
    "ports": {"address": str},
}
"""What an answer must have to be read back."""


def save(path: Path, parts: Parts) -> None:
    """Keeps the answers. That they cannot be kept is no trouble: they are read again."""
    seen = [
        {"part": part.part, "node": part.node, "seen_at": part.seen_at, "answer": part.answer}
        for part in parts.values()
        if part.answer is not None
    ]
    if not seen or not path.parent.is_dir():  # of a cluster that was forgotten meanwhile nothing is kept
        return
    try:
        disk.write(path, json.dumps({"form": _FORM, "parts": seen}).encode())
    except Trouble as trouble:
        log.warning("The status is not remembered: %s", trouble)


def load(path: Path | None) -> Parts:
    """The parts that were kept; none where the file is missing, or of another form."""
    try:
        told = json.loads(disk.read(path, _ROOM)) if path is not None else {}
        if not isinstance(told, dict) or told.get("form") != _FORM:
            return {}
        parts = [_part(each) for each in told["parts"]]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}
    return {(part.part, part.node): part for part in parts}


def _part(told: Any) -> Part:
    part, node, seen_at, answer = told["part"], told["node"], float(told["seen_at"]), told["answer"]
    shape = _SHAPES[part]
    if not isinstance(answer, dict) or not all(isinstance(answer.get(name), kind) for name, kind in shape.items()):
        raise TypeError(part)
    for chain in answer.get("chains") or ():
        Chain(**chain)
    return Part(
        part, node, min(seen_at, time.time()), answer, "It has not been looked at since this program was started."
    )
