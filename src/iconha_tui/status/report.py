"""A status as it is told: what the screen, the text and the JSON are made of. docs/status.schema.json describes it.

`SCHEMA` is the version of the form. It grows by new fields; a changed meaning raises it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Literal

from iconha_tui.cluster.log_events import Kind

SCHEMA = 1

Verdict = Literal["healthy", "degraded", "unknown"]
CODES: dict[Verdict, int] = {"healthy": 0, "degraded": 1, "unknown": 3}
"""Verdict -> exit code."""

NOBODY = ""
"""The holder of an address that nobody holds; None is one that is not known."""

_DESCRIBED = {"use_attribute_docstrings": True}
"""How the schema is made: the lines below the fields are its descriptions."""


@dataclass
class Source:
    """One thing that is looked at, and how old what is known of it is."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _DESCRIBED

    part: Literal["aws", "node", "view", "ports"]
    """aws: EC2's word; node: a machine by SSH; view: what it tells of the cluster; ports: the P-Rep's ports from outside."""
    node: str | None
    """The node; null for aws."""
    seen_at: float | None
    """When it was seen last, in seconds since 1970; null: never."""
    age_s: float | None
    """Seconds between that and the report's `at`."""
    trouble: str
    """Why the newest look brought nothing, in a sentence; "" where it did. What is told of the part is then old."""


@dataclass
class Link:
    """One of Corosync's links, as a node sees it."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _DESCRIBED

    number: int
    """Its number: 0 for the only one."""
    address: str | None
    """The node's own address on it."""
    ok: bool | None
    """Whether all its peers are connected; null where Corosync does not tell."""


@dataclass
class Chain:
    """A chain of the P-Rep, by its own API."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _DESCRIBED

    nid: str
    """Network id, "0x1" for ICON's MainNet."""
    channel: str
    """The node's name for it."""
    state: str
    """"started" where it works."""
    height: int | None
    """Height of the last block."""
    last_error: str
    """Why it stopped, where it did."""


@dataclass
class Node:
    """One node. null: not known."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _DESCRIBED

    name: str
    """Its name in the cluster."""
    instance_id: str | None = None
    """EC2's id of the machine."""
    instance_state: str | None = None
    """EC2's word: running, stopped, …"""
    zone: str | None = None
    """Availability zone."""
    private_ip: str | None = None
    """Private address."""
    public_ip: str | None = None
    """Public address at present: the Elastic IP, for the node that holds it."""
    answers: bool | None = None
    """Whether the newest look reached it over SSH."""
    online: bool | None = None
    """Whether the cluster has it as online; false too where its own Pacemaker does not run."""
    standby: bool | None = None
    """Whether it is told to run nothing."""
    maintenance: bool | None = None
    """Whether the cluster leaves it alone."""
    pending: bool | None = None
    """Whether it is still joining."""
    unclean: bool | None = None
    """Whether the cluster has lost it without knowing what became of it."""
    dc: bool | None = None
    """Whether it is the designated controller, which decides."""
    joined: bool | None = None
    """Whether it is a member of Corosync's membership."""
    corosync_service: str | None = None
    """systemd's word on the service: active, inactive, failed, …"""
    pacemaker_service: str | None = None
    """systemd's word on the service."""
    links: list[Link] = field(default_factory=list)
    """Corosync's links as this node sees them."""
    uptime_s: float | None = None
    """Seconds since it booted, when it was seen."""
    load: float | None = None
    """Load average of a minute."""
    clock_offset_s: float | None = None
    """By how much its clock is ahead of this machine's."""
    clock_uncertainty_s: float | None = None
    """Within which that is certain: half of what the connection took."""
    os: str | None = None
    """Distribution and release."""
    corosync: str | None = None
    """Version."""
    pacemaker: str | None = None
    """Version."""
    ports: dict[str, bool] = field(default_factory=dict)
    """Whether 7100 and 9000 answer from here; empty where nobody has looked."""
    chains: list[Chain] = field(default_factory=list)
    """The P-Rep's chains."""
    chain_trouble: str = ""
    """Why they are not known, where port 9000 answers."""

    @property
    def runs_pacemaker(self) -> bool:
        """Whether systemd says nothing to the contrary."""
        return self.pacemaker_service in (None, "active", "reloading", "unknown")

    @property
    def runs_corosync(self) -> bool:
        """Whether systemd says nothing to the contrary."""
        return self.corosync_service in (None, "active", "reloading", "unknown")


@dataclass
class Operation:
    """An operation of a resource, from Pacemaker's history."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _DESCRIBED

    at: float | None
    """When it began, in seconds since 1970; of a repeated one, since when it has had this result."""
    node: str
    """Where."""
    task: str
    """start, stop, monitor, probe, …"""
    ok: bool | None
    """Whether its exit code was 0; null while it is under way."""
    result: str
    """Its exit code in words, or "under way"."""
    seconds: float
    """How long it took."""


@dataclass
class Resource:
    """One resource of the cluster."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _DESCRIBED

    id: str
    """Its id."""
    agent: str
    """Its agent, as ocf:heartbeat:awseip."""
    role: str | None
    """Started, Stopped, …"""
    node: str | None
    """Where it is started; null where it is not."""
    since: float | None
    """Since when it is there, in seconds since 1970."""
    managed: bool | None
    """false: the cluster leaves it alone."""
    failed: bool | None
    """Whether its last operation failed."""
    failcounts: dict[str, int]
    """Failures that count, by node; 1000000 is infinity."""
    migration_threshold: int | None
    """As many of them move it to the other node."""
    operations: list[Operation]
    """The last ones, newest first."""


@dataclass
class Event:
    """Something that befell the cluster."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _DESCRIBED

    at: float
    """Seconds since 1970, by this machine's clock."""
    kind: Kind
    """What it was. `found`: it ran there already. `cleared`: failures count no longer. A `moved` is the start elsewhere."""
    node: str | None
    """Whom it befell."""
    resource: str | None
    """Which resource, where it is of one."""
    text: str
    """The whole of it, in a sentence."""


@dataclass
class Report:
    """How a cluster is."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _DESCRIBED

    schema: int
    """Version of this form."""
    cluster: str
    """The cluster's name."""
    at: float
    """When this was put together, in seconds since 1970."""
    verdict: Verdict
    """healthy: all is well. degraded: something is known to be wrong. unknown: too little is known to say either. Exit codes
    0, 1 and 3."""
    agree: bool | None
    """Whether EC2 and the cluster name the same holder of the address; null where one of them is not known now."""
    problems: list[str]
    """What is wrong, in sentences: these make it degraded."""
    warnings: list[str]
    """What an operator should know, and what does not change the verdict."""
    missing: list[str]
    """What could not be read now, and why. What is told of it is old, or null; `sources` says how old."""
    sources: list[Source]
    """What was looked at, and when."""
    nodes: list[Node]
    """Both nodes, in the spec's order."""
    seen_by: str | None
    """The node whose view of the cluster this is; null: none has told any yet."""
    seen_at: float | None
    """When it told."""
    quorate: bool | None
    """Whether the cluster has quorum."""
    quorum_flags: list[str]
    """votequorum's flags: 2Node, Quorate, WaitForAll, …"""
    votes: int | None
    """Votes present."""
    expected_votes: int | None
    """Votes expected."""
    resources: list[Resource]
    """The cluster's resources."""
    failures: list[str]
    """Failed operations that nobody has cleaned up."""
    elastic_ip: str | None
    """The address."""
    allocation_id: str | None
    """EC2's id of it."""
    holder_by_ec2: str | None
    """The node that holds it by EC2's word, or the id of a machine that is none of the two; "": nobody; null: not known."""
    holder_by_cluster: str | None
    """The node where the cluster has it; "": nowhere; null: not known."""
    events: list[Event]
    """What befell the cluster of late, newest first."""

    @property
    def code(self) -> int:
        """Exit code."""
        return CODES[self.verdict]

    def source(self, part: str, node: str | None = None) -> Source:
        """What is known of a look at a part."""
        return next(each for each in self.sources if (each.part, each.node) == (part, node))

    @property
    def view(self) -> Source:
        """What is known of the look whose view of the cluster this is; of the first node's, where none has told any."""
        return self.source("view", self.seen_by or self.nodes[0].name)

    @property
    def holder(self) -> str | None:
        """Who holds the address now: by EC2's word, by the cluster's where EC2's is not known now."""
        if not self.source("aws").trouble:
            return self.holder_by_ec2
        return None if self.view.trouble else self.holder_by_cluster

    def node(self, name: str | None) -> Node | None:
        return next((node for node in self.nodes if node.name == name), None)

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of what `to_dict` gives."""
    from pydantic import TypeAdapter

    made = TypeAdapter(Report).json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}
