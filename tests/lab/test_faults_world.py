"""What others do to a cluster that is built: each is recognised, said, and nothing is overwritten unasked."""

from __future__ import annotations

import os
import shlex
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import picture
import pytest
from conftest import wait_state
from faults import Table, sentence
from lab_aws import aws
from mischief import FIRST, SECOND, Bench, Victim
from program import Program, until_done

from iconha_tui.spec import Spec
from iconha_tui.stages import STAGES, awscli, corosync

SECTION = "Built, half built, changed by others"
THOROUGH = "ICONHA_FAULTS_TABLE" in os.environ


def test_the_preflight_tells_all_at_once_and_changes_nothing(built: Bench, table: Table) -> None:
    before = picture.take(built.program.lab, built.program.spec)
    code, found = built.program.check()
    assert code == 0, [each for each in found if each["state"] == "stands_in_the_way"]
    assert {each["where"] for each in found} == {"AWS", "here", FIRST, SECOND}
    with built.first.locked_apt(), built.second.firewall("OUTPUT", "-p", "tcp", "--dport", "80", "-j", "REJECT"):
        code, found = built.program.check()
    told = {(each["where"], each["what"]): each for each in found if each["state"] in ("stands_in_the_way", "warning")}
    assert "unattended-upgrade" in told[FIRST, "apt"]["text"]
    assert picture.take(built.program.lab, built.program.spec) == before
    table.row(
        fault="Before anything is changed: `iconha-tui check`",
        how="apt held on PRep-01, then all that a node can say",
        sees=f"{FIRST}: apt: {told[FIRST, 'apt']['text']}. {told[FIRST, 'apt']['remedy']}",
        result=f"{len(found)} findings at once, in order of AWS, here, nodes; nothing was changed",
    )


def digest(node: Victim) -> str:
    return node.sh(f"sha256sum {corosync.PATH}").split()[0]


@pytest.mark.parametrize("where", [(FIRST,), (SECOND,), (FIRST, SECOND)] if THOROUGH else [(FIRST,)], ids=", ".join)
def test_an_edited_corosync_conf_is_not_overwritten_without_a_yes(
    built: Bench, table: Table, where: tuple[str, ...]
) -> None:
    program = built.program
    nodes = [built.victim(name) for name in where]
    for node in nodes:
        node.sh(f"echo '# raised by the night shift on {node.id}' >>{corosync.PATH}")
    edited = [digest(node) for node in nodes]
    failed = program.run().failure
    assert (failed["step"], failed["outcome"], failed["where"]) == ("corosync.conf", "blocked", where[0])
    assert "was edited by somebody since this program wrote it" in failed["text"]
    assert "raised by the night shift" in failed["text"]
    code, found = program.check()
    assert code == 3
    told = [
        each["where"] for each in found if each["state"] == "stands_in_the_way" and "edited by somebody" in each["text"]
    ]
    assert told == list(where)
    if len(where) == 2:
        program.spec.corosync.replace = edited[0][:16]
        failed = program.run().failure
        assert failed["where"] == where[1], "the yes was for the other file"
        assert f'replace = "{edited[0][:16]}+{edited[1][:16]}"' in failed["remedy"]
    assert [digest(node) for node in nodes] == edited
    table.row(
        fault=f"Somebody edits corosync.conf on {' and '.join(where)}",
        how="a line added",
        sees=sentence(failed),
        result="blocked, the files stand; replaced, with a backup, once those very files are allowed; `check` names all at once",
    )
    program.spec.corosync.replace = "+".join(each[:16] for each in edited)
    assert program.run().process.returncode == 0
    program.spec.corosync.replace = ""
    for node in nodes:
        assert "night shift" not in node.sh(f"cat {corosync.PATH}")
        assert f"night shift on {node.id}" in node.sh(f"cat {corosync.PATH}.iconha-*")
    assert not program.acts()


EDIT = "echo '# in the very moment' >>/etc/corosync/corosync.conf"


@contextmanager
def edited_while_it_is_judged(node: Victim) -> Iterator[None]:
    """Somebody saves the file while corosync judges the new one: between the look and the write of a run."""
    real = node.sh("command -v corosync").strip()
    wrapper = f'#!/bin/sh\ncase "$*" in -t*) {EDIT} ;; esac\nexec {real}.real "$@"\n'
    node.sh(f"mv {real} {real}.real; echo {shlex.quote(wrapper)} >{real}; chmod 755 {real}")
    try:
        yield
    finally:
        node.sh(f"mv -f {real}.real {real}")


def undo(node: Victim) -> None:
    node.sh(f"sed -i '/in the very moment/d' {corosync.PATH}")


@pytest.mark.slow
def test_an_edit_in_the_moment_of_the_write_stands(built: Bench, table: Table) -> None:
    program, node = built.program, built.first
    before = program.spec.corosync.token_ms
    program.spec.corosync.token_ms = 4000
    with edited_while_it_is_judged(node):
        failed = program.run().failure
    assert (failed["step"], failed["where"]) == ("corosync.conf", FIRST)
    assert "changed by somebody while this program was about to write it" in failed["text"]
    assert "in the very moment" in node.sh(f"cat {corosync.PATH}")
    again = program.run().failure
    assert (again["outcome"], again["where"]) == ("blocked", FIRST)
    assert "edited by somebody" in again["text"]
    table.row(
        fault="Somebody saves corosync.conf between the run's look and its write",
        how="the file is changed by what judges the new one, with `corosync -t`",
        sees=sentence(failed),
        result="their file stands; the next run is blocked until it is allowed",
    )
    undo(node)
    program.spec.corosync.token_ms = before
    until_done(program)


def test_another_cluster_on_the_same_machines_is_left_alone(built: Bench, table: Table) -> None:
    lab, ec2 = built.program.lab, aws(built.program.lab, "ec2")
    found = picture.machines(lab, built.program.spec)
    spec = Spec.model_validate(built.program.spec.model_dump() | {"name": "intruder"})
    spec.instances.mode = "existing"
    spec.instances.allocation_id = built.address["AllocationId"]
    for node, (_, one), name in zip(spec.nodes, sorted(found.items()), ("alpha", "beta"), strict=True):
        node.name, node.instance_id = name, one["InstanceId"]
    intruder = Program(lab, built.program.state.parent / "intruder", spec)
    before = picture.take(lab, built.program.spec)
    ahead = intruder.run(ahead=True)
    assert ahead.process.returncode == 3
    assert [each["where"] for each in ahead.events if "another cluster of" in each.get("text", "")] == ["alpha", "beta"]
    assert picture.take(lab, built.program.spec) == before
    code, told = intruder.check()
    assert code == 3
    assert [each["where"] for each in told if "another cluster of" in each["text"]] == ["alpha", "beta"]

    failed = intruder.run().failure
    assert (failed["step"], failed["outcome"]) == ("instances.free", "blocked")
    assert "another cluster of this program" in failed["text"]
    groups = ec2.describe_security_groups(Filters=[{"Name": "tag:iconha:cluster", "Values": ["intruder"]}])
    for one in found.values():
        kept = [group["GroupId"] for group in one["NetworkInterfaces"][0]["Groups"]]
        ec2.modify_instance_attribute(InstanceId=one["InstanceId"], Groups=kept)
    for group in groups["SecurityGroups"]:
        ec2.delete_security_group(GroupId=group["GroupId"])
    assert picture.take(lab, built.program.spec) == before
    table.row(
        fault="The machines are a cluster already, with other names",
        how="a second spec for the same machines, nodes alpha and beta",
        sees=sentence(failed),
        result="`run` and `check` say it before anything is changed on AWS or on the nodes; with --no-check the run stops before "
        "it changes the nodes",
    )


def test_a_cluster_of_which_no_record_is_left_is_adopted(built: Bench, table: Table) -> None:
    """As if it had been built by hand, by the guide's commands, with the same names."""
    program = built.program
    files = f"{corosync.PATH} /etc/corosync/authkey {awscli.CREDENTIALS} {awscli.CONFIG}"
    nodes = (built.first, built.second)
    for node in nodes:
        node.sh("rm -rf /var/lib/iconha-tui")
    before = [node.sh(f"stat -c '%i %Y' {files}; sha256sum {files}") for node in nodes]
    config = built.first.sh("cibadmin -Q -o configuration")
    did = program.acts()
    assert set(did) == {"corosync.conf", "pacemaker.properties", "awscli.proof", "elastic_ip.primitive"}
    assert [node.sh(f"stat -c '%i %Y' {files}; sha256sum {files}") for node in nodes] == before
    assert built.first.sh("cibadmin -Q -o configuration") == config
    table.row(
        fault="The cluster was built by hand, by the guide's commands, with the same names",
        how="a finished cluster, and every record of this program taken from its nodes",
        sees="It is as wanted, and to be remembered as this program's.",
        result="adopted: no file, key or setting of the cluster is written",
    )


def test_a_second_run_at_the_same_time_is_told_who_holds_the_cluster(built: Bench, table: Table) -> None:
    program = built.program
    going = program.start()
    assert going.until(lambda event: event["event"] == "StageStarted")
    going.process.send_signal(signal.SIGSTOP)
    try:
        second = program.run()
        assert second.process.returncode == 4
        assert f"process {going.process.pid}" in second.said
        assert second.events == []
    finally:
        going.process.send_signal(signal.SIGCONT)
    assert going.end() == 0
    table.row(
        fault="Two runs of one cluster at the same time",
        how="`run` while another `run` is in its first stage",
        sees=" ".join(second.said.split()),
        result="exit code 4, nothing is done; the first goes on to its end",
    )


def test_an_elastic_ip_that_was_moved_by_hand(built: Bench, table: Table) -> None:
    lab, program = built.program.lab, built.program
    ec2 = aws(lab, "ec2")
    ec2.associate_address(
        AllocationId=built.address["AllocationId"], InstanceId=built.second.id, AllowReassociation=True
    )
    assert not until_done(program)
    assert built.address["InstanceId"] in (built.first.id, built.second.id)
    ec2.disassociate_address(AssociationId=built.address["AssociationId"])
    failures = until_done(program)
    assert built.address["InstanceId"] in (built.first.id, built.second.id)
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
    said = sentence(going.failure) if going.process.returncode else "it is waited for"
    until_done(program)
    after = picture.take(program.lab, program.spec)
    assert list(picture.differences(after.nodes, before.nodes)) == []
    assert after.cib == before.cib
    table.row(
        fault=f"PRep-02 of a finished cluster reboots in the stage {stage}",
        how="RebootInstances as the stage begins",
        sees=said,
        result="the same cluster after the next run",
    )


@pytest.mark.slow
@pytest.mark.parametrize("part", ["standby", "active"])
def test_a_node_that_was_terminated_is_replaced(built: Bench, table: Table, part: str) -> None:
    """In the middle of a run, and the one that has the address too."""
    program = built.program
    before = picture.take(program.lab, program.spec)
    nodes = {name: built.victim(name) for name in (FIRST, SECOND)}
    active = next(name for name, node in nodes.items() if node.id == built.address["InstanceId"])
    name = active if part == "active" else next(each for each in nodes if each != active)
    keys = picture.authkeys(program.lab, program.spec)
    going = program.start()
    assert going.until(lambda event: event["event"] == "StageStarted" and event["stage"] == "packages")
    aws(program.lab, "ec2").terminate_instances(InstanceIds=[nodes[name].id])
    going.end()
    said = sentence(going.failure) if going.process.returncode else ""
    wait_state(program.lab, nodes[name].id, "terminated")
    again = program.run()
    failures = [] if again.process.returncode == 0 else [again.failure, *until_done(program)]
    assert built.victim(name).id != nodes[name].id
    after = picture.take(program.lab, program.spec)
    assert {**after.account, "addresses": ""} == {**before.account, "addresses": ""}
    assert built.address["InstanceId"] in (built.first.id, built.second.id)
    assert after.cib == before.cib
    assert picture.authkeys(program.lab, program.spec) == keys
    noted = [each["text"] for each in again.events if each["event"] == "Probed" and each["step"] == "instances.machine"]
    table.row(
        fault=f"The {part} node is terminated in the middle of a run",
        how=f"TerminateInstances on {name} as the packages are looked at; then the same spec again",
        sees="; ".join(
            filter(None, [said, *[each for each in noted if "terminated" in each], *map(sentence, failures)])
        ),
        result="a new machine takes its place, with the same key, configuration and CIB; the address is on a living node",
    )


def test_nothing_is_left_of_all_this(built: Bench) -> None:
    assert not built.program.acts()
