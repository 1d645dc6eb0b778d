"""A run without a screen checks before the first change of all, tells every finding, and stops where one stands in the way."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Collection, Iterator
from pathlib import Path
from threading import Event as Flag
from typing import Any

import pytest
from waiting import BOUND

from iconha_tui import cli, lines
from iconha_tui.engine.events import ActionStarted, Event, RunFinished, RunStarted, StageStarted
from iconha_tui.engine.journal import Journal, fold
from iconha_tui.engine.step import Context
from iconha_tui.errors import Cancelled
from iconha_tui.preflight import Found, is_due, look
from iconha_tui.session import Session
from iconha_tui.spec import Spec, dumps
from iconha_tui.stages import STAGES
from iconha_tui.store import Store

WELL = Found("AWS", "AWS knows you", "done", "account 1")
WARNING = Found("PRep-01", "apt", "warning", "it is held", "A run waits for it.")
BAD = Found("PRep-02", "Disk", "stands_in_the_way", "/var is full", "Make room.", "instances", "instances.volume_gib")


class World:
    """What the program is given in place of AWS and nodes. found: what is found. skipped: by the look; ran: the run's stages."""

    def __init__(self) -> None:
        self.found: list[Found] = [WELL]
        self.looks = 0
        self.skipped: list[str] = []
        self.ran: list[list[str]] = []


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()

    def looking(session: Session, skip: Collection[str] = ()) -> Iterator[Found]:
        world.looks += 1
        world.skipped = list(skip)
        yield from world.found

    def run(stages: Any, *_: Any) -> RunFinished:
        world.ran.append([stage.name for stage in stages])
        return RunFinished("failed", False, 0.0)

    monkeypatch.setattr(lines, "look", looking)
    monkeypatch.setattr("iconha_tui.control.run_controller.runner.run", run)
    return world


@pytest.fixture
def spec(tmp_path: Path) -> str:
    path = tmp_path / "spec.toml"
    path.write_text(dumps(Spec(name="one")))
    return str(path)


def program(tmp_path: Path, *args: str) -> int:
    return cli.main(["--state-dir", str(tmp_path / "state"), *args])


def test_what_stands_in_the_way_stops_before_anything_is_changed_and_all_is_told(
    world: World, tmp_path: Path, spec: str, capsys: pytest.CaptureFixture[str]
) -> None:
    world.found = [WELL, WARNING, BAD]
    assert program(tmp_path, "run", spec, "--yes") == 3
    assert world.ran == []
    said = capsys.readouterr().out
    for words in (
        "AWS: AWS knows you: account 1",
        "A run waits for it.",
        "stands in the way PRep-02: Disk: /var is full",
        "Make room.",
        "1 to be settled first.",
    ):
        assert words in said


def test_a_warning_is_told_and_the_run_goes_on(
    world: World, tmp_path: Path, spec: str, capsys: pytest.CaptureFixture[str]
) -> None:
    world.found = [WARNING]
    assert program(tmp_path, "run", spec, "--yes", "--skip", "instances.rules") == 1
    assert len(world.ran) == 1
    assert world.skipped == ["instances.rules"]
    assert "it is held" in capsys.readouterr().out


def test_findings_are_events_of_their_own(
    world: World, tmp_path: Path, spec: str, capsys: pytest.CaptureFixture[str]
) -> None:
    world.found = [BAD]
    assert program(tmp_path, "run", spec, "--yes", "--json") == 3
    assert program(tmp_path, "check", spec, "--json") == 3
    for line in capsys.readouterr().out.splitlines():
        told = json.loads(line)
        assert told.pop("at") > 0
        assert told == {
            "event": "Found", "where": "PRep-02", "what": "Disk", "state": "stands_in_the_way", "text": "/var is full",
            "remedy": "Make room.", "stage": "instances", "field": "instances.volume_gib", "code": "",
        }  # fmt: skip


@pytest.mark.parametrize("options", [("--no-check",), ("--until", "credentials")])
def test_it_is_left_out_by_an_option_and_where_nothing_would_be_changed(
    world: World, tmp_path: Path, spec: str, options: tuple[str, ...]
) -> None:
    world.found = [BAD]
    assert program(tmp_path, "run", spec, "--yes", *options) == 1
    assert (world.looks, len(world.ran)) == (0, 1)


ACTED: list[Event] = [
    RunStarted(["instances"]),
    StageStarted("instances"),
    ActionStarted("instances", "instances.group", "aws", 1, 1, "ec2 create_security_group", ""),
]


def test_a_cluster_in_which_something_was_done_is_not_checked_again(world: World, tmp_path: Path, spec: str) -> None:
    store = Store(tmp_path / "state")
    journal = Journal(store.make("one"))
    for event in ACTED:
        journal(event)
    journal.close()
    world.found = [BAD]
    assert program(tmp_path, "run", spec, "--yes") == 1
    assert world.looks == 0


def test_who_works_on_the_cluster_is_told_before_anything_is_looked_at(world: World, tmp_path: Path, spec: str) -> None:
    with Store(tmp_path / "state").lock("one"):
        assert program(tmp_path, "run", spec, "--yes") == 4
    assert world.looks == 0


def test_ctrl_c_ends_the_check_and_nothing_was_begun(tmp_path: Path, spec: str) -> None:
    script = f"""
    import os, signal, sys
    from iconha_tui import cli
    from iconha_tui.engine.step import Done
    from iconha_tui.stages import credentials
    def probe(self, ctx, target):
        os.kill(os.getpid(), signal.SIGINT)
        assert ctx.cancel.wait({BOUND})
        return Done("")
    credentials.Identity.probe = probe
    sys.exit(cli.main(["--state-dir", {str(tmp_path / "state")!r}, "run", {spec!r}, "--yes"]))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=BOUND, check=False
    )
    assert done.returncode == 130, done.stderr
    assert "Stopped by the operator; nothing was changed." in done.stderr
    assert not Store(tmp_path / "state").progress("one").last


def test_looks_and_runs_that_changed_nothing_leave_the_check_due() -> None:
    only_looked = fold((1.0, event) for event in ACTED[:2])
    assert is_due(only_looked, STAGES, Spec())
    assert not is_due(only_looked, STAGES[:1], Spec())
    assert not is_due(fold((1.0, event) for event in ACTED), STAGES, Spec())


def test_a_stop_is_heard_between_two_findings_and_holds_for_no_run_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session(Store(tmp_path), Spec(), confirm_host_key=lambda *_: False)

    def account(ctx: Context, skip: Collection[str]) -> Iterator[Found]:
        yield WELL
        yield WARNING

    monkeypatch.setattr("iconha_tui.preflight.account.look", account)
    found = look(session)
    assert next(found) == WELL
    session.cancel()
    with pytest.raises(Cancelled):
        next(found)
    assert not session.ctx.cancel.is_set()


def test_both_nodes_are_looked_at_at_the_same_time_and_one_name_for_both_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session(Store(tmp_path), Spec(), confirm_host_key=lambda *_: False)
    both = {name: Flag() for name in session.spec.names}

    def there(ctx: Context, node: str) -> Iterator[Found]:
        both[node].set()
        assert all(each.wait(BOUND) for each in both.values())
        ctx.learn({f"{node}.hostname": "prep"})
        yield Found(node, "SSH and sudo", "done", "Ubuntu")

    monkeypatch.setattr("iconha_tui.preflight.account.look", lambda ctx, skip: iter(()))
    monkeypatch.setattr("iconha_tui.preflight.node.look", there)
    session.ctx.learn({f"{name}.state": "running" for name in session.spec.names})
    found = list(look(session))
    assert [each.where for each in found] == ["PRep-01", "PRep-02", "PRep-01 and PRep-02"]
    assert (found[-1].state, found[-1].text) == ("warning", "both are called prep")
