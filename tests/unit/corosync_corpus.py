"""Generated corosync.conf files, to compare the checker with `corosync -t` itself.

    python tests/unit/corosync_corpus.py write DIRECTORY COUNT SEED     # one file a case
    (on a node called PRep-01 at 10.0.0.11: for f in *; do corosync -t -c "$PWD/$f"; echo "$f $?"; done > verdicts)
    python tests/unit/corosync_corpus.py compare DIRECTORY VERDICTS     # exit 1 where one is passed that was refused

The same COUNT and SEED always give the same files.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from iconha_tui.cluster.corosync_conf import CorosyncSettings, Host, NodeAddress, check, has_errors, render

NODES = (NodeAddress("PRep-01", "10.0.0.11", 1), NodeAddress("PRep-02", "10.0.0.12", 2))
HOST = Host("PRep-01", frozenset({"10.0.0.11", "127.0.0.1"}))

UDPU = render(CorosyncSettings("nodecluster", NODES, "udpu"), NODES[0])
KNET = render(CorosyncSettings("nodecluster", NODES, "knet", token_ms=5000), NODES[0])
TWO_LINKS = KNET.replace("ring0_addr: 10.0.0.11", "ring0_addr: 10.0.0.11\n        ring1_addr: 10.1.0.11").replace(
    "ring0_addr: 10.0.0.12", "ring0_addr: 10.0.0.12\n        ring1_addr: 10.1.0.12"
)
UDP = UDPU.replace("udpu", "udp")
PACKAGE = """totem {
	version: 2
	cluster_name: debian
	crypto_cipher: none
	crypto_hash: none
}
logging {
	fileline: off
	to_stderr: yes
	to_logfile: yes
	logfile: /var/log/corosync/corosync.log
	to_syslog: yes
	debug: off
	logger_subsys {
		subsys: QUORUM
		debug: off
	}
}
quorum {
	provider: corosync_votequorum
}
nodelist {
	node {
		name: PRep-01
		nodeid: 1
		ring0_addr: 10.0.0.11
	}
}
"""
BASES = (UDPU, KNET, TWO_LINKS, UDP, PACKAGE)

_TOTEM = """version cluster_name transport ip_version crypto_model crypto_cipher crypto_hash secauth keyfile key link_mode
 netmtu config_version clear_node_high_bit nodeid threads token token_warning token_coefficient token_retransmit hold
 token_retransmits_before_loss_const join send_join consensus merge downcheck fail_recv_const seqno_unchanged_const
 heartbeat_failures_allowed max_network_delay window_size max_messages miss_count_const knet_pmtud_interval knet_mtu
 knet_compression_model knet_compression_threshold knet_compression_level block_unlisted_ips rrp_mode foo interface"""
_INTERFACE = """linknumber ringnumber bindnetaddr broadcast mcastaddr mcastport ttl knet_link_priority knet_ping_interval
 knet_ping_timeout knet_ping_precision knet_pong_count knet_transport foo"""
_LOGGING = """fileline function_name timestamp blackbox debug to_stderr to_logfile to_file to_syslog logfile
 logfile_priority syslog_facility syslog_priority syslog_level x"""
KEYS = {
    "totem": _TOTEM.split(),
    "interface": _INTERFACE.split(),
    "node": [
        "name",
        "nodeid",
        "quorum_votes",
        "ring0_addr",
        "ring1_addr",
        "ring2_addr",
        "ring8_addr",
        "ring00_addr",
        "x",
    ],
    "nodelist": ["foo", "node.0.ring0_addr", "node.0.nodeid"],
    "quorum": [
        "provider",
        "expected_votes",
        "votes",
        "two_node",
        "wait_for_all",
        "auto_tie_breaker",
        "leaving_timeout",
    ],
    "logging": _LOGGING.split(),
    "logger_subsys": ["subsys", "debug", "to_syslog", "logfile", "syslog_facility"],
    "logging_daemon": ["name", "subsys", "debug", "to_syslog"],
    "system": ["qb_ipc_type", "sched_rr", "move_to_root_cgroup", "priority", "allow_knet_handle_fallback"],
    "uidgid": ["uid", "gid", "foo"],
    "device": ["model", "votes", "timeout", "sync_timeout", "master_wins"],
    "resources": ["watchdog_timeout", "watchdog_device"],
    "service": ["name", "ver"],
    "member": ["memberaddr", "foo"],
    "": ["foo", "ab", "x", "totem.version", "nodelist.node.0.nodeid", "totem.interface.0.bindnetaddr", "key name", "é"],
}
_VALUES = """0 1 2 3 -1 +1 3.5 yes no on off 1x 0x10 010 14 13 29 30 31 100 101 127 128 255 256 1000 3000 5404 5405 65535
 65536 2147483647 2147483648 4294967295 4294967296 18446744073709551615 18446744073709551616 99999999999999999999999
 udpu udp knet UDPU iba ipv4 ipv6 ipv4-6 ipv6-4 IPv4 none aes256 aes192 aes128 3des md5 sha1 sha256 sha384 sha512 nss
 openssl gcrypt passive active rr zlib lz4 lz4hc lzo2 lzma bzip2 zstd sctp native shm socket auto hires trace max min
 10.0.0.11 10.0.0.12 10.0.0.13 10.0.0.0 010.0.0.1 10.1 167772171 10.0.0.256 10.0.0.11/24 fd00::1 fd00::2 fe80::1%lo ::
 ::ffff:10.0.0.11 0.0.0.0 255.255.255.255 127.0.0.1 localhost PRep-01 PRep-02 prep-01 nosuchhost.invalid 239.192.1.1
 224.0.0.1 ff15::1 daemon local0 local7 local8 lpr ftp LOG_DAEMON info INFO Warning warn panic err error debug emerg
 /etc/corosync/authkey /nonexistent /var/log/corosync/corosync.log /var/log/corosync/other.log /var/log/x.log
 /var/log/cluster/corosync.log /var/log/corosync/ /var/log/corosync /var/log/.. corosync.log root hacluster nobody
 haclient corosync corosync_votequorum corosync_ykd corosync_quorum QUORUM TOTEM disk net cs0 af11 64"""
VALUES = _VALUES.split()
ODD_VALUES = [
    "",
    " ",
    "\t1",
    "1 # comment",
    "a b",
    "a:b",
    ":",
    "x" * 63,
    "x" * 64,
    "x" * 126,
    "x" * 127,
    "x" * 300,
    "é",
    "1\r",
    "1\v",
]
SECTIONS = [name for name in KEYS if name] + ["foo", "totem.interface", "é", "a b", "x" * 240, ""]
LINES = [
    "{", "}", "} }", "}}", "foo", "foo {", "foo{", "foo {}", "foo { }", "foo: {", "foo: bar {", ": {", "{ {", "foo { # x",
    "} # x", "# {", "#", "   # }", "a: b }", "a: b # {", ":", ": x", " : ", "a:", "key value", "key = value", "\v", "\f",
    "\r", " \r", "\xa0", "\xa0# x", "#" * 510, "#" * 511, " " * 510, " " * 511, "x: " + "y" * 507, "x: " + "y" * 508,
    "k" * 240 + ": 1", "k" * 254 + ": 1", "é: 1", "a b: 1", "a$: 1", "a/b: 1", "# é" + "é" * 254, "# " + "é" * 254,
]  # fmt: skip


def cases(count: int, seed: int) -> Iterator[str]:
    """`count` files: valid ones of both transports, each with one to four mutations."""
    chance = random.Random(seed)
    for _ in range(count):
        text = chance.choice(BASES)
        for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 4))):
            text = _mutate(text, chance)
        yield text


def _value(chance: random.Random) -> str:
    return chance.choice(ODD_VALUES) if chance.random() < 0.1 else chance.choice(VALUES)


def _enclosing(lines: list[str], index: int) -> str:
    depth = 0
    for line in reversed(lines[:index]):
        if line.strip() == "}":
            depth += 1
        elif line.rstrip().endswith("{"):
            if depth == 0:
                return line.split("{")[0].strip()
            depth -= 1
    return ""


def _mutate(text: str, chance: random.Random) -> str:
    lines: list[str] = text.split("\n")
    index = chance.randrange(len(lines))
    kind = chance.random()
    if kind < 0.28:  # another value
        places = [n for n, line in enumerate(lines) if ":" in line]
        if places:
            index = chance.choice(places)
            lines[index] = lines[index].split(":")[0] + ": " + _value(chance)
    elif kind < 0.62:  # another key, of the section where it stands
        section = _enclosing(lines, index)
        key = chance.choice(KEYS.get(section) or KEYS[""])
        lines.insert(index, f"{key}: {_value(chance)}")
    elif kind < 0.72:
        del lines[index]
    elif kind < 0.76:
        lines.insert(index, lines[chance.randrange(len(lines))])
    elif kind < 0.84:  # another section
        name = chance.choice(SECTIONS)
        keys = [f"{chance.choice(KEYS.get(name) or KEYS[''])}: {_value(chance)}" for _ in range(chance.randrange(3))]
        lines[index:index] = [f"{name} {{", *keys, "}"]
    elif kind < 0.92:
        lines.insert(index, chance.choice(LINES))
    elif kind < 0.97:  # one character
        joined = "\n".join(lines)
        at = chance.randrange(len(joined) + 1)
        return joined[:at] + chance.choice("{}:# \t\r\n-ax1é\xa0") + joined[at + chance.randrange(2) :]
    else:
        joined = "\n".join(lines)
        return joined.replace("\n", "\r\n") if chance.random() < 0.5 else joined[: chance.randrange(len(joined) + 1)]
    return "\n".join(lines)


def passes(text: str) -> bool:
    return not has_errors(check(text, host=HOST))


def _write(directory: Path, count: int, seed: int) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for number, text in enumerate(cases(count, seed)):
        (directory / f"{number:06}").write_bytes(text.encode())


def _compare(directory: Path, verdicts: Path) -> int:
    table: Counter[tuple[bool, bool]] = Counter()
    for line in verdicts.read_text(errors="replace").splitlines():
        name, code, *reason = line.split(maxsplit=2)
        text = (directory / name).read_bytes().decode()
        accepted, passed = code == "0", passes(text)
        table[accepted, passed] += 1
        if passed and not accepted:
            print(f"PASSED BUT REFUSED {name} {code} {' '.join(reason)}")
        elif accepted and not passed:
            errors = [str(finding) for finding in check(text, host=HOST) if finding.severity == "error"]
            print(f"refused but accepted {name} {errors[0]}")
    for (accepted, passed), number in sorted(table.items()):
        print(f"corosync {'accepts' if accepted else 'refuses'}, check {'passes' if passed else 'refuses'}: {number}")
    return 1 if table[False, True] else 0


if __name__ == "__main__":
    command, where, *rest = sys.argv[1:]
    if command == "write":
        _write(Path(where), int(rest[0]), int(rest[1]))
    else:
        sys.exit(_compare(Path(where), Path(rest[0])))
