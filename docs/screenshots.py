"""Draws docs/*.svg from the real app: `make screenshots`. The tests compare the same walk, at more sizes and in more looks."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), *(str(HERE.parent / "tests" / part) for part in ("unit", "lab"))]

from pictured import FOUND, ONE, Clock, Pictured, stopped_clocks  # noqa: E402
from piloted import press as pressed  # noqa: E402
from piloted import rest, until  # noqa: E402
from status_world import TWO, Pair, PairEyes  # noqa: E402
from textual.widgets import TabbedContent  # noqa: E402

from iconha_tui.app import IconhaApp  # noqa: E402
from iconha_tui.control.open_cluster import OpenCluster  # noqa: E402
from iconha_tui.screens.preflight import Preflight  # noqa: E402
from iconha_tui.screens.stop import StopRun  # noqa: E402
from iconha_tui.spec import Spec  # noqa: E402
from iconha_tui.status.watcher import Watcher  # noqa: E402
from iconha_tui.store import Store  # noqa: E402
from iconha_tui.widgets.hanging import Hanging  # noqa: E402

Pilot = Any
"""Textual's, of this app."""

DRAWN = {
    "a form": "form",
    "the commands before they run": "commands",
    "a run": "run",
    "a failure": "failure",
    "the editor": "editor",
    "the primitive": "elastic_ip",
    "the summary": "summary",
    "the status": "status",
}
"""The stops of the walk that become pictures, and their files."""


class PicturedApp(IconhaApp):
    """The app over the world of the pictures. Its files are said to be where they are on most machines."""

    def __init__(self, world: Pictured, root: Path) -> None:
        self.pair = Pair(at=world.clock.time)
        super().__init__(Store(root), session_factory=world.session, look=lambda *_: iter(FOUND), warm_up=False)
        self.motion = False
        self.work.opened.subscribe(self._say_where)
        self.work.watcher = self._watcher  # type: ignore[method-assign]

    def _say_where(self, cluster: OpenCluster) -> None:
        cluster.transcript = Path(f"~/.local/state/iconha-tui/clusters/{cluster.name}/transcript.log")

    def _watcher(self, name: str, **how: float) -> Watcher:
        return Watcher(self.store.spec(name), PairEyes(self.pair), every=60)


async def still(pilot: Pilot) -> str:
    """The picture of the screen once nothing on it changes any more."""
    last = ""
    for _ in range(60):
        await asyncio.sleep(0.1)
        await rest(pilot)
        now = pilot.app.export_screenshot(title="iconha-tui")
        if now == last:
            return str(now)
        last = now
    raise TimeoutError("the screen does not come to rest")


async def walk(pilot: Pilot, world: Pictured) -> AsyncIterator[str]:
    """From the welcome to the status of a pair that is up; stops at what is worth a picture."""
    app = pilot.app

    async def press(*keys: str) -> None:
        await pressed(pilot, *keys)

    async def run() -> None:
        await press("f5")
        await until(pilot, lambda: not app.work.busy)

    def said() -> str:
        return "\n".join(rows.plain for rows in app.screen.query(Hanging))

    await press("n")
    await until(pilot, lambda: app.screen.query("#name"))
    await press("ctrl+u", *"prep", "enter")
    await until(pilot, lambda: app.screen.query("Input:focus") and app.screen.query("Form"))
    await run()
    await press("f8")
    await until(pilot, lambda: app.screen.query("Choices:focus"))
    yield "a form"
    await press("question_mark")
    yield "the keys"
    await press("escape", "f1")
    yield "help"
    await press("escape", "f3")
    yield "the commands before they run"
    await press("f2")
    await until(pilot, lambda: app.screen.query("Choices:focus"))
    await press("right", "tab", "tab", *"i-0a1b")
    yield "a form with a fault"
    await press("f6")
    await until(pilot, lambda: app.screen.query("DataTable:focus"))
    yield "a live list"
    await press("escape", "ctrl+u", "shift+tab", "shift+tab", "left", "f5")
    await until(pilot, lambda: isinstance(app.screen, Preflight) and not app.work.busy)
    yield "the check before the run"
    await press("f8")
    await until(pilot, lambda: app.cluster.runs.runs["instances"].state == "done" and not app.work.busy)
    world.hold = "packages.install"
    await press("f8", "f5")
    await until(pilot, lambda: world.waiting)
    await still(pilot)
    world.clock.now += 29
    yield "a run"
    await press("f9")
    await until(pilot, lambda: isinstance(app.screen, StopRun))
    yield "a question"
    await press("escape")
    await until(pilot, lambda: not isinstance(app.screen, StopRun))
    world.fails = world.hold
    world.gate.set()
    await until(pilot, lambda: not app.work.busy and app.screen.query_one(TabbedContent).active == "progress")
    yield "a failure"
    await press("ctrl+p")
    await until(pilot, lambda: app.screen.query("CommandList.--visible"))
    yield "the palette"
    await press("escape")
    world.fails = world.hold = ""
    for _ in range(2):
        await run()
        await press("f8")
    await until(pilot, lambda: app.screen.query("ConfArea"))
    await press("f6")
    await until(pilot, lambda: app.screen.query("ConfArea:focus"))
    await press("down", "down", "down", "end", *"x")
    yield "the editor"
    await press("ctrl+d")
    await until(pilot, lambda: app.screen.query("DiffArea"))
    yield "the differences"
    await press("escape", "backspace", "escape")
    for _ in range(3):
        await run()
        await press("f8")
    yield "the primitive"
    await run()
    await press("f8")
    await until(pilot, lambda: app.screen.query("#summary-page:focus"))
    yield "the summary"
    await press("s")
    await until(pilot, lambda: "✓ READY" in said() and said().count("✓ online") == 2)
    yield "the status"
    app.pair.holder = app.pair.by_ec2 = TWO
    app.pair.offline = {ONE}
    app.pair.away = {ONE: "SSH does not answer."}
    await press("f5")
    await until(pilot, lambda: "SPLIT" in said() or "NOT READY" in said())
    yield "the status of a pair with a fault"
    for name, age in (("prep", 60), ("testnet", 3 * 86400)):
        for file in app.store.folder(name).iterdir():
            os.utime(file, (world.clock.now - age,) * 2)
    await press("escape", "escape")
    await until(pilot, lambda: len(app.screen_stack) == 1)
    await press("home")
    yield "welcome"
    await press("enter")
    await until(pilot, lambda: app.screen.query("#resume") and not app.work.busy)
    yield "a resumed cluster"


def a_world(clock: Clock, root: Path) -> tuple[Pictured, PicturedApp]:
    """The world, and the app in it, with a cluster that was saved and not begun. root: a folder for its files."""
    os.environ["XDG_STATE_HOME"] = str(root)
    world = Pictured(clock)
    app = PicturedApp(world, root / "iconha-tui")
    app.store.save(Spec(name="testnet"))
    return world, app


async def draw(folder: Path) -> None:
    """The files of DRAWN, 120x40, dark; and the form in light."""
    with stopped_clocks() as clock, tempfile.TemporaryDirectory() as root:
        world, app = a_world(clock, Path(root))
        async with app.run_test(size=(120, 40)) as pilot:
            async for stop in walk(pilot, world):
                if stop in DRAWN:
                    (folder / f"{DRAWN[stop]}.svg").write_text(await still(pilot))


if __name__ == "__main__":
    os.environ.update(TERM="xterm-256color", COLORTERM="truecolor", LC_ALL="C.UTF-8")
    asyncio.run(draw(HERE))
