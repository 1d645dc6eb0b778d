"""A stop in the middle of an installation: the operator chooses what becomes of it on the nodes, and gets that."""

from __future__ import annotations

import signal
import time

import pytest
from faults import Table
from mischief import FIRST, Bench
from program import Event, Going
from waiting import wait_until

from iconha_tui.engine import journal

SECTION = "Interruption"
UNITS = "systemctl list-units --plain --no-legend 'iconha-*'"

SLOW = r"""
set -e; rm -rf /root/slow /root/go; mkdir -p /root/slow/DEBIAN
printf 'Package: slow\nVersion: 1\nArchitecture: all\nMaintainer: x <x@x>\nDescription: x\n' >/root/slow/DEBIAN/control
printf '#!/bin/sh\nwhile [ ! -e /root/go ]; do sleep 0.1; done\n' >/root/slow/DEBIAN/postinst
chmod 755 /root/slow/DEBIAN/postinst
dpkg-deb -b /root/slow /root/slow.deb >/dev/null; dpkg --unpack /root/slow.deb >/dev/null
"""
"""A package that is unpacked, and takes for ever to be set up."""

AWAY = "DEBIAN_FRONTEND=noninteractive apt-get -q -y autoremove --purge corosync pacemaker crmsh awscli"


def until_it_is_held(bench: Bench, amid: str) -> Going:
    """An installation that stands still, on the first node, in the middle of this."""
    bench.first.sh(f"dpkg --remove --force-depends crmsh; {SLOW}" if amid == "Setting up" else AWAY)
    going = bench.program.start("--until", "packages")
    word = "Setting up slow" if amid == "Setting up" else "Unpacking"
    assert going.until(
        lambda event: event["event"] == "Output" and event["target"] == FIRST and word in " ".join(event["lines"])
    )
    if amid == "Unpacking":
        assert bench.first.sh("pkill -STOP -x dpkg && echo held") == "held\n"
    return going


def fate(going: Going) -> Event:
    """What the run says of the command on the first node."""
    return next(event for event in going.events if event["event"] == "ActionStopped" and event["target"] == FIRST)


@pytest.mark.slow
@pytest.mark.parametrize("amid", ["Setting up", "Unpacking"])
def test_an_installation_is_left_running_or_stopped_as_the_operator_chooses(
    bench: Bench, table: Table, amid: str
) -> None:
    program, first = bench.program, bench.first
    going = until_it_is_held(bench, amid)
    process = first.sh("pgrep -x dpkg")
    assert going.kill(signal.SIGINT) == 130
    assert "Ctrl+C again within 5 s" in going.said
    assert fate(going)["left"] == "running"
    unit = fate(going)["text"].split()[0]
    assert first.sh(f"systemctl is-active {unit}") == "active\n"
    assert first.sh("pgrep -x dpkg") == process
    assert FIRST in journal.progress_of(program.folder / "journal.jsonl").work.left_on()
    table.row(
        fault="The run is stopped while packages are being installed: left running",
        how=f"Ctrl+C while dpkg is {amid.lower()}",
        sees=f"{going.said.splitlines()[-1]} (then) {FIRST}: {fate(going)['text']}",
        result="exit code 130; the unit and its dpkg go on running on the node, the next run follows them",
    )

    going = program.start("--until", "packages")
    assert going.until(lambda event: event["event"] == "ActionStarted" and event["target"] == FIRST)
    time.sleep(1)
    assert first.sh("pgrep -x dpkg") == process, "the installation is not started twice"
    going.process.send_signal(signal.SIGINT)
    wait_until(lambda: "Ctrl+C again within 5 s" in going.said, what="an answer to the first Ctrl+C", every=0.05)
    assert going.kill(signal.SIGINT) == 130
    assert fate(going)["left"] == "stopped"
    for node in (bench.first, bench.second):
        assert node.sh(UNITS) == ""
        assert node.sh("pgrep -x 'dpkg|apt-get'") == ""
        assert "masked" not in node.sh("systemctl is-enabled corosync pacemaker || true")
    assert first.sh("dpkg --audit") != ""
    assert journal.progress_of(program.folder / "journal.jsonl").work.left_on() == ""
    stopped = fate(going)["text"]

    first.sh("touch /root/go")
    going = program.run("--until", "packages")
    assert going.process.returncode == 0, going.events[-3:]
    lines = [
        line
        for event in going.events
        if event["event"] == "Output" and event["target"] == FIRST
        for line in event["lines"]
    ]
    assert "An installation was interrupted on this machine: finishing it first." in lines
    assert first.sh("dpkg --audit") == ""
    table.row(
        fault="The run is stopped while packages are being installed: stopped on the nodes too",
        how=f"Ctrl+C twice while dpkg is {amid.lower()}",
        sees=f"{FIRST}: {stopped}",
        result="exit code 130; no unit, apt or dpkg is left; the next run finishes what was half configured, and ends well",
    )
