"""The lab's EC2 answers as the real one where moto does not (facts: moto differs from EC2)."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from printed import typed_here
from stage_world import ONE, World, reservation

from iconha_tui.engine.step import Blocked
from iconha_tui.stages.instances import Machine, Signin


class Account:
    def __init__(self, known: dict[str, Any]) -> None:
        self.known = known
        self.url = f"http://127.0.0.1:{known['port']}"
        self.ec2 = self.client("ec2")

    def client(self, service: str, who: str = "operator", **keys: str) -> Any:
        config = Config(retries={"max_attempts": 0}, proxies={})
        make: Any = boto3.client
        return make(
            service, region_name="us-east-1", endpoint_url=self.url, config=config, **{**self.known[who], **keys}
        )

    def launch(self, *, running: bool = True, **options: Any) -> str:
        image = self.ec2.describe_images(Owners=["099720109477"])["Images"][0]["ImageId"]
        chosen = {
            "ImageId": image,
            "MinCount": 1,
            "MaxCount": 1,
            "InstanceType": "t3.small",
            "KeyName": self.known["key_pair"],
            "SubnetId": self.known["subnet"],
        } | options
        instance_id = str(self.ec2.run_instances(**chosen)["Instances"][0]["InstanceId"])
        if running:
            urllib.request.urlopen(f"{self.url}/_lab/run/{instance_id}").close()
        return instance_id

    def describe(self, instance_id: str) -> Any:
        return self.ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]

    def public(self, instance_id: str) -> set[str | None]:
        """Every public address that DescribeInstances shows of an instance, wherever it shows it."""
        instance = self.describe(instance_id)
        shown = {instance.get("PublicIpAddress")}
        for interface in instance["NetworkInterfaces"]:
            shown.add(interface.get("Association", {}).get("PublicIp"))
            shown.update(one.get("Association", {}).get("PublicIp") for one in interface["PrivateIpAddresses"])
        return shown


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    script = Path(__file__).with_name("account.py")
    with subprocess.Popen([sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield Account(json.loads(process.stdout.readline()))
        process.stdin.close()


@pytest.fixture
def pair(account: Account) -> Iterator[tuple[str, str]]:
    ids = account.launch(), account.launch()
    yield ids
    account.ec2.terminate_instances(InstanceIds=list(ids))


@pytest.fixture
def elastic(account: Account) -> Iterator[Any]:
    address = account.ec2.allocate_address(Domain="vpc")
    yield address
    account.ec2.release_address(AllocationId=address["AllocationId"])


def test_a_metadata_service_is_let_answer_without_tokens_as_told(account: Account) -> None:
    """What is told of releases whose agent knows no tokens."""
    machine = account.launch(MetadataOptions={"HttpTokens": "required"})
    world = World()
    found = reservation(1, InstanceId=machine, MetadataOptions={"HttpTokens": "required"})
    world.cloud.says["describe_instances"] = {"Reservations": [found]}
    world.nodes[ONE].says["uname"] = "x86_64\nubuntu 20.04\nUbuntu 20.04.6 LTS\nsystemd 245\n9000000\nip-10-0-0-11\n"
    told = world.probe(Signin(), ONE)
    assert isinstance(told, Blocked)
    (command,) = re.findall("`(.+)`", told.remedy)
    keys = {name.upper(): value for name, value in account.known["operator"].items()}
    typed_here(command, AWS_ENDPOINT_URL=account.url, **keys)
    assert account.describe(machine)["MetadataOptions"]["HttpTokens"] == "optional"


def test_ec2_says_as_told_why_a_machine_was_terminated(account: Account) -> None:
    machine = account.launch(running=False)
    world = World()
    world.cloud.says["describe_instances"] = {"Reservations": []}
    world.probe(Machine(), ONE)
    account.ec2.terminate_instances(InstanceIds=[machine])
    gone = [reservation(1, "terminated", InstanceId=machine)]
    world.cloud.call = lambda service, operation, params=None: {  # type: ignore[method-assign]
        "Reservations": gone if "terminated" in str(params) else []
    }
    told = Machine().verify(world.ctx, ONE)
    assert isinstance(told, Blocked)
    (command,) = re.findall("`(.+)`", told.remedy)
    keys = {name.upper(): value for name, value in account.known["operator"].items()}
    said = typed_here(command, AWS_ENDPOINT_URL=account.url, **keys)
    assert said.strip() == account.describe(machine)["StateReason"]["Message"]


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_an_account_begins_with_one_network_one_key_pair_and_nothing_else(account: Account) -> None:
    ec2 = account.ec2
    assert len(ec2.describe_vpcs()["Vpcs"]) == 1
    assert [one["CidrBlock"] for one in ec2.describe_subnets()["Subnets"]] == ["10.99.1.0/24"]
    assert [one["KeyName"] for one in ec2.describe_key_pairs()["KeyPairs"]] == ["lab-paper"]
    assert [one["GroupName"] for one in ec2.describe_security_groups()["SecurityGroups"]] == ["default"]
    assert ec2.describe_addresses()["Addresses"] == []


def test_the_newest_image_of_canonical_is_found_by_owner_and_name(account: Account) -> None:
    filters = [
        {"Name": "name", "Values": ["ubuntu/images/hvm-ssd*/ubuntu-*-22.04-amd64-server-*"]},
        {"Name": "state", "Values": ["available"]},
        {"Name": "architecture", "Values": ["x86_64"]},
        {"Name": "virtualization-type", "Values": ["hvm"]},
        {"Name": "root-device-type", "Values": ["ebs"]},
    ]
    images = account.ec2.describe_images(Owners=["099720109477"], Filters=filters)["Images"]
    assert len(images) == 2
    newest = max(images, key=lambda image: image["CreationDate"])
    assert newest["Name"].endswith("20250516")


def test_a_retry_with_the_same_client_token_launches_nothing_new(account: Account) -> None:
    first = account.launch(ClientToken="same")
    assert account.launch(ClientToken="same") == first
    with pytest.raises(ClientError) as error:
        account.launch(ClientToken="same", InstanceType="t3.large")
    assert code(error) == "IdempotentParameterMismatch"
    account.ec2.terminate_instances(InstanceIds=[first])


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"ImageId": "ami-0123456789abcdef0"}, "InvalidAMIID.NotFound"),
        ({"KeyName": "nobody"}, "InvalidKeyPair.NotFound"),
        ({"SubnetId": "subnet-0123456789abcdef0"}, "InvalidSubnetID.NotFound"),
        ({"InstanceType": "t99.huge"}, "InvalidParameterValue"),
        ({"SecurityGroupIds": ["sg-0123456789abcdef0"]}, "InvalidGroup.NotFound"),
    ],
)
def test_what_does_not_exist_is_refused_at_launch(account: Account, wrong: dict[str, Any], expected: str) -> None:
    with pytest.raises(ClientError) as error:
        account.launch(**wrong)
    assert code(error) == expected


def test_an_elastic_ip_replaces_the_own_address_and_gives_a_new_one_back(
    account: Account, pair: tuple[str, str], elastic: Any
) -> None:
    own = account.public(pair[0])
    assert len(own) == 1
    account.ec2.associate_address(AllocationId=elastic["AllocationId"], InstanceId=pair[0])
    assert account.public(pair[0]) == {elastic["PublicIp"]}
    association = account.ec2.describe_addresses()["Addresses"][0]["AssociationId"]
    account.ec2.disassociate_address(AssociationId=association)
    after = account.public(pair[0])
    assert len(after) == 1
    assert not after & (own | {elastic["PublicIp"], None})


def test_an_elastic_ip_moves_without_asking_and_the_old_holder_forgets_it(
    account: Account, pair: tuple[str, str], elastic: Any
) -> None:
    account.ec2.associate_address(AllocationId=elastic["AllocationId"], InstanceId=pair[0])
    # As awseip calls it: no AllowReassociation.
    account.ec2.associate_address(AllocationId=elastic["AllocationId"], InstanceId=pair[1])
    assert account.public(pair[1]) == {elastic["PublicIp"]}
    assert elastic["PublicIp"] not in account.public(pair[0])
    assert None not in account.public(pair[0])
    held = account.ec2.describe_addresses(PublicIps=[elastic["PublicIp"]])["Addresses"][0]
    second = account.describe(pair[1])
    assert held["InstanceId"] == pair[1]
    assert held["PrivateIpAddress"] == second["PrivateIpAddress"]
    assert held["NetworkInterfaceId"] == second["NetworkInterfaces"][0]["NetworkInterfaceId"]


def test_reassociation_that_is_expressly_forbidden_is_refused(
    account: Account, pair: tuple[str, str], elastic: Any
) -> None:
    account.ec2.associate_address(AllocationId=elastic["AllocationId"], InstanceId=pair[0])
    with pytest.raises(ClientError) as error:
        account.ec2.associate_address(
            AllocationId=elastic["AllocationId"], InstanceId=pair[1], AllowReassociation=False
        )
    assert code(error) == "Resource.AlreadyAssociated"
    assert account.public(pair[0]) == {elastic["PublicIp"]}


def test_a_stopped_instance_keeps_its_elastic_ip_and_loses_its_own(
    account: Account, pair: tuple[str, str], elastic: Any
) -> None:
    account.ec2.associate_address(AllocationId=elastic["AllocationId"], InstanceId=pair[0])
    account.ec2.stop_instances(InstanceIds=list(pair))
    assert account.public(pair[0]) == {elastic["PublicIp"]}
    assert account.public(pair[1]) == {None}


def test_a_terminated_instance_lets_go_of_its_elastic_ip(account: Account, elastic: Any) -> None:
    instance_id = account.launch()
    account.ec2.associate_address(AllocationId=elastic["AllocationId"], InstanceId=instance_id)
    account.ec2.terminate_instances(InstanceIds=[instance_id])
    address = account.ec2.describe_addresses(AllocationIds=[elastic["AllocationId"]])["Addresses"][0]
    assert not address.get("InstanceId")
    assert not address.get("AssociationId")
    assert account.public(instance_id) == {None}


def test_public_addresses_are_loopback_and_none_is_part_of_another(account: Account, pair: tuple[str, str]) -> None:
    for instance_id in pair:
        (address,) = account.public(instance_id)
        assert address is not None
        assert address.startswith("127.99.")
        assert len(address) == len("127.99.100.100")


def test_the_sixth_elastic_ip_is_over_the_quota(account: Account) -> None:
    made = [account.ec2.allocate_address(Domain="vpc")["AllocationId"] for _ in range(5)]
    with pytest.raises(ClientError) as error:
        account.ec2.allocate_address(Domain="vpc")
    for allocation_id in made:
        account.ec2.release_address(AllocationId=allocation_id)
    assert code(error) == "AddressLimitExceeded"


def test_an_instance_begins_pending_and_cannot_be_stopped_yet(account: Account) -> None:
    instance_id = account.launch(running=False)
    assert account.describe(instance_id)["State"] == {"Code": 0, "Name": "pending"}
    with pytest.raises(ClientError) as error:
        account.ec2.stop_instances(InstanceIds=[instance_id])
    assert code(error) == "IncorrectInstanceState"
    account.ec2.terminate_instances(InstanceIds=[instance_id])
    assert account.describe(instance_id)["State"]["Name"] == "terminated"


def test_force_reaches_the_machine(account: Account, pair: tuple[str, str]) -> None:
    account.ec2.stop_instances(InstanceIds=[pair[0]], Force=True)
    account.ec2.stop_instances(InstanceIds=[pair[1]])
    assert account.describe(pair[0])["StateTransitionReason"] == "force=True"
    assert account.describe(pair[1])["StateTransitionReason"] == "force=False"


def test_each_user_is_who_it_is_and_may_what_it_may(account: Account) -> None:
    assert account.client("sts").get_caller_identity()["Arn"].endswith("user/lab-operator")
    assert account.client("sts", "nodes").get_caller_identity()["Arn"].endswith("user/lab-nodes")
    nodes = account.client("ec2", "nodes")
    nodes.describe_instances()
    nodes.describe_addresses()
    with pytest.raises(ClientError) as error:
        nodes.allocate_address(Domain="vpc")
    assert code(error) == "UnauthorizedOperation"


def test_wrong_keys_are_refused_as_aws_refuses_them(account: Account) -> None:
    wrong = {"aws_secret_access_key": "0" * 40}
    with pytest.raises(ClientError) as error:
        account.client("ec2", **wrong).describe_instances()
    assert code(error) == "AuthFailure"
    with pytest.raises(ClientError) as error:
        account.client("sts", **wrong).get_caller_identity()
    assert code(error) == "SignatureDoesNotMatch"
    with pytest.raises(ClientError) as error:
        account.client("sts", aws_access_key_id="AKIA0123456789ABCDEF").get_caller_identity()
    assert code(error) == "InvalidClientTokenId"


def test_an_unsigned_request_is_told_so(account: Account) -> None:
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(account.url)
    assert error.value.code == 403
    assert b"MissingAuthenticationToken" in error.value.read()
