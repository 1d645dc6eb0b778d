"""The rail of stages: number, name, glyph and word for the state, time. A column where there is room, else a line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.events import Resize
from textual.message import Message

from iconha_tui.widgets.glyphs import HERE, duration, mark
from iconha_tui.widgets.words import Words

if TYPE_CHECKING:
    from iconha_tui.engine.estimate import Forecast
    from iconha_tui.engine.step import Stage

MUTED = "$foreground-muted"
BAR = 24
"""The width of the bar of all stages, which is that of the column."""


@dataclass(frozen=True)
class StageLook:
    """What the rail tells of a stage: its state, and its seconds, 0 where there is nothing to tell."""

    state: str = "todo"
    seconds: float = 0.0

    def content(self, at: float | None) -> Content:
        """Glyph, word and time."""
        look = mark(self.state, at)
        time = f" {duration(self.seconds)}" if self.seconds else ""
        return Content.assemble((f"{look.glyph} {look.word}", look.style), (time, MUTED))


class StageRail(Vertical):
    """All stages and how far each has got. A click on one asks to go there."""

    class Chosen(Message):
        def __init__(self, stage: str) -> None:
            super().__init__()
            self.stage = stage

    def __init__(self, stages: Sequence[Stage], here: str = "") -> None:
        super().__init__()
        self._stages = stages
        self._here = here
        self._looks: Sequence[StageLook] = [StageLook()] * len(stages)
        self._at: float | None = None

    def compose(self) -> ComposeResult:
        with Vertical(id="rail-heading"):
            yield Words(id="rail-title")
            yield Words(id="rail-bar")
            yield Words(id="rail-time")
        for stage in self._stages:
            yield RailEntry(stage.name)
        yield Words(id="rail-line")

    def show(self, looks: Sequence[StageLook], forecast: Forecast, at: float | None) -> None:
        """Draws the states anew. forecast: of all stages. at: the clock by which what runs turns; None: nothing may move."""
        self._looks, self._at = looks, at
        self.query_one("#rail-title", Words).say(_title(forecast.share))
        self.query_one("#rail-bar", Words).say(_bar(forecast.share))
        self.query_one("#rail-time", Words).say(_time(sum(look.seconds for look in looks), forecast), layout=True)
        for number, (stage, look) in enumerate(zip(self._stages, looks, strict=True), start=1):
            here = stage.name == self._here
            self.query_one(f"#rail-{stage.name}", Words).say(
                Content.assemble(
                    (f"{HERE if here else ' '}{number} ", "bold" if here else ""),
                    (stage.title, "bold" if here else ""),
                    "\n    ",
                    look.content(at),
                )
            )
        self._line()

    def on_resize(self, event: Resize) -> None:
        self._line()

    def _line(self) -> None:
        """The line: as much of it as there is room for."""
        room = self.content_size.width
        lines = list(self._lines())
        self.query_one("#rail-line", Words).say(next((line for line in lines if line.cell_length <= room), lines[-1]))

    def _lines(self) -> Iterator[Content]:
        """Ways to tell it, the longest first."""
        ticks = []
        where = Content(f"{sum(look.state in ('done', 'skipped') for look in self._looks)} stages done")
        for number, (stage, look) in enumerate(zip(self._stages, self._looks, strict=True), start=1):
            glyph, here = mark(look.state, self._at), stage.name == self._here
            ticks.append(Content.assemble((f"{HERE if here else ''}{number}{glyph.glyph}", glyph.style)))
            if here:
                where = Content.assemble(
                    f"{number} of {len(self._looks)}  ", (stage.title, "bold"), "  ", look.content(self._at)
                )
        yield Content.assemble("Stage ", where, "   ", Content(" ").join(ticks))
        yield Content.assemble(where, "  ", Content(" ").join(ticks))
        yield Content.assemble(where, "  ", *ticks)
        yield where

    def on_rail_entry_clicked(self, event: RailEntry.Clicked) -> None:
        self.post_message(self.Chosen(event.stage))


def _title(share: float) -> Content:
    """How much of all the work is done, in figures."""
    figure = f"{share * 100:.0f} %"
    return Content.assemble(("All stages", "bold"), " " * (BAR - len("All stages") - len(figure)), figure)


def _bar(share: float) -> Content:
    """The same as a bar."""
    full = round(share * BAR)
    return Content.assemble(("━" * full, "$primary"), ("·" * (BAR - full), MUTED))


def _time(spent: float, forecast: Forecast) -> Content:
    said = [f"{duration(spent)} so far" if spent else "", forecast.words()]
    return Content.styled("\n".join(part for part in said if part), MUTED)


class RailEntry(Words):
    """One stage in the column."""

    class Clicked(Message):
        def __init__(self, stage: str) -> None:
            super().__init__()
            self.stage = stage

    def __init__(self, stage: str) -> None:
        super().__init__(id=f"rail-{stage}", classes="rail-entry")
        self._stage = stage

    def on_click(self) -> None:
        self.post_message(self.Clicked(self._stage))
