"""Lines that a target said, as far as they are kept: filtered, searched, and wrapped into rows."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

from rich.cells import cell_len, get_character_cell_size
from textual.selection import Selection

INDENT = 2
"""Cells by which the second and every further row of a wrapped line stands in."""
_NARROW = re.compile("[ -~\u00a0-\u02ff\u0370-\u0482\u2010-\u2027\u2190-\u21ff\u2500-\u25fc]*").fullmatch
"""Matches a text in which each character takes one cell, as nearly all output is."""


class Row(NamedTuple):
    """One row of the screen: characters start to end of a line, standing in by some cells."""

    number: int
    start: int
    end: int
    indent: int


class Scrollback:
    """Lines by number, counted from the first that ever came; the last `most` are kept, all where it is None.

    `shown` has the numbers of those that pass the filter, `found` of those that hold what is searched for. Rows are
    counted as they come, so that no line is looked at twice for being there.
    """

    def __init__(self, most: int | None = None) -> None:
        self._most = most
        self.words: tuple[str, ...] = ()
        self.needle = ""
        self.width, self.wrap = 80, True
        self.clear()

    def clear(self) -> None:
        self.lines: list[str] = []
        self.first = 0
        self.shown: list[int] = []
        self.found: list[int] = []
        self._ends: list[int] = []  # the row, counted as lines are, behind each line that is shown
        self._above = 0  # rows of lines that are kept no more
        self.widest = 0

    # Lines

    def __getitem__(self, number: int) -> str:
        return self.lines[number - self.first]

    @property
    def height(self) -> int:
        """Rows that there are."""
        return self._bottom - self._above

    @property
    def _bottom(self) -> int:
        return self._ends[-1] if self._ends else self._above

    def add(self, lines: Iterable[str]) -> int:
        """Takes further lines; how many rows at the top went for them."""
        new = [part for line in lines for part in (line.split("\n") if "\n" in line else (line,))]
        if self._most is not None and len(new) > self._most:
            passed_over = len(new) - self._most
            dropped = self._drop(len(self.lines))
            self.first += passed_over
            new = new[passed_over:]
        else:
            dropped = 0
        start = self.first + len(self.lines)
        self.lines += new
        numbers: Sequence[int] = range(start, start + len(new))
        if self.words:
            numbers = self._passing(numbers)
            new = [self[number] for number in numbers]
        self.shown += numbers
        self._ends += self._rows_behind(new, self._bottom)
        self._widen(new)
        if self.needle:
            self.found += self._holding(numbers)
        if self._most is not None and len(self.lines) > self._most:
            dropped += self._drop(len(self.lines) - self._most)
        return dropped

    def _drop(self, count: int) -> int:
        """Forgets the oldest lines; how many rows they were."""
        self.first += count
        del self.lines[:count]
        gone = bisect_left(self.shown, self.first)
        rows = (self._ends[gone - 1] if gone else self._above) - self._above
        self._above += rows
        del self.shown[:gone], self._ends[:gone], self.found[: bisect_left(self.found, self.first)]
        return rows

    # Filter and search

    def filter(self, words: str) -> None:
        """Shows only lines that hold each of the words; all where there are none. Capitals count where one is typed."""
        self.words = tuple(words.split())
        self.shown = self._passing(range(self.first, self.first + len(self.lines)))
        self.lay_out()
        self.found = self._holding(self.shown)

    def search(self, needle: str) -> None:
        """Finds the lines that hold a text, as it is written. Capitals count where one is typed."""
        narrower = self.needle and needle.startswith(self.needle)
        self.needle = needle
        self.found = self._holding(self.found if narrower else self.shown)

    def _passing(self, numbers: Sequence[int]) -> list[int]:
        found = list(numbers)
        for word in self.words:
            found = self._with(word, found)
        return found

    def _holding(self, numbers: Sequence[int]) -> list[int]:
        return self._with(self.needle, numbers) if self.needle else []

    def _with(self, text: str, numbers: Sequence[int]) -> list[int]:
        lines, first = self.lines, self.first
        if _minds_case(text):
            return [number for number in numbers if text in lines[number - first]]
        return [number for number in numbers if text in lines[number - first].lower()]

    def position(self, number: int) -> int:
        """The character at which the search's text begins in a line that holds it."""
        line = self[number]
        return max(0, (line if _minds_case(self.needle) else line.lower()).find(self.needle))

    def spans(self, row: Row) -> list[tuple[int, int]]:
        """Where in a row the search's text stands; it may have begun in the row above."""
        if not self.needle:
            return []
        flags = re.NOFLAG if _minds_case(self.needle) else re.IGNORECASE
        near = max(0, row.start - len(self.needle))
        text = self[row.number][near : row.end + len(self.needle)]
        found = (match.span() for match in re.finditer(re.escape(self.needle), text, flags))
        return [(start + near, end + near) for start, end in found if end + near > row.start and start + near < row.end]

    # Rows

    def lay_out(self, width: int | None = None) -> None:
        """Counts the rows anew, for another width."""
        self.width = width or self.width
        self._above = 0
        lines = [self[number] for number in self.shown]
        self._ends = self._rows_behind(lines, 0)
        self._widen(lines)

    def turn_wrap(self) -> None:
        self.wrap = not self.wrap
        self.lay_out()

    def _rows_behind(self, lines: list[str], before: int) -> list[int]:
        if not self.wrap:
            return list(range(before + 1, before + 1 + len(lines)))
        width, rest = self.width, _rest(self.width)
        counts = (
            (1 if len(line) <= width else 1 - (width - len(line)) // rest)
            if line.isascii()
            else 1 + len(_cuts(line, width))
            for line in lines
        )
        ends = accumulate(counts, initial=before)
        next(ends)
        return list(ends)

    def _widen(self, lines: list[str]) -> None:
        """Cells of the longest line; they count where lines are not wrapped."""
        if not self.wrap:
            self.widest = max(self.widest, max(map(_cells, lines), default=0))

    def row(self, y: int, left: int = 0) -> Row | None:
        """What stands in a row of the screen, None below the end. left: cells passed over where lines are not wrapped."""
        at = bisect_right(self._ends, self._above + y)
        if at == len(self._ends):
            return None
        number = self.shown[at]
        line = self[number]
        if not self.wrap:
            return Row(number, _character(line, left), _character(line, left + self.width), 0)
        nth = self._above + y - (self._ends[at - 1] if at else self._above)
        cuts = _cuts(line, self.width)
        end = cuts[nth] if nth < len(cuts) else len(line)
        return Row(number, cuts[nth - 1], end, INDENT) if nth else Row(number, 0, end, 0)

    def y(self, number: int, character: int = 0) -> int:
        """The row in which a character of a line stands; of a line that is not shown, the row of the next one."""
        at = bisect_left(self.shown, number)
        top = (self._ends[at - 1] if at else self._above) - self._above
        if at == len(self.shown) or self.shown[at] != number or not self.wrap:
            return top
        return top + bisect_right(_cuts(self[number], self.width), character)

    def selected(self, selection: Selection) -> list[str]:
        """The lines of a selection, whose places are those of characters in lines, by number; the ends are cut."""
        first = self.first if selection.start is None else selection.start.y
        last = self.first + len(self.lines) if selection.end is None else selection.end.y
        found = []
        for number in self.between(first, last):
            start, end = selection.get_span(number) or (0, 0)
            found.append(self[number][start : None if end == -1 else end])
        return found

    def between(self, first: int, last: int) -> list[int]:
        """The numbers of the lines shown from one to another, both counted in."""
        return self.shown[bisect_left(self.shown, first) : bisect_right(self.shown, last)]


def _minds_case(text: str) -> bool:
    return text != text.lower()


def _cells(line: str) -> int:
    return len(line) if line.isascii() else cell_len(line)


def _narrow(line: str) -> bool:
    return line.isascii() or _NARROW(line) is not None


def _character(line: str, cell: int) -> int:
    """The character that stands at a cell of a line."""
    if _narrow(line):
        return min(cell, len(line))
    ends = accumulate(map(get_character_cell_size, line))
    return next((at for at, end in enumerate(ends) if end > cell), len(line))


def _rest(width: int) -> int:
    """Cells of every row of a line but its first."""
    return max(1, width - INDENT)


def _cuts(line: str, width: int) -> Sequence[int]:
    """The characters at which the second and every further row of a wrapped line begins."""
    rest = _rest(width)
    return range(width, len(line), rest) if _narrow(line) else _wide_cuts(line, width, rest)


@lru_cache(maxsize=4096)
def _wide_cuts(line: str, width: int, rest: int) -> tuple[int, ...]:
    """The same of a line with characters of two cells, or of none: no row is cut through a character."""
    cuts, room = [], width
    for at, character in enumerate(line):
        cells = get_character_cell_size(character)
        if cells > room:
            cuts.append(at)
            room = rest
        room -= cells
    return tuple(cuts)
