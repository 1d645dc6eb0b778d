"""What went wrong: where, the command, its last lines, what to do, and the keys for it."""

from __future__ import annotations

from collections.abc import Iterator

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content

from iconha_tui.engine.events import StepFinished
from iconha_tui.errors import Trouble
from iconha_tui.widgets.glyphs import COMMAND, mark
from iconha_tui.widgets.hanging import MUTED, Hanging, Row


class FailureBox(VerticalScroll):
    """The failure of a stage's run; hidden when there is none."""

    def compose(self) -> ComposeResult:
        yield Hanging(id="failure")

    def show(self, failure: StepFinished | Trouble | None) -> None:
        self.display = failure is not None
        if failure is not None:
            self.query_one(Hanging).show(describe(failure))


def describe(failure: StepFinished | Trouble) -> Iterator[Row]:
    """A failure as an operator reads it."""
    if isinstance(failure, Trouble):
        state, what, command, tail = "failed", failure.what, "", failure.detail
    else:
        state, what, command, tail = failure.outcome, failure.text, failure.command, failure.tail
    look = mark(state)
    place = f"{failure.where}: " if failure.where else ""
    yield Content.styled(f"{look.glyph} {look.word:<11}", look.style), Content.styled(f"{place}{what}", "bold")
    if failure.remedy:
        yield _lead("what to do"), failure.remedy
    if command:
        yield _lead("command"), Content.styled(f"{COMMAND} {command}", "$text-accent")
    for number, line in enumerate(tail.splitlines()):
        yield _lead("last lines" if number == 0 else ""), line
    keys = "F5 retry   F2 edit the settings   " + ("c copy the command   " if command else "") + "ctrl+q quit"
    yield _lead("keys"), Content.styled(keys, MUTED)


def _lead(word: str) -> Content:
    return Content.styled(f"{word:<13}", MUTED)
