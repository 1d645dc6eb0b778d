"""The text of corosync's own tools, from 2.4 to 3.1."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iconha_tui.cluster.membership import Quorum, parse_links, parse_members, parse_quorum

CMAPCTL_3 = """\
nodelist.node.0.nodeid (u32) = 1
runtime.members.1.config_version (u64) = 0
runtime.members.1.ip (str) = r(0) ip(10.0.0.11) r(1) ip(10.1.0.11)
runtime.members.1.join_count (u32) = 1
runtime.members.1.status (str) = joined
runtime.members.2.config_version (u64) = 0
runtime.members.2.ip (str) = r(0) ip(10.0.0.12) r(1) ip(10.1.0.12)
runtime.members.2.join_count (u32) = 2
runtime.members.2.status (str) = left
"""
CMAPCTL_2 = """\
runtime.totem.pg.mrp.srp.members.1.config_version (u64) = 0
runtime.totem.pg.mrp.srp.members.1.ip (str) = r(0) ip(10.0.0.11)
runtime.totem.pg.mrp.srp.members.1.join_count (u32) = 1
runtime.totem.pg.mrp.srp.members.1.status (str) = joined
"""


def test_members_are_read_from_corosync_3() -> None:
    first, second = parse_members(CMAPCTL_3)
    assert (first.nodeid, first.ip, first.joined) == (1, "10.0.0.11", True)
    assert first.addresses == {0: "10.0.0.11", 1: "10.1.0.11"}
    assert (second.nodeid, second.status, second.joined) == (2, "left", False)


def test_members_are_read_from_corosync_2() -> None:
    (member,) = parse_members(CMAPCTL_2)
    assert (member.nodeid, member.ip, member.joined) == (1, "10.0.0.11", True)


def test_without_members_there_are_none() -> None:
    assert parse_members("Failed to initialize the cmap API. Error CS_ERR_LIBRARY\n") == []


QUORUMTOOL = """\
Quorum information
------------------
Date:             Mon Nov 23 09:51:48 2026
Quorum provider:  corosync_votequorum
Nodes:            2
Node ID:          1
Ring ID:          1.d
Quorate:          Yes

Votequorum information
----------------------
Expected votes:   2
Highest expected: 2
Total votes:      2
Quorum:           1  
Flags:            2Node Quorate WaitForAll 

Membership information
----------------------
    Nodeid      Votes Name
         1          1 PRep-01 (local)
         2          1 PRep-02
"""  # noqa: W291 - as the tool prints it


def test_quorum_and_its_flags_are_read() -> None:
    quorum = parse_quorum(QUORUMTOOL)
    assert quorum.quorate is True
    assert quorum.flags == {"2Node", "Quorate", "WaitForAll"}
    assert (quorum.nodes, quorum.expected_votes, quorum.total_votes, quorum.ring_id) == (2, 2, 2, "1.d")
    assert quorum.members == {1: "PRep-01", 2: "PRep-02"}


def test_a_lone_node_that_waits_for_the_other_has_no_quorum() -> None:
    alone = QUORUMTOOL.replace("Quorate:          Yes", "Quorate:          No").replace("2Node Quorate", "2Node")
    quorum = parse_quorum(alone.replace("Quorum:           1  ", "Quorum:           1 Activity blocked"))
    assert quorum.quorate is False
    assert quorum.flags == {"2Node", "WaitForAll"}


def test_without_corosync_nothing_is_known_of_quorum() -> None:
    assert parse_quorum("Cannot initialize QUORUM service\n") == Quorum()


CFGTOOL = {
    "3.1 knet": (
        "Local node ID 1, transport knet\nLINK ID 0 udp\n\taddr\t= 10.0.0.11\n\tstatus:\n"
        "\t\tnodeid:          1:\tlocalhost\n\t\tnodeid:          2:\tconnected\n",
        ("10.0.0.11", {1: True, 2: True}, False),
    ),
    "3.1, the other node is down": (
        "Local node ID 1, transport udpu\nLINK ID 0 udpu\n\taddr\t= 10.0.0.11\n\tstatus:\n"
        "\t\tnodeid:          1:\tlocalhost\n\t\tnodeid:          2:\tdisconnected\n",
        ("10.0.0.11", {1: True, 2: False}, True),
    ),
    "3.0 knet": (
        "Printing link status.\nLocal node ID 1\nLINK ID 0\n\taddr\t= 10.0.0.11\n\tstatus:\n"
        "\t\tnodeid  1:\tlink enabled:1\tlink connected:1\n\t\tnodeid  2:\tlink enabled:1\tlink connected:0\n",
        ("10.0.0.11", {1: True, 2: False}, True),
    ),
    "3.0 udpu": (
        "Printing link status.\nLocal node ID 1\nLINK ID 0\n\taddr\t= 10.0.0.11\n\tstatus\t= OK\n",
        ("10.0.0.11", {}, False),
    ),
    "2.4": (
        "Printing ring status.\nLocal node ID 1\nRING ID 0\n\tid\t= 10.0.0.11\n"
        "\tstatus\t= ring 0 active with no faults\n",
        ("10.0.0.11", {}, False),
    ),
    "2.4, faulty": (
        "RING ID 0\n\tid\t= 10.0.0.11\n\tstatus\t= Marking ringid 0 interface 10.0.0.11 FAULTY\n",
        ("10.0.0.11", {}, True),
    ),
}


@pytest.mark.parametrize(("text", "expected"), CFGTOOL.values(), ids=CFGTOOL)
def test_links_are_read(text: str, expected: tuple[str, dict[int, bool], bool]) -> None:
    (link,) = parse_links(text)
    assert (link.number, link.address, link.connected, link.faulty) == (0, *expected)


def test_two_links_are_kept_apart() -> None:
    text = CFGTOOL["3.1 knet"][0]
    both = parse_links(text + text.partition("\n")[2].replace("LINK ID 0", "LINK ID 1").replace("10.0.", "10.1."))
    assert [(link.number, link.address) for link in both] == [(0, "10.0.0.11"), (1, "10.1.0.11")]


@given(st.text())
def test_no_text_makes_a_reader_fail(text: str) -> None:
    assert parse_members(text) == []
    assert parse_links(text) == [] or "ID" in text
    parse_quorum(text)


@pytest.mark.parametrize(
    "line",
    [
        "9" * 1_000_000,
        "         1          1 " + "a " * 500_000,
        "runtime.members.1.ip (str) = " + "r(0) ip(" * 100_000,
    ],
)
def test_a_very_long_line_takes_no_long_time(line: str) -> None:
    text = "Membership information\n" + line  # backtracking on any of these takes minutes
    assert parse_links(text) == []
    parse_members(text)
    parse_quorum(text)
