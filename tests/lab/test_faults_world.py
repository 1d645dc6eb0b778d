"""What others do to a cluster that is built, or half built: each is recognised, said, and nothing is overwritten unasked."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import picture
import pytest
from faults import Table
from lab_aws import aws
from mischief import FIRST, SECOND, Bench
from program import Event, Program

from iconha_tui.spec import Spec
from iconha_tui.stages import STAGES, corosync

SECTION = "Built, half built, changed by others"
THOROUGH = "ICONHA_FAULTS_TABLE" in os.environ


@pytest.fixture(scope="module")
def built(bench: Bench) -> Bench:
    """The pair, built to the end."""
    going = bench.program.run()
    assert going.process.returncode == 0, going.events[-2:]
    return bench


def until_done(program: Program, at_most: int = 4) -> list[Event]:
    """Runs until all is done, as an operator would retry; the failures on the way."""
    failures = []
    for _ in range(at_most):
        going = program.run()
        if going.process.returncode == 0:
            return failures
        failures.append(going.failure)
    raise AssertionError(failures)


def check(program: Program) -> tuple[int, list[dict[str, str]]]:
    """`iconha-tui check --json`: its exit code and its findings."""
    argv = [sys.executable, "-m", "iconha_tui", "--state-dir", str(program.state), "check"]
    done = subprocess.run(
        [*argv, str(program.state / "spec.toml"), "--json"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def test_the_preflight_tells_all_at_once_and_changes_nothing(built: Bench, table: Table) -> None:
    before = picture.take(built.program.lab, built.program.spec)
    code, found = check(built.program)
    assert code == 0, [each for each in found if each["state"] == "bad"]
    assert {each["where"] for each in found} == {"AWS", "here", FIRST, SECOND}
    with built.first.locked_apt(), built.second.firewall("OUTPUT", "-p", "tcp", "--dport", "80", "-j", "REJECT"):
        code, found = check(built.program)
    told = {(each["where"], each["what"]): each for each in found if each["state"] in ("bad", "warning")}
    assert "unattended-upgrade" in told[FIRST, "apt"]["text"]
    assert picture.take(built.program.lab, built.program.spec) == before
    table.row(
        fault="Before anything is changed: `iconha-tui check`",
        how="apt held on PRep-01, then all that a node can say",
        sees=f"{FIRST}: apt: {told[FIRST, 'apt']['text']}. {told[FIRST, 'apt']['remedy']}",
        result=f"{len(found)} findings at once, in order of AWS, here, nodes; nothing was changed",
    )


def test_an_edited_corosync_conf_is_not_overwritten_without_a_yes(built: Bench, table: Table) -> None:
    program, node = built.program, built.first
    node.sh(f"echo '# raised by the night shift' >>{corosync.PATH}")
    edited = node.sh(f"sha256sum {corosync.PATH}").split()[0]
    failed = program.run().failure
    assert (failed["step"], failed["outcome"], failed["where"]) == ("corosync.conf", "blocked", FIRST)
    assert node.sh(f"sha256sum {corosync.PATH}").split()[0] == edited
    code, found = check(program)
    assert code == 3
    assert any("is not this cluster's" in each["text"] for each in found if each["state"] == "bad")
    table.row(
        fault="Somebody edits corosync.conf",
        how="a line added on PRep-01",
        sees=f"{failed['where']}: {failed['text']} {failed['remedy']}",
        result="blocked, the file stands; replaced, with a backup, once that very file is allowed",
    )
    program.spec.corosync.replace = edited[:16]
    assert program.run().process.returncode == 0
    program.spec.corosync.replace = ""
    assert "night shift" not in node.sh(f"cat {corosync.PATH}")
    assert "night shift" in node.sh(f"cat {corosync.PATH}.iconha-*")
    assert not [each for each in program.run().events if each["event"] == "ActionStarted"]


def test_another_cluster_on_the_same_machines_is_left_alone(built: Bench, table: Table) -> None:
    lab = built.program.lab
    found = picture.machines(lab, built.program.spec)
    ec2 = aws(lab, "ec2")
    address = ec2.describe_addresses()["Addresses"]
    ours = next(one for one in address if one.get("InstanceId") in {each["InstanceId"] for each in found.values()})
    spec = Spec.model_validate(built.program.spec.model_dump() | {"name": "intruder"})
    spec.instances.mode = "existing"
    spec.instances.allocation_id = ours["AllocationId"]
    for node, (_, one), name in zip(spec.nodes, sorted(found.items()), ("alpha", "beta"), strict=True):
        node.name, node.instance_id = name, one["InstanceId"]
    intruder = Program(lab, built.program.state.parent / "intruder", spec)
    before = picture.take(lab, built.program.spec)
    failed = intruder.run().failure
    assert (failed["step"], failed["outcome"]) == ("corosync.conf", "blocked")
    assert "another cluster of this program" in failed["text"]
    after = picture.take(lab, built.program.spec)
    assert (after.nodes, after.cib) == (before.nodes, before.cib)
    code, told = check(intruder)
    assert code == 3
    assert any("Name the nodes of the spec" in each["remedy"] for each in told)
    groups = ec2.describe_security_groups(Filters=[{"Name": "tag:iconha:cluster", "Values": ["intruder"]}])
    for one in found.values():
        kept = [group["GroupId"] for group in one["NetworkInterfaces"][0]["Groups"]]
        ec2.modify_instance_attribute(InstanceId=one["InstanceId"], Groups=kept)
    for group in groups["SecurityGroups"]:
        ec2.delete_security_group(GroupId=group["GroupId"])
    table.row(
        fault="The machines are a cluster already, with other names",
        how="a second spec for the same machines, nodes alpha and beta",
        sees=f"{failed['where']}: {failed['text']} {failed['remedy']}",
        result="blocked; files and CIB of the cluster as before. `check` says it before anything is changed",
    )


def test_an_elastic_ip_that_was_moved_by_hand(built: Bench, table: Table) -> None:
    lab, program = built.program.lab, built.program
    ec2 = aws(lab, "ec2")
    mine = [{"Name": "tag:iconha:cluster", "Values": ["faults"]}]

    def held() -> dict[str, str]:
        one: dict[str, str] = ec2.describe_addresses(Filters=mine)["Addresses"][0]
        return one

    ec2.associate_address(AllocationId=held()["AllocationId"], InstanceId=built.second.id, AllowReassociation=True)
    assert program.run().process.returncode == 0
    assert held()["InstanceId"] in (built.first.id, built.second.id)
    ec2.disassociate_address(AssociationId=held()["AssociationId"])
    failures = until_done(program)
    assert held()["InstanceId"] in (built.first.id, built.second.id)
    table.row(
        fault="The Elastic IP is moved by hand",
        how="to the standby; then taken from both",
        sees="; ".join(each["text"] for each in failures) or "EC2 gives it to …, the cluster says …: waited for",
        result="EC2 and the cluster agree again at the end of the run",
    )


@pytest.mark.parametrize("stage", [each.name for each in STAGES[2:]] if THOROUGH else ["corosync"])
def test_a_node_that_reboots_in_the_middle_of_a_stage(built: Bench, table: Table, stage: str) -> None:
    program = built.program
    before = picture.take(program.lab, program.spec)
    first = next(each for each in STAGES if each.name == stage).steps[0].id
    going = program.start()
    assert going.until(lambda event: event["event"] == "StepStarted" and event["step"] == first)
    aws(program.lab, "ec2").reboot_instances(InstanceIds=[built.second.id])
    going.end()
    said = going.failure if going.process.returncode else {}
    until_done(program)
    after = picture.take(program.lab, program.spec)
    assert list(picture.differences(after.nodes, before.nodes)) == []
    assert after.cib == before.cib
    text = f"{said['where']}: {said['text']} {said['remedy']}" if said else "it is waited for"
    table.row(
        fault=f"PRep-02 reboots in the stage {stage}",
        how="RebootInstances as the stage begins",
        sees=text,
        result="the same cluster after the next run",
    )


def test_a_node_that_was_terminated_is_replaced(built: Bench, table: Table) -> None:
    program = built.program
    before = picture.take(program.lab, program.spec)
    lost = built.second.id
    aws(program.lab, "ec2").terminate_instances(InstanceIds=[lost])
    going = program.run()
    failures = [] if going.process.returncode == 0 else [going.failure, *until_done(program)]
    assert built.second.id != lost
    after = picture.take(program.lab, program.spec)
    assert after.account == before.account
    assert after.cib == before.cib
    assert list(picture.differences({SECOND: after.nodes[SECOND]}, {SECOND: before.nodes[SECOND]})) in (
        [],
        [f"{SECOND}: "],
    )
    noted = [each["text"] for each in going.events if each["event"] == "Probed" and each["step"] == "instances.machine"]
    table.row(
        fault="PRep-02 is terminated",
        how="TerminateInstances, then the same spec again",
        sees="; ".join([*noted[:2], *(each["text"] for each in failures)]),
        result="a new machine takes its place, with the same key and the same configuration",
    )


def test_nothing_is_left_of_all_this(built: Bench) -> None:
    assert not [each for each in built.program.run().events if each["event"] == "ActionStarted"]
