"""The line at the top: the program, the cluster, and what is going on."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Static


class TitleBar(Horizontal):
    """The program and the cluster at the left, what is going on at the right."""

    def __init__(self, left: str = "", right: str = "") -> None:
        super().__init__()
        self._left, self._right = left, right

    def compose(self) -> ComposeResult:
        yield Static(self._text(self._left), id="title-left", markup=False)
        yield Static(self._right, id="title-right", markup=False)

    def show(self, left: str, right: str) -> None:
        self.query_one("#title-left", Static).update(self._text(left))
        self.query_one("#title-right", Static).update(right)

    @staticmethod
    def _text(left: str) -> str:
        return f"iconha-tui  {left}" if left else "iconha-tui"
