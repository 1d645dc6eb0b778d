"""How one corosync.conf differs from another: the whole text, the lines that are gone and that are new marked in it."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text

from iconha_tui.cluster.corosync_render import DiffTag, diff
from iconha_tui.widgets.conf_area import MarginArea

WHOLE = 10_000
"""Lines of context: all of them."""
KINDS: dict[str, str] = {"+": "added", "-": "gone"}


class DiffArea(MarginArea):
    """A text that is read, not edited: "-" and "+" stand beside the numbers that a line has in the one and the other."""

    MARGIN = 6
    COMPONENT_CLASSES: ClassVar[set[str]] = {"diff--added", "diff--gone"}

    def __init__(self) -> None:
        super().__init__(read_only=True)
        self._tags: list[DiffTag] = []
        self._numbers: list[tuple[int, int]] = []

    def show(self, old: str, new: str) -> int:
        """Shows what changes from `old` to `new`. Returns the number of differences, neighbouring lines told as one."""
        lines = [each for each in diff(old, new, WHOLE) if each[0] != "@"] or [(" ", line) for line in new.splitlines()]
        self._tags = [tag for tag, _ in lines]
        self._numbers = []
        before = after = 0
        for tag in self._tags:
            before, after = before + (tag != "+"), after + (tag != "-")
            self._numbers.append((before, after))
        self.load_text("\n".join(line for _, line in lines))
        if self.differences:
            self.call_after_refresh(self.move_cursor, (self.differences[0], 0), center=True)
        self.redraw()
        return len(self.differences)

    @property
    def differences(self) -> list[int]:
        """Where each difference begins."""
        return [
            line
            for line, tag in enumerate(self._tags)
            if tag != " " and (line == 0 or self._tags[line - 1] == " ")
        ]  # fmt: skip

    def step(self, by: int) -> None:
        """To the difference after (1) or before (-1) the cursor, around the end."""
        places = self.differences
        if not places:
            return
        here = self.cursor_location[0]
        if by > 0:
            place = next((place for place in places if place > here), places[0])
        else:
            place = next((place for place in reversed(places) if place < here), places[-1])
        self.move_cursor((place, 0), center=True)

    def _tag(self, line: int) -> str:
        return self._tags[line] if line < len(self._tags) else " "

    def get_line(self, line_index: int) -> Text:
        text = super().get_line(line_index)
        if kind := KINDS.get(self._tag(line_index)):
            text.stylize(self.get_component_rich_style(f"diff--{kind}", partial=True))
        return text

    def margin(self, line: int) -> Text:
        tag = self._tag(line)
        before, after = self._numbers[line] if line < len(self._numbers) else (0, 0)
        width = (self.gutter_width - 4) // 2
        kind = KINDS.get(tag)
        return Text.assemble(
            f"{before if tag != '+' else '':>{width}} {after if tag != '-' else '':>{width}} ",
            (tag, self.get_component_rich_style(f"diff--{kind}", partial=True) if kind else ""),
        )
