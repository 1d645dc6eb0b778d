"""What two nodes and their networks can do to a run: each fault is named with its remedy, and nothing is lost by it."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import picture
import pytest
from faults import Table
from mischief import FIRST, SECOND, Bench
from program import Event

from iconha_tui.causes import cause_of
from iconha_tui.stages import apt

SECTION = "Nodes and their networks"
THOROUGH = "ICONHA_FAULTS_TABLE" in os.environ


def says(words: str, target: str = "") -> Says:
    return Says(words, target)


class Says:
    """Matches output that holds some words."""

    def __init__(self, words: str, target: str) -> None:
        self._words = words
        self._target = target
        self.line = ""

    def __call__(self, event: Event) -> bool:
        if event["event"] != "Output" or self._target not in ("", event["target"]):
            return False
        self.line = next((line for line in event["lines"] if self._words in line), "")
        return bool(self.line)


def sentence(failed: Event) -> str:
    """What the operator reads of a failure."""
    return " ".join(filter(None, (f"{failed['where']}: {failed['text']}", failed["why"], failed["remedy"])))


NO_ARCHIVE = "mv /etc/apt/sources.list.d /root/sources.kept; rm -rf /var/lib/apt/lists/*; mv /var/cache/apt/archives /root/debs; "
NO_ARCHIVE += "mkdir -p /var/cache/apt/archives/partial /etc/apt/sources.list.d; "
ARCHIVE_BACK = "rm -rf /etc/apt/sources.list.d /var/cache/apt/archives; mv /root/sources.kept /etc/apt/sources.list.d; "
ARCHIVE_BACK += "mv /root/debs /var/cache/apt/archives; apt-get -q update"


@pytest.mark.parametrize(
    ("fault", "source", "why"),
    [
        (
            "the archive refuses connections",
            "deb http://127.0.0.1:9/debian bookworm main",
            "does not reach its package archive",
        ),
        (
            "the archive's name is not resolved",
            "deb http://nowhere.invalid/debian bookworm main",
            "DNS does not answer",
        ),
        ("the archive lacks the packages", "", "no package of that name"),
    ],
)
def test_an_archive_that_fails_is_told_with_the_node_and_the_way_out(
    bench: Bench, table: Table, fault: str, source: str, why: str
) -> None:
    bench.first.sh(f"{NO_ARCHIVE} echo '{source}' >/etc/apt/sources.list.d/x.list")
    try:
        failed = bench.program.run("--until", "packages").failure
    finally:
        bench.first.sh(ARCHIVE_BACK)
    assert (failed["step"], failed["where"]) == ("packages.install", FIRST)
    assert why in failed["why"]
    assert "masked" not in bench.first.sh("systemctl is-enabled corosync pacemaker || true")
    table.row(
        fault=f"Packages: {fault}",
        how="sources.list changed on one node",
        sees=sentence(failed),
        result="nothing installed, services unmasked; the other node's installation ends",
    )


@pytest.mark.skipif(not THOROUGH, reason="a minute and a half: in `make reliability`")
def test_an_archive_that_answers_nothing_is_given_up(bench: Bench, table: Table) -> None:
    """It takes connections and is silent: apt is told to try for seconds, not for minutes."""
    with bench.first.listening(8099):
        bench.first.sh(
            f"{NO_ARCHIVE} echo 'deb http://127.0.0.1:8099/debian bookworm main' >/etc/apt/sources.list.d/x.list"
        )
        try:
            failed = bench.program.run("--until", "packages").failure
        finally:
            bench.first.sh(ARCHIVE_BACK)
    assert failed["where"] == FIRST
    assert "does not reach its package archive" in failed["why"]
    table.row(
        fault="Packages: the archive is half dead (takes connections, answers nothing)",
        how="a socket that listens and is silent",
        sees=sentence(failed),
        result="given up after apt's tries of 15 s; nothing installed",
    )


def test_a_full_disk_is_told_as_such(bench: Bench, table: Table) -> None:
    with bench.first.mounted("/var/cache/apt/archives", "size=2m,mode=755"):
        bench.first.sh("mkdir -p /var/cache/apt/archives/partial")
        failed = bench.program.run("--until", "packages").failure
    assert (failed["step"], failed["where"]) == ("packages.install", FIRST)
    assert "is full" in failed["why"]
    table.row(
        fault="The node's disk is full",
        how="2 MB for /var/cache/apt/archives",
        sees=sentence(failed),
        result="failed; the next run goes on",
    )


def test_a_package_that_cannot_be_configured_is_finished_once_it_can(bench: Bench, table: Table) -> None:
    make = r"""
    set -e; rm -rf /root/bad; mkdir -p /root/bad/DEBIAN
    printf 'Package: bad\nVersion: 1\nArchitecture: all\nMaintainer: x <x@x>\nDescription: x\n' >/root/bad/DEBIAN/control
    printf '#!/bin/sh\n[ -e /root/good ]\n' >/root/bad/DEBIAN/postinst; chmod 755 /root/bad/DEBIAN/postinst
    dpkg-deb -b /root/bad /root/bad.deb >/dev/null; dpkg -i /root/bad.deb >/dev/null 2>&1 || true
    dpkg -s bad | grep Status
    """
    assert "half-configured" in bench.first.sh(make)
    failed = bench.program.run("--until", "packages").failure
    assert (failed["step"], failed["where"]) == ("packages.install", FIRST)
    assert "bad" in failed["tail"]
    assert "dpkg --configure -a" in failed["remedy"]
    bench.first.sh("touch /root/good")
    table.row(
        fault="dpkg was left half configured",
        how="a package whose script fails; then the script is mended",
        sees=sentence(failed),
        result="failed with the package's name; once mended, the next run finishes it first, and goes on",
    )


def test_whoever_holds_apt_is_waited_for_and_named_and_no_cut_starts_the_installation_twice(
    bench: Bench, table: Table
) -> None:
    """One installation: another apt first, then a kill, a reset, a silent cut; its output is told once, to the last line."""
    program, first, second = bench.program, bench.first, bench.second
    with first.locked_apt():
        going = program.start("--until", "packages")
        waiting = says("apt is in use: process", FIRST)
        assert going.until(waiting)
        assert "unattended-upgrade" in waiting.line
        assert "/var/lib/dpkg/lock-frontend" in waiting.line
    table.row(
        fault="The apt lock is held by unattended upgrades",
        how="a process holds /var/lib/dpkg/lock-frontend",
        sees=waiting.line,
        result="waited for, 300 s at most; goes on when it is free",
    )
    assert going.until(says("finishing it first", FIRST)), "the package that the test before has left half configured"
    assert going.until(says("Unpacking", FIRST))
    assert going.kill() == -9
    assert "iconha-" in first.sh("systemctl list-units --plain --no-legend 'iconha-*'")

    going = program.start("--until", "packages")
    resumed = says("has gone on meanwhile", FIRST)
    assert going.until(resumed)
    with first.firewall("OUTPUT", "-p", "tcp", "--sport", "22", "-j", "REJECT", "--reject-with", "tcp-reset"):
        time.sleep(1.5)
    with first.firewall("INPUT", "-p", "tcp", "--dport", "22", "-j", "DROP"):
        time.sleep(4)
    assert going.end() == 0, going.events[-3:]

    transcript = (program.folder / "transcript.log").read_text().splitlines()
    for name, node in ((FIRST, first), (SECOND, second)):
        history = node.sh("cat /var/log/apt/history.log")
        assert len(re.findall(r"^Commandline: .* install .*pacemaker", history, re.M)) == 1, history
        set_up = [
            line.partition("Setting up ")[2].split()[0] for line in transcript if f" {name} | Setting up " in line
        ]
        configured = node.sh(
            "grep -E ' status installed (corosync|pacemaker|crmsh|awscli):' /var/log/dpkg.log"
        ).splitlines()
        for package in ("corosync", "pacemaker", "crmsh", "awscli"):
            assert set_up.count(package) == 1, f"{name}: {package} in {set_up}"
            assert len([line for line in configured if f" {package}:" in line]) == 1
    table.row(
        fault="The program dies while packages are being installed",
        how="kill -9 in the middle; started again",
        sees=resumed.line,
        result="the installation went on on the node, was found again and not started twice; each line told once",
    )
    table.row(
        fault="The connection is cut during the installation",
        how="iptables on the node: tcp-reset for 1.5 s, DROP for 4 s",
        sees="nothing: the output goes on",
        result="followed over a new connection (reset) or the same (drop); each line told once",
    )


def test_apt_that_stays_locked_is_given_up_politely(bench: Bench, table: Table) -> None:
    with bench.first.locked_apt("/var/lib/apt/lists/lock"):
        said = bench.first.sh(apt.wait(patience=2))
    assert "apt is in use still: process" in said
    assert "unattended-upgrade" in said
    cause = cause_of(said)
    assert cause is not None
    table.row(
        fault="The apt lock is never released",
        how="the lists' lock held for longer than the patience (2 s here, 300 s else)",
        sees=f"{said.splitlines()[-1]} {cause.remedy}",
        result="failed, nothing changed",
    )


@pytest.mark.skipif(not THOROUGH, reason="a minute: in `make reliability`")
def test_a_line_that_is_dead_for_long_is_noticed_and_made_anew(bench: Bench, table: Table, tmp_path: Path) -> None:
    """No packet for 45 s while a unit runs: the connection is given up by the program, and the unit is found again."""
    program = bench.program
    bench.first.sh("dpkg --remove --force-depends crmsh >/dev/null 2>&1")
    going = program.start("--until", "packages")
    assert going.until(lambda event: event["event"] == "ActionStarted")
    with bench.first.firewall("INPUT", "-p", "tcp", "--dport", "22", "-j", "DROP"):
        time.sleep(45)
    assert going.end() == 0, going.events[-2:]
    table.row(
        fault="The connection stalls",
        how="DROP for 45 s while apt runs",
        sees="nothing: the output goes on",
        result="the dead line is given up after 30 s and made anew; the unit is followed to its end",
    )


CANCEL_WITHIN = 12.0
"""Seconds in which a run over a dead line has ended after Ctrl+C: without a limit it would take the time-outs of the line."""


def test_cancel_over_a_dead_line_says_what_goes_on(bench: Bench, table: Table) -> None:
    program = bench.program
    bench.first.sh("dpkg --remove --force-depends crmsh >/dev/null 2>&1")
    with bench.first.firewall("INPUT", "-p", "tcp", "--dport", "22", "-j", "DROP"):
        going = program.start("--until", "packages")
        assert going.until(lambda event: event["event"] == "StepStarted" and event["step"] == "instances.signin")
        time.sleep(1)  # it is connecting by now, to a port that says nothing
        began = time.monotonic()
        assert going.kill(signal.SIGINT) == 130
        took = time.monotonic() - began
    assert took < CANCEL_WITHIN
    assert program.run("--until", "packages").process.returncode == 0
    table.row(
        fault="Ctrl+C while a node does not answer",
        how="DROP, then SIGINT while connecting",
        sees=going.failure["text"],
        result=f"ended after {took:.1f} s, exit code 130",
    )


def test_an_odd_node_is_no_obstacle(bench: Bench, table: Table) -> None:
    """Noise in .bashrc, a banner, another language, /tmp noexec, 127.0.1.1, one host name for both, few logins at once."""
    program = bench.program
    odd = r"""
    sed -i '1i echo welcome to this machine; echo and to its errors >&2; alias ls="ls --color=always"' /home/ubuntu/.bashrc
    echo 'Unauthorised use is prohibited' >/etc/banner; printf 'Banner /etc/banner\nMaxStartups 1:30:2\nAcceptEnv *\n' \
      >/etc/ssh/sshd_config.d/10-odd.conf
    printf 'LANG=de_DE.UTF-8\nLC_ALL=de_DE.UTF-8\n' >/etc/default/locale
    printf 'LANG=de_DE.UTF-8\nLC_ALL=de_DE.UTF-8\n' >>/etc/environment
    hostname prep; echo prep >/etc/hostname; printf '127.0.1.1 prep\n' >>/etc/hosts; systemctl reload ssh
    """
    with ExitStack() as stack:
        for node in (bench.first, bench.second):
            node.sh(odd)
            stack.enter_context(node.mounted("/tmp", "noexec,mode=1777"))
        going = program.run()
        assert going.process.returncode == 0, going.events[-2:]
    found = picture.take(program.lab, program.spec)
    assert found.account["addresses"] == [f"<{FIRST}>"]
    nodes = [line for line in found.cib if "uname" in line]
    assert len(nodes) == 2
    assert all(name in "".join(nodes) for name in (FIRST, SECOND))
    table.row(
        fault="Noise in .bashrc, a login banner, a German locale, /tmp noexec, `127.0.1.1 hostname`, both nodes with one name",
        how="all of it on both nodes, then the whole guide",
        sees="nothing",
        result="the cluster is built; Pacemaker has PRep-01 and PRep-02",
    )


def test_an_sshd_that_is_full_or_slow_is_waited_for(bench: Bench, table: Table) -> None:
    program = bench.program
    full = (
        "printf 'MaxStartups 1:100:1\\nLoginGraceTime 60\\n' >/etc/ssh/sshd_config.d/05-full.conf; systemctl reload ssh"
    )
    with ExitStack() as stack:
        bench.first.sh(full)
        stack.callback(bench.first.sh, "rm -f /etc/ssh/sshd_config.d/05-full.conf; systemctl reload ssh")
        stack.enter_context(bench.first.silent_client(22))
        release = threading.Timer(3.0, stack.close)
        release.start()
        going = program.run("--until", "packages")
        release.join()
    assert going.process.returncode == 0, going.events[-2:]
    table.row(
        fault="sshd is limited (MaxStartups)",
        how="one start-up allowed, and taken for 3 s",
        sees="waiting: PRep-01: What answers … closed the connection … sshd may be limiting connections (MaxStartups)",
        result="waited for; the run goes on",
    )
    bench.first.sh("kill -STOP $(systemctl show -p MainPID --value ssh)")
    release = threading.Timer(3.0, bench.first.sh, ["kill -CONT $(systemctl show -p MainPID --value ssh)"])
    release.start()
    going = program.run("--until", "packages")
    release.join()
    assert going.process.returncode == 0, going.events[-2:]
    table.row(
        fault="sshd is slow",
        how="its process is stopped for 3 s",
        sees="nothing",
        result="waited for, 15 s at most a try",
    )


def test_the_standby_without_a_way_to_ec2_is_found_before_the_failover(bench: Bench, table: Table) -> None:
    bench.second.sh("rm -f /var/lib/iconha-tui/awscli.proof")
    with bench.second.firewall("OUTPUT", "-p", "tcp", "--dport", "443", "-j", "DROP"):
        failed = bench.program.run().failure
    assert (failed["step"], failed["where"]) == ("awscli.proof", SECOND)
    assert "does not reach the EC2 API" in failed["why"]
    table.row(
        fault="The standby has no way to the EC2 API",
        how="DROP of tcp 443 on PRep-02",
        sees=sentence(failed),
        result="failed in the AWS CLI stage, before the address depends on it",
    )
