"""The status of a pair of real nodes: that it changes nothing, and what it says while the pair changes."""

from __future__ import annotations

import json
import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import paramiko
import pytest
from botocore.endpoint import Endpoint
from pairs import FIRST, NODES, SECOND, Pair, on_pairs
from waiting import BOUND, wait_until

from iconha_tui import status
from iconha_tui.remote.shell import command_line
from iconha_tui.session import Session
from iconha_tui.status.eyes import calls as calls_script
from iconha_tui.status.eyes import look as look_script
from iconha_tui.status.report import Report, json_schema
from iconha_tui.store import Store

ON_BOTH = on_pairs(("bookworm", "crm"), ("trixie", "crm"))
ON_ONE = on_pairs(("bookworm", "crm"), slow=[("trixie", "crm")])


@pytest.fixture
def pair(built_pair: Pair, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    """The pair, and its lab's AWS for what is asked in this process."""
    monkeypatch.setenv("ICONHA_STATE_DIR", str(built_pair.state))
    yield built_pair
    for thread in threading.enumerate():  # the end of the program would wait for them too
        if thread.name == "status-keep":
            thread.join(BOUND)


def session(pair: Pair) -> Session:
    store = Store(pair.state)
    return Session(store, store.spec(pair.name), confirm_host_key=status.reject_host_key)


def look(pair: Pair) -> Report:
    watcher = status.watch(session(pair))
    try:
        return watcher.look_once()
    finally:
        watcher.close()


def seen(pair: Pair, condition: Callable[[Report], Any], what: str) -> Report:
    """The first look of which this is true."""
    looks: list[Report] = []

    def right() -> bool:
        looks[:] = [look(pair)]
        return bool(condition(looks[0]))

    wait_until(
        right, what=lambda: f"{what} (it says {looks[0].verdict}: {reasons(looks[0])}, {looks[0].doubts})", every=3
    )
    return looks[0]


def happened(report: Report, since: float) -> list[str]:
    """What is told of the time since then, in seconds since 1970."""
    return [event.text for event in report.events if event.at >= since]


def reasons(report: Report) -> list[str]:
    return [reason.text for reason in report.reasons]


def start_began(pair: Pair, node: str) -> int:
    """When the operation began by which the address came to a node, as the CIB has it: in whole seconds since 1970."""
    cib = ET.fromstring(pair.sh(node, "cibadmin -Q"))
    (last,) = cib.findall(f"status/node_state[@uname='{node}']//lrm_rsc_op[@id='elastic-ip_last_0']")
    assert last.get("operation") in ("start", "monitor")
    return int(last.get("last-rc-change", ""))


def start_ended(pair: Pair, node: str) -> float:
    """When Pacemaker wrote into the node's journal that the address was started there."""
    lines = pair.sh(node, "journalctl -q -o short-unix -t pacemaker-controld").splitlines()
    return float(
        [line for line in lines if f"Result of start operation for elastic-ip on {node}: " in line][-1].split()[0]
    )


def clock(pair: Pair, node: str) -> float:
    """The time by a node's clock, in seconds since 1970."""
    return float(pair.sh(node, "date +%s.%N"))


def footprint(pair: Pair) -> dict[str, frozenset[str]]:
    """What of a node a status must leave as it is: the CIB, the files of the cluster and of the machine, the processes."""
    script = (
        "cibadmin -Q | head -1 | grep -oE '(admin_epoch|epoch|num_updates)=\"[0-9]+\"';"
        "find /etc /root /home /usr /var/lib/pacemaker/cib /var/lib/corosync -type f "
        "-printf '%p %T@ %s %m\\n';"
        "stat -c '%n %Y %s' /etc/corosync/corosync.conf /etc/corosync/authkey;"
        "systemctl show -p MainPID corosync pacemaker; ls /run/iconha* 2>/dev/null"
    )
    return {node: frozenset(pair.sh(node, script).splitlines()) for node in NODES}


def at_rest(pair: Pair) -> dict[str, frozenset[str]] | None:
    """Its footprint, once the pair itself changes nothing any more."""
    before = footprint(pair)
    time.sleep(15)
    return before if footprint(pair) == before else None


@ON_BOTH
def test_a_status_sends_only_what_reads_and_leaves_the_nodes_as_they_are(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written down at the wire: every request to AWS, every command on a channel of SSH."""
    calls: set[str] = set()
    commands: list[str] = []
    request, execute = Endpoint.make_request, paramiko.Channel.exec_command

    def make_request(self: Any, operation_model: Any, request_dict: Any) -> Any:
        calls.add(operation_model.name)
        return request(self, operation_model, request_dict)

    def exec_command(self: Any, command: str) -> Any:
        commands.append(command)
        return execute(self, command)

    monkeypatch.setattr(Endpoint, "make_request", make_request)
    monkeypatch.setattr(paramiko.Channel, "exec_command", exec_command)
    pair.settled(FIRST)  # what the build has begun is itself a change
    before = wait_until(lambda: at_rest(pair), what="a pair at rest")
    watcher = status.watch(session(pair), every=0.2)
    watcher.start()
    try:
        wait_until(lambda: watcher.turns > 25, what="26 turns")
        wait_until(lambda: watcher.report().verdict == "ready", what="a pair that is ready")
    finally:
        watcher.close()
    assert calls == {"DescribeInstances", "DescribeAddresses"}
    assert len(commands) > 4
    spec = Store(pair.state).spec(pair.name)
    allowed = [
        command_line(("sh", "-c", script), tag="TAG", root=True, timeout=seconds).split("TAG")
        for script, seconds in (
            (look_script(spec, FIRST), 30),
            (look_script(spec, SECOND), 30),
            (calls_script(spec), 60),
        )
    ]
    assert all(
        any(command.startswith(head) and command.endswith(tail) for head, tail in allowed) for command in commands
    )
    assert before is not None
    assert {node: sorted(now ^ before[node])[:20] for node, now in footprint(pair).items()} == {FIRST: [], SECOND: []}


@ON_BOTH
def test_all_parts_of_a_real_pair_are_known(pair: Pair) -> None:
    report = seen(pair, lambda found: not any(source.trouble for source in found.sources), "an answer of every part")
    assert len(report.sources) == 8
    assert (report.reasons, report.doubts, report.agree) == ([], [], True)
    for node in report.nodes:
        assert (node.online, node.standby, node.joined, node.answers) == (True, False, True, True)
        assert node.os
        assert node.corosync
        assert node.pacemaker
        assert node.uptime_s
        assert node.load is not None
        assert [(link.number, link.ok) for link in node.links] == [(0, True)]
        assert abs(node.clock_offset_s or 0) <= (node.clock_uncertainty_s or 0) + 0.5
        assert node.ports == {"7100": True, "9000": True}
        assert [(chain.channel, chain.state) for chain in node.chains] == [("icon_dex", "started")]
    assert {"2Node", "Quorate", "WaitForAll"} <= set(report.quorum_flags)
    resource = report.resources[0]
    assert (resource.id, resource.node, set(resource.failcounts.values())) == ("elastic-ip", FIRST, {0})
    assert resource.since == start_began(pair, FIRST)
    assert {"joined"} <= {event.kind for event in report.events}
    jsonschema.validate(json.loads(json.dumps(report.to_dict())), json_schema())


@ON_ONE
def test_a_move_is_told_with_its_time_and_a_standby_is_a_problem(pair: Pair) -> None:
    began = int(clock(pair, SECOND))  # the CIB's times are whole seconds
    pair.sh(FIRST, f"crm_attribute --type nodes --node {FIRST} --name standby --update on")
    pair.settled(SECOND)
    moved_there = f"elastic-ip moved from {FIRST} to {SECOND}"
    said = [f"{FIRST} is on standby: nothing can move to it."]
    report = seen(
        pair,
        lambda found: found.agree and reasons(found) == said and moved_there in happened(found, began),
        "the address on the second node, and that the first is on standby",
    )
    assert report.verdict == "not_ready"
    assert report.holder_by_cluster == SECOND
    moved = next(event for event in report.events if event.kind == "moved")
    assert moved.text == moved_there
    assert report.resources[0].since == start_began(pair, SECOND)
    assert start_began(pair, SECOND) <= moved.at <= start_ended(pair, SECOND) + 0.001
    pair.sh(FIRST, f"crm_attribute --type nodes --node {FIRST} --name standby --delete")
    pair.settled(SECOND)
    seen(pair, lambda found: found.verdict == "ready", "a pair that is ready")


@ON_ONE
def test_a_failure_is_counted_and_told(pair: Pair) -> None:
    began = int(clock(pair, FIRST))
    pair.sh(FIRST, f"crm_resource --fail --resource elastic-ip --node {FIRST}")
    pair.settled(SECOND)
    report = seen(pair, lambda found: found.resources and found.resources[0].failcounts[FIRST], "a failure that counts")
    assert any("has failed" in warning for warning in report.warnings)
    failed = [event for event in report.events if event.kind == "failed" and event.at >= began]
    assert [event.node for event in failed] == [FIRST] * report.resources[0].failcounts[FIRST], failed
    pair.sh(FIRST, "crm_resource --cleanup --resource elastic-ip")
    pair.settled(SECOND)
    seen(pair, lambda found: found.verdict == "ready", "a pair that is ready")


@ON_ONE
def test_a_cluster_that_is_stopped_on_one_node_is_told_by_it_and_by_the_other(pair: Pair) -> None:
    pair.sh(FIRST, "systemctl stop pacemaker corosync")
    said = f"{FIRST}: the cluster does not run there (corosync inactive, pacemaker inactive)."
    report = seen(
        pair,
        lambda found: found.nodes[0].joined is False and found.quorate and said in reasons(found),
        "the first node out of the cluster",
    )
    assert (report.seen_by, report.nodes[0].online, report.nodes[0].answers) == (SECOND, False, True)
    assert any(event.kind == "left" and event.node == FIRST for event in report.events)
    pair.sh(FIRST, "systemctl start corosync pacemaker")
    pair.settled(SECOND)
    seen(pair, lambda found: found.verdict == "ready", "a pair that is ready")


@ON_ONE
def test_without_aws_credentials_the_nodes_are_found_where_they_were(pair: Pair) -> None:
    report = look(pair)
    config: Path = pair.lab.aws_config_file
    hidden = config.rename(config.with_suffix(".hidden"))
    try:
        done = pair.program("status", pair.name, "--once", check=False)
        told = json.loads(pair.program("status", pair.name, "--json", check=False).stdout)
    finally:
        hidden.rename(config)
    assert done.returncode == 3
    assert "Traceback" not in done.stdout + done.stderr
    assert "doubt       AWS gives no answer" in done.stdout
    assert (told["verdict"], told["quorate"], told["holder_by_ec2"]) == ("unknown", True, report.holder_by_ec2)
    aws = next(source for source in told["sources"] if source["part"] == "aws")
    assert aws["age_s"] > 0
    assert aws["trouble"]


@ON_ONE
def test_a_node_that_dies_keeps_its_last_values_with_their_age(pair: Pair) -> None:
    victim = look(pair).holder_by_cluster
    survivor = SECOND if victim == FIRST else FIRST
    killed = int(clock(pair, survivor))  # the CIB's times are whole seconds
    pair.lab.kill_node(victim)
    # Until EC2 says so, a look still finds its ports closed.
    wait_until(lambda: pair.lab.instance(victim)["state"] == "stopped", what=f"the end of {victim}")
    # The cluster and EC2 may have it there before the agent's start has ended, which is when it counts as moved.
    moved = f"elastic-ip moved from {victim} to {survivor}"
    report = seen(pair, lambda found: found.agree and moved in happened(found, killed), f"the address on {survivor}")
    assert report.holder_by_cluster == survivor
    assert report.verdict == "not_ready"
    dead = next(node for node in report.nodes if node.name == victim)
    assert (dead.online, dead.answers, dead.ports["7100"]) == (False, False, True)
    assert dead.uptime_s
    source = report.source("node", victim)
    assert source.trouble
    assert source.age_s is not None
    since = happened(report, killed)
    assert f"{victim} left the cluster" in since
    assert not [text for text in since if "failed" in text]
    assert pair.program("status", pair.name, "--once", check=False).returncode == 1
