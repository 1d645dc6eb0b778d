"""What holds on every screen: keys, help, the mouse, small windows, few colours, ASCII, every theme, no motion."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from markdown_it import MarkdownIt
from piloted import hurry, press, rest, text, until
from textual.color import Color
from textual.screen import Screen
from textual.theme import BUILTIN_THEMES
from textual.widget import Widget
from textual.widgets import Input

from iconha_tui.app import IconhaApp
from iconha_tui.assets.theme import DARK, GRAPHICS, LIGHT, LINES, PAIRS, TEXT, TEXTS, contrast, grounds, parsed
from iconha_tui.screens.dialogs import HostKey, MfaCode
from iconha_tui.screens.help import Help
from iconha_tui.screens.keys import Keys
from iconha_tui.screens.reading import ReadingScreen
from iconha_tui.screens.welcome import Welcome
from iconha_tui.store import Store
from iconha_tui.widgets import glyphs
from iconha_tui.widgets.filters import FewColours
from iconha_tui.widgets.keys import KeyLine, key_name, ours
from iconha_tui.widgets.too_small import TooSmall

from .conftest import begin, run_stage, shows
from .fakes import World
from .tour import save_a_cluster, screens, tour

Make = Callable[..., IconhaApp]


@pytest.fixture
def app(wizard: Make, store: Store) -> IconhaApp:
    save_a_cluster(store)
    return wizard()


ELSEWHERE = {HostKey, MfaCode, ReadingScreen}
"""Screens that have their own tests, or are a kind of one that is visited."""


def own_bindings(screen: Screen[Any]) -> Iterator[tuple[str, str]]:
    """Key and words of what this program has put on a screen."""
    for key, active in screen.active_bindings.items():
        if ours(active) and active.enabled and active.binding.description:
            yield key, active.binding.description


def cut_off(screen: Screen[Any]) -> Iterator[str]:
    """What nobody can scroll to: it reaches over the edge of something that does not scroll."""
    for widget in screen.query("*").results(Widget):
        parent = widget.parent
        if (
            (not widget.is_on_screen and not widget.region)
            or not isinstance(parent, Widget)
            or isinstance(widget, TooSmall)
        ):
            continue
        if widget.styles.overlay == "screen" or widget.is_scrollable or not widget.display or not widget.region:
            continue
        if parent.region and not parent.allow_vertical_scroll and parent.styles.overflow_y != "auto":
            over = widget.virtual_region_with_margin.bottom - widget.styles.margin.bottom - parent.size.height
            if over > 0 and parent.size.height:
                yield f"{widget!r} in {parent!r} by {over}"


async def test_every_screen_at_the_smallest_size(app: IconhaApp, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """At 60x20: six keys at most, all keys in the list and the palette; every field can be reached; nothing is cut off. And
    in a locale without UTF-8: only ASCII is painted, whatever the nodes say."""
    monkeypatch.setattr(glyphs, "UNICODE", False)
    world.lines = ("✓ naïve café – “ok” 日本", "Setting up corosync …")
    visited = set()
    async with app.run_test(size=(60, 20)) as pilot:
        app.motion = False
        async for stop in tour(pilot, world):
            screen = app.screen
            visited.add(type(screen))
            await until(pilot, lambda: all(line.size.width for line in app.screen.query(KeyLine)))
            painted = text(app)
            assert painted.isascii(), (stop, sorted({char for char in painted if not char.isascii()}))
            assert all(len(line) <= 60 for line in painted.splitlines()), stop
            for line in screen.query(KeyLine):
                shown = line.render().plain
                assert shown.endswith("^p Commands"), (stop, shown)
                assert len(shown) <= line.size.width, (stop, shown)
                assert len([part for part in shown.split("  ") if part.strip()]) <= 6, (stop, shown)
            titles = {command.title for command in app.get_system_commands(screen)}
            listed = Keys(screen).body().plain  # type: ignore[attr-defined]
            for key, words in own_bindings(screen):
                assert words in titles, f"{stop}: {words} is not in the palette"
                assert words in listed, f"{stop}: {words} is not in the list of keys"
                assert key_name(key) in listed, f"{stop}: {key} is not in the list of keys"
            assert not list(cut_off(screen)), stop
            assert not screen.query_one(TooSmall).display
            focus = screen.focused
            for widget in screen.focus_chain if screen.maximized is None else ():
                widget.focus(scroll_visible=True)
                await rest(pilot)
                assert screen.find_widget(widget).visible_region.area > 0, f"{stop}: {widget} is out of reach"
            screen.set_focus(focus)
            await rest(pilot)
        await press(pilot, "ctrl+p")
        await shows(pilot, "Search for commands")
        assert text(app).isascii()
    assert visited >= screens() - ELSEWHERE


async def test_escape_leads_out_of_every_screen(app: IconhaApp, world: World) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        for way in (
            ["f1"],
            ["question_mark"],
            ["f1", "question_mark"],
            ["n"],
            ["d"],
            ["s"],
            ["ctrl+p"],
            ["n", "enter"],
        ):
            await press(pilot, *way)
            for _ in range(3):
                await press(pilot, "escape")
            await until(pilot, lambda: type(app.screen) is Welcome)
            assert len(app.screen_stack) == 1, way
        await begin(pilot)
        for way in (
            ["f3"],
            ["f4"],
            ["f8", "f3", "f1"],
            ["f4", "question_mark"],
            ["f2", "ctrl+p"],
            ["f8", "f8", "f3"],
        ):
            await press(pilot, *way)
            for _ in range(5):
                await press(pilot, "escape")
            await until(pilot, lambda: len(app.screen_stack) == 1)
            await press(pilot, "up", "up", "up")
            app.work.open_named("fresh" + way[0] + str(len(way)))
            await until(pilot, lambda: app.screen.query("Form"))


@pytest.mark.parametrize("turns", [1, 2, 3, 8])
async def test_a_screen_that_is_closed_while_it_opens_leaves_one_that_is_painted(app: IconhaApp, turns: int) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.focused is not None)
        for _ in range(3):
            app.push_screen(Keys(app.screen))
            for _ in range(turns):
                await asyncio.sleep(0)
            app.pop_screen()
        await rest(pilot)
        assert app._batch_count == 0
        await press(pilot, "n")
        await shows(pilot, "A new cluster")


async def test_f1_helps_and_a_question_mark_lists_keys(app: IconhaApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.focused is not None)
        await press(pilot, "f1")
        assert isinstance(app.screen, Help)
        await press(pilot, "question_mark")
        assert isinstance(app.screen, Keys)
        await shows(pilot, "Delete")
        await press(pilot, "escape")
        assert isinstance(app.screen, Welcome)
        await begin(pilot)
        await press(pilot, "f3", "question_mark")
        await shows(pilot, "Ctrl+R")


async def test_keys_wait_for_a_page_that_opens_slowly(app: IconhaApp, monkeypatch: pytest.MonkeyPatch) -> None:
    parse = MarkdownIt.parse

    def slow(*args: Any) -> Any:
        time.sleep(0.3)  # in a thread
        return parse(*args)

    monkeypatch.setattr(MarkdownIt, "parse", slow)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.focused is not None)
        await hurry(pilot, "f1", "question_mark")
        assert isinstance(app.screen, Keys)
        await hurry(pilot, "escape", "f1", "escape", "question_mark")
        assert isinstance(app.screen, Keys)


async def test_the_mouse_reaches_the_commands(app: IconhaApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(pilot)
        await pilot.click(KeyLine, offset=(app.size.width - 4, 0))
        await shows(pilot, "Search for commands")
        await press(pilot, *"progress", "enter")
        await until(pilot, lambda: app.screen.query_one("#tabs").active == "progress")  # type: ignore[attr-defined]


async def test_a_window_that_is_too_small_says_so_and_the_run_goes_on(app: IconhaApp, world: World) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await begin(pilot)
        world.lines = [f"line {number}" for number in range(300)]
        await run_stage(pilot)
        await press(pilot, "f8")
        world.gate.clear()
        await press(pilot, "f5")
        await until(pilot, lambda: len(world.commands) == 2)
        focus = app.focused
        assert focus is not None
        await pilot.resize_terminal(60, 20)
        await rest(pilot)
        assert "too small" not in text(app)
        await pilot.resize_terminal(40, 10)
        await shows(pilot, "40 x 10")
        assert "60 x 20" in text(app)
        assert "line" not in text(app)
        world.gate.set()
        await until(pilot, lambda: not app.work.busy)
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: "too small" not in text(app))
        assert app.focused is focus
        await until(pilot, lambda: "line 299" in text(app))
        await press(pilot, "home")
        await until(pilot, lambda: "line 0" in text(app))
        assert text(app).count("apt-get -y install instances-a") == 1, "what was said before it became too small"


async def test_a_dialog_that_is_too_small_says_so(app: IconhaApp) -> None:
    async with app.run_test(size=(50, 24)) as pilot:
        await press(pilot, "n")
        await shows(pilot, "50 x 24")
        await pilot.resize_terminal(60, 20)
        await shows(pilot, "A new cluster")
        assert isinstance(app.focused, Input)


def test_a_glyph_and_its_ascii_are_as_wide() -> None:
    for said in ("○ to do", "⟪a⟫ … “b”", "日本", "é", "─│╭", "🔎", "✗"):
        assert glyphs.cell_len(glyphs.to_ascii(said)) == glyphs.cell_len(said)
        assert glyphs.to_ascii(said).isascii()
    assert glyphs.to_ascii("naïve") == "naive"


THEMES = {theme.name: theme for theme in (DARK, LIGHT, *BUILTIN_THEMES.values()) if not theme.ansi}


@pytest.mark.parametrize("name", THEMES)
def test_every_theme_can_be_read(wizard: Make, name: str) -> None:
    app = wizard()
    app.set_reactive(IconhaApp.theme, name)
    found = app.get_css_variables()
    for ground in grounds(found):
        for variable in (*TEXTS, "foreground-muted"):
            assert contrast(ground + Color.parse(found[variable]), ground) >= TEXT - 0.05, variable
    page = grounds(found)[0]
    for variable in LINES:
        assert contrast(parsed(found[variable]), page) >= GRAPHICS - 0.05, variable
    for upper, lower in PAIRS:
        under = page + parsed(found[lower])
        assert contrast(parsed(found[upper]), under) >= TEXT - 0.05, upper


async def test_what_is_painted_can_be_read_in_every_theme(app: IconhaApp, world: World) -> None:
    """At screens with every kind of text: the table, a form with a fault, a failure, the palette."""
    async with app.run_test(size=(120, 40)) as pilot:
        async for stop in tour(pilot, world):
            if stop in ("welcome", "keys", "credentials settings", "failure", "live list"):
                for name in THEMES if stop == "failure" else (DARK.name, LIGHT.name):
                    app.theme = name
                    await rest(pilot)
                    await rest(pilot)
                    assert not list(unreadable(app)), (stop, name)
            if stop == "live list":
                break


def unreadable(app: IconhaApp) -> Iterator[tuple[str, float]]:
    """Texts on the screen that stand out too little from what they stand on."""
    boxes = app.screen.query(".dialog")
    whole = boxes.first().region if boxes else app.screen.region
    for strip in app.screen._compositor.render_strips(app.size)[whole.y : whole.bottom]:
        for segment in strip.crop(whole.x, whole.right):
            style = segment.style
            if not segment.text.strip("─│╭╮╰╯━╸╺ ▌▊▎\u00a0") or style is None or not style.color or not style.bgcolor:
                continue
            fore, back = Color.from_rich_color(style.color), Color.from_rich_color(style.bgcolor)
            if contrast(fore, back) < GRAPHICS - 0.1:
                yield segment.text, round(contrast(fore, back), 1)


@pytest.mark.parametrize("variable", ["NO_COLOR", "TERM"])
async def test_without_colours_focus_and_selection_are_attributes(
    wizard: Make, store: Store, world: World, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """NO_COLOR, and a terminal of sixteen colours."""
    if variable == "TERM":
        monkeypatch.delenv("COLORTERM")
        monkeypatch.setenv("TERM", "screen")
    else:
        monkeypatch.setenv("NO_COLOR", "1")
    save_a_cluster(store)
    app = wizard()
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(pilot, "Saved clusters")
        async for stop in tour(pilot, world):
            for strip in app.screen._compositor.render_strips(app.size):
                for segment in strip:
                    style = segment.style
                    assert style is None or style.bgcolor is None or style.bgcolor.is_default, stop
                    if style is not None and style.color is not None and not style.color.is_default:
                        assert variable == "TERM", (stop, segment)
                        assert style.color.number is not None, (stop, segment)
                        assert style.color.number < 8, (stop, segment)
            if stop == "instances settings":
                await until(
                    pilot, lambda: any("launch two" in said for said in _with(app, "underline"))
                )  # has the focus
            if stop == "failure":
                await until(pilot, lambda: any("failed" in said for said in _with(app, "bold")))
            if stop == "live list":
                await until(
                    pilot, lambda: any("i-0000" in said for said in _with(app, "reverse"))
                )  # the row that is chosen
                break


def _with(app: IconhaApp, attribute: str) -> list[str]:
    """The texts on the screen that have an attribute."""
    return [
        segment.text.replace("\u00a0", " ")
        for strip in app.screen._compositor.render_strips(app.size)
        for segment in strip
        if segment.style is not None and getattr(segment.style, attribute)
    ]


def test_few_colours_keep_the_width_of_what_they_hide() -> None:
    from rich.segment import Segment
    from rich.style import Style

    page = Color.parse("#101010")
    hidden, shown = FewColours(page, hues=False).apply(
        [Segment("日本", Style.parse("#111111 on #101010")), Segment("seen", Style.parse("#ffffff on #101010"))], page
    )
    assert (hidden.text, shown.text) == ("    ", "seen")


async def test_motion_can_be_turned_off(app: IconhaApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(pilot)
        assert isinstance(app.focused, Input)
        assert app.focused.cursor_blink
        await press(pilot, "ctrl+p", *"motion off", "enter")
        await until(pilot, lambda: not app.motion)
        assert not app.focused.cursor_blink
        await press(pilot, "tab")
        assert not app.focused.cursor_blink
        assert app.animation_level == "none"
        assert any(command.title == "Turn motion on" for command in app.get_system_commands(app.screen))
        file = app.config.file
        await until(pilot, lambda: file.exists() and "motion = false" in file.read_text())


def test_textual_animations_none_means_no_motion(wizard: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("textual.constants.TEXTUAL_ANIMATIONS", "none")
    assert not wizard().motion
