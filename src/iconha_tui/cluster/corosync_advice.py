"""What corosync takes, but a pair of two nodes on EC2 must not have: the warnings.

Nothing here makes corosync refuse the file. Keys are known from corosync.conf(5) and votequorum(5).
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field

from iconha_tui.cluster.corosync_cmap import Cmap, Entry, Node
from iconha_tui.cluster.corosync_rules import Host, Version, address
from iconha_tui.cluster.corosync_syntax import MAX_FINDINGS, Item, Section
from iconha_tui.cluster.findings import Finding, shown

KNOWN: dict[str, frozenset[str]] = {
    path: frozenset(keys.split())
    for path, keys in {
        "totem": """version cluster_name transport ip_version crypto_model crypto_cipher crypto_hash secauth keyfile key
            link_mode netmtu config_version clear_node_high_bit nodeid threads rrp_mode token token_warning
            token_coefficient token_retransmit hold token_retransmits_before_loss_const join send_join consensus merge
            downcheck fail_recv_const seqno_unchanged_const heartbeat_failures_allowed max_network_delay window_size
            max_messages miss_count_const knet_pmtud_interval knet_mtu knet_compression_model
            knet_compression_threshold knet_compression_level block_unlisted_ips cancel_token_hold_on_retransmit
            ip_dscp""",
        "totem.interface": """linknumber ringnumber bindnetaddr broadcast mcastaddr mcastport ttl knet_link_priority
            knet_ping_interval knet_ping_timeout knet_ping_precision knet_pong_count knet_transport""",
        "totem.interface.member": "memberaddr",
        "nodelist": "",
        "nodelist.node": "name nodeid quorum_votes " + " ".join(f"ring{n}_addr" for n in range(8)),
        "quorum": """provider expected_votes votes two_node wait_for_all auto_tie_breaker auto_tie_breaker_node
            last_man_standing last_man_standing_window allow_downscale expected_votes_tracking leaving_timeout""",
        "quorum.device": "model timeout sync_timeout votes master_wins",
        "logging": """fileline function_name timestamp blackbox debug to_stderr to_logfile to_syslog logfile
            logfile_priority syslog_facility syslog_priority""",
        "system": "qb_ipc_type sched_rr priority move_to_root_cgroup allow_knet_handle_fallback state_dir",
        "uidgid": "uid gid",
        "nozzle": "name ipaddr ipprefix macaddr",
        "resources": "watchdog_timeout watchdog_device",
        "service": "name ver",
    }.items()
}
"""Keys by section. A section that is not here has keys that are not judged."""

_FREE = ("quorum.device.", "resources.", "logging.logger_subsys", "logging.logging_daemon")
_TOP = frozenset(path for path in KNOWN if "." not in path)
_REPEATING = ("totem.interface.member", "uidgid")
_PACKAGE_DEFAULT = ("node1", "127.0.0.1")


@dataclass(slots=True)
class _Adviser:
    cmap: Cmap
    root: Section
    host: Host | None
    expected: Sequence[tuple[str, str]]
    version: Version
    transport: str
    findings: list[Finding] = field(default_factory=list)

    def warn(self, where: Entry | Item | Section | None, message: str) -> None:
        place = where.item if isinstance(where, Entry) else where or self.root
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append(Finding(place.line, place.column, "warning", message))

    def section(self, name: str) -> Section | None:
        return next(self.root.named(name), None)


def advise(
    cmap: Cmap, root: Section, *, host: Host | None, expected: Sequence[tuple[str, str]], version: Version
) -> list[Finding]:
    """What an operator of a pair should know of this file. `expected` are the (name, address) that it should list."""
    default = "knet" if version >= (3, 0) else "udp"
    adviser = _Adviser(cmap, root, host, expected, version, cmap.text("totem.transport") or default)
    _names(adviser, root, "")
    _transport(adviser)
    _interfaces(adviser)
    _nodes(adviser)
    _quorum(adviser)
    _timers(adviser)
    _logging(adviser)
    return adviser.findings


def _names(adviser: _Adviser, section: Section, path: str) -> None:
    """Unknown sections and keys, which corosync drops without a word, and keys that stand twice."""
    if path and not path.startswith(_FREE):
        _keys(adviser, section, path)
    elif not path:
        for item in section.items:
            adviser.warn(item, f"{shown(item.key)} stands outside every section: corosync ignores it.")
    for child in section.sections:
        inner = f"{path}.{child.name}" if path else child.name
        if inner not in KNOWN and not inner.startswith(_FREE):
            _unknown_section(adviser, child, path)
            continue
        if child.name == "service" and not path:
            adviser.warn(child, "Corosync 2 and later ignore 'service': Pacemaker is started by systemd.")
        _names(adviser, child, inner)


def _unknown_section(adviser: _Adviser, section: Section, path: str) -> None:
    if len(adviser.findings) >= MAX_FINDINGS:
        return
    if path and section.name in _TOP:
        message = (
            f"{shown(section.name)} stands inside {shown(path)}, where corosync ignores it: is a '}}' missing above?"
        )
    else:
        close = difflib.get_close_matches(section.name[:40], [name.rpartition(".")[2] for name in KNOWN], n=1)
        message = f"Corosync ignores the section {shown(section.name)}" + (f": '{close[0]}'?" if close else ".")
    adviser.warn(section, message)


def _keys(adviser: _Adviser, section: Section, path: str) -> None:
    known = KNOWN[path]
    last = {item.key: item for item in section.items}
    for item in section.items:
        if len(adviser.findings) >= MAX_FINDINGS:
            return  # the hints cost more than the rest together
        if item.key not in known:
            adviser.warn(item, f"Corosync ignores {shown(item.key)} in {shown(path)}{_hint(item.key, path)}.")
        elif last[item.key] is not item and path not in _REPEATING:
            adviser.warn(item, f"{shown(item.key)} stands again further down: that line counts, not this one.")
        elif item.value == "":
            adviser.warn(item, f"{shown(item.key)} has no value.")


def _hint(key: str, path: str) -> str:
    homes = [other for other in KNOWN if key in KNOWN[other] and other != path]
    if homes:
        return f": it belongs in '{homes[0]}'"
    close = difflib.get_close_matches(key[:40], KNOWN[path], n=1)
    return f": '{close[0]}'?" if close else ""


def _transport(adviser: _Adviser) -> None:
    cmap, transport = adviser.cmap, adviser.transport
    totem = cmap.keys.get("totem.transport") or adviser.section("totem")
    if transport == "udp":
        adviser.warn(totem, "Transport udp needs multicast or broadcast, which a VPC does not carry: udpu or knet.")
    if not cmap.text("totem.cluster_name"):
        adviser.warn(adviser.section("totem"), "'cluster_name' is missing: it keeps two clusters on one network apart.")
    if "totem.nodeid" in cmap.keys:
        adviser.warn(cmap.keys["totem.nodeid"], "Corosync ignores 'nodeid' here: it belongs in each 'node'.")
    if adviser.version < (3, 0):
        return
    secauth = cmap.text("totem.secauth") == "on"
    cipher = cmap.text("totem.crypto_cipher") or ("aes256" if secauth else "none")
    digest = cmap.text("totem.crypto_hash") or ("sha256" if secauth else "none")
    if transport != "knet":
        adviser.warn(
            totem,
            f"With {transport}, corosync 3 neither encrypts nor authenticates, and never reads the authkey: whoever "
            "reaches the port can join. Let the security group admit the pair alone, or use transport knet.",
        )
    elif cipher == "none" and digest == "none":
        adviser.warn(totem, "Neither encrypted nor authenticated: 'crypto_cipher: aes256' and 'crypto_hash: sha256'.")
    elif cipher == "none":
        adviser.warn(totem, "Messages are authenticated, but not encrypted: 'crypto_cipher: aes256'.")
    if digest in ("md5", "sha1"):
        adviser.warn(cmap.keys.get("totem.crypto_hash"), f"{digest} is outdated: 'crypto_hash: sha256'.")
    if "totem.key" in cmap.keys:
        adviser.warn(cmap.keys["totem.key"], "The cluster's key stands in a file that anyone may read.")


def _interfaces(adviser: _Adviser) -> None:
    transport = adviser.transport
    ring_zero = any("ring0_addr" in node.keys for node in adviser.cmap.nodes)
    for interface in adviser.cmap.interfaces:
        keys = interface.keys
        for name in ("broadcast", "mcastaddr"):
            if name in keys and transport != "udp":
                adviser.warn(keys[name], f"'{name}' is ignored with transport {transport}.")
        if "bindnetaddr" in keys and ring_zero and adviser.version >= (3, 0):
            adviser.warn(
                keys["bindnetaddr"], "Corosync 3 takes the address from the nodelist and ignores 'bindnetaddr'."
            )
        if "bindnetaddr" in keys and adviser.host and adviser.host.addresses:
            own = {address(text) for text in adviser.host.addresses}
            if address(keys["bindnetaddr"].value) not in own:
                adviser.warn(keys["bindnetaddr"], f"'bindnetaddr' is no address of {adviser.host.name}.")
        ring = keys.get("ringnumber")
        if ring and ring.value != "0" and adviser.version >= (3, 0):
            adviser.warn(ring, "Corosync 3 ignores 'ringnumber': 'linknumber'.")
        port = keys.get("mcastport")
        if port and port.number not in (5405, 5406):
            adviser.warn(
                port, "The guide's security group opens udp 5404-5406: open this port and the one below it too."
            )
        if transport != "knet":
            for name in keys:
                if name.startswith("knet_"):
                    adviser.warn(keys[name], f"'{name}' is ignored with transport {transport}.")


def _nodes(adviser: _Adviser) -> None:
    nodes = adviser.cmap.nodes
    nodelist = adviser.section("nodelist")
    if not nodes:
        adviser.warn(nodelist, "Without a nodelist, the nodes of a pair on EC2 cannot find one another.")
        return
    if len(nodes) != 2:
        adviser.warn(nodelist, f"A pair has two nodes, not {len(nodes)}.")
    _repeated(adviser, nodes, "ring0_addr", "Two nodes have the address {}: each needs its own.")
    _repeated(adviser, nodes, "name", "Two nodes have the name {}: each needs its own.")
    for node in nodes:
        _node(adviser, node)
    if adviser.expected:
        _expected(adviser, nodes)


def _node(adviser: _Adviser, node: Node) -> None:
    ring = node.keys.get("ring0_addr")
    if ring is None:
        adviser.warn(node.section, "This node has no 'ring0_addr': the other one cannot reach it.")
    name = node.text("name")
    if not name:
        adviser.warn(node.section, "This node has no 'name': Pacemaker takes whatever the host is called at the time.")
    elif not name.isascii() or any(char.isspace() for char in name):
        adviser.warn(
            node.keys["name"], "The name should be the host's own name (`uname -n`): plain letters and digits."
        )
    elif name == "localhost":
        adviser.warn(node.keys["name"], "Every machine is localhost: give the node its own name.")
    if "nodeid" not in node.keys:
        adviser.warn(node.section, "This node has no 'nodeid': an id made from the address changes with it.")
    found = address(ring.value) if ring else None
    if ring and found and found.is_loopback:
        adviser.warn(ring, f"{found} is this machine itself on every machine: the node's private address belongs here.")
    elif ring and found and found.is_global:
        adviser.warn(ring, f"{found} is a public address, which no EC2 instance has itself: its private address.")


def _repeated(adviser: _Adviser, nodes: Sequence[Node], key: str, message: str) -> None:
    seen: set[str] = set()
    for node in nodes:
        value = node.text(key)
        if value and str(address(value) or value) in seen:
            adviser.warn(node.keys[key], message.format(shown(value)))
        elif value:
            seen.add(str(address(value) or value))


def _expected(adviser: _Adviser, nodes: Sequence[Node]) -> None:
    listed = {(node.text("name") or "", node.text("ring0_addr") or "") for node in nodes}
    for name, ring in adviser.expected:
        if (name, ring) not in listed:
            adviser.warn(adviser.section("nodelist"), f"No node is listed as {name} with the address {ring}.")
    for node in nodes:
        name, ring = node.text("name") or "", node.text("ring0_addr") or ""
        if (name, ring) not in adviser.expected:
            adviser.warn(node.section, f"{shown(name)} with the address {shown(ring)} is none of this cluster's nodes.")


def _quorum(adviser: _Adviser) -> None:
    cmap = adviser.cmap
    quorum = adviser.section("quorum")
    two_node = cmap.keys.get("quorum.two_node")
    if quorum is None or "quorum.provider" not in cmap.keys:
        adviser.warn(quorum, "No quorum provider: the cluster never has quorum. 'provider: corosync_votequorum'.")
    if len(adviser.cmap.nodes) == 2 and not (two_node and two_node.number):
        adviser.warn(quorum, "'two_node: 1' is missing: when one of two nodes fails, the other one loses quorum.")
    if two_node and two_node.number and len(adviser.cmap.nodes) > 2:
        adviser.warn(
            two_node, f"'two_node' is for two nodes, and there are {len(adviser.cmap.nodes)}: any one alone has quorum."
        )
    if two_node and (two_node.number or 0) > 1:
        adviser.warn(two_node, "'two_node' is 0 or 1.")
    if two_node and two_node.number and cmap.number("quorum.wait_for_all") == 0:
        adviser.warn(
            cmap.keys["quorum.wait_for_all"],
            "Without 'wait_for_all', a node that boots alone takes the address although the other one may hold it.",
        )
    if two_node and two_node.number and cmap.number("quorum.auto_tie_breaker"):
        adviser.warn(cmap.keys["quorum.auto_tie_breaker"], "'auto_tie_breaker' switches 'two_node' off.")
    votes = cmap.keys.get("quorum.expected_votes")
    if votes and adviser.cmap.nodes and votes.number != len(adviser.cmap.nodes):
        adviser.warn(votes, f"'expected_votes' is {votes.value}, but there are {len(adviser.cmap.nodes)} nodes.")
    for node in adviser.cmap.nodes:
        own = node.keys.get("quorum_votes")
        if own and own.number != 1:
            adviser.warn(own, "In a pair, each node has one vote.")


def _timers(adviser: _Adviser) -> None:
    token = adviser.cmap.keys.get("totem.token")
    if token and token.number and token.number < 1000:
        adviser.warn(token, "Below 1000 ms, a short stall of the instance or of its network makes the address move.")
    elif token and token.number and token.number > 30000:
        adviser.warn(token, f"A dead node is noticed only after {token.number * 2.2 / 1000:.0f} s or so.")


def _logging(adviser: _Adviser) -> None:
    logging = adviser.section("logging")
    if logging is None:
        return
    to_logfile = logging.get("to_logfile")
    if to_logfile and to_logfile.value in ("yes", "on") and logging.get("logfile") is None:
        adviser.warn(to_logfile, "'to_logfile' needs a 'logfile': /var/log/corosync/corosync.log.")


def is_package_default(cmap: Cmap) -> bool:
    """Whether this is the one-node configuration that the packages of Debian and Ubuntu install."""
    if len(cmap.nodes) != 1:
        return False
    node = cmap.nodes[0]
    return (node.text("name"), node.text("ring0_addr")) == _PACKAGE_DEFAULT
