"""Text whose lines wrap under their own beginning, not under the margin."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual.content import Content
from textual.events import Resize
from textual.widgets import Static

Row = tuple[Content | str, Content | str]
"""A lead, and what stands beside it."""

MUTED = "$foreground-muted"


class Hanging(Static):
    """Rows of a lead and a text beside it, laid out for the width there is."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes, markup=False)
        self._rows: Sequence[Row] = ()
        self._width = self._measured = 0
        self._count = -1
        self._tops: list[int] = []

    def show(self, rows: Iterable[Row]) -> None:
        """Shows other rows; the same ones cost nothing."""
        rows = tuple(rows)
        if rows != self._rows:
            self._rows = rows
            self._lay_out()

    def on_resize(self, event: Resize) -> None:
        if event.size.width != self._width:
            self._width = event.size.width
            self._lay_out()

    def _lay_out(self) -> None:
        width = self._width or 78
        before, self._tops = (self._count, self._measured), []
        lines: list[Content] = []
        for lead, body in self._rows:
            self._tops.append(len(lines))
            lines += hang(lead, body, width)
        self._count, self._measured = len(lines), width
        # A height that was measured for another width is not this one's, also where the lines are as many.
        self.update(Content("\n").join(lines), layout=(self._count, width) != before)

    def top(self, row: int) -> int:
        """The line on which a row begins."""
        return self._tops[row] if row < len(self._tops) else 0

    @property
    def plain(self) -> str:
        """The rows without their looks."""
        return "\n".join(f"{lead}{body}" for lead, body in self._rows)


def hang(lead: Content | str, body: Content | str, width: int) -> list[Content]:
    """The lines of a row: the body wrapped beside its lead."""
    lead = Content(lead) if isinstance(lead, str) else lead
    body = Content(body) if isinstance(body, str) else body
    indent = lead.cell_length
    if not body:
        return lead.wrap(max(width, 10)) if lead else [Content("")]
    first, *rest = body.wrap(max(width - indent, 20))
    return [Content.assemble(lead, first), *(Content.assemble(" " * indent, line) for line in rest)]
