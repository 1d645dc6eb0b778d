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
    from iconha_tui.widgets.pair_look import PairLook

MUTED = "$foreground-muted"
BAR = 24
"""The width of the bar of all stages, which is that of the column."""


@dataclass(frozen=True)
class StageLook:
    """What the rail tells of a stage: its state, and its seconds, 0 where there is nothing to tell.

    old: nobody has looked lately whether it is still so.
    """

    state: str = "todo"
    seconds: float = 0.0
    old: bool = False

    def content(self, at: float | None) -> Content:
        """Glyph, word and time."""
        look = mark(self.state, at)
        time = f" {duration(self.seconds)}" if self.seconds else ""
        word = f"was {look.word}" if self.old else look.word
        return Content.assemble((f"{look.glyph} {word}", self.style), (time, MUTED))

    @property
    def style(self) -> str:
        """What is old is dimmed."""
        return MUTED if self.old else mark(self.state).style


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

    def show(
        self,
        looks: Sequence[StageLook],
        forecast: Forecast,
        at: float | None,
        *,
        ended: str = "",
        pair: PairLook | None = None,
    ) -> None:
        """Draws the states anew. forecast: of all stages. at: the clock by which what runs turns; None: nothing may move.

        ended: how the last run ended, where it did not end well. pair: what was last seen of the pair, once there is one.
        """
        self._looks, self._at = looks, at
        figure, style = _figure(forecast, ended, pair)
        self.query_one("#rail-title", Words).say(_title(figure, style))
        self.query_one("#rail-bar", Words).say(_bar(forecast.share, style or "$primary"))
        spent = sum(look.seconds for look in looks)
        self.query_one("#rail-time", Words).say(_time(spent, forecast, pair), layout=True)
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
            ticks.append(Content.assemble((f"{HERE if here else ''}{number}{glyph.glyph}", look.style)))
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


def _figure(forecast: Forecast, ended: str, pair: PairLook | None) -> tuple[str, str]:
    """How much of all the work is done; or, where the last run did not end well, or all is done and the pair does not serve
    all the same, just that. With its style, "" for the usual one."""
    if ended:
        return f"{mark(ended).word} at {forecast.percent} %", mark(ended).style
    if pair is not None and pair.bad and forecast.share >= 1:
        return pair.word, MUTED if pair.old else mark(pair.state).style
    return f"{forecast.percent} %", ""


def _title(figure: str, style: str) -> Content:
    """The heading, with the figure at its right."""
    heading = "All stages" if len(figure) < BAR - len("All stages") else "Stages"
    return Content.assemble((heading, "bold"), " " * (BAR - len(heading) - len(figure)), (figure, style))


def _bar(share: float, style: str) -> Content:
    """The same as a bar, which is full only where all is done."""
    full = int(share * BAR)
    return Content.assemble(("━" * full, style), ("·" * (BAR - full), MUTED))


def _time(spent: float, forecast: Forecast, pair: PairLook | None) -> Content:
    said = [f"{duration(spent)} so far" if spent else "", forecast.words()]
    lines = [Content.styled(part, MUTED) for part in said if part]
    if pair is not None:
        seen = f"pair {pair.word}{', ' + pair.age if pair.age else ''}"
        lines.append(Content.styled(seen, MUTED if pair.old else mark(pair.state).style))
    return Content("\n").join(lines)


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
