"""The editor of corosync.conf, by keys and by mouse."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from piloted import Pressed, hurry, press, rest, text, until
from textual.widgets import OptionList

from iconha_tui.app import IconhaApp
from iconha_tui.errors import Trouble
from iconha_tui.screens.conf_diff import Differences
from iconha_tui.spec import Spec
from iconha_tui.widgets.conf_area import ConfArea, tokens
from iconha_tui.widgets.conf_diff import DiffArea
from iconha_tui.widgets.conf_editor import ConfEditor
from iconha_tui.widgets.conf_pane import ConfTitle
from iconha_tui.widgets.fields import TextField
from iconha_tui.widgets.form import Form

from .conftest import shows

Make = Callable[..., IconhaApp]
ADDRESSES = {"PRep-01.private_ip": "10.0.0.11", "PRep-02.private_ip": "10.0.0.12"}


async def at_corosync(pilot: Pressed, **facts: Any) -> IconhaApp:
    """On the Corosync stage, with the machines' addresses read."""
    app: Any = pilot.app
    await until(pilot, lambda: app.work.is_open)
    app.cluster.session.ctx.learn(ADDRESSES | facts)
    app.pages.show_stage("corosync")
    await until(pilot, lambda: app.screen.query(ConfArea))
    await rest(pilot)
    return app  # type: ignore[no-any-return]


async def in_the_editor(pilot: Pressed, **facts: Any) -> ConfArea:
    """The editor over the whole screen, the cursor in the first node's text."""
    app = await at_corosync(pilot, **facts)
    await press(pilot, "f6")
    await until(pilot, lambda: isinstance(app.focused, ConfArea))
    return areas(app)[0]


def areas(app: Any) -> list[ConfArea]:
    return list(app.screen.query(ConfArea))


def line_with(app: Any, words: str) -> str:
    return next(line for line in text(app).splitlines() if words in line)


@pytest.fixture
def opened(wizard: Make) -> IconhaApp:
    return wizard(spec=Spec())


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40)])
async def test_f6_gives_the_editor_the_whole_screen_and_escape_gives_it_back(
    opened: IconhaApp, size: tuple[int, int]
) -> None:
    async with opened.run_test(size=size) as pilot:
        area = await in_the_editor(pilot)
        assert area.size.height >= size[1] // 2
        assert "Cluster name" not in text(opened)
        assert "^d Differences" in text(opened)
        await press(pilot, "escape")
        await shows(pilot, "Cluster name")
        assert opened.screen.maximized is None
        await press(pilot, "f6")
        await until(pilot, lambda: opened.focused is area)
        await press(pilot, "f6")
        await shows(pilot, "Cluster name")


async def test_tab_and_escape_lead_out_of_the_editor(opened: IconhaApp) -> None:
    async with opened.run_test(size=(120, 40)) as pilot:
        await at_corosync(pilot)
        area = areas(opened)[0]
        area.focus()
        await press(pilot, "tab")
        assert isinstance(opened.focused, OptionList), "the findings come after the text"
        await press(pilot, "tab", "tab", "tab")
        assert opened.focused not in (*areas(opened), *opened.screen.query(OptionList))
        area.focus()
        await press(pilot, "escape")
        assert opened.screen.query_one(Form) in opened.focused.ancestors  # type: ignore[union-attr]
        assert opened.focused is not area, "Escape leaves the text, not the stage"
        assert area.text.startswith("totem {"), "Tab wrote nothing"


async def test_marks_stand_in_the_margin_before_the_numbers(opened: IconhaApp, size: tuple[int, int]) -> None:
    async with opened.run_test(size=size) as pilot:
        await in_the_editor(pilot)
        assert line_with(opened, "bindnetaddr: 10.0.0.11").split()[:2] == ["▲≠", "7"]
        assert line_with(opened, "mcastport: 5405").split()[0] == "9"
        await press(pilot, "down", *"!?")
        await until(pilot, lambda: line_with(opened, "!?").split()[:2] == ["✗≠", "2"])
        await shows(pilot, "PRep-01 your own ✗")


async def test_an_error_is_told_as_one_types_and_f5_waits_for_it(opened: IconhaApp, world: Any) -> None:
    async with opened.run_test(size=(120, 40)) as pilot:
        await in_the_editor(pilot)
        await press(pilot, "down", "down", *"!?")
        await shows(pilot, "3:1 error")
        await press(pilot, "escape")
        await shows(pilot, "F5 waits until this is corrected: corosync.conf: PRep-01, line 3")
        areas(opened)[0].move_cursor((20, 0))
        opened.screen.query_one("Form Input").focus()
        await press(pilot, "f5")
        await until(pilot, lambda: opened.focused is areas(opened)[0])
        assert not opened.work.busy
        assert areas(opened)[0].cursor_location[0] == 2, "the cursor is at the error"
        await press(pilot, "ctrl+g")
        await until(pilot, lambda: "F5 waits" not in text(opened))


async def test_from_finding_to_finding_by_key_list_and_click(opened: IconhaApp) -> None:
    async with opened.run_test(size=(80, 24)) as pilot:
        area = await in_the_editor(pilot)
        lines = [finding.line for finding in area.findings]
        assert lines[:3] == [4, 7, 8]
        for line in (*lines, lines[0]):
            await press(pilot, "alt+n")
            assert area.cursor_location[0] + 1 == line
        await press(pilot, "ctrl+up")
        assert area.cursor_location[0] + 1 == lines[-1]
        await press(pilot, "tab", "home", "down", "enter")
        assert opened.focused is area
        assert area.cursor_location[0] + 1 == lines[1]
        await pilot.click(OptionList, offset=(3, 1))
        await rest(pilot)
        assert opened.focused is area
        assert area.cursor_location[0] + 1 in (lines[0], lines[1])


async def test_both_nodes_stand_side_by_side_where_there_is_room(opened: IconhaApp, size: tuple[int, int]) -> None:
    async with opened.run_test(size=size) as pilot:
        first = await in_the_editor(pilot)
        await press(pilot, *["down"] * 6)
        assert ("bindnetaddr: 10.0.0.12" in text(opened)) == (size[0] >= 100)
        await press(pilot, "ctrl+o")
        second = areas(opened)[1]
        assert opened.focused is second
        assert second.cursor_location == first.cursor_location
        await shows(pilot, "bindnetaddr: 10.0.0.12")
        await pilot.click(ConfTitle)
        await until(pilot, lambda: opened.focused is first)


async def test_both_texts_scroll_together(opened: IconhaApp) -> None:
    async with opened.run_test(size=(120, 24)) as pilot:
        first = await in_the_editor(pilot)
        await press(pilot, "pagedown", "pagedown")
        await until(pilot, lambda: first.scroll_y > 0 and areas(opened)[1].scroll_y == first.scroll_y)


async def test_reset_undo_and_redo(opened: IconhaApp) -> None:
    async with opened.run_test() as pilot:
        area = await in_the_editor(pilot)
        guide = area.text
        await press(pilot, *"# mine", "enter")
        await until(pilot, lambda: opened.cluster.draft.corosync.conf)
        assert opened.cluster.draft.corosync.conf == {"PRep-01": area.text}
        await press(pilot, "ctrl+g")
        assert area.text == guide
        await until(pilot, lambda: not opened.cluster.draft.corosync.conf)
        await press(pilot, "ctrl+z")
        assert area.text.startswith("# mine\n")
        await press(pilot, "ctrl+y")
        assert area.text == guide


async def test_a_key_that_comes_while_the_form_is_filled_in_anew_is_kept(opened: IconhaApp) -> None:
    async with opened.run_test() as pilot:
        area = await in_the_editor(pilot)
        editor = opened.screen.query_one(ConfEditor)
        await press(pilot, *"# mi")
        await until(pilot, lambda: opened.cluster.draft.corosync.conf)
        area.insert("n")
        assert editor._outlook
        editor.follow(editor._outlook)
        await press(pilot, "e", "enter")
        assert area.text.startswith("# mine\ntotem {")
        await until(pilot, lambda: opened.cluster.draft.corosync.conf == {"PRep-01": area.text})


async def test_a_text_can_be_emptied_and_typed_anew(opened: IconhaApp) -> None:
    async with opened.run_test() as pilot:
        area = await in_the_editor(pilot)
        area.select_all()
        await press(pilot, "delete")
        await pilot.pause(0.3)
        assert area.text == "", "the guide's form does not come between"
        assert opened.cluster.draft.corosync.conf == {}
        await press(pilot, *"totem {")
        await until(pilot, lambda: opened.cluster.draft.corosync.conf == {"PRep-01": "totem {"})


async def test_what_was_typed_is_there_after_other_pages(opened: IconhaApp) -> None:
    async with opened.run_test() as pilot:
        area = await in_the_editor(pilot)
        await press(pilot, *"# x", "enter", "f1", "escape", "escape", "f8", "f7")
        assert area.text.startswith("# x\ntotem {")
        await until(pilot, lambda: opened.cluster.draft.corosync.conf)


async def test_a_setting_changes_the_guides_form_and_leaves_ones_own(opened: IconhaApp) -> None:
    async with opened.run_test(size=(120, 40)) as pilot:
        await at_corosync(pilot)
        first, second = areas(opened)
        first.focus()
        await press(pilot, *"# x", "enter")
        await until(pilot, lambda: opened.cluster.draft.corosync.conf)
        next(field for field in opened.screen.query(TextField) if field.path == "corosync.port").go()
        await press(pilot, "end", "ctrl+u", *"5410")
        await until(pilot, lambda: "mcastport: 5410" in second.text)
        assert "mcastport: 5405" in first.text


async def test_without_the_addresses_it_says_why_it_cannot_be_edited(wizard: Make, size: tuple[int, int]) -> None:
    app = wizard(spec=Spec())
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: app.work.is_open)
        app.pages.show_stage("corosync")
        await shows(pilot, "“Instances and ports” reads the addresses")
        await press(pilot, "f6")
        await until(pilot, lambda: isinstance(app.focused, ConfArea))
        await shows(pilot, "“Instances and ports” reads the addresses")
        await press(pilot, "x")
        assert not areas(app)[0].text.startswith("x")


# Differences


def reading(app: Any, answer: Callable[[], bytes | None]) -> list[tuple[str, str]]:
    """Lets the nodes answer to `read` alone. Returns what was asked."""
    asked: list[tuple[str, str]] = []

    def node(name: str) -> Any:
        def read(path: str) -> bytes | None:
            asked.append((name, path))
            return answer()

        return SimpleNamespace(read=read)

    app.cluster.session.ctx.node = node
    return asked


def compared(app: Any, words: str) -> list[str]:
    """The words of a line of the comparison."""
    area = app.screen.query_one(DiffArea)
    lines = ["".join(segment.text for segment in area.render_line(y)) for y in range(area.size.height)]
    return next(line for line in lines if words in line).split()


async def test_the_text_against_the_guide_the_other_node_and_what_is_there_now(
    opened: IconhaApp, size: tuple[int, int]
) -> None:
    async with opened.run_test(size=size) as pilot:
        area = await in_the_editor(pilot)
        asked = reading(opened, lambda: area.text.replace("nodecluster", "debian").encode())
        await press(pilot, "down", *"# x", "enter", "ctrl+d")
        await until(pilot, lambda: isinstance(opened.screen, Differences))
        await shows(pilot, "1 difference from the guide's form (-) to this text (+)")
        assert compared(opened, "# x")[:2] == ["2", "+"]
        await press(pilot, "right")
        await shows(pilot, "from PRep-02 (-) to this text (+)")
        assert compared(opened, "10.0.0.12")[1] == "-"
        assert compared(opened, "bindnetaddr: 10.0.0.11")[1] == "+"
        await press(pilot, "right")
        await shows(pilot, "from what is there now (-) to this text (+)")
        assert compared(opened, "cluster_name: debian")[1] == "-"
        assert asked == [("PRep-01", "/etc/corosync/corosync.conf")]
        await press(pilot, "escape")
        assert opened.focused is area


async def test_differences_are_walked_by_key(opened: IconhaApp) -> None:
    async with opened.run_test() as pilot:
        area = await in_the_editor(pilot)
        reading(opened, lambda: b"")
        area.replace("# one\n", (1, 0), (1, 0))
        area.replace("# two\n", (30, 0), (30, 0))
        await press(pilot, "ctrl+d")
        await until(pilot, lambda: isinstance(opened.screen, Differences))
        shown = opened.screen.query_one(DiffArea)
        await until(pilot, lambda: shown.cursor_location[0] == 1)
        for key, line in (("n", 30), ("n", 1), ("p", 30)):
            await press(pilot, key)
            assert shown.cursor_location[0] == line
            assert shown.document.get_line(line).startswith("# ")


@pytest.mark.parametrize("said", ["no file", "no answer"])
async def test_a_node_without_a_file_or_out_of_reach_is_a_sentence(opened: IconhaApp, said: str) -> None:
    def answer() -> None:
        if said == "no answer":
            raise Trouble("SSH does not answer.", where="PRep-01", remedy="Check that the machine runs.")

    async with opened.run_test() as pilot:
        await in_the_editor(pilot)
        reading(opened, answer)
        await press(pilot, "ctrl+d", "left")
        if said == "no file":
            await shows(pilot, "PRep-01 has no /etc/corosync/corosync.conf yet")
            assert compared(opened, "totem {")[1] == "+"
        else:
            await shows(pilot, "SSH does not answer.")
            await shows(pilot, "Check that the machine runs.")
            reading(opened, lambda: b"totem {\n}\n")
            await press(pilot, "r")
            await shows(pilot, "from what is there now")


async def test_a_file_on_a_node_is_text_and_never_markup(opened: IconhaApp) -> None:
    async with opened.run_test() as pilot:
        await in_the_editor(pilot)
        reading(opened, lambda: b"[bold red]\x1b[31mtotem[/] {\n\xff}\n")
        await press(pilot, "ctrl+d", "left")
        await shows(pilot, "[bold red]")
        assert "\x1b" not in text(opened)


# Looks


async def test_the_syntax_follows_the_theme(opened: IconhaApp) -> None:
    async with opened.run_test(size=(120, 40)) as pilot:
        await at_corosync(pilot)

        def colours() -> set[Any]:
            strip = areas(opened)[0].render_line(2)
            return {segment.style.color for segment in strip if segment.style and "cluster_name" in segment.text}

        dark = colours()
        opened.theme = "iconha-light"
        await until(pilot, lambda: colours() != dark)


def test_a_line_falls_into_its_parts() -> None:
    def parts(line: str) -> list[tuple[str, str]]:
        return [(kind, line[start:end]) for kind, start, end in tokens(line)]

    assert parts("totem {") == [("section", "totem"), ("brace", "{")]
    assert parts("    ring0_addr: 10.0.0.11") == [("key", "    ring0_addr"), ("number", "10.0.0.11")]
    assert parts("  # totem { a: 1") == [("comment", "  # totem { a: 1")]
    assert parts("bindnetaddr: ⟪PRep-01.private_ip⟫") == [("key", "bindnetaddr"), ("unread", "⟪PRep-01.private_ip⟫")]


async def test_a_key_right_after_what_was_typed_judges_the_text_with_it(opened: IconhaApp) -> None:
    async with opened.run_test(size=(120, 40)) as pilot:
        await in_the_editor(pilot)
        await press(pilot, "down", "down", "home")
        await hurry(pilot, *"!?", "f5")
        assert not opened.work.busy, "a text that corosync refuses is run"
        await shows(pilot, "F5 waits until this is corrected: corosync.conf: PRep-01, line 3")
        await until(pilot, lambda: opened.focused is areas(opened)[0])
        await hurry(pilot, "home", "delete", "delete", "#", "f3")
        assert opened.screen.query_one(Form).problem == ""
        assert opened.cluster.draft.corosync.conf["PRep-01"].splitlines()[2].startswith("#"), (
            "what was typed last counts"
        )
