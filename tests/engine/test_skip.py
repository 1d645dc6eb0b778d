"""Going on without a step: only where it says that this is safe, only for this run, and never unnoticed."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from iconha_tui.engine.actions import Run
from iconha_tui.engine.events import ActionStarted, StageFinished
from iconha_tui.engine.journal import fold
from iconha_tui.engine.ports import Completed
from iconha_tui.engine.step import Blocked, Context, Needed, Verdict
from iconha_tui.errors import Cancelled, Trouble
from iconha_tui.stages import STAGES

from .fakes import Wants, World

OPEN = "Nobody knows then whether the port is open."


def proof(*, skip: str = OPEN, verdict: Verdict | Trouble | None = None) -> Wants:
    """A step that never comes true."""

    def probe(ctx: Context, target: str) -> Verdict:
        if isinstance(verdict, Trouble):
            raise verdict
        return verdict or Needed("The port is closed.")

    step = Wants("/proof", probe=probe, plan=lambda view, target: [Run(target, ("prove",))])
    step.skip = skip
    return step


def world_where(steps: Sequence[Wants], skip: Sequence[str] = ()) -> World:
    world = World()
    world.run(*steps, skip=skip)
    return world


def test_a_skipped_step_is_looked_at_not_acted_on_and_the_run_goes_on() -> None:
    world = world_where([proof(), Wants("/etc/after")], skip=["corosync.proof"])
    skipped, after = world.finished()
    assert (skipped.outcome, skipped.changed, after.outcome) == ("skipped", False, "done")
    assert skipped.text == f"The port is closed. {OPEN}", "what was found, and what stays open"
    assert ("prove",) not in world.ran


def test_the_stage_and_the_run_do_not_call_themselves_done() -> None:
    world = World()
    assert world.run(proof(), Wants("/etc/after"), skip=["corosync.proof"]).outcome == "skipped"
    assert [event.outcome for event in world.events if isinstance(event, StageFinished)] == ["skipped"]


@pytest.mark.parametrize("found", [Blocked("No.", "Ask."), Trouble("It does not answer.")])
def test_what_blocks_or_fails_the_look_is_skipped_too(found: Blocked | Trouble) -> None:
    world = world_where([proof(verdict=found)], skip=["corosync.proof"])
    assert world.finished()[0].outcome == "skipped"


def test_a_stop_is_no_skip() -> None:
    world = world_where([proof(verdict=Cancelled("Stopped."))], skip=["corosync.proof"])
    assert world.finished()[0].outcome == "cancelled"


def test_a_step_that_says_nothing_of_a_skip_is_not_skipped() -> None:
    world = World()
    world.nodes["PRep-01"].answer = lambda node, argv: Completed(1, "", "no")
    world.run(proof(skip=""), skip=["corosync.proof"])
    assert world.finished()[0].outcome == "failed"
    assert [event for event in world.events if isinstance(event, ActionStarted)]


def test_what_is_done_already_is_done_and_not_skipped() -> None:
    step = Wants("/etc/a")
    step.skip = OPEN
    world = World()
    world.run(step)
    assert world.run(step, skip=["corosync.a"]).outcome == "done"


def test_the_journal_keeps_a_skip_until_the_step_is_tried_again() -> None:
    world = world_where([proof(), Wants("/etc/after")], skip=["corosync.proof"])
    progress = fold((0.0, event) for event in world.events)
    assert progress.skipped == ["corosync.proof"]
    assert progress.stage("corosync").state == "skipped"
    assert progress.failure is None

    world.survey(proof(), Wants("/etc/after"), skip=progress.skipped)
    assert world.events[-1].outcome == "skipped", "a look goes past it"  # type: ignore[union-attr]
    assert fold((0.0, event) for event in world.events).skipped == ["corosync.proof"]

    world.run(proof(), Wants("/etc/after"))
    progress = fold((0.0, event) for event in world.events)
    assert (progress.skipped, progress.stage("corosync").state) == ([], "failed")


@pytest.mark.parametrize("step", [step for stage in STAGES for step in stage.steps], ids=lambda step: step.id)
def test_every_step_says_what_a_skip_leaves_open_or_why_there_is_none(step: Wants) -> None:
    assert (step.skip or step.vital).endswith(".")
    assert step.usual >= 0


def test_what_may_be_skipped_only_proves_or_opens_ports() -> None:
    """A skip must never lead two nodes to fight over the address, or leave a half-made cluster behind."""
    assert [step.id for stage in STAGES for step in stage.steps if step.skip] == [
        "credentials.region",
        "credentials.nodes",
        "instances.rules",
        "instances.attach_group",
        "awscli.proof",
        "elastic_ip.ec2",
        "elastic_ip.answers",
    ]
