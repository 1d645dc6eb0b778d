"""Pairs that are built once and shared. Each test gets its pair as it was built, whatever the test before has made of it.

    @on_pairs(("bookworm", "crm"), ("trixie", "pcs"))
    def test_something(built_pair: Pair) -> None: ...

A test may do what it likes to the nodes, to their disks, networks and cluster, and to the program's files: all of that is
put back before the next test, from images of the nodes. It takes longer where a node has to be set up from its image (10 to
40 s), and nothing where a test has only looked. A test must not terminate the instances; what it changes on AWS beside the
Elastic IP's place, it puts back itself.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import picture
import pytest
from lab_aws import aws
from specs import spec_of
from waiting import BOUND, wait_until

from iconha_tui.cluster.crm_mon import ClusterStatus, parse_crm_mon
from iconha_tui.lab.hypervisor import Hypervisor
from iconha_tui.lab.lab import Lab
from iconha_tui.lab.shell import run
from iconha_tui.spec import dumps

FIRST, SECOND = "PRep-01", "PRep-02"
NODES = (FIRST, SECOND)
CREDENTIALS = {"crm": "keys", "pcs": "role"}
"""The shells, and the nodes' credentials that go with each here."""


def on_pairs(*pairs: tuple[str, str], slow: Sequence[tuple[str, str]] = ()) -> pytest.MarkDecorator:
    """Runs a test on each of these pairs: (Debian suite, cluster shell). slow: on these in `make reliability` alone."""
    each = [pytest.param(pair, id="-".join(pair)) for pair in pairs]
    each += [pytest.param(pair, id="-".join(pair), marks=pytest.mark.slow) for pair in slow]
    return pytest.mark.parametrize("built_pair", each, indirect=True)


@dataclass
class Pair:
    """A cluster that `iconha-tui run` has built on a lab of its own.

    state: the program's files. spec: the file that it was built from. first_run: the events of that run.
    """

    lab: Lab
    shell: str
    state: Path
    spec: Path
    first_run: list[dict[str, Any]] = field(default_factory=list)

    @property
    def name(self) -> str:
        return str(tomllib.loads(self.spec.read_text())["name"])

    def program(self, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """`iconha-tui ARGS`, as an operator runs it."""
        argv = [sys.executable, "-m", "iconha_tui", "--state-dir", str(self.state), *args]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=1800, check=False)
        assert not check or done.returncode == 0, f"{' '.join(args)}: {done.stdout[-4000:]}\n{done.stderr[-2000:]}"
        return done

    def run(self, *options: str) -> list[dict[str, Any]]:
        """`iconha-tui run --json`; its events."""
        done = self.program("run", str(self.spec), "--yes", "--json", "--allow-disruption", *options)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def sh(self, node: str, script: str) -> str:
        """What a script prints on a node, run as root past SSH; it may fail."""
        return self.lab.exec(node, ["sh", "-c", script]).stdout

    def crm_mon(self, node: str) -> ClusterStatus:
        return parse_crm_mon(self.lab.exec(node, ["crm_mon", "-X"]).stdout)

    def settled(self, node: str) -> None:
        """Waits until the cluster has nothing left to do, by its own word. To ask a status instead takes seconds of CPU time."""
        self.sh(node, f"crm_resource --wait --timeout {BOUND:.0f}s")

    def elastic_ip(self) -> str:
        (address,) = aws(self.lab, "ec2").describe_addresses()["Addresses"]
        return str(address["PublicIp"])


def as_who_signs_in(pair: Pair, node: str, command: str, answer: str = "") -> subprocess.CompletedProcess[str]:
    """A command line typed by who signs in to a node by SSH, as the program tells it. answer: to what it asks.

    Who is cut off, as the address moves, signs in anew.
    """

    def signed_in() -> subprocess.CompletedProcess[str] | None:
        way = pair.lab.ssh_command(node, [command])
        done = subprocess.run(way, input=f"{answer}\n", capture_output=True, text=True, timeout=BOUND, check=False)
        return done if done.returncode != 255 else None

    found = wait_until(signed_in, what=f"a way in to {node}", every=1)
    assert found is not None
    return found


@contextmanager
def built_and_kept(state: Path, suite: str, shell: str) -> Iterator[Kept]:
    """Builds a pair, on a lab of its own."""
    lab = Lab(f"pair-{suite}-{shell}-{os.getpid()}", state)
    kept = None
    try:
        lab.up(suite=suite)
        spec = state / "spec.toml"
        spec.write_text(dumps(spec_of(lab, "guide", shell, CREDENTIALS[shell])))
        pair = Pair(lab, shell, state, spec)
        pair.first_run = pair.run()
        kept = Kept(pair)
        yield kept
    finally:
        lab.down()
        if kept:
            kept.drop()


_OWN = r"""
cd /; passing="-path */.cache/* -o -path */iconha-tui/runs/* -o -name *.pyc"; set -f
find usr opt -xdev ! -type d ! \( $passing \) -printf '%p %m %u %s %l\n' | sort | sha256sum
find etc root home var/lib/iconha-tui -xdev ! -type d ! \( $passing \) -printf '%p %m %u %s %l\n' | sort
find etc root usr/lib/ocf var/lib/iconha-tui -xdev -type f ! \( $passing \) -exec sha256sum {} + | sort -k2
systemctl is-active corosync pacemaker ssh
"""
"""What a node has of its own: the files that somebody may have written, and what runs."""

_NET = r"nft -s list ruleset; tc qdisc show; ip -br -4 address | sed 's/@if[0-9]*//' | tr -s ' '"
_EMPTY_RULES = re.compile(r"\s*(table .*|chain .*|}|type .* policy accept;|)")
"""What is left of tables and chains once the rules in them are gone."""


class Kept:
    """A pair, with what puts it back: images of its nodes, the program's files, what the cluster says of itself."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self._hypervisor = Hypervisor(pair.lab.paths.lab_id, pair.lab.paths.network)
        self._files = pair.state / "kept"
        pair.settled(FIRST)
        self._files.mkdir()
        shutil.copytree(pair.state / "clusters", self._files / "clusters")
        shutil.copy(pair.spec, self._files)
        self._configuration = pair.sh(FIRST, "cibadmin -Q -o configuration")
        self._cluster = self._of_cluster()
        self._own = self._of_nodes()
        _each(
            NODES, lambda node: run(["podman", "commit", "-q", self._container(node), self._image(node)], timeout=900)
        )

    def drop(self) -> None:
        """The images, once nothing runs on them."""
        run(["podman", "rmi", "--ignore", "--force", *map(self._image, NODES)], check=False)
        shutil.rmtree(self.pair.state / "clusters", ignore_errors=True)

    def restore(self) -> None:
        """Puts back what differs: a node from its image, the cluster's configuration, the address's place."""
        pair = self.pair
        shutil.rmtree(pair.state / "clusters")
        shutil.copytree(self._files / "clusters", pair.state / "clusters")
        shutil.copy(self._files / pair.spec.name, pair.spec)
        if changed := self._differences():
            if nodes := [node for node in NODES if node in changed]:
                self._set_up(nodes)
            self._mend()
            if self._differences():
                self._set_up(NODES)
                self._mend()
                assert not (left := self._differences()), f"the pair is not as it was built: {left}"

    def _differences(self) -> dict[str, list[str]]:
        """By node, and by who tells of the cluster: what is not as it was."""
        now, then = self._of_nodes() | self._of_cluster(), self._own | self._cluster
        return {part: unlike for part in then if (unlike := _unlike(then[part], now[part]))}

    def _set_up(self, nodes: Iterable[str]) -> None:
        """New machines under the old ids and addresses, from the images."""
        lab, ec2 = self.pair.lab, aws(self.pair.lab, "ec2")

        def renew(node: str) -> None:
            one = ec2.describe_instances(InstanceIds=[lab.instance(node)["id"]])["Reservations"][0]["Instances"][0]
            run(["podman", "rm", "--force", "--time", "0", self._container(node)])
            wait_until(lambda: lab.instance(node)["state"] == "stopped", what=f"the end of {node}")
            self._hypervisor.create(
                one["InstanceId"],
                image=self._image(node),
                ip=one["PrivateIpAddress"],
                mac=one["NetworkInterfaces"][0]["MacAddress"],
                hostname=one["PrivateDnsName"].split(".")[0],
            )
            ec2.start_instances(InstanceIds=[one["InstanceId"]])
            wait_until(lambda: lab.instance(node)["state"] == "running", what=f"the start of {node}")

        _each(nodes, renew)

    def _mend(self) -> None:
        """The cluster's configuration and the address's place, while it lives; whatever of it fails shows afterwards."""
        pair = self.pair
        wait_until(self._serves, what="a pair that serves")
        if pair.sh(FIRST, "cibadmin -Q -o configuration") != self._configuration:
            pair.lab.exec(FIRST, ["cibadmin", "--replace", "-o", "configuration", "-p"], feed=self._configuration)
        pair.sh(FIRST, "crm_resource --cleanup")
        pair.settled(FIRST)
        holder = pair.crm_mon(FIRST).resource("elastic-ip")
        if holder is None or holder.started_on != FIRST:
            pair.sh(FIRST, f"crm_resource --move -r elastic-ip -N {FIRST}")
            pair.settled(FIRST)
            pair.sh(FIRST, "crm_resource --clear -r elastic-ip")
            pair.settled(FIRST)

    def _serves(self) -> bool:
        """Both nodes are in, by the words of both."""
        told = [self.pair.lab.exec(node, ["crm_mon", "-X"]).stdout for node in NODES]
        return all(told) and all(
            [(node.name, node.online) for node in parse_crm_mon(each).nodes] == [(FIRST, True), (SECOND, True)]
            for each in told
        )

    # What is compared

    def _of_nodes(self) -> dict[str, list[str]]:
        def look(node: str) -> list[str]:
            if not (pid := self.pair.lab.instance(node)["pid"]):
                return ["it does not run"]
            net = run(["nsenter", "--net", "--target", str(pid), "--", "sh", "-c", _NET]).splitlines()
            own = self.pair.sh(node, _OWN).splitlines()
            return own + [line for line in net if not _EMPTY_RULES.fullmatch(line)]

        return dict(zip(NODES, _each(NODES, look), strict=True))

    def _of_cluster(self) -> dict[str, list[str]]:
        """What each node says of the cluster, and where EC2 has the address."""
        lab = self.pair.lab

        def look(node: str) -> list[str]:
            xml = lab.exec(node, ["crm_mon", "-X"]).stdout
            cib = lab.exec(node, ["cibadmin", "-Q"]).stdout
            return [*_told(xml), *_attributes(cib), *picture.plain_cib(cib)] if xml and cib else ["no cluster"]

        ids = {lab.instance(node)["id"]: node for node in NODES}
        held = [ids.get(one.get("InstanceId")) for one in aws(lab, "ec2").describe_addresses()["Addresses"]]
        told = zip(NODES, _each(NODES, look), strict=True)
        return {f"cluster by {node}": lines for node, lines in told} | {"Elastic IP": [f"on {held}"]}

    def _container(self, node: str) -> str:
        return str(self.pair.lab.instance(node)["container"])

    def _image(self, node: str) -> str:
        return f"localhost/{self.pair.lab.paths.network}-{node.lower()}"


def _each(nodes: Iterable[str], work: Any) -> list[Any]:
    with ThreadPoolExecutor() as pool:
        return list(pool.map(work, nodes))


def _told(xml: str) -> list[str]:
    """The lines of crm_mon that say how it stands: nodes, resources, bans, failures; not who is DC, nor any time."""
    root = ET.fromstring(xml)
    lines = []
    for place in ("nodes", "resources", "bans", "failures"):
        for each in root.findall(f"{place}//*"):
            told = {key: value for key, value in each.items() if key != "is_dc"}
            lines.append(f"{each.tag} {json.dumps(told)}")
    return lines


def _attributes(cib: str) -> list[str]:
    """The nodes' attributes that last until they leave: health, failures, whatever somebody has set."""
    own = ("shutdown", "#feature-set", "probe_complete")
    return [
        f"{state.get('uname')} {one.get('name')}={one.get('value')}"
        for state in ET.fromstring(cib).findall("status/node_state")
        for one in state.findall("transient_attributes//nvpair")
        if one.get("name") not in own
    ]


def _unlike(then: list[str], now: list[str]) -> list[str]:
    return [f"- {line}" for line in then if line not in now] + [f"+ {line}" for line in now if line not in then]
