"""The corosync.conf of a pair: the guide's file, written per node, and what differs from the guide and why."""

from __future__ import annotations

import difflib
import ipaddress
import re
from dataclasses import dataclass
from typing import Literal

Transport = Literal["udpu", "knet"]

GUIDE_PORT = 5405
TOKEN_MS = (1000, 30000)
"""Below, a short stall moves the address; above, a dead node goes unnoticed for more than a minute."""

_CLUSTER_NAME = re.compile(r"[A-Za-z0-9_.-]{1,32}\Z")
_NODE_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,62}[A-Za-z0-9])?\Z")


@dataclass(frozen=True, slots=True)
class NodeAddress:
    """A node as Corosync knows it: `name` is its host name, `ring0_addr` its private address, `nodeid` from 1."""

    name: str
    ring0_addr: str
    nodeid: int

    def __post_init__(self) -> None:
        if not _NODE_NAME.match(self.name) or self.name == "localhost":
            raise ValueError(f"{self.name!r} cannot be a node's name: letters, digits, dots and hyphens, 64 at most.")
        try:
            own = ipaddress.ip_address(self.ring0_addr)
        except ValueError:
            raise ValueError(f"{self.ring0_addr!r} is no IP address.") from None
        if own.is_loopback or own.is_unspecified or own.is_multicast or own.is_reserved or "%" in self.ring0_addr:
            raise ValueError(f"{self.ring0_addr} is not an address that another machine can reach.")
        if not 1 <= self.nodeid <= 65535:
            raise ValueError(f"A node id is a number from 1 to 65535, not {self.nodeid}.")


@dataclass(frozen=True, slots=True)
class CorosyncSettings:
    """What the two files of a pair have in common. `token_ms` is None for Corosync's own default (3000 ms in 3.1).

    Building one raises ValueError with a sentence, where Corosync would refuse the file or a pair must not have it.
    """

    cluster_name: str
    nodes: tuple[NodeAddress, NodeAddress]
    transport: Transport = "udpu"
    port: int = GUIDE_PORT
    token_ms: int | None = None

    def __post_init__(self) -> None:
        if not _CLUSTER_NAME.match(self.cluster_name):
            raise ValueError("A cluster's name has 1 to 32 letters, digits, dots, hyphens and underscores.")
        if self.transport not in ("udpu", "knet"):
            raise ValueError(f"The transport is udpu or knet, not {self.transport!r}.")
        if not 1024 <= self.port <= 65535:
            raise ValueError(f"The port is a number from 1024 to 65535, not {self.port}.")
        if self.token_ms is not None and not TOKEN_MS[0] <= self.token_ms <= TOKEN_MS[1]:
            raise ValueError(f"The token timeout is {TOKEN_MS[0]} to {TOKEN_MS[1]} ms, not {self.token_ms}.")
        first, second = self.nodes
        if first.name == second.name or first.nodeid == second.nodeid:
            raise ValueError("The two nodes need different names and different node ids.")
        addresses = [ipaddress.ip_address(node.ring0_addr) for node in self.nodes]
        if addresses[0] == addresses[1]:
            raise ValueError(f"Both nodes have the address {addresses[0]}.")
        if addresses[0].version != addresses[1].version:
            raise ValueError("Both nodes need an address of the same kind, IPv4 or IPv6.")


@dataclass(frozen=True, slots=True)
class Departure:
    """A line of the guide, what stands in our file in its place ("" for nothing), and why."""

    guide: str
    ours: str
    reason: str
    transports: tuple[Transport, ...]


DEPARTURES: tuple[Departure, ...] = (
    Departure(
        "interface { …",
        "}",
        "The page has lost its closing braces; Corosync refuses the file without them.",
        ("udpu", "knet"),
    ),
    Departure(
        "transport: udpu",
        "transport: knet, crypto_cipher: aes256, crypto_hash: sha256",
        "Corosync 3 encrypts with knet only; with udpu the authkey is never read, and whoever reaches the port can join.",
        ("knet",),
    ),
    Departure(
        "ringnumber: 0", "linknumber: 0", "Corosync 3 counts links; it does not read 'ringnumber' any more.", ("knet",)
    ),
    Departure(
        "bindnetaddr: <private IP>",
        "",
        "Corosync 3 takes the address from the nodelist, and warns of both. The two files become identical.",
        ("knet",),
    ),
    Departure("broadcast: yes", "", "Only transport udp broadcasts, and a VPC carries no broadcast.", ("knet",)),
    Departure(
        "service { name: pacemaker, ver: 1 }",
        "",
        "Corosync 2 and later ignore it: systemd starts Pacemaker.",
        ("knet",),
    ),
)
"""Where our file differs from the guide's. With udpu, its lines are kept even where Corosync ignores them: an operator
who compares the file with the page finds each one, and the checker says which of them have no effect."""


def departures(settings: CorosyncSettings) -> list[Departure]:
    """The departures that apply to these settings."""
    return [departure for departure in DEPARTURES if settings.transport in departure.transports]


def render(settings: CorosyncSettings, node: NodeAddress) -> str:
    """The corosync.conf of `node`. With udpu the two files differ in `bindnetaddr` alone; with knet they are equal."""
    if node not in settings.nodes:
        raise ValueError(f"{node.name} is not one of the nodes of {settings.cluster_name}.")
    knet = settings.transport == "knet"
    totem = ["version: 2", f"cluster_name: {settings.cluster_name}", f"transport: {settings.transport}"]
    if knet:
        totem += ["crypto_cipher: aes256", "crypto_hash: sha256"]
    if settings.token_ms is not None:
        totem.append(f"token: {settings.token_ms}")
    guide = ["ringnumber: 0", f"bindnetaddr: {node.ring0_addr}", "broadcast: yes"]
    interface = [*(["linknumber: 0"] if knet else guide), f"mcastport: {settings.port}"]
    members = [
        _block("node", [f"ring0_addr: {each.ring0_addr}", f"name: {each.name}", f"nodeid: {each.nodeid}"])
        for each in settings.nodes
    ]
    blocks = [
        _block("totem", [*totem, *_block("interface", interface)]),
        _block("quorum", ["provider: corosync_votequorum", "two_node: 1"]),
        _block("nodelist", [line for member in members for line in member]),
        _block(
            "logging",
            ["to_logfile: yes", "logfile: /var/log/corosync/corosync.log", "to_syslog: yes", "timestamp: on"],
        ),
    ]
    if not knet:
        blocks.append(_block("service", ["name: pacemaker", "ver: 1"]))
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _block(name: str, lines: list[str]) -> list[str]:
    return [f"{name} {{", *(f"    {line}" for line in lines), "}"]


DiffTag = Literal["@", " ", "-", "+"]
_DIFF_LINES = 5000
"""Longer texts are not compared line by line: difflib takes quadratic time on the worst of them."""


def diff(old: str, new: str, context: int = 3) -> list[tuple[DiffTag, str]]:
    """What changes from `old` to `new`, as (tag, line): "@" where lines are left out, " ", "-" and "+"."""
    before, after = old.splitlines(), new.splitlines()
    if before == after:
        return []
    if len(before) + len(after) > _DIFF_LINES:
        return [*(("-", line) for line in before), *(("+", line) for line in after)]
    tags: dict[str, DiffTag] = {"@": "@", " ": " ", "-": "-", "+": "+"}
    lines = list(difflib.unified_diff(before, after, lineterm="", n=context))[2:]  # the two names of the files
    return [(tags[line[0]], line if line[0] == "@" else line[1:]) for line in lines]


def differing_lines(one: str, other: str) -> tuple[list[int], list[int]]:
    """The numbers, from 1, of the lines of each text that the other one does not have in that place."""
    left, right = one.splitlines(), other.splitlines()
    if len(left) + len(right) > _DIFF_LINES:
        return list(range(1, len(left) + 1)), list(range(1, len(right) + 1))
    ours: list[int] = []
    theirs: list[int] = []
    for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if tag != "equal":
            ours += range(i1 + 1, i2 + 1)
            theirs += range(j1 + 1, j2 + 1)
    return ours, theirs
