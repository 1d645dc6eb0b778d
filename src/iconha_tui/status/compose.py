"""Puts a report together from what the looks brought, pure: the parts and the time go in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from iconha_tui.cluster.crm_mon import ResourceHistory, ResourceStatus, milliseconds, seconds_since_1970
from iconha_tui.cluster.log_events import ClusterEvent, operation_event, parse_events, timeline
from iconha_tui.spec import Spec
from iconha_tui.stages.security_group import corosync_ports
from iconha_tui.status import own_work, said
from iconha_tui.status.eyes import Answer
from iconha_tui.status.report import (
    NOBODY,
    SCHEMA,
    Chain,
    Event,
    Link,
    Node,
    Operation,
    Report,
    Resource,
    Source,
    View,
)
from iconha_tui.status.said import Said
from iconha_tui.status.sentences import ago, event_sentence
from iconha_tui.status.verdict import Heard, judge

NOT_YET = "It has not been looked at yet."
EVENTS = 100
"""Events of a report."""
OPERATIONS = 8
"""Operations of a resource."""


@dataclass(frozen=True)
class Part:
    """One thing that is looked at. answer: the last that a look brought. trouble: why the newest brought none, or "".

    before: the answer before that, where the same run of the program brought it.
    """

    part: str
    node: str | None = None
    seen_at: float | None = None
    answer: Answer | None = None
    trouble: str = ""
    before: Answer | None = None

    @property
    def fresh(self) -> bool:
        """Whether the newest look brought the answer."""
        return self.answer is not None and not self.trouble


Parts = Mapping[tuple[str, str | None], Part]


def compose(
    spec: Spec,
    parts: Parts,
    at: float,
    lasts: float = float("inf"),
    *,
    program: tuple[str, ...] = ("iconha-tui",),
    work: Sequence[own_work.Done] = (),
) -> Report:
    """The report of a moment.

    lasts: seconds after which an answer counts no longer, also where no look has failed since: one that hangs brings neither an
    answer nor a failure. program: how this program is called, for what is told to be typed. work: what it did itself.
    """
    parts = {key: _aged(part, at, CALLS_LAST if part.part == "calls" else lasts) for key, part in parts.items()}
    aws = parts["aws", None]
    facts = aws.answer or {}
    looks = {name: parts["node", name] for name in spec.names}
    views = {name: parts["view", name] for name in spec.names}
    told = {name: said.read(look.answer) for name, look in looks.items() if look.answer is not None}
    viewed = {name: said.read(view.answer) for name, view in views.items() if view.answer is not None}
    viewed = {
        name: each for name, each in viewed.items() if each.view is not None
    }  # what was remembered may be anything
    nodes = [_node(name, facts, looks[name], parts["ports", name], told.get(name)) for name in spec.names]
    teller = _best_view(views, viewed)
    holder = _holder(facts, nodes) if aws.answer is not None else None
    tried = {name: parts["calls", name] for name in spec.names if name != holder}
    for node in nodes:
        if node.name in tried and (answer := tried[node.name].answer) is not None:
            node.calls = list(said.read_calls(answer).calls)
    shown = [part for part in parts.values() if part.part != "calls" or part.node in tried]
    report = Report(
        schema=SCHEMA,
        cluster=spec.name,
        at=round(at, 1),
        verdict="unknown",
        reasons=[],
        doubts=[],
        warnings=[],
        agree=None,
        standby=None,
        address_resource=spec.elastic_ip.id,
        sources=[_source(part, at) for part in shown],
        nodes=nodes,
        views=[_view(name, spec, views[name], viewed.get(name)) for name in spec.names],
        seen_by=teller,
        seen_at=views[teller].seen_at if teller else None,
        quorate=None,
        quorum_flags=[],
        votes=None,
        expected_votes=None,
        options={},
        resources=[],
        failures=[],
        elastic_ip=facts.get("elastic_ip"),
        allocation_id=facts.get("allocation_id"),
        holder_by_ec2=holder,
        holder_by_cluster=None,
        events=[],
    )
    if teller:
        _take_cluster(report, viewed[teller])
        for each in report.resources:
            if each.id == report.address_resource:
                each.failcounts |= {
                    name: max(count, viewed[name].fail_count)
                    for name, count in each.failcounts.items()
                    if name in viewed
                }
    for node in nodes:
        if looks[node.name].fresh and not node.runs_pacemaker:
            node.online = False
    report.events = _events(report, told, viewed.get(teller or ""), work)
    fresh = {name: each for name, each in told.items() if looks[name].fresh}
    judge(
        report,
        Heard(
            said=fresh,
            compared=_of_one_time(looks) if len(fresh) == len(spec.names) else None,
            tried={name: said.read_calls(part.answer) for name, part in tried.items() if part.answer and part.fresh},
            account=spec.aws,
            ports=corosync_ports(spec),
            program=program,
        ),
    )
    return report


CALLS_LAST = 900.0
"""Seconds for which awseip's calls count as tried: they are tried anew every five minutes."""
_TOGETHER = 2.0
"""Seconds within which two nodes have to be asked for their words to be compared: what one says changes with every event."""


def _aged(part: Part, at: float, lasts: float) -> Part:
    if part.fresh and part.seen_at is not None and at - part.seen_at > lasts:
        return replace(part, trouble=f"No answer has come for {ago(at - part.seen_at)}.")
    return part


def _of_one_time(looks: Mapping[str, Part]) -> tuple[Said, Said] | None:
    """What both nodes said when they were asked at the same time, as late as there is such a time."""
    one, two = (
        [said.read(answer) for answer in (look.answer, look.before) if answer is not None] for look in looks.values()
    )
    pairs = [(a, b) for a in one for b in two if abs(a.began - b.began) <= _TOGETHER]
    return max(pairs, key=lambda pair: pair[0].began + pair[1].began, default=None)


def view_of(name: str, other: str, resource: str, told: Said) -> View:
    """What a node says of the cluster. resource: id of the address's."""
    view = told.view
    heartbeat = told.heartbeat
    found = View(
        name,
        quorate=told.quorum.quorate,
        cib=None if told.cib is None else str(told.cib),
        token_age_s=None if heartbeat.token_age_ms is None else heartbeat.token_age_ms / 1000,
        cut_off=heartbeat.firewall_or_nic_failure,
    )
    if view is None:
        return found
    found.online = {node.name: node.online for node in view.nodes if node.name in (name, other)}
    found.dc = view.dc or NOBODY
    instances = view.instances(resource)
    found.holder = list(dict.fromkeys(node for each in instances if each.active for node in each.nodes))
    if told.takeover is not None:
        enclosing = [name for each in instances[:1] for name in each.enclosing]
        places = told.takeover.runs_on(resource, *enclosing)
        found.takeover = None if places is None else list(places)
    return found


def _view(name: str, spec: Spec, part: Part, told: Said | None) -> View:
    if told is None:
        return View(name)
    other = next(each for each in spec.names if each != name)
    return replace(view_of(name, other, spec.elastic_ip.id, told), current=part.fresh)


def _source(part: Part, at: float) -> Source:
    age = None if part.seen_at is None else round(max(at - part.seen_at, 0), 1)
    trouble = part.trouble or ("" if part.answer is not None else NOT_YET)
    return Source(part.part, part.node, part.seen_at, age, trouble)  # type: ignore[arg-type]


def _node(name: str, facts: Answer, look: Part, ports: Part, told: Said | None) -> Node:
    found = Node(
        name,
        instance_id=facts.get(f"{name}.instance_id"),
        instance_state=facts.get(f"{name}.state"),
        zone=facts.get(f"{name}.zone"),
        private_ip=facts.get(f"{name}.private_ip"),
        public_ip=facts.get(f"{name}.public_ip"),
        answers=look.fresh if look.answer is not None or look.trouble else None,
    )
    if ports.answer is not None:
        found.ports = {port: bool(is_open) for port, is_open in ports.answer.items() if port.isdigit()}
        found.chains = [Chain(**each) for each in ports.answer.get("chains") or ()]
        found.chain_trouble = ports.answer.get("chain_trouble") or ""
    if told is None:
        return found
    found.corosync_service, found.pacemaker_service = told.services
    found.controller = told.controller
    found.starts_at_boot, found.agent, found.awscli = told.starts_at_boot, told.agent, told.awscli
    found.room = told.room
    found.links = [
        Link(link.number, link.address, None if link.faulty is None else not link.faulty) for link in told.links
    ]
    found.uptime_s, found.load, found.os = told.uptime_s, told.load, told.os
    found.clock_offset_s, found.clock_uncertainty_s = told.offset, told.uncertainty
    found.corosync, found.pacemaker = told.corosync, told.pacemaker
    joined = {address for member in told.members if member.joined for address in member.addresses.values()}
    if look.fresh and (told.members or not found.runs_corosync):
        found.joined = found.private_ip in joined if found.private_ip and joined else bool(joined)
    return found


def _holder(facts: Answer, nodes: list[Node]) -> str:
    holder = facts.get("holder")
    ours = {node.instance_id: node.name for node in nodes if node.instance_id}
    return str(ours.get(holder, holder)) if holder else NOBODY


def _best_view(views: Mapping[str, Part], told: Mapping[str, Said]) -> str | None:
    """Whose view to take: a fresh one, with quorum and a DC. A node that is cut off may still believe in an older world."""

    def rank(name: str) -> tuple[bool, bool, bool, bool, float]:
        view, part = told[name].view, views[name]
        assert view is not None  # noqa: S101  that is what makes it a view
        age = 0 if part.fresh else part.seen_at or 0
        return part.fresh, bool(view.with_quorum), view.dc is not None, view.dc == name, age

    return max(told, key=rank, default=None)


def _take_cluster(report: Report, told: Said) -> None:
    view = told.view
    assert view is not None  # noqa: S101  the teller has one
    # Pacemaker's `with_quorum` is of the DC; where it has none, Corosync's own word.
    report.quorate = told.quorum.quorate if view.with_quorum is None else view.with_quorum
    report.quorum_flags = sorted(told.quorum.flags)
    report.votes, report.expected_votes = told.quorum.total_votes, told.quorum.expected_votes
    for node in report.nodes:
        seen = view.node(node.name)
        if seen is not None:
            node.online, node.standby, node.maintenance = seen.online, seen.standby, seen.maintenance
            node.pending, node.unclean, node.standby_onfail = seen.pending, seen.unclean, seen.standby_onfail
            node.health = seen.health
            node.dc = view.dc == node.name
        if node.joined is None and node.private_ip:
            members = {ip: member.joined for member in told.members for ip in member.addresses.values()}
            node.joined = members.get(node.private_ip, False if members else None)
    report.options = view.options
    report.resources = [_resource(each, view.histories(each.primitive), report.nodes) for each in view.resources]
    instances = view.instances(report.address_resource)
    places = [node for each in instances if each.active for node in each.nodes]
    by_ec2 = report.holder_by_ec2
    report.holder_by_cluster = (by_ec2 if by_ec2 in places else next(iter(places), NOBODY)) if instances else None
    report.failures = [
        f"{each.operation or 'an operation'} on {each.node or '?'}: {each.reason or each.status or 'failed'}"
        for each in view.failures
    ]


def _resource(resource: ResourceStatus, histories: Sequence[ResourceHistory], nodes: list[Node]) -> Resource:
    fails = {
        name: max(each.fail_count for each in histories if each.node == name) for name in {h.node for h in histories}
    }
    operations = [
        Operation(
            at=seconds_since_1970(each.when),
            node=history.node,
            task=each.task or "?",
            ok=each.good,
            result="under way" if each.good is None else each.reason or each.code_text or "?",
            seconds=milliseconds(each.exec_time) / 1000,
        )
        for history in histories
        for each in dict.fromkeys(history.operations)
    ]
    operations.sort(key=lambda each: each.at or 0, reverse=True)
    starts = [each for each in operations if each.task in ("start", "probe") and each.ok]
    node = resource.started_on
    return Resource(
        id=resource.id,
        agent=resource.agent,
        role=resource.role,
        node=node,
        since=next((each.at for each in starts if each.node == node), None) if node else None,
        active_on=list(resource.nodes) if resource.active else [],
        target_role=resource.target_role,
        managed=resource.managed,
        orphaned=resource.orphaned,
        blocked=resource.blocked,
        failure_ignored=resource.failure_ignored,
        failed=resource.failed,
        failcounts={each.name: fails.get(each.name, 0) for each in nodes},
        migration_threshold=next((each.migration_threshold for each in histories), None),
        operations=operations[:OPERATIONS],
    )


def _events(
    report: Report, told: Mapping[str, Said], teller: Said | None, work: Sequence[own_work.Done]
) -> list[Event]:
    names = {number: node.name for number, node in enumerate(report.nodes, start=1)}
    if teller is not None:
        names |= teller.names()
    found = [event for name, each in told.items() for event in _by_our_clock(name, each, names)]
    found += _operations(report, -_offset(teller) if teller else 0)
    return [_event(event, work) for event in timeline(found, EVENTS)]


def _event(event: ClusterEvent, work: Sequence[own_work.Done]) -> Event:
    ours = own_work.cause(event, work)
    told = event_sentence(event) + (f" (this program ran `{ours.command}` on {ours.node})" if ours else "")
    return Event(round(event.at, 3), event.kind, event.node, event.resource, told)


def _by_our_clock(name: str, told: Said, names: Mapping[int, str]) -> Iterator[ClusterEvent]:
    for event in parse_events(told.log, names, name):
        yield replace(event, at=event.at - _offset(told))


def _offset(told: Said) -> float:
    """What the node's clock is ahead for certain."""
    if told.offset is None or told.uncertainty is None or abs(told.offset) <= told.uncertainty:
        return 0
    return told.offset


def _operations(report: Report, by: float) -> Iterator[ClusterEvent]:
    """The history tells of the past too, where a journal does not reach: it is kept in the CIB, on both nodes."""
    for resource in report.resources:
        for each in resource.operations:
            if each.at is not None and each.ok is not None:
                ended = each.at + by + (0 if each.task == "monitor" else each.seconds)
                event = operation_event(ended, each.task, resource.id, each.node, each.ok, each.result, "history")
                if event:
                    yield event
