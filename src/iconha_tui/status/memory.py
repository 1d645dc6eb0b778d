"""Remembers on this machine what was seen last: what cannot be read at the next start is then told with its age."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from iconha_tui import disk
from iconha_tui.errors import Trouble
from iconha_tui.status.compose import Part, Parts
from iconha_tui.status.eyes import Answer
from iconha_tui.status.report import VERDICT_WORDS, Chain, Verdict
from iconha_tui.text import sentence, strip_controls

log = logging.getLogger(__name__)

_FORM = 1
_VERDICT = "verdict.json"
_ROOM = 4 << 20


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


def save_verdict(folder: Path, verdict: Verdict, at: float) -> None:
    """Keeps a verdict in a cluster's folder, for the home screen. That it cannot be kept is no trouble: it is reached again."""
    if not folder.is_dir():  # of a cluster that was forgotten meanwhile nothing is kept
        return
    try:
        disk.write(folder / _VERDICT, json.dumps({"form": _FORM, "verdict": verdict, "at": at}).encode())
    except Trouble as trouble:
        log.warning("The verdict is not remembered: %s", trouble)


def last_verdict(folder: Path) -> tuple[Verdict, float] | None:
    """The verdict that the newest look at a cluster reached, and when, in seconds since 1970. folder: the cluster's.

    None where nobody has looked yet, or the file cannot be read.
    """
    try:
        told = json.loads(disk.read(folder / _VERDICT, _ROOM))
        verdict, at = told["verdict"], _time(told["at"])
        return (verdict, min(at, time.time())) if told["form"] == _FORM and verdict in VERDICT_WORDS else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError, OverflowError):
        return None


def load(path: Path | None) -> Parts:
    """The parts that were kept; none where the file is missing, or of another form."""
    try:
        told = json.loads(disk.read(path, _ROOM)) if path is not None else {}
        if not isinstance(told, dict) or told.get("form") != _FORM:
            return {}
        parts = [_part(each) for each in told["parts"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        return {}
    return {(part.part, part.node): part for part in parts}


def _part(told: Any) -> Part:
    part, seen_at = told["part"], _time(told["seen_at"])
    node = None if told["node"] is None else _word(told["node"])
    answer = _READERS[part](told["answer"])
    return Part(
        part, node, min(seen_at, time.time()), answer, "It has not been looked at since this program was started."
    )


def _facts(told: Mapping[str, Any]) -> Answer:
    return {name: value if value is None else _word(value) for name, value in told.items()}


def _look(told: Mapping[str, Any]) -> Answer:
    if not isinstance(told["said"], str):
        raise TypeError("said")
    return {"said": strip_controls(told["said"]), "began": _time(told["began"]), "ended": _time(told["ended"])}


def _ports(told: Mapping[str, Any]) -> Answer:
    chains = [asdict(each) for each in TypeAdapter(list[Chain]).validate_python(told.get("chains") or [])]
    return {
        "address": _word(told["address"]),
        **{port: is_open is True for port, is_open in told.items() if port.isdigit()},
        "chains": [
            {name: _word(value) if isinstance(value, str) else value for name, value in each.items()} for each in chains
        ],
        "chain_trouble": _word(told.get("chain_trouble") or ""),
    }


_READERS: dict[str, Callable[[Any], Answer]] = {
    "aws": _facts,
    "node": _look,
    "view": _look,
    "calls": _look,
    "ports": _ports,
}
"""Part -> what reads its answer back: the file may be anybody's. They raise ValueError, KeyError, TypeError, AttributeError."""


def _word(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return sentence(value)


def _time(value: Any) -> float:
    found = float(value)
    if not 0 <= found < 1e11:
        raise ValueError("no time")
    return found
