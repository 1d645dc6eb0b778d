"""How a cluster is, read-only: AWS is asked with describe calls only, the nodes with the one command below."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

from iconha_tui.cluster.crm_mon import ClusterStatus, parse_crm_mon
from iconha_tui.cluster.membership import Quorum, parse_members, parse_quorum
from iconha_tui.cluster.untrusted_xml import ClusterXMLError
from iconha_tui.errors import Trouble
from iconha_tui.session import Session
from iconha_tui.stages.instances import address_lookups, instance_lookups
from iconha_tui.stages.lookup import look_up

SCHEMA = 1
"""The version of `to_dict`'s form, in its field `schema`. It grows by new fields; a changed meaning raises it."""

HEALTHY, DEGRADED, UNKNOWN = 0, 1, 3

_CUT = "@@iconha@@"

_LOOK = f"; echo; echo {_CUT}; ".join(
    (
        "cat /proc/uptime /proc/loadavg; date +%s.%N",
        "corosync-cmapctl 2>/dev/null | grep members",
        "corosync-quorumtool -s 2>/dev/null",
        "crm_mon -X 2>/dev/null",
    )
)
"""All that is asked of a node, in one command. It changes nothing."""


def reject_host_key(node: str, kind: str, fingerprint: str) -> bool:
    """A status never makes a new acquaintance: an unknown host key is not accepted."""
    return False


@dataclass
class NodeState:
    """One node. None: not known. online, standby: as the cluster says; answers: SSH from here; ports: 7100 and 9000."""

    name: str
    instance_id: str | None = None
    instance_state: str | None = None
    private_ip: str | None = None
    public_ip: str | None = None
    answers: bool | None = None
    trouble: str = ""
    online: bool | None = None
    standby: bool | None = None
    dc: bool | None = None
    joined: bool | None = None
    uptime_s: float | None = None
    load: float | None = None
    clock_offset_s: float | None = None
    ports: dict[str, bool] = field(default_factory=dict)


@dataclass
class ResourceState:
    """One resource. node: where it is started, None where it is not. failcounts: by node."""

    id: str
    agent: str
    role: str | None
    node: str | None
    failcounts: dict[str, int]


@dataclass
class Status:
    """One reading. holder_by_ec2, holder_by_cluster: node names. missing: sentences on what could not be read."""

    cluster: str
    at: float
    nodes: list[NodeState]
    quorate: bool | None = None
    quorum_flags: list[str] = field(default_factory=list)
    resources: list[ResourceState] = field(default_factory=list)
    elastic_ip: str | None = None
    holder_by_ec2: str | None = None
    holder_by_cluster: str | None = None
    seconds: float = 0.0
    missing: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def agree(self) -> bool | None:
        """Whether EC2 and the cluster name the same holder; None where one of them is not known."""
        if self.holder_by_ec2 is None or self.holder_by_cluster is None:
            return None
        return self.holder_by_ec2 == self.holder_by_cluster

    @property
    def verdict(self) -> str:
        """healthy, degraded or unknown."""
        return {HEALTHY: "healthy", DEGRADED: "degraded", UNKNOWN: "unknown"}[self.code]

    @property
    def code(self) -> int:
        """Exit code: 0 healthy, 1 degraded, 3 unknown (nobody could be asked)."""
        if self.quorate is None and self.holder_by_ec2 is None:
            return UNKNOWN
        whole = all(node.online and not node.standby and node.joined for node in self.nodes)
        fails = any(count for resource in self.resources for count in resource.failcounts.values())
        return HEALTHY if whole and self.agree and self.quorate and not fails and not self.missing else DEGRADED

    def to_dict(self) -> dict[str, Any]:
        """JSON form, versioned by `schema`."""
        return {"schema": SCHEMA, "verdict": self.verdict, "agree": self.agree, **asdict(self)}

    def text(self) -> str:
        """Plain text, a few lines."""
        head = f"{self.cluster}: {self.verdict} ({time.strftime('%H:%M:%S', time.localtime(self.at))})"
        lines = [head, *(_node_line(node) for node in self.nodes)]
        quorum = {True: "quorate", False: "NO QUORUM", None: "quorum unknown"}[self.quorate]
        lines.append(f"  corosync    {quorum} {' '.join(self.quorum_flags)}".rstrip())
        for resource in self.resources:
            counts = ", ".join(f"{node} {count}" for node, count in resource.failcounts.items() if count) or "none"
            lines.append(
                f"  {resource.id:<11} {resource.role or '?'} on {resource.node or 'no node'}; failures: {counts}"
            )
        mark = {True: "agree", False: "DISAGREE", None: "not both known"}[self.agree]
        lines.append(
            f"  {self.elastic_ip or 'Elastic IP':<11} EC2: {self.holder_by_ec2 or '?'}, "
            f"cluster: {self.holder_by_cluster or '?'} ({mark})"
        )
        return "\n".join(
            [*lines, *(f"  failed: {each}" for each in self.failures), *(f"  ! {each}" for each in self.missing)]
        )


def _node_line(node: NodeState) -> str:
    words = [
        {True: "online", False: "OFFLINE", None: "unknown"}[node.online],
        "DC" if node.dc else "",
        "standby" if node.standby else "",
        f"instance {node.instance_state}" if node.instance_state not in (None, "running") else "",
        f"load {node.load}" if node.load is not None else "",
        " ".join(f"{port}:{'open' if is_open else 'closed'}" for port, is_open in node.ports.items()),
    ]
    return f"  {node.name:<11} {', '.join(word for word in words if word)}"


def gather(session: Session) -> Status:
    """Asks AWS and both nodes, at once. What cannot be read is said in `missing`; it raises nothing an operator can meet."""
    began = time.time()
    status = Status(session.spec.name, began, [NodeState(name) for name in session.spec.names])
    _ask_aws(session, status)
    with ThreadPoolExecutor(max_workers=2, thread_name_prefix="status") as pool:
        views = [view for view in pool.map(lambda node: _ask_node(session, node), status.nodes) if view is not None]
    # A view with quorum and a DC first: a node that is cut off may still believe in an older world.
    views.sort(key=lambda view: (not view[0].with_quorum, view[0].dc is None))
    status.missing += [f"{node.name}: {node.trouble}" for node in status.nodes if node.trouble]
    if views:
        _take_cluster(status, *views[0])
    else:
        status.missing.append("No node told the state of the cluster.")
    status.seconds = round(time.time() - began, 2)
    return status


def _ask_aws(session: Session, status: Status) -> None:
    view = session.ctx.view
    try:
        lookups = [*address_lookups(view), *(each for name in view.spec.names for each in instance_lookups(view, name))]
        facts = look_up(session.ctx, lookups)
    except Trouble as trouble:
        status.missing.append(f"AWS: {trouble}")
        return
    session.ctx.learn(facts)
    for node in status.nodes:
        node.instance_id = facts[f"{node.name}.instance_id"]
        node.instance_state = facts[f"{node.name}.state"]
        node.private_ip = facts[f"{node.name}.private_ip"]
        node.public_ip = facts[f"{node.name}.public_ip"]
    status.elastic_ip = facts["elastic_ip"]
    if facts["holder"]:
        ours = {node.instance_id: node.name for node in status.nodes}
        status.holder_by_ec2 = ours.get(facts["holder"], facts["holder"])


def _ask_node(session: Session, node: NodeState) -> tuple[ClusterStatus, Quorum] | None:
    """Fills `node` with what it says of itself; returns how it sees the cluster, None where it does not."""
    if node.instance_state not in (None, "running"):
        node.answers, node.trouble = False, f"the instance is {node.instance_state}"
        return None
    address = node.public_ip if session.spec.ssh.address == "public" else node.private_ip
    if address:
        node.ports = {str(port): not session.ctx.reach(address, port) for port in (7100, 9000)}
    try:
        said = session.ctx.node(node.name).run(("sh", "-c", _LOOK), timeout=20)
    except Trouble as trouble:
        node.answers, node.trouble = False, str(trouble)
        return None
    node.answers = True
    machine, members, quorum, monitor = (*said.stdout.split(_CUT), "", "", "", "")[:4]
    words = machine.split()
    if len(words) >= 8:
        node.uptime_s, node.load = float(words[0]), float(words[2])
        node.clock_offset_s = round(float(words[7]) - time.time(), 1)
    joined = {ip for member in parse_members(members) if member.joined for ip in member.addresses.values()}
    node.joined = node.private_ip in joined if joined else False
    try:
        view = parse_crm_mon(monitor)
    except ClusterXMLError as error:
        node.trouble = f"the cluster does not answer there: {error}"
        return None
    return (view, parse_quorum(quorum)) if view.nodes else None


def _take_cluster(status: Status, view: ClusterStatus, quorum: Quorum) -> None:
    status.quorate = view.with_quorum
    status.quorum_flags = sorted(quorum.flags)
    for node in status.nodes:
        seen = view.node(node.name)
        if seen is not None:
            node.online, node.standby = seen.online, seen.standby
            node.dc = view.dc == node.name
    for resource in view.resources:
        counts = {node.name: view.fail_count(resource.id, node.name) for node in status.nodes}
        status.resources.append(ResourceState(resource.id, resource.agent, resource.role, resource.started_on, counts))
        if resource.agent == "ocf:heartbeat:awseip":
            status.holder_by_cluster = resource.started_on
    status.failures = [
        f"{each.operation} on {each.node}: {each.reason or each.status} ({each.when})" for each in view.failures
    ]
