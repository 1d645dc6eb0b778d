"""The wizard over a world in this process, driven by keys alone."""

from __future__ import annotations

import gc
import re
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from piloted import Pressed, press, text, until

from iconha_tui import disk
from iconha_tui.app import IconhaApp
from iconha_tui.control.run_controller import RunRequest
from iconha_tui.engine import journal
from iconha_tui.store import Holder, Store

from .fakes import World, stages

SIZES = [(80, 24), (120, 40)]

# An app is some ten thousand objects, of which none is garbage before its end: to look for it as often as Python does takes a
# fifth of the tests' CPU time.
gc.set_threshold(200_000, 50, 100)


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same terminal wherever the tests run."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("iconha_tui.widgets.glyphs.UNICODE", True)


SCREEN = re.compile(r"/iconha_tui/(app|workspace|navigation|run_feed|screens/.*|forms/.*|widgets/.*)\.py$")
"""The program's files whose code runs in the screen's thread."""


@pytest.fixture(autouse=True)
def no_disk_on_the_screens_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The screen waits for no disk: it writes nothing, takes no lock and reads no journal itself."""
    found: list[str] = []

    def watch(owner: Any, name: str) -> None:
        real = getattr(owner, name)

        def watched(*args: Any, **more: Any) -> Any:
            if threading.current_thread() is threading.main_thread():
                frames = [frame for frame in traceback.extract_stack() if SCREEN.search(frame.filename)]
                if frames:
                    found.append(f"{name} from {frames[-1].filename}:{frames[-1].lineno}")
            return real(*args, **more)

        monkeypatch.setattr(owner, name, watched)

    watch(disk, "write")
    watch(journal, "progress_of")
    watch(journal, "read")
    watch(Holder, "take")
    yield
    assert not found, found


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "state")


@pytest.fixture
def wizard(world: World, store: Store) -> Callable[..., IconhaApp]:
    """Makes the app; what is passed goes to it."""

    def make(**more: Any) -> IconhaApp:
        return IconhaApp(store, session_factory=world.session, **({"stages": stages(world), "warm_up": False} | more))

    return make


@pytest.fixture(params=SIZES, ids=["80x24", "120x40"])
def size(request: pytest.FixtureRequest) -> tuple[int, int]:
    found: tuple[int, int] = request.param
    return found


async def shows(pilot: Pressed, words: str) -> None:
    """Waits for words to be on the screen."""
    await until(pilot, lambda: words in text(pilot.app))


async def kept(pilot: Pressed, words: str) -> None:
    """Waits for words to be kept as what was copied last."""
    file: Path = pilot.app.store.copied_file  # type: ignore[attr-defined]
    await until(pilot, lambda: file.exists() and file.read_text() == words)


async def begin(pilot: Pressed) -> None:
    """From the welcome screen to the first stage of a new cluster."""
    await press(pilot, "n", "enter")
    await until(pilot, lambda: pilot.app.screen.query("Form"))


async def run_stage(pilot: Pressed) -> None:
    """Runs the stage on the screen to its end."""
    await press(pilot, "f5")
    await until(pilot, lambda: not pilot.app.work.busy)  # type: ignore[attr-defined]
    await pilot.pause(0.1)


async def run_before(pilot: Pressed, stage: str) -> None:
    """Runs the stages before a stage, without their pages, which take a second each to paint."""
    app = pilot.app
    assert isinstance(app, IconhaApp)
    for each in app.stages[: [known.name for known in app.stages].index(stage)]:
        assert app.work.run(RunRequest((each,)))
        await until(pilot, lambda: not app.work.busy)
        assert app.cluster.runs.progress.stage(each.name).state == "done"
