"""The lab's machines: real containers, reached as an operator and a node reach EC2's."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import aws, launch, terminate, traces, traces_of_network, wait_state
from waiting import BOUND, wait_until

from iconha_tui.lab.lab import Lab

ONE, TWO = "machine-1", "machine-2"


@pytest.fixture(scope="module")
def pair(lab: Lab) -> Iterator[tuple[str, str]]:
    ids = launch(lab, ONE), launch(lab, TWO, MetadataOptions={"HttpTokens": "required"})
    for instance_id in ids:
        wait_state(lab, instance_id, "running")
    yield ids
    terminate(lab, *ids)


@pytest.fixture
def elastic(lab: Lab) -> Iterator[Any]:
    ec2 = aws(lab, "ec2")
    address = ec2.allocate_address(Domain="vpc")
    yield address
    ec2.release_address(AllocationId=address["AllocationId"])


def ssh(lab: Lab, node: str, command: str) -> str:
    done = subprocess.run(lab.ssh_command(node, [command]), capture_output=True, text=True, timeout=BOUND, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def ask(address: str, path: str = "/") -> Any:
    with urllib.request.urlopen(f"http://{address}:9000{path}", timeout=BOUND) as response:
        return json.load(response)


def answering(address: str) -> str:
    return str(ask(address)["result"]["instance_id"])


def test_an_instance_is_an_ubuntu_like_machine(lab: Lab, pair: tuple[str, str]) -> None:
    private = lab.instance(ONE)["private_ip"]
    assert ssh(lab, ONE, "whoami; sudo id -u; hostname; systemctl is-system-running; hostname -I").split() == [
        "ubuntu",
        "0",
        f"ip-{private.replace('.', '-')}",
        "running",
        private,
    ]


def test_nodes_reach_each_other_under_their_own_addresses(lab: Lab, pair: tuple[str, str]) -> None:
    # corosync with udpu drops what arrives from another address than the nodelist's.
    one, two = lab.instance(ONE)["private_ip"], lab.instance(TWO)["private_ip"]
    seen = ssh(lab, ONE, f"ssh-keyscan -T 5 {two} 2>/dev/null | wc -l; ping -c 1 -W 2 {two} >/dev/null; echo $?")
    assert seen.split()[1] == "0"
    source = f"python3 -c pass 2>/dev/null; ip route get {one} | grep -o 'src [0-9.]*'"
    assert ssh(lab, TWO, source) == f"src {two}"
    rules = subprocess.run(["iptables-save", "-t", "nat"], capture_output=True, text=True, check=True).stdout
    cidr = lab.record.cidr
    assert sum(f"-s {cidr}" in line for line in rules.splitlines()) <= 1


def test_every_node_has_keys_of_its_own(lab: Lab, pair: tuple[str, str]) -> None:
    command = "cat /etc/machine-id /etc/ssh/ssh_host_ed25519_key.pub"
    assert not set(ssh(lab, ONE, command).split()[:1]) & set(ssh(lab, TWO, command).split()[:1])
    assert ssh(lab, ONE, command).split()[2] != ssh(lab, TWO, command).split()[2]


def test_root_is_told_to_log_in_as_ubuntu(lab: Lab, pair: tuple[str, str]) -> None:
    argv = [word.replace("ubuntu@", "root@") for word in lab.ssh_command(ONE, ["true"])]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert 'Please login as the user "ubuntu"' in process.stdout.readline()
    process.kill()
    process.wait()


def test_metadata_of_both_versions(lab: Lab, pair: tuple[str, str]) -> None:
    base = "http://169.254.169.254/latest"
    read = f"curl -s {base}/meta-data"
    assert ssh(lab, ONE, f"{read}/instance-id") == pair[0]
    assert ssh(lab, ONE, f"{read}/placement/region") == "us-east-1"
    assert ssh(lab, ONE, f"{read}/public-ipv4") == lab.instance(ONE)["public_ip"]
    token = f"$(curl -s -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' {base}/api/token)"
    with_token = f'curl -s -H "X-aws-ec2-metadata-token: {token}" {base}/meta-data'
    assert ssh(lab, TWO, f"{with_token}/instance-id") == pair[1]
    assert ssh(lab, TWO, f"{with_token}/placement/availability-zone") == "us-east-1a"
    status = "curl -s -o /dev/null -w '%{http_code}'"
    assert ssh(lab, TWO, f"{status} {base}/meta-data/instance-id") == "401"
    assert ssh(lab, ONE, f"{status} -H 'X-aws-ec2-metadata-token: made-up' {base}/meta-data/instance-id") == "401"


def test_the_api_has_its_own_names_and_a_certificate_that_a_node_trusts(lab: Lab, pair: tuple[str, str]) -> None:
    for service in ("ec2.us-east-1", "sts.us-east-1", "sts", "iam"):
        answer = ssh(lab, ONE, f"curl -sS https://{service}.amazonaws.com/")
        assert "MissingAuthenticationToken" in answer


def test_an_elastic_ip_leads_to_whoever_holds_it_now(lab: Lab, pair: tuple[str, str], elastic: Any) -> None:
    ec2, address = aws(lab, "ec2"), elastic["PublicIp"]
    own = lab.instance(ONE)["public_ip"]
    assert answering(own) == pair[0]
    with pytest.raises(urllib.error.URLError):
        answering(address)
    ec2.associate_address(AllocationId=elastic["AllocationId"], InstanceId=pair[0])
    assert answering(address) == pair[0]
    with pytest.raises(urllib.error.URLError):
        answering(own)
    ec2.associate_address(AllocationId=elastic["AllocationId"], InstanceId=pair[1])
    assert answering(address) == pair[1]
    assert lab.instance(ONE)["public_ip"] not in (own, address)
    assert ssh(lab, ONE, "whoami") == "ubuntu"
    assert ask(address, "/admin/chain")[0]["state"] == "started"
    ec2.disassociate_address(PublicIp=address)
    with pytest.raises(urllib.error.URLError):
        answering(address)


def test_a_role_gives_its_instance_temporary_keys(lab: Lab) -> None:
    instance_id = launch(lab, "machine-role", IamInstanceProfile={"Name": "lab-nodes"})
    wait_state(lab, instance_id, "running")
    folder = "http://169.254.169.254/latest/meta-data/iam/security-credentials"
    assert ssh(lab, "machine-role", f"curl -s {folder}/") == "lab-nodes"
    keys = json.loads(ssh(lab, "machine-role", f"curl -s {folder}/lab-nodes"))
    import boto3

    session = boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["Token"], region_name="us-east-1")
    who = session.client("sts", endpoint_url=lab.endpoint).get_caller_identity()
    assert who["Arn"].endswith(f"assumed-role/lab-nodes/{instance_id}")
    session.client("ec2", endpoint_url=lab.endpoint).describe_addresses()
    terminate(lab, instance_id)


def test_a_machine_that_dies_shows_as_stopped_and_starts_again(lab: Lab, pair: tuple[str, str]) -> None:
    lab.kill_node(TWO)
    stopped = wait_state(lab, pair[1], "stopped")
    assert "PublicIpAddress" not in stopped
    aws(lab, "ec2").start_instances(InstanceIds=[pair[1]])
    assert "PublicIpAddress" in wait_state(lab, pair[1], "running")
    assert ssh(lab, TWO, "cat /var/lib/cloud/data/instance-id") == pair[1]
    assert "MissingAuthenticationToken" in ssh(lab, TWO, "curl -sS https://ec2.us-east-1.amazonaws.com/")


def test_stop_start_and_reboot_keep_the_disk_and_the_private_address(lab: Lab, pair: tuple[str, str]) -> None:
    ec2 = aws(lab, "ec2")
    private = lab.instance(ONE)["private_ip"]
    ssh(lab, ONE, "touch kept")
    ec2.stop_instances(InstanceIds=[pair[0]])
    wait_state(lab, pair[0], "stopped")
    ec2.start_instances(InstanceIds=[pair[0]])
    assert wait_state(lab, pair[0], "running")["PrivateIpAddress"] == private
    boot = ssh(lab, ONE, "ls kept; stat -c %Y /proc/1").split()[1]
    ec2.reboot_instances(InstanceIds=[pair[0]])

    def booted_again() -> bool:
        argv = lab.ssh_command(ONE, ["stat -c %Y /proc/1"])
        done = subprocess.run(argv, capture_output=True, text=True, timeout=BOUND, check=False)
        return done.returncode == 0 and done.stdout.strip() not in ("", boot)

    wait_until(booted_again, what="another boot")


def test_the_distributions_awscli_runs_unmodified(lab: Lab, pair: tuple[str, str]) -> None:
    keys = lab.aws_config_file.read_text().split("[profile lab-nodes]")[1]
    config = "[default]\n" + "".join(f"{line}\n" for line in keys.splitlines() if line.startswith(("region", "aws_")))
    lab.exec(ONE, ["sh", "-c", "umask 077; mkdir -p /root/.aws; cat > /root/.aws/config"], feed=config)
    done = lab.exec(
        ONE,
        ["sh", "-ec", "apt-get update; DEBIAN_FRONTEND=noninteractive apt-get install -y awscli"],
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    # As Pacemaker would run it: from a service, without a login's environment.
    unit = ["systemd-run", "--quiet", "--pipe", "--wait", "--setenv=HOME=/root"]
    done = lab.exec(ONE, [*unit, "aws", "ec2", "describe-addresses", "--output", "text"])
    assert done.returncode == 0, done.stderr
    done = lab.exec(ONE, [*unit, "aws", "sts", "get-caller-identity", "--query", "Arn", "--output", "text"])
    assert done.stdout.strip().endswith("user/lab-nodes"), done.stderr
    # And as an operator would look, by sudo.
    assert "user/lab-nodes" in ssh(lab, ONE, "sudo aws sts get-caller-identity")


def test_an_aws_client_with_a_trust_store_of_its_own_trusts_the_lab(lab: Lab, pair: tuple[str, str]) -> None:
    bundle = "AWS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt"
    assert bundle in ssh(lab, ONE, "env").split()
    assert bundle in ssh(lab, ONE, "sudo env").split()
    assert bundle in lab.exec(ONE, ["systemd-run", "--quiet", "--pipe", "--wait", "env"]).stdout.split()


# A lab's own life: labs of its own.


def test_a_second_lab_runs_beside_and_nothing_is_left_of_it(lab: Lab, tmp_path: Path) -> None:
    other = Lab(f"beside-{os.getpid()}", tmp_path)
    assert other.up() is True
    assert other.up() is False  # it says that it runs, and is left alone
    cidr = other.record.cidr
    assert cidr != lab.record.cidr
    instance_id = launch(other, ONE)
    wait_state(other, instance_id, "running")
    assert answering(other.instance(ONE)["public_ip"]) == instance_id
    assert all(traces(other).values())
    assert all(traces_of_network(cidr).values())
    assert other.down() is True
    assert not any(traces(other).values()), traces(other)
    assert not any(traces_of_network(cidr).values()), traces_of_network(cidr)
    assert lab.running


@pytest.mark.parametrize("everything", [False, True])
def test_a_lab_comes_up_again_after_kill_9(lab_host: None, tmp_path: Path, everything: bool) -> None:
    lab = Lab(f"killed-{os.getpid()}", tmp_path)
    lab.up()
    try:
        cidr = lab.record.cidr
        instance_id = launch(lab, ONE)
        wait_state(lab, instance_id, "running")
        victims = [lab.record.pid]
        if everything:
            form = "{{.State.ConmonPid}} {{.State.Pid}}"
            container = lab.instance(ONE)["container"]
            argv = ["podman", "inspect", "--format", form, container]
            victims += map(int, subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split())
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not lab.running, what="the end of the lab")
        assert lab.up() is True
        assert lab.instances() == []
        instance_id = launch(lab, ONE)
        wait_state(lab, instance_id, "running")
        assert answering(lab.instance(ONE)["public_ip"]) == instance_id
        cidr = lab.record.cidr
    finally:
        lab.down()
    assert not any(traces(lab).values()), traces(lab)
    assert not any(traces_of_network(cidr).values()), traces_of_network(cidr)


def test_the_commands(lab: Lab, pair: tuple[str, str], tmp_path: Path) -> None:
    environment = {**os.environ, "ICONHA_STATE_DIR": str(lab.paths.folder.parent.parent)}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "iconha_tui.lab", *words]
        return subprocess.run(argv, capture_output=True, text=True, env=environment, timeout=BOUND, check=False)

    named = ["--name", lab.name]
    assert "is already running" in run("up", *named).stdout
    assert pair[0] in run("status", *named).stdout
    assert 'shell = "pcs"' in run("spec", *named, "--shell", "pcs").stdout
    done = run("ssh", *named, ONE, "sh -c 'exit 7'")
    assert done.returncode == 7
    assert run("ssh", *named, "nobody", "true").returncode == 1
    assert run("status", "--name", "absent").returncode == 1
