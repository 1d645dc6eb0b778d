"""Words for what a status tells."""

from __future__ import annotations

import time

from iconha_tui.cluster.log_events import ClusterEvent
from iconha_tui.cluster.untrusted_xml import INFINITY
from iconha_tui.status.report import Chain, Node, Reason, Report, Resource, View


def event_sentence(event: ClusterEvent) -> str:
    """What happened, in a sentence without its time."""
    node, resource = event.node or "?", event.resource or "?"
    who = f"Pacemaker on {node}" if event.source == "Pacemaker" else node
    match event.kind:
        case "joined":
            return f"{who} joined the cluster"
        case "left":
            return f"{who} left the cluster"
        case "found":
            return f"{resource} was found running on {node}"
        case "started":
            return f"{resource} started on {node}"
        case "stopped":
            return f"{resource} stopped on {node}"
        case "moved":
            return f"{resource} moved from {event.before} to {node}"
        case "failed":
            return f"{resource} failed on {node}{f': {event.text}' if event.text else ''}"
        case "cleared":
            return f"the failures of {resource} on {node} count no longer"
        case "fenced":
            return f"{node} was fenced"
        case "not fenced":
            return f"{node} was to be fenced, and was not: {event.text}"
        case "quorum":
            return "the cluster has quorum"
        case "no quorum":
            return "the cluster has no quorum"


_MEANS = {
    "ready": "{standby} would take the address over from {holder} now.",
    "not_ready": "The address works. {standby} would not take it over.",
    "split": "What two of them say cannot both be so: who has the address is not certain.",
    "down": "Nobody has the address.",
    "not_built": "There is no pair yet that could be looked at.",
    "unknown": "It is not known whether {standby} would take the address over.",
}


def headline(report: Report) -> str:
    """What the verdict means, and who has not answered for how long."""
    standby, holder = report.standby or "the standby", report.holder or "the active node"
    means = _MEANS[report.verdict].format(standby=standby, holder=holder)
    off = {node.name for node in report.nodes if node.instance_state not in (None, "running")}
    silent = [
        f"{source.node or 'AWS'} has not answered for {ago(source.age_s)}."
        if source.age_s is not None
        else f"{source.node or 'AWS'} has not answered."
        for source in report.sources
        if source.part in ("aws", "node") and source.trouble and source.node not in off
    ]
    return " ".join([f"{means[0].upper()}{means[1:]}", *silent])


def command(reason: Reason) -> str:
    """What to type, and where; "" where there is nothing."""
    where = f"on {reason.node}" if reason.node else "here"
    return f"{where} $ {reason.command}" if reason.command else ""


def view_words(view: View) -> str:
    """What a node says of the cluster."""
    if not view.online:
        return f"{view.node} tells nothing of the cluster"
    lost = [name for name, is_online in view.online.items() if not is_online]
    words = [
        f"without {' and '.join(lost)}" if lost else "both online",
        f"DC {view.dc}" if view.dc else "no DC",
        {True: "quorum", False: "no quorum", None: "quorum not known"}[view.quorate],
        f"address on {' and '.join(view.holder)}" if view.holder else "address nowhere",
    ]
    if view.token_age_s is not None and view.token_age_s >= 1:
        words.append(f"token last seen {view.token_age_s:.0f} s ago")
    if view.cut_off:
        words.append("Corosync can form no membership")
    if view.cib:
        words.append(f"configuration {view.cib}")
    if view.takeover is not None:
        words.append(f"without the other node the address would be {_places(view.takeover)}")
    return f"{view.node} says: {', '.join(words)}"


def _places(names: list[str]) -> str:
    return f"on {' and '.join(names)}" if names else "nowhere"


def ago(seconds: float) -> str:
    """An age, no finer than it matters: 4 s, 3 min, 5 h 20 min, 3 d 4 h."""
    whole = int(max(seconds, 0))
    if whole < 60:
        return f"{whole} s"
    minutes = whole // 60
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes:02d} min"
    return f"{hours // 24} d {hours % 24} h"


def clock(at: float, now: float) -> str:
    """A time of day on this machine; with the date where it is not today's."""
    there = time.localtime(at)
    today = there[:3] == time.localtime(now)[:3]
    return time.strftime("%H:%M:%S" if today else "%m-%d %H:%M:%S", there)


def machine(node: Node) -> list[str]:
    """What is known of the machine itself."""
    words = []
    if node.uptime_s is not None:
        words.append(f"up {ago(node.uptime_s)}")
    if node.load is not None:
        words.append(f"load {node.load:.2f}")
    if node.clock_offset_s is not None:
        within = node.clock_uncertainty_s or 0
        certain = abs(node.clock_offset_s) > within
        words.append(f"clock {node.clock_offset_s:+.1f} s" if certain else f"clock ±{max(within, 0.1):.1f} s")
    return words


def versions(node: Node) -> list[str]:
    """What runs on it."""
    named = (("Corosync", node.corosync), ("Pacemaker", node.pacemaker))
    return [*([node.os] if node.os else []), *(f"{name} {version}" for name, version in named if version)]


def place(node: Node) -> list[str]:
    """Its addresses."""
    named = (("private", node.private_ip), ("public", node.public_ip))
    return [f"{name} {value}" for name, value in named if value]


def chain_words(chain: Chain) -> str:
    """A chain of the P-Rep."""
    height = "" if chain.height is None else f", height {chain.height:,}"
    error = f": {chain.last_error}" if chain.last_error else ""
    return f"{chain.channel or chain.nid or 'a chain'} {chain.state or 'in no known state'}{height}{error}"


def failures(resource: Resource) -> str:
    """Its failures that count."""
    limit = f" of {resource.migration_threshold}" if resource.migration_threshold else ""
    counted = {
        node: "infinitely many" if count >= INFINITY else f"{count}{limit}"
        for node, count in resource.failcounts.items()
        if count
    }
    return ", ".join(f"{node} {count}" for node, count in counted.items()) or "none"


def online(report: Report) -> str:
    """How many nodes are online."""
    known = [node.online for node in report.nodes]
    return "not known" if None in known else f"{sum(map(bool, known))} of {len(known)}"


def holder(told: str | None) -> str:
    """Who holds the address, by somebody's word."""
    return "not known" if told is None else told or "nobody"
