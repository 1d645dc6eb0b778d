"""The rail of stages: number, name, glyph and word for the state. A column where there is room, else a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from iconha_tui.widgets.glyphs import HERE, duration, mark
from iconha_tui.widgets.words import Words

if TYPE_CHECKING:
    from iconha_tui.engine.journal import StageProgress
    from iconha_tui.engine.step import Stage


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

    def compose(self) -> ComposeResult:
        yield Static("Stages", id="rail-heading")
        for stage in self._stages:
            yield RailEntry(stage.name)
        yield Words(id="rail-line")

    def show(self, progress: Mapping[str, StageProgress]) -> None:
        """Draws the states anew."""
        ticks = []
        done = 0
        for number, stage in enumerate(self._stages, start=1):
            entry = progress.get(stage.name)
            state = entry.state if entry else "todo"
            look = mark(state)
            time = f" {duration(entry.seconds)}" if entry and entry.seconds and state == "done" else ""
            here = stage.name == self._here
            self.query_one(f"#rail-{stage.name}", Words).say(
                Content.assemble(
                    (f"{HERE if here else ' '}{number} ", "bold" if here else ""),
                    (stage.title, "bold" if here else ""),
                    "\n    ",
                    (f"{look.glyph} {look.word}", look.style),
                    (time, "$foreground-muted"),
                )
            )
            done += state == "done"
            ticks.append(Content.assemble((f"{HERE if here else ''}{number}{look.glyph}", look.style)))
            if here:
                line = Content.assemble(
                    f"Stage {number} of {len(self._stages)}  ",
                    (stage.title, "bold"),
                    "  ",
                    (f"{look.glyph} {look.word}", look.style),
                    time,
                )
        if not self._here:
            line = Content(f"{done} of {len(self._stages)} stages done")
        self.query_one("#rail-line", Words).say(Content.assemble(line, "  ", Content(" ").join(ticks)))

    def on_rail_entry_clicked(self, event: RailEntry.Clicked) -> None:
        self.post_message(self.Chosen(event.stage))


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
