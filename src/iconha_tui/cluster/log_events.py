"""What became of a cluster, from the lines that its daemons wrote to a node's journal (`journalctl -o short-unix`).

Corosync tells who is a member, Pacemaker what it did with the resources. Lines that are not understood are passed over.
"""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal[
    "joined", "left", "found", "started", "stopped", "moved", "failed", "cleared", "fenced", "not fenced", "quorum", "no quorum"
]  # fmt: skip

IDENTIFIERS = ("corosync", "pacemaker-controld", "crmd", "pacemaker-attrd", "attrd")
"""Who writes such lines: the names since Pacemaker 2.0, and those of 1.1."""

PATTERN = "A new membership|state is now (member|lost)|Result of |primary component|fail-count-|terminated"
"""An extended regular expression that holds every line which is understood here."""


@dataclass(frozen=True, slots=True)
class ClusterEvent:
    """One event. at: seconds since 1970, by the clock of the node that wrote it down. node: whom it befell.

    before: where a resource that moved was until then. text: the reason, where there is one. source, teller: which program of
    which node told it.
    """

    at: float
    kind: Kind
    node: str | None
    resource: str | None = None
    before: str | None = None
    text: str = ""
    source: str = ""
    teller: str = ""


_LINE = re.compile(
    r"([0-9]{1,12}\.[0-9]{1,9}) \S+ ([A-Za-z-]{1,32})(?:\[[0-9]+\])?:\s+"
    r"(?:(?:crit|error|warning|notice|info):\s+)?(?:\[[A-Z]+ *\] )?(.*)",
    re.ASCII,
)
_JOINED = re.compile(
    r"A new membership \(\S+\) was formed\. Members(?: joined:(?P<joined>(?: [0-9]+)+))?(?: left:(?P<left>(?: [0-9]+)+))?"
)
_PEER = re.compile(r"Node (\S{1,64}) state is now (member|lost)")
_RESULT = re.compile(r"Result of (\S+) operation for (\S{1,80}) on (\S{1,64}): (.*)")
_COUNT = re.compile(
    r"Setting fail-count-([^#\s]{1,80})(?:#\S*)?\[(\S{1,64})\](?: in instance_attributes)?: .* -> (\S+)"
)
_FENCED = re.compile(r"Peer (\S{1,64}) was (not )?terminated(?: \((\S{1,32})\))?(?:[^:]*: (.*))?")
_NO_NAME = "(null)"
"""What C's printf makes of a name that a daemon does not know yet: of whom it tells is told by nobody."""
_OK = re.compile(r"(?:0 \()?ok\b", re.IGNORECASE)  # ok; 0 (ok) before 2.1; OK since 3.0


def parse_events(lines: Iterable[str], names: Mapping[int, str], teller: str) -> list[ClusterEvent]:
    """The events of a node's journal, as they come. names: of Corosync's node ids. teller: the node that wrote them."""
    told = (event for line in lines for event in _events(line.strip(), names, teller))
    found = [replace(event, teller=teller) for event in told if _NO_NAME not in (event.node, event.resource)]
    begun: dict[str, list[float]] = {}
    for event in sorted(found, key=lambda event: event.at):
        if (event.kind, event.node) == ("joined", teller):
            begun.setdefault(event.source, []).append(event.at)
    return [event for event in found if not _was_there_before(event, teller, begun.get(event.source, []))]


def _was_there_before(event: ClusterEvent, teller: str, begun: list[float]) -> bool:
    """Whether a node only seems to join, since it is the teller that has just begun to look. What joins tells so itself.

    begun: when it did, in order.
    """
    if event.kind != "joined" or event.node == teller:
        return False
    place = bisect(begun, event.at)
    return any(abs(event.at - at) < _BEGINNING for at in begun[max(0, place - 1) : place + 1])


def _events(line: str, names: Mapping[int, str], teller: str) -> Iterator[ClusterEvent]:
    match = _LINE.fullmatch(line)
    if not match or match[2] not in IDENTIFIERS:
        return
    at, who, said = float(match[1]), match[2], match[3]
    if who == "corosync":
        yield from _membership(at, said, names, teller)
    elif found := _PEER.match(said):
        # The attribute manager sees a peer go and come also where Corosync stays and only Pacemaker is restarted.
        if who.endswith("attrd"):
            yield ClusterEvent(at, "joined" if found[2] == "member" else "left", found[1], source="Pacemaker")
    elif found := _RESULT.match(said):
        event = operation_event(at, found[1], found[2], found[3], bool(_OK.match(found[4])), found[4])
        if event is not None:
            yield event
    elif found := _COUNT.match(said):
        cleared = found[3] in ("(unset)", "(null)", "0")
        yield ClusterEvent(at, "cleared" if cleared else "failed", found[2], found[1], source="count")
    elif found := _FENCED.match(said):
        why = f"{found[3] or 'fencing'}: {found[4] or 'no reason was given'}"[:300] if found[2] else ""
        yield ClusterEvent(at, "not fenced" if found[2] else "fenced", found[1], text=why, source="Pacemaker")


def _membership(at: float, said: str, names: Mapping[int, str], teller: str) -> Iterator[ClusterEvent]:
    if "within the non-primary component" in said:
        yield ClusterEvent(at, "no quorum", teller, source="Corosync")
    elif "within the primary component" in said:
        yield ClusterEvent(at, "quorum", teller, source="Corosync")
    elif match := _JOINED.match(said):
        for number in (match["joined"] or "").split():
            yield ClusterEvent(at, "joined", _named(number, names), source="Corosync")
        for number in (match["left"] or "").split():
            yield ClusterEvent(at, "left", _named(number, names), source="Corosync")


def _named(number: str, names: Mapping[int, str]) -> str:
    return names.get(int(number[:10]), f"node {number[:10]}")


def operation_event(
    at: float, task: str, resource: str, node: str, good: bool, said: str, source: str = "Pacemaker"
) -> ClusterEvent | None:
    """The event that an operation's result is; None where it is none: a check that found what it should.

    A probe is the look at a place before the cluster does anything there: it finds the resource running, or it tells nothing.
    """
    if task == "probe":
        return ClusterEvent(at, "found", node, resource, source=source) if good else None
    if not good:
        return ClusterEvent(at, "failed", node, resource, text=f"{task}: {said}"[:300], source=source)
    if task in ("start", "stop"):
        return ClusterEvent(at, "started" if task == "start" else "stopped", node, resource, source=source)
    return None


_BEGINNING = 3.0
"""Seconds within which a program that starts has seen who is there."""
_SAME = 8.0
"""Seconds within which tellings of the same kind, node and resource by different tellers are one event."""


def timeline(events: Iterable[ClusterEvent], limit: int) -> list[ClusterEvent]:
    """Newest first, each once however many tell it; a start elsewhere than where it was before is a move."""
    once: list[ClusterEvent] = []
    tellers: list[set[tuple[str, str]]] = []
    recent: dict[tuple[str, str | None, str | None], list[int]] = {}
    passed: dict[tuple[object, ...], int] = {}  # how many of `recent` are too old, or were told by the same already
    for event in sorted(events, key=lambda event: event.at):
        # Of quorum both nodes of a pair tell the same.
        kind = (event.kind, None if "quorum" in event.kind else event.node, event.resource)
        alike = recent.setdefault(kind, [])
        who = (event.teller, event.source)
        place = passed.get((kind, who), 0)
        while place < len(alike) and (event.at - once[alike[place]].at >= _SAME or who in tellers[alike[place]]):
            place += 1
        passed[kind, who] = place
        if place == len(alike):
            alike.append(len(once))
            once.append(event)
            tellers.append({who})
        else:
            once[alike[place]] = _merged(once[alike[place]], event)
            tellers[alike[place]].add(who)
    return list(_moves(once))[::-1][:limit]


def _merged(first: ClusterEvent, again: ClusterEvent) -> ClusterEvent:
    """One event of two tellings: the earlier time, Corosync's word before Pacemaker's, a reason before none."""
    source = "Corosync" if "Corosync" in (first.source, again.source) else first.source
    return replace(first, text=first.text or again.text, source=source)


def _moves(events: Iterable[ClusterEvent]) -> Iterator[ClusterEvent]:
    """What a cluster found running when it began was never started; a stop tells of the place where nothing else has."""
    place: dict[str | None, str | None] = {}
    for event in events:
        if event.kind == "started":
            before = place.get(event.resource)
            place[event.resource] = event.node
            if before not in (None, event.node):
                yield replace(event, kind="moved", before=before)
                continue
        elif event.kind == "found":
            place[event.resource] = event.node
        elif event.kind == "stopped":
            place.setdefault(event.resource, event.node)
        yield event
