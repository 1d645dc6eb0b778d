"""Text with marks on it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from rich.segment import Segment
from rich.style import Style

Mark = tuple[int, int, Style]
"""The characters from one to another, and what is laid over them."""


def marked(text: str, start: int, end: int, base: Style, marks: Sequence[Mark]) -> list[Segment]:
    """The characters of a text from start to end. A later mark is laid over an earlier one."""
    edges = {start, end, *(max(start, min(edge, end)) for mark in marks for edge in mark[:2])}
    segments = []
    for first, last in pairwise(sorted(edges)):
        style = base
        for begin, stop, look in marks:
            if begin <= first and last <= stop:
                style += look
        segments.append(Segment(text[first:last], style))
    return segments
