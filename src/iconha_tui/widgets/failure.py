"""What went wrong: where, the command, its last lines, what to do, and the keys for it."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from iconha_tui.engine.events import StepFinished
from iconha_tui.errors import Trouble
from iconha_tui.widgets.glyphs import mark

KEYS = "F5 retry   F2 edit the settings   c copy the command   ctrl+q quit"


class FailureBox(VerticalScroll):
    """The failure of a stage's run; hidden when there is none."""

    def compose(self) -> ComposeResult:
        yield Static(id="failure", markup=False)

    def show(self, failure: StepFinished | Trouble | None) -> None:
        self.display = failure is not None
        if failure is not None:
            self.query_one("#failure", Static).update(describe(failure))


def describe(failure: StepFinished | Trouble) -> Content:
    """A failure as an operator reads it."""
    if isinstance(failure, Trouble):
        state, what, command, tail = "failed", failure.what, "", failure.detail
    else:
        state, what, command, tail = failure.outcome, failure.text, failure.command, failure.tail
    look = mark(state)
    place = f"{failure.where}: " if failure.where else ""
    lines = [Content.assemble((f"{look.glyph} {look.word}  ", look.style), (f"{place}{what}", "bold"))]
    if command:
        lines.append(Content.assemble(("command     ", "$foreground-muted"), command))
    if tail:
        lines.append(Content.styled("last lines", "$foreground-muted"))
        lines += [Content(f"  {line}") for line in tail.splitlines()]
    if failure.remedy:
        lines.append(Content.assemble(("what to do  ", "$foreground-muted"), failure.remedy))
    lines.append(Content.styled(KEYS, "$foreground-muted"))
    return Content("\n").join(lines)
