"""A status as it is told: what the screen, the text and the JSON are made of. docs/status.schema.json describes it.

`SCHEMA` is the version of the form. It grows by new fields; a changed meaning raises it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Literal

from iconha_tui.cluster.log_events import Kind
from iconha_tui.exit_codes import OF_VERDICT

SCHEMA = 2

Verdict = Literal["ready", "not_ready", "split", "down", "not_built", "unknown"]
VERDICT_WORDS: dict[Verdict, str] = {
    "ready": "ready",
    "not_ready": "not ready",
    "split": "split",
    "down": "down",
    "not_built": "not built",
    "unknown": "unknown",
}
"""Verdict -> how it is written; a screen writes it in capitals."""
WORST_FIRST: tuple[Verdict, ...] = ("split", "down", "not_ready", "unknown", "not_built", "ready")
"""Of several clusters the first of these that one has decides on the exit code."""

NOBODY = ""
"""The holder of an address that nobody holds; None is one that is not known."""

_DESCRIBED = {"use_attribute_docstrings": True}
"""How the schema is made: the lines below the fields are its descriptions."""


@dataclass
class Source:
    """One thing that is looked at, and how old what is known of it is."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _DESCRIBED

    part: Literal["aws", "node", "view", "ports", "calls"]
    """aws: EC2's word; node: a machine by SSH; view: what it tells of the cluster; ports: the P-Rep's ports from outside;
    calls: awseip's calls of AWS, tried on a node that does not hold the address."""
    node: str | None
    """The node; null for aws."""
    seen_at: float | None
    """When it was seen last, in seconds since 1970; null: never."""
    age_s: float | None
    """Seconds between that and the report's `at`."""
    trouble: str
    """Why nothing is known of it now, in a sentence; "" where it is. What is told of the part is then old, and counts for no
    verdict."""


@dataclass
class Reason:
    """Why the verdict is what it is."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _DESCRIBED

    code: str
    """What it is, as one word for a program: standby_offline, heartbeat_blocked, … (docs/status.md lists them)."""
    text: str
    """The same as a sentence."""
    remedy: str = ""
    """What to do about it, as a sentence; "" where nothing is to be done but to wait, or to look again."""
    command: str = ""
    """The command that does it, or that shows more; "" where there is none."""
    node: str | None = None
    """Where the command is to be typed; null: on this machine."""


@dataclass
class View:
    """What one node says of the cluster. null: it does not say."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _DESCRIBED

    node: str
    """The node that says so."""
    current: bool = False
    """Whether it said so now. Where not, what stands here is old."""
    online: dict[str, bool | None] = field(default_factory=dict)
    """Whether it has each node as online."""
    dc: str | None = None
    """Whom it has as designated controller; "" where it has none."""
    quorate: bool | None = None
    """Whether its Corosync has quorum."""
    cib: str | None = None
    """Version of its copy of the configuration: admin_epoch.epoch.num_updates."""
    holder: list[str] = field(default_factory=list)
    """The nodes on which it has the address's resource as active."""
    token_age_s: float | None = None
    """Seconds since its Corosync received the token, when it was asked; from Corosync 3 on."""
    cut_off: bool | None = None
    """Whether its Corosync finds that it can form no membership: a packet filter, or a dead interface."""
    takeover: list[str] | None = None
    """Where its scheduler would run the address's resource if the other node were lost; empty: nowhere."""


@dataclass
class Call:
    """One of the calls of AWS that awseip makes, tried on a node; what would change something as a dry run."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _DESCRIBED

    name: str
    """DescribeInstances, DescribeAddresses, AssociateAddress or DisassociateAddress."""
    allowed: bool
    """Whether AWS allows it."""
    text: str = ""
    """What came instead, where it does not."""


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
    standby_onfail: bool | None = None
    """Whether a failure has put it on standby."""
    maintenance: bool | None = None
    """Whether the cluster leaves it alone."""
    health: str | None = None
    """Its health by Pacemaker's health attributes: green, yellow, red; from Pacemaker 2.1 on."""
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
    starts_at_boot: dict[str, bool] = field(default_factory=dict)
    """Whether systemd starts corosync and pacemaker at boot; what is not known is left out."""
    controller: bool | None = None
    """Whether Pacemaker's controller answers, which carries out there what the cluster decides."""
    agent: bool | None = None
    """Whether the agent awseip is there."""
    awscli: bool | None = None
    """Whether the AWS CLI is there, at the path that the resource names."""
    calls: list[Call] = field(default_factory=list)
    """awseip's calls as tried there; empty where they were not."""
    room: dict[str, int] = field(default_factory=dict)
    """Free KiB of the folders that Pacemaker and the AWS CLI write to; 0 also where no file can be made any more."""
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
    active_on: list[str]
    """Where it is active, also where it has failed."""
    target_role: str | None
    """What it is told to be, where it is told: Stopped is what crm_mon calls disabled."""
    managed: bool | None
    """false: the cluster leaves it alone."""
    orphaned: bool | None
    """Whether it runs though it is no longer configured."""
    blocked: bool | None
    """Whether the cluster does nothing more about it, as after a stop that failed."""
    failure_ignored: bool | None
    """Whether it has failed, and its configuration ignores that."""
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
    """Whether the standby would take over now. ready: yes. not_ready: the address works, and there would be no takeover. split:
    two nodes are each said to have the address, or each has the other as lost. down: nobody has it. not_built: the cluster is
    not finished. unknown: too little is known now. Exit codes 0, 1, 6, 5, 7 and 3."""
    reasons: list[Reason]
    """Why it is not ready, the gravest first. Empty where it is ready or unknown."""
    doubts: list[Reason]
    """What could not be found out now, or contradicts itself, so that it cannot be called ready."""
    warnings: list[str]
    """What an operator should know, and what does not change the verdict."""
    agree: bool | None
    """Whether EC2 and the cluster name the same holder of the address; null where one of them is not known now."""
    standby: str | None
    """The node that is to take over: the one that does not hold the address; null where that is not known."""
    address_resource: str
    """Id of the resource that moves the address, by the spec."""
    sources: list[Source]
    """What was looked at, and when."""
    nodes: list[Node]
    """Both nodes, in the spec's order."""
    views: list[View]
    """What each node says of the cluster, kept apart."""
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
    options: dict[str, str]
    """The cluster's options that count, as crm_mon tells them: maintenance-mode, stonith-enabled, …"""
    resources: list[Resource]
    """The cluster's resources, each instance of a clone by itself."""
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
        return OF_VERDICT[self.verdict]

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
