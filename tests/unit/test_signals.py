"""The signals of a run without a screen: what each does to the run, to a long command on a node, and what is said."""

from __future__ import annotations

import atexit
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from waiting import BOUND

from iconha_tui import signals
from iconha_tui.control.run_controller import RunController
from iconha_tui.engine.cancel import Cancel
from iconha_tui.engine.events import (
    ActionFinished,
    ActionStarted,
    ActionStopped,
    Event,
    Output,
    RunFinished,
    RunStarted,
)
from iconha_tui.lines import Lines
from iconha_tui.session import Session
from iconha_tui.signals import Signals
from iconha_tui.spec import Spec
from iconha_tui.store import Store

RUN = RunStarted(["packages"])
LONG = [ActionStarted("packages", "packages.install", f"PRep-0{n}", 1, 1, "apt-get", "", long=True) for n in (1, 2)]
ENDED = [ActionFinished("packages", "packages.install", f"PRep-0{n}", 1, 1.0, 0) for n in (1, 2)]
Send = Callable[[signal.Signals], None]


@pytest.fixture
def handlers(monkeypatch: pytest.MonkeyPatch) -> dict[int, Any]:
    """What is asked for at each signal; nothing is installed in this process."""
    found: dict[int, Any] = {}
    monkeypatch.setattr(signal, "signal", found.__setitem__)
    monkeypatch.setattr(atexit, "register", lambda _: None)
    return found


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(Store(tmp_path), Spec(), confirm_host_key=lambda *_: False)


@pytest.fixture
def run(session: Session, handlers: dict[int, Any]) -> Callable[[Event], None]:
    """A run that is going on: what it reports."""
    controller = RunController(session, look=None)
    Signals(controller)
    controller._progress.take(0.0, RUN)
    return lambda event: controller._progress.take(0.0, event)


@pytest.fixture
def send(handlers: dict[int, Any]) -> Send:
    def come(number: signal.Signals) -> None:
        handlers[number](number, None)

    return come


def state(cancel: Cancel) -> tuple[bool, bool, bool]:
    """Whether the run is stopped, whether it is decided what becomes of a long command, and whether that one is stopped."""
    return cancel.is_set(), cancel.decided.is_set(), cancel.stop_long


@pytest.mark.parametrize("number", signals.ALL, ids=lambda number: number.name)
def test_without_a_long_command_any_signal_stops_the_run_at_once_and_the_next_one_the_program(
    run: Callable[[Event], None], session: Session, send: Send, handlers: dict[int, Any], number: signal.Signals
) -> None:
    for event in (*LONG, *ENDED):
        run(event)
    send(number)
    assert state(session.ctx.cancel) == (True, True, False)
    assert set(handlers.values()) == {signal.SIG_DFL}


@pytest.mark.parametrize("number", signals.ALL, ids=lambda number: number.name)
def test_a_signal_that_comes_as_the_program_ends_does_not_change_its_exit_code(number: signal.Signals) -> None:
    """An object that is destroyed last sends it, when Python has taken its own handlers away."""
    program = f"""
import os
from iconha_tui.signals import Signals
class Last:
    def __del__(self): os.kill(os.getpid(), {number:d})
last = Last()
Signals(None)
raise SystemExit(3)
"""
    assert subprocess.run([sys.executable, "-c", program], timeout=BOUND, check=False).returncode == 3


def test_one_ctrl_c_leaves_a_long_command_running_after_a_while(
    run: Callable[[Event], None],
    session: Session,
    send: Send,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(signals, "WAIT", 0.05)
    for event in LONG:
        run(event)
    send(signal.SIGINT)
    assert session.ctx.cancel.is_set(), "nothing more is begun"
    assert session.ctx.cancel.decided.wait(BOUND)
    assert state(session.ctx.cancel) == (True, True, False)
    said = capfd.readouterr().err
    assert "A long command is left running on PRep-01 and PRep-02; Ctrl+C again within" in said
    send(signal.SIGINT)
    assert not session.ctx.cancel.stop_long, "it came too late"
    assert capfd.readouterr().err == ""


def test_a_second_ctrl_c_stops_it_on_the_nodes_too(
    run: Callable[[Event], None],
    session: Session,
    send: Send,
    handlers: dict[int, Any],
    capfd: pytest.CaptureFixture[str],
) -> None:
    for event in LONG:
        run(event)
    send(signal.SIGINT)
    assert state(session.ctx.cancel) == (True, False, False)
    send(signal.SIGINT)
    assert state(session.ctx.cancel) == (True, True, True)
    assert "Stopping what runs on PRep-01 and PRep-02." in capfd.readouterr().err
    assert handlers[signal.SIGINT] == signal.SIG_DFL


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
@pytest.mark.parametrize("after", [(), (signal.SIGINT,)], ids=["alone", "after Ctrl+C"])
def test_a_lost_terminal_and_a_shutdown_leave_a_long_command_running(
    run: Callable[[Event], None],
    session: Session,
    send: Send,
    number: signal.Signals,
    after: tuple[signal.Signals, ...],
) -> None:
    for event in LONG:
        run(event)
    for each in (*after, number):
        send(each)
    assert state(session.ctx.cancel) == (True, True, False)


def test_the_last_line_says_what_has_become_of_it_on_each_node(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines()
    lines(ActionStopped("packages", "packages.install", "PRep-02", 1, "stopped", "a.service was stopped on the node."))
    lines(
        ActionStopped("packages", "packages.install", "PRep-01", 1, "running", "b.service is left running on the node.")
    )
    lines(Output("packages", "packages.install", "PRep-01", ["x"]))
    lines(RunFinished("cancelled", False, 1.0))
    assert capsys.readouterr().out.splitlines()[-1] == (
        "Stopped. Run again to go on from here. PRep-01: b.service is left running on the node. "
        "PRep-02: a.service was stopped on the node."
    )
