"""A status in lines, for a terminal and for a log."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence

from iconha_tui.status.report import NOBODY, VERDICT_WORDS, Node, Reason, Report, Resource, Source
from iconha_tui.status.sentences import (
    ago,
    chain_words,
    clock,
    command,
    failures,
    headline,
    holder,
    machine,
    online,
    place,
    versions,
    view_words,
)

_EVENTS = 10
"""Events of a block: the newest."""
BEAT = 60.0
"""Seconds after which a log gets a line though nothing has changed: silence would say that nobody looks."""
_OLD = 30.0
"""Seconds after which even an answer that no newer look has contradicted is told with its age."""


def block(report: Report) -> str:
    """All of it; the verdict and its reasons first."""
    return "\n".join(_block(report))


def _block(report: Report) -> Iterator[str]:
    yield f"{report.cluster}: {VERDICT_WORDS[report.verdict].upper()} at {_stamp(report.at)}"
    yield _line("", headline(report))
    for word, reasons in (("reason", report.reasons), ("doubt", report.doubts)):
        for reason in reasons:
            yield _line(word, reason.text)
            for told in filter(None, (reason.remedy, command(reason))):
                yield _line("", told)
    for warning in report.warnings:
        yield _line("note", warning)
    agree = {True: "they agree", False: "THEY DISAGREE", None: "not compared"}[report.agree]
    ec2, cluster = holder(report.holder_by_ec2), holder(report.holder_by_cluster)
    yield _line(
        "Elastic IP",
        f"{report.elastic_ip or 'not known'}; EC2 says {ec2}, the cluster says {cluster}: {agree}",
        _age(report.source("aws")),
    )
    view = report.view
    for resource in report.resources:
        yield _line(resource.id, _resource(resource, report.at), _age(view))
    yield _line("cluster", _cluster(report), _age(view))
    for each in report.views:
        yield _line("", view_words(each), _age(report.source("view", each.node)))
    for node in report.nodes:
        yield from _node(node, report)
    for number, event in enumerate(report.events[:_EVENTS]):
        yield _line("" if number else "events", f"{clock(event.at, report.at)}  {event.text}")


def _line(label: str, text: str, more: str = "") -> str:
    return f"  {label:<11} {text}{f' ({more})' if more else ''}"


def _age(source: Source | None) -> str:
    if source is None or source.age_s is None or (not source.trouble and source.age_s < _OLD):
        return ""
    return f"as it was {ago(source.age_s)} ago"


def _resource(resource: Resource, now: float) -> str:
    where = f"{resource.role or 'not known'}{f' on {resource.node}' if resource.node else ''}"
    since = f" since {clock(resource.since, now)} ({ago(now - resource.since)})" if resource.since else ""
    last = next(iter(resource.operations), None)
    result = f"; last: {last.task} on {last.node} {last.result}" if last else ""
    return f"{where}{since}; failures: {failures(resource)}{result}"


def _cluster(report: Report) -> str:
    if report.seen_by is None:
        return "no node has told its state"
    quorum = {True: "quorum", False: "NO QUORUM", None: "quorum not known"}[report.quorate]
    votes = f", {report.votes} of {report.expected_votes} votes" if report.votes is not None else ""
    flags = f", {' '.join(report.quorum_flags)}" if report.quorum_flags else ""
    return f"{quorum}{votes}{flags}; seen by {report.seen_by}"


def _node(node: Node, report: Report) -> Iterator[str]:
    look, ports = report.source("node", node.name), report.source("ports", node.name)
    words = list(_words(node, known=not look.trouble))
    if report.view.trouble and look.trouble:  # nobody tells of it now
        words = [f"was {', '.join(words)}"]
    if look.trouble:
        words.append("DOES NOT ANSWER")
    if node.instance_state not in (None, "running"):
        words.append(f"instance {node.instance_state}")
    yield _line(node.name, ", ".join(words))
    if node.instance_id:
        yield _line(
            "",
            ", ".join([node.instance_id, *place(node), *([node.zone] if node.zone else [])]),
            _age(report.source("aws")),
        )
    if inside := [*versions(node), *machine(node)]:
        yield _line("", ", ".join(inside).replace("±", "+-"), _age(look))
    if node.calls:
        refused = [call.name for call in node.calls if not call.allowed]
        told = f"{', '.join(refused)} REFUSED" if refused else f"{len(node.calls)} of 4 allowed"
        tried = report.source("calls", node.name)
        when = f"tried {ago(tried.age_s)} ago" if tried.age_s is not None else ""
        yield _line("", f"awseip's calls of AWS: {told}", when)
    if node.ports:
        told = ", ".join(f"port {port} {'answers' if is_open else 'closed'}" for port, is_open in node.ports.items())
        chains = "".join(f"; {chain_words(chain)}" for chain in node.chains)
        trouble = f"; {node.chain_trouble}" if node.chain_trouble else ""
        yield _line("", f"{told}{chains}{trouble}", _age(ports))


def _words(node: Node, *, known: bool) -> Iterator[str]:
    """What is to be said of a node in a row of words. known: whether it told so itself now."""
    state = {True: "online", False: "OFFLINE", None: "state not known"}[node.online]
    yield f"{state}, DC" if node.dc else state
    yield from (word for word in ("standby", "maintenance", "pending", "unclean") if getattr(node, word))
    if node.health not in (None, "green"):
        yield f"health {node.health}"
    if not node.runs_pacemaker and known:
        yield f"pacemaker {node.pacemaker_service}"
    yield {True: "member", False: "NO MEMBER", None: "membership not known"}[node.joined]
    for link in node.links if known else ():
        if link.ok is not None:
            yield f"link {link.number} {'up' if link.ok else 'DOWN'}"


def table(reports: Sequence[Report]) -> str:
    """Several clusters, a line each."""
    rows = [("cluster", *COLUMNS), *((report.cluster, *row(report)) for report in reports)]
    widths = [max(len(line[column]) for line in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in rows
    )


COLUMNS = ("verdict", "elastic ip", "holder", "online", "seen")


def row(report: Report) -> tuple[str, str, str, str, str]:
    """A cluster's cells below COLUMNS."""
    return (
        VERDICT_WORDS[report.verdict],
        report.elastic_ip or "not known",
        _both_words(report),
        online(report),
        "never" if report.seen_at is None else f"{ago(report.at - report.seen_at)} ago",
    )


def _both_words(report: Report) -> str:
    if report.agree is False:
        return f"EC2 {holder(report.holder_by_ec2)}, cluster {holder(report.holder_by_cluster)}: DISAGREE"
    return holder(report.holder)


class Log:
    """Tells a cluster to a log: all of it at first, then what changes, and a line a minute where nothing does."""

    def __init__(self) -> None:
        self._before: Report | None = None
        self._told = 0.0

    def lines(self, report: Report) -> list[str]:
        """What there is to print of a new report."""
        before, self._before = self._before, report
        if before is None:
            self._told = report.at
            return [block(report)]
        found = list(_changes(before, report))
        if not found and report.at - self._told < BEAT:
            return []
        self._told = report.at
        head = f"{_stamp(report.at)} {report.cluster}"
        return [f"{head}: {line}" for line in found or [_beat(report)]]


def _changes(before: Report, now: Report) -> Iterator[str]:
    if now.verdict != before.verdict:
        yield f"{VERDICT_WORDS[now.verdict].upper()}, was {VERDICT_WORDS[before.verdict]}"
    changes: Sequence[tuple[str, str, Mapping[object, str], Mapping[object, str]]] = (
        ("reason", "solved", _by_code(before.reasons), _by_code(now.reasons)),
        ("doubt", "settled", _by_code(before.doubts), _by_code(now.doubts)),
        ("note", "no longer", {each: each for each in before.warnings}, {each: each for each in now.warnings}),
    )
    for word, gone, old, new in changes:
        yield from (f"{word}: {text}" for key, text in new.items() if key not in old)
        yield from (f"{gone}: {text}" for key, text in old.items() if key not in new)
    for who, old_holder, new_holder in (
        ("EC2 says", before.holder_by_ec2, now.holder_by_ec2),
        ("the cluster says", before.holder_by_cluster, now.holder_by_cluster),
    ):
        if old_holder != new_holder:
            yield f"Elastic IP: {who} {holder(new_holder)}, was {holder(old_holder)}"
    known = {(event.kind, event.node, event.resource, round(event.at)) for event in before.events}
    latest = max((event.at for event in before.events), default=0.0)
    for event in reversed(now.events):
        if (event.kind, event.node, event.resource, round(event.at)) not in known and event.at > latest - BEAT:
            yield f"event of {clock(event.at, now.at)}: {event.text}"


def _by_code(reasons: Sequence[Reason]) -> dict[object, str]:
    """A sentence that counts seconds is another at each look, and the same reason."""
    return {(reason.code, reason.node): reason.text for reason in reasons}


def _beat(report: Report) -> str:
    where = {None: "of the Elastic IP nothing is known", NOBODY: "the Elastic IP is nowhere"}.get(
        report.holder_by_cluster, f"the Elastic IP is on {report.holder_by_cluster}"
    )
    return f"{VERDICT_WORDS[report.verdict]}; {where}; online: {online(report)}"


def _stamp(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
