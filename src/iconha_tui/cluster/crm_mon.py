"""The state of the cluster, from crm_mon's XML.

Reads `crm_mon -X` and `crm_mon --output-as=xml` of Pacemaker 1.1 to 3.0. What a release does not say is None: the
schemas have grown (xml/api/crm_mon-*.rng in ClusterLabs/pacemaker), and no part but the root is counted on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from xml.etree.ElementTree import Element

from iconha_tui.cluster.scheduler import STARTED
from iconha_tui.cluster.untrusted_xml import ClusterXMLError, boolean, number, read_xml

ROOTS = ("crm_mon", "pacemaker-result")


NodeState = Literal["UNCLEAN", "pending", "standby", "maintenance", "online", "OFFLINE"]

HARD_ERRORS = frozenset({2, 3, 4, 5})
"""Exit codes of an agent after which Pacemaker never tries the resource on that node again, before a clean-up: invalid
parameter, unimplemented, insufficient privileges, not installed (5: the agent, or what it needs, is missing)."""


class CrmMonError(ClusterXMLError):
    """crm_mon reported a failure of its own: the cluster is not running (code 102 since 2.0, 107 before), or worse."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"crm_mon failed with code {code}: {message}")
        self.code = code

    @property
    def not_running(self) -> bool:
        return self.code in (102, 107)


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """One node as the cluster sees it. `id` is Corosync's node id.

    unclean: it has to be fenced, or its own word of its resources is missing; a node may be so while it is online.
    pending: it is a member, and has not yet joined Pacemaker's process group. standby_onfail: a failure put it on standby.
    shutdown: it asked to leave. health: green, yellow or red; None before Pacemaker 2.1.
    """

    name: str
    id: str | None
    online: bool | None
    standby: bool | None
    standby_onfail: bool | None
    unclean: bool | None
    maintenance: bool | None
    pending: bool | None
    shutdown: bool | None
    health: str | None
    is_dc: bool | None
    type: str | None

    @property
    def state(self) -> NodeState | None:
        """The one word for it, as crm_mon's text has it: what goes before hides what comes after. None where it is not told."""
        if self.unclean:
            return "UNCLEAN"
        if self.pending:
            return "pending"
        if self.online is None:
            return None
        if self.online and (self.standby_onfail or self.standby):
            return "standby"
        if self.online and self.maintenance:
            return "maintenance"
        return "online" if self.online else "OFFLINE"


@dataclass(frozen=True, slots=True)
class ResourceStatus:
    """One instance of a resource. `role` is Started, Stopped, …; `nodes` are the names of the nodes on which it is active.

    id: as crm_mon has it; instances of a unique clone end in their number, like elastic-ip:1. enclosing: the ids of the groups,
    clones and bundles that it is in, the innermost first. orphaned: it runs, and is no longer configured ("removed" since
    Pacemaker 3.0.2). blocked: the cluster does nothing more about it, mostly after a stop that failed. failure_ignored: it
    failed, and on-fail=ignore. target_role: what it is told to be, where it is told; Stopped is what crm_mon calls disabled.
    maintenance: from Pacemaker 3.0 on.
    """

    id: str
    agent: str
    role: str | None
    target_role: str | None
    active: bool | None
    orphaned: bool | None
    failed: bool | None
    failure_ignored: bool | None
    managed: bool | None
    maintenance: bool | None
    blocked: bool | None
    nodes: tuple[str, ...]
    enclosing: tuple[str, ...] = ()

    @property
    def primitive(self) -> str:
        """The id of the primitive, of which this is an instance."""
        return _INSTANCE.sub("", self.id)

    @property
    def started_on(self) -> str | None:
        """The one node where it is started; None where it is stopped, failed, or active on several."""
        healthy = self.role == "Started" and self.active and not self.failed and len(self.nodes) == 1
        return self.nodes[0] if healthy else None


_INSTANCE = re.compile(r":[0-9]{1,9}\Z")


@dataclass(frozen=True, slots=True)
class Failure:
    """An operation that failed and was not cleaned up. `operation` is like elastic-ip_monitor_10000."""

    operation: str | None
    resource: str | None
    task: str | None
    node: str | None
    code: int | None
    status: str | None
    reason: str | None
    when: str | None


_UNDER_WAY = 193
"""What Pacemaker writes down as the exit code of an operation that has not ended (PCMK_OCF_UNKNOWN, once PCMK_OCF_PENDING)."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a resource's history. `when` is as crm_mon wrote it, `exec_time` like "913ms"."""

    task: str | None
    call: int | None
    interval: str | None
    code: int | None
    code_text: str | None
    reason: str | None
    when: str | None
    exec_time: str | None

    @property
    def good(self) -> bool | None:
        """Whether its exit code was 0; None while it is under way."""
        return None if self.code == _UNDER_WAY else self.code == 0


@dataclass(frozen=True, slots=True)
class ResourceHistory:
    """What became of a resource on a node. `fail_count` is 0 where none is recorded; INFINITY is 1000000.

    resource: with the instance's number where the clone is unique.
    """

    node: str
    resource: str
    orphaned: bool | None
    fail_count: int
    migration_threshold: int | None
    last_failure: str | None
    operations: tuple[Operation, ...]

    @property
    def hard_error(self) -> Operation | None:
        """The operation whose result keeps the resource off the node for good, where there is one."""
        return next((operation for operation in self.operations if operation.code in HARD_ERRORS), None)


@dataclass(frozen=True, slots=True)
class Ban:
    """A location constraint that keeps a resource, or clone, off a node. `weight` is its score, -1000000 for never."""

    id: str
    resource: str
    node: str
    weight: int | None
    promoted_only: bool | None


@dataclass(frozen=True, slots=True)
class FencingEvent:
    """One entry of the fencing history. `status` is success, failed or pending; `completed` is as crm_mon wrote it.

    delegate: the node that carried it out. client, origin: who asked for it, and on which node.
    """

    target: str
    action: str | None
    status: str | None
    reason: str | None
    delegate: str | None
    client: str | None
    origin: str | None
    completed: str | None


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    """One reading. `version` is the DC's Pacemaker; `pacemakerd` is running, shutting_down, … where it is told.

    dc: None where none is elected. options: the cluster's, with the values that count, like stonith-enabled. attributes: the
    nodes' by node. fencing: its history, the newest first, from Pacemaker 2.0 on.
    """

    version: str | None
    pacemakerd: str | None
    stack: str | None
    dc: str | None
    with_quorum: bool | None
    nodes: tuple[NodeStatus, ...]
    resources: tuple[ResourceStatus, ...]
    failures: tuple[Failure, ...]
    history: tuple[ResourceHistory, ...]
    attributes: dict[str, dict[str, str]]
    options: dict[str, str]
    bans: tuple[Ban, ...]
    fencing: tuple[FencingEvent, ...]

    def node(self, name: str) -> NodeStatus | None:
        return next((node for node in self.nodes if node.name == name), None)

    def resource(self, id: str) -> ResourceStatus | None:
        """The resource, or its first instance where it is cloned."""
        return next(iter(self.instances(id)), None)

    def instances(self, id: str) -> tuple[ResourceStatus, ...]:
        """Every instance of a primitive: one, unless it is cloned."""
        return tuple(resource for resource in self.resources if resource.primitive == id)

    def started_on(self, id: str) -> tuple[str, ...]:
        """The nodes on which a primitive runs well, by all its instances; more than one where it is cloned."""
        nodes = (
            node
            for each in self.instances(id)
            if each.role in STARTED and each.active and not each.failed
            for node in each.nodes
        )
        return tuple(dict.fromkeys(nodes))

    def histories(self, id: str) -> tuple[ResourceHistory, ...]:
        """What became of a primitive, by node, and by instance where the clone is unique."""
        return tuple(history for history in self.history if _INSTANCE.sub("", history.resource) == id)

    def bans_of(self, id: str) -> tuple[Ban, ...]:
        """The constraints that keep a primitive off a node, also those of the groups and clones that it is in."""
        names = {id, *(name for each in self.instances(id) for name in each.enclosing)}
        return tuple(ban for ban in self.bans if ban.resource in names)

    def option(self, name: str) -> bool | None:
        """Whether an option of the cluster is on, like maintenance-mode; None where this release does not tell."""
        return {"true": True, "false": False}.get(self.options.get(name, "").lower())


def parse_crm_mon(xml: bytes | str) -> ClusterStatus:
    """Read crm_mon's XML. Raises ClusterXMLError where it is none, CrmMonError where crm_mon reports a failure."""
    root = read_xml(xml, "crm_mon")
    if root.tag not in ROOTS:
        raise ClusterXMLError(f"crm_mon answered with <{root.tag[:40]}>, which is not a status.")
    _raise_failure(root)
    summary = root.find("summary")
    stack = _within(summary, "stack")
    dc = _within(summary, "current_dc")
    pacemakerd = root.find("pacemakerd")
    options = _within(summary, "cluster_options")
    return ClusterStatus(
        version=_text(dc, "version") or _text(root, "version"),
        pacemakerd=_text(stack, "pacemakerd-state") or _text(pacemakerd, "state"),
        stack=_text(stack, "type"),
        dc=_text(dc, "name") if boolean(dc, "present") is not False else None,
        with_quorum=boolean(dc, "with_quorum"),
        nodes=tuple(_nodes(root)),
        resources=tuple(_resources(root)),
        failures=tuple(_failures(root)),
        history=tuple(_history(root)),
        attributes={
            node.get("name", ""): {each.get("name", ""): each.get("value", "") for each in node.iter("attribute")}
            for node in root.iterfind("node_attributes/node")
        },
        options=dict(options.attrib) if options is not None else {},
        bans=tuple(_bans(root)),
        fencing=tuple(_fencing(root)),
    )


def seconds_since_1970(when: str | None) -> float | None:
    """A time as crm_mon writes it, "Mon Nov 23 13:23:35 2026" or "2026-11-23 13:23:35Z"; a zone that is not named is UTC."""
    for form in ("%a %b %d %H:%M:%S %Y", "%Y-%m-%d %H:%M:%S%z", "%Y-%m-%d %H:%M:%S %z"):
        try:
            found = datetime.strptime(when or "", form)
        except ValueError:
            continue
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    return None


def milliseconds(span: str | None) -> int:
    """A span as crm_mon writes it, like 913ms; 0 where it writes another."""
    match = re.fullmatch(r"([0-9]{1,9})ms", span or "")
    return int(match[1]) if match else 0


def agent_name(agent: str) -> str:
    """`ocf::heartbeat:awseip`, as up to Pacemaker 2.0, becomes `ocf:heartbeat:awseip`."""
    return agent.replace("::", ":", 1)


def _raise_failure(root: Element) -> None:
    status = root.find("status")
    code = number(status, "code")
    reasons = [" ".join((error.text or "").split()) for error in status.iter("error")] if status is not None else []
    # crm_mon 2.1.5 answers code 0 with an error, and nothing else, where it cannot read the CIB (measured).
    if status is not None and (code or (reasons and root.find("summary") is None)):
        raise CrmMonError(code or 0, "; ".join(filter(None, reasons)) or status.get("message") or "no reason was given")


def _nodes(root: Element) -> Iterator[NodeStatus]:
    for node in root.iterfind("nodes/node"):
        yield NodeStatus(
            name=node.get("name", ""),
            id=node.get("id"),
            online=boolean(node, "online"),
            standby=boolean(node, "standby"),
            standby_onfail=boolean(node, "standby_onfail"),
            unclean=boolean(node, "unclean"),
            maintenance=boolean(node, "maintenance"),
            pending=boolean(node, "pending"),
            shutdown=boolean(node, "shutdown"),
            health=node.get("health") or None,
            is_dc=boolean(node, "is_dc"),
            type=node.get("type"),
        )


def _resources(root: Element) -> Iterator[ResourceStatus]:
    for top in root.iterfind("resources"):
        yield from _within_element(top, ())
    # `crm_mon -n` puts those that run below their nodes, and one that runs on several below each.
    yield from dict.fromkeys(found for node in root.iterfind("nodes/node") for found in _within_element(node, ()))


def _within_element(parent: Element, enclosing: tuple[str, ...]) -> Iterator[ResourceStatus]:
    for child in parent:
        if child.tag == "resource":
            yield _resource(child, enclosing)
        else:  # a group, a clone, a bundle, a bundle's replica
            yield from _within_element(child, (child.get("id", ""), *enclosing))


def _resource(resource: Element, enclosing: tuple[str, ...]) -> ResourceStatus:
    return ResourceStatus(
        id=resource.get("id", ""),
        agent=agent_name(resource.get("resource_agent", "")),
        role=resource.get("role"),
        target_role=resource.get("target_role"),
        active=boolean(resource, "active"),
        orphaned=_either(resource, "removed", "orphaned"),
        failed=boolean(resource, "failed"),
        failure_ignored=boolean(resource, "failure_ignored"),
        managed=boolean(resource, "managed"),
        maintenance=boolean(resource, "maintenance"),
        blocked=boolean(resource, "blocked"),
        nodes=tuple(node.get("name", "") for node in resource.iterfind("node")),
        enclosing=enclosing,
    )


def _either(element: Element, name: str, old: str) -> bool | None:
    """An attribute that was renamed."""
    value = boolean(element, name)
    return boolean(element, old) if value is None else value


def _bans(root: Element) -> Iterator[Ban]:
    for ban in root.iterfind("bans/ban"):
        yield Ban(
            id=ban.get("id", ""),
            resource=ban.get("resource", ""),
            node=ban.get("node", ""),
            weight=number(ban, "weight"),
            promoted_only=_either(ban, "promoted-only", "master_only"),
        )


def _fencing(root: Element) -> Iterator[FencingEvent]:
    for event in root.iterfind("fence_history/fence_event"):
        yield FencingEvent(
            target=event.get("target", ""),
            action=event.get("action"),
            status=event.get("status"),
            reason=event.get("exit-reason") or event.get("extended-status") or None,
            delegate=event.get("delegate") or None,
            client=event.get("client"),
            origin=event.get("origin"),
            completed=event.get("completed"),
        )


def _failures(root: Element) -> Iterator[Failure]:
    for failure in root.iterfind("failures/failure"):
        operation = failure.get("op_key") or failure.get("id")
        yield Failure(
            operation=operation,
            resource=_failed_resource(operation, failure.get("task")),
            task=failure.get("task"),
            node=failure.get("node"),
            code=number(failure, "exitcode"),
            status=failure.get("exitstatus") or failure.get("status"),
            reason=failure.get("exitreason") or None,
            when=failure.get("last-rc-change"),
        )


def _failed_resource(operation: str | None, task: str | None) -> str | None:
    """The resource of <resource>_<task>_<interval>: its own name, and that of the task, may hold underscores."""
    if not operation or operation.count("_") < 2:
        return None
    name = operation.rpartition("_")[0]
    return name.removesuffix(f"_{task}") if task and name.endswith(f"_{task}") else name.rpartition("_")[0]


def _history(root: Element) -> Iterator[ResourceHistory]:
    for node in root.iterfind("node_history/node"):
        for resource in node.iterfind("resource_history"):
            yield ResourceHistory(
                node=node.get("name", ""),
                resource=resource.get("id", ""),
                orphaned=_either(resource, "removed", "orphan"),
                fail_count=number(resource, "fail-count") or 0,
                migration_threshold=number(resource, "migration-threshold"),
                last_failure=resource.get("last-failure"),
                operations=tuple(_operation(each) for each in resource.iterfind("operation_history")),
            )


def _operation(operation: Element) -> Operation:
    return Operation(
        task=operation.get("task"),
        call=number(operation, "call"),
        interval=operation.get("interval"),
        code=number(operation, "rc"),
        code_text=operation.get("rc_text"),
        reason=operation.get("exit-reason") or operation.get("exit_reason") or None,
        when=operation.get("last-rc-change"),
        exec_time=operation.get("exec-time"),
    )


def _within(parent: Element | None, tag: str) -> Element | None:
    return None if parent is None else parent.find(tag)


def _text(element: Element | None, name: str) -> str | None:
    return None if element is None else element.get(name) or None
