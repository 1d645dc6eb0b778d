"""Corosync's counters of the heartbeat, of 2.4 and 3."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iconha_tui.cluster.heartbeat import Heartbeat, parse_heartbeat

COROSYNC_3 = """\
stats.knet.node1.link0.connected (u8) = 1
stats.knet.node1.link0.enabled (u8) = 1
stats.knet.node2.link0.connected (u8) = 0
stats.knet.node2.link0.down_count (u32) = 1
stats.knet.node2.link1.connected (u8) = 1
stats.srp.continuous_gather (u32) = 64
stats.srp.continuous_sendmsg_failures (u32) = 0
stats.srp.firewall_enabled_or_nic_failure (u8) = 1
stats.srp.gather_entered (u64) = 70
stats.srp.time_since_token_last_received (u64) = 97123
"""
COROSYNC_2 = """\
runtime.totem.pg.mrp.srp.commit_entered (u64) = 2
runtime.totem.pg.mrp.srp.continuous_gather (u32) = 0
runtime.totem.pg.mrp.srp.firewall_enabled_or_nic_failure (u8) = 0
runtime.totem.pg.mrp.srp.members.1.status (str) = joined
"""


def test_a_heartbeat_that_a_packet_filter_blocks_is_told() -> None:
    found = parse_heartbeat(COROSYNC_3)
    assert (found.firewall_or_nic_failure, found.continuous_gather, found.token_age_ms) == (True, 64, 97_123)


def test_links_are_told_by_node_and_number() -> None:
    assert parse_heartbeat(COROSYNC_3).links == {(1, 0): True, (2, 0): False, (2, 1): True}


def test_2_4_has_the_counters_under_other_names_and_no_age_of_the_token() -> None:
    found = parse_heartbeat(COROSYNC_2)
    assert (found.firewall_or_nic_failure, found.continuous_gather, found.token_age_ms) == (False, 0, None)
    assert found.links == {}


@pytest.mark.parametrize(
    "text", ["", "Failed to initialize the cmap API. Error CS_ERR_LIBRARY\n", "stats.srp.continuous_gather (u32) = x"]
)
def test_where_corosync_does_not_answer_nothing_is_known(text: str) -> None:
    assert parse_heartbeat(text) == Heartbeat()


@given(st.text())
def test_no_text_makes_the_reader_fail(text: str) -> None:
    parse_heartbeat(text)


def test_a_very_long_line_takes_no_long_time() -> None:
    parse_heartbeat("stats.srp.continuous_gather (u32) = " + "9" * 1_000_000)
    assert parse_heartbeat("stats.srp.continuous_gather (u32) = " + "9" * 50).continuous_gather is None
