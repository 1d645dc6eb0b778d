"""The scheduler's answer to what becomes of the resources if a node is lost, as releases from 1.1 to 3.0 print it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iconha_tui.cluster.scheduler import Simulation, parse_simulation, simulate_loss

ONE, TWO = "PRep-01", "PRep-02"
AGENT = "(ocf:heartbeat:awseip)"


def revised(*lines: str, heading: str = "Revised Cluster Status:") -> Simulation:
    found = parse_simulation(
        "\n".join(["Current cluster status:", "  * elastic-ip\t(ocf:a:b):\t Started x", "", heading, *lines])
    )
    assert found is not None
    return found


def test_with_fencing_the_node_fails_and_without_it_is_taken_offline() -> None:
    assert simulate_loss(ONE, fencing=True)[-2:] == ("--node-fail", ONE)
    assert simulate_loss(ONE, fencing=False)[-2:] == ("--node-down", ONE)


# The form of each release's cts/scheduler/summary (pengine/test10 in 1.1): bullets, tabs, colons.
NODES = ("Online: [ PRep-02 ]", "OFFLINE: [ PRep-01 ]", "")
RELEASES = {
    "1.1": ("Revised cluster status:", *NODES, " elastic-ip\t(ocf::heartbeat:awseip):\tStarted PRep-02 "),
    "2.0": ("Revised cluster status:", *NODES, " elastic-ip\t(ocf::heartbeat:awseip):\tStarted PRep-02"),
    "2.1": (
        "Revised Cluster Status:",
        "  * Node List:",
        "    * Online: [ PRep-02 ]",
        "",
        "  * Full List of Resources:",
        f"    * elastic-ip\t{AGENT}:\t Started PRep-02",
    ),
}


@pytest.mark.parametrize("release", RELEASES)
def test_the_node_that_takes_over_is_named_by_every_release(release: str) -> None:
    heading, *lines = RELEASES[release]
    assert revised(*lines, heading=heading).runs_on("elastic-ip") == (TWO,)


@pytest.mark.parametrize(
    ("said", "running_on", "flags"),
    [
        ("Started PRep-02", (TWO,), set()),
        ("Started PRep-01 (UNCLEAN)", (), {"UNCLEAN"}),  # it cannot be fenced, so that nothing is moved
        ("Started PRep-02 (failure ignored)", (TWO,), {"failure ignored"}),
        ("Started PRep-02 (disabled, unmanaged)", (TWO,), {"disabled", "unmanaged"}),
        ("ORPHANED Started PRep-02", (TWO,), {"ORPHANED"}),
        ("Started [ PRep-01 PRep-02 ]", (ONE, TWO), set()),
        ("Started (blocked) [ PRep-01 PRep-02 ]", (ONE, TWO), {"blocked"}),
        ("Started[ PRep-01 PRep-02 ]", (ONE, TWO), set()),  # 2.0
        ("FAILED PRep-02 (blocked)", (), {"blocked"}),
        ("FAILED Promoted PRep-02", (), set()),
        ("Stopped", (), set()),
        ("Stopped (disabled)", (), {"disabled"}),
        ("Stopped (unmanaged)", (), {"unmanaged"}),
        ("Stopped (maintenance)", (), {"maintenance"}),  # 3.0
        ("Stopped (not installed) ", (), {"not installed"}),
        ("Stopped PRep-02 (unmanaged)", (), {"unmanaged"}),
        ("Stopped ( disabled ) ", (), {"disabled"}),  # 1.1
        ("Starting PRep-02", (), set()),
    ],
)
def test_what_stands_behind_the_agent(said: str, running_on: tuple[str, ...], flags: set[str]) -> None:
    (instance,) = revised(f"    * elastic-ip\t{AGENT}:\t {said}").of("elastic-ip")
    assert instance.running_on == running_on
    assert instance.flags == flags


def test_a_clone_tells_of_its_instances_together() -> None:
    clone = (
        "  * Clone Set: c [elastic-ip]:",
        f"    * elastic-ip\t{AGENT}:\t FAILED PRep-01",
        "    * Started: [ PRep-02 ]",
    )
    assert revised(*clone).runs_on("elastic-ip") == (TWO,)
    stopped = ("  * Clone Set: c [elastic-ip] (disabled):", "    * Stopped (disabled): [ PRep-01 PRep-02 ]")
    assert revised(*stopped).runs_on("elastic-ip") == ()
    old = (" Master/Slave Set: m [elastic-ip]", "     Masters: [ PRep-02 ]", "     Stopped: [ PRep-01 ]")
    assert revised(*old).runs_on("elastic-ip") == (TWO,)


def test_of_a_cloned_group_that_runs_whole_the_group_alone_is_named() -> None:
    lines = ("  * Clone Set: c [g]:", "    * Started: [ PRep-02 ]", "    * Stopped: [ PRep-01 ]")
    assert revised(*lines).runs_on("elastic-ip") is None
    assert revised(*lines).runs_on("elastic-ip", "g", "c") == (TWO,)


def test_what_the_scheduler_does_not_name_is_not_known() -> None:
    assert revised(f"    * other\t{AGENT}:\t Started PRep-02").runs_on("elastic-ip") is None
    assert revised("  * Clone Set: c [elastic-ip]:").runs_on("elastic-ip") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "crm_simulate: Live CIB query failed: Transport endpoint is not connected",
        "Current cluster status:\n  * elastic-ip\t(ocf:heartbeat:awseip):\t Started PRep-01\n\nTransition Summary:\n",
    ],
)
def test_an_answer_that_ends_before_the_simulation_is_no_answer(text: str) -> None:
    assert parse_simulation(text) is None


@given(st.text())
def test_no_text_makes_the_reader_fail(text: str) -> None:
    parse_simulation(text)
    parse_simulation("Revised Cluster Status:\n" + text)


@pytest.mark.parametrize(
    "line", ["x\t(a:" + "b" * 500_000, "Started: [ " + "a " * 500_000, "(" * 500_000, "a\t(a:b):" + "(a" * 300_000]
)
def test_a_very_long_line_takes_no_long_time(line: str) -> None:
    parse_simulation("Revised Cluster Status:\n * Clone Set: c [x]\n" + line)
