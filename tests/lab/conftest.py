"""The labs of the tests. `lab` is one for the whole session; what a test launches in it, it also removes."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import picture
import pytest
from faults import Table
from lab_aws import aws as aws
from mischief import Bench
from program import Program, until_done
from terminal import Terminal

from iconha_tui.lab import host
from iconha_tui.lab.lab import Lab
from iconha_tui.lab.state import CannotRun
from iconha_tui.spec import loads
from iconha_tui.stages import tags

Boto = Callable[..., Any]

THOROUGH = "ICONHA_FAULTS_TABLE" in os.environ
PAIRS = {"test_guide", "test_status", "test_wizard", "test_operator", "test_corosync_oracle"}
"""The modules that build pairs in labs of their own."""


@pytest.hookimpl(tryfirst=True)  # else xdist has read the groups, where modules are named on the command line
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever uses a lab is marked so. Of xdist's workers, one has the tests of built pairs, one the others of this folder.

    In `make reliability`, whose tests are nearly all of the latter, each module has its own.
    """
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            group = "pairs" if item.path.stem in PAIRS else "lab"
            item.add_marker(pytest.mark.xdist_group(item.path.stem if THOROUGH else group))
        if item.get_closest_marker("slow") and not THOROUGH:
            item.add_marker(pytest.mark.skip("many minutes: `make reliability` runs it"))
        if {"lab", "lab_host"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.lab)


@pytest.fixture
def table(request: pytest.FixtureRequest) -> Table:
    """Where a test of a fault tells what it has seen: docs/reliability.md, when `make reliability` asks."""
    file = os.environ.get("ICONHA_FAULTS_TABLE")
    chosen = getattr(getattr(request.node, "callspec", None), "params", {}).values()
    on = getattr(request.module, "ON", f"Debian 12, {'pcs' if 'pcs' in chosen else 'crm'}")
    line = request.function.__code__.co_firstlineno
    return Table(Path(file) if file else None, request.module.SECTION, on, request.path.stem, line)


@pytest.fixture(scope="session")
def lab_host() -> None:
    """A machine that can run labs; else the tests are skipped, with the package that is missing."""
    try:
        host.require()
    except CannotRun as trouble:
        pytest.skip(f"lab: {trouble}")


@pytest.fixture(scope="session")
def lab(lab_host: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A running lab, Debian 12; its image is built where it is missing."""
    one = Lab(f"test-{os.getpid()}", tmp_path_factory.mktemp("state"))
    try:
        one.up()
        yield one
    finally:
        one.down()


def _bench_scope(*, fixture_name: str, config: pytest.Config) -> Literal["module", "session"]:
    """In `make reliability` any module may be the next of a worker, and gets new machines; in `make test` it takes the last's."""
    return "module" if THOROUGH else "session"


@pytest.fixture(scope=_bench_scope)
def bench(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Two machines on which faults are tried, one after the other; signed in to, and nothing more to begin with."""
    program = Program(lab, tmp_path_factory.mktemp("faults"), loads(lab.spec(name="faults")))
    going = program.run("--until", "instances")
    assert going.process.returncode == 0, going.said
    yield Bench(program)
    take_down(program)


@pytest.fixture(scope="module")
def built(bench: Bench) -> Bench:
    """The pair, built to the end."""
    until_done(bench.program)
    return bench


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """A terminal of 80x24: tmux, on a socket of its own."""
    if shutil.which("tmux") is None:
        pytest.skip("tmux is missing: apt-get install tmux")
    one = Terminal(tmp_path / "tmux")
    yield one
    one.end()


def launch(lab: Lab, name: str, **options: Any) -> str:
    """Launch one instance with this Name tag; returns its id at once."""
    ec2 = aws(lab, "ec2")
    image = max(
        ec2.describe_images(
            Owners=["099720109477"],
            Filters=[{"Name": "name", "Values": ["ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-amd64-server-*"]}],
        )["Images"],
        key=lambda one: one["CreationDate"],
    )
    record = lab.record
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": name}]}]
    settings: dict[str, Any] = {
        "ImageId": image["ImageId"],
        "MinCount": 1,
        "MaxCount": 1,
        "InstanceType": "t3.small",
        "KeyName": record.key_pair,
        "SubnetId": record.subnet_id,
        "TagSpecifications": tags,
    }
    return str(ec2.run_instances(**settings | options)["Instances"][0]["InstanceId"])


def describe(lab: Lab, instance_id: str) -> dict[str, Any]:
    ec2 = aws(lab, "ec2")
    found: dict[str, Any] = ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]
    return found


def wait_state(lab: Lab, instance_id: str, state: str, timeout: float = 60) -> dict[str, Any]:
    """Wait until EC2 says that an instance is in a state. timeout in seconds."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        found = describe(lab, instance_id)
        if found["State"]["Name"] == state:
            return found
        time.sleep(0.1)
    raise AssertionError(f"{instance_id} is {found['State']['Name']}, not {state}: {found.get('StateReason')}")


def terminate(lab: Lab, *instance_ids: str) -> None:
    aws(lab, "ec2").terminate_instances(InstanceIds=list(instance_ids))
    for instance_id in instance_ids:
        wait_state(lab, instance_id, "terminated")


def take_down(program: Program) -> None:
    """Gives a cluster's machines and its address back."""
    terminate(program.lab, *(one["InstanceId"] for one in picture.machines(program.lab, program.spec).values()))
    give_back_address(program)


def give_back_address(program: Program) -> None:
    """Releases what Elastic IP a cluster has: the next test on the lab counts them."""
    ec2 = aws(program.lab, "ec2")
    mine = [{"Name": f"tag:{tags.CLUSTER}", "Values": [program.spec.name]}]
    for address in ec2.describe_addresses(Filters=mine)["Addresses"]:
        if "AssociationId" in address:
            ec2.disassociate_address(AssociationId=address["AssociationId"])
        ec2.release_address(AllocationId=address["AllocationId"])


def traces(lab: Lab) -> dict[str, list[str]]:
    """Everything on this machine that belongs to a lab. All lists are empty when it is gone."""

    def lines(*argv: str) -> list[str]:
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()

    lab_id = lab.paths.lab_id
    command_lines = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = process.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if lab_id in words or ("iconha_tui.lab.daemon" in words and f" {lab.name} " in words):
            command_lines.append(words)
    return {
        "containers": lines("podman", "ps", "--all", "--quiet", "--filter", f"label=iconha.lab={lab_id}"),
        "networks": [one for one in lines("podman", "network", "ls", "--quiet") if lab_id in one],
        "processes": command_lines,
        "files": [str(lab.paths.folder)] if lab.paths.folder.exists() else [],
    }


def traces_of_network(cidr: str) -> dict[str, list[str]]:
    """What there is of a lab's addresses: routes, packet filter rules, loopback listeners."""
    prefix = ".".join(cidr.split(".")[:2])
    loopback = prefix.replace("10.", "127.", 1)
    found = {}
    for name, argv, needle in (
        ("routes", ["ip", "-4", "route"], f"{prefix}."),
        ("rules", ["iptables-save"], f"{prefix}."),
        ("listeners", ["ss", "-Hltn"], f"{loopback}."),
    ):
        output = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
        found[name] = [line for line in output.splitlines() if needle in line]
    return found
