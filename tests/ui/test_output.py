"""The output of a run, read as it comes and afterwards: search, filter, selection, wrapping, the transcript."""

from __future__ import annotations

import random
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from piloted import press, rest, text, until
from textual.widgets import Input

from iconha_tui.app import IconhaApp
from iconha_tui.screens.reading import save_copy, why_not
from iconha_tui.screens.stage import StageScreen
from iconha_tui.screens.transcript import TranscriptScreen
from iconha_tui.store import Store
from iconha_tui.widgets.find_line import FindLine
from iconha_tui.widgets.keys import KeyLine
from iconha_tui.widgets.line_view import LineView
from iconha_tui.widgets.output import KEPT, OutputPanes, TargetLog
from iconha_tui.widgets.scrollback import Scrollback

from .conftest import begin, kept, run_stage, shows
from .fakes import World

Make = Callable[..., IconhaApp]
FRUIT = [f"line {n}: {'apple' if n % 10 == 0 else 'Pear tree'}" for n in range(200)]


@asynccontextmanager
async def reading(app: IconhaApp, size: tuple[int, int] = (80, 24), lines: list[str] = FRUIT) -> AsyncIterator[Any]:
    """The app on the Progress tab of its third stage, with lines in the first node's pane."""
    async with app.run_test(size=size, notifications=True) as pilot:
        await begin(pilot)
        await press(pilot, "f8", "f8", "f4")
        pane = app.screen.query(TargetLog).first()
        await until(pilot, lambda: pane.has_focus and pane.size)
        pane.add(lines)
        pane.draw()
        await rest(pilot)
        yield pilot, pane


def in_sight(pane: LineView) -> str:
    return "\n".join(pane.render_line(y).text for y in range(pane.size.height))


# Search


async def test_what_is_searched_is_found_as_it_is_typed_and_gone_through_round_the_end(wizard: Make) -> None:
    async with reading(wizard()) as (pilot, pane):
        await press(pilot, "home", "/", *"apple")
        await shows(pilot, "1 of 20")
        await press(pilot, "enter", "n", "n")
        await shows(pilot, "/apple  3 of 20")
        assert pane.has_focus
        assert "line 20: apple" in in_sight(pane)
        await press(pilot, "N", "N", "N")
        await shows(pilot, "20 of 20")
        assert "line 190: apple" in in_sight(pane)
        await press(pilot, "n")
        await shows(pilot, "1 of 20")
        await press(pilot, "escape")
        assert "of 20" not in text(pilot.app)
        assert isinstance(pilot.app.screen, StageScreen)
        assert pane.has_focus, "the first Escape gives up the search, not the tab"


async def test_a_search_that_is_dropped_leaves_the_output_as_it_was(wizard: Make) -> None:
    async with reading(wizard()) as (pilot, pane):
        assert pane.following
        await press(pilot, "/", *"line 7:")
        assert not pane.following
        await press(pilot, "escape")
        assert pane.following
        assert pane.scroll_y == pane.max_scroll_y
        await press(pilot, "/", *"no such line")
        await shows(pilot, "not found")


async def test_letters_typed_into_the_search_are_no_keys(wizard: Make) -> None:
    async with reading(wizard()) as (pilot, pane):
        await press(pilot, "/", *"nNfwyzstq?&/c")
        assert pilot.app.screen.query_one("#find-text", Input).value == "nNfwyzstq?&/c"
        assert pane.text.wrap


async def test_on_the_settings_tab_the_letters_belong_to_the_fields(wizard: Make) -> None:
    app = wizard()
    async with app.run_test(notifications=True) as pilot:
        await begin(pilot)
        field = app.screen.query("Form Input").first(Input)
        await press(pilot, "end", "ctrl+u", *"/fnz")
        assert field.value == "/fnz"
        await press(pilot, "shift+tab", "f", "z", "t", "s", "slash")
        assert isinstance(app.screen, StageScreen)
        assert app.screen.maximized is None
        assert not app.screen.query_one(FindLine).has_class("-open")


async def test_lines_that_come_while_a_search_is_on_are_searched_too(wizard: Make) -> None:
    async with reading(wizard()) as (pilot, pane):
        await press(pilot, "home", "/", *"apple", "enter")
        pane.add(["another apple", "and a stone"])
        pane.draw()
        await shows(pilot, "1 of 21")
        assert pane.scroll_y == 0, "what comes does not move what is read"


# Filter


async def test_a_filter_shows_only_lines_with_its_words_also_of_those_that_come(wizard: Make) -> None:
    async with reading(wizard()) as (pilot, pane):
        await press(pilot, "f", *"tree 11", "enter")
        await shows(pilot, "only tree 11: 10 of 200 lines")
        assert "apple" not in in_sight(pane)
        pane.add(["a stone", "tree 211"])
        pane.draw()
        await shows(pilot, "11 of 202 lines")
        assert "tree 211" in in_sight(pane)
        assert "stone" not in in_sight(pane)
        await press(pilot, "escape")
        await until(pilot, lambda: "a stone" in in_sight(pane))


async def test_search_and_filter_mind_capitals_only_where_one_is_typed() -> None:
    lines = Scrollback()
    lines.add(["Apt", "apt", "APT"])
    lines.search("apt")
    assert lines.found == [0, 1, 2]
    lines.search("Apt")
    assert lines.found == [0]
    lines.filter("AP")
    assert lines.shown == [2]


# Select and copy


async def test_lines_are_selected_by_keyboard_and_copied(wizard: Make) -> None:
    async with reading(wizard()) as (pilot, pane):
        await press(pilot, "home", "shift+down", "shift+down", "shift+down", "shift+up", "y")
        assert pilot.app.clipboard == "line 0: apple\nline 1: Pear tree"
        await shows(pilot, "2 lines: sent to the terminal's")
        file = pilot.app.store.copied_file  # type: ignore[attr-defined]
        assert file.read_text() == pilot.app.clipboard
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        await press(pilot, "escape")
        await press(pilot, "y")
        assert pilot.app.clipboard.startswith("line 0: apple\n"), "without a selection, the lines in sight"
        assert len(pilot.app.clipboard.splitlines()) == pane.size.height


async def test_text_is_selected_with_the_mouse_and_stays_selected_while_lines_come(wizard: Make) -> None:
    async with reading(wizard()) as (pilot, pane):
        top = pane.region.y + 1
        first = pane.text.row(pane.scroll_offset.y).number
        await pilot.mouse_down(offset=(pane.region.x + 1, top))
        await pilot.hover(offset=(pane.region.x + 9, top + 1))
        await pilot.mouse_up(offset=(pane.region.x + 9, top + 1))
        await rest(pilot)
        chosen = pilot.app.screen.get_selected_text()
        assert chosen.startswith(f"line {first}: ")
        assert f"line {first + 1}: ".startswith(chosen.splitlines()[1])
        pane.add([f"more {n}" for n in range(KEPT - 50)])
        pane.draw()
        await press(pilot, "ctrl+c")
        assert pilot.app.clipboard == chosen
        await kept(pilot, chosen)


async def test_what_is_too_much_for_a_clipboard_is_said_to_be(wizard: Make) -> None:
    async with reading(wizard(), lines=["x" * 300_000]) as (pilot, _):
        await press(pilot, "y")
        await shows(pilot, "300,000 characters")
        assert pilot.app.clipboard == ""
        await kept(pilot, "x" * 300_000)


async def test_a_copy_that_cannot_be_kept_is_said_to_be_sent_alone(wizard: Make) -> None:
    async with reading(wizard()) as (pilot, _):
        pilot.app.store.copied_file.mkdir()  # type: ignore[attr-defined]
        await press(pilot, "y")
        await shows(pilot, "could not be kept")
        assert pilot.app.clipboard


# Rows


async def test_long_lines_wrap_or_are_cut_and_then_scrolled_sideways(wizard: Make) -> None:
    async with reading(wizard(), lines=["begin " + "x" * 200 + " end"]) as (pilot, pane):
        assert in_sight(pane).count("x") == 200
        await press(pilot, "w")
        assert "▸" in in_sight(pane)
        assert "end" not in in_sight(pane)
        assert pane.size.height == pane.container_size.height, "no scrollbar takes a row"
        await press(pilot, *["right"] * 3, "/", *"end", "enter")
        await until(pilot, lambda: " end" in in_sight(pane))
        await press(pilot, "w")
        assert in_sight(pane).count("x") == 200


def test_every_character_stands_in_one_row_whatever_the_width() -> None:
    chance = random.Random(7)
    lines = ["".join(chance.choice("ab é→✓語\u0301") for _ in range(chance.randrange(60))) for _ in range(300)]
    back = Scrollback(200)
    for width in (1, 2, 3, 7, 20, 80):
        back.clear()
        back.lay_out(width)
        for at in range(0, 300, 23):
            back.add(lines[at : at + 23])
        rows = [back.row(y) for y in range(back.height)]
        assert back.row(back.height) is None
        drawn: dict[int, str] = {}
        for y, row in enumerate(rows):
            assert row is not None
            drawn[row.number] = drawn.get(row.number, "") + back[row.number][row.start : row.end]
            assert back.y(row.number, row.start) == y or row.start == row.end
        assert list(drawn.values()) == lines[100:300]


def test_the_last_lines_are_kept_in_order_also_of_a_flood() -> None:
    back = Scrollback(100)
    back.search("7")
    back.filter("line")
    for at in range(0, 2000, 250):
        back.add([f"line {n}" for n in range(at, at + 250)])
    assert back.lines == [f"line {n}" for n in range(1900, 2000)]
    assert [back[n] for n in back.found] == [line for line in back.lines if "7" in line]
    assert back.shown == list(range(1900, 2000))


async def test_a_resize_while_lines_come_loses_nothing_and_keeps_the_place(wizard: Make) -> None:
    long = [f"line {n} " + "word " * 30 for n in range(300)]
    async with reading(wizard(), (120, 40), long) as (pilot, pane):
        await press(pilot, "home", "pagedown", "pagedown")
        await pilot.pause(0.5)
        top = pane.text.row(pane.scroll_offset.y).number
        for size in ((80, 24), (60, 20), (120, 40)):
            await pilot.resize_terminal(*size)
            pane.add([f"at {size}"])
            pane.draw()
            await rest(pilot)
            assert pane.text.row(pane.scroll_offset.y).number == top
        assert pane.text.lines == [*long, "at (80, 24)", "at (60, 20)", "at (120, 40)"]
        await press(pilot, "end")
        await pilot.resize_terminal(80, 24)
        await rest(pilot)
        assert "at (120, 40)" in in_sight(pane), "who reads the end stays at the end"


async def test_a_scrolled_up_pane_stands_still_while_its_oldest_lines_go(wizard: Make) -> None:
    async with reading(wizard(), lines=[f"line {n}" for n in range(KEPT)]) as (pilot, pane):
        await press(pilot, "pageup")
        await pilot.pause(0.5)
        before = in_sight(pane)
        pane.add([f"more {n}" for n in range(100)])
        pane.draw()
        await rest(pilot)
        assert in_sight(pane) == before


# One pane alone, the other pane


async def test_one_pane_takes_the_whole_screen_and_gives_it_back(wizard: Make, size: tuple[int, int]) -> None:
    async with reading(wizard(), size) as (pilot, pane):
        small = pane.size
        await press(pilot, "z")
        assert pane.size.height > small.height
        assert pane.size.width >= pilot.app.size.width - 4
        await press(pilot, "/", *"line 7:")
        await shows(pilot, "1 of 1")
        await press(pilot, "escape")
        assert pilot.app.screen.maximized is not None, "Escape drops the search first"
        await press(pilot, "ctrl+o")
        await until(pilot, lambda: isinstance(pilot.app.focused, TargetLog) and pilot.app.focused.target == "PRep-02")
        assert not pane.is_on_screen
        await press(pilot, "escape")
        assert pilot.app.screen.maximized is None


async def test_the_keys_mean_the_pane_that_has_the_focus(wizard: Make) -> None:
    async with reading(wizard(), (120, 40)) as (pilot, pane):
        other = pilot.app.screen.query(TargetLog).last()
        await press(pilot, "ctrl+o")
        assert other.has_focus
        await press(pilot, "/", *"apple", "enter")
        assert other.text.needle == "apple"
        assert pane.text.needle == ""
        await pilot.click(pane)
        assert pilot.app.screen.query_one(OutputPanes).raised is pane


async def test_every_key_of_the_output_is_in_the_palette(wizard: Make) -> None:
    async with reading(wizard()) as (pilot, _):
        await press(pilot, "/", *"line", "enter")
        told = {command.title for command in pilot.app.get_system_commands(pilot.app.screen)}
        assert {
            "Search output",
            "Next line found",
            "Line found before",
            "Filter the output: only lines with these words",
            "Wrap long lines, or cut them at the edge",
            "Copy the selected lines, or those in sight",
            "One output alone on the screen, and back",
            "Read the whole transcript",
            "Save the transcript as a file",
            "Output: select lines upwards",
        } <= told


async def test_six_keys_at_most_are_below_however_much_room_there_is(wizard: Make) -> None:
    async with reading(wizard(), size=(200, 40)) as (pilot, _):
        for keys in ((), ("/",), (*"line",), ("enter",), ("escape",), ("z",), ("t",)):
            await press(pilot, *keys)
            shown = pilot.app.screen.query_one(KeyLine).render().plain
            assert shown.endswith("^p Commands"), keys
            assert 2 <= len([part for part in shown.split("  ") if part.strip()]) <= 6, (keys, shown)


# The transcript


async def test_the_transcript_is_read_searched_and_left(wizard: Make, world: World, size: tuple[int, int]) -> None:
    app = wizard()
    world.lines = [f"line {n}" for n in range(40_000)]
    async with app.run_test(size=size, notifications=True) as pilot:
        await begin(pilot)
        await run_stage(pilot)
        await press(pilot, "f8")
        await run_stage(pilot)
        await press(pilot, "t")
        assert isinstance(app.screen, TranscriptScreen)
        view = app.screen.query_one(LineView)
        await until(pilot, lambda: len([line for line in view.text.lines if " | " in line]) == 160_000)
        assert view.following
        await press(pilot, "/", *"line 39999", "enter", "n")
        await shows(pilot, "of 4")
        await press(pilot, "f", *"PRep-01 | 39999", "enter")
        await shows(pilot, "2 of 160,0")
        await press(pilot, "escape", "escape", "escape")
        assert isinstance(app.screen, StageScreen)
        await press(pilot, "t")
        app.pages.show_stage("corosync")  # as the palette does
        await rest(pilot)
        app.pages.show_stage("packages")
        await rest(pilot)
        assert isinstance(app.screen, StageScreen)
        assert len(app.screen_stack) == 2


async def test_what_is_said_while_the_transcript_is_open_is_added(wizard: Make, world: World, store: Store) -> None:
    app = wizard()
    world.lines = ["the first words"]
    async with app.run_test(notifications=True) as pilot:
        await begin(pilot)
        await run_stage(pilot)
        await press(pilot, "f8")
        world.gate.clear()
        await press(pilot, "f5", "t")
        await until(pilot, lambda: isinstance(app.screen, TranscriptScreen))
        with (store.folder("icon") / "transcript.log").open("a") as file:
            file.write("later words\nwords that are not yet")
        await shows(pilot, "later words")
        assert "not yet" not in text(app)
        world.gate.set()
        await until(pilot, lambda: not app.work.busy)


async def test_the_transcript_is_saved_for_its_owner_alone_and_overwrites_nothing(
    wizard: Make, world: World, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    app = wizard()
    async with app.run_test(notifications=True) as pilot:
        await begin(pilot)
        await run_stage(pilot)
        await press(pilot, "f8")
        await run_stage(pilot)
        await press(pilot, "s")
        await shows(pilot, "./icon-transcript-2")
        await press(pilot, "end", "ctrl+u", *"saved.log", "enter")
        await shows(pilot, "The transcript is saved")
        await press(pilot, "s", "end", "ctrl+u", *"saved.log")
        await shows(pilot, "nothing is overwritten")
    saved = tmp_path / "saved.log"
    assert saved.stat().st_mode & 0o777 == 0o600
    assert saved.read_bytes() == (store.folder("icon") / "transcript.log").read_bytes()


async def test_without_a_run_there_is_no_transcript_and_it_is_said(wizard: Make) -> None:
    app = wizard()
    async with app.run_test(notifications=True) as pilot:
        await begin(pilot)
        await press(pilot, "f4", "t")
        await shows(pilot, "Nothing has been said yet")
        assert isinstance(app.screen, StageScreen)


def test_a_file_that_cannot_be_made_is_told_before_it_is_tried(tmp_path: Path) -> None:
    there = tmp_path / "there.log"
    there.write_text("mine")
    (tmp_path / "link.log").symlink_to(tmp_path / "nowhere")
    assert why_not(str(tmp_path / "new.log")) == ""
    assert "already" in why_not(str(there))
    assert "already" in why_not(str(tmp_path / "link.log"))
    assert "missing" in why_not(str(tmp_path))
    assert "missing" in why_not("")
    assert "no folder" in why_not(str(tmp_path / "no" / "new.log"))
    assert "no such user" in why_not("~nobody-of-that-name/x")
    with pytest.raises(FileExistsError):
        save_copy(there, there)
    assert there.read_text() == "mine"
