"""What an operator meets on the way: machines that exist, wrong keys, refusals. Each ends in a sentence with a remedy."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from conftest import aws, describe, launch, terminate, wait_state
from faults import Table, sentence
from waiting import BOUND

from iconha_tui.lab.lab import Lab
from iconha_tui.spec import Spec, dumps, loads

SECTION = "What the operator has chosen, and what the machines allow"
FIRST, SECOND = "PRep-01", "PRep-02"


@dataclass
class Operator:
    """Runs the program on two existing machines of the lab."""

    lab: Lab
    state: Path
    spec: Spec
    ids: tuple[str, str]
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, *options: str) -> subprocess.CompletedProcess[str]:
        path = self.state / "spec.toml"
        path.write_text(dumps(self.spec))
        argv = [sys.executable, "-m", "iconha_tui", "--state-dir", str(self.state / "state"), "run", str(path), "--yes"]
        argv += ["--no-check"]  # it is what the steps themselves say that is looked at
        return subprocess.run([*argv, *options], capture_output=True, text=True, timeout=BOUND, check=False)

    def failure(self, *options: str) -> dict[str, Any]:
        """The step that did not go well, with the exit code of the program."""
        done = self.run("--json", *options)
        events = [json.loads(line) for line in done.stdout.splitlines()]
        failed = [each for each in events if each["event"] == "StepFinished" and each["outcome"] != "done"]
        assert len(failed) == 1, done.stdout[-2000:] + done.stderr
        return {**failed[0], "code": done.returncode}

    def node(self, name: str, script: str) -> str:
        done = self.lab.exec(name, ["sh", "-c", script])
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def machines(lab: Lab) -> Iterator[tuple[str, str]]:
    ids = (launch(lab, FIRST), launch(lab, SECOND))
    for each in ids:
        wait_state(lab, each, "running")
    yield ids
    terminate(lab, *ids)


@pytest.fixture
def operator(lab: Lab, machines: tuple[str, str], tmp_path: Path) -> Operator:
    spec = loads(lab.spec(name="mine"))
    spec.nodes[0].instance_id, spec.nodes[1].instance_id = machines
    spec.instances.mode = "existing"
    return Operator(lab, tmp_path, spec, machines)


def test_existing_machines_get_the_group_beside_their_own_and_the_address_that_was_chosen(operator: Operator) -> None:
    ec2 = aws(operator.lab, "ec2")
    address = ec2.allocate_address(Domain="vpc")
    operator.spec.instances.allocation_id = address["AllocationId"]
    before = {
        each: {g["GroupId"] for g in describe(operator.lab, each)["NetworkInterfaces"][0]["Groups"]}
        for each in operator.ids
    }
    try:
        done = operator.run("--until", "instances")
        assert done.returncode == 0, done.stdout
        group = ec2.describe_security_groups(Filters=[{"Name": "tag:iconha:cluster", "Values": ["mine"]}])[
            "SecurityGroups"
        ][0]
        for each in operator.ids:
            now = {g["GroupId"] for g in describe(operator.lab, each)["NetworkInterfaces"][0]["Groups"]}
            assert now == before[each] | {group["GroupId"]}
        holder = ec2.describe_addresses(AllocationIds=[address["AllocationId"]])["Addresses"][0]["InstanceId"]
        assert holder == operator.ids[0]
        assert len(ec2.describe_addresses()["Addresses"]) == 1
        assert "Nothing to do" in operator.run("--until", "instances").stdout
        assert rules(group) == {
            ("tcp", 22, 22, "127.0.0.0/8"),
            ("tcp", 7100, 7100, "0.0.0.0/0"), ("tcp", 7100, 7100, "::/0"),
            ("tcp", 9000, 9000, "0.0.0.0/0"), ("tcp", 9000, 9000, "::/0"),
            ("udp", 5404, 5406, group["GroupId"]),
        }  # fmt: skip
    finally:
        held = ec2.describe_addresses(AllocationIds=[address["AllocationId"]])["Addresses"][0]
        if held.get("AssociationId"):
            ec2.disassociate_address(AssociationId=held["AssociationId"])
        ec2.release_address(AllocationId=address["AllocationId"])


@pytest.mark.slow
def test_the_one_node_cluster_that_apt_has_started_is_cleared_away(operator: Operator) -> None:
    apt = "DEBIAN_FRONTEND=noninteractive apt-get -qq"
    by_hand = f"{apt} update && {apt} -y install --no-install-recommends pacemaker pacemaker-cli-utils"
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda name: operator.node(name, f"({by_hand}) >/dev/null 2>&1"), (FIRST, SECOND)))
    assert "node1" in operator.node(
        FIRST, "timeout 60 sh -c 'until crm_mon -1 2>/dev/null | grep node1; do sleep 0.5; done'"
    )
    done = operator.run("--until", "packages")
    assert done.returncode == 0, done.stdout[-3000:]
    for name in (FIRST, SECOND):
        assert operator.node(name, "systemctl is-active corosync pacemaker || true").split() == ["inactive"] * 2
        assert operator.node(name, "ls -A /var/lib/pacemaker/cib") == ""
    assert "Nothing to do" in operator.run("--until", "packages").stdout


def rules(group: dict[str, Any]) -> set[tuple[str, int, int, str]]:
    found = set()
    for rule in group["IpPermissions"]:
        ports = (rule["IpProtocol"], rule["FromPort"], rule["ToPort"])
        found |= {(*ports, each["CidrIp"]) for each in rule["IpRanges"]}
        found |= {(*ports, each["CidrIpv6"]) for each in rule["Ipv6Ranges"]}
        found |= {(*ports, each["GroupId"]) for each in rule["UserIdGroupPairs"]}
    return found


def test_an_elastic_ip_that_another_machine_holds_is_never_taken(operator: Operator, table: Table) -> None:
    ec2 = aws(operator.lab, "ec2")
    stranger = launch(operator.lab, "stranger")
    wait_state(operator.lab, stranger, "running")
    address = ec2.allocate_address(Domain="vpc")
    ec2.associate_address(AllocationId=address["AllocationId"], InstanceId=stranger)
    operator.spec.instances.allocation_id = address["AllocationId"]
    try:
        failed = operator.failure("--until", "instances")
        assert (failed["step"], failed["outcome"], failed["code"]) == ("instances.associate", "blocked", 3)
        assert stranger in failed["text"]
        assert failed["remedy"]
        assert ec2.describe_addresses(AllocationIds=[address["AllocationId"]])["Addresses"][0]["InstanceId"] == stranger
        table.row(
            fault="The Elastic IP belongs to another machine",
            how="associated with a stranger",
            sees=sentence(failed),
            result="blocked; the stranger keeps it",
        )
    finally:
        terminate(operator.lab, stranger)
        ec2.release_address(AllocationId=address["AllocationId"])


WRONG: dict[str, tuple[str, str, int, str, str]] = {
    # what the spec says: (path, value), exit code, the step, a part of the sentence or remedy
    "a profile that does not exist": ("aws.profile", "nobody", 1, "credentials.identity", "no AWS profile 'nobody'"),
    "a profile without keys for the nodes": (
        "awscli.profile",
        "nobody",
        1,
        "credentials.nodes",
        "no AWS profile 'nobody'",
    ),
    "a key file that is not there": ("ssh.key_file", "/nowhere/id", 3, "credentials.ssh", "/nowhere/id cannot be read"),
    "an instance that does not exist": (
        "nodes.0.instance_id",
        "i-0123456789abcdef0",
        1,
        "instances.network",
        "no such instance",
    ),
    "a user that the node does not know": ("ssh.user", "nobody2", 1, "instances.signin", "login as nobody2"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_choice_ends_in_a_sentence_and_an_exit_code(operator: Operator, table: Table, case: str) -> None:
    path, value, code, step, words = WRONG[case]
    data = operator.spec.model_dump()
    *way, last = path.split(".")
    place: Any = data
    for part in way:
        place = place[int(part)] if part.isdigit() else place[part]
    place[last] = int(value) if isinstance(place[last], int) else value
    operator.spec = Spec.model_validate(data)
    failed = operator.failure("--until", "instances")
    assert (failed["step"], failed["code"]) == (step, code), failed
    assert words in failed["text"]
    assert failed["where"]
    assert failed["remedy"]
    table.row(
        fault=f"The spec names {case}",
        how=f"{path} = {value!r}",
        sees=sentence(failed),
        result=f"exit code {code}, nothing changed",
    )


def test_wrong_keys_are_told_from_keys_that_are_denied(operator: Operator) -> None:
    config = operator.state / "aws-config"
    text = operator.lab.aws_config_file.read_text()
    config.write_text(
        re.sub(r"(aws_secret_access_key *= *)\S+", r"\g<1>wrongwrongwrongwrongwrongwrongwrongwrong", text)
    )
    operator.spec.aws.config_file = str(config)
    failed = operator.failure("--until", "credentials")
    assert failed["step"] == "credentials.identity"
    assert "does not belong to the access key" in failed["text"]

    operator.spec.aws.config_file = str(operator.lab.aws_config_file)
    operator.spec.aws.profile = "lab-nodes"  # may move addresses, and nothing else
    operator.spec.instances.mode = "launch"
    operator.spec.nodes[0].instance_id = operator.spec.nodes[1].instance_id = ""
    failed = operator.failure("--until", "instances")
    assert "may not call ec2:Describe" in failed["text"]
    assert "IAM policy" in failed["remedy"]


def test_a_refused_sudo_names_the_node_and_leaves_nothing_behind(operator: Operator, table: Table) -> None:
    operator.node(SECOND, "mv /etc/sudoers.d/90-cloud-init-users /root/sudoers.kept")
    try:
        failed = operator.failure("--until", "instances")
        assert (failed["step"], failed["where"]) == ("instances.signin", SECOND)
        assert "sudo" in failed["text"] + failed["remedy"]
        table.row(
            fault="sudo needs a password",
            how="the rule taken from sudoers",
            sees=sentence(failed),
            result="nothing changed",
        )
    finally:
        operator.node(SECOND, "mv /root/sudoers.kept /etc/sudoers.d/90-cloud-init-users")


def test_a_host_key_that_has_changed_always_stops(operator: Operator, table: Table) -> None:
    assert operator.run("--until", "instances").returncode == 0
    operator.node(
        SECOND, "cp -a /etc/ssh /root/ssh.kept && rm /etc/ssh/ssh_host_* && ssh-keygen -A && systemctl restart ssh"
    )
    try:
        failed = operator.failure("--until", "instances")
        assert (failed["step"], failed["where"]) == ("instances.signin", SECOND)
        assert failed["text"].count("SHA256:") == 2
        table.row(
            fault="The host key of a node has changed",
            how="new keys in /etc/ssh",
            sees=re.sub(r"SHA256:\S+", "SHA256:…", sentence(failed)),
            result="stopped, also with --yes",
        )
    finally:
        operator.node(SECOND, "cp -a /root/ssh.kept/. /etc/ssh/ && systemctl restart ssh")


@pytest.mark.slow
def test_the_demo_of_the_readme_builds_a_pair_and_is_removed(tmp_path: Path, lab_host: None) -> None:
    root = Path(__file__).parents[2]
    name = f"demo-{os.getpid()}"

    def make(*words: str) -> str:
        done = subprocess.run(
            ["make", "-C", str(root), *words, f"LAB={name}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"ICONHA_STATE_DIR": str(tmp_path)},
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
        return done.stdout

    try:
        said = make("demo")
        assert f"{name}: the pair is up" in said
        assert "elastic-ip" in said.partition("the pair is up")[2], "crm status says it too"
        make("demo", "PLAIN=1")
    finally:
        make("demo-down")
    assert [each.name for each in tmp_path.glob("labs/*")] == []
