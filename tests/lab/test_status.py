"""The status of a pair of real nodes: that it changes nothing, and what it says while the pair changes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import paramiko
import pytest
from botocore.endpoint import Endpoint
from test_guide import FIRST, SECOND, Pair, build

from iconha_tui import status
from iconha_tui.remote.shell import command_line
from iconha_tui.session import Session
from iconha_tui.status.eyes import LOOK
from iconha_tui.status.report import Report, json_schema
from iconha_tui.store import Store


@pytest.fixture(scope="module", params=["bookworm", "trixie"])
def pair(request: pytest.FixtureRequest, lab_host: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    yield from build(tmp_path_factory.mktemp(f"status-{request.param}"), request.param, "crm")


@pytest.fixture(autouse=True)
def with_the_lab_s_aws(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ICONHA_STATE_DIR", str(pair.state))


def session(pair: Pair) -> Session:
    store = Store(pair.state)
    return Session(store, store.spec(pair.name), confirm_host_key=status.reject_host_key)


def look(pair: Pair) -> Report:
    watcher = status.watch(session(pair))
    try:
        return watcher.look_once()
    finally:
        watcher.close()


def wait(true: Callable[[], Any], seconds: float = 120) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    return found


def footprint(pair: Pair) -> dict[str, str]:
    """What of a node a status must leave as it is: the CIB, the files of the cluster and of the machine, the processes."""
    script = (
        "cibadmin -Q | head -1 | grep -oE '(admin_epoch|epoch|num_updates)=\"[0-9]+\"';"
        "find /etc /root /home /usr /var/lib/pacemaker/cib /var/lib/corosync -type f "
        "-printf '%p %T@ %s %m\\n' | sort | sha256sum;"
        "stat -c '%n %Y %s' /etc/corosync/corosync.conf /etc/corosync/authkey;"
        "systemctl show -p MainPID corosync pacemaker; ls /run/iconha* 2>/dev/null"
    )
    return {node: pair.lab.exec(node, ["sh", "-c", script]).stdout for node in (FIRST, SECOND)}


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
    pair.lab.exec(FIRST, ["crm_resource", "--wait", "--timeout", "60s"])  # what the build has begun is itself a change
    before = footprint(pair)
    watcher = status.watch(session(pair), every=0.2)
    watcher.start()
    try:
        wait(lambda: watcher.turns > 25)
        report = watcher.report()
    finally:
        watcher.close()
    assert report.verdict == "healthy"
    assert calls == {"DescribeInstances", "DescribeAddresses"}
    assert len(commands) > 4
    expected = command_line(("sh", "-c", LOOK), tag="TAG", root=True, timeout=30)
    head, _, tail = expected.partition("TAG")
    assert all(command.startswith(head) and command.endswith(tail) for command in commands)
    assert footprint(pair) == before


def test_all_parts_of_a_real_pair_are_known(pair: Pair) -> None:
    report = look(pair)
    assert [source.trouble for source in report.sources] == [""] * 7
    assert (report.problems, report.missing, report.agree) == ([], [], True)
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
    assert resource.since is not None
    assert 0 < time.time() - resource.since < 3600
    assert {"joined"} <= {event.kind for event in report.events}
    jsonschema.validate(json.loads(json.dumps(report.to_dict())), json_schema())


def test_a_move_is_told_with_its_time_and_a_standby_is_a_problem(pair: Pair) -> None:
    began = time.time()
    pair.lab.exec(FIRST, ["crm_attribute", "--type", "nodes", "--node", FIRST, "--name", "standby", "--update", "on"])
    report = wait(lambda: (found := look(pair)).holder_by_cluster == SECOND and found.agree and found)
    assert report.verdict == "degraded"
    assert report.problems == [f"{FIRST} is on standby: nothing can move to it."]
    moved = next(event for event in report.events if event.kind == "moved")
    assert moved.text == f"elastic-ip moved from {FIRST} to {SECOND}"
    assert began - 2 < moved.at < time.time() + 2
    assert report.resources[0].since == pytest.approx(moved.at, abs=15)
    pair.lab.exec(FIRST, ["crm_attribute", "--type", "nodes", "--node", FIRST, "--name", "standby", "--delete"])
    wait(lambda: look(pair).verdict == "healthy")


def test_a_failure_is_counted_and_told(pair: Pair) -> None:
    pair.lab.exec(SECOND, ["crm_resource", "--fail", "--resource", "elastic-ip", "--node", SECOND])
    report = wait(lambda: (found := look(pair)).resources[0].failcounts[SECOND] and found, 60)
    assert any("has failed" in problem for problem in report.problems)
    assert any(event.kind == "failed" and event.node == SECOND for event in report.events)
    pair.lab.exec(SECOND, ["crm_resource", "--cleanup", "--resource", "elastic-ip"])
    wait(lambda: look(pair).verdict == "healthy")


def test_a_cluster_that_is_stopped_on_one_node_is_told_by_it_and_by_the_other(pair: Pair) -> None:
    pair.lab.exec(FIRST, ["systemctl", "stop", "pacemaker", "corosync"])
    report = wait(lambda: (found := look(pair)).nodes[0].joined is False and found.quorate and found)
    assert f"{FIRST}: the cluster does not run there (corosync inactive, pacemaker inactive)." in report.problems
    assert (report.seen_by, report.nodes[0].online, report.nodes[0].answers) == (SECOND, False, True)
    assert any(event.kind == "left" and event.node == FIRST for event in report.events)
    pair.lab.exec(FIRST, ["systemctl", "start", "corosync", "pacemaker"])
    wait(lambda: look(pair).verdict == "healthy")


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
    assert "missing     AWS: " in done.stdout
    assert (told["verdict"], told["quorate"], told["holder_by_ec2"]) == ("unknown", True, report.holder_by_ec2)
    aws = next(source for source in told["sources"] if source["part"] == "aws")
    assert aws["age_s"] > 0
    assert aws["trouble"]


def test_a_node_that_dies_keeps_its_last_values_with_their_age(pair: Pair) -> None:
    victim = look(pair).holder_by_cluster
    survivor = SECOND if victim == FIRST else FIRST
    killed = time.time()
    pair.lab.kill_node(victim)
    wait(lambda: pair.lab.instance(victim)["state"] == "stopped")  # until then a look still finds its ports closed
    report = wait(lambda: (found := look(pair)).agree and found.holder_by_cluster == survivor and found)
    assert report.verdict == "degraded"
    dead = next(node for node in report.nodes if node.name == victim)
    assert (dead.online, dead.answers, dead.ports["7100"]) == (False, False, True)
    assert dead.uptime_s
    source = report.source("node", victim)
    assert source.trouble
    assert source.age_s is not None
    since = [event.text for event in report.events if event.at > killed - 1]
    assert f"{victim} left the cluster" in since
    assert f"elastic-ip moved from {victim} to {survivor}" in since
    assert not [text for text in since if "failed" in text]
    assert pair.program("status", pair.name, "--once", check=False).returncode == 1
