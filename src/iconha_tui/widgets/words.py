"""Words that are told often and change seldom."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static


class Words(Static):
    """A text that costs nothing when it is told again unchanged. layout: its size may change with it."""

    def __init__(self, text: str = "", *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(text, id=id, classes=classes, markup=False)
        self._told: Content | str = text

    def say(self, text: Content | str, *, layout: bool = False) -> None:
        if text != self._told:
            resized = layout and _extent(text) != _extent(self._told)
            self._told = text
            self.update(text, layout=resized)


def _extent(text: Content | str) -> list[int]:
    """The lengths of its lines: a clock that goes on takes the room that it had."""
    return [len(line) for line in str(text).split("\n")]
