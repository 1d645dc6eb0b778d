"""Ways in which the world goes wrong for a node of the lab, each undone again when its block ends."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import picture
from lab_aws import aws
from program import Program
from waiting import BOUND

from iconha_tui.lab.lab import Lab
from iconha_tui.lab.shell import run
from iconha_tui.stages import tags

FIRST, SECOND = "PRep-01", "PRep-02"
LOCK = "/var/lib/dpkg/lock-frontend"


class Victim:
    """A node by its instance id."""

    def __init__(self, lab: Lab, instance_id: str) -> None:
        self.lab = lab
        self.id = instance_id

    @property
    def container(self) -> str:
        return str(self.lab.instance(self.id)["container"])

    @property
    def pid(self) -> int:
        """The process on this host that is its init."""
        return int(self.lab.instance(self.id)["pid"])

    def sh(self, script: str) -> str:
        """What a script prints, run as root past SSH."""
        return picture.on(self.lab, self.id, script)

    def inside(self, *argv: str, space: str = "--net") -> str:
        """Runs a tool of this host in a namespace of the node."""
        return run(["nsenter", space, "--target", str(self.pid), "--", *argv])

    @contextmanager
    def firewall(self, *rule: str) -> Iterator[None]:
        """One rule of iptables in the node, as in ("INPUT", "-p", "tcp", "--dport", "22", "-j", "DROP")."""
        self.inside("iptables", "-I", *rule)
        try:
            yield
        finally:
            self.inside("iptables", "-D", *rule)

    def stopped(self, chain: str = "INPUT") -> int:
        """How many packets the first rule of a chain has caught."""
        return int(self.inside("iptables", "-nvxL", chain).splitlines()[2].split()[0])

    @contextmanager
    def mounted(self, where: str, options: str) -> Iterator[None]:
        """A small file system of its own at a place."""
        self.inside("mount", "-t", "tmpfs", "-o", options, "tmpfs", where, space="--mount")
        try:
            yield
        finally:
            self.inside("umount", where, space="--mount")

    @contextmanager
    def perl(self, script: str) -> Iterator[None]:
        """A process on the node, for as long as the block lasts. The script prints a line once it has done its mischief."""
        argv = [
            "podman",
            "exec",
            self.container,
            "perl",
            "-e",
            f'$| = 1; open my $p, ">", "/run/mischief-$$"; {script}',
        ]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            assert process.stdout.readline() == "done\n", script
            try:
                yield
            finally:
                self.sh("for file in /run/mischief-*; do kill -KILL ${file#*-}; rm $file; done")
                process.wait(timeout=BOUND)

    def locked_apt(self, lock: str = LOCK) -> AbstractContextManager[None]:
        """Somebody else is at apt: a process called unattended-upgrade holds one of its locks."""
        return self.perl(
            f'open my $f, ">>", "{lock}" or die; my $l = pack("s s x4 q q i", 1, 0, 0, 0, 0); '
            'fcntl($f, 6, $l) or die; $0 = "unattended-upgrade"; print "done\\n"; sleep 900;'
        )

    def listening(self, port: int) -> AbstractContextManager[None]:
        """A port of the node that takes connections and says nothing."""
        return self.perl(
            "use IO::Socket::INET; my $s = IO::Socket::INET->new("
            f"LocalAddr => '127.0.0.1:{port}', Listen => 50, ReuseAddr => 1) or die; print \"done\\n\"; sleep 900;"
        )

    def silent_client(self, port: int) -> AbstractContextManager[None]:
        """Somebody who has connected to a port of the node, and says nothing."""
        return self.perl(
            f"use IO::Socket::INET; my $s = IO::Socket::INET->new('127.0.0.1:{port}') or die; sleep 1; print \"done\\n\"; "
            "sleep 900;"
        )


class Bench:
    """A program and the two machines that it has signed in to."""

    def __init__(self, program: Program) -> None:
        self.program = program

    def victim(self, name: str) -> Victim:
        """The machine that has the part of a node now."""
        return Victim(self.program.lab, picture.machines(self.program.lab, self.program.spec)[name]["InstanceId"])

    @property
    def first(self) -> Victim:
        return self.victim(FIRST)

    @property
    def second(self) -> Victim:
        return self.victim(SECOND)

    @property
    def address(self) -> dict[str, Any]:
        """The cluster's Elastic IP, as EC2 has it."""
        mine = [{"Name": f"tag:{tags.CLUSTER}", "Values": [self.program.spec.name]}]
        one: dict[str, Any] = aws(self.program.lab, "ec2").describe_addresses(Filters=mine)["Addresses"][0]
        return one
