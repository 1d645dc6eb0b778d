"""A text of corosync.conf: its syntax in the theme's colours, its line numbers, and marks in a margin of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.strip import Strip
from textual.widgets import TextArea

from iconha_tui.cluster.findings import Finding
from iconha_tui.engine.actions import unknown_facts
from iconha_tui.widgets.glyphs import mark

DIFFERS = "≠"
"""Marks a line that the other text does not have."""

UNSEEN = "\ufffd"
"""Stands for a character that cannot be seen."""

_TOKENS = re.compile(
    r"(?P<comment>^\s*\#.*)|(?P<section>^\s*[\w.-]+(?=\s*\{))|(?P<brace>[{}])|(?P<key>^\s*[\w./-]+(?=\s*:))"
    r"|(?P<unread>⟪[^⟫]*⟫)|(?P<number>(?<=[:\s.])\d[\d.]*(?=\s*$))"
)


def tokens(line: str) -> Iterator[tuple[str, int, int]]:
    """The parts of a line that are coloured: their kind, their start, their end."""
    for found in _TOKENS.finditer(line):
        yield str(found.lastgroup), found.start(), found.end()


class MarginArea(TextArea):
    """A text whose margin says more than numbers: `margin` draws it for a line, `MARGIN` cells wide before the numbers."""

    MARGIN: ClassVar[int] = 2
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "conf--comment", "conf--section", "conf--brace", "conf--key", "conf--unread", "conf--number",
        "conf--error", "conf--warning", "conf--differs",
    }  # fmt: skip
    DEFAULT_CSS = """
    MarginArea {
        & .conf--comment, & .conf--brace { color: $text-muted; }
        & .conf--section { color: $text-secondary; text-style: bold; }
        & .conf--key { color: $text-primary; }
        & .conf--number { color: $text-accent; }
        & .conf--unread { color: $text-warning; text-style: italic; }
        & .conf--error { color: $text-error; text-style: bold; }
        & .conf--warning { color: $text-warning; text-style: bold; }
        & .conf--differs { color: $text-secondary; text-style: bold; }
    }
    """

    def __init__(self, *, read_only: bool = False) -> None:
        super().__init__(
            "", show_line_numbers=True, tab_behavior="focus", compact=True, soft_wrap=False, read_only=read_only
        )

    def margin(self, line: int) -> Text:
        """What stands before the text of a line (from 0): `gutter_width` cells."""
        raise NotImplementedError

    @property
    def gutter_width(self) -> int:
        return super().gutter_width + self.MARGIN

    def get_component_rich_style(self, *names: str, partial: bool = False, default: Style | None = None) -> Style:
        style = super().get_component_rich_style(*names, partial=partial, default=default)
        # the cursor's line keeps the colours of its syntax
        return Style(bgcolor=style.bgcolor) if names == ("text-area--cursor-line",) else style

    def get_line(self, line_index: int) -> Text:
        line = self.document.get_line(line_index)
        # whatever somebody pasted, or a node sent: nothing of it moves the terminal's cursor
        seen = "".join(char if char.isprintable() or char == "\t" else UNSEEN for char in line)
        text = Text(seen, end="", no_wrap=True)
        for kind, start, end in tokens(text.plain):
            text.stylize(self.get_component_rich_style(f"conf--{kind}", partial=True), start, end)
        return text

    def render_line(self, y: int) -> Strip:
        strip = super().render_line(y)
        line = y + self.scroll_offset.y
        if line >= self.document.line_count or not self.text:
            return strip
        own = self.get_component_rich_style(
            "text-area--cursor-gutter" if line == self.cursor_location[0] else "text-area--gutter"
        )
        drawn = self.margin(line)
        drawn.end = ""
        drawn.truncate(self.gutter_width, pad=True)
        segments = [Segment(part.text, own + part.style) for part in drawn.render(self.app.console) if part.text]
        return Strip.join([Strip(segments, self.gutter_width), strip.crop(self.gutter_width)])

    def redraw(self) -> None:
        """Draws all lines anew, for their marks have changed."""
        self._line_cache.clear()
        self.refresh()


class ConfArea(MarginArea):
    """One node's text to edit. Findings and lines that the other node does not have are marked beside their numbers."""

    MARGIN = 3

    def __init__(self) -> None:
        super().__init__()
        self.differing: frozenset[int] = frozenset()
        self.findings: tuple[Finding, ...] = ()

    def margin(self, line: int) -> Text:
        worst = self._worst(line)
        look = {"": " ", "error": mark("failed").glyph, "warning": mark("warning").glyph}[worst]
        width = self.gutter_width - self.MARGIN - 2
        return Text.assemble(
            (look, self.get_component_rich_style(f"conf--{worst}", partial=True) if worst else ""),
            (
                DIFFERS if line + 1 in self.differing else " ",
                self.get_component_rich_style("conf--differs", partial=True),
            ),
            f" {line + 1:>{width}}",
        )

    def _worst(self, line: int) -> str:
        """The most serious that is said of a line: an error before a warning, as the words are sorted."""
        return min((finding.severity for finding in self.findings if finding.line == line + 1), default="")

    def get_line(self, line_index: int) -> Text:
        text = super().get_line(line_index)
        for finding in self.findings:
            if finding.line == line_index + 1 and finding.severity == "error":
                text.stylize("underline", finding.column - 1, len(text.plain.rstrip()))
        return text

    @property
    def waits(self) -> list[str]:
        """The facts that the text still waits for; as long as it does, it cannot be edited."""
        return unknown_facts(self.text)

    def mark_lines(self, differing: Sequence[int], findings: Sequence[Finding]) -> None:
        """Shows other marks."""
        marks = frozenset(differing), tuple(findings)
        if marks != (self.differing, self.findings):
            self.differing, self.findings = marks
            self.redraw()

    def put(self, text: str) -> None:
        """Shows a text that nobody has typed."""
        if text != self.text:
            with self.prevent(TextArea.Changed):
                self.load_text(text)

    def go(self, finding: Finding) -> None:
        """Puts the cursor where a finding is."""
        self.move_cursor(self.clamp_visitable((finding.line - 1, finding.column - 1)), center=True)
