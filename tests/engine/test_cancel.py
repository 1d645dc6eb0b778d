"""Stopping a run: nothing more is begun, and what becomes of a long command on a node is decided, done, told and journalled."""

from __future__ import annotations

from pathlib import Path
from threading import Barrier

import pytest
from waiting import BOUND

from iconha_tui.engine import journal, runner
from iconha_tui.engine.actions import Run
from iconha_tui.engine.cancel import Cancel
from iconha_tui.engine.events import ActionStarted, ActionStopped, StepFinished
from iconha_tui.engine.journal import Journal
from iconha_tui.engine.ports import Completed
from iconha_tui.engine.step import Needed
from iconha_tui.errors import Cancelled, Trouble

from .fakes import ONE, TWO, Wants, World, stage


def long_step(*, second: bool = False) -> Wants:
    """A long command on both nodes, and a second one after it."""
    names = ("apt", "pip") if second else ("apt",)
    return Wants(
        probe=lambda ctx, target: Needed("missing"),
        plan=lambda view, target: [Run(target, (name,), long=True) for name in names],
    )


def stopping(world: World, *, stop: bool | None) -> None:
    """The run is stopped once both nodes' commands are going on; None: what becomes of a long one is left open."""
    both = Barrier(2)

    def answer(node: str, argv: tuple[str, ...]) -> Completed:
        both.wait(BOUND)
        if stop is None:
            world.ctx.cancel.set()
        else:
            world.ctx.cancel.decide(stop_long=stop)
        return Completed(0, "", "")

    for node in world.nodes.values():
        node.answer = answer


def stopped(world: World) -> dict[str, str]:
    return {event.target: event.left for event in world.events if isinstance(event, ActionStopped)}


def test_a_decision_holds() -> None:
    cancel = Cancel()
    cancel.set()
    assert not cancel.decided.is_set()
    cancel.decide(stop_long=True)
    cancel.decide(stop_long=False)
    assert (cancel.is_set(), cancel.decided.is_set(), cancel.stop_long) == (True, True, True)


@pytest.mark.parametrize(("stop", "left"), [(True, "stopped"), (False, "running")])
def test_what_becomes_of_a_long_command_is_told_for_each_node(stop: bool, left: str) -> None:
    world = World()
    stopping(world, stop=stop)
    assert world.run(long_step(second=True)).outcome == "cancelled"
    assert stopped(world) == {ONE: left, TWO: left}
    words = "stopped" if stop else "left running"
    said = world.finished()[0].text
    for node in (ONE, TWO):
        assert f"{node}: icon.corosync.a.{node}.1 is {words}." in said
    assert world.finished()[0].remedy == "Run again."
    assert {argv for argv in world.ran if argv[0] != "cat"} == {("apt",)}, "the second is not begun"


def test_while_it_is_not_decided_a_long_command_is_followed_and_nothing_more_is_begun() -> None:
    world = World()
    stopping(world, stop=None)
    assert world.run(long_step(second=True)).outcome == "cancelled"
    assert stopped(world) == {}
    assert world.ran == [("apt",), ("apt",)]
    assert world.finished()[0].text == "Stopped before the next action."
    assert world.finished()[0].where == f"{ONE} and {TWO}"


def test_a_failure_on_one_node_does_not_hide_what_was_left_running_on_the_other() -> None:
    world = World()
    world.nodes[ONE].answer = lambda node, argv: Completed(100, "", "")

    def answer(node: str, argv: tuple[str, ...]) -> Completed:
        world.ctx.cancel.decide(stop_long=False)
        return Completed(0, "", "")

    world.nodes[TWO].answer = answer
    assert world.run(long_step()).outcome == "failed"
    assert stopped(world)[TWO] == "running"


def test_a_command_that_had_not_begun_leaves_nothing_to_tell() -> None:
    world = World()

    def answer(node: str, argv: tuple[str, ...]) -> Completed:
        raise Cancelled("Stopped while connecting.", where=node)

    world.nodes[ONE].answer = answer
    world.nodes[TWO].answer = answer
    assert world.run(long_step()).outcome == "cancelled"
    assert stopped(world) == {}


@pytest.mark.parametrize(("stop", "left_on"), [(True, ""), (False, f"{ONE} and {TWO}")])
def test_the_journal_remembers_where_a_command_was_left_running(tmp_path: Path, stop: bool, left_on: str) -> None:
    world = World()
    stopping(world, stop=stop)
    book = Journal(tmp_path)
    runner.run([stage(long_step())], world.ctx, book)
    book.close()
    progress = journal.progress_of(tmp_path / "journal.jsonl")
    assert (progress.outcome, progress.unread) == ("cancelled", 0)
    assert progress.work.left_on() == left_on
    assert sorted(progress.work.fates())[0].startswith(f"{ONE}: icon.corosync.a.{ONE}.1 is ")
    assert (progress.work.doing, progress.work.long) == ({}, {})


def test_the_journal_tells_long_commands_from_short_ones_after_a_kill() -> None:
    progress = journal.fold(
        (0.0, event)
        for event in (
            ActionStarted("packages", "packages.install", ONE, 1, 1, "apt-get install", "", long=True),
            ActionStarted("packages", "packages.install", TWO, 1, 1, "ls", ""),
        )
    )
    assert progress.work.long == {ONE: "apt-get install"}
    assert progress.work.doing == {ONE: "apt-get install", TWO: "ls"}
    progress.take(1.0, StepFinished("packages", "packages.install", "failed", True, 1.0))
    assert progress.work.long == {}


def test_a_trouble_after_the_decision_is_a_trouble() -> None:
    world = World()

    def answer(node: str, argv: tuple[str, ...]) -> Completed:
        world.ctx.cancel.decide(stop_long=False)
        raise Trouble("The disk is full.", where=node)

    world.nodes[ONE].answer = world.nodes[TWO].answer = answer
    assert world.run(long_step()).outcome == "failed"
