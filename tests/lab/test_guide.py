"""The whole guide on real nodes, without a screen: build, look, run again, lose a node."""

from __future__ import annotations

import json
import os
import urllib.request

import picture
import pytest
from pairs import FIRST, SECOND, Pair, on_pairs
from printed import typed_here
from specs import MONITOR
from waiting import wait_until

from iconha_tui.spec import dumps, load

EVERYWHERE = on_pairs(("bookworm", "crm"), ("bookworm", "pcs"), ("trixie", "crm"))
ASKED = "iconha-tui status icon --json | jq -r '.verdict, .reasons[].text'"
"""As docs/status-schema.md has it."""
ON_EACH_DEBIAN = on_pairs(("bookworm", "crm"), ("trixie", "crm"), slow=[("bookworm", "pcs")])


@pytest.fixture
def pair(built_pair: Pair) -> Pair:
    return built_pair


@EVERYWHERE
def test_both_nodes_are_online_and_the_address_is_on_the_first(pair: Pair) -> None:
    for node in (FIRST, SECOND):
        status = pair.crm_mon(node)
        assert [(each.name, each.online) for each in status.nodes] == [(FIRST, True), (SECOND, True)]
        assert status.with_quorum
        resource = status.resource("elastic-ip")
        assert resource is not None
        assert (resource.agent, resource.started_on) == ("ocf:heartbeat:awseip", FIRST)


@EVERYWHERE
def test_it_is_the_cluster_of_the_picture_with_which_disturbed_builds_are_compared(pair: Pair) -> None:
    spec = load(pair.spec)
    found = picture.take(pair.lab, spec)
    if os.environ.get("ICONHA_PICTURES") == "keep":
        picture.keep(pair.lab, spec, found)
    expected = picture.expected(pair.lab, spec)
    assert list(picture.differences(found.nodes, expected.nodes)) == []
    assert (found.cib, found.account) == (expected.cib, expected.account)


@EVERYWHERE
def test_the_run_says_that_every_stage_is_done(pair: Pair) -> None:
    ended = {each["stage"]: each["outcome"] for each in pair.first_run if each["event"] == "StageFinished"}
    assert list(ended) == [
        "credentials", "instances", "packages", "authkey", "corosync", "pacemaker", "awscli", "elastic_ip",
    ]  # fmt: skip
    assert set(ended.values()) == {"done"}


@EVERYWHERE
def test_both_nodes_hold_the_same_key_for_root_alone(pair: Pair) -> None:
    seen = {
        pair.lab.exec(
            node, ["sh", "-c", "sha256sum < /etc/corosync/authkey; stat -c '%U:%G %a %s' /etc/corosync/authkey"]
        ).stdout
        for node in (FIRST, SECOND)
    }
    assert len(seen) == 1
    assert "root:root 400 256" in seen.pop()


@EVERYWHERE
def test_no_secret_of_the_nodes_is_in_our_files_or_in_the_wrong_ones_of_theirs(pair: Pair) -> None:
    config = pair.lab.aws_config_file.read_text()
    secrets = [line.partition("=")[2].strip() for line in config.splitlines() if "secret_access_key" in line]
    assert len(secrets) == 2
    for file in (pair.state / "clusters").rglob("*"):
        if file.is_file():
            assert not any(secret in file.read_text(errors="replace") for secret in secrets), file
            assert file.stat().st_mode & 0o077 == 0, file
    for node in (FIRST, SECOND):
        found = pair.lab.exec(
            node,
            [
                "sh",
                "-c",
                f"grep -rlF '{secrets[1]}' /root /etc /var/lib /var/log /tmp /run/iconha* 2>/dev/null || true",
            ],
        ).stdout.split()
        assert [path for path in found if path != "/root/.aws/credentials"] == []


@EVERYWHERE
def test_the_status_is_healthy_and_ec2_and_the_cluster_agree(pair: Pair) -> None:
    done = pair.program("status", pair.name, "--json")
    status = json.loads(done.stdout)
    assert (status["verdict"], status["agree"]) == ("ready", True)
    assert status["holder_by_ec2"] == status["holder_by_cluster"] == FIRST
    assert all(node["ports"] == {"7100": True, "9000": True} for node in status["nodes"])


@EVERYWHERE
def test_a_second_run_changes_nothing_and_says_so(pair: Pair) -> None:
    before = pair.lab.exec(FIRST, ["cibadmin", "-Q", "-o", "configuration"]).stdout
    events = pair.run()
    assert [each for each in events if each["event"] == "ActionStarted"] == []
    assert (events[-1]["outcome"], events[-1]["changed"]) == ("done", False)
    assert "Nothing to do" in pair.program("run", str(pair.spec), "--yes").stdout
    assert pair.lab.exec(FIRST, ["cibadmin", "-Q", "-o", "configuration"]).stdout == before


@EVERYWHERE
def test_a_changed_value_updates_the_resource_in_place(pair: Pair) -> None:
    began = pair.lab.exec(
        FIRST, ["sh", "-c", "grep -c 'Result of start operation for elastic-ip' /var/log/pacemaker/pacemaker.log"]
    ).stdout
    spec = load(pair.spec)
    spec.elastic_ip.monitor.interval = "45s"
    pair.spec.write_text(dumps(spec))
    acted = {each["step"] for each in pair.run() if each["event"] == "ActionStarted"}
    assert "elastic_ip.primitive" in acted
    assert acted <= {"elastic_ip.primitive", "elastic_ip.started"}
    cib = pair.lab.exec(FIRST, ["cibadmin", "-Q", "-o", "resources"]).stdout
    assert 'interval="45s"' in cib
    assert f'interval="{MONITOR}"' not in cib
    assert (
        began
        == pair.lab.exec(
            FIRST, ["sh", "-c", "grep -c 'Result of start operation for elastic-ip' /var/log/pacemaker/pacemaker.log"]
        ).stdout
    )
    spec.elastic_ip.monitor.interval = MONITOR
    pair.spec.write_text(dumps(spec))
    pair.run()  # nothing is left to put back


@ON_EACH_DEBIAN
def test_when_the_active_node_dies_clients_reach_the_other_and_a_run_mends_it(
    pair: Pair,
) -> None:
    address = pair.elastic_ip()
    assert ask(address) == host_name(pair, FIRST)
    pair.lab.kill_node(FIRST)
    standby = host_name(pair, SECOND)
    wait_until(lambda: ask(address) == standby, 120, f"an answer of {SECOND} through the address")
    status = json.loads(pair.program("status", pair.name, "--json", check=False).stdout)
    assert (status["verdict"], status["holder_by_ec2"]) == ("not_ready", SECOND)
    told = typed_here(ASKED.replace(" icon ", f" {pair.name} "), ICONHA_STATE_DIR=str(pair.state)).splitlines()
    assert told[0] == "not_ready"
    assert f"{FIRST}: the instance is stopped." in told

    events = pair.run()
    assert events[-1]["outcome"] == "done"
    called = [each["shown"] for each in events if each["event"] == "ActionStarted" and each["shown"].startswith("ec2:")]
    assert [call.split()[0] for call in called] == ["ec2:start_instances"]
    cluster = pair.crm_mon(SECOND)
    assert all(node.online for node in cluster.nodes)
    resource = cluster.resource("elastic-ip")
    assert resource is not None
    assert resource.started_on == SECOND


def ask(address: str) -> str:
    """The host name of the machine that answers at the address's port 9000; "" where none does."""
    try:
        with urllib.request.urlopen(f"http://{address}:9000/", timeout=2) as answer:
            return str(json.load(answer)["result"]["hostname"])
    except OSError:
        return ""


def host_name(pair: Pair, node: str) -> str:
    return pair.lab.exec(node, ["hostname"]).stdout.strip()
