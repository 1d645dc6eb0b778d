"""From the sections of a corosync.conf to the keys that corosync keeps of them (its cmap).

What is refused here is what corosync refuses while it reads the file: keys that cannot be stored, numbers out of range,
names from a fixed set, sections that lack their name (exec/coroparse.c, main_config_parser_cb; exec/icmap.c).
Where corosync's own behaviour is undefined (a section inside `interface`, a path too long for its buffer), or differs
between releases of 3.1, the file is refused too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum, auto

from iconha_tui.cluster.corosync_syntax import MAX_FINDINGS, Document, Item, Section
from iconha_tui.cluster.findings import Finding, shown

KEY_NAME_MAX = 255
"""ICMAP_KEYNAME_MAXLEN. A path of exactly this length is refused already."""
KEY_NAME_MIN = 3
_KEY_NAME = re.compile(r"[A-Za-z0-9._/:-]*\Z")

U8, U16, U32, U64 = (0, 2**8 - 1), (0, 2**16 - 1), (0, 2**32 - 1), (0, 2**64 - 1)
I32 = (-(2**31), 2**31 - 1)

_TOTEM_U32 = (
    "version",
    "nodeid",
    "threads",
    "token",
    "token_coefficient",
    "token_retransmit",
    "token_warning",
    "hold",
    "token_retransmits_before_loss_const",
    "join",
    "send_join",
    "consensus",
    "merge",
    "downcheck",
    "fail_recv_const",
    "seqno_unchanged_const",
    "rrp_token_expired_timeout",
    "rrp_problem_count_timeout",
    "rrp_problem_count_threshold",
    "rrp_problem_count_mcast_threshold",
    "rrp_autorecovery_check_timeout",
    "heartbeat_failures_allowed",
    "max_network_delay",
    "window_size",
    "max_messages",
    "miss_count_const",
    "knet_pmtud_interval",
    "knet_mtu",
    "knet_compression_threshold",
    "netmtu",
)

RANGES: dict[str, tuple[int, int]] = {
    **{f"totem.{key}": U32 for key in _TOTEM_U32},
    "totem.knet_compression_level": I32,
    "totem.config_version": U64,
    "totem.interface.linknumber": U8,
    "totem.interface.mcastport": U16,
    "totem.interface.ttl": U8,
    "totem.interface.knet_link_priority": U8,
    "totem.interface.knet_ping_interval": U32,
    "totem.interface.knet_ping_timeout": U32,
    "totem.interface.knet_ping_precision": U32,
    "totem.interface.knet_pong_count": U32,
    "quorum.expected_votes": U32,
    "quorum.votes": U32,
    "quorum.last_man_standing_window": U32,
    "quorum.leaving_timeout": U32,
    "quorum.two_node": U8,
    "quorum.expected_votes_tracking": U8,
    "quorum.allow_downscale": U8,
    "quorum.wait_for_all": U8,
    "quorum.auto_tie_breaker": U8,
    "quorum.last_man_standing": U8,
    "quorum.device.timeout": U32,
    "quorum.device.sync_timeout": U32,
    "quorum.device.votes": U32,
    "quorum.device.master_wins": U8,
    "nodelist.node.nodeid": U32,
    "nodelist.node.quorum_votes": U32,
    "resources.watchdog_timeout": U32,
    "resources.system.poll_period": U64,
    "resources.system.memory_used.poll_period": U64,
    "resources.process.poll_period": U64,
    "resources.process.memory_used.poll_period": U64,
    "pload.count": U32,
    "pload.size": U32,
}
"""Whole numbers by path, with the range that corosync takes."""

_YES_NO = ("yes", "no")
CHOICES: dict[str, tuple[str, ...]] = {
    "totem.transport": ("udpu", "udp", "knet"),
    "totem.ip_version": ("ipv4", "ipv6", "ipv4-6", "ipv6-4"),
    "totem.crypto_model": ("nss", "openssl"),
    "totem.crypto_cipher": ("none", "aes256", "aes192", "aes128"),
    "totem.crypto_hash": ("none", "md5", "sha1", "sha256", "sha384", "sha512"),
    # As Debian and Ubuntu build libknet; "none" is the default, yet it may not be written out.
    "totem.knet_compression_model": ("zlib", "lz4", "lz4hc", "lzo2", "lzma", "bzip2", "zstd"),
    "totem.link_mode": ("passive", "active", "rr"),
    "totem.interface.knet_transport": ("udp", "sctp"),
    "system.qb_ipc_type": ("native", "shm", "socket"),
    "system.sched_rr": _YES_NO,
    "system.move_to_root_cgroup": ("yes", "no", "auto"),
    "system.allow_knet_handle_fallback": _YES_NO,
}
"""Words by path. Corosync compares them letter by letter: "UDPU" is none of them."""

KNOWN_USERS = {"uid": ("root", "hacluster"), "gid": ("root", "haclient")}
"""Names that are on every node once Pacemaker is installed; for any other, corosync asks the node."""

_INTEGER = re.compile(r"[ \t\n\v\f\r]*([+-]?[0-9]+)\Z", re.ASCII)


def integer(text: str) -> int | None:
    """The number that strtoll(3) reads from the whole of `text`, or None."""
    match = _INTEGER.match(text)
    if match is None or len(match[1]) > 40:  # int() of a very long string of digits takes quadratic time
        return None
    return int(match[1])


@dataclass(frozen=True, slots=True)
class Entry:
    """A key's value with the line that set it. `number` is set where corosync stores a number."""

    item: Item
    number: int | None = None

    @property
    def value(self) -> str:
        return self.item.value


@dataclass(slots=True)
class Node:
    """One `node { … }` of the nodelist."""

    section: Section
    keys: dict[str, Entry] = field(default_factory=dict)

    def text(self, key: str) -> str | None:
        entry = self.keys.get(key)
        return entry.value if entry else None

    @property
    def nodeid(self) -> int | None:
        entry = self.keys.get("nodeid")
        return entry.number if entry else None


@dataclass(slots=True)
class Interface:
    """One `interface { … }`: the link that it speaks of, and the keys that corosync stores for it."""

    section: Section
    link: int = 0
    keys: dict[str, Entry] = field(default_factory=dict)
    members: list[Item] = field(default_factory=list)


@dataclass(slots=True)
class Cmap:
    """What corosync keeps of a file."""

    keys: dict[str, Entry] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    interfaces: list[Interface] = field(default_factory=list)
    logging: list[tuple[Section, list[Item]]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def text(self, key: str) -> str | None:
        entry = self.keys.get(key)
        return entry.value if entry else None

    def number(self, key: str) -> int | None:
        """The number stored under `key`; None where there is none, or where it is stored as a string."""
        entry = self.keys.get(key)
        return entry.number if entry else None


class _State(Enum):
    NORMAL = auto()
    INTERFACE = auto()
    MEMBER = auto()
    LOGGING = auto()
    NODELIST = auto()
    NODE = auto()
    UIDGID = auto()


_STATES = {
    "totem.interface": _State.INTERFACE,
    "totem.interface.member": _State.MEMBER,
    "logging.logger_subsys": _State.LOGGING,
    "logging.logging_daemon": _State.LOGGING,
    "nodelist": _State.NODELIST,
    "nodelist.node": _State.NODE,
    "uidgid": _State.UIDGID,
}
_CLOSED = (_State.INTERFACE, _State.MEMBER, _State.LOGGING, _State.NODE, _State.UIDGID)
"""Sections in which a further section leads corosync to use freed memory, or to count one node as two."""


def build(document: Document) -> Cmap:
    """The keys that corosync would keep, and what it refuses while it collects them."""
    return _Builder().run(document)


class _Builder:
    def __init__(self) -> None:
        self.cmap = Cmap()
        self.node: Node | None = None
        self.interface: Interface | None = None
        self.take: dict[_State, Callable[[Item, str], None]] = {
            _State.INTERFACE: self._interface_item,
            _State.MEMBER: self._member_item,
            _State.NODE: self._node_item,
            _State.UIDGID: self._uidgid_item,
            _State.LOGGING: self._logging_item,
        }

    def run(self, document: Document) -> Cmap:
        self._section(document.root, "", _State.NORMAL)
        return self.cmap

    def _section(self, section: Section, path: str, state: _State) -> None:
        for child in section.children:
            if isinstance(child, Item):
                self._item(child, path, state)
            elif isinstance(child, Section):
                self._child(child, path, state)

    def _child(self, section: Section, outer: str, outer_state: _State) -> None:
        path = f"{outer}.{section.name}" if outer else section.name
        state = _STATES.get(path, outer_state)
        if not _KEY_NAME.match(section.name) or len(path) + 1 >= KEY_NAME_MAX:
            self._error(section, f"{shown(section.name)} is no name for a section: a ':' and a '{{' on one line?")
            return
        if "." in section.name:
            self._error(section, "Write one section inside the other: a name with a dot is not a section of its own.")
            return
        if outer_state in _CLOSED and state is not _State.MEMBER:
            self._error(
                section, f"No section may stand inside {shown(outer)}: a closing brace is missing before this line."
            )
            return
        if state is _State.NODE:
            self.node = Node(section)
            self.cmap.nodes.append(self.node)
        elif state is _State.INTERFACE:
            self.interface = Interface(section)
        self._section(section, path, state)
        if state is _State.INTERFACE and self.interface is not None:
            self.cmap.interfaces.append(self.interface)
        elif state is _State.LOGGING:
            self._logging(section)

    def _item(self, item: Item, path: str, state: _State) -> None:
        full = f"{path}.{item.key}" if path else item.key
        # The length corosync compares includes the dot; a node's path grows by its number as well.
        if len(path) + len(item.key) + 8 >= KEY_NAME_MAX or len(full) < KEY_NAME_MIN:
            self._error(item, f"The key {shown(item.key)} is too {'short' if len(full) < KEY_NAME_MIN else 'long'}.")
        elif not _KEY_NAME.match(item.key):
            self._error(item, f"{shown(item.key)} is no key: only letters, digits and . _ - / are allowed in one.")
        elif "." in item.key:
            # Such a key is stored as a string under the same path, and slips past the checks made of the section.
            self._error(item, f"Write {shown(item.key)} as sections, not with dots.")
        elif state in self.take:
            self.take[state](item, full)
        else:
            entry = self._entry(item, full)
            if entry:
                self.cmap.keys[full] = entry

    def _entry(self, item: Item, path: str) -> Entry | None:
        """The value as corosync stores it, or None where it refuses it."""
        if path in RANGES:
            low, high = RANGES[path]
            number = integer(item.value)
            if number is None or not low <= number <= high:
                self._value(item, f"'{item.key}' must be a whole number from {low} to {high}, not {shown(item.value)}.")
                return None
            return Entry(item, number)
        if path in CHOICES and item.value not in CHOICES[path]:
            self._value(item, f"'{item.key}' must be {_one_of(CHOICES[path])}, not {shown(item.value)}.")
            return None
        if path == "totem.ip_dscp" and not _dscp(item.value):
            self._value(item, f"'ip_dscp' must be a code point from 0 to 63 or its name, not {shown(item.value)}.")
            return None
        return Entry(item)

    def _interface_item(self, item: Item, path: str) -> None:
        if self.interface is None:
            return
        entry = self._entry(item, path)
        if entry and item.key == "linknumber":
            self.interface.link = entry.number or 0
        elif entry:
            self.interface.keys[item.key] = entry

    def _member_item(self, item: Item, path: str) -> None:
        if item.key != "memberaddr":
            self._error(item, "Only 'memberaddr' may stand in a 'member' section.")
        elif self.interface is not None:
            self.interface.members.append(item)

    def _node_item(self, item: Item, path: str) -> None:
        entry = self._entry(item, path)
        if entry and self.node is not None:
            self.node.keys[item.key] = entry

    def _uidgid_item(self, item: Item, path: str) -> None:
        if item.key not in KNOWN_USERS:
            self._error(item, "Only 'uid' and 'gid' may stand in 'uidgid'.")
            return
        number = integer(item.value)
        # 2**32-1 is -1 once it is stored, which corosync takes for "no such user".
        if item.value not in KNOWN_USERS[item.key] and (number is None or not 0 <= number < 2**32 - 1):
            names = _one_of(KNOWN_USERS[item.key])
            self._value(
                item, f"'{item.key}' must be a number, or {names}: corosync refuses a name that the node lacks."
            )

    def _logging_item(self, item: Item, path: str) -> None:
        """Nothing yet: the section is judged at its end, when its name is known."""

    def _logging(self, section: Section) -> None:
        key = "subsys" if section.name == "logger_subsys" else "name"
        if section.get(key) is None:
            self._error(section, f"'{section.name}' needs a '{key}'.")
        for item in section.items:
            # Both become part of a cmap key.
            if item.key in ("subsys", "name") and not _KEY_NAME.match(item.value):
                self._value(
                    item, f"{shown(item.value)} cannot be a '{item.key}': it holds other than letters and digits."
                )
        self.cmap.logging.append((section, list(section.items)))

    def _error(self, where: Item | Section, message: str) -> None:
        if len(self.cmap.findings) < MAX_FINDINGS:
            self.cmap.findings.append(Finding(where.line, where.column, "error", message))

    def _value(self, item: Item, message: str) -> None:
        if len(self.cmap.findings) < MAX_FINDINGS:
            self.cmap.findings.append(Finding(item.line, item.value_column, "error", message))


def _one_of(words: Iterable[str]) -> str:
    *head, last = words
    return f"{', '.join(head)} or {last}" if head else last


def _dscp(value: str) -> bool:
    """Corosync 3.1.10 added ip_dscp and refuses other values; earlier releases do not read it."""
    number = integer(value)
    names = {"ef", *(f"cs{n}" for n in range(8)), *(f"af{a}{b}" for a in range(1, 5) for b in range(1, 4))}
    return value in names or (number is not None and 0 <= number <= 63 and str(number) == value)
