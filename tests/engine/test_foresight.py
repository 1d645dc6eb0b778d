"""What may disrupt a pair that serves is known before a run, and nothing else that disrupts is carried out."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iconha_tui.engine import runner
from iconha_tui.engine.actions import Action, Disruption, Disruptive, Run
from iconha_tui.engine.foresight import disruptive_actions, look_at_all
from iconha_tui.engine.step import Context, Done, Needed, Step, Verdict, View

from .fakes import ONE, TWO, World, stage

MOVES = Disruption("The address may move.", 8)


class Write(Step):
    """A file on both nodes; what it changes is told as a fact."""

    id = "corosync.conf"
    title = "file"

    def probe(self, ctx: Context, target: str) -> Verdict:
        there = ctx.node(target).read("/file")
        facts = {f"{target}.file": there}
        return Done("there", facts) if there == b"new" else Needed("old", facts)

    def plan(self, view: View, target: str) -> list[Action]:
        if view.facts.get(f"{target}.file") == b"new":
            return []
        return [Run(target, ("write", "/file"))]


class Restart(Step):
    """Due where the file was written: by facts alone, before the file is there."""

    foreseen = True
    title = "restart"

    def __init__(self, wants: dict[str, bool], foresees: bool = True) -> None:
        self.id = "corosync.restart"
        self.wants = wants
        self.foresees = foresees

    def probe(self, ctx: Context, target: str) -> Verdict:
        if self.wants[target] and ("restart", "daemon") not in ctx.node(target).ran:
            return Needed("older", {f"{target}.seen": True})
        return Done("runs", {f"{target}.seen": self.foresees})

    def plan(self, view: View, target: str) -> list[Action]:
        if not (self.wants[target] and (self.foresees or view.facts.get(f"{target}.seen"))):
            return []
        return [Run(target, ("restart", "daemon"), disruption=MOVES)]


@given(st.fixed_dictionaries({ONE: st.booleans(), TWO: st.booleans()}), st.booleans())
def test_what_a_run_disrupts_was_foreseen(wants: dict[str, bool], new: bool) -> None:
    world = World()
    for node in world.nodes.values():
        node.files["/file"] = b"new" if new else b"old"
    steps = (Write(), Restart(wants))
    due = disruptive_actions([stage(*steps)], world.ctx, look_at_all([stage(*steps)], world.ctx))
    asked: list[Disruptive] = []

    def permit(more: Sequence[Disruptive]) -> bool:
        asked.extend(more)
        return True

    world.ctx.permit = permit
    runner.run([stage(*steps)], world.ctx, world.on_event)
    assert set(asked) <= set(due)
    assert {each.target for each in due} == {node for node, wanted in wants.items() if wanted}


def test_what_nobody_allowed_is_not_carried_out() -> None:
    world = World()
    world.ctx.permit = lambda _due: False
    end = world.run(Restart({ONE: True, TWO: False}))
    assert end.outcome == "blocked"
    assert world.ran == []
    (told,) = world.finished()
    assert "restart daemon" in told.text
    assert "The address may move. Expected: about 8 s." in told.text
    assert "--allow-disruption" in told.remedy


def test_a_look_at_all_goes_on_after_a_step_that_has_work_to_do_and_changes_nothing() -> None:
    world = World()
    for node in world.nodes.values():
        node.files["/file"] = b"old"
    needed = look_at_all([stage(Write(), Restart({ONE: True, TWO: True}))], world.ctx)
    assert needed == {
        ("corosync.conf", ONE): True,
        ("corosync.conf", TWO): True,
        ("corosync.restart", ONE): True,
        ("corosync.restart", TWO): True,
    }
    assert world.ran == []


@pytest.mark.parametrize("skip", [(), ("corosync.restart",)])
def test_what_is_skipped_disrupts_nothing(skip: tuple[str, ...]) -> None:
    world = World()
    stages = [stage(Restart({ONE: True, TWO: True}))]
    due = disruptive_actions(stages, world.ctx, look_at_all(stages, world.ctx), skip)
    assert bool(due) == (not skip)
