"""What others change in a finished cluster, and on AWS around it: what takes longer to try."""

from __future__ import annotations

import picture
import pytest
from conftest import describe, launch, terminate, wait_state
from faults import Table, sentence
from lab_aws import aws
from mischief import SECOND, Bench
from program import until_done

from iconha_tui.stages import corosync

SECTION = "Built, half built, changed by others"
pytestmark = pytest.mark.slow


def test_an_edit_after_the_write_is_told_before_the_run_ends_well(built: Bench, table: Table) -> None:
    program, node = built.program, built.second
    before = program.spec.corosync.token_ms
    program.spec.corosync.token_ms = 4000
    going = program.start()
    assert going.until(lambda event: event["event"] == "StepFinished" and event["step"] == "corosync.conf")
    node.sh(f"echo '# a moment later' >>{corosync.PATH}")
    going.end()
    failed = (going if going.process.returncode else program.run()).failure
    assert (failed["outcome"], failed["where"]) == ("blocked", SECOND)
    assert "edited by somebody" in failed["text"]
    assert "a moment later" in node.sh(f"cat {corosync.PATH}")
    table.row(
        fault="Somebody edits corosync.conf once it is written, while the run goes on",
        how="a line added as the step ends",
        sees=sentence(failed),
        result="blocked; the file stands",
    )
    node.sh(f"sed -i '/a moment later/d' {corosync.PATH}")
    program.spec.corosync.token_ms = before
    until_done(program)


def test_an_elastic_ip_that_was_given_to_a_stranger_is_not_taken(built: Bench, table: Table) -> None:
    """Pacemaker looks away meanwhile: it would take the address back by itself."""
    lab, program = built.program.lab, built.program
    ec2 = aws(lab, "ec2")
    built.first.sh("crm configure property maintenance-mode=true; crm_resource --wait")
    stranger = launch(lab, "stranger")
    wait_state(lab, stranger, "running")
    ec2.associate_address(AllocationId=built.address["AllocationId"], InstanceId=stranger, AllowReassociation=True)
    going = program.run()
    failed = going.failure
    assert (failed["step"], failed["outcome"]) == ("instances.associate", "blocked")
    assert stranger in failed["text"]
    assert built.address["InstanceId"] == stranger
    assert not [each for each in going.events if each["event"] == "ActionStarted"]
    code, found = program.check()
    assert code == 3
    assert any(stranger in each["text"] for each in found if each["state"] == "stands_in_the_way")
    table.row(
        fault="The cluster's Elastic IP is given to a stranger by hand",
        how="associated with a third machine, Pacemaker in maintenance mode",
        sees=sentence(failed),
        result="blocked; the stranger keeps it; `check` says the same",
    )
    terminate(lab, stranger)
    built.first.sh("crm configure property maintenance-mode=false")
    until_done(program)


def test_an_elastic_ip_that_was_released(built: Bench, table: Table) -> None:
    """One that the spec names, and then the cluster's own."""
    lab, program = built.program.lab, built.program
    ec2 = aws(lab, "ec2")
    old = built.address
    program.spec.instances.allocation_id = old["AllocationId"]
    ec2.disassociate_address(AssociationId=old["AssociationId"])
    ec2.release_address(AllocationId=old["AllocationId"])
    named = program.run().failure
    assert named["step"] == "instances.allocate"
    program.spec.instances.allocation_id = ""
    failures = until_done(program)
    assert built.address["AllocationId"] != old["AllocationId"]
    text = "\n".join(str(each.get("text", "")) for each in program.run().events)
    assert built.address["PublicIp"] in text
    table.row(
        fault="The Elastic IP is released while the cluster stands",
        how="ReleaseAddress; named in the spec, then found by its tag",
        sees=sentence(named),
        result="failed where the spec names it; else a new one is allocated, said, and the cluster's resource is given it "
        f"({len(failures)} failures on the way)",
    )


def test_a_machine_that_comes_back_with_another_public_address_is_found(built: Bench, table: Table) -> None:
    program, ec2 = built.program, aws(built.program.lab, "ec2")
    standby = next(node for node in (built.first, built.second) if node.id != built.address["InstanceId"])
    before = describe(program.lab, standby.id).get("PublicIpAddress")
    ec2.stop_instances(InstanceIds=[standby.id])
    wait_state(program.lab, standby.id, "stopped")
    going = program.run()
    failures = [] if going.process.returncode == 0 else [going.failure, *until_done(program)]
    after = describe(program.lab, standby.id).get("PublicIpAddress")
    assert after != before, "EC2 gives another one"
    noted = [each["text"] for each in going.events if each["event"] == "Probed" and each["step"] == "instances.machine"]
    table.row(
        fault="A machine was stopped, and has another public address once it runs",
        how="StopInstances on the standby",
        sees="; ".join([*[each for each in noted if "stopped" in each], *map(sentence, failures)]),
        result="started, followed by its id, signed in to under the same host key",
    )


def test_pacemaker_that_somebody_has_stopped_is_started_again(built: Bench, table: Table) -> None:
    program = built.program
    before = picture.take(program.lab, program.spec)
    built.second.sh("systemctl disable --now pacemaker; systemctl stop corosync")
    going = program.run()
    assert going.process.returncode == 0, going.failure
    after = picture.take(program.lab, program.spec)
    assert list(picture.differences(after.nodes, before.nodes)) == []
    assert after.cib == before.cib
    said = [each["text"] for each in going.events if each["event"] == "Probed" and each["verdict"] == "needed"]
    table.row(
        fault="Somebody has stopped and disabled Pacemaker",
        how="systemctl on PRep-02",
        sees="; ".join(said),
        result="started, and enabled again: the same cluster",
    )
