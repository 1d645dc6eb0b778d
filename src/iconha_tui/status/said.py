"""What a node said of itself and of the cluster, read from its answers. The node is not trusted: nothing is counted on."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from functools import lru_cache

from iconha_tui.cluster.cib import CibVersion, parse_cib_version
from iconha_tui.cluster.crm_mon import ClusterStatus, parse_crm_mon
from iconha_tui.cluster.heartbeat import Heartbeat, parse_heartbeat
from iconha_tui.cluster.membership import Link, Member, Quorum, parse_links, parse_members, parse_quorum
from iconha_tui.cluster.scheduler import Simulation, parse_simulation
from iconha_tui.cluster.untrusted_xml import INFINITY, ClusterXMLError
from iconha_tui.stages import awscli
from iconha_tui.stages.packages import SERVICES
from iconha_tui.status.eyes import CUT, PLACES, Answer
from iconha_tui.status.report import Call
from iconha_tui.text import clean, sentence, whole_number


@dataclass(frozen=True)
class Said:
    """One answer to `look`. Times are in seconds.

    began: when it was asked, since 1970, by this machine's clock. offset: the node's clock's; uncertainty: within which that is
    known. why_no_view: a sentence's end. starts_at_boot: by service. configured: whether the copy of the CIB on its disk has
    the address's resource; None where it does not say. controller: whether Pacemaker's controller answers; None where that
    cannot be asked. fail_count: of the address's resource there. agent, awscli: whether they are there;
    aws: the CLI's path. room: free KiB by folder, 0 also where no file can be made any more. takeover: the scheduler's answer.
    """

    began: float
    uptime_s: float | None
    load: float | None
    offset: float | None
    uncertainty: float | None
    os: str | None
    corosync: str | None
    pacemaker: str | None
    services: tuple[str | None, str | None]
    members: list[Member]
    links: list[Link]
    quorum: Quorum
    heartbeat: Heartbeat
    cib: CibVersion | None
    takeover: Simulation | None
    starts_at_boot: dict[str, bool]
    configured: bool | None
    controller: bool | None
    fail_count: int
    agent: bool
    awscli: bool
    aws: str
    room: dict[str, int]
    view: ClusterStatus | None
    why_no_view: str
    log: list[str] = field(repr=False)

    def names(self) -> dict[int, str]:
        """The nodes by Corosync's ids."""
        found = {nodeid: name for nodeid, name in self.quorum.members.items() if not name[0].isdigit()}
        for node in self.view.nodes if self.view else ():
            if (number := whole_number(node.id or "")) is not None:
                found[number] = node.name
        return found


def read(answer: Answer) -> Said:
    """Reads the answer of `Eyes.node`."""
    return _read(str(answer["said"]), float(answer["began"]), float(answer["ended"]))


@lru_cache(16)
def _read(said: str, began: float, ended: float) -> Said:
    parts: dict[str, str] = {}
    for part in said.split(CUT)[1:]:
        name, _, text = part.partition("\n")
        parts.setdefault(name.strip(), text)
    words = parts.get("machine", "").split()
    offset, uncertainty = _clock(_number(words, -1), _number(parts.get("end", "").split(), 0), began, ended)
    services = [*parts.get("services", "").split(), "", ""]
    view, why = _view(parts.get("monitor", ""))
    found = parts.get("agent", "").splitlines()
    return Said(
        began=began,
        uptime_s=_number(words, 0),
        load=_number(words, 2),
        offset=offset,
        uncertainty=uncertainty,
        os=_first(r'^"?([^"\n]{1,60})"?$', parts.get("versions", "")),
        corosync=_first(r"version '([^'\n]{1,30})'", parts.get("versions", "")),
        pacemaker=_first(r"^Pacemaker (\S{1,30})", parts.get("versions", "")),
        services=(services[0] or None, services[1] or None),
        members=parse_members(parts.get("members", "")),
        links=parse_links(parts.get("links", "")),
        quorum=parse_quorum(parts.get("quorum", "")),
        heartbeat=parse_heartbeat(parts.get("heartbeat", "")),
        cib=_version(parts.get("cib", "")),
        takeover=parse_simulation(parts.get("takeover", "")),
        starts_at_boot=_boot(parts.get("boot", "")),
        configured={"yes": True, "no": False}.get(parts.get("configured", "").strip()),
        controller=_answers(parts.get("controller", "")),
        fail_count=_fail_count(parts.get("failcount", "")),
        agent="agent" in found,
        awscli="awscli" in found,
        aws=next((clean(line[5:205]) for line in found if line.startswith("path ")), ""),
        room=_room(parts.get("room", "")),
        view=view,
        why_no_view=why,
        log=parts.get("events", "").splitlines(),
    )


def _view(xml: str) -> tuple[ClusterStatus | None, str]:
    if not xml.strip():
        return None, "crm_mon says nothing"
    try:
        view = parse_crm_mon(xml.strip())
    except ClusterXMLError as error:
        return None, clean(str(error)).rstrip(".")
    return (view, "") if view.nodes else (None, "crm_mon names no node")


def _version(xml: str) -> CibVersion | None:
    try:
        return parse_cib_version(xml.strip())
    except ClusterXMLError:
        return None


def _fail_count(told: str) -> int:
    value = _first(r"\bvalue=(\w{1,20})\s*$", told) or ""
    return INFINITY if value == "INFINITY" else whole_number(value) or 0


def _answers(told: str) -> bool | None:
    """Of the exit code of crmadmin, under `timeout`, behind its words: 126 and 127 are of a machine without such a command."""
    number = whole_number((told.split() or [""])[-1])
    return None if number in (None, 126, 127) else number == 0


_AT_BOOT = frozenset({"enabled", "static", "alias", "indirect", "generated"})


def _boot(text: str) -> dict[str, bool]:
    """systemctl says nothing of a service that it does not know: only both lines together tell which is which."""
    words = text.split()
    return {name: word in _AT_BOOT for name, word in zip(SERVICES, words, strict=True)} if len(words) == 2 else {}


def _room(text: str) -> dict[str, int]:
    """Of df's lines, of blocks and of inodes in turn. A file system that has no inodes to count says 0 of 0."""
    rows = [words for line in text.splitlines() if len(words := line.split()) >= 6]
    if len(rows) != 2 * len(PLACES):
        return {}
    found = {}
    for place, blocks, inodes in zip(PLACES, rows[::2], rows[1::2], strict=True):
        free, all_inodes, free_inodes = (whole_number(word) for word in (blocks[3], inodes[1], inodes[3]))
        if free is not None:
            found[place] = 0 if all_inodes and free_inodes == 0 else free
    return found


@dataclass(frozen=True)
class Tried:
    """What came of `calls`. allocation, instance: what they were tried with, "" where the node could not tell. runs: whether
    Pacemaker ran, in whose environment they are tried."""

    runs: bool
    allocation: str
    instance: str
    calls: tuple[Call, ...]


_CALL = re.compile(rf"^({'|'.join(awscli.CALLS)}): (allowed|refused)(?:: ?)?", re.MULTILINE)


def read_calls(answer: Answer) -> Tried:
    """Reads the answer of `Eyes.calls`."""
    text = str(answer["said"]).partition(CUT)[2]
    calls = {}
    for match in _CALL.finditer(text):
        following = _CALL.search(text, match.end())
        reason = text[match.end() : following.start() if following else len(text)]
        allowed = match[2] == "allowed"
        calls[match[1]] = Call(match[1], allowed, "" if allowed else sentence(" ".join(reason.split())))
    said = dict(line.partition(" ")[::2] for line in text.splitlines()[:4])
    return Tried(
        runs=said.get("pid", "") not in ("", "0"),
        allocation=clean(said.get("allocation", "")[:80]),
        instance=clean(said.get("instance", "")[:80]),
        calls=tuple(calls[name] for name in awscli.CALLS if name in calls),
    )


def _clock(first: float | None, last: float | None, began: float, ended: float) -> tuple[float | None, float | None]:
    """By how much the node's clock is ahead, and within which that is certain: as NTP reckons, from both ends of the look."""
    if first is None or last is None:
        return None, None
    uncertainty = max(((ended - began) - (last - first)) / 2, 0)
    return round(((first + last) - (began + ended)) / 2, 2), round(uncertainty, 2)


def _number(words: list[str], index: int) -> float | None:
    try:
        found = float(words[index])
    except (IndexError, ValueError):
        return None
    return found if math.isfinite(found) and abs(found) < 1e11 else None


def _first(pattern: str, text: str) -> str | None:
    match = re.search(pattern, text, re.MULTILINE)
    return match[1].strip() if match else None
