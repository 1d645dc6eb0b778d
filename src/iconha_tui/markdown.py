"""Markdown that reads well as it is: wrapped lines, tables whose columns stand under one another."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

WIDTH = 72
"""Columns of the text."""


def heading(text: str, level: int = 2) -> Iterator[str]:
    yield ""
    yield f"{'#' * level} {text}"


def prose(text: str) -> Iterator[str]:
    yield ""
    yield from _fill(text)


def item(text: str) -> Iterator[str]:
    lines = list(_fill(text, WIDTH - 2))
    yield from (f"{'- ' if number == 0 else '  '}{line}" for number, line in enumerate(lines))


def _fill(text: str, width: int = WIDTH) -> Iterable[str]:
    """Lines of that width; what stands in backticks is not broken."""
    held = re.sub(r"`[^`]*`", lambda code: code[0].replace(" ", "\0"), text)
    lines = textwrap.wrap(held, width, break_long_words=False, break_on_hyphens=False)
    return [line.replace("\0", " ") for line in lines]


def code(*commands: str) -> Iterator[str]:
    yield from ("", "```sh", *commands, "```")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A table whose columns are as wide as what stands in them, so that it reads well as it is."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)) + " |"

    yield ""
    yield line(head)
    yield "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    yield from map(line, rows)


def plain(value: Any) -> str:
    """A fact as a word or two that no Markdown can hide in: it came from a machine or from AWS."""
    return "" if value is None else re.sub(r"[^A-Za-z0-9 .:~+()/-]", "?", str(value))[:40]
