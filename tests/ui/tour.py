"""A walk by keys over every screen of the wizard, for tests of what must hold on all of them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from piloted import press, until

from iconha_tui.app import IconhaApp
from iconha_tui.preflight import Found
from iconha_tui.screens.base import Dialog, Page, WizardScreen
from iconha_tui.screens.conf_diff import Differences
from iconha_tui.screens.preflight import Preflight
from iconha_tui.screens.status import StatusScreen
from iconha_tui.screens.transcript import TranscriptScreen
from iconha_tui.spec import Spec
from iconha_tui.store import Store

from .conftest import begin, run_stage, shows
from .fakes import TITLES, World

FINDINGS = [
    Found("AWS", "AWS knows you", "done", "account 123456789012"),
    Found("PRep-01", "apt", "warning", "process 812 holds /var/lib/dpkg/lock", "A run waits for it."),
    Found(
        "PRep-02",
        "Corosync's port",
        "stands_in_the_way",
        "udp 5405 is held by named",
        "End it.",
        "packages",
        "packages.shell",
    ),
    Found("PRep-02", "The machine", "will_be_made", "it does not exist yet"),
]


def save_a_cluster(store: Store) -> None:
    """One that was interrupted in its second stage."""
    store.save(Spec(name="main"))
    events: list[dict[str, Any]] = [
        {"event": "RunStarted", "stages": ["credentials"]},
        {"event": "StageStarted", "stage": "credentials"},
        {"event": "StageFinished", "stage": "credentials", "outcome": "done", "changed": False, "seconds": 1.0},
        {"event": "StageStarted", "stage": "instances"},
    ]
    journal = store.folder("main") / "journal.jsonl"
    journal.write_text("".join(json.dumps({"at": 0.0, **event}) + "\n" for event in events))


async def tour(pilot: Any, world: World) -> AsyncIterator[str]:
    """Stops at every screen, and says where. A cluster is saved; the stop must leave the screen as it was."""
    app: IconhaApp = pilot.app
    await shows(pilot, "Saved clusters")
    yield "welcome"
    for key, name in (("f1", "help"), ("question_mark", "keys"), ("n", "name"), ("d", "forget")):
        await press(pilot, key)
        yield name
        await press(pilot, "escape")
    await press(pilot, "s")
    await until(pilot, lambda: isinstance(app.screen, StatusScreen))
    yield "status"
    await press(pilot, "escape")
    await begin(pilot)
    for number, stage in enumerate(TITLES):
        yield f"{stage} settings"
        if stage == "credentials":
            async for name in _checked(pilot):
                yield name
        if stage == "corosync":
            async for name in _editor(pilot):
                yield name
        await press(pilot, "f3")
        yield f"{stage} commands"
        await press(pilot, "f4")
        yield f"{stage} progress"
        if stage == "instances":
            async for name in _troubled(pilot, world):
                yield name
        await press(pilot, "f2")
        if number < 2:
            await run_stage(pilot)
        await press(pilot, "f8")
    await until(pilot, lambda: app.screen.query("#summary-page"))
    yield "summary"
    await press(pilot, "escape")
    await until(pilot, lambda: len(app.screen_stack) == 1)
    app.pages.show_status()
    await until(pilot, lambda: app.screen.query("#status-table"))
    yield "status of all"
    await press(pilot, "escape")
    app.work.open_named("icon")
    await until(pilot, lambda: app.screen.query("#resume") and not app.work.busy)
    yield "resume"
    await press(pilot, "escape")


async def _checked(pilot: Any) -> AsyncIterator[str]:
    """What a check before the run has found."""
    app: IconhaApp = pilot.app
    app.cluster.controller._look = lambda *_: iter(FINDINGS)
    await press(pilot, "f10")
    await until(pilot, lambda: isinstance(app.screen, Preflight) and not app.work.busy)
    yield "check"
    await press(pilot, "escape")
    app.cluster.controller._look = None  # nothing stands before the first change in what follows


async def _editor(pilot: Any) -> AsyncIterator[str]:
    """The files, and what one of them changes."""
    await press(pilot, "f6")
    await until(pilot, lambda: pilot.app.screen.query("ConfArea:focus"))
    yield "editor"
    await press(pilot, "ctrl+d")
    await until(pilot, lambda: isinstance(pilot.app.screen, Differences))
    yield "differences"
    await press(pilot, "escape", "escape")


async def _troubled(pilot: Any, world: World) -> AsyncIterator[str]:
    """A stage that runs, that asks, and that fails."""
    app: IconhaApp = pilot.app
    world.gate.clear()
    seen = len(world.commands)
    await press(pilot, "f5")
    await until(pilot, lambda: len(world.commands) >= seen + 2 and len(app.cluster.controller.long) == 2)
    yield "run"
    await press(pilot, "f9")
    yield "stop?"
    await press(pilot, "escape")
    world.broken.add("instances-b")
    world.gate.set()
    await until(pilot, lambda: not app.work.busy and not app.screen.query("Field Input:disabled"))
    yield "failure"
    await press(pilot, "z")
    yield "one output alone"
    await press(pilot, "slash")
    yield "search"
    await press(pilot, "escape", "z", "t")
    await until(pilot, lambda: isinstance(app.screen, TranscriptScreen))
    yield "transcript"
    await press(pilot, "escape")
    world.broken.clear()
    await press(pilot, "f3", "f2")
    await until(pilot, lambda: app.screen.query("Choices:focus"))
    await press(pilot, "right", "tab", "tab", "f6")
    await until(pilot, lambda: app.screen.query("DataTable") and app.screen.query_one("DataTable").display)
    yield "live list"
    await press(pilot, "escape", "shift+tab", "shift+tab", "left")


def screens() -> set[type]:
    """Every screen that the program has."""
    found: set[type] = set()
    new: list[type] = [WizardScreen, Dialog]
    while new:
        kind = new.pop()
        found.add(kind)
        new += [heir for heir in kind.__subclasses__() if heir not in found]
    return found - {WizardScreen, Dialog, Page}
