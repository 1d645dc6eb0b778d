"""The state of the cluster, from crm_mon's XML.

Reads `crm_mon -X` and `crm_mon --output-as=xml` of Pacemaker 1.1 to 3.0. What a release does not say is None: the
schemas have grown (xml/api/crm_mon-*.rng in ClusterLabs/pacemaker), and no part but the root is counted on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree.ElementTree import Element

from iconha_tui.cluster.untrusted_xml import ClusterXMLError, boolean, number, read_xml

ROOTS = ("crm_mon", "pacemaker-result")


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
    """One node as the cluster sees it. `id` is Corosync's node id."""

    name: str
    id: str | None
    online: bool | None
    standby: bool | None
    unclean: bool | None
    maintenance: bool | None
    pending: bool | None
    is_dc: bool | None
    type: str | None


@dataclass(frozen=True, slots=True)
class ResourceStatus:
    """One resource. `role` is Started, Stopped, …; `nodes` are the names of the nodes on which it is active."""

    id: str
    agent: str
    role: str | None
    active: bool | None
    failed: bool | None
    managed: bool | None
    blocked: bool | None
    nodes: tuple[str, ...]

    @property
    def started_on(self) -> str | None:
        """The one node where it is started; None where it is stopped, failed, or active on several."""
        healthy = self.role == "Started" and self.active and not self.failed and len(self.nodes) == 1
        return self.nodes[0] if healthy else None


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
    """What became of a resource on a node. `fail_count` is 0 where none is recorded; INFINITY is 1000000."""

    node: str
    resource: str
    fail_count: int
    migration_threshold: int | None
    last_failure: str | None
    operations: tuple[Operation, ...]


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    """One reading. `version` is the DC's Pacemaker; `pacemakerd` is running, shutting_down, … where it is told."""

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

    def node(self, name: str) -> NodeStatus | None:
        return next((node for node in self.nodes if node.name == name), None)

    def resource(self, id: str) -> ResourceStatus | None:
        """The resource, or its first instance where it is cloned."""
        return next((resource for resource in self.resources if resource.id in (id, f"{id}:0")), None)


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
            unclean=boolean(node, "unclean"),
            maintenance=boolean(node, "maintenance"),
            pending=boolean(node, "pending"),
            is_dc=boolean(node, "is_dc"),
            type=node.get("type"),
        )


def _resources(root: Element) -> Iterator[ResourceStatus]:
    # `crm_mon -n` puts them below their nodes. Those in groups, clones and bundles are nested deeper.
    seen: set[str] = set()
    for top in (*root.iterfind("resources"), *root.iterfind("nodes")):
        for resource in top.iter("resource"):
            found = _resource(resource)
            if found.id not in seen:
                yield found
            seen.add(found.id)


def _resource(resource: Element) -> ResourceStatus:
    return ResourceStatus(
        id=resource.get("id", ""),
        agent=agent_name(resource.get("resource_agent", "")),
        role=resource.get("role"),
        active=boolean(resource, "active"),
        failed=boolean(resource, "failed"),
        managed=boolean(resource, "managed"),
        blocked=boolean(resource, "blocked"),
        nodes=tuple(node.get("name", "") for node in resource.iterfind("node")),
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
