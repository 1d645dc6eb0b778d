"""What a run finds on machines on which somebody has worked before it: it keeps what is right, and asks for the rest."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import picture
import pytest
from conftest import give_back_address, take_down
from faults import Table, sentence
from lab_aws import aws
from mischief import FIRST, SECOND, Bench, Victim
from program import Program, until_done
from specs import MONITOR, spec_of

from iconha_tui.engine.step import View
from iconha_tui.lab.lab import Lab
from iconha_tui.spec import Spec
from iconha_tui.stages import awscli, corosync

SECTION = "Built, half built, changed by others"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def found(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Two machines with the packages, and nothing else: no word of this program's is on them."""
    program = Program(lab, tmp_path_factory.mktemp("found"), spec_of(lab, "found"))
    assert program.run("--until", "packages").process.returncode == 0
    bench = Bench(program)
    forget(bench)
    yield bench
    take_down(program)


def forget(bench: Bench) -> None:
    for node in (bench.first, bench.second):
        node.sh("rm -rf /var/lib/iconha-tui")


def put(node: Victim, path: str, text: str) -> None:
    coded = base64.b64encode(text.encode()).decode()
    node.sh(f"mkdir -p {path.rpartition('/')[0]}; echo {coded} | base64 -d >{path}")


def confs(bench: Bench) -> dict[str, str]:
    """The corosync.conf that the spec asks for, by node."""
    machines = picture.machines(bench.program.lab, bench.program.spec)
    view = View(bench.program.spec, {f"{name}.private_ip": one["PrivateIpAddress"] for name, one in machines.items()})
    return {name: corosync.wanted_conf(view, name) for name in view.spec.names}


def stat(node: Victim, path: str) -> str:
    """What changes with every write of a file."""
    return node.sh(f"stat -c '%i %Y' {path}; sha256sum {path}")


def test_a_key_on_one_node_and_a_file_on_the_other_are_kept(found: Bench, table: Table) -> None:
    program, first, second = found.program, found.first, found.second
    second.sh("corosync-keygen")
    key = picture.authkeys(program.lab, program.spec)[SECOND]
    put(first, corosync.PATH, confs(found)[FIRST].replace("version: 2\n", "version: 2\n    token: 5000\n", 1))
    before = stat(first, corosync.PATH)
    failed = program.run().failure
    assert (failed["step"], failed["outcome"], failed["where"]) == ("corosync.conf", "blocked", FIRST)
    assert "that this program has not written" in failed["text"]
    assert "token: 5000" in failed["text"]
    assert stat(first, corosync.PATH) == before
    assert picture.authkeys(program.lab, program.spec) == {FIRST: key, SECOND: key}
    code, said = program.check()
    assert code == 3
    assert [each["where"] for each in said if "token: 5000" in each["text"]] == [FIRST]
    table.row(
        fault="Half built by hand: a key on PRep-02, a corosync.conf with another token on PRep-01",
        how="corosync-keygen; a file",
        sees=sentence(failed),
        result="the key is kept, and given to the other node; the file stands",
    )


def test_a_second_key_is_never_replaced_without_a_yes(found: Bench, table: Table) -> None:
    program = found.program
    first = picture.authkeys(program.lab, program.spec)[FIRST]
    found.second.sh("corosync-keygen")
    keys = picture.authkeys(program.lab, program.spec)
    assert keys[SECOND] != first
    failed = program.run().failure
    assert (failed["step"], failed["outcome"]) == ("authkey.generate", "blocked")
    assert picture.authkeys(program.lab, program.spec) == keys
    table.row(
        fault="Each node has another key",
        how="corosync-keygen on PRep-02",
        sees=sentence(failed),
        result="blocked, both keys stand, until one is chosen; the other is kept as a backup",
    )
    program.spec.authkey.keep = FIRST
    program.run("--until", "authkey")
    program.spec.authkey.keep = ""
    assert set(picture.authkeys(program.lab, program.spec).values()) == {first}
    assert keys[SECOND] in found.second.sh("sha256sum /etc/corosync/authkey.iconha-*")


def test_what_was_built_by_hand_is_adopted_and_what_differs_is_asked_for(found: Bench, table: Table) -> None:
    """The guide's commands, with a few values of somebody's own, and a resource that is none of ours."""
    program, first = found.program, found.first
    for name, text in confs(found).items():
        node = found.victim(name)
        put(node, corosync.PATH, text)
        put(
            node, awscli.CREDENTIALS, "[default]\naws_access_key_id = AKIASOMEBODYELSES001\naws_secret_access_key = x\n"
        )
        node.sh("systemctl enable --now corosync pacemaker")
    first.sh("for i in $(seq 60); do crm_mon -1 | grep -q 'Online:.*PRep-01.*PRep-02' && break; sleep 1; done")
    # -F: crm's own check wants a fencing device, which nobody has
    first.sh("crm -F configure property stonith-enabled=true; crm -F configure property no-quorum-policy=ignore")
    first.sh("crm -F configure primitive theirs ocf:pacemaker:Dummy op monitor interval=77s")
    files = {node.id: stat(node, f"{corosync.PATH} /etc/corosync/authkey") for node in (found.first, found.second)}
    config = first.sh("cibadmin -Q -o configuration")

    assert 'id="theirs"' in config

    properties = program.run().failure
    assert (properties["step"], properties["outcome"]) == ("pacemaker.properties", "blocked")
    assert "stonith-enabled is true, and false is wanted" in properties["text"]
    assert first.sh("cibadmin -Q -o configuration") == config
    program.spec.pacemaker.replace = yes(properties["remedy"])

    made = "params elastic_ip=203.0.113.9 awscli=/usr/bin/aws allocation_id=eipalloc-00000000 "
    first.sh(
        f"crm -F configure primitive elastic-ip ocf:heartbeat:awseip {made} op monitor interval=33s meta target-role=Stopped"
    )
    config = first.sh("cibadmin -Q -o resources")
    assert "eipalloc-00000000" in config
    resource = program.run().failure
    assert (resource["step"], resource["outcome"]) == ("elastic_ip.primitive", "blocked")
    assert f"monitor interval is 33s; it should be {MONITOR}" in resource["text"]
    assert "meta target-role is Stopped; it should not be set" in resource["text"]
    assert first.sh("cibadmin -Q -o resources") == config
    assert "AKIASOMEBODYELSES001" in first.sh(f"cat {awscli.CREDENTIALS}.iconha-*")
    program.spec.elastic_ip.replace = yes(resource["remedy"])
    until_done(program)

    program.spec.pacemaker.replace = program.spec.elastic_ip.replace = ""
    assert {
        node.id: stat(node, f"{corosync.PATH} /etc/corosync/authkey") for node in (found.first, found.second)
    } == files
    theirs = first.sh("cibadmin -Q -o resources")
    assert 'id="theirs"' in theirs
    assert 'interval="77s"' in theirs
    assert not [each for each in program.run().events if each["event"] == "ActionStarted"]
    for fault, failed in (
        ("a property of another value", properties),
        ("a resource elastic-ip of other values", resource),
    ):
        table.row(
            fault=f"Built by hand with the same names, and {fault}",
            how="the guide's commands on both nodes, with values of somebody's own; other AWS credentials; another resource",
            sees=sentence(failed),
            result="corosync.conf, key and the other resource stay as they are; what differs is set once it is allowed; the "
            "credentials that were there are kept as a backup",
        )


def yes(remedy: str) -> str:
    """The digits that a remedy names."""
    return remedy.partition('replace = "')[2].partition('"')[0]


def test_a_cluster_that_pcs_has_set_up_is_left_alone(found: Bench, table: Table) -> None:
    program, lab = found.program, found.program.lab
    addresses = [one["PrivateIpAddress"] for _, one in sorted(picture.machines(lab, program.spec).items())]
    named = " ".join(
        f"{name} addr={address}"
        for name, address in zip(("alpha", "beta", "gamma"), [*addresses, "10.99.0.9"], strict=True)
    )
    for node in (found.first, found.second):
        node.sh("systemctl stop pacemaker corosync; rm -rf /var/lib/pacemaker/cib/* /var/lib/iconha-tui")
        node.sh("command -v pcs || apt-get -q -y install --no-install-recommends pcs")
        said = node.sh(
            f"pcs cluster setup theirs {named} --corosync_conf {corosync.PATH} --overwrite 2>&1; cat {corosync.PATH}"
        )
        assert "gamma" in said, said
        node.sh("systemctl start corosync pacemaker")
    give_back_address(program)  # a machine that has one is refused before its nodes are looked at
    spec = Spec.model_validate(program.spec.model_dump() | {"name": "newcomer"})
    spec.instances.mode = "existing"
    for each, (_, one) in zip(spec.nodes, sorted(picture.machines(lab, program.spec).items()), strict=True):
        each.instance_id = one["InstanceId"]
    newcomer = Program(lab, program.state.parent / "newcomer", spec)
    before = [stat(node, corosync.PATH) for node in (found.first, found.second)]
    account = addresses_and_groups(lab)
    ahead = newcomer.run(ahead=True)
    assert ahead.process.returncode == 3
    assert [each["where"] for each in ahead.events if "the cluster theirs" in each.get("text", "")] == [FIRST, SECOND]
    assert not [each for each in ahead.events if each.get("event") == "ActionStarted"]
    assert addresses_and_groups(lab) == account
    code, told = newcomer.check()
    assert code == 3
    assert [each["where"] for each in told if "the cluster theirs" in each["text"]] == [FIRST, SECOND]

    going = newcomer.run()
    give_back_address(newcomer)
    failed = going.failure
    assert (failed["step"], failed["outcome"]) == ("instances.free", "blocked")
    assert (
        "the cluster theirs with alpha, beta and gamma, not of the cluster nodecluster with PRep-01" in failed["text"]
    )
    assert {each["stage"] for each in going.events if each["event"] == "ActionStarted"} <= {"instances"}
    assert [stat(node, corosync.PATH) for node in (found.first, found.second)] == before
    table.row(
        fault="The machines are a cluster of somebody else: other names, a third node",
        how="`pcs cluster setup theirs alpha beta gamma`",
        sees=sentence(failed),
        result="`run` and `check` say it before anything is changed on AWS or on the nodes; with --no-check the run stops before "
        "it changes the nodes",
    )


def addresses_and_groups(lab: Lab) -> tuple[int, int]:
    """How many Elastic IPs and security groups there are."""
    ec2 = aws(lab, "ec2")
    return len(ec2.describe_addresses()["Addresses"]), len(ec2.describe_security_groups()["SecurityGroups"])
