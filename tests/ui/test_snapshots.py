"""Screens as pictures, at both sizes, with every clock stopped."""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from iconha_tui.app import IconhaApp
from iconha_tui.screens.status import StatusScreen
from iconha_tui.spec import Spec
from iconha_tui.store import Store

from .conftest import begin, press, run_stage, until
from .fakes import TITLES, World

Make = Callable[..., IconhaApp]
Snap = Callable[..., bool]

STATUS = {
    "verdict": "degraded",
    "agree": False,
    "missing": ["PRep-02: SSH does not answer."],
    "nodes": [
        {
            "name": "PRep-01",
            "online": True,
            "joined": True,
            "dc": True,
            "instance_id": "i-0123456789abcdef0",
            "instance_state": "running",
            "private_ip": "10.0.0.11",
            "uptime_s": 4000,
            "load": 0.1,
            "ports": {"7100": True, "9000": False},
        },
        {"name": "PRep-02", "online": False, "joined": False, "answers": False},
    ],
    "quorate": True,
    "quorum_flags": ["2Node", "WaitForAll"],
    "resources": [{"id": "elastic-ip", "role": "Started", "node": "PRep-01", "failcounts": {"PRep-02": 1}}],
    "failures": ["monitor on PRep-02: timed out (Mon Nov 23 10:00:00 2026)"],
    "elastic_ip": "203.0.113.10",
    "holder_by_ec2": "PRep-01",
    "holder_by_cluster": "PRep-02",
}


@pytest.fixture(autouse=True)
def stopped_clocks(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("step_list", "rail", "run_state"):
        monkeypatch.setattr(f"iconha_tui.widgets.{module}.duration", lambda _: "1.2 s")
    for module in ("screens.stage", "screens.resume", "screens.summary", "live_run"):
        monkeypatch.setattr(f"iconha_tui.{module}.duration", lambda _: "1.2 s")
    monkeypatch.setattr(IconhaApp, "transcript", Path("/state/clusters/icon/transcript.log"))
    monkeypatch.setattr("iconha_tui.screens.status.time", SimpleNamespace(monotonic=lambda: 0.0))


@pytest.fixture
def picture(snap_compare: Snap, size: tuple[int, int]) -> Callable[[IconhaApp, Callable[[Any], Awaitable[None]]], bool]:
    def compare(app: IconhaApp, walk: Callable[[Any], Awaitable[None]]) -> bool:
        return snap_compare(app, terminal_size=size, run_before=walk)

    return compare


def test_welcome(wizard: Make, store: Store, picture: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fixed = SimpleNamespace(strftime=lambda *_: "2026-11-23 10:00", localtime=lambda _: None)
    monkeypatch.setattr("iconha_tui.screens.welcome.time", fixed)
    runs = {
        "main": [
            {"event": "RunStarted", "stages": ["credentials"]},
            {"event": "StageStarted", "stage": "credentials"},
            {"event": "StageFinished", "stage": "credentials", "outcome": "done", "changed": False, "seconds": 1.0},
            {"event": "StageStarted", "stage": "instances"},
        ],
        "spare": [],
    }
    for age, (name, events) in enumerate(runs.items()):
        store.save(Spec(name=name))
        journal = store.folder(name) / "journal.jsonl"
        journal.write_text("".join(json.dumps({"at": 0.0, **event}) + "\n" for event in events))
        os.utime(journal, (1000 - age, 1000 - age))

    async def walk(pilot: Any) -> None:
        await until(pilot, lambda: pilot.app.screen.query_one("#saved").row_count == 2)

    assert picture(wizard(), walk)


def test_a_form(wizard: Make, picture: Any) -> None:
    async def walk(pilot: Any) -> None:
        await begin(pilot)
        await press(pilot, "f8", "right", "tab", "tab", "x")
        pilot.app.screen.query_one("Input:focus").cursor_blink = False

    assert picture(wizard(), walk)


def test_the_commands_before_they_run(wizard: Make, picture: Any) -> None:
    async def walk(pilot: Any) -> None:
        await begin(pilot)
        await press(pilot, "f8", "f3")

    assert picture(wizard(), walk)


def test_the_editor(wizard: Make, picture: Any) -> None:
    async def walk(pilot: Any) -> None:
        await begin(pilot)
        pilot.app.session.ctx.learn({"PRep-01.private_ip": "10.0.0.11", "PRep-02.private_ip": "10.0.0.12"})
        await press(pilot, *["f8"] * 4)
        area = pilot.app.screen.query("ConfArea").first()
        area.cursor_blink = False
        area.focus()
        await press(pilot, "down", "x")
        await until(pilot, lambda: pilot.app.spec.corosync.conf)
        pilot.app.screen.query_one("#settings").scroll_end(animate=False)
        await pilot.pause(0.3)

    assert picture(wizard(), walk)


def test_a_run(wizard: Make, world: World, picture: Any) -> None:
    async def walk(pilot: Any) -> None:
        await begin(pilot)
        await run_stage(pilot)
        world.gate.clear()
        await press(pilot, "f8", "f5")
        await until(pilot, lambda: len(world.commands) == 2)
        await pilot.pause(1.2)

    app = wizard()
    assert picture(app, walk)
    world.gate.set()


def test_a_failure(wizard: Make, world: World, picture: Any) -> None:
    world.broken.add("packages-b")

    async def walk(pilot: Any) -> None:
        await begin(pilot)
        await run_stage(pilot)
        await press(pilot, "f8", "f8")
        await run_stage(pilot)
        await pilot.pause(0.5)

    assert picture(wizard(), walk)


def test_the_summary(wizard: Make, picture: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    told = (
        "# icon: the pair is up\n\n| | PRep-01 | PRep-02 |\n|---|---|---|\n| system | Ubuntu | Ubuntu |\n\n- It is up."
    )
    monkeypatch.setattr("iconha_tui.summary.summary_markdown", lambda *_: told)

    async def walk(pilot: Any) -> None:
        await begin(pilot)
        for _ in TITLES:
            await run_stage(pilot)
            await press(pilot, "f8")
        await pilot.pause(0.5)

    assert picture(wizard(), walk)


def test_the_status(wizard: Make, store: Store, world: World, picture: Any) -> None:
    async def walk(pilot: Any) -> None:
        session = world.session(store, Spec(), lambda *_: False)
        pilot.app.push_screen(StatusScreen(session, lambda _: STATUS))
        await until(pilot, lambda: "degraded" in pilot.app.screen.query_one("#status").plain)
        await pilot.pause(0.3)

    assert picture(wizard(), walk)
