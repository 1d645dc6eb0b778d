"""The labs of the tests. `lab` is one for the whole session; what a test launches in it, it also removes."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import picture
import pytest
from faults import Table
from lab_aws import aws as aws
from mischief import Bench
from pairs import Kept, Pair, built_and_kept
from program import Program, until_done
from sharing import Shared
from specs import spec_of
from terminal import Terminal
from waiting import wait_until

from iconha_tui.lab import host
from iconha_tui.lab.lab import Lab
from iconha_tui.lab.state import CannotRun
from iconha_tui.stages import tags

Boto = Callable[..., Any]

SHARED = pytest.StashKey[Shared]()
THOROUGH = "ICONHA_FAULTS_TABLE" in os.environ
DEBIAN = {"bookworm": 12, "trixie": 13}
GROUPS = (
    "test_interruption",
    "faults",
    "pair bookworm crm",
    "lab",
    "pair trixie crm",
    "pair bookworm pcs",
    "test_wizard",
)
"""The groups of tests that take longest, the longest first: they begin first, and what is short fills up at the end."""


@pytest.hookimpl(tryfirst=True)  # else xdist has read the groups, where modules are named on the command line
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever uses a lab is marked so, and goes to the worker that has what it needs."""
    for item in items:
        if group := group_of(item):
            item.add_marker(pytest.mark.xdist_group(group))
        if item.get_closest_marker("slow") and not THOROUGH:
            item.add_marker(pytest.mark.skip("many minutes: `make reliability` runs it"))
        if {"lab", "lab_host"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.lab)
    items.sort(key=_place)


def _place(item: pytest.Item) -> tuple[int, str]:
    """The linters come first, then the groups that take longest, then the others of this folder, then all other tests."""
    group = group_of(item)
    if item.path.stem == "test_lint":
        return -1, group
    return (GROUPS.index(group) if group in GROUPS else len(GROUPS) + (not group)), group


def group_of(item: pytest.Item) -> str:
    """The tests of one group are of one worker, one after the other: they share a pair, or the machines for faults, or a lab.

    In `make reliability`, whose tests nearly all make faults, each module is a group. "": it is no test of this folder.
    """
    if not item.path.is_relative_to(Path(__file__).parent):
        return ""
    pair = getattr(getattr(item, "callspec", None), "params", {}).get("built_pair")
    if pair:
        return f"pair {' '.join(pair)}"
    fixtures = getattr(item, "fixturenames", ())
    if THOROUGH:
        return item.path.stem
    if "bench" in fixtures:
        return "faults"
    return "lab" if "lab" in fixtures else item.path.stem


@pytest.fixture
def table(request: pytest.FixtureRequest) -> Table:
    """Where a test of a fault tells what it has seen: docs/reliability.md, when `make reliability` asks."""
    file = os.environ.get("ICONHA_FAULTS_TABLE")
    chosen = getattr(getattr(request.node, "callspec", None), "params", {})
    suite, shell = chosen.get("built_pair", ("bookworm", "pcs" if "pcs" in chosen.values() else "crm"))
    on = getattr(request.module, "ON", f"Debian {DEBIAN[suite]}, {shell}")
    line = request.function.__code__.co_firstlineno
    return Table(Path(file) if file else None, request.module.SECTION, on, request.path.stem, line)


@pytest.fixture(scope="session")
def lab_host() -> None:
    """A machine that can run labs; else the tests are skipped, with the package that is missing."""
    try:
        host.require()
    except CannotRun as trouble:
        pytest.skip(f"lab: {trouble}")


@contextmanager
def running(name: str, state: Path) -> Iterator[Lab]:
    """A running lab, Debian 12; its image is built where it is missing."""
    one = Lab(f"{name}-{os.getpid()}", state)
    try:
        one.up()
        yield one
    finally:
        one.down()


@pytest.fixture(scope="session")
def lab(lab_host: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running("test", tmp_path_factory.mktemp("state")) as one:
        yield one


@pytest.fixture(scope="session")
def shared(request: pytest.FixtureRequest) -> Iterator[Shared]:
    one = request.config.stash[SHARED] = Shared()
    yield one
    one.end()


@pytest.hookimpl(trylast=True)  # when the test's own fixtures are gone
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    if SHARED in item.config.stash and (nextitem is None or group_of(item) != group_of(nextitem)):
        item.config.stash[SHARED].end()


@contextmanager
def two_machines(folder: Path) -> Iterator[Bench]:
    with running("faults", folder) as lab:
        program = Program(lab, folder / "state", spec_of(lab, "faults"))
        going = program.run("--until", "instances")
        assert going.process.returncode == 0, going.said
        yield Bench(program)


@pytest.fixture(scope="module")
def bench(lab_host: None, shared: Shared, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Two machines on which faults are tried, one after the other; signed in to, and nothing more to begin with.

    Each module takes them as the one before has left them.
    """
    made: Bench = shared.get("bench", lambda: two_machines(tmp_path_factory.mktemp("faults")))
    return made


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


@pytest.fixture
def built_pair(
    request: pytest.FixtureRequest, lab_host: None, shared: Shared, tmp_path_factory: pytest.TempPathFactory
) -> Pair:
    """A pair that is fully built, as it was built whatever the tests before have made of it. pairs.on_pairs says which."""
    suite, shell = request.param
    kept: Kept = shared.get((suite, shell), lambda: built_and_kept(tmp_path_factory.mktemp(suite), suite, shell))
    kept.restore()
    return kept.pair


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


def wait_state(lab: Lab, instance_id: str, state: str) -> dict[str, Any]:
    """Wait until EC2 says that an instance is in a state."""
    found: dict[str, Any] = {}

    def there() -> bool:
        found.clear()
        found.update(describe(lab, instance_id))
        return bool(found["State"]["Name"] == state)

    wait_until(there, what=lambda: f"{instance_id} {state}: it is {found['State']['Name']}, {found.get('StateReason')}")
    return found


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
