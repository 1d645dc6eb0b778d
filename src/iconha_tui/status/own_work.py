"""What this program itself has done to the services and the address, by its journal: what came of that is told as such."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from iconha_tui.cluster.log_events import ClusterEvent
from iconha_tui.cluster.shells import SHELLS
from iconha_tui.engine import journal
from iconha_tui.engine.events import ActionStarted, RunFinished, RunStarted
from iconha_tui.errors import Trouble

_DISTURBS = re.compile(
    r"systemctl (?:--\S+ )*(?:start|stop|restart|try-restart) (?:corosync|pacemaker)"
    r"|crm_standby|crm_resource .*--(?:move|ban|clear)|"
    + "|".join(re.escape(start) for shell in SHELLS.values() for start in shell.disturbing)
)
_MATTERS = frozenset({"joined", "left", "found", "started", "stopped", "moved", "quorum", "no quorum"})
LASTS = 60.0
"""Seconds within which what a command does is seen, where the run did not come to its end: a takeover takes some ten."""
SLACK = 1.0
"""Seconds by which the times of an event and of a command may be off: the CIB has whole ones."""


@dataclass(frozen=True)
class Done:
    """A command that disturbs the cluster. at: when it began. until: when all that it does has been seen. Seconds since 1970."""

    at: float
    node: str
    command: str
    until: float


def read(path: Path) -> list[Done]:
    """The commands of a cluster's journal that disturb it, in order; none where there is no journal, or none that can be read.

    A run that ends well has waited for what its commands do: what comes after is the work of somebody else.
    """
    found: list[Done] = []
    begun = 0
    try:
        for at, event in journal.read(path):
            if isinstance(event, RunStarted):
                begun = len(found)
            elif isinstance(event, ActionStarted) and _DISTURBS.search(event.shown):
                found.append(Done(at, event.target, event.shown[:120], at + LASTS))
            elif isinstance(event, RunFinished) and event.outcome == "done":
                found[begun:] = [replace(each, until=min(each.until, at)) for each in found[begun:]]
    except Trouble:
        return []
    return found


def cause(event: ClusterEvent, work: Sequence[Done]) -> Done | None:
    """The command of ours that an event came of: the last on that node before it."""
    if event.kind not in _MATTERS:
        return None
    befell = {event.node, event.before} | ({event.teller} if "quorum" in event.kind else set())
    near: Iterable[Done] = (
        each for each in work if each.node in befell and each.at - SLACK <= event.at <= each.until + SLACK
    )
    return max(near, key=lambda each: each.at, default=None)
