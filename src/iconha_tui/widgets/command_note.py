"""The very commands that a form's values lead to, changing as one types."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from iconha_tui.engine.actions import Run, Upload, masked
from iconha_tui.engine.plan import plan_of
from iconha_tui.engine.step import Stage, View
from iconha_tui.errors import Trouble
from iconha_tui.widgets.form import Part
from iconha_tui.widgets.glyphs import COMMAND
from iconha_tui.widgets.outlook import Outlook


class CommandNote(Part):
    """Shows the commands of one step of a stage's plan."""

    def __init__(self, stage: Stage, step: str) -> None:
        super().__init__(classes="note")
        self._stage, self._step = stage, step

    def compose(self) -> ComposeResult:
        yield Static("What these settings lead to", classes="form-heading", markup=False)
        yield Static(id="command-note", markup=False)

    def follow(self, outlook: Outlook) -> None:
        self.query_one("#command-note", Static).update(self._text(outlook))

    def _text(self, outlook: Outlook) -> Content:
        lines = []
        try:
            for planned in plan_of([self._stage], View(outlook.spec, outlook.facts)):
                for action in planned.actions if planned.step.id == self._step else ():
                    if isinstance(action, Run):
                        lines.append(f"{COMMAND} {action.shown()}")
                    elif isinstance(action, Upload):
                        lines += [action.shown(), *(f"  | {line}" for line in masked(action.content).splitlines())]
        except (Trouble, ValueError) as error:
            return Content(f"It cannot be planned yet. {error}")
        return Content.styled("\n".join(lines) or "Nothing has to be changed.", "$text-accent")
