"""Rows whose lines wrap under their own beginning: as high as their lines, at every width."""

from __future__ import annotations

import pytest
from piloted import rest
from textual.app import App, ComposeResult
from textual.containers import VerticalScroll

from iconha_tui.widgets.hanging import Hanging

ROWS = [
    ("", f"{'w' * 50} {'v' * 9} short"),  # as many lines at 60 as at 59, but none of those of 60 fits in 59
    ("lead  ", "some words that are wrapped beside their lead, in as many lines as they need"),
    ("only ", ""),
]


class Shown(App[None]):
    CSS = "Hanging { height: auto; }"

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield Hanging()


@pytest.mark.parametrize("widths", [(60, 59), (59, 60), (60, 59, 60), (100, 40), (40, 100)])
async def test_it_is_as_high_as_its_lines_whatever_the_width_was_before(widths: tuple[int, ...]) -> None:
    app = Shown()
    async with app.run_test(size=(widths[0], 30)) as pilot:
        hanging = app.query_one(Hanging)
        hanging.show(ROWS)
        await rest(pilot)
        for width in widths:
            await pilot.resize_terminal(width, 30)
            await rest(pilot)
            lines = str(hanging.content).split("\n")
            assert max(map(len, lines)) <= hanging.size.width
            assert hanging.size.height == len(lines)
            hanging.show(reversed(ROWS))
            await rest(pilot)
            assert hanging.size.height == len(str(hanging.content).split("\n"))
            hanging.show(ROWS)
            await rest(pilot)
