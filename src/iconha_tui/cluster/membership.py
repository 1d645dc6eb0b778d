"""Corosync's own view: who is a member, whether there is quorum, which links stand. From its tools' text.

The tools have no machine-readable output. Lines that are not understood are passed over; what is not there is None.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from iconha_tui.text import whole_number


@dataclass(frozen=True, slots=True)
class Member:
    """One member. `addresses` by link; `status` is joined or left."""

    nodeid: int
    addresses: dict[int, str]
    status: str | None

    @property
    def joined(self) -> bool:
        return self.status == "joined"

    @property
    def ip(self) -> str | None:
        return self.addresses.get(min(self.addresses)) if self.addresses else None


# runtime.members.1.ip (str) = r(0) ip(10.0.0.11)          corosync 3
# runtime.totem.pg.mrp.srp.members.1.ip (str) = r(0) ip(…)  corosync 2.4
_MEMBER = re.compile(
    r"runtime\.(?:totem\.pg\.mrp\.srp\.)?members\.([0-9]{1,10})\.(ip|status) \([a-z0-9]+\) = (.*)", re.ASCII
)
_ADDRESS = re.compile(r"r\(([0-9]{1,3})\) ip\(([^)\s]{1,64})\)", re.ASCII)


def parse_members(text: str) -> list[Member]:
    """The members by node id, from `corosync-cmapctl` (2.4 and 3). An empty list where it shows none."""
    addresses: dict[int, dict[int, str]] = {}
    status: dict[int, str] = {}
    for line in text.split("\n"):
        match = _MEMBER.match(line.strip())
        if not match:
            continue
        nodeid = int(match[1])
        links = addresses.setdefault(nodeid, {})
        if match[2] == "status":
            status[nodeid] = match[3].strip()
        else:
            links.update({int(link): address for link, address in _ADDRESS.findall(match[3])})
    return [Member(nodeid, links, status.get(nodeid)) for nodeid, links in sorted(addresses.items())]


@dataclass(frozen=True, slots=True)
class Quorum:
    """What `corosync-quorumtool -s` says. `flags` are 2Node, Quorate, WaitForAll, …; a count is in votes."""

    quorate: bool | None = None
    provider: str | None = None
    nodes: int | None = None
    node_id: int | None = None
    ring_id: str | None = None
    expected_votes: int | None = None
    total_votes: int | None = None
    flags: frozenset[str] = frozenset()
    members: dict[int, str] = field(default_factory=dict)


_QUORUM_MEMBER = re.compile(
    r"\s*(0x[0-9a-f]{1,8}|[0-9]{1,10})\s+[0-9]{1,10}\s+(?:\S+\s+)??(\S+)(?: \(local\))?\s*\Z", re.ASCII
)


def parse_quorum(text: str) -> Quorum:
    """Read `corosync-quorumtool -s`. Its exit code is 1 where there is no quorum, with the same output."""
    values: dict[str, str] = {}
    members: dict[int, str] = {}
    in_members = False
    for line in text.split("\n"):
        if line.startswith("Membership information"):
            in_members = True
        elif in_members:
            match = _QUORUM_MEMBER.match(line)
            if match:
                members[int(match[1], 0) if match[1].startswith("0x") else int(match[1])] = match[2]
        elif ":" in line:
            name, _, value = line.partition(":")
            values.setdefault(name.strip(), value.strip())
    quorate = values.get("Quorate")
    return Quorum(
        quorate=None if quorate is None else quorate == "Yes",
        provider=values.get("Quorum provider"),
        nodes=whole_number(values.get("Nodes", "")),
        node_id=whole_number(values.get("Node ID", "")),
        ring_id=values.get("Ring ID"),
        expected_votes=whole_number(values.get("Expected votes", "")),
        total_votes=whole_number(values.get("Total votes", "")),
        flags=frozenset(values.get("Flags", "").split()),
        members=members,
    )


@dataclass(frozen=True, slots=True)
class Link:
    """One link. `connected` by the other nodes' ids, where corosync tells; `faulty` is None where it does not."""

    number: int
    address: str | None
    connected: dict[int, bool]
    faulty: bool | None


_LINK = re.compile(r"(?:LINK|RING) ID ([0-9]{1,3})\b", re.ASCII)
_LINK_ADDRESS = re.compile(r"\s+(?:addr|id)\s*=\s*(\S+)")
_LINK_STATUS = re.compile(r"\s+status\s*=\s*(.*)")
_PEER = re.compile(r"\s+node(?:id)?:?\s+([0-9]{1,10}):\s*(.*)", re.ASCII)


def parse_links(text: str) -> list[Link]:
    """Read `corosync-cfgtool -s` of 2.4 (rings), 3.0 and 3.1 (links)."""
    links: dict[int, Link] = {}
    number: int | None = None
    address: str | None = None
    status: str | None = None
    connected: dict[int, bool] = {}

    def finish() -> None:
        if number is not None:
            links[number] = Link(number, address, connected, _faulty(status, connected))

    for line in text.split("\n"):
        if match := _LINK.match(line):
            finish()
            number, address, status, connected = int(match[1]), None, None, {}
        elif match := _LINK_ADDRESS.match(line):
            address = match[1]
        elif match := _LINK_STATUS.match(line):
            status = match[1].strip()
        elif match := _PEER.match(line):
            connected[int(match[1])] = _connected(match[2].strip())
    finish()
    return list(links.values())


def _connected(state: str) -> bool:
    """3.1 says connected, disconnected or localhost; 3.0 says "link enabled:1	link connected:1"."""
    return state in ("connected", "localhost") or "link connected:1" in state.split("\t")


def _faulty(status: str | None, connected: dict[int, bool]) -> bool | None:
    if connected:
        return not all(connected.values())
    if status:  # "ring 0 active with no faults" (2.4), "OK" (3, udpu), "Marking ringid 0 interface … FAULTY"
        return not (status == "OK" or "no faults" in status)
    return None
