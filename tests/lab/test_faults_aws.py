"""What AWS can do to a run: each fault ends in a sentence that names it and its remedy, and takes seconds."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs

import pytest
from faults import Table, sentence
from front import CLOCKS, Front, error, tls
from test_lab_account import Account
from test_lab_account import account as account

from iconha_tui.control.run_controller import RunController, RunRequest, Update
from iconha_tui.engine.events import Event, Probed, StepFinished
from iconha_tui.session import Session
from iconha_tui.spec import Spec, loads
from iconha_tui.stages import STAGES
from iconha_tui.store import Store

SECTION = "AWS"
ON = "an account alone"
CREDENTIALS, INSTANCES = STAGES[:2]


@pytest.fixture
def front(account: Account) -> Iterator[Front]:
    front = Front(account.url)
    yield front
    front.close()


class Operator:
    """Runs the Credentials and the Instances stage in this process, against the front."""

    def __init__(self, account: Account, front: Front, folder: Path) -> None:
        self.account = account
        self.front = front
        self.folder = folder
        self.keys = dict(account.known["operator"])
        self.events: list[Event] = []

    def spec(self, name: str = "paper") -> Spec:
        config = self.folder / "aws-config"
        keys = "\n".join(f"{key} = {value}" for key, value in self.keys.items())
        where = f"endpoint_url = {self.front.url}\nca_bundle = {self.folder / 'ca.pem'}"
        config.write_text(f"[profile me]\nregion = us-east-1\n{where}\n{keys}\n")
        (self.folder / "key").write_text("not read here")
        return loads(
            f'version = 1\nname = "{name}"\n[aws]\nregion = "us-east-1"\nprofile = "me"\nconfig_file = "{config}"\n'
            f'[ssh]\nkey_file = "{self.folder / "key"}"\n[instances]\nmode = "launch"\n'
            f'key_pair = "{self.account.known["key_pair"]}"\n'
            f'instance_type = "t3.small"\nsubnet_ids = ["{self.account.known["subnet"]}"]\nssh_cidr = "127.0.0.0/8"\n'
            '[[nodes]]\nname = "PRep-01"\n[[nodes]]\nname = "PRep-02"\n[awscli]\ncredentials = "role"\n'
        )

    def failure(self, spec: Spec, *stages: Any) -> StepFinished:
        """The step that did not go well. Machines that are launched have booted by the time they are looked at."""
        session = Session(Store(self.folder / "state"), spec, confirm_host_key=lambda *_: False)
        self.events.clear()

        def on_event(event: Update) -> None:
            self.events.append(event)
            if type(event).__name__ == "ActionFinished" and event.step == "instances.machine":  # type: ignore[union-attr]
                self.boot()
            if type(event).__name__ == "StepStarted" and event.step == "instances.signin":  # type: ignore[union-attr]
                session.cancel()  # nobody listens at the addresses of paper machines

        try:
            RunController(session, look=None).run(RunRequest(tuple(stages) or (CREDENTIALS, INSTANCES)), on_event)
        finally:
            session.close()
        ended = [each for each in self.events if isinstance(each, StepFinished) and each.outcome != "done"]
        assert len(ended) == 1, ended
        return ended[0]

    def boot(self) -> None:
        for reservation in self.account.ec2.describe_instances()["Reservations"]:
            for one in reservation["Instances"]:
                if one["State"]["Name"] == "pending":
                    urllib.request.urlopen(f"{self.account.url}/_lab/run/{one['InstanceId']}").close()

    def clean(self) -> None:
        """Takes away what runs have made, so that the next begins with nothing."""
        ec2 = self.account.ec2
        for one in ec2.describe_addresses()["Addresses"]:
            if one.get("AssociationId"):
                ec2.disassociate_address(AssociationId=one["AssociationId"])
            ec2.release_address(AllocationId=one["AllocationId"])
        alive = [{"Name": "instance-state-name", "Values": ["pending", "running", "stopped"]}]
        ids = [
            one["InstanceId"] for r in ec2.describe_instances(Filters=alive)["Reservations"] for one in r["Instances"]
        ]
        if ids:
            ec2.terminate_instances(InstanceIds=ids)
        for group in ec2.describe_security_groups(Filters=[{"Name": "tag-key", "Values": ["iconha:cluster"]}])[
            "SecurityGroups"
        ]:
            ec2.delete_security_group(GroupId=group["GroupId"])


@pytest.fixture
def operator(account: Account, front: Front, tmp_path: Path) -> Iterator[Operator]:
    operator = Operator(account, front, tmp_path)
    yield operator
    operator.clean()


def without(account: Account, action: str) -> dict[str, str]:
    """The keys of a user who may do everything but one thing."""
    iam = account.client("iam")
    name = f"without-{action.partition(':')[2]}"
    allow = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    deny = {"Effect": "Deny", "Action": action, "Resource": "*"}
    iam.create_user(UserName=name)
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow, deny]})
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=policy)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}


NEEDED = [
    "ec2:DescribeAvailabilityZones", "ec2:DescribeImages", "ec2:DescribeSubnets", "ec2:DescribeSecurityGroups",
    "ec2:CreateSecurityGroup", "ec2:AuthorizeSecurityGroupIngress", "ec2:DescribeInstances", "ec2:RunInstances",
    "ec2:DescribeAddresses", "ec2:AllocateAddress", "ec2:AssociateAddress",
]  # fmt: skip
"""Every call of a run that launches its machines."""


def test_each_permission_that_is_missing_alone_is_named(operator: Operator, table: Table) -> None:
    assert operator.failure(operator.spec()).step == "instances.signin"
    assert {f"ec2:{each}" for each in operator.front.asked} == {*NEEDED, "ec2:GetCallerIdentity"}, "no call is left out"
    operator.clean()
    for action in NEEDED:
        operator.keys = without(operator.account, action)
        failed = operator.failure(operator.spec())
        assert f"may not call {action}." in failed.text, action
        assert f"Allow {action} in the IAM policy" in failed.remedy
        operator.clean()
    table.row(
        fault="One permission is missing",
        how=f"an IAM user who may do all but one action; {len(NEEDED)} of them in turn",
        sees=sentence(failed),
        result="stopped at the call; the next run goes on from there",
        runs=len(NEEDED),
    )


def test_a_permission_that_a_call_needs_beside_its_own_is_named(operator: Operator, table: Table) -> None:
    """As EC2 words it; moto knows no such dependence."""
    said = (
        "You are not authorized to perform this operation. User: arn:aws:iam::1:user/x is not authorized to perform: "
    )
    for action in ("ec2:CreateTags", "iam:PassRole"):
        answer = (
            403,
            "UnauthorizedOperation",
            f"{said}{action} on resource: x because no identity-based policy allows it",
        )
        operator.front.fault = lambda asked, _count, answer=answer: answer if asked == "RunInstances" else None  # type: ignore[misc]
        failed = operator.failure(operator.spec())
        assert failed.text == f"These credentials may not call ec2:RunInstances: it needs {action}."
        assert f"Allow {action} in the IAM policy" in failed.remedy
    table.row(
        fault="A permission is missing that a call needs beside its own",
        how="EC2 answers UnauthorizedOperation to RunInstances, with ec2:CreateTags or iam:PassRole in its words",
        sees=sentence(failed),
        result="stopped at the call; the next run goes on from there",
        runs=2,
    )


def test_a_stopped_machine_is_started_with_a_permission_of_its_own(operator: Operator, table: Table) -> None:
    spec = operator.spec()
    spec.instances.mode = "existing"
    for node in spec.nodes:
        node.instance_id = operator.account.launch()
    stopped = spec.nodes[1].instance_id
    operator.account.ec2.stop_instances(InstanceIds=[stopped])
    operator.keys = without(operator.account, "ec2:StartInstances")
    spec = spec.model_copy(update={"aws": operator.spec().aws})
    failed = operator.failure(spec)
    assert "may not call ec2:StartInstances." in failed.text
    operator.keys = without(operator.account, "ec2:ModifyInstanceAttribute")
    operator.spec()
    failed = operator.failure(spec)
    assert "may not call ec2:ModifyInstanceAttribute." in failed.text
    told = [each.text for each in operator.events if isinstance(each, Probed) and "is stopped" in each.text]
    operator.keys = dict(operator.account.known["operator"])
    operator.spec()
    assert operator.failure(spec).step == "instances.signin"
    assert operator.account.describe(stopped)["State"]["Name"] == "running"
    table.row(
        fault="An instance is stopped",
        how="StopInstances on PRep-02",
        sees=f"PRep-02: {told[0]} (then `ec2:start_instances` in the plan)",
        result="started, and waited for",
    )


ANSWERS = {
    "Expired session token": (400, "ExpiredToken", "session token has expired", "Sign in again"),
    "Wrong access key": (401, "AuthFailure", "does not accept these credentials", "another profile"),
    "Secret that does not belong to the key": (403, "SignatureDoesNotMatch", "does not belong", "another profile"),
    "Clock off by an hour": (400, "RequestExpired", "too old or from the future", "clock"),
    "A region that is not enabled": (401, "OptInRequired", "not enabled this region", "another region"),
}


@pytest.mark.parametrize("fault", ANSWERS)
def test_what_aws_refuses_is_a_sentence_at_once(operator: Operator, table: Table, fault: str) -> None:
    status, code, words, remedy = ANSWERS[fault]
    operator.front.fault = lambda action, _count: (status, code) if action == "DescribeAvailabilityZones" else None
    failed = operator.failure(operator.spec(), CREDENTIALS)
    assert words in failed.text
    assert remedy in sentence(failed)
    assert operator.front.asked.count("DescribeAvailabilityZones") == 1, "it is not tried again"
    table.row(
        fault=fault, how=f"EC2 answers {code}", sees=sentence(failed), result="failed before anything was changed"
    )


@pytest.mark.parametrize("fault", CLOCKS)
def test_a_clock_that_is_off_shows_in_the_certificates_too(
    operator: Operator, table: Table, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    context, authority = tls(["localhost"], CLOCKS[fault])
    (operator.folder / "ca.pem").write_text(authority)
    front = Front(operator.account.url, context)
    operator.front.url = front.url.replace("127.0.0.1", "localhost")
    try:
        failed = operator.failure(operator.spec(), CREDENTIALS)
    finally:
        front.close()
    assert "not of this time" in failed.text
    assert "clock of this machine" in sentence(failed)
    assert front.asked == []
    table.row(
        fault=f"Clock off by an hour, or a proxy's certificate {fault}",
        how=f"TLS with a certificate that is {fault}",
        sees=sentence(failed),
        result="failed before anything was changed; nothing was sent",
    )


def test_throttling_is_waited_out_and_told_when_it_stays(
    operator: Operator, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """botocore's pauses are looked at, not waited for."""
    pauses: list[float] = []
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=pauses.append))
    operator.front.fault = lambda _action, count: (503, "RequestLimitExceeded") if count < 2 else None
    failed = operator.failure(operator.spec())
    assert failed.step == "instances.signin", "every call was throttled twice, and the run went on"
    assert len(pauses) == 2 * len(set(operator.front.asked))
    assert all(0 < pause <= 2 for pause in pauses)
    table.row(
        fault="AWS throttles every call twice",
        how="EC2 answers RequestLimitExceeded",
        sees="nothing",
        result="tried again with pauses; the run goes on",
    )
    operator.clean()
    operator.front.asked.clear()
    operator.front.fault = lambda action, _count: (503, "RequestLimitExceeded") if action == "DescribeSubnets" else None
    failed = operator.failure(operator.spec("other"))
    assert failed.step == "instances.network"
    assert "throttling" in failed.text
    assert operator.front.asked.count("DescribeSubnets") == 5
    table.row(
        fault="AWS throttles without end",
        how="EC2 answers RequestLimitExceeded to DescribeSubnets",
        sees=sentence(failed),
        result="failed after five tries with pauses between",
    )


def test_a_call_whose_answer_is_lost_makes_nothing_twice(operator: Operator, table: Table) -> None:
    """EC2 has done it, and the answer is an internal error: botocore asks again, with the same token."""
    front = operator.front
    forward = front.forward
    lost: list[str] = []

    def losing(url: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        action = parse_qs(body.decode())["Action"][0]
        done = forward(url, body, headers)
        if (
            action in ("RunInstances", "AssociateAddress", "AuthorizeSecurityGroupIngress", "CreateSecurityGroup")
            and action not in lost
        ):
            lost.append(action)
            return 500, error("InternalError")
        return done

    front.forward = losing  # type: ignore[method-assign]
    outcomes = []
    for _ in range(6):
        failed = operator.failure(operator.spec())
        outcomes.append((failed.step, sentence(failed)))
        if failed.step == "instances.signin":
            break
    assert failed.step == "instances.signin", outcomes
    ec2 = operator.account.ec2
    alive = [
        {"Name": "instance-state-name", "Values": ["pending", "running"]},
        {"Name": "tag-key", "Values": ["iconha:cluster"]},
    ]
    assert sum(len(r["Instances"]) for r in ec2.describe_instances(Filters=alive)["Reservations"]) == 2
    assert len(ec2.describe_addresses()["Addresses"]) == 1
    assert sorted(lost) == ["AssociateAddress", "AuthorizeSecurityGroupIngress", "CreateSecurityGroup", "RunInstances"]
    table.row(
        fault="The answer to a call that EC2 has carried out is lost",
        how="InternalError after RunInstances, AssociateAddress, AuthorizeSecurityGroupIngress, CreateSecurityGroup",
        sees=next((told for step, told in outcomes if step != "instances.signin"), "nothing"),
        result=f"two instances, one address, one group, after {len(outcomes)} run(s)",
    )


def test_no_address_left(operator: Operator, table: Table) -> None:
    for _ in range(5):
        operator.account.ec2.allocate_address(Domain="vpc")
    failed = operator.failure(operator.spec())
    assert failed.step == "instances.allocate"
    assert "no Elastic IP left" in failed.text
    table.row(
        fault="No Elastic IP is left",
        how="five are allocated, which is the quota",
        sees=sentence(failed),
        result="failed; what was made before is found again by the next run",
    )


def test_machines_in_two_networks_are_refused_before_anything_is_made(operator: Operator, table: Table) -> None:
    ec2 = operator.account.ec2
    vpc = ec2.create_vpc(CidrBlock="10.200.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.200.1.0/24")["Subnet"]["SubnetId"]
    spec = operator.spec()
    spec.instances.mode = "existing"
    spec.nodes[0].instance_id = operator.account.launch()
    spec.nodes[1].instance_id = operator.account.launch(SubnetId=subnet)
    failed = operator.failure(spec)
    assert (failed.step, failed.outcome) == ("instances.network", "blocked")
    assert "different VPCs" in failed.text
    assert not [each for each in operator.events if type(each).__name__ == "ActionStarted"]
    table.row(
        fault="The two instances are in different VPCs",
        how="a second VPC",
        sees=sentence(failed),
        result="blocked before anything was changed",
    )
    spec.nodes[1].instance_id = "i-0123456789abcdef0"
    failed = operator.failure(spec)
    assert "no such instance in this region: i-0123456789abcdef0" in failed.text
    table.row(
        fault="An instance of another region",
        how="an id that this region does not know",
        sees=sentence(failed),
        result="failed before anything was changed",
    )


def test_an_api_that_cannot_be_reached(operator: Operator, table: Table) -> None:
    spec = operator.spec()
    operator.front.close()
    failed = operator.failure(spec, CREDENTIALS)
    assert "does not answer" in failed.text
    assert "no way from this machine" in sentence(failed)
    table.row(
        fault="The EC2 API cannot be reached from here",
        how="nobody listens",
        sees=sentence(failed),
        result="failed before anything was changed",
    )


def test_two_runs_at_once_share_nothing(account: Account, tmp_path: Path) -> None:
    """The front is per test and the account is shared: runs of different clusters do not see each other's things."""
    fronts = [Front(account.url), Front(account.url)]
    operators = [Operator(account, front, tmp_path / str(number)) for number, front in enumerate(fronts)]
    for each in operators:
        each.folder.mkdir()
    try:
        with ThreadPoolExecutor() as pool:
            failures = list(
                pool.map(
                    lambda pair: pair[0].failure(pair[0].spec(pair[1])), zip(operators, ("one", "two"), strict=True)
                )
            )
        assert [each.step for each in failures] == ["instances.signin"] * 2
        assert len(account.ec2.describe_addresses()["Addresses"]) == 2
    finally:
        operators[0].clean()
        for front in fronts:
            front.close()
