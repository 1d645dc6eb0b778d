"""What a preflight has found: a row each with glyph and word, under AWS, here, and each node; what to do stands below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from textual import on
from textual.content import Content
from textual.events import Click, Resize
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from iconha_tui.preflight.found import Found, State
from iconha_tui.widgets.glyphs import HERE, Mark, mark
from iconha_tui.widgets.hanging import MUTED, hang

LOOKS: dict[State, Mark] = {
    "done": mark("done"),
    "will_be_made": replace(mark("todo"), word="will be made"),
    "will_be_changed": replace(mark("todo"), glyph="≈", word="will be changed"),
    "not_known": mark("unknown"),
    "warning": mark("warning"),
    "stands_in_the_way": replace(mark("failed"), word="stands in the way"),
}
_WIDEST = max(len(look.word) for look in LOOKS.values())
_WEAK = ("done", "will_be_made", "will_be_changed", "not_known")
WORDS = {"AWS": "AWS", "here": "Here"}


class FindingList(OptionList):
    """The findings. A click chooses one, a second one goes where it is mended."""

    def __init__(self) -> None:
        super().__init__(id="findings", markup=False)
        self._rows: Sequence[Found | None] = ()
        self._found: Sequence[Found] = ()
        self._width = 0

    @property
    def chosen(self) -> Found | None:
        """The finding that the mark is on."""
        return self._rows[self.highlighted] if self.highlighted is not None and self._rows else None

    def show(self, findings: Sequence[Found]) -> None:
        """Shows what is found by now; the one that was chosen stays so."""
        if list(findings) != self._found:
            self._found = list(findings)
            self._lay_out()

    def choose_worst(self) -> None:
        """Puts the mark on the first finding that stands in the way, or is a warning."""
        worst = [
            found
            for state in ("stands_in_the_way", "warning")
            for found in self._rows
            if found and found.state == state
        ]
        if worst:
            self.highlighted = self._rows.index(worst[0])

    def on_resize(self, event: Resize) -> None:
        if self.scrollable_content_region.width != self._width:
            self._lay_out()
        self.call_after_refresh(self.scroll_to_highlight)  # the line below it may have taken a row

    def _lay_out(self) -> None:
        self._width = self.scrollable_content_region.width
        chosen, top = self.chosen, self.scroll_offset
        groups: dict[str, list[Found]] = {}
        for found in self._found:
            groups.setdefault(found.where, []).append(found)
        rows: list[Found | None] = []
        options: list[Option] = []
        for where, group in groups.items():
            rows += [None, *group]
            options.append(Option(_heading(where, group), disabled=True))
            options += [Option(self._told(found, here=found is chosen)) for found in group]
        self._rows = rows
        self.set_options(options)
        self.highlighted = rows.index(chosen) if chosen in rows and chosen is not None else None
        if chosen is None:
            self.scroll_to(y=top.y, animate=False)

    @on(OptionList.OptionHighlighted)
    def _mark(self, event: OptionList.OptionHighlighted) -> None:
        """Marks the chosen one with a glyph: its ground alone would be a colour only."""
        event.stop()
        for index, found in enumerate(self._rows):
            if found is not None:
                self.replace_option_prompt_at_index(index, self._told(found, here=index == self.highlighted))
        self.screen.refresh_bindings()

    def _told(self, found: Found, *, here: bool) -> Content:
        """A finding's lines, for the width there is."""
        look = LOOKS[found.state]
        lead = Content.assemble(f"{HERE if here else ' '} ", (f"{look.glyph} {look.word:<{_WIDEST}} ", look.style))
        weak = MUTED if found.state in _WEAK else ""
        width = max(self._width, 30)
        lines = hang(lead, Content.assemble((found.what, "" if weak else "bold"), "  ", (found.text, weak)), width)
        if found.remedy:
            lines += hang(" " * (lead.cell_length - 2) + "→ ", found.remedy, width)
        return Content("\n").join(lines)

    def on_click(self, event: Click) -> None:
        clicked = event.style.meta.get("option")
        if isinstance(clicked, int) and clicked != self.highlighted:
            self.highlighted = clicked
            event.prevent_default()


def _heading(where: str, group: Sequence[Found]) -> Content:
    """Where, and how many of each kind."""
    counts = {state: sum(found.state == state for found in group) for state in LOOKS}
    told = [
        Content.styled(f"{LOOKS[state].glyph} {count} {LOOKS[state].word}", LOOKS[state].style)
        for state, count in counts.items()
        if count
    ]
    return Content.assemble((WORDS.get(where, where), "bold"), "   ", Content("  ").join(told))
