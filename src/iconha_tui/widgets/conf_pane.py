"""One node's corosync.conf: a title with its state, the text, and what the checker says of it, to jump to."""

from __future__ import annotations

from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList, Static, TextArea
from textual.widgets.option_list import Option

from iconha_tui.cluster.findings import Finding
from iconha_tui.widgets.conf_area import DIFFERS, ConfArea
from iconha_tui.widgets.glyphs import HERE, mark


class ConfTitle(Static):
    """Says how a node's text stands; a click brings it up."""

    class Chosen(Message):
        """The operator wants this text."""

        def __init__(self, title: ConfTitle) -> None:
            super().__init__()
            self.title = title

    def __init__(self) -> None:
        super().__init__(classes="conf-title", markup=False)

    def on_click(self) -> None:
        self.post_message(self.Chosen(self))


class ConfPane(Vertical):
    """A node's text and its findings."""

    class Edited(Message):
        """Its text has changed by the operator's hand."""

    def __init__(self, node: str) -> None:
        super().__init__(classes="conf-pane")
        self.node = node
        self.guide = ""
        """The guide's form of this file."""
        self.findings: tuple[Finding, ...] = ()
        self._heard = ""

    def compose(self) -> ComposeResult:
        yield ConfArea()
        yield OptionList(compact=True, markup=False)

    @property
    def area(self) -> ConfArea:
        return self.query_one(ConfArea)

    @property
    def own(self) -> str:
        """The operator's own text; "" where it is the guide's form, which an empty one stands for."""
        text = self.area.text
        return text if text != self.guide and text.strip() else ""

    @property
    def first_error(self) -> int | None:
        """Which finding is the first that corosync would refuse the text for."""
        return next((index for index, each in enumerate(self.findings) if each.severity == "error"), None)

    def put(self, text: str) -> None:
        """Shows a text that nobody has typed. One that is being emptied is left to whoever empties it, and so is one whose
        last keys nobody has heard of yet: `text` would be older than they are."""
        if self.area.text != self._heard:
            return
        if self.area.text.strip() or not self.area.has_focus:
            self.area.put(text)
            self._heard = text
        self.area.read_only = bool(self.area.waits)
        self.area.placeholder = "Empty: the guide's form is taken. Ctrl+G shows it."

    def hear(self) -> str:
        """The operator's own text, as `own` has it, from now on known to whoever asks."""
        self._heard = self.area.text
        return self.own

    def judge(self, findings: Sequence[Finding], differing: Sequence[int]) -> None:
        """Shows what the checker says, and which lines the other node does not have."""
        if not self.area.text.strip():
            findings, differing = (), ()
        self.area.mark_lines(differing, findings)
        if self.findings != tuple(findings):
            self.findings = tuple(findings)
            listing = self.query_one(OptionList)
            listing.clear_options()
            listing.add_options(Option(_told(finding)) for finding in findings)
            listing.display = bool(findings)

    def state(self, *, raised: bool) -> Content:
        """The title: whose form it is, what the checker found, and how many lines differ."""
        errors = sum(finding.severity == "error" for finding in self.findings)
        warnings = len(self.findings) - errors
        parts = [Content.assemble((f"{HERE if raised else ' '} {self.node}", "bold" if raised else ""))]
        waits = self.area.read_only and "without addresses"
        parts.append(Content(waits or ("your own" if self.own else "guide's form")))
        parts += [
            Content.styled(f"{mark(look).glyph} {count} {word}{'s' if count > 1 else ''}", mark(look).style)
            for look, count, word in (("failed", errors, "error"), ("warning", warnings, "warning"))
            if count
        ]
        if not self.findings:
            parts.append(Content.styled(f"{mark('done').glyph} nothing to object", mark("done").style))
        if count := len(self.area.differing):
            parts.append(Content(f"{DIFFERS} {count} line{'s' if count > 1 else ''}"))
        return Content(" ").join(parts)

    # From finding to finding

    def go(self, index: int) -> None:
        """To a finding: the cursor in the text, the mark in the list."""
        self.area.go(self.findings[index])
        self.query_one(OptionList).highlighted = index

    def step(self, by: int) -> None:
        """To the finding after (1) or before (-1) the cursor, around the end."""
        if not self.findings:
            return
        row, column = self.area.cursor_location
        here = (row + 1, column + 1)
        places = [(finding.line, finding.column) for finding in self.findings]
        if by > 0:
            found = next((index for index, place in enumerate(places) if place > here), 0)
        else:
            found = max((index for index, place in enumerate(places) if place < here), default=len(places) - 1)
        self.go(found)

    @on(OptionList.OptionHighlighted)
    def _shown(self, event: OptionList.OptionHighlighted) -> None:
        """The text shows what the list has the mark on."""
        event.stop()
        if event.option_list.has_focus and event.option_index < len(self.findings):
            self.area.go(self.findings[event.option_index])

    @on(OptionList.OptionSelected)
    def _jump(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.area.go(self.findings[event.option_index])
        self.area.focus()

    @on(TextArea.SelectionChanged)
    def _moved(self, event: TextArea.SelectionChanged) -> None:
        """The list follows the cursor to what is said of its line."""
        event.stop()
        listing = self.query_one(OptionList)
        line = event.selection.end[0] + 1
        here = [index for index, finding in enumerate(self.findings) if finding.line == line]
        if self.area.has_focus and listing.highlighted not in here:
            listing.highlighted = here[0] if here else None

    @on(TextArea.Changed)
    def _typed(self, event: TextArea.Changed) -> None:
        event.stop()
        self.post_message(self.Edited())


def _told(finding: Finding) -> Content:
    look = mark("failed" if finding.severity == "error" else "warning")
    return Content.assemble(
        (f"{look.glyph} {finding.line}:{finding.column} {finding.severity}", look.style), f"  {finding.message}"
    )
