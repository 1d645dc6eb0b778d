"""The preflight: what a node's words mean, and what AWS would let us do; nothing is changed by it."""

from __future__ import annotations

from typing import Any

import pytest
from stage_world import ONE, World, reservation, rules, spec_with

from iconha_tui import preflight
from iconha_tui.cloud.sentences import trouble
from iconha_tui.engine.step import Stage
from iconha_tui.preflight import Found
from iconha_tui.spec import Spec
from iconha_tui.stages import instances

GOOD = {
    "clock": "1000",
    "hostname": "ip-10-0-0-11",
    "own": "10.0.0.11",
    "tcp 7100": "docker-proxy",
    "tcp 9000": "",
    "udp": "corosync",
    "lock": "",
    "running": "active active",
    "members": "PRep-01 PRep-02",
    "conf": "a" * 64,
    "ours": f"{'a' * 64} {Spec().tagged}",
    "default": "0",
}
LISTS = {"disk": ["/ 9000000 /", "/var 9000000 /"], "archive": ["ok http://archive/InRelease"]}


def judged(world: World | None = None, **other: Any) -> dict[str, Found]:
    """The findings on a node in good order, but for what a test says; _ for the space in a key."""
    said = GOOD | {key.replace("_", " "): value for key, value in other.items() if key not in LISTS}
    lines = [f"{key}\t{value}" for key, value in said.items()]
    lines += [f"{key}\t{value}" for key, values in (LISTS | other).items() if key in LISTS for value in values]
    found = preflight.judge((world or World()).ctx, ONE, "\n".join(lines) + "\n", 1000.0)
    return {each.what: each for each in found}


def test_a_node_in_good_order_has_nothing_against_it() -> None:
    assert {each.state for each in judged().values()} == {"ok"}


@pytest.mark.parametrize(
    ("said", "what", "state", "words"),
    [
        ({"clock": "1100"}, "Clock", "warning", "100 s from this machine's"),
        ({"clock": "4600"}, "Clock", "bad", "3600 s"),
        ({"own": "127.0.1.1"}, "Host name", "ok", "127.0.1.1 in its /etc/hosts"),
        ({"disk": ["/ 9000000 /", "/var 100000 /var"]}, "Disk", "bad", "/var has 97 MiB free"),
        ({"archive": []}, "Package archive", "bad", "apt names none"),
        ({"archive": ["no http://dead/InRelease"]}, "Package archive", "bad", "http://dead"),
        (
            {"archive": ["no http://dead/InRelease", "ok http://a/InRelease"]},
            "Package archive",
            "warning",
            "http://dead",
        ),
        ({"lock": "process 7 (unattended-upgrade) holds /var/lib/dpkg/lock"}, "apt", "warning", "unattended-upgrade"),
        ({"dpkg": "broken"}, "apt", "warning", "interrupted"),
        ({"udp": "named"}, "Corosync's port", "bad", "held by named"),
        ({"tcp_9000": "goloop"}, "P-Rep ports", "ok", "9000 is open: goloop"),
        ({"members": "alpha beta"}, "A cluster that is there", "bad", "alpha, beta"),
        ({"ours": "", "members": ""}, "A cluster that is there", "bad", "not this cluster's"),
        ({"ours": f"{'a' * 64} other"}, "A cluster that is there", "bad", "not this cluster's"),
        ({"conf": "b" * 64}, "A cluster that is there", "bad", "not this cluster's"),
        ({"conf": "b" * 64, "default": "1", "members": "node1"}, "A cluster that is there", "ok", ""),
        ({"conf": "", "members": "", "running": "inactive inactive"}, "A cluster that is there", "ok", "none"),
    ],
)
def test_what_stands_in_the_way_is_told_with_a_remedy(said: dict[str, Any], what: str, state: str, words: str) -> None:
    found = judged(**said)[what]
    assert (found.state, bool(found.remedy)) == (state, state != "ok")
    assert words in found.text


def test_a_foreign_file_that_may_be_replaced_stands_not_in_the_way() -> None:
    found = judged(World(spec_with(corosync={"replace": "b" * 16})), conf="b" * 64)["A cluster that is there"]
    assert found.state == "warning"


class Dry:
    """An AWS that answers readings as it is told, and dry runs by whether they are allowed."""

    def __init__(self, says: dict[str, Any], denied: str = "") -> None:
        self.says = says
        self.denied = denied
        self.tried: list[str] = []

    def call(self, service: str, operation: str, params: Any = None) -> dict[str, Any]:
        if operation.startswith("describe_"):
            return dict(self.says[operation])
        assert params["DryRun"] is True
        self.tried.append(operation)
        code = "UnauthorizedOperation" if operation == self.denied else "DryRunOperation"
        raise trouble(service, operation, code, "Request would have succeeded, but DryRun flag is set.")


NOTHING: dict[str, Any] = {
    "describe_images": {
        "Images": [{"ImageId": "ami-1", "Name": "x", "CreationDate": "1", "RootDeviceName": "/dev/sda1"}]
    },
    "describe_subnets": {"Subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-1"}]},
    "describe_security_groups": {"SecurityGroups": []},
    "describe_instances": {"Reservations": []},
    "describe_addresses": {"Addresses": []},
}


def aws(says: dict[str, Any], denied: str = "") -> tuple[Dry, list[Found]]:
    world = World()
    world.ctx.facts.clear()
    world.ctx.cloud = cloud = Dry(says, denied)
    steps = tuple(step for step in instances.STAGE.steps if step.id != "instances.signin")
    stage = Stage("instances", "", "", steps)
    return cloud, [found for step in steps for found in preflight._step(world.ctx, stage, step)]


def test_what_a_run_would_call_is_tried_as_a_dry_run() -> None:
    cloud, found = aws(NOTHING)
    assert cloud.tried == ["create_security_group", "run_instances", "run_instances", "allocate_address"]
    assert {each.state for each in found} == {"ok", "later"}
    later = [each.text for each in found if each.state == "later"]
    assert any("ec2:AssociateAddress can be tried once" in text for text in later)


@pytest.mark.parametrize("denied", ["create_security_group", "run_instances", "allocate_address"])
def test_a_permission_that_is_missing_is_named_and_the_rest_is_looked_at_all_the_same(denied: str) -> None:
    cloud, found = aws(NOTHING, denied)
    bad = [each for each in found if each.state == "bad"]
    assert bad
    assert all("may not call ec2:" in each.text and "IAM policy" in each.remedy for each in bad)
    assert cloud.tried[-1] == "allocate_address"


def test_what_is_there_is_not_tried() -> None:
    there = NOTHING | {
        "describe_security_groups": rules(
            ("tcp", 22, 22, ["0.0.0.0/0"], [], []),
            ("tcp", 7100, 7100, ["0.0.0.0/0"], ["::/0"], []),
            ("tcp", 9000, 9000, ["0.0.0.0/0"], ["::/0"], []),
            ("udp", 5404, 5406, [], [], ["sg-1"]),
        ),
        "describe_instances": {"Reservations": [reservation(1)]},
        "describe_addresses": {
            "Addresses": [
                {"AllocationId": "eipalloc-1", "PublicIp": "203.0.113.10", "InstanceId": "i-00000000000000001"}
            ]
        },
    }
    cloud, found = aws(there)
    assert cloud.tried == []
    assert {each.state for each in found} == {"ok"}
