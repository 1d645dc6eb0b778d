"""Text in a form that follows the draft."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.app import ComposeResult
from textual.widgets import Static

from iconha_tui.widgets.form import Part
from iconha_tui.widgets.hanging import Hanging, Row
from iconha_tui.widgets.outlook import Outlook


class Note(Part):
    """A paragraph made from the draft and what is known. Empty: it takes no room."""

    def __init__(self, text: Callable[[Outlook], str]) -> None:
        super().__init__(classes="note")
        self._text = text

    def compose(self) -> ComposeResult:
        yield Static(markup=False)

    def follow(self, outlook: Outlook) -> None:
        text = self._text(outlook)
        self.query_one(Static).update(text)
        self.display = bool(text)


class Table(Part):
    """Rows of a lead and a text, made from the draft and what is known, under a heading. Without rows it takes no room."""

    def __init__(self, title: str, rows: Callable[[Outlook], Sequence[Row]]) -> None:
        super().__init__(classes="note")
        self._title, self._rows = title, rows

    def compose(self) -> ComposeResult:
        yield Static(self._title, classes="form-heading", markup=False)
        yield Hanging()

    def follow(self, outlook: Outlook) -> None:
        rows = self._rows(outlook)
        self.query_one(Hanging).show(rows)
        self.display = bool(rows)
