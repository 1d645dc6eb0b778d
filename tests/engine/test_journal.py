"""The journal: on disk before anything goes on, readable whatever a crash left, and folded into where things stand."""

from __future__ import annotations

import json
import os
import re
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from iconha_tui.engine import journal
from iconha_tui.engine.actions import Run
from iconha_tui.engine.events import (
    KINDS,
    ActionFinished,
    ActionStarted,
    ActionStopped,
    Event,
    Outcome,
    Output,
    Probed,
    RunFinished,
    RunStarted,
    StageFinished,
    StageStarted,
    StepFinished,
    StepStarted,
    Waiting,
    from_dict,
    to_dict,
)
from iconha_tui.engine.journal import Journal
from iconha_tui.engine.ports import Completed
from iconha_tui.engine.step import Done, Needed
from iconha_tui.errors import Trouble
from iconha_tui.spec import Corosync, Spec

from .fakes import ONE, TWO, Wants, World

EVERY: list[Event] = [
    RunStarted(["corosync"], "run", "0.1.0"),
    StageStarted("corosync"),
    StepStarted("corosync", "corosync.a", "A title — with “signs”"),
    Probed("corosync", "corosync.a", ONE, "probe", "needed", "missing"),
    ActionStarted("corosync", "corosync.a", ONE, 1, 2, "echo\nx", "because"),
    Output("corosync", "corosync.a", ONE, ["a", "b"]),
    ActionFinished("corosync", "corosync.a", ONE, 1, 0.5, 0),
    ActionStopped("corosync", "corosync.a", ONE, 2, "running", "x is left running on the node."),
    Waiting("corosync", "corosync.a", ONE, "not yet", 3.0),
    StepFinished("corosync", "corosync.a", "failed", True, 1.0, "no", ONE, "echo", "tail", "do"),
    StageFinished("corosync", "failed", True, 1.0),
    RunFinished("failed", True, 1.0),
]


def write(folder: Path, *events: Event) -> Path:
    book = Journal(folder)
    for event in events:
        book(event)
    book.close()
    return folder / "journal.jsonl"


def after(*events: Event) -> journal.Progress:
    return journal.fold((float(number), event) for number, event in enumerate(events))


def test_every_kind_of_event_survives_the_way_through_json() -> None:
    assert {type(event).__name__ for event in EVERY} == set(KINDS)
    for event in EVERY:
        assert from_dict(json.loads(json.dumps(to_dict(event, 1.0)))) == event


def test_the_journal_keeps_all_but_output_and_waiting(tmp_path: Path) -> None:
    path = write(tmp_path, *EVERY)
    kept = [event for event in EVERY if not isinstance(event, Output | Waiting)]
    assert [event for _, event in journal.read(path)] == kept


def test_the_transcript_has_each_step_command_and_exit_code_with_its_time(tmp_path: Path) -> None:
    write(tmp_path, *EVERY)
    lines = (tmp_path / "transcript.log").read_text().splitlines()
    assert all(re.match(r"\d\d:\d\d:\d\d ", line) for line in lines)
    first, *rest = [line.partition(" ")[2] for line in lines]
    assert re.fullmatch(r"== \d{4}-\d\d-\d\d [\d:]{8} [+-]\d{4}: iconha-tui 0\.1\.0 runs corosync", first)
    assert rest == [
        "== stage corosync",
        "== step corosync.a: A title — with “signs”",
        "PRep-01 ? needed: missing",
        "PRep-01 $ echo",
        "PRep-01 > x",
        "PRep-01 | a",
        "PRep-01 | b",
        "PRep-01 = exit code 0, after 0.5 s",
        "PRep-01 = x is left running on the node.",
        "== step corosync.a: failed, after 1.0 s",
        "PRep-01 == no",
        "== stage corosync: failed, after 1.0 s",
        "== the run has ended: failed, after 1.0 s",
    ]


def test_a_command_that_fails_leaves_its_exit_code_on_every_node(tmp_path: Path) -> None:
    world = World()
    for node, code in ((ONE, 1), (TWO, -1)):
        world.nodes[node].answer = lambda _node, argv, code=code: Completed(code, "", "")
    world.on_event = Journal(tmp_path)  # type: ignore[method-assign]
    stop = Wants(
        targets=[ONE, TWO],
        probe=lambda ctx, target: Needed(""),
        plan=lambda view, target: [Run(target, ("systemctl", "stop", "pacemaker"))],
    )
    assert world.run(stop).outcome == "failed"
    told = [line.partition(" ")[2] for line in (tmp_path / "transcript.log").read_text().splitlines()]
    for node, ended in ((ONE, "exit code 1"), (TWO, "no exit code")):
        command = told.index(f"{node} $ systemctl stop pacemaker")
        assert any(line.startswith(f"{node} = {ended}, after ") for line in told[command:])


def test_a_run_after_a_run_appends(tmp_path: Path) -> None:
    write(tmp_path, EVERY[0])
    assert len(list(journal.read(write(tmp_path, EVERY[1])))) == 2


def test_an_action_is_on_disk_before_it_is_carried_out(tmp_path: Path) -> None:
    world = World()
    book = Journal(tmp_path)
    found: list[str] = []

    def answer(node: str, argv: tuple[str, ...]) -> Completed:
        *_, (_, last) = journal.read(tmp_path / "journal.jsonl")
        assert isinstance(last, ActionStarted)
        found.append(last.shown)
        return Completed(0, "", "")

    world.nodes[ONE].answer = answer
    world.on_event = book  # type: ignore[method-assign]
    step = Wants(
        targets=[ONE],
        probe=lambda ctx, target: Needed(""),
        plan=lambda view, target: [Run(target, ("first",)), Run(target, ("second",))],
        verify=lambda ctx, target: Done(""),
    )
    assert world.run(step).outcome == "done"
    assert found == ["first", "second"]
    book.close()


def test_both_files_are_the_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        write(tmp_path, *EVERY)
    finally:
        os.umask(old)
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {
        "journal.jsonl": 0o600,
        "transcript.log": 0o600,
    }


def test_a_link_in_the_journals_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("mine")
    (tmp_path / "journal.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Trouble, match="it is a symbolic link"):
        Journal(tmp_path)
    assert (tmp_path / "elsewhere").read_text() == "mine"


def test_a_line_that_lacks_its_end_alone_is_ended_by_the_next_run(tmp_path: Path) -> None:
    path = write(tmp_path, EVERY[0])
    path.write_bytes(path.read_bytes()[:-1])
    write(tmp_path, EVERY[-1])
    assert [event for _, event in journal.read(path)] == [EVERY[0], EVERY[-1]]


@pytest.mark.parametrize("cut", [2, 10, 40])
def test_a_line_that_a_crash_has_cut_costs_that_line_alone(tmp_path: Path, cut: int) -> None:
    path = write(tmp_path, EVERY[0], EVERY[1])
    path.write_bytes(path.read_bytes()[:-cut])
    write(tmp_path, EVERY[-1])
    assert [event for _, event in journal.read(path)] == [EVERY[0], EVERY[-1]]


STRANGE = [
    '{"event": "Teleported", "at": 1, "where": "moon"}',
    '{"event": "StageStarted", "at": 1, "stage": "x", "colour": "red"}',
    '{"event": "StageStarted", "at": 1}',
    '{"event": "StageStarted", "at": null, "stage": "x"}',
    '{"event": "StageStarted", "at": "noon", "stage": "x"}',
    "[1, 2]",
    "null",
    "not json",
    "",
    "\x00\x00",
    "[" * 100_000,
]


@pytest.mark.parametrize("line", STRANGE, ids=lambda each: each[:30])
def test_a_line_of_a_later_version_or_of_a_broken_disk_is_passed_over(tmp_path: Path, line: str) -> None:
    path = write(tmp_path, EVERY[0])
    with path.open("a") as file:
        file.write(line + "\n")
    write(tmp_path, EVERY[-1])
    assert [event for _, event in journal.read(path)] == [EVERY[0], EVERY[-1]]


def test_bytes_that_are_no_text_are_passed_over(tmp_path: Path) -> None:
    path = write(tmp_path, EVERY[0])
    with path.open("ab") as file:
        file.write(b"\xff\xfe\x00\n")
    assert len(list(journal.read(path))) == 1


def test_no_journal_is_no_progress_and_an_unreadable_one_is_said(tmp_path: Path) -> None:
    assert journal.fold(journal.read(tmp_path / "journal.jsonl")) == journal.Progress()
    (tmp_path / "journal.jsonl").mkdir()
    with pytest.raises(Trouble, match="it is no ordinary file"):
        list(journal.read(tmp_path / "journal.jsonl"))


def test_a_run_that_was_killed_is_interrupted_where_it_stood() -> None:
    progress = after(
        RunStarted(["packages", "corosync"]),
        StageStarted("packages"),
        StageFinished("packages", "done", True, 8.0),
        StageStarted("corosync"),
        StepStarted("corosync", "corosync.conf", "corosync.conf is in place"),
    )
    assert progress.interrupted
    assert progress.stage("packages").state == "done"
    assert (progress.stage("corosync").state, progress.stage("corosync").step) == (
        "running",
        "corosync.conf is in place",
    )
    assert progress.stage("pacemaker").state == "todo"


def test_a_run_that_ended_is_not_interrupted_and_its_failure_is_kept() -> None:
    progress = after(*EVERY)
    assert not progress.interrupted
    assert progress.outcome == "failed"
    assert progress.failure == EVERY[9]
    assert progress.stage("corosync").state == "failed"


def test_a_later_run_clears_the_failure_and_keeps_what_the_change_took() -> None:
    progress = after(
        *EVERY,
        RunStarted(["corosync"]),
        StageStarted("corosync"),
        StageFinished("corosync", "done", True, 20.0),
        RunFinished("done", True, 20.0),
        RunStarted(["corosync"]),
        StageStarted("corosync"),
        StageFinished("corosync", "done", False, 0.1),
        RunFinished("done", False, 0.1),
    )
    assert progress.failure is None
    assert progress.stage("corosync").state == "done"
    assert progress.stage("corosync").seconds == 20.0, "the time of the work, not of the look after it"
    assert progress.stage("corosync").changed


def test_a_survey_marks_the_stage_that_has_work_left() -> None:
    progress = after(
        RunStarted(["corosync"], "survey"),
        StageStarted("corosync"),
        StageFinished("corosync", "todo", False, 0.1),
        RunFinished("todo", False, 0.1),
    )
    assert progress.stage("corosync").state == "todo"
    assert progress.outcome == "todo"


KILLED = [
    RunStarted(["packages", "corosync", "pacemaker"]),
    StageStarted("packages"),
    StageFinished("packages", "done", True, 8.0),
    StageStarted("corosync"),
    StepStarted("corosync", "corosync.conf", "corosync.conf is in place"),
    ActionStarted("corosync", "corosync.conf", "PRep-01", 1, 2, "corosync -t", "judges it"),
    ActionStarted("corosync", "corosync.conf", "PRep-02", 1, 2, "corosync -t", "judges it"),
    ActionFinished("corosync", "corosync.conf", "PRep-01", 1, 0.1, 0),
]


def looked(outcome: Outcome) -> list[Event]:
    return [
        RunStarted(["packages", "corosync", "pacemaker"], "survey"),
        StageStarted("packages"),
        StageFinished("packages", outcome, False, 0.1),
        RunFinished(outcome, False, 0.1),
    ]


def test_a_run_that_was_killed_says_what_it_was_at_on_which_node() -> None:
    progress = after(*KILLED)
    assert (progress.work.stage, progress.work.step) == ("corosync", "corosync.conf is in place")
    assert progress.work.doing == {"PRep-02": "corosync -t"}
    assert progress.work.at == progress.last


def test_a_look_afterwards_does_not_hide_that_a_run_was_killed() -> None:
    progress = after(*KILLED, *looked("todo"))
    assert progress.interrupted
    assert progress.work.doing == {"PRep-02": "corosync -t"}
    assert not after(*KILLED, *looked("done")).interrupted, "unless there is nothing left to do"
    assert not after(*looked("todo")[:2]).interrupted, "a look that was killed has left nothing half done"


def test_what_builds_on_a_stage_that_has_work_to_do_again_does_not_count_as_done() -> None:
    done = [StageFinished(name, "done", True, 8.0) for name in ("packages", "corosync", "pacemaker")]
    progress = after(RunStarted(["packages", "corosync", "pacemaker"]), *done, RunFinished("done", True, 24.0))
    for event in looked("todo"):
        progress.take(99.0, event)
    assert [progress.stage(name).state for name in ("packages", "corosync", "pacemaker")] == ["todo"] * 3
    assert progress.stage("corosync").worked < 99.0, "when the work was done is still known"
    for event in looked("blocked"):
        progress.take(99.0, event)
    assert progress.stage("corosync").state == "todo"


def passed(settings: str, outcome: Outcome = "done") -> list[Event]:
    return [
        RunStarted(["corosync"]),
        StageStarted("corosync"),
        StageFinished("corosync", outcome, True, 8.0, settings),
        RunFinished(outcome, True, 8.0),
    ]


def test_a_stage_whose_settings_were_changed_since_it_passed_is_not_done() -> None:
    spec, other = Spec(), Spec(corosync=Corosync(token_ms=3000))
    progress = after(*passed(spec.settings_digest("corosync")))
    assert progress.state_under("corosync", spec) == "done"
    assert progress.state_under("corosync", other) == "changed"
    assert progress.state_under("pacemaker", other) == "todo"
    for event in passed(other.settings_digest("corosync")):
        progress.take(99.0, event)
    assert progress.state_under("corosync", other) == "done", "it was applied"
    assert progress.state_under("corosync", spec) == "changed", "and would be to take back"


def test_only_what_has_passed_can_be_changed_since() -> None:
    other = Spec(corosync=Corosync(token_ms=3000))
    assert after(*passed(Spec().settings_digest("corosync"), "failed")).state_under("corosync", other) == "failed"
    assert after(*passed("")).state_under("corosync", other) == "done", "a journal of an older version keeps no digest"


def test_how_long_a_step_waits_and_what_it_may_replace_is_not_applied_to_the_pair() -> None:
    patient = Spec(corosync=Corosync(settle=300, replace="0123456789abcdef"))
    assert patient.settings_digest("corosync") == Spec().settings_digest("corosync")


def test_a_pair_that_does_not_serve_after_the_last_stage_fails_that_stage() -> None:
    *before, stage, end = passed("")
    late = StepFinished("corosync", "pair.serves", "failed", False, 1.0, "Nobody holds the address.")
    progress = after(*before, late, replace(stage, outcome="failed"), replace(end, outcome="failed"))
    assert progress.stage("corosync").state == "failed"
    assert progress.failure == late
