"""What `corosync -t` of 3.1.7 (Debian 12) says of a file, by its exit code: 0 accepted, anything else refused.

Measured on a host called PRep-01 with the address 10.0.0.11 and an authkey. Each case replaces one text in a file
that is accepted. `python tests/unit/corosync_verdicts.py DIRECTORY` writes the files, to measure again.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

from corosync_corpus import KNET, UDPU


class Case(NamedTuple):
    what: str
    base: str
    old: str
    new: str
    accepted: bool

    @property
    def text(self) -> str:
        assert self.old in self.base, self.what
        return self.base.replace(self.old, self.new, 1)


ACCEPTED, REFUSED = True, False
_NODE_1 = "ring0_addr: 10.0.0.11"
_NODE_2 = "ring0_addr: 10.0.0.12"
_TOKEN = "token: 5000"
_TIMESTAMP = "timestamp: on"

CASES = [
    # the lines
    Case("a brace on the next line", KNET, "totem {", "totem\n{", REFUSED),
    Case("a comment behind an opening brace", KNET, "totem {", "totem { # main", REFUSED),
    Case("a comment behind a closing brace", KNET, "two_node: 1\n}", "two_node: 1\n} # quorum", REFUSED),
    Case("a comment on a line of its own", KNET, _TOKEN, f"  # why\n{_TOKEN}", ACCEPTED),
    Case("a comment behind a number", KNET, _TOKEN, "token: 5000 # ms", REFUSED),
    Case("a brace within a value", KNET, "nodecluster", "node{cluster", REFUSED),
    Case("a section on one line", KNET, "two_node: 1", "two_node: 1\ndevice { }", REFUSED),
    Case("an equals sign for the colon", KNET, _TOKEN, "token = 5000", REFUSED),
    Case("no space behind the colon", KNET, _TOKEN, "token:5000", ACCEPTED),
    Case("a colon behind a section's name", KNET, "totem {", "totem: {", ACCEPTED),
    Case("no space before the brace", KNET, "totem {", "totem{", ACCEPTED),
    Case("carriage returns", KNET, "\n", "\r\n", ACCEPTED),
    Case("two carriage returns", KNET, "totem {\n", "totem {\r\r\n", REFUSED),
    Case("one closing brace too many", KNET, "two_node: 1\n}", "two_node: 1\n}\n}", REFUSED),
    Case("one closing brace too few", KNET, "two_node: 1\n}", "two_node: 1", REFUSED),
    Case("a line of 510 bytes", KNET, _TOKEN, "#" * 506, ACCEPTED),
    Case("a line of 511 bytes", KNET, _TOKEN, "#" * 507, REFUSED),
    Case("a line of 511 bytes, half as many characters", KNET, _TOKEN, "#" + "é" * 253, REFUSED),
    Case("no line feed at the end", KNET, "timestamp: on\n}\n", "timestamp: on\n}", ACCEPTED),
    Case("a key with a blank", KNET, _TOKEN, "to ken: 5000", REFUSED),
    Case("a key of two letters outside a section", KNET, "totem {", "ab: 1\ntotem {", REFUSED),
    Case("a key that nobody knows", KNET, _TOKEN, "tokn: 5000", ACCEPTED),
    Case("a section that nobody knows", KNET, "totem {", "foo {\n}\ntotem {", ACCEPTED),
    # numbers
    Case("two_node: yes", KNET, "two_node: 1", "two_node: yes", REFUSED),
    Case("a negative number", KNET, _TOKEN, "token: -1", REFUSED),
    Case("a fraction", KNET, _TOKEN, "token: 3.5", REFUSED),
    Case("a sign", KNET, _TOKEN, "token: +5000", ACCEPTED),
    Case("2^32", KNET, _TOKEN, "token: 4294967296", REFUSED),
    Case("a port above 65535", KNET, "mcastport: 5405", "mcastport: 65536", REFUSED),
    Case("two_node above 255", KNET, "two_node: 1", "two_node: 256", REFUSED),
    # words
    Case("a transport in capitals", KNET, "transport: knet", "transport: KNET", REFUSED),
    Case("a cipher that knet does not have", KNET, "aes256", "3des", REFUSED),
    Case("a hash that knet does not have", KNET, "sha256", "sha224", REFUSED),
    Case("a cipher without a hash", KNET, "crypto_hash: sha256", "crypto_hash: none", REFUSED),
    Case("a hash without a cipher", KNET, "crypto_cipher: aes256", "crypto_cipher: none", ACCEPTED),
    Case("a crypto model that is not built in", KNET, _TOKEN, "crypto_model: gcrypt", REFUSED),
    Case("compression spelled out as none", KNET, _TOKEN, "knet_compression_model: none", REFUSED),
    Case("an ip_version that is none", KNET, _TOKEN, "ip_version: 4", REFUSED),
    Case("a link mode that is none", KNET, _TOKEN, "link_mode: both", REFUSED),
    # crypto and transport
    Case("encryption with udpu", UDPU, "transport: udpu", "transport: udpu\ncrypto_cipher: aes256\ncrypto_hash: sha256",
         REFUSED),
    Case("secauth with udpu", UDPU, "transport: udpu", "transport: udpu\nsecauth: on", REFUSED),
    Case("secauth switched off with udpu", UDPU, "transport: udpu", "transport: udpu\nsecauth: off", ACCEPTED),
    Case("a key file that is not there", KNET, _TOKEN, "keyfile: /etc/corosync/other", REFUSED),
    Case("a key in the file that is too short", KNET, _TOKEN, f"key: {'k' * 126}", REFUSED),
    Case("a key in the file that is long enough", KNET, _TOKEN, f"key: {'k' * 127}", ACCEPTED),
    Case("two links with udpu", UDPU, _NODE_1, f"{_NODE_1}\nring1_addr: 10.1.0.11", REFUSED),
    Case("ttl with udpu", UDPU, "mcastport: 5405", "mcastport: 5405\nttl: 2", REFUSED),
    Case("a link's priority with udpu", UDPU, "mcastport: 5405", "mcastport: 5405\nknet_link_priority: 2", REFUSED),
    Case("a link's transport that is none", KNET, "mcastport: 5405", "mcastport: 5405\nknet_transport: tcp", REFUSED),
    Case("no version", KNET, "version: 2\n", "", REFUSED),
    Case("version 1", KNET, "version: 2", "version: 1", REFUSED),
    # timers
    Case("a token of 29 ms", KNET, _TOKEN, "token: 29", REFUSED),
    Case("a token too short for its retransmits", KNET, _TOKEN, "token: 125", REFUSED),
    Case("a token just long enough", KNET, _TOKEN, "token: 127", ACCEPTED),
    Case("a token of 0, the default", KNET, _TOKEN, "token: 0", ACCEPTED),
    Case("too many retransmits", KNET, _TOKEN, "token_retransmits_before_loss_const: 200", REFUSED),
    Case("join above consensus", KNET, _TOKEN, "join: 6001\ntoken: 5000", REFUSED),
    Case("join up to consensus", KNET, _TOKEN, "join: 6000\ntoken: 5000", ACCEPTED),
    Case("consensus of 29 ms", KNET, _TOKEN, "consensus: 29", REFUSED),
    Case("hold of 13 ms", KNET, _TOKEN, "hold: 13", REFUSED),
    Case("merge of 29 ms", KNET, _TOKEN, "merge: 29", REFUSED),
    Case("downcheck of 29 ms", KNET, _TOKEN, "downcheck: 29", REFUSED),
    Case("max_network_delay of 29 ms", KNET, _TOKEN, "max_network_delay: 29", REFUSED),
    Case("token_warning above 100 %", KNET, _TOKEN, "token_warning: 101", REFUSED),
    # nodes
    Case("no node of this host", KNET, _NODE_1, "ring0_addr: 10.0.0.13", ACCEPTED),  # its name is there
    Case("neither this host's name nor its address", KNET, f"{_NODE_1}\n        name: PRep-01",
         "ring0_addr: 10.0.0.13\nname: PRep-03", REFUSED),
    Case("no nodelist", KNET, "nodelist {", "nodes {", REFUSED),
    Case("a node id twice", KNET, "nodeid: 2", "nodeid: 1", REFUSED),
    Case("a node id of 0 with knet", KNET, "nodeid: 2", "nodeid: 0", REFUSED),
    Case("a node id above 65535 with knet", KNET, "nodeid: 2", "nodeid: 65536", REFUSED),
    Case("a node id above 65535 with udpu", UDPU, "nodeid: 2", "nodeid: 65536", ACCEPTED),
    Case("no node id with knet", KNET, "nodeid: 2", "quorum_votes: 1", REFUSED),
    Case("no node id with udpu", UDPU, "nodeid: 2", "quorum_votes: 1", ACCEPTED),
    Case("the same address twice", KNET, _NODE_2, _NODE_1, ACCEPTED),
    Case("a name that does not resolve", KNET, _NODE_2, "ring0_addr: nosuchhost.invalid", REFUSED),
    Case("an address out of range", KNET, _NODE_2, "ring0_addr: 10.0.0.256", REFUSED),
    Case("an address with a prefix", KNET, _NODE_2, "ring0_addr: 10.0.0.12/24", REFUSED),
    Case("an address without a value", KNET, _NODE_2, "ring0_addr:", REFUSED),
    Case("both kinds of address", KNET, _NODE_2, "ring0_addr: fd00::2", REFUSED),
    Case("the wrong kind of address", KNET, _TOKEN, "ip_version: ipv6", REFUSED),
    Case("no address on one node, with an interface", UDPU, f"{_NODE_2}\n", "", ACCEPTED),
    Case("link 8", KNET, _NODE_2, "ring8_addr: 10.0.0.12", REFUSED),
    Case("a link that one node lacks", KNET, _NODE_1, f"{_NODE_1}\nring1_addr: 10.1.0.11", REFUSED),
    Case("an interface for a link that no node has", KNET, "linknumber: 0", "linknumber: 1", REFUSED),
    Case("interface 8", KNET, "linknumber: 0", "linknumber: 8", REFUSED),
    # logging
    Case("a log in a directory that is not there", KNET, "/var/log/corosync/corosync.log", "/var/log/cluster/c.log",
         REFUSED),
    Case("a relative log", KNET, "/var/log/corosync/corosync.log", "no/corosync.log", REFUSED),
    Case("a directory for a log", KNET, "/var/log/corosync/corosync.log", "/var/log/corosync", REFUSED),
    Case("to_syslog: true", KNET, "to_syslog: yes", "to_syslog: true", REFUSED),
    Case("timestamp: yes", KNET, _TIMESTAMP, "timestamp: yes", REFUSED),
    Case("debug: yes", KNET, _TIMESTAMP, "debug: yes", REFUSED),
    Case("a priority that is none", KNET, _TIMESTAMP, "syslog_priority: warn", REFUSED),
    Case("a priority in capitals", KNET, _TIMESTAMP, "syslog_priority: WARNING", ACCEPTED),
    Case("a facility that is none", KNET, _TIMESTAMP, "syslog_facility: local8", REFUSED),
    Case("a logger_subsys without its name", KNET, _TIMESTAMP, "logger_subsys {\ndebug: on\n}", REFUSED),
    Case("a logger_subsys with a wrong value", KNET, _TIMESTAMP, "logger_subsys {\nsubsys: QUORUM\ndebug: yes\n}",
         REFUSED),
    Case("a logger_subsys with an odd name", KNET, _TIMESTAMP, "logger_subsys {\nsubsys: a b\n}", REFUSED),
    Case("twenty logger_subsys", KNET, _TIMESTAMP,
         "\n".join(f"logger_subsys {{\nsubsys: S{n}\n}}" for n in range(20)), REFUSED),
    # the rest
    Case("a user that is not there", KNET, "totem {", "uidgid {\nuid: nosuchuser\n}\ntotem {", REFUSED),
    Case("a user by number", KNET, "totem {", "uidgid {\nuid: 1000\n}\ntotem {", ACCEPTED),
    Case("a further key in uidgid", KNET, "totem {", "uidgid {\nfoo: 1000\n}\ntotem {", REFUSED),
    Case("an IPC type that is none", KNET, "totem {", "system {\nqb_ipc_type: pipe\n}\ntotem {", REFUSED),
    Case("a further key in member", UDPU, "mcastport: 5405", "mcastport: 5405\nmember {\nfoo: 1\n}", REFUSED),
]  # fmt: skip

if __name__ == "__main__":
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    for number, case in enumerate(CASES):
        (directory / f"{number:03}").write_bytes(case.text.encode())
