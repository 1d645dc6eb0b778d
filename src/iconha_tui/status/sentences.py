"""Words for what a status tells."""

from __future__ import annotations

import time

from iconha_tui.cluster.log_events import ClusterEvent
from iconha_tui.status.report import Chain, Node, Report, Resource


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
        case "quorum":
            return "the cluster has quorum"
        case "no quorum":
            return "the cluster has no quorum"


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
        node: "infinitely many" if count >= 1_000_000 else f"{count}{limit}"
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
