"""The wizard in a real terminal, with hostile content in everything that it shows: the bytes that it writes are looked at.

What is cleaned where it enters is not cleaned here: the nodes and AWS of this world hand on what they have. So what is held
is the last line of all, the painted one.
"""

from __future__ import annotations

import base64
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from piloted import press, rest, text, until
from rich.text import Text
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import DataTable, Input, Markdown, OptionList, Static, TextArea
from waiting import BOUND

from iconha_tui import text as texts
from iconha_tui.app import IconhaApp
from iconha_tui.config import Config
from iconha_tui.screens.conf_diff import Differences, Texts
from iconha_tui.screens.dialogs import Choose, HostKey
from iconha_tui.spec import Spec
from iconha_tui.store import Store
from iconha_tui.widgets.conf_diff import DiffArea
from iconha_tui.widgets.looks import Looks

from .conftest import begin, shows
from .fakes import World, stages
from .tour import save_a_cluster, tour

Make = Callable[..., IconhaApp]

CLIPBOARD = "\x1b]52;c;ZXZpbA==\x07"
HOSTILE = (
    f"{CLIPBOARD}\x1b[66;77H\x1b]0;owned\x1b\\\x1bP+q544e\x1b\\\x9b66;77H\x9d52;c;ZXZpbA==\x9c"
    "\u202edrow\u2066\u200b\x08\x0e\x1bcend"
)
MARKUP = "[red]r[/] [/x] [link=http://owned]l[/link] [@click=app.quit]q[/]"
FORBIDDEN = ("\x1b]52;c;ZXZpbA==", "\x1b[66;77H", "\x1b]0;", "\x1bP+q", "\x1bc", "\x1b]8;")
"""What only the content can have written."""

OURS = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI
    r"|\x1b\]22;[a-z-]*\x07"  # the pointer's shape
    r"|\x1b\]52;c;[A-Za-z0-9+/=]*\x07"  # what the operator copies
    r"|\x1b\[\?[0-9;$]*[a-z]|\x1bP=[0-9]s\x1b\\|\x1b[78=>]"
)
"""What Textual writes besides text."""


def hostile_world() -> World:
    world = World()
    world.lines = [HOSTILE, MARKUP, "x" * 10_000 + HOSTILE, "Setting up corosync", f"{HOSTILE}\n{HOSTILE}"]
    world.said = f"{HOSTILE}\n{MARKUP}\nE: Unable to locate package\n"
    for reservation in world.answers["describe_instances"]["Reservations"]:
        reservation["Instances"][0]["Tags"] = [{"Key": "Name", "Value": f"{HOSTILE}{MARKUP}"}]
    return world


def main(folder: str) -> None:
    """In a process and a terminal of its own: the walk over every screen."""
    store, world = Store(Path(folder) / f"state{HOSTILE.replace('/', '')}"[:100]), hostile_world()
    save_a_cluster(store)
    (store.root / "config.toml").write_text('theme = "\\u001b[66;77H"\nmotion = "\\u202e"\n')
    app = IconhaApp(
        store,
        session_factory=world.session,
        stages=stages(world),
        warm_up=False,
        config=Config(store.root / "config.toml"),
    )

    async def walk(pilot: Any) -> None:
        async for place in tour(pilot, world):
            if place in ("welcome", "credentials settings"):
                app.notify(f"{HOSTILE}{MARKUP}", title=HOSTILE)
                await pilot.pause(0.1)
                app.clear_notifications()
            app.copy_to_clipboard(f"{place}{HOSTILE}")
        Path(folder, "walked").touch()
        app.exit()

    app.run(auto_pilot=walk)


def in_a_terminal(folder: Path, seconds: float = BOUND) -> str:
    """All that the program writes to its terminal."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    here = Path(__file__).parent
    process = subprocess.Popen(
        [sys.executable, "-c", f"from ui.test_hostile_terminal import main; main({str(folder)!r})"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={
            **os.environ,
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "PYTHONPATH": os.pathsep.join(
                [str(here.parent), *(str(here.parent / each) for each in ("unit", "lab", "../docs"))]
            ),
        },
    )
    os.close(theirs)
    said, end = bytearray(), time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            if select.select([ours], [], [], 0.2)[0]:
                try:
                    said += os.read(ours, 65_536)
                except OSError:
                    break
            elif process.poll() is not None:
                break
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    return said.decode(errors="surrogateescape")


def test_what_the_wizard_writes_to_a_terminal_is_its_own_sequences_and_text(tmp_path: Path) -> None:
    written = in_a_terminal(tmp_path)
    assert (tmp_path / "walked").exists(), f"the walk did not come to its end: {OURS.sub('', written)[-2000:]!r}"
    assert "Setting up corosync" in written
    copied = re.findall(r"\x1b\]52;c;([A-Za-z0-9+/=]*)\x07", written)
    assert copied
    assert all(HOSTILE in base64.b64decode(each).decode() for each in copied), (
        "only what was copied, and that in base64"
    )
    for each in FORBIDDEN:
        assert each not in written, each
    left = OURS.sub("", written).replace("\r\n", "").replace("\n", "")
    assert sorted({char for char in left if texts.unmoving(char) != char}) == []


# Every widget


class Shown(Looks):
    """One of each widget that can show a text."""

    def compose(self) -> ComposeResult:
        yield Static(f"{HOSTILE}{MARKUP}", markup=False)
        yield Static(Content(HOSTILE))
        yield Input(HOSTILE, placeholder=HOSTILE)
        yield Input(placeholder=HOSTILE)
        yield TextArea(HOSTILE)
        yield OptionList(HOSTILE, markup=False)
        yield Markdown(f"`{HOSTILE}` {HOSTILE}\n\n```sh\n{HOSTILE}\n```\n")
        table: DataTable[Text] = DataTable()
        table.add_column("x")
        table.add_row(Text(HOSTILE))
        yield table


async def test_no_widget_paints_anything_but_text() -> None:
    app = Shown()
    async with app.run_test(size=(120, 60), notifications=True) as pilot:
        app.notify(HOSTILE, markup=False)
        await rest(pilot)
        painted = text(app).replace("\n", "")
        assert "drow" in painted
        assert texts.unmoving(painted.replace("\u00a0", " ")) == painted.replace("\u00a0", " ")


# Lists and questions


async def test_a_name_from_aws_is_no_markup_and_breaks_nothing_down(wizard: Make) -> None:
    app = wizard()
    picked: list[str | None] = []
    rows = [("i-1", "[/x]"), ("i-2", MARKUP), ("i-2", HOSTILE), ("id\x1b[66;77H", "twice")]
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await shows(pilot, "Press n to begin")
        app.push_screen(Choose("Machines", ("Id", "Name"), lambda: rows), picked.append)
        await shows(pilot, "4 found.")
        await shows(pilot, "[red]r[/] [/x] [link=")
        await press(pilot, "down", "enter")
        await until(pilot, lambda: picked == ["i-2"])


async def test_a_host_key_of_any_name_is_shown_as_text(wizard: Make) -> None:
    app = wizard()
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await shows(pilot, "Press n to begin")
        app.push_screen(HostKey(f"{HOSTILE}{MARKUP}", MARKUP, MARKUP))
        await shows(pilot, "[@click=app.quit]q[/]")


async def test_a_corosync_conf_of_a_node_is_compared_as_text_and_its_controls_are_told(wizard: Make) -> None:
    app = wizard()
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await shows(pilot, "Press n to begin")
        given = Texts("PRep-01", "totem {\n}\n", "totem {\n}\n", "PRep-02", "", "/etc/corosync/corosync.conf")
        app.push_screen(Differences(given, lambda: f"totem {{\n# {HOSTILE}\n}}\n".encode()))
        await until(pilot, lambda: app.screen.query("DiffArea"))
        await press(pilot, "right", "right")
        await shows(pilot, "control characters")
        assert app.screen.query_one(DiffArea).text.count("\x1b") == 0
        assert "drow" in text(app)


# Forms


@pytest.mark.parametrize("words", [HOSTILE + MARKUP, "$(reboot); `reboot` | reboot > /x a\nb '\"\\" + "x" * 100_000])
async def test_whatever_is_typed_into_every_field_of_every_stage_breaks_nothing(words: str, wizard: Make) -> None:
    """The fields are found on the screen, so that one that comes later is among them."""
    app = wizard()
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await begin(pilot)
        seen = 0
        for stage in app.stages:
            app.pages.show_stage(stage.name)
            await until(
                pilot, lambda stage=stage: getattr(app.screen, "stage", None) is stage and app.screen.query("Form")
            )
            for field in app.screen.query("Form Input").results(Input):
                before = field.value
                field.value = words
                await rest(pilot)
                assert texts.unmoving(text(app).replace("\n", "")) == text(app).replace("\n", "")
                app.cluster.draft.model_validate(app.cluster.draft.model_dump())  # what is kept holds together still
                field.value = before
                seen += 1
            await rest(pilot)
        assert seen > 20
        assert app.is_running
        assert Spec.model_validate(app.cluster.draft.model_dump()) == app.cluster.draft
