"""A status in lines, for a terminal and for a log."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from iconha_tui.status.report import NOBODY, Node, Report, Resource, Source
from iconha_tui.status.sentences import (
    ago,
    chain_words,
    clock,
    failures,
    holder,
    machine,
    online,
    place,
    versions,
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
    yield f"{report.cluster}: {report.verdict.upper()} at {_stamp(report.at)}"
    for word, sentences in (("problem", report.problems), ("note", report.warnings), ("missing", report.missing)):
        for sentence in sentences:
            yield _line(word, sentence)
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
    state = {True: "online", False: "OFFLINE", None: "state not known"}[node.online]
    words = [f"{state}, DC" if node.dc else state]
    words += [word for word in ("standby", "maintenance", "pending", "unclean") if getattr(node, word)]
    words += [f"pacemaker {node.pacemaker_service}"] if not node.runs_pacemaker and not look.trouble else []
    words += [{True: "member", False: "NO MEMBER", None: "membership not known"}[node.joined]]
    links = [] if look.trouble else node.links
    words += [f"link {link.number} {'up' if link.ok else 'DOWN'}" for link in links if link.ok is not None]
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
    if node.ports:
        told = ", ".join(f"port {port} {'answers' if is_open else 'closed'}" for port, is_open in node.ports.items())
        chains = "".join(f"; {chain_words(chain)}" for chain in node.chains)
        trouble = f"; {node.chain_trouble}" if node.chain_trouble else ""
        yield _line("", f"{told}{chains}{trouble}", _age(ports))


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
        report.verdict,
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
        yield f"{now.verdict.upper()}, was {before.verdict}"
    for word, gone, old, new in (
        ("problem", "solved", before.problems, now.problems),
        ("note", "no longer", before.warnings, now.warnings),
        ("missing", "read again", before.missing, now.missing),
    ):
        yield from (f"{word}: {each}" for each in new if each not in old)
        yield from (f"{gone}: {each}" for each in old if each not in new)
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


def _beat(report: Report) -> str:
    where = {None: "of the Elastic IP nothing is known", NOBODY: "the Elastic IP is nowhere"}.get(
        report.holder_by_cluster, f"the Elastic IP is on {report.holder_by_cluster}"
    )
    return f"{report.verdict}; {where}; online: {online(report)}"


def _stamp(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
