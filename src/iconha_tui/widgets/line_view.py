"""Many lines to read: they follow their end, wrap, can be searched, filtered, selected and copied."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import ClassVar, cast

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Offset, Region
from textual.selection import Selection
from textual.strip import Strip

from iconha_tui.widgets.following import FollowingView
from iconha_tui.widgets.marking import Mark, marked
from iconha_tui.widgets.scrollback import Row

MORE = "▸"
"""Stands at the edge where a line goes on."""


class LineView(FollowingView):
    """Draws a scrollback, and marks what is found and selected. title: what stands in the border."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("shift+up", "select_lines(-1)", "Output: select lines upwards", show=False),
        Binding("shift+down", "select_lines(1)", "Output: select lines downwards", show=False),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {"line-view--found", "line-view--here", "line-view--more"}

    def __init__(self, title: str, *, most: int | None = None, classes: str | None = None) -> None:
        super().__init__(most=most, classes=classes)
        self.title = title
        self.here: int | None = None
        """The number of the line that the search stands at."""
        self._origin = (0, True)
        self._marked: tuple[int, int] | None = None  # by the keyboard: where the selection began, where it ends
        self._base, self._painting = Style(), False
        self._told = ("", "")

    def add(self, lines: Iterable[str]) -> None:
        super().add(lines)
        if self.here is not None and self.here < self.text.first:
            self.here = None

    def clear(self) -> None:
        self.here = self._marked = None
        super().clear()

    def action_scroll_end(self) -> None:
        self.here = None
        super().action_scroll_end()

    # Search and filter

    def begin_search(self) -> None:
        """From here the search goes on as it is typed, and here it comes back to while nothing is found."""
        self._origin = (self._first_in_sight, self.following)

    def search(self, needle: str) -> None:
        """Goes to the next line that holds the text."""
        self.text.search(needle)
        self.here = None
        number, following = self._origin
        if self.text.found:
            self._go(bisect_left(self.text.found, number))
        else:
            self.following = following
            self.jump(y=self.max_scroll_y if following else self.text.y(number))
        self.tell()
        self.refresh()

    def end_search(self) -> None:
        """What was found is no longer marked; the view stays where it is."""
        self.begin_search()
        self.search("")

    def go(self, by: int) -> None:
        """To the next line found, or the one before; round the end."""
        found = self.text.found
        if not found:
            return
        here = bisect_left(found, self._first_in_sight if self.here is None else self.here)
        between = by > 0 and found[here : here + 1] != [self.here]
        self._go(here + by - between)
        self.tell()
        self.refresh()

    def _go(self, place: int) -> None:
        found = self.text.found
        self.here = found[place % len(found)]
        start = self.text.position(self.here)
        y = self.text.y(self.here, start)
        height = self.container_size.height
        if not self.scroll_offset.y <= y < self.scroll_offset.y + height:
            self.jump(y=max(0, min(y - height // 3, self.max_scroll_y)))
        if not self.text.wrap:
            self.jump(x=max(0, start - self.text.width // 2) if start >= self.text.width else 0)
        self.following = False

    def filter(self, words: str) -> None:
        """Shows only the lines that hold all of the words; all lines where there are none."""
        self.keeping_place(lambda: self.text.filter(words))

    @property
    def _first_in_sight(self) -> int:
        row = self.text.row(self.scroll_offset.y)
        return row.number if row else 0

    @property
    def count(self) -> str:
        """How the search stands: 3 of 17."""
        found = self.text.found
        if not self.text.needle:
            return ""
        if not found:
            return "not found"
        place = len(found) if self.here is None else bisect_left(found, self.here)
        at = found[place : place + 1] == [self.here]
        return f"{place + 1:,} of {len(found):,}" if at else f"{len(found):,} found"

    @property
    def kept(self) -> str:
        """How the filter stands: 17 of 3,200 lines."""
        return f"{len(self.text.shown):,} of {len(self.text.lines):,} lines"

    def tell(self) -> None:
        """Says in the border what is filtered and searched, and that it does not follow."""
        text = self.text
        title, below = self.title, []
        if text.words:
            title += f"  only {' '.join(text.words)}: {self.kept}"
        if text.needle:
            below.append(f"/{text.needle}  {self.count}")
        if not self.following:
            below.append("End follows again")
        told = (title, "   ".join(below))
        if told != self._told:
            self._told = told
            self.border_title, self.border_subtitle = cast("tuple[str, str]", tuple(Content(each) for each in told))

    # Selection

    def action_select_lines(self, by: int) -> None:
        """Selects whole lines, one more at each press."""
        text = self.text
        if not text.shown:
            return
        if self._marked is None or self.text_selection is None:
            rows = self._rows_in_sight()
            start = self.here if self.here is not None else rows[0 if by > 0 else -1].number
            self._marked = (start, start)
        else:
            start, end = self._marked
            place = bisect_left(text.shown, end) + by
            self._marked = (start, text.shown[max(0, min(place, len(text.shown) - 1))])
        first, last = sorted(self._marked)
        self.screen.selections = {self: Selection(Offset(0, first), Offset(max(1, len(text[last])), last))}
        y = text.y(self._marked[1])
        if not self.scroll_offset.y <= y < self.scroll_offset.y + self.container_size.height:
            self.jump(y=y if by < 0 else y - self.container_size.height + 1)

    def _rows_in_sight(self) -> list[Row]:
        top = self.scroll_offset.y
        rows = (self.text.row(y) for y in range(top, top + self.container_size.height))
        return [row for row in rows if row is not None]

    def lines_to_copy(self) -> list[str]:
        """What is selected; where nothing is, the lines in sight."""
        if self.text_selection is not None:
            return self.text.selected(self.text_selection)
        rows = self._rows_in_sight()
        return [self.text[number] for number in self.text.between(rows[0].number, rows[-1].number)] if rows else []

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        return "\n".join(self.text.selected(selection)), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        if selection is None:
            self._marked = None
            self.measure()
        self.refresh()

    # Drawing

    def render_lines(self, crop: Region) -> list[Strip]:
        self._base, self._painting = self.rich_style, True
        try:
            return super().render_lines(crop)
        finally:
            self._painting = False

    def render_line(self, y: int) -> Strip:
        """One row. Where each character of it stands in the lines is told only to the mouse, which asks row by row: a style
        for each place would keep the garbage collector busy while lines stream by."""
        width, base = self.text.width, self._base
        row = self.text.row(self.scroll_offset.y + y, self.scroll_offset.x)
        if row is None:
            return Strip.blank(width, base)
        line = self.text[row.number]
        segments = self._segments(row, line, base)
        room = width - row.indent - sum(segment.cell_length for segment in segments)
        if room > 0:
            segments.append(Segment(" " * room, base))
        strip = Strip(segments, width - row.indent - min(room, 0))
        if not self._painting:
            strip = strip.apply_offsets(row.start, row.number)
        if row.indent:
            strip = Strip([Segment(" " * row.indent, base), *strip], strip.cell_length + row.indent)
        if not self.text.wrap and row.end < len(line):
            more = Segment(MORE, self.get_component_rich_style("line-view--more"))
            strip = Strip([*strip.crop(0, width - 1), more], width)
        return strip

    def _segments(self, row: Row, line: str, base: Style) -> list[Segment]:
        """The characters of a row, what is found and selected in it marked."""
        looks: list[Mark] = []
        if (selection := self.text_selection) is not None and (span := selection.get_span(row.number)) is not None:
            start, end = span
            look = Style(bgcolor=self.screen.get_component_rich_style("screen--selection").bgcolor)
            looks.append((start, len(line) if end == -1 else end, look))
        found = "line-view--here" if row.number == self.here else "line-view--found"
        for start, end in self.text.spans(row):
            looks.append((start, end, self.get_component_rich_style(found)))
        return marked(line, row.start, row.end, base, looks)
