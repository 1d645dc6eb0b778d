"""Interrupted at every step, the program goes on from where the world stands, and ends in the same cluster."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import picture
import pytest
from faults import Table
from program import Event, Going, Program

from iconha_tui.engine import journal
from iconha_tui.lab.lab import Lab
from iconha_tui.spec import loads
from iconha_tui.stages import STAGES

SECTION = "Interruption"
THOROUGH = "ICONHA_FAULTS_TABLE" in os.environ
STEPS = [step.id for stage in STAGES for step in stage.steps]
MOMENTS = {"before": "StepStarted", "during": "ActionStarted", "amid": "ActionStarted", "after": "StepFinished"}
"""A moment of a step, and the event at which the program is killed. amid: some time after its first action has begun."""


@dataclass
class Pair:
    """Two builds of one spec on one lab at the same time: one is killed again and again, the other is left in peace."""

    killed: Program
    calm: Program
    undisturbed: Future[Going]


def build(lab: Lab, folder: Path, shell: str) -> Iterator[Pair]:
    credentials = "role" if shell == "pcs" else "keys"
    killed, calm = (
        Program(lab, folder / name, loads(lab.spec(shell=shell, name=name, credentials=credentials)))
        for name in ("killed", "calm")
    )
    with ThreadPoolExecutor() as pool:
        yield Pair(killed, calm, pool.submit(calm.run))


@pytest.fixture(scope="module", params=["crm", "pcs"] if THOROUGH else ["crm"])
def pair(request: pytest.FixtureRequest, lab_host: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp(f"interrupted-{request.param}")
    lab = Lab(f"interrupted-{folder.name[-12:].strip('-')}", folder)
    try:
        lab.up()
        yield from build(lab, folder, request.param)
    finally:
        lab.down()
        shutil.rmtree(folder, ignore_errors=True)


def kill_at(program: Program, points: list[tuple[str, str]], dice: random.Random) -> tuple[int, list[str]]:
    """Runs, and runs again, killed at each of `points` (step, moment) in turn; a step without actions has no `during`.

    Returns the number of kills and the keys of the first node that were seen on the way.
    """
    kills = 0
    keys: list[str] = []
    left = list(points)
    while True:
        going = program.start()
        for event in going:
            while left and _is_past(left[0], event):
                left.pop(0)
            if left and _is_at(left[0], event):
                step, moment = left.pop(0)
                if moment == "amid":
                    time.sleep(dice.uniform(0.02, 1.5))
                assert going.kill() == -signal.SIGKILL
                kills += 1
                if step == "authkey.generate" and moment == "after":
                    keys.append(picture.authkeys(program.lab, program.spec)["PRep-01"])
                break
        else:
            assert going.process.wait(timeout=60) == 0, f"{going.events[-3:]}\n{going.said}"
            assert not left
            return kills, keys


def _is_at(point: tuple[str, str], event: Event) -> bool:
    return event.get("step") == point[0] and event["event"] == MOMENTS[point[1]]


def _is_past(point: tuple[str, str], event: Event) -> bool:
    """Whether the point cannot come any more in this run: the step has ended without it, and would again."""
    step = event.get("step")
    if event["event"] == "RunFinished":
        return True
    if event["event"] != "StepFinished" or step not in STEPS or point[1] == "after":
        return False
    return STEPS.index(step) >= STEPS.index(point[0])


def test_killed_before_during_and_after_every_step_it_ends_in_the_same_cluster(pair: Pair, table: Table) -> None:
    seed = random.randrange(1 << 30)
    moments = list(MOMENTS) if THOROUGH else ["before", "during"]
    points = [(step, moment) for step in STEPS for moment in moments]
    kills, keys = kill_at(pair.killed, [*points, *([] if THOROUGH else [(STEPS[-1], "after")])], random.Random(seed))
    assert kills >= len(STEPS), seed

    assert pair.undisturbed.result(timeout=300).process.returncode == 0
    lab = pair.killed.lab
    found, expected = picture.take(lab, pair.killed.spec), picture.take(lab, pair.calm.spec)
    assert found.account == expected.account
    assert found.cib == expected.cib
    assert list(picture.differences(found.nodes, expected.nodes)) == []
    shas = picture.authkeys(lab, pair.killed.spec)
    assert len({*shas.values(), *keys}) == 1, "the key was made anew"

    said = pair.killed.said()
    for node in pair.killed.spec.names:
        assert said.count(f"{node}: host key") == 1, "a host key was asked about twice"
    again = pair.killed.run()
    assert not [each for each in again.events if each["event"] == "ActionStarted"]
    shell = pair.killed.spec.packages.shell
    table.row(
        fault="The program is killed (kill -9) before, during and after every step",
        how=f"SIGKILL at the step's events, {shell}: {kills} times in one build of {len(STEPS)} steps",
        sees="the wizard offers to resume; `run` goes on. No question is asked twice",
        result="the cluster of an undisturbed run: same files, CIB, key, rules; 2 instances, 1 Elastic IP",
        runs=kills,
    )


SIGNALS = {"Ctrl+C": signal.SIGINT, "SIGTERM": signal.SIGTERM, "a lost terminal (SIGHUP)": signal.SIGHUP}


@pytest.mark.parametrize("name", SIGNALS)
def test_a_signal_ends_the_run_in_order_and_the_journal_says_so(pair: Pair, name: str, table: Table) -> None:
    """The cluster is finished, so every step is only looked at: the signal comes at a sample of them."""
    program = pair.killed
    steps = STEPS[1::2] if THOROUGH else STEPS[3::9]
    for step in steps:
        going = program.start()
        assert going.until(lambda event, step=step: _is_at((step, "before"), event))  # type: ignore[misc]
        assert going.kill(SIGNALS[name]) == 130
        progress = journal.fold(journal.read(program.folder / "journal.jsonl"))
        assert (progress.outcome, progress.interrupted) == ("cancelled", False)
        assert going.events[-1]["event"] == "RunFinished"
        assert going.events[-1]["outcome"] == "cancelled"
    assert program.run().process.returncode == 0
    table.row(
        fault=f"The run is stopped by {name}",
        how=f"the signal at {len(steps)} steps",
        sees=going.failure["text"],
        result="exit code 130, the journal says cancelled, the next run ends well",
        runs=len(steps),
    )
