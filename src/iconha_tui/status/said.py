"""What a node said of itself and of the cluster, read from the answer to LOOK. The node is not trusted: nothing is counted on."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from functools import lru_cache

from iconha_tui.cluster.crm_mon import ClusterStatus, parse_crm_mon
from iconha_tui.cluster.membership import Link, Member, Quorum, parse_links, parse_members, parse_quorum
from iconha_tui.cluster.untrusted_xml import ClusterXMLError
from iconha_tui.status.eyes import CUT, Answer
from iconha_tui.text import clean, whole_number


@dataclass(frozen=True)
class Said:
    """One answer. offset: the clock's, in seconds; uncertainty: within which it is known. why_no_view: a sentence's end."""

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
    return Said(
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
