"""The line in which a search or a filter of the output is typed."""

from __future__ import annotations

from typing import ClassVar, Literal

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input

from iconha_tui.widgets.line_view import LineView
from iconha_tui.widgets.words import Words

Purpose = Literal["search", "filter"]

_PROMPTS: dict[Purpose, str] = {"search": "Search ", "filter": "Only lines with "}


class FindLine(Horizontal):
    """Takes its height only while it is open. What is typed works at once; Enter keeps it, Escape drops it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "drop", show=False)]

    class Closed(Message):
        """The operator is done with it. view: what was searched."""

        def __init__(self, view: LineView) -> None:
            super().__init__()
            self.view = view

    def __init__(self) -> None:
        super().__init__(id="find-line")
        self._purpose: Purpose = "search"
        self._view: LineView | None = None

    def compose(self) -> ComposeResult:
        yield Words(id="find-prompt")
        yield Input(compact=True, id="find-text", placeholder="Enter keeps, Esc drops")
        yield Words(id="find-count")

    def open(self, purpose: Purpose, view: LineView) -> None:
        """Asks what to search a view for, or to filter it by; what it has already is there to be changed."""
        self._purpose, self._view = purpose, None
        self.query_one("#find-prompt", Words).say(_PROMPTS[purpose], layout=True)
        typed = self.query_one(Input)
        with self.prevent(Input.Changed):
            typed.value = view.text.needle if purpose == "search" else " ".join(view.text.words)
        self._view = view
        view.begin_search()
        self._count()
        self.set_class(True, "-open")
        typed.focus()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._apply(event.value)

    def _apply(self, text: str) -> None:
        if self._view is None:
            return
        if self._purpose == "search":
            self._view.search(text)
        else:
            self._view.filter(text)
        self._count()

    def _count(self) -> None:
        if self._view is not None:
            count = self._view.count if self._purpose == "search" else self._view.kept
            self.query_one("#find-count", Words).say(count)

    @on(Input.Submitted)
    def _kept(self, event: Input.Submitted) -> None:
        event.stop()
        self.close()

    def action_drop(self) -> None:
        self._apply("")
        self.close()

    def close(self) -> None:
        """What was typed stays as it is."""
        if self._view is not None:
            self.set_class(False, "-open")
            self.post_message(self.Closed(self._view))
            self._view = None
