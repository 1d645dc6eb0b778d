"""Interrupted at every step, the program goes on from where the world stands, and ends in the same cluster.

A build is struck at one moment of a step after the other, and gone on with each time. In `make test`, crm is built, and
killed at one moment of each step; the other ways of ending come at a sample of steps. With ICONHA_FAULTS_TABLE (`make
reliability`), every way comes at every step, on crm and on pcs.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import picture
import pytest
from blows import CTRL_C, HANG_UP, HUP, KILL, MOMENTS, QUIT, SIGNALS, STEPS, TERM, Blow, Build
from faults import Table
from program import Program
from specs import spec_of

from iconha_tui.lab.lab import Lab
from iconha_tui.spec import Aws, Spec
from iconha_tui.store import Store

SECTION = "Interruption"
THOROUGH = "ICONHA_FAULTS_TABLE" in os.environ
SHELLS = {"crm": "keys", "pcs": "role"}
"""The shells, and the nodes' credentials that go with each here."""

SAMPLE = {
    "instances.machine": TERM,
    "packages.install": QUIT,
    "authkey.copy": CTRL_C,
    "corosync.members": HANG_UP,
    "pacemaker.properties": HUP,
}
"""In CI, what else comes during a step."""

TOLD = {
    KILL: (
        "The program is killed (kill -9) before, during and after every step",
        "the wizard offers to resume; `run` goes on. No question is asked twice",
    ),
    CTRL_C: ("A build is stopped by Ctrl+C", "Stopped by the operator. Exit code 130, the journal says cancelled"),
    TERM: ("A build is stopped by SIGTERM", "Stopped by the operator. Exit code 130, the journal says cancelled"),
    HUP: ("The terminal of `run` is lost (SIGHUP)", "the journal says cancelled; exit code 130"),
    QUIT: (
        "The wizard is quit while a stage runs",
        "where a long command is going on: Stop this run and quit? Esc, leave running, stop it too",
    ),
    HANG_UP: ("The wizard's terminal is closed", "next time: interrupted, and the step; F8 goes on"),
}
"""A way of ending -> the fault as the table tells it, and what the operator reads."""


def kills(shell: int) -> list[Blow]:
    """In CI: a kill at each step, before, during or after it in turn, and the sample."""
    blows = []
    for number, step in enumerate(STEPS):
        if step in SAMPLE:
            blows.append(Blow(step, "during", SAMPLE[step]))
        blows.append(Blow(step, ("before", "during", "after")[(number + shell) % 3], KILL))
    return sorted(blows, key=lambda blow: (STEPS.index(blow.step), tuple(MOMENTS).index(blow.moment)))


def all_kills(shell: int) -> list[Blow]:
    return [Blow(step, moment, KILL) for step in STEPS for moment in MOMENTS]


def all_signals(shell: int) -> list[Blow]:
    """Each signal at each step, at one moment or another."""
    ways, moments = list(SIGNALS), ("before", "during", "amid")
    return [
        Blow(step, moment, ways[(number + turn + shell) % 3])
        for number, step in enumerate(STEPS)
        for turn, moment in enumerate(moments)
    ]


def all_ends_of_the_wizard(shell: int) -> list[Blow]:
    """Before a step one way, during it the other."""
    return [
        Blow(step, moment, (QUIT, HANG_UP)[(number + turn + shell) % 2])
        for number, step in enumerate(STEPS)
        for turn, moment in enumerate(("before", "during"))
    ]


BUILDS = (
    {"killed": all_kills, "stopped": all_signals, "left": all_ends_of_the_wizard} if THOROUGH else {"struck": kills}
)


@pytest.fixture(scope="module")
def builds(
    request: pytest.FixtureRequest, lab_host: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[tuple[str, str], Future[Build]]]:
    """The builds of the tests that were chosen, two at a time. Where a test fails, the others are not waited for."""
    if shutil.which("tmux") is None:
        pytest.skip("tmux is missing: apt-get install tmux")
    folder = tmp_path_factory.mktemp("interrupted")
    lab = Lab(f"interrupted-{os.getpid()}", folder)

    def build(kind: str, shell: str) -> Build:
        name = f"{shell}-{kind}"
        spec = spec_of(lab, name, shell, SHELLS[shell])
        blows = BUILDS[kind](list(SHELLS).index(shell))
        return Build(Program(lab, folder / name, spec), blows, random.randrange(1 << 30)).carry_out()

    with ThreadPoolExecutor(max_workers=2) as pool:
        try:
            lab.up()
            asked = (
                item.callspec.params
                for item in request.session.items
                if "builds" in getattr(item, "fixturenames", ()) and not item.get_closest_marker("skip")
            )
            yield {(each["kind"], each["shell"]): pool.submit(build, each["kind"], each["shell"]) for each in asked}
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            lab.down()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("shell", ["crm", pytest.param("pcs", marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", BUILDS)
def test_ended_at_every_step_it_ends_in_the_same_cluster(
    builds: dict[tuple[str, str], Future[Build]], kind: str, shell: str, table: Table
) -> None:
    build = builds[kind, shell].result()
    spec, found = build.program.spec, build.found
    assert found is not None
    expected = picture.expected(build.program.lab, spec)
    assert found.account == expected.account
    assert found.cib == expected.cib
    assert list(picture.differences(found.nodes, expected.nodes)) == []
    assert len(build.keys) == 1, "the key was made anew"
    assert sorted(build.asked) == sorted(spec.names), "a host key was asked about twice"
    assert not [each for each in build.again if each["event"] == "ActionStarted"]
    assert {blow.moment for blow in build.missed} <= {"during", "amid"}, build.seed

    for way, times in Counter(blow.way for blow in build.struck).items():
        fault, sees = TOLD[way]
        table.row(
            fault=fault,
            how=f"at the steps' events, {shell}: {times} times in one build of {len(STEPS)} steps",
            sees=sees,
            result="the cluster of an undisturbed run: same files, CIB, key, rules; 2 instances, 1 Elastic IP",
            runs=times,
        )


def test_each_step_is_struck_and_thoroughly_at_each_moment() -> None:
    """During a step that finds its work done, there is nothing to strike: that is left to the builds."""
    planned = [blow for kind in BUILDS.values() for blow in kind(0)]
    killed = {(blow.step, blow.moment) for blow in planned if blow.way == KILL}
    assert {step for step, _ in killed} == set(STEPS)
    assert {moment for _, moment in killed} >= {"before", "during", "after"}
    assert not THOROUGH or {(step, moment) for step in STEPS for moment in MOMENTS} <= killed
    assert {blow.way for blow in planned} == set(TOLD)


def test_a_stop_is_heard_while_aws_does_not_answer(tmp_path: Path, table: Table) -> None:
    """AWS takes the call and says nothing: who presses Ctrl+C does not wait for it."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        config = tmp_path / "aws"
        endpoint = f"endpoint_url = http://127.0.0.1:{silent.getsockname()[1]}"
        config.write_text(f"[profile silent]\naws_access_key_id = a\naws_secret_access_key = b\n{endpoint}\n")
        spec = Spec(name="impatient", aws=Aws(profile="silent", config_file=str(config)))
        program = Program(Lab("none", tmp_path), tmp_path / "state", spec)
        going = program.start()
        connection, _ = silent.accept()
        with connection:
            assert connection.recv(1)
            assert going.kill(signal.SIGINT) == 130
    with Store(program.state).lock(spec.name):
        pass  # it is free
    table.row(
        fault="Ctrl+C",
        how="SIGINT while AWS does not answer",
        sees="nothing",
        result="the run ends as stopped, without waiting for the answer; the lock is free",
    )
