"""A setting is changed on a pair that serves: what may disrupt is asked about first, and the address stays where it is.

Each test changes the pair as the one before has left it, to values of its own.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from blows import left_over
from faults import Table, sentence
from mischief import Bench
from program import Event, Going
from waiting import BOUND, wait_until

from iconha_tui.engine.foresight import look_at_all
from iconha_tui.session import Session
from iconha_tui.stages import STAGES
from iconha_tui.store import Store

SECTION = "A setting changed on a pair that serves"
THOROUGH = "ICONHA_FAULTS_TABLE" in os.environ
ALLOW = "--allow-disruption"


class Address:
    """Calls through the Elastic IP, again and again. answers: how many came. longest: seconds without one."""

    def __init__(self, host: str, port: int) -> None:
        self._where = (host, port)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self.answers = 0
        self.longest = 0.0

    @contextmanager
    def asked(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._over.set()
            self._thread.join(BOUND)

    def _ask(self) -> None:
        last = time.monotonic()
        while not self._over.wait(0.1):
            with suppress(OSError), socket.create_connection(self._where, timeout=1) as line:
                line.settimeout(1)
                if line.recv(20).startswith(b"SSH"):
                    self.answers += 1
                    self.longest = max(self.longest, time.monotonic() - last)
                    last = time.monotonic()
        self.longest = max(self.longest, time.monotonic() - last)


def actions(events: list[Event]) -> list[tuple[str, str, str]]:
    """What was carried out: step, target, command."""
    return [(each["step"], each["target"], each["shown"]) for each in events if each["event"] == "ActionStarted"]


def foreseen(bench: Bench) -> list[tuple[str, str, str]]:
    """What a run would carry out, told beforehand: by looks alone."""
    program = bench.program
    session = Session(Store(program.state), program.spec, confirm_host_key=lambda *_: True)
    session.load_node_keys()
    try:
        needed = look_at_all(STAGES, session.ctx)
        view = session.ctx.view
        return [
            (step.id, action.target, session.ctx.vault.mask(action.shown()))
            for stage in STAGES
            for step in stage.steps
            for target in step.targets(view)
            if step.foreseen or needed.get((step.id, target))
            for action in step.plan(view, target)
        ]
    finally:
        session.close()


def paused(bench: Bench) -> bool:
    return "iconha-maintenance" in bench.first.sh("cibadmin -Q")


def assert_serves(bench: Bench, association: str) -> None:
    """Both nodes in the cluster, failover on, and EC2 has not moved the address in the meantime."""
    assert bench.address["AssociationId"] == association, "the address was moved"
    assert not paused(bench)
    for node in (bench.first, bench.second):
        assert node.sh("systemctl is-active corosync pacemaker").split() == ["active", "active"]


CHANGES: dict[str, tuple[dict[str, dict[str, Any]], bool]] = {
    "token_ms": ({"corosync": {"token_ms": 3500}}, False),
    "port": ({"corosync": {"port": 5410}}, True),
    "stonith-enabled": ({"pacemaker": {"properties": {"stonith-enabled": "false", "no-quorum-policy": "stop"}}}, True),
    "migration-threshold": ({"elastic_ip": {"meta": {"migration-threshold": "3"}}}, False),
}
"""What is typed, and whether it may disrupt."""


def change(bench: Bench, typed: dict[str, dict[str, Any]]) -> None:
    """Types values into the spec."""
    spec = bench.program.spec
    data = spec.model_dump()
    for table, values in typed.items():
        for name, value in values.items():
            data[table][name] = {**data[table][name], **value} if isinstance(value, dict) else value
    bench.program.spec = type(spec).model_validate(data)


@pytest.mark.parametrize("name", ["token_ms", "port", "migration-threshold"])
def test_it_is_foreseen_allowed_and_done_while_the_address_answers(built: Bench, name: str, table: Table) -> None:
    typed, disrupts = CHANGES[name]
    program, before = built.program, built.address
    change(built, typed)
    told = foreseen(built)
    if disrupts:
        refused = program.run(allow=False)
        assert refused.process.returncode == 3
        assert "Nothing was changed." in refused.failure["text"]
        assert actions(refused.events) == []
    address = Address(before["PublicIp"], program.spec.ssh.port)
    with address.asked():
        going = program.run(allow=disrupts)
    assert going.process.returncode == 0, going.failure
    done = actions(going.events)
    assert done
    assert set(done) <= set(told), "what ran was not foreseen"
    assert "stop" not in " ".join(shown for _, _, shown in done).split()
    assert_serves(built, before["AssociationId"])
    assert address.answers
    assert going.events[-2]["outcome"] == "done"
    table.row(
        fault=f"{name} is changed in the finished cluster",
        how="the spec, then `run`" + (f"; without {ALLOW} exit code 3" if disrupts else ""),
        sees=sentence(refused.failure) if disrupts else "done",
        result=f"done; the address was never moved: at most {address.longest:.1f} s without an answer through it",
    )


def test_a_run_until_corosync_leaves_the_pair_serving(built: Bench, table: Table) -> None:
    association = built.address["AssociationId"]
    change(built, {"corosync": {"token_ms": 3000}})
    going = built.program.run("--until", "corosync", allow=False)
    assert going.process.returncode == 0, going.failure
    last = [each for each in going.events if each["event"] == "StepFinished"][-1]
    assert (last["step"], last["outcome"]) == ("pair.serves", "done")
    assert_serves(built, association)
    table.row(
        fault="token_ms is changed, and only the Corosync stage is run",
        how="`run --until corosync`",
        sees=last["text"],
        result="both daemons run on both nodes; the address was never moved",
    )


EVERY_BLOW = [
    ("corosync.conf", "ActionStarted"),
    ("corosync.pause", "ActionStarted"),
    ("corosync.pause", "StepFinished"),
    ("corosync.restart_standby", "ActionStarted"),
    ("corosync.restart_standby", "StepFinished"),
    ("corosync.restart_active", "ActionStarted"),
    ("corosync.restart_active", "StepFinished"),
    ("corosync.members", "StepFinished"),
    ("corosync.resume", "StepStarted"),
    ("corosync.resume", "ActionStarted"),
]
"""The moments at which a change with a restart is killed, one after the other, each gone on with: step, event."""
BLOWS = EVERY_BLOW if THOROUGH else EVERY_BLOW[1::2]


def struck(going: Going, step: str, event: str) -> bool:
    """Kills the program at an event. Whether it came."""
    came = going.until(lambda each: each["event"] == event and each.get("step") == step)
    if came is None:
        return False
    assert going.kill() == -signal.SIGKILL
    return True


def test_killed_at_each_action_of_a_change_the_pair_is_never_left_down(built: Bench, table: Table) -> None:
    program, association = built.program, built.address["AssociationId"]
    change(built, {"corosync": {"port": 5412}})
    kills = 0
    for step, event in BLOWS:
        if struck(program.start(), step, event):
            kills += 1
            wait_until(lambda: not left_over(program), what=lambda: f"the end of the program: {left_over(program)}")
            assert built.address["AssociationId"] == association, f"killed at {step}, {event}: the address was moved"
    assert kills > len(BLOWS) / 2
    going = program.run()
    assert going.process.returncode == 0, going.failure
    assert_serves(built, association)
    for node in (built.first, built.second):
        assert "5412" in node.sh("corosync-cmapctl -g totem.interface.0.mcastport; ss -Hlun")
    table.row(
        fault="The program is killed (kill -9) at each action of a change that restarts Corosync",
        how=f"port changed in the finished cluster; {kills} kills, each gone on with by `run {ALLOW}`",
        sees="nothing; the next run goes on",
        result="the address was never moved; both daemons run with the new file, failover is on",
        runs=kills,
    )


@pytest.mark.parametrize(
    ("step", "port"),
    [
        pytest.param("corosync.pause", 5414, marks=pytest.mark.slow),
        ("corosync.restart_standby", 5416),
        pytest.param("corosync.restart_active", 5418, marks=pytest.mark.slow),
    ],
    ids=["before the first restart", "after the standby's", "after both"],
)
def test_a_run_that_is_stopped_says_that_failover_is_paused(built: Bench, step: str, port: int, table: Table) -> None:
    program, association = built.program, built.address["AssociationId"]
    change(built, {"corosync": {"port": port}})
    going = program.start()
    assert going.until(lambda each: each["event"] == "ActionFinished" and each["step"] == step)
    assert going.kill(signal.SIGINT) == 130
    told = [each for each in going.events if each["event"] == "StepFinished" and each["step"] == "pair.serves"]
    assert [each["outcome"] for each in told] == ["failed"]
    assert "Failover is paused" in told[0]["text"]
    assert built.address["AssociationId"] == association
    going = program.run()
    assert going.process.returncode == 0, going.failure
    assert_serves(built, association)
    table.row(
        fault=f"Ctrl+C while a change restarts Corosync ({step})",
        how="port changed in the finished cluster",
        sees=sentence(told[0]),
        result="the address stays where it is; the next run ends the change and turns failover on",
    )
