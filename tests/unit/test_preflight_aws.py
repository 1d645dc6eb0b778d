"""The preflight on AWS: every call of a run is tried before, and what AWS says of it; nothing is changed by it."""

from __future__ import annotations

from typing import Any

import pytest
from stage_world import ONE, TWO, World, reservation, rules, spec_with

from iconha_tui.cloud.sentences import trouble
from iconha_tui.engine.actions import strings_of, unknown_facts
from iconha_tui.errors import Trouble
from iconha_tui.preflight import Found, account
from iconha_tui.spec import Spec
from iconha_tui.stages import credentials, instances


class Dry:
    """An AWS that answers readings as it is told, and dry runs by whether they are allowed, or of what it knows."""

    def __init__(self, says: dict[str, Any], denied: str = "") -> None:
        self.says = says
        self.denied = denied
        self.strict = False
        self.tried: list[str] = []

    def call(self, service: str, operation: str, params: Any = None) -> dict[str, Any]:
        if operation.startswith("describe_"):
            if isinstance(said := self.says[operation], Trouble):
                raise said
            return dict(said)
        if operation == "get_caller_identity":
            raise trouble(service, operation, "InvalidClientTokenId", "")
        assert params["DryRun"] is True
        assert not [each for each in strings_of(params) if unknown_facts(each)]
        self.tried.append(operation)
        if self.strict and "0000000000000000" in str(params):
            raise trouble(service, operation, "InvalidGroup.NotFound", "The security group 'sg-0' does not exist")
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
    "describe_account_attributes": {
        "AccountAttributes": [{"AttributeName": "vpc-max-elastic-ips", "AttributeValues": [{"AttributeValue": "5"}]}]
    },
}


def aws(
    says: dict[str, Any], denied: str = "", spec: Spec | None = None, *, strict: bool = False
) -> tuple[Dry, list[Found]]:
    world = World(spec)
    world.ctx.facts.clear()
    world.ctx.cloud = cloud = Dry(says, denied)
    cloud.strict = strict
    steps = [step for step in instances.STAGE.steps if step.id not in account.ON_NODES]
    return cloud, [found for step in steps for found in account.judge(world.ctx, instances.STAGE, step)]


ALL = [
    "create_security_group", "authorize_security_group_ingress", "run_instances", "run_instances", "allocate_address",
    "associate_address",
]  # fmt: skip

AHEAD = {"done", "will_be_made", "will_be_changed", "not_known"}
"""The states before a first run that nothing stands in the way of."""


def test_every_call_of_a_run_is_tried_as_a_dry_run_also_on_what_does_not_exist_yet() -> None:
    cloud, found = aws(NOTHING)
    assert cloud.tried == ALL
    assert {each.state for each in found} == AHEAD
    assert all(each.state != "done" for each in found if "yet" in each.text), "nothing is done that is not there"
    assert [each.text for each in found if each.what == "Elastic IPs left"] == ["0 of 5 are in use"]


def test_what_aws_does_not_judge_before_it_exists_is_told_later() -> None:
    _, found = aws(NOTHING, strict=True)
    later = [each.text for each in found if each.state == "will_be_changed"]
    assert {each.state for each in found} == AHEAD
    assert (
        "The address leads nowhere yet. ec2:AssociateAddress can be tried once there is something to try it on."
        in later
    )


@pytest.mark.parametrize("denied", sorted(set(ALL)))
def test_a_permission_that_is_missing_is_named_and_the_rest_is_looked_at_all_the_same(denied: str) -> None:
    """Of a thing that does not exist yet AWS knows no tags, by which a policy may allow the real one: that is a warning."""
    cloud, found = aws(NOTHING, denied)
    standing_in = denied in ("authorize_security_group_ingress", "associate_address")
    told = [each for each in found if each.state == ("warning" if standing_in else "stands_in_the_way")]
    assert told
    assert {each.state for each in found} - AHEAD == {told[0].state}
    assert all("may not call ec2:" in each.text and "IAM policy" in each.remedy for each in told)
    assert cloud.tried == ALL


def test_machines_that_exist_are_started_and_put_into_the_group() -> None:
    spec = spec_with(
        instances={"mode": "existing"},
        nodes=[
            {"name": ONE, "instance_id": "i-00000000000000001"},
            {"name": TWO, "instance_id": "i-00000000000000002"},
        ],
    )
    there = NOTHING | {"describe_instances": {"Reservations": [reservation(1, "stopped", VpcId="vpc-1")]}}
    cloud, found = aws(there, spec=spec)
    assert cloud.tried.count("start_instances") == cloud.tried.count("modify_instance_attribute") == 2
    assert "run_instances" not in cloud.tried
    assert "stands_in_the_way" not in {each.state for each in found}


@pytest.mark.parametrize(
    ("used", "pool", "state"),
    [(5, "amazon", "stands_in_the_way"), (4, "amazon", "done"), (5, "ipv4pool-ec2-012345", "done")],
)
def test_the_quota_of_addresses_is_looked_at_before_one_is_asked_for(used: int, pool: str, state: str) -> None:
    """The cluster's own address is found by its tag: here all that are held are others'."""
    cloud = Dry(NOTHING | {"describe_addresses": {"Addresses": [{"PublicIpv4Pool": pool}] * used}})
    world = World()
    world.ctx.cloud = cloud
    found = account.addresses_left(world.ctx)
    assert (found.state, bool(found.remedy)) == (state, state == "stands_in_the_way")


def test_a_quota_that_may_not_be_asked_for_stands_not_in_the_way() -> None:
    world = World()
    denied = trouble("ec2", "describe_account_attributes", "UnauthorizedOperation", "")
    world.ctx.cloud = Dry(NOTHING | {"describe_account_attributes": denied})
    assert account.addresses_left(world.ctx).state == "not_known"


def test_with_keys_that_aws_does_not_know_nothing_else_is_asked_of_it() -> None:
    world = World(spec_with(awscli={"credentials": "role"}, ssh={"key_file": "/nowhere/id"}))
    world.ctx.cloud = cloud = Dry({})
    found = list(account.look(world.ctx, ()))
    assert cloud.tried == []
    assert [(each.where, each.state) for each in found] == [
        ("AWS", "stands_in_the_way"), ("here", "stands_in_the_way"), ("AWS", "done"), ("AWS", "not_known"),
    ]  # fmt: skip
    assert (found[0].stage, found[0].field) == ("credentials", "aws.profile")
    assert found[1].stage == "credentials"


def test_a_step_that_the_run_goes_on_without_is_not_looked_at() -> None:
    world = World(spec_with(awscli={"credentials": "role"}))
    world.ctx.cloud = Dry(NOTHING)
    titles = [each.what for each in account.look(world.ctx, ("credentials.identity", "credentials.region"))]
    assert "AWS knows you" not in titles


@pytest.mark.parametrize(
    ("code", "words", "remedy"),
    [
        ("RequestExpired", "too old or from the future", "timedatectl"),
        ("ExpiredToken", "has expired", "Sign in again"),
        ("AuthFailure", "does not accept these credentials", "credentials stage"),
        ("OptInRequired", "has not enabled this region", "another region"),
    ],
)
def test_what_aws_says_of_clock_and_keys_is_told_with_its_remedy(code: str, words: str, remedy: str) -> None:
    world = World()
    world.ctx.cloud = Dry({"describe_availability_zones": trouble("ec2", "describe_availability_zones", code, "")})
    (found,) = account.judge(world.ctx, credentials.STAGE, credentials.Region())
    assert found.state == "stands_in_the_way"
    assert words in found.text
    assert remedy in found.remedy


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
    assert {each.state for each in found} == {"done"}
