"""What corosync refuses once it has read the whole file: how its keys must fit together.

After exec/totemconfig.c (totem_config_read, totem_config_validate, totem_volatile_config_validate), exec/logconfig.c
and, for what only fails when the service starts, exec/vsf_quorum.c and exec/votequorum.c, of corosync 3.1.

Some of corosync's verdicts depend on the node: whether a name resolves, whether a directory exists, which of the nodes
it is itself. This module has only the text, so it takes the careful side: it refuses whatever might be refused.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from iconha_tui.cluster.corosync_cmap import Cmap, Entry, Node
from iconha_tui.cluster.corosync_syntax import Item, Section
from iconha_tui.cluster.findings import Finding, shown

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Version = tuple[int, int]

LINKS = 8
"""INTERFACE_MAX: links 0 to 7."""
NODES = 384
"""PROCESSOR_COUNT_MAX."""
KNET_NODEID_MAX = 65535
AUTHKEY = "/etc/corosync/authkey"
KEY_BYTES = (128, 4096)
"""The shortest and the longest key written into the file itself, in bytes with the NUL that corosync counts."""
SUBSYSTEMS = 16
"""How many logger_subsys fit beside corosync's own (measured on 3.1.7: 16 pass, 20 are refused)."""
LOG_DIRECTORIES = ("/var/log/", "/var/log/corosync/")
"""Directories that exist on every node; corosync makes none, and does not start where it cannot open its log."""

MINIMUM_MS = 30
MINIMUM_HOLD_MS = 14
TOKEN_LIMIT_MS = int((2**31 - 1) / 1.2)
"""Above this the consensus timeout that corosync derives overflows a C int."""


@dataclass(frozen=True, slots=True)
class Host:
    """The node that a file is for: its host name (`uname -n`) and the addresses of its interfaces."""

    name: str
    addresses: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Judge:
    cmap: Cmap
    root: Section
    host: Host | None
    resolvable: frozenset[str]
    version: Version
    findings: list[Finding] = field(default_factory=list)
    transport: str = "knet"
    ip_version: str = "ipv6-4"

    def error(self, where: Entry | Item | Section | None, message: str) -> None:
        place = where.item if isinstance(where, Entry) else where or self.root
        column = place.value_column if isinstance(place, Item) else place.column
        self.findings.append(Finding(place.line, column, "error", message))

    def section(self, name: str) -> Section | None:
        return next(self.root.named(name), None)


def judge(
    cmap: Cmap, root: Section, *, host: Host | None, resolvable: frozenset[str], version: Version
) -> list[Finding]:
    """Everything that corosync of `version` would refuse about a file whose lines it could read."""
    default = "knet" if version >= (3, 0) else "udp"
    transport = cmap.text("totem.transport") or default
    ip_version = cmap.text("totem.ip_version") or ("ipv4" if transport == "udp" else "ipv6-4")
    judged = _Judge(cmap, root, host, resolvable, version, transport=transport, ip_version=ip_version)
    _totem(judged)
    _crypto(judged)
    _timers(judged)
    _interfaces(judged)
    if _nodelist(judged):
        _links(judged)
        _node_ids(judged)
        _local_node(judged)
    _multicast(judged)
    _logging(judged)
    _quorum(judged)
    return judged.findings


def _totem(judged: _Judge) -> None:
    cmap = judged.cmap
    if cmap.number("totem.version") != 2:
        where = cmap.keys.get("totem.version") or judged.section("totem")
        judged.error(where, "'totem' must say 'version: 2', the only version there is.")
    if judged.transport == "knet" and judged.version < (3, 0):
        judged.error(
            cmap.keys.get("totem.transport"), "Transport knet needs corosync 3: corosync 2.4 has udpu and udp."
        )


def _crypto(judged: _Judge) -> None:
    if judged.version < (3, 0):
        return
    cmap = judged.cmap
    secauth = cmap.text("totem.secauth") == "on"
    cipher = cmap.text("totem.crypto_cipher") or ("aes256" if secauth else "none")
    digest = cmap.text("totem.crypto_hash") or ("sha256" if secauth else "none")
    where = cmap.keys.get("totem.crypto_cipher") or cmap.keys.get("totem.crypto_hash") or cmap.keys.get("totem.secauth")
    if cipher == digest == "none":
        return
    if digest == "none":
        judged.error(where, "crypto_cipher needs a crypto_hash other than none: sha256.")
    if judged.transport != "knet":
        judged.error(
            where, f"Encryption works with transport knet only: with {judged.transport}, corosync 3 refuses to start."
        )
    keyfile, key = cmap.keys.get("totem.keyfile"), cmap.keys.get("totem.key")
    if keyfile and keyfile.value != AUTHKEY:
        judged.error(keyfile, f"The key is kept in {AUTHKEY}: corosync does not start where another file is missing.")
    elif (
        key and not keyfile and not KEY_BYTES[0] <= len(key.value.encode("utf-8", "surrogatepass")) + 1 <= KEY_BYTES[1]
    ):
        judged.error(key, f"A key in the file itself must have {KEY_BYTES[0] - 1} bytes or more. Better: {AUTHKEY}.")


def _timers(judged: _Judge) -> None:
    """Timeouts in milliseconds. A value of 0 means the default, as corosync reads it."""
    cmap = judged.cmap

    def value(name: str, default: int) -> int:
        return cmap.number(f"totem.{name}") or default

    def at_least(name: str, found: int, least: int) -> None:
        if found < least:
            judged.error(cmap.keys.get(f"totem.{name}"), f"'{name}' must be {least} ms or more, not {found} ms.")

    base = value("token", 3000 if judged.version >= (3, 1) else 1000)
    beyond_two = max(sum("ring0_addr" in node.keys for node in cmap.nodes) - 2, 0)
    coefficient = cmap.number("totem.token_coefficient")
    token = base + beyond_two * (650 if coefficient is None else coefficient)
    at_least("token", token, MINIMUM_MS)
    if token > TOKEN_LIMIT_MS:
        judged.error(cmap.keys.get("totem.token"), f"'token' must be {TOKEN_LIMIT_MS} ms or less.")
        return
    warning = cmap.keys.get("totem.token_warning")
    if warning and (warning.number or 0) > 100:
        judged.error(warning, "'token_warning' is a percentage: 0 (off) to 100.")

    if cmap.number("totem.token_retransmit"):
        at_least("token_retransmit", value("token_retransmit", 0), MINIMUM_MS)
    elif int(token / (value("token_retransmits_before_loss_const", 4) + 0.2)) < MINIMUM_MS:
        where = cmap.keys.get("totem.token_retransmits_before_loss_const") or cmap.keys.get("totem.token")
        judged.error(
            where, f"'token' divided by 'token_retransmits_before_loss_const' must be {MINIMUM_MS} ms or more."
        )
    if cmap.number("totem.hold"):
        at_least("hold", value("hold", 0), MINIMUM_HOLD_MS)

    join = value("join", 50)
    # corosync multiplies in floating point of single precision.
    consensus = value("consensus", int(struct.unpack("f", struct.pack("f", 1.2 * token))[0]))
    at_least("max_network_delay", value("max_network_delay", 50), MINIMUM_MS)
    at_least("join", join, MINIMUM_MS)
    at_least("consensus", consensus, MINIMUM_MS)
    at_least("merge", value("merge", 200), MINIMUM_MS)
    at_least("downcheck", value("downcheck", 1000), MINIMUM_MS)
    if consensus < join:
        where = cmap.keys.get("totem.consensus") or cmap.keys.get("totem.join")
        judged.error(where, f"'consensus' ({consensus} ms) must not be less than 'join' ({join} ms).")


def _interfaces(judged: _Judge) -> None:
    for interface in judged.cmap.interfaces:
        keys = interface.keys
        if interface.link >= LINKS:
            judged.error(interface.section, f"'linknumber' must be 0 to {LINKS - 1}.")
        for name in ("bindnetaddr", "mcastaddr"):
            if name in keys:
                _address(judged, keys[name], name)
        for member in interface.members:
            _address(judged, Entry(member), "memberaddr")
        port, ttl, priority = keys.get("mcastport"), keys.get("ttl"), keys.get("knet_link_priority")
        if port and port.number == 0:
            judged.error(port, "'mcastport' must not be 0: 5405.")
        if ttl and ttl.number != 1 and judged.transport != "udp":
            judged.error(ttl, f"'ttl' is for transport udp only, not for {judged.transport}.")
        if priority and priority.number != 1 and judged.transport != "knet":
            judged.error(priority, f"'knet_link_priority' is for transport knet only, not for {judged.transport}.")


def address(text: str) -> IPAddress | None:
    """An IP address as it is usually written, or None. Corosync also takes 10.1 or 0x0a000001: this does not."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _address(judged: _Judge, entry: Entry, key: str) -> IPAddress | None:
    """The address that `entry` holds; where it holds none that corosync is sure to take, that is an error."""
    if entry.value in judged.resolvable:
        return None
    found = address(entry.value)
    if found is None or getattr(found, "scope_id", None):
        judged.error(
            entry,
            f"'{key}' must be an IP address, not {shown(entry.value)}: a name must resolve whenever corosync starts.",
        )
        return None
    if judged.ip_version in ("ipv4", "ipv6") and judged.ip_version != f"ipv{found.version}":
        judged.error(entry, f"'{key}' is an IPv{found.version} address, but 'ip_version' is {judged.ip_version}.")
    if found.is_unspecified or (found.version == 4 and found == ipaddress.IPv4Address("255.255.255.255")):
        judged.error(entry, f"'{key}' must be the address of one machine, not {found}.")
    return found


def _nodelist(judged: _Judge) -> bool:
    """Whether there is a nodelist that the further rules can be asked about."""
    nodes = judged.cmap.nodes
    if not nodes:
        judged.error(judged.section("nodelist"), "A 'nodelist' with a 'node' for each machine is missing.")
        return False
    if len(nodes) > NODES:
        judged.error(nodes[NODES].section, f"Corosync takes {NODES} nodes at most.")
        return False
    if sum(1 for _ in judged.root.named("nodelist")) > 1:
        *_, second = judged.root.named("nodelist")
        judged.error(second, "There is a second 'nodelist': its nodes overwrite those of the first.")
        return False
    for node in nodes:
        if not node.text("name") and not node.text("ring0_addr"):
            judged.error(node.section, "This node has neither a 'name' nor a 'ring0_addr': it cannot be found.")
    return True


def rings(node: Node) -> Iterator[tuple[str, Entry]]:
    """The keys of a node that look like addresses, ringN_addr."""
    return ((key, entry) for key, entry in node.keys.items() if key.startswith("ring") and key.endswith("_addr"))


def configured_links(cmap: Cmap, transport: str) -> set[int]:
    """The links that corosync configures from `interface` sections: those with a key that it stores."""
    if transport == "udp":
        return {interface.link for interface in cmap.interfaces if "bindnetaddr" in interface.keys}
    return {interface.link for interface in cmap.interfaces if interface.keys or interface.members}


def _links(judged: _Judge) -> None:
    cmap = judged.cmap
    families: dict[int, set[int]] = {}
    links: list[set[int]] = []
    for node in cmap.nodes:
        own: set[int] = set()
        for key, entry in rings(node):
            number = key.removeprefix("ring").removesuffix("_addr")
            if number not in map(str, range(LINKS)):
                judged.error(entry, f"'{key}' is no link: ring0_addr to ring{LINKS - 1}_addr are.")
                continue
            own.add(int(number))
            found = _address(judged, entry, key)
            if found:
                families.setdefault(int(number), set()).add(found.version)
        links.append(own)
    for link, versions in families.items():
        if len(versions) > 1:
            judged.error(judged.section("nodelist"), f"All nodes need the same kind of address on link {link}.")

    sections = configured_links(cmap, judged.transport)
    every = set().union(sections, *links)
    if not set().union(*links):
        judged.error(judged.section("nodelist"), "No node has a 'ring0_addr'.")
    elif len(every) > 1:
        _several_links(judged, links, every)
    elif judged.transport != "knet" and every != {0}:
        judged.error(judged.section("nodelist"), f"Transport {judged.transport} has only link 0: 'ring0_addr'.")
    elif not every <= sections:
        for node, own in zip(cmap.nodes, links, strict=True):
            if own != every:
                judged.error(
                    node.section, f"This node has no 'ring{min(every)}_addr', and no 'interface' stands in for it."
                )


def _several_links(judged: _Judge, links: list[set[int]], every: set[int]) -> None:
    if judged.transport != "knet":
        judged.error(judged.section("totem"), f"Transport {judged.transport} takes one link only; knet takes several.")
    for node, own in zip(judged.cmap.nodes, links, strict=True):
        missing = every - own
        if missing:
            judged.error(node.section, f"This node lacks 'ring{min(missing)}_addr': every node needs every link.")
        if "name" not in node.keys:
            judged.error(node.section, "With more than one link, every node needs a 'name'.")


def node_id(node: Node, *, clear_high_bit: bool) -> int | None:
    """The node's id: as written, or, with udpu and udp, as corosync makes it from the IPv4 address."""
    if node.nodeid:
        return node.nodeid
    found = address(node.text("ring0_addr") or "")
    if found is None or found.version != 4:
        return None
    return int(found) & (0x7FFFFFFF if clear_high_bit else 0xFFFFFFFF)


def _node_ids(judged: _Judge) -> None:
    seen: dict[int, Node] = {}
    clear = judged.cmap.text("totem.clear_node_high_bit") == "yes"
    for node in judged.cmap.nodes:
        entry = node.keys.get("nodeid")
        if entry and entry.number == 0:
            judged.error(entry, "'nodeid' must not be 0.")
            continue
        found = node_id(node, clear_high_bit=clear)
        if entry is None and (judged.transport == "knet" or found is None):
            reason = "transport knet" if judged.transport == "knet" else "a node without an IPv4 address"
            judged.error(node.section, f"This node needs a 'nodeid': {reason} has no other.")
        elif entry and judged.transport == "knet" and (entry.number or 0) > KNET_NODEID_MAX:
            judged.error(entry, f"With knet, 'nodeid' must be {KNET_NODEID_MAX} or less.")
        elif found is not None and found in seen:
            other = seen[found].section.line
            judged.error(entry or node.section, f"Node id {found} is taken by the node of line {other} already.")
        elif found is not None:
            seen[found] = node


def _local_node(judged: _Judge) -> None:
    """Corosync 3 looks for itself by `name` and `ring0_addr` (find_local_node) and refuses a list without it."""
    host = judged.host
    if host is None or judged.version < (3, 0):
        return
    names = {host.name}
    while "." in host.name and len(names) < 64:
        shorter = min(names, key=len).rpartition(".")[0]
        if not shorter:
            break
        names.add(shorter)
    addresses = {address(text) for text in host.addresses}
    for node in judged.cmap.nodes:
        name, ring = node.text("name") or "", node.text("ring0_addr") or ""
        if names & {name, ring, name.partition(".")[0]} or (address(ring) is not None and address(ring) in addresses):
            return
    judged.error(judged.section("nodelist"), f"This file is for {host.name}, but no node has its name or its address.")


def _multicast(judged: _Judge) -> None:
    if judged.transport != "udp":
        return
    cmap = judged.cmap
    if any(
        interface.keys.get("broadcast") and interface.keys["broadcast"].value == "yes" for interface in cmap.interfaces
    ):
        return
    given = [interface.keys["mcastaddr"] for interface in cmap.interfaces if "mcastaddr" in interface.keys]
    for entry in given:
        found = address(entry.value)
        if found and not found.is_multicast:
            judged.error(entry, f"{found} is no multicast address.")
        if found and any(
            (own := address(node.text("ring0_addr") or "")) and own.version != found.version for node in cmap.nodes
        ):
            judged.error(entry, "The multicast address and those of the nodes must be of one kind.")
    if not given and cmap.text("totem.cluster_name") is None:
        judged.error(judged.section("totem"), "Transport udp needs a 'cluster_name' or a 'mcastaddr'.")


_ON_OFF = ("on", "off")
_DESTINATION = ("yes", "no", "on", "off")
_PRIORITIES = ("alert", "crit", "debug", "emerg", "err", "error", "info", "notice", "warning")
_FACILITIES = (
    *("auth", "authpriv", "cron", "daemon", "ftp", "kern", "lpr", "mail", "news", "syslog", "user", "uucp"),
    *(f"local{n}" for n in range(8)),
)
_LOGGING: dict[str, tuple[str, ...]] = {
    "fileline": _ON_OFF,
    "function_name": _ON_OFF,
    "timestamp": ("on", "off", "hires"),
    "blackbox": _ON_OFF,
    "debug": ("on", "off", "trace"),
    "to_stderr": _DESTINATION,
    "to_logfile": _DESTINATION,
    "to_file": _DESTINATION,
    "to_syslog": _DESTINATION,
    "syslog_facility": _FACILITIES,
    "syslog_priority": _PRIORITIES,
    "syslog_level": _PRIORITIES,
    "logfile_priority": _PRIORITIES,
}


def _logging(judged: _Judge) -> None:
    items = [item for section in judged.root.named("logging") for item in section.items]
    subsystems: set[str] = set()
    for _, inner in judged.cmap.logging:
        items += inner
        subsystems.update(item.value for item in inner if item.key == "subsys")
    for item in items:
        allowed = _LOGGING.get(item.key)
        value = item.value.lower() if allowed is _PRIORITIES else item.value  # strcasecmp(3) for these alone
        if allowed and value not in allowed:
            words = ", ".join(allowed)
            judged.error(item, f"'{item.key}' must be one of {words}, not {shown(item.value)}.")
        elif item.key == "logfile" and not _writable(item.value):
            judged.error(
                item,
                f"'logfile' must be a file in {' or '.join(LOG_DIRECTORIES)}, not {shown(item.value)}: corosync does not "
                "start where it cannot open its log, and makes no directory.",
            )
        elif item.key == "subsys" and len(item.value.encode("utf-8", "surrogatepass")) > 63:
            judged.error(item, "The name of a 'subsys' must have 63 characters or less.")
    if len(subsystems) > SUBSYSTEMS:
        judged.error(judged.section("logging"), f"Corosync has room for {SUBSYSTEMS} further 'logger_subsys'.")


def _writable(path: str) -> bool:
    directory, slash, name = path.rpartition("/")
    return directory + slash in LOG_DIRECTORIES and name not in ("", ".", "..", "corosync") and len(name) < 200


def _quorum(judged: _Judge) -> None:
    """`corosync -t` does not look at these: the service fails when it starts."""
    cmap = judged.cmap
    provider = cmap.keys.get("quorum.provider")
    if provider and provider.value not in ("corosync_votequorum", "corosync_ykd"):
        judged.error(provider, f"There is no quorum provider {shown(provider.value)}: corosync_votequorum.")
    device = next((inner for quorum in judged.root.named("quorum") for inner in quorum.named("device")), None)
    if device and device.get("model") and cmap.number("quorum.two_node"):
        judged.error(cmap.keys["quorum.two_node"], "'two_node' and a quorum device cannot be used together.")
