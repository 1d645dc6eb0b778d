"""How a cluster is, as rows: of the verdict, a node, the address, the cluster, the events. What is old is marked with its age."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from textual.content import Content

from iconha_tui.status.report import VERDICT_WORDS, Event, Node, Operation, Reason, Report, Source
from iconha_tui.status.sentences import (
    ago,
    chain_words,
    clock,
    command,
    failures,
    headline,
    holder,
    machine,
    place,
    view_words,
)
from iconha_tui.widgets.glyphs import mark
from iconha_tui.widgets.hanging import MUTED, Row
from iconha_tui.widgets.pair_look import MARKS

VERDICTS = {verdict: (look, VERDICT_WORDS[verdict]) for verdict, look in MARKS.items()}
"""Verdict -> the state that it looks like, and its word."""

_LOOKS = {
    "joined": "done",
    "found": "done",
    "started": "done",
    "quorum": "done",
    "cleared": "done",
    "moved": "warning",
    "stopped": "cancelled",
    "left": "failed",
    "failed": "failed",
    "fenced": "failed",
    "not fenced": "failed",
    "no quorum": "failed",
}
"""Kind of an event -> the state that it looks like; its sentence has the word."""


def state(look: str, word: str) -> Content:
    """A glyph and the word beside it."""
    found = mark(look)
    return Content.styled(f"{found.glyph} {word}", found.style)


def known(good: bool | None, yes: str, no: str, *, bad: str = "failed") -> Content:
    """Something that is so, is not so, or is not known."""
    if good is None:
        return state("unknown", mark("unknown").word)
    return state("done", yes) if good else state(bad, no)


def verdict_rows(report: Report) -> Iterator[Row]:
    """The verdict, and all its reasons."""
    look, word = VERDICTS[report.verdict]
    yield Content.assemble(state(look, word.upper()), "   "), headline(report)
    if summary := _summary(report):
        yield "", summary
    loud = report.verdict in ("split", "down")
    for number, reason in enumerate(report.reasons):
        failed = mark("failed")
        if loud and not number:
            yield (
                Content.styled(f" {failed.glyph} ", "$text-error reverse bold"),
                Content.styled(f" {reason.text} ", "$text-error reverse bold"),
            )
        else:
            yield Content.styled(f"{failed.glyph} ", failed.style), reason.text
        yield from _remedy(reason)
    for reason in report.doubts:
        yield Content.styled(f"{mark('unknown').glyph} ", mark("unknown").style), reason.text
        yield from _remedy(reason)
    for sentence in report.warnings:
        yield Content.styled(f"{mark('warning').glyph} ", mark("warning").style), sentence


def _remedy(reason: Reason) -> Iterator[Row]:
    if reason.remedy:
        yield "  ", Content.styled(reason.remedy, MUTED)
    if told := command(reason):
        yield "  ", told


def _summary(report: Report) -> str:
    if not report.holder:
        return ""
    found = next(
        (each.since for each in report.resources if each.node == report.holder and not report.view.trouble), None
    )
    since = f", for {ago(report.at - found)}" if found else ""
    return f"{report.elastic_ip or 'the Elastic IP'} is on {report.holder}{since}"


def node_rows(node: Node, report: Report) -> Iterator[Row]:
    """All that is known of a node."""
    aws, look, ports = report.source("aws"), report.source("node", node.name), report.source("ports", node.name)
    stopped = not look.trouble and not node.runs_pacemaker
    by_another = look.trouble and not report.view.trouble
    said_by = [Content.styled(f"by {report.seen_by}'s word", MUTED)] if by_another else []
    yield _row("pacemaker", [*_pacemaker(node), *said_by], None if stopped else report.view)
    members = look if look.seen_at is not None and not look.trouble else report.view
    yield _row("corosync", _corosync(node, is_old=bool(look.trouble)), members)
    yield _row("instance", _instance(node), aws)
    if addresses := place(node):
        yield _row("addresses", [Content(", ".join(addresses))], aws)
    system = [Content.styled(node.os or "", MUTED)] if node.answers else []
    yield _row("ssh", [known(node.answers, "answers", "does not answer"), *system], None)
    if inside := machine(node):
        yield _row("machine", [Content(", ".join(inside))], look)
    if node.calls:
        calls = report.source("calls", node.name)
        shown = look if look.trouble else calls
        yield _row("AWS calls", _calls(node, shown), shown)
    if not node.ports:
        yield _row("ports", [known(None, "", "")], None)
        return
    answers = (
        known(is_open, f"{port} answers", f"{port} closed", bad="warning") for port, is_open in node.ports.items()
    )
    yield _row("ports", answers, ports)
    for chain in node.chains:
        yield _row(
            "P-Rep", [state("done" if chain.state.startswith("started") else "failed", chain_words(chain))], ports
        )
    if node.chain_trouble:
        yield _row("P-Rep", [state("unknown", node.chain_trouble)], ports)


def _calls(node: Node, source: Source) -> Iterator[Content]:
    refused = [call.name for call in node.calls if not call.allowed]
    yield known(not refused, f"{len(node.calls)} of 4 allowed", f"refused: {', '.join(refused)}")
    if source.age_s is not None and not source.trouble:
        yield Content.styled(f"tried {ago(source.age_s)} ago", MUTED)


def _pacemaker(node: Node) -> Iterator[Content]:
    if not node.runs_pacemaker and not node.online:
        yield state("failed", f"does not run ({node.pacemaker_service})")
    else:
        yield known(node.online, "online", "offline")
        if node.dc:
            yield Content.styled("DC", "bold")
        for word in ("standby", "maintenance", "pending", "unclean"):
            if getattr(node, word):
                yield state("warning", word)
        if node.health not in (None, "green"):
            yield state("warning", f"health {node.health}")
    yield Content.styled(node.pacemaker or "", MUTED)


def _corosync(node: Node, *, is_old: bool) -> Iterator[Content]:
    if not node.runs_corosync and not is_old:
        yield state("failed", f"does not run ({node.corosync_service})")
    else:
        yield known(node.joined, "member", "no member")
        for link in node.links:
            if link.ok is not None and not is_old:
                yield known(link.ok, f"link {link.number} up", f"link {link.number} down")
    yield Content.styled(node.corosync or "", MUTED)


def _instance(node: Node) -> Iterator[Content]:
    if node.instance_id is None:
        yield known(None, "", "")
    else:
        yield known(node.instance_state == "running", "running", node.instance_state or "in no known state")
        yield Content.styled(f"{node.instance_id}  {node.zone or ''}".rstrip(), MUTED)


def address_rows(report: Report) -> Iterator[Row]:
    """The Elastic IP by both words, and the resource that carries it."""
    aws = report.source("aws")
    view = report.view
    yield _row(
        "address", [Content(report.elastic_ip or "not known"), Content.styled(report.allocation_id or "", MUTED)], None
    )
    yield _row("EC2 says", [Content.styled(holder(report.holder_by_ec2), "bold")], aws)
    yield _row("cluster says", [Content.styled(holder(report.holder_by_cluster), "bold")], view)
    if report.agree is not None:
        yield _row("", [known(report.agree, "they agree", "THEY DISAGREE")], None)
    for resource in report.resources:
        where = f"{resource.role or 'not known'}{f' on {resource.node}' if resource.node else ''}"
        yield _row(
            resource.id, [known(None if resource.role is None else resource.node is not None, where, where)], view
        )
        if resource.since:
            yield _row(
                "since", [Content(f"{clock(resource.since, report.at)} ({ago(report.at - resource.since)})")], view
            )
        counted = any(resource.failcounts.values())
        yield _row("failures", [state("failed" if counted else "done", failures(resource))], view)
        for number, each in enumerate(resource.operations[:4]):
            when = clock(each.at, report.at) if each.at else "?"
            said = Content.assemble((f"{when}  ", MUTED), f"{each.task} on {each.node}")
            took = f"{each.seconds:.1f} s" if each.seconds else ""
            yield _row(
                "" if number else "operations",
                [said, _result(each), Content.styled(took, MUTED)],
                None,
            )


def _result(operation: Operation) -> Content:
    if operation.ok is None:
        return state("running", operation.result)
    return known(operation.ok or operation.task == "probe", operation.result, operation.result)


def cluster_rows(report: Report) -> Iterator[Row]:
    """Quorum, and who says so."""
    if report.seen_by is None:
        yield "", state("unknown", "no node has told the state of the cluster")
        return
    view = report.view
    votes = f"{report.votes} of {report.expected_votes} votes" if report.votes is not None else ""
    yield _row("quorum", [known(report.quorate, "quorate", "no quorum"), Content.styled(votes, MUTED)], view)
    if report.quorum_flags:
        yield _row("flags", [Content(", ".join(report.quorum_flags))], view)
    controller = next((node.name for node in report.nodes if node.dc), None)
    yield _row("controller", [Content(controller or "none")], view)
    for told in report.views:
        yield _row(
            told.node,
            [Content(view_words(told).partition(": ")[2] or view_words(told))],
            report.source("view", told.node),
        )
    for failure in report.failures:
        yield _row("failed", [state("failed", failure)], view)


def event_rows(report: Report) -> Iterator[Row]:
    """What befell the cluster, newest first."""
    for event in report.events:
        yield _event(event, report.at)
    if not report.events:
        yield "", Content.styled("None is known: the nodes' journals have not been read, or tell of none.", MUTED)


def _event(event: Event, now: float) -> Row:
    look = mark(_LOOKS[event.kind])
    return (
        Content.styled(f"{clock(event.at, now):<8}  ", MUTED),
        Content.assemble((f"{look.glyph} ", look.style), event.text),
    )


def ages(sources: Iterable[Source]) -> Content:
    """How old parts are: the oldest that is seen now, or what is old."""
    # awseip's calls are tried far more seldom than the rest is looked at, and say themselves when that was.
    told = [source for source in sources if source.part != "calls"]
    if all(source.age_s is None for source in told):
        return Content.styled("not seen yet", MUTED)
    if all(source.trouble for source in told):
        return state("warning", f"{ago(min(source.age_s for source in told if source.age_s is not None))} old")
    return Content.styled(f"seen {ago(max(source.age_s or 0 for source in told if not source.trouble))} ago", MUTED)


def _row(word: str, said: Iterable[Content], source: Source | None) -> Row:
    """source: what it was seen by; what is old is told so, and without the colours of what is true now."""
    told = Content("  ").join(each for each in said if each)
    if source is not None and source.trouble and source.age_s is not None:
        age = state("warning", f"was, {ago(source.age_s)} ago: ")
        told = Content.assemble(age, (told.plain, MUTED))
    return Content.styled(f"{word:<13}", MUTED), told
