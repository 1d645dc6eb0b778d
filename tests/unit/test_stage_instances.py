"""Instances and ports: what EC2 says, and which calls follow from it."""

from __future__ import annotations

from typing import Any

import pytest
from stage_world import KNOWN, ONE, TWO, World, only, planned, reservation, rules, spec_with

from iconha_tui.engine.actions import Call
from iconha_tui.engine.ports import Completed
from iconha_tui.engine.step import AWS, Blocked, Done, Needed, View
from iconha_tui.errors import Trouble
from iconha_tui.spec import Spec
from iconha_tui.stages import corosync, instances, security_group
from iconha_tui.stages.instances import (
    Allocated,
    Associated,
    Group,
    GroupAttached,
    Image,
    Machine,
    Network,
    Rules,
    Signin,
)

EXISTING = spec_with(
    instances={"mode": "existing"},
    nodes=[{"name": ONE, "instance_id": "i-00000000000000001"}, {"name": TWO, "instance_id": "i-00000000000000002"}],
)
ANY4, ANY6 = "0.0.0.0/0", "::/0"
ALL_OPEN = [
    ("tcp", 22, 22, [ANY4], [], []),
    ("tcp", 7100, 7100, [ANY4], [ANY6], []),
    ("tcp", 9000, 9000, [ANY4], [ANY6], []),
    ("udp", 5404, 5406, [], [], ["sg-1"]),
]


def rule(verdict: Done | Needed | Blocked) -> str:
    return verdict.evidence if isinstance(verdict, Done) else verdict.why


def test_the_newest_of_canonicals_images_of_the_release_is_chosen() -> None:
    world = World(spec_with(instances={"ubuntu": "24.04"}))
    world.cloud.says["describe_images"] = {
        "Images": [
            {
                "ImageId": f"ami-{day}",
                "Name": f"noble {day}",
                "RootDeviceName": "/dev/xvda",
                "CreationDate": f"2026-0{day}",
            }
            for day in (2, 3, 1)
        ]
    }
    verdict = world.probe(Image(), AWS)
    assert verdict.facts == {"image_id": "ami-3", "image_name": "noble 3", "image_root": "/dev/xvda"}
    ((_, params),) = world.cloud.asked
    assert params["Owners"] == ["099720109477"]
    assert params["Filters"][0]["Values"] == ["ubuntu/images/hvm-ssd*/ubuntu-noble-24.04-amd64-server-*"]


def test_a_region_without_an_image_is_said() -> None:
    world = World()
    world.cloud.says["describe_images"] = {"Images": []}
    assert isinstance(world.probe(Image(), AWS), Blocked)
    assert isinstance(World(EXISTING).probe(Image(), AWS), Done), "nothing is asked where the machines exist"


@pytest.mark.parametrize(
    ("ids", "answer", "subnets", "vpc"),
    [
        ([], [("subnet-b", "vpc-1"), ("subnet-a", "vpc-1")], ("subnet-b", "subnet-b"), "vpc-1"),
        (["subnet-00000001"], [("subnet-00000001", "vpc-1")], ("subnet-00000001",) * 2, "vpc-1"),
        (
            ["subnet-00000001", "subnet-00000002"],
            [("subnet-00000002", "vpc-1"), ("subnet-00000001", "vpc-1")],
            ("subnet-00000001", "subnet-00000002"),
            "vpc-1",
        ),
    ],
    ids=["the default VPC's first", "one for both", "one each, told in another order"],
)
def test_the_subnets_are_the_ones_asked_for(
    ids: list[str], answer: list[tuple[str, str]], subnets: tuple[str, str], vpc: str
) -> None:
    world = World(spec_with(instances={"subnet_ids": ids}))
    world.cloud.says["describe_subnets"] = {"Subnets": [{"SubnetId": each, "VpcId": vpc} for each, vpc in answer]}
    facts = world.probe(Network(), AWS).facts
    assert (facts[f"{ONE}.subnet_id"], facts[f"{TWO}.subnet_id"], facts["vpc_id"]) == (*subnets, vpc)


def test_two_networks_are_no_pair_and_no_network_is_said() -> None:
    world = World(spec_with(instances={"subnet_ids": ["subnet-00000001", "subnet-00000002"]}))
    world.cloud.says["describe_subnets"] = {
        "Subnets": [{"SubnetId": f"subnet-0000000{n}", "VpcId": f"vpc-{n}"} for n in (1, 2)]
    }
    assert "different VPCs (vpc-1 and vpc-2)" in rule(world.probe(Network(), AWS))
    world = World()
    world.cloud.says["describe_subnets"] = {"Subnets": []}
    assert "no default VPC" in rule(world.probe(Network(), AWS))


RULES: list[tuple[str, list[tuple[str, int, int, list[str], list[str], list[str]]], list[str]]] = [
    ("nothing is open", [], ["tcp 22", "tcp 7100", "tcp 7100", "tcp 9000", "tcp 9000", "udp 5404"]),
    ("all is open", ALL_OPEN, []),
    ("more is open", [*ALL_OPEN, ("tcp", 443, 443, [ANY4], [], [])], []),
    ("among other sources", [("tcp", 22, 22, ["192.0.2.0/24", ANY4], [], []), *ALL_OPEN[1:]], []),
    ("IPv6 is not", [*ALL_OPEN[:2], ("tcp", 9000, 9000, [ANY4], [], []), ALL_OPEN[3]], ["tcp 9000"]),
    ("for another group", [*ALL_OPEN[:3], ("udp", 5404, 5406, [], [], ["sg-9"])], ["udp 5404"]),
    ("for udp as tcp", [*ALL_OPEN[:3], ("tcp", 5404, 5406, [], [], ["sg-1"])], ["udp 5404"]),
    ("SSH from elsewhere", [("tcp", 22, 22, ["192.0.2.0/24"], [], []), *ALL_OPEN[1:]], ["tcp 22"]),
]


@pytest.mark.parametrize(("there", "missing"), [each[1:] for each in RULES], ids=[each[0] for each in RULES])
def test_only_the_rules_that_are_missing_are_added(
    there: list[tuple[str, int, int, list[str], list[str], list[str]]], missing: list[str]
) -> None:
    world = World()
    world.cloud.says["describe_security_groups"] = rules(*there)
    verdict = world.probe(Rules(), AWS)
    assert isinstance(verdict, Needed if missing else Done)
    if missing:
        (call,) = Rules().plan(world.ctx.view, AWS)
        assert isinstance(call, Call)
        assert call.operation == "authorize_security_group_ingress"
        added = call.params["IpPermissions"]
        assert [f"{each['IpProtocol']} {each['FromPort']}" for each in added] == missing
        assert call.params["GroupId"] == "sg-1"


@pytest.mark.parametrize(
    ("tables", "ports"),
    [({}, (5404, 5406)), ({"corosync": {"port": 5410}}, (5404, 5411)), ({"corosync": {"port": 5000}}, (4999, 5406))],
)
def test_corosyncs_ports_are_open_to_the_group_alone(tables: dict[str, Any], ports: tuple[int, int]) -> None:
    *_, last = security_group.wanted_rules(View(spec_with(**tables), KNOWN))
    assert last == {
        "IpProtocol": "udp",
        "FromPort": ports[0],
        "ToPort": ports[1],
        "UserIdGroupPairs": [{"GroupId": "sg-1"}],
    }


@pytest.mark.parametrize(
    ("cidr", "source"),
    [
        ("192.0.2.7", {"IpRanges": [{"CidrIp": "192.0.2.7/32"}]}),
        ("2001:db8::/32", {"Ipv6Ranges": [{"CidrIpv6": "2001:db8::/32"}]}),
    ],
)
def test_ssh_is_open_to_the_network_that_was_named(cidr: str, source: dict[str, Any]) -> None:
    first, *_ = security_group.wanted_rules(View(spec_with(instances={"ssh_cidr": cidr}), KNOWN))
    assert first == {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, **source}


def test_the_group_is_found_by_its_tag_in_its_vpc_and_made_with_it() -> None:
    world = World()
    world.cloud.says["describe_security_groups"] = {"SecurityGroups": []}
    assert isinstance(world.probe(Group(), AWS), Needed)
    assert world.cloud.asked[0][1]["Filters"] == [
        {"Name": "tag:iconha:cluster", "Values": ["icon"]},
        {"Name": "vpc-id", "Values": ["vpc-1"]},
    ]
    (call,) = only(Group().plan(world.ctx.view, AWS), Call)
    assert call.params["VpcId"] == "vpc-1"
    assert {"Key": "iconha:cluster", "Value": "icon"} in call.params["TagSpecifications"][0]["Tags"]


@pytest.mark.parametrize(
    ("spec", "answer", "verdict", "plan"),
    [
        (Spec(), [], Needed, ["run_instances"]),
        (Spec(), [reservation(1)], Done, None),
        (Spec(), [reservation(1, "pending")], Needed, []),
        (Spec(), [reservation(1, "stopped")], Needed, ["start_instances"]),
        (EXISTING, [reservation(1, "stopped")], Needed, ["start_instances"]),
        (EXISTING, [reservation(1)], Done, None),
        (EXISTING, [reservation(1, "terminated")], Blocked, None),
        (EXISTING, [reservation(1, "shutting-down")], Blocked, None),
    ],
)
def test_a_machine_is_launched_started_or_left_as_it_is(
    spec: Spec, answer: list[Any], verdict: type, plan: list[str] | None
) -> None:
    world = World(spec)
    world.cloud.says["describe_instances"] = {"Reservations": answer}
    assert isinstance(world.probe(Machine(), ONE), verdict)
    if plan is not None:
        assert [call.operation for call in only(Machine().plan(world.ctx.view, ONE), Call)] == plan


def test_a_machine_of_another_type_than_is_set_stays_and_that_is_said() -> None:
    world = World(spec_with(instances={"instance_type": "t3.large"}))
    world.cloud.says["describe_instances"] = {"Reservations": [reservation(1, InstanceType="t3.small")]}
    found = world.probe(Machine(), ONE)
    assert isinstance(found, Done)
    assert "it stays a t3.small: a t3.large is what a new machine would be" in found.evidence
    world.ctx.spec = spec_with(instances={"instance_type": "t3.small"})
    found = world.probe(Machine(), ONE)
    assert isinstance(found, Done)
    assert "stays" not in found.evidence


def test_existing_machines_are_asked_for_by_id_and_launched_ones_by_their_tags() -> None:
    assert instances.find_instance(View(EXISTING), TWO) == {"InstanceIds": ["i-00000000000000002"]}
    assert instances.find_instance(View(Spec()), TWO)["Filters"] == [
        {"Name": "tag:iconha:cluster", "Values": ["icon"]},
        {"Name": "tag:iconha:node", "Values": [TWO]},
        {"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]},
    ]


def launch(node: str = ONE, spec: Spec | None = None, hour: int = 100, **facts: Any) -> dict[str, Any]:
    view = View(spec or Spec(), {**KNOWN, f"{node}.launch_hour": hour, **facts})
    (call,) = only(Machine().plan(view, node), Call)
    return dict(call.params)


def test_a_launch_asks_for_one_encrypted_machine_in_its_subnet_and_group_with_its_tags() -> None:
    params = launch(spec=spec_with(instances={"key_pair": "my key", "volume_gib": 50, "instance_type": "m6i.large"}))
    del params["ClientToken"]
    assert params == {
        "ImageId": "ami-1",
        "InstanceType": "m6i.large",
        "MinCount": 1,
        "MaxCount": 1,
        "NetworkInterfaces": [
            {"DeviceIndex": 0, "SubnetId": "subnet-1", "Groups": ["sg-1"], "AssociatePublicIpAddress": True}
        ],
        "BlockDeviceMappings": [
            {"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 50, "VolumeType": "gp3", "Encrypted": True}}
        ],
        "TagSpecifications": [
            {
                "ResourceType": "instance",
                "Tags": [
                    {"Key": "Name", "Value": ONE},
                    {"Key": "iconha:cluster", "Value": "icon"},
                    {"Key": "iconha:node", "Value": ONE},
                ],
            }
        ],
        "KeyName": "my key",
    }
    assert "KeyName" not in launch()
    assert launch(image_root="/dev/xvda")["BlockDeviceMappings"][0]["DeviceName"] == "/dev/xvda"


def test_a_launch_that_is_repeated_within_the_hour_is_the_same_one_for_ec2() -> None:
    token = launch()["ClientToken"]
    assert launch()["ClientToken"] == token
    assert len(token) <= 64
    others = {
        "the other node": launch(TWO),
        "an hour later": launch(hour=101),
        "another cluster": launch(spec=Spec(name="other")),
        "another wish": launch(spec=spec_with(instances={"instance_type": "t3.large"})),
    }
    assert [name for name, params in others.items() if params["ClientToken"] == token] == []


def test_a_machine_that_exists_keeps_its_groups_and_gets_one_more() -> None:
    world = World(EXISTING, {"group_id": "sg-9"})
    world.cloud.says["describe_instances"] = {"Reservations": [reservation(1)]}
    assert isinstance(world.probe(GroupAttached(), ONE), Needed)
    (call,) = only(GroupAttached().plan(world.ctx.view, ONE), Call)
    assert (call.operation, call.params["Groups"]) == ("modify_instance_attribute", ["sg-1", "sg-9"])


def test_a_machine_that_is_in_the_group_is_left_alone() -> None:
    world = World(EXISTING)
    world.cloud.says["describe_instances"] = {"Reservations": [reservation(1)]}
    assert isinstance(world.probe(GroupAttached(), ONE), Done)


@pytest.mark.parametrize(
    ("chosen", "asked"),
    [
        ("", {"Filters": [{"Name": "tag:iconha:cluster", "Values": ["icon"]}]}),
        ("eipalloc-00000001", {"AllocationIds": ["eipalloc-00000001"]}),
    ],
)
def test_the_address_is_the_chosen_one_or_the_clusters_own(chosen: str, asked: dict[str, Any]) -> None:
    world = World(spec_with(instances={"allocation_id": chosen}))
    world.cloud.says["describe_addresses"] = {"Addresses": [{"AllocationId": "eipalloc-1", "PublicIp": "203.0.113.10"}]}
    assert isinstance(world.probe(Allocated(), AWS), Done)
    assert world.cloud.asked[0][1] == asked


@pytest.mark.parametrize(
    ("holder", "verdict", "words"),
    [
        (None, Needed, "leads nowhere"),
        ("i-00000000000000001", Done, f"leads to {ONE}"),
        ("i-00000000000000002", Done, f"leads to {TWO}"),
        ("i-99999999999999999", Blocked, "another machine now (i-99999999999999999)"),
    ],
    ids=["nobody", "the active node", "the standby: Pacemaker put it there", "a stranger"],
)
def test_the_address_is_never_taken_from_another_machine(holder: str | None, verdict: type, words: str) -> None:
    world = World(EXISTING)
    address = {"AllocationId": "eipalloc-1", "PublicIp": "203.0.113.10", **({"InstanceId": holder} if holder else {})}
    world.cloud.says["describe_addresses"] = {"Addresses": [address]}
    answers = {"i-00000000000000001": reservation(1), "i-00000000000000002": reservation(2)}
    told = world.cloud.call

    def by_id(service: str, operation: str, params: Any = None) -> dict[str, Any]:
        if operation == "describe_instances":
            return {"Reservations": [answers[params["InstanceIds"][0]]]}
        return told(service, operation, params)

    world.cloud.call = by_id  # type: ignore[method-assign]
    found = world.probe(Associated(), AWS)
    assert isinstance(found, verdict)
    assert words in rule(found)
    assert planned(Associated(), AWS) == [
        "ec2:associate_address AllocationId=eipalloc-1, InstanceId=i-00000000000000001, AllowReassociation=False"
    ]


UNAME = "x86_64\nubuntu 22.04\nUbuntu 22.04.5 LTS\nsystemd 249\n{free}\nip-10-0-0-11\n"


@pytest.mark.parametrize(
    ("said", "verdict", "words"),
    [
        (UNAME.format(free=9_000_000), Done, "Ubuntu 22.04.5 LTS, x86_64"),
        (UNAME.format(free=500_000), Blocked, "488 MiB"),
        ("x86_64\namzn 2023\nAmazon Linux\n", Blocked, "It runs Amazon Linux."),
        (Completed(127, "", "sh: systemctl: not found"), Blocked, "not found"),
        ("", Blocked, "It runs ."),
    ],
)
def test_a_machine_is_one_that_the_guide_is_for(said: str | Completed, verdict: type, words: str) -> None:
    world = World()
    world.cloud.says["describe_instances"] = {"Reservations": [reservation(1)]}
    world.nodes[ONE].says["uname"] = said
    found = world.probe(Signin(), ONE)
    assert isinstance(found, verdict)
    assert words in rule(found)
    if isinstance(found, Done):
        assert world.ctx.facts[f"{ONE}.os"] == "ubuntu 22.04"


def test_a_machine_that_is_still_booting_is_waited_for_and_a_refused_key_is_not() -> None:
    class Booting(Trouble):
        transient = True

    world = World()
    world.cloud.says["describe_instances"] = {"Reservations": [reservation(1)]}
    world.nodes[ONE].says["uname"] = Booting("Connection refused.", where=ONE)
    assert isinstance(world.probe(Signin(), ONE), Needed)
    world.nodes[ONE].says["uname"] = Trouble("The key was refused.", where=ONE)
    with pytest.raises(Trouble, match="The key was refused"):
        world.probe(Signin(), ONE)


def test_an_address_that_has_moved_is_learnt_before_the_node_is_called() -> None:
    world = World()
    world.cloud.says["describe_instances"] = {"Reservations": [reservation(1, PublicIpAddress="203.0.113.10")]}
    world.nodes[ONE].says["uname"] = UNAME.format(free=9_000_000)
    world.probe(Signin(), ONE)
    assert world.ctx.facts[f"{ONE}.public_ip"] == "203.0.113.10"


@pytest.mark.parametrize(
    ("release", "tokens", "blocked"),
    [("20.04", "required", True), ("20.04", "optional", False), ("22.04", "required", False)],
)
def test_an_old_agent_and_a_metadata_service_that_wants_tokens_do_not_go_together(
    release: str, tokens: str, blocked: bool
) -> None:
    world = World()
    machine = reservation(1, MetadataOptions={"HttpTokens": tokens})
    world.cloud.says["describe_instances"] = {"Reservations": [machine]}
    world.nodes[ONE].says["uname"] = UNAME.format(free=9_000_000).replace("22.04", release)
    found = world.probe(Signin(), ONE)
    assert isinstance(found, Blocked) == blocked
    if isinstance(found, Blocked):
        assert "IMDSv2" in found.why
        assert "--http-tokens optional --instance-id i-00000000000000001 --region us-east-1" in found.remedy


def test_a_machine_that_was_terminated_is_told_and_its_place_taken_under_a_new_token() -> None:
    world = World()
    lost: list[Any] = []

    def by_state(service: str, operation: str, params: Any = None) -> dict[str, Any]:
        states = next(each["Values"] for each in params["Filters"] if each["Name"] == "instance-state-name")
        return {"Reservations": lost if "terminated" in states else []}

    world.cloud.call = by_state  # type: ignore[method-assign]
    tokens = []
    for lost[:] in (
        [],
        [reservation(7, "terminated")],
        [reservation(7, "terminated"), reservation(8, "shutting-down")],
    ):
        verdict = world.probe(Machine(), ONE)
        assert isinstance(verdict, Needed)
        assert ("was terminated; a new machine takes its place" in verdict.why) == bool(lost)
        (call,) = only(Machine().plan(world.ctx.view, ONE), Call)
        tokens.append(call.params["ClientToken"])
    assert len(set(tokens)) == 3


@pytest.mark.parametrize("before", [[], [reservation(7, "terminated")], [reservation(8, "pending")]])
def test_a_machine_that_is_given_up_as_it_starts_is_not_waited_for(before: list[Any]) -> None:
    """before: what there is when the step begins. EC2 shows a machine that was launched after a moment."""
    world = World()
    machines = before

    def by_state(service: str, operation: str, params: Any = None) -> dict[str, Any]:
        states = next(each["Values"] for each in params["Filters"] if each["Name"] == "instance-state-name")
        told = [one for one in machines if one["Instances"][0]["State"]["Name"] in states]
        return {"Reservations": told}

    world.cloud.call = by_state  # type: ignore[method-assign]
    world.probe(Machine(), ONE)
    assert isinstance(Machine().verify(world.ctx, ONE), Needed), "it is not shown yet, or starts"
    machines = [
        *(one for one in before if one["Instances"][0]["State"]["Name"] == "terminated"),
        reservation(8, "terminated"),
    ]
    found = Machine().verify(world.ctx, ONE)
    assert isinstance(found, Blocked)
    assert found.why == "i-00000000000000008 was terminated as it started."
    assert "StateReason" in found.remedy
    assert isinstance(world.probe(Machine(), ONE), Needed), "a retry launches another"


THEIRS = b"totem {\n  version: 2\n  cluster_name: theirs\n}\nnodelist {\n  node {\n    ring0_addr: 10.0.0.9\n  }\n}\n"


def test_a_cluster_of_somebody_else_is_told_before_anything_is_changed_on_the_machines() -> None:
    world = World()
    assert isinstance(world.probe(instances.Free(), ONE), Done)
    world.nodes[ONE].files[corosync.PATH] = THEIRS
    found = world.probe(instances.Free(), ONE)
    assert isinstance(found, Blocked)
    assert "the cluster theirs with 10.0.0.9, not of the cluster nodecluster with PRep-01 and PRep-02" in found.why
    assert world.ctx.facts[f"{ONE}.conf_foreign"] in found.remedy
    world.ctx.spec.corosync.replace = world.ctx.facts[f"{ONE}.conf_foreign"]
    assert isinstance(world.probe(instances.Free(), ONE), Done), "the operator has allowed it"
    edited = corosync.wanted_conf(world.ctx.view, ONE) + "# by hand\n"
    world.nodes[ONE].files[corosync.PATH] = edited.encode()
    assert isinstance(world.probe(instances.Free(), ONE), Done), "it is this cluster's: the corosync stage tells of it"
