"""The runner: looks first, does what is needed, both nodes at once, and ends each failure with a remedy."""

from __future__ import annotations

import logging
from threading import Barrier, Event

import pytest
from waiting import BOUND

from iconha_tui.engine import runner
from iconha_tui.engine.actions import Action, Call, Run, Upload
from iconha_tui.engine.events import (
    ActionFinished,
    ActionStarted,
    Probed,
    RunFinished,
    RunStarted,
    StageFinished,
    StageStarted,
    StepStarted,
    Waiting,
)
from iconha_tui.engine.ports import Completed
from iconha_tui.engine.step import Blocked, Context, Done, Needed, Verdict, View
from iconha_tui.errors import Cancelled, Lost, Trouble

from .fakes import ONE, TWO, Wants, World, stage


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "POLL", 0.001)


def runs(*argv: str) -> Wants:
    """A step that is never done before its command has run, and always after."""
    return Wants(
        "/" + argv[0],
        probe=lambda ctx, target: Needed("not done"),
        plan=lambda view, target: [Run(target, argv)],
        verify=lambda ctx, target: Done("done"),
    )


def test_a_run_does_what_is_missing_and_a_second_one_changes_nothing() -> None:
    world = World()
    first = world.run(Wants("/etc/a"), Wants("/etc/b"))
    assert (first.outcome, first.changed) == ("done", True)
    assert world.nodes[TWO].files == {"/etc/a": b"content\n", "/etc/b": b"content\n"}

    world.events.clear()
    second = world.run(Wants("/etc/a"), Wants("/etc/b"))
    assert (second.outcome, second.changed) == ("done", False)
    assert not [event for event in world.events if isinstance(event, ActionStarted)]
    assert [event.changed for event in world.finished()] == [False, False]


def test_only_the_target_that_needs_it_is_acted_on() -> None:
    world = World()
    world.nodes[ONE].files["/etc/a"] = b"the operator's own"
    world.run(Wants("/etc/a"))
    assert world.nodes[ONE].files["/etc/a"] == b"the operator's own"
    assert [event.target for event in world.events if isinstance(event, ActionStarted)] == [TWO]


def test_both_nodes_of_a_step_work_at_the_same_time() -> None:
    world = World()
    meeting = Barrier(2, timeout=BOUND)

    def answer(node: str, argv: tuple[str, ...]) -> Completed:
        meeting.wait()  # breaks unless the other node's command runs meanwhile
        return Completed(0, "", "")

    for node in world.nodes.values():
        node.answer = answer
    assert world.run(runs("apt-get")).outcome == "done"


def test_steps_keep_their_order_and_each_begins_when_the_one_before_has_ended() -> None:
    world = World()
    seen: list[tuple[str, str]] = []

    def answer(node: str, argv: tuple[str, ...]) -> Completed:
        seen.append((argv[0], node))
        return Completed(0, "", "")

    for node in world.nodes.values():
        node.answer = answer
    world.run(runs("first"), runs("second"), runs("third"))
    assert [word for word, _ in seen] == ["first", "first", "second", "second", "third", "third"]


def test_the_events_tell_the_run_in_order() -> None:
    world = World()
    world.run(Wants("/etc/a", targets=[ONE]))
    kinds = [type(event) for event in world.events]
    assert kinds == [
        RunStarted,
        StageStarted,
        StepStarted,
        Probed,
        ActionStarted,
        ActionFinished,
        Probed,
        type(world.finished()[0]),
        StageFinished,
        RunFinished,
    ]


def test_a_failing_command_stops_the_run_with_node_command_last_lines_and_remedy() -> None:
    world = World()
    said = "\n".join(f"line {number}" for number in range(100)) + "\nE: no such package"
    world.nodes[TWO].answer = lambda node, argv: Completed(100, said, "")
    end = world.run(runs("apt-get", "install", "x y"), Wants("/etc/never"))
    assert end.outcome == "failed"
    (failure,) = world.finished()
    assert failure.where == TWO
    assert failure.text == "The command ended with exit code 100."
    assert failure.command == "apt-get install 'x y'"
    assert failure.tail.splitlines()[-1] == "E: no such package"
    assert len(failure.tail.splitlines()) == 20
    assert failure.remedy == "Do what this step says."
    assert world.nodes[ONE].files == {}


def test_the_other_nodes_lane_is_finished_before_the_failure_is_told() -> None:
    world = World()
    broken = Event()

    def fails(node: str, argv: tuple[str, ...]) -> Completed:
        broken.set()
        return Completed(1, "", "")

    def is_slower(node: str, argv: tuple[str, ...]) -> Completed:
        assert broken.wait(BOUND)
        return Completed(0, "", "")

    world.nodes[ONE].answer, world.nodes[TWO].answer = fails, is_slower
    both = Wants(
        probe=lambda ctx, target: Needed("not done"),
        plan=lambda view, target: [Run(target, ("first",)), Run(target, ("second",))],
    )
    assert world.run(both).outcome == "failed"
    assert world.nodes[ONE].ran == [("first",)]
    assert world.nodes[TWO].ran == [("first",), ("second",)]


def test_a_lost_exit_code_is_not_taken_for_success() -> None:
    world = World()
    world.nodes[ONE].answer = lambda node, argv: Completed(-1, "", "")
    assert world.run(runs("x")).outcome == "failed"
    assert world.finished()[0].text == "The command ended without an exit code."


def test_an_exit_code_that_is_declared_fine_is_fine() -> None:
    world = World()
    world.nodes[ONE].answer = lambda node, argv: Completed(3, "", "")
    allowing = Wants(
        targets=[ONE],
        probe=lambda ctx, target: Needed(""),
        plan=lambda view, target: [Run(target, ("x",), ok=frozenset({0, 3}))],
        verify=lambda ctx, target: Done(""),
    )
    assert world.run(allowing).outcome == "done"


def test_blocked_stops_with_its_own_remedy_and_touches_nothing() -> None:
    world = World()
    step = Wants(
        probe=lambda ctx, target: Blocked("Two keys.", "Choose one.") if target == TWO else Needed("missing"),
    )
    assert world.run(step, Wants("/etc/b")).outcome == "blocked"
    (failure,) = world.finished()
    assert (failure.where, failure.text, failure.remedy) == (TWO, "Two keys.", "Choose one.")
    assert not [event for event in world.events if isinstance(event, ActionStarted)]


def test_blocked_after_the_actions_stops_too() -> None:
    world = World()
    step = Wants(verify=lambda ctx, target: Blocked("It is someone else's.", "Take it back."))
    assert world.run(step).outcome == "blocked"
    assert world.finished()[0].changed


def test_a_verify_that_comes_true_in_time_is_waited_for() -> None:
    world = World()
    looks = {ONE: 0, TWO: 0}

    def verify(ctx: Context, target: str) -> Verdict:
        looks[target] += 1
        return Done("joined") if looks[target] == 4 else Needed(f"look {looks[target]}")

    assert world.run(Wants(verify=verify, patience=300)).outcome == "done"
    waits = [event for event in world.events if isinstance(event, Waiting) and event.target == ONE]
    assert [event.text for event in waits] == ["look 1", "look 2", "look 3"]
    assert all(0 < event.left <= 300 for event in waits)


def test_a_node_that_is_silent_while_it_is_waited_for_counts_as_not_ready() -> None:
    world = World()
    looks: list[int] = []

    def verify(ctx: Context, target: str) -> Verdict:
        looks.append(1)
        if len(looks) < 3:
            raise Trouble("No answer.", where=target)
        return Done("up")

    assert world.run(Wants(targets=[ONE], verify=verify, patience=300)).outcome == "done"


def test_a_look_whose_connection_is_lost_is_taken_once_more() -> None:
    """The Elastic IP leaves a node while it is looked at: a look changes nothing, so nobody has to run it again by hand."""
    looks: list[int] = []

    def probe(ctx: Context, target: str) -> Verdict:
        looks.append(1)
        if len(looks) == 1:
            raise Lost("The connection was lost.", where=target)
        return Done("up")

    assert World().run(Wants(targets=[ONE], probe=probe)).outcome == "done"
    assert len(looks) == 2


def test_a_look_that_loses_its_connection_twice_is_a_failure() -> None:
    def probe(ctx: Context, target: str) -> Verdict:
        raise Lost("The connection was lost.", where=target, remedy="Run it again.")

    world = World()
    assert world.run(Wants(targets=[ONE], probe=probe)).outcome == "failed"
    assert (world.finished()[0].text, world.finished()[0].where) == ("The connection was lost.", ONE)


def test_what_the_cluster_is_at_itself_is_waited_for_before_anything_is_planned() -> None:
    world = World()
    looks: list[int] = []

    def probe(ctx: Context, target: str) -> Verdict:
        looks.append(1)
        return Done("started") if len(looks) == 3 else Needed("stopped", under_way=True)

    assert world.run(Wants(targets=[ONE], probe=probe, patience=300)).outcome == "done"
    assert not world.finished()[0].changed


def test_once_the_cluster_is_at_rest_what_is_missing_is_done() -> None:
    world = World()
    looks: list[int] = []

    def probe(ctx: Context, target: str) -> Verdict:
        looks.append(1)
        return Needed("stopped", under_way=len(looks) < 3)

    step = Wants(targets=[ONE], probe=probe, verify=lambda ctx, target: Done("started"), patience=300)
    assert world.run(step).outcome == "done"
    assert world.finished()[0].changed
    assert len(looks) == 3


def test_cancelled_while_the_cluster_is_at_it_the_run_ends_at_once() -> None:
    world = World()

    def on_event(event: object) -> None:
        if isinstance(event, Waiting):
            world.ctx.cancel.set()

    step = Wants(targets=[ONE], probe=lambda ctx, target: Needed("", under_way=True), patience=3600)
    end = runner.run([stage(step)], world.ctx, on_event)
    assert (end.outcome, end.changed) == ("cancelled", False)


def test_when_patience_is_over_the_step_has_failed_with_its_remedy() -> None:
    world = World()
    step = Wants(verify=lambda ctx, target: Needed("PRep-02 has not joined."), patience=0.01)
    assert world.run(step).outcome == "failed"
    (failure,) = world.finished()
    assert (failure.text, failure.remedy) == ("PRep-02 has not joined.", "Do what this step says.")
    assert failure.changed


def test_what_is_still_silent_when_patience_is_over_says_so_itself() -> None:
    def verify(ctx: Context, target: str) -> Verdict:
        raise Trouble("No route to host.", where=target, remedy="Check the route.")

    world = World()
    assert world.run(Wants(targets=[ONE], verify=verify)).outcome == "failed"
    assert (world.finished()[0].text, world.finished()[0].remedy) == ("No route to host.", "Check the route.")


def test_cancelled_between_two_actions_the_second_is_not_begun() -> None:
    world = World()

    def answer(node: str, argv: tuple[str, ...]) -> Completed:
        world.ctx.cancel.set()
        return Completed(0, "", "")

    world.nodes[ONE].answer = answer
    two = Wants(
        targets=[ONE],
        probe=lambda ctx, target: Needed(""),
        plan=lambda view, target: [Run(target, ("first",)), Run(target, ("second",))],
    )
    assert world.run(two).outcome == "cancelled"
    assert world.ran == [("first",)]


def test_cancelled_while_waiting_the_run_ends_at_once() -> None:
    world = World()

    def on_event(event: object) -> None:
        if isinstance(event, Waiting):
            world.ctx.cancel.set()

    step = Wants(targets=[ONE], verify=lambda ctx, target: Needed("not yet"), patience=3600)
    assert runner.run([stage(step)], world.ctx, on_event).outcome == "cancelled"


def test_cancelled_before_it_begins_nothing_is_probed() -> None:
    world = World()
    world.ctx.cancel.set()
    assert world.run(Wants()).outcome == "cancelled"
    assert not [event for event in world.events if isinstance(event, Probed)]


def test_a_failure_is_told_rather_than_the_cancellation_that_it_met() -> None:
    world = World()

    def probe(ctx: Context, target: str) -> Verdict:
        raise Cancelled("Stopped.") if target == ONE else Trouble("It broke.")

    assert world.run(Wants(probe=probe)).outcome == "failed"
    assert world.finished()[0].text == "It broke."


UNFORESEEN = {
    "in a probe": Wants(probe=lambda ctx, target: Done(str(1 // 0))),
    "in a plan": Wants(plan=lambda view, target: [Run(target, (str(1 // 0),))]),
    "in a verify": Wants(verify=lambda ctx, target: Done(str(1 // 0))),
}


@pytest.mark.parametrize("step", UNFORESEEN.values(), ids=UNFORESEEN.keys())
def test_an_unforeseen_error_is_a_sentence_and_its_traceback_is_in_the_log_alone(
    step: Wants, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    world = World()
    with caplog.at_level(logging.ERROR):
        assert world.run(step).outcome == "failed"
    failure = world.finished()[-1]
    assert failure.text.startswith("An error that this program did not foresee: ZeroDivisionError: ")
    assert "iconha-tui where" in failure.remedy
    assert "Traceback" not in failure.tail + failure.text
    assert caplog.records[0].exc_info
    assert isinstance(world.events[-1], RunFinished)


def test_a_survey_acts_on_nothing_and_stops_at_the_first_step_with_work_to_do() -> None:
    world = World()
    for node in world.nodes.values():
        node.files["/etc/a"] = b"x"

    def never(view: View, target: str) -> list[Action]:
        raise AssertionError("a survey plans nothing")

    end = world.survey(Wants("/etc/a"), Wants("/etc/b", plan=never), Wants("/etc/c"))
    assert (end.outcome, end.changed) == ("todo", False)
    assert [event.outcome for event in world.finished()] == ["done", "todo"]
    assert world.ran == []
    assert world.cloud.calls == []
    assert world.nodes[ONE].files == {"/etc/a": b"x"}


def test_facts_of_a_probe_reach_the_plan_of_the_same_step_and_the_steps_after_it() -> None:
    world = World()
    planned: list[str] = []

    def plan(view: View, target: str) -> list[Action]:
        planned.append(view.fact("address"))
        return [Upload(target, "/etc/b", ("x",))]

    brings = Wants("/etc/a", targets=[ONE], probe=lambda ctx, target: Done("", {"address": "10.0.0.1"}))
    world.run(brings, Wants("/etc/b", targets=[ONE], plan=plan))
    assert planned == ["10.0.0.1"]


def test_an_api_call_that_is_denied_names_call_and_remedy() -> None:
    world = World()
    world.cloud.trouble = Trouble("Denied.", where="ec2:AllocateAddress", remedy="Allow it.", detail="encoded message")
    step = Wants(
        targets=["aws"],
        probe=lambda ctx, target: Needed("none"),
        plan=lambda view, target: [Call("ec2", "allocate_address", {"Domain": "vpc"})],
    )
    assert world.run(step).outcome == "failed"
    (failure,) = world.finished()
    assert (failure.where, failure.remedy, failure.tail) == ("ec2:AllocateAddress", "Allow it.", "encoded message")
    assert failure.command == "ec2:allocate_address Domain=vpc"


def test_the_stages_after_a_failed_one_are_not_begun() -> None:
    world = World()
    failing = Wants(probe=lambda ctx, target: Blocked("no", "yes"))
    runner.run([stage(failing, name="authkey"), stage(Wants(), name="corosync")], world.ctx, world.on_event)
    assert [event.stage for event in world.events if isinstance(event, StageStarted)] == ["authkey"]
