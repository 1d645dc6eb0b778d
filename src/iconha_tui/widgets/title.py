"""The line at the top: the program, the cluster, and what is going on."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal

from iconha_tui.widgets.words import Words


class TitleBar(Horizontal):
    """The program and the cluster at the left, what is going on at the right."""

    def __init__(self, left: str = "", right: str = "") -> None:
        super().__init__()
        self._left, self._right = left, right

    def compose(self) -> ComposeResult:
        yield Words(self._text(self._left), id="title-left")
        yield Words(self._right, id="title-right")

    def show(self, left: str, right: str) -> None:
        self.query_one("#title-left", Words).say(self._text(left), layout=True)
        self.query_one("#title-right", Words).say(right)

    @staticmethod
    def _text(left: str) -> str:
        return f"iconha-tui  {left}" if left else "iconha-tui"
