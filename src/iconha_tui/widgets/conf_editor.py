"""The editor of corosync.conf: a text for each node, what the checker says as one types, and where the two differ."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.timer import Timer
from textual.widgets import OptionList, Static, Tab, Tabs, TextArea
from textual.widgets.option_list import Option

from iconha_tui.cluster.corosync_render import differing_lines
from iconha_tui.cluster.findings import Finding
from iconha_tui.engine.actions import unknown_facts
from iconha_tui.widgets.fields import Field
from iconha_tui.widgets.glyphs import mark
from iconha_tui.widgets.outlook import Outlook

PAUSE = 0.15
"""Seconds without a key after which the text is judged."""

Render = Callable[[Outlook, str], str]
"""The guide's form of a node's file under a draft. Raises ValueError."""
Judge = Callable[[Outlook, str, str], Sequence[Finding]]


class ConfArea(TextArea):
    """One node's text. Lines that the other node does not have, and lines with findings, say so at their end."""

    def __init__(self) -> None:
        super().__init__("", show_line_numbers=True, tab_behavior="focus", compact=True, soft_wrap=False)
        self.differing: frozenset[int] = frozenset()
        self.findings: Sequence[Finding] = ()

    def get_line(self, line_index: int) -> Text:
        text = super().get_line(line_index)
        plain = text.plain
        if plain.lstrip().startswith("#"):
            text.stylize("dim")
        elif "{" in plain or plain.strip() == "}":
            text.stylize("bold")
        elif found := re.match(r"\s*[\w.]+\s*:", plain):
            text.stylize("cyan", 0, found.end() - 1)
        here = [finding for finding in self.findings if finding.line == line_index + 1]
        if here:
            worst = "failed" if any(finding.severity == "error" for finding in here) else "warning"
            text.append(f"  {mark(worst).glyph}", "bold red" if worst == "failed" else "bold yellow")
        if line_index + 1 in self.differing:
            text.append("  ≠", "italic")
        return text

    def mark_lines(self, differing: Sequence[int], findings: Sequence[Finding]) -> None:
        """Shows other marks."""
        marks = frozenset(differing), tuple(findings)
        if marks != (self.differing, tuple(self.findings)):
            self.differing, self.findings = marks
            self._line_cache.clear()
            self.refresh()


class ConfPane(Vertical):
    """One node: a title with its state, the text, and the findings to jump to."""

    class Edited(Message):
        """Its text has changed by the operator's hand."""

    def __init__(self, node: str) -> None:
        super().__init__(classes="conf-pane")
        self.node = node
        self.guide = ""
        """The guide's form of this file."""
        self._shown: tuple[Finding, ...] | None = None

    def compose(self) -> ComposeResult:
        yield Static(classes="conf-state", markup=False)
        yield ConfArea()
        yield OptionList(compact=True, markup=False)

    @property
    def area(self) -> ConfArea:
        return self.query_one(ConfArea)

    @property
    def edited(self) -> bool:
        return self.area.text != self.guide

    def put(self, text: str) -> None:
        """Shows a text that nobody has typed."""
        if text != self.area.text:
            with self.area.prevent(TextArea.Changed):
                self.area.load_text(text)

    def judge(self, findings: Sequence[Finding], differing: Sequence[int]) -> None:
        """Shows what the checker says."""
        self.area.mark_lines(differing, findings)
        state = "your own form" if self.edited else "the guide's form"
        errors = sum(finding.severity == "error" for finding in findings)
        warnings = len(findings) - errors
        verdict = ", ".join(
            part
            for part in (
                f"{errors} error{'s' if errors > 1 else ''}" if errors else "",
                f"{warnings} warning{'s' if warnings > 1 else ''}" if warnings else "",
            )
            if part
        )
        look = mark("failed" if errors else "warning" if warnings else "done")
        self.query_one(".conf-state", Static).update(
            f"{self.node}: {state}, {look.glyph} {verdict or 'nothing to object'}"
        )
        if self._shown != tuple(findings):
            self._shown = tuple(findings)
            listing = self.query_one(OptionList)
            listing.clear_options()
            listing.add_options(
                Option(f"{finding.line}:{finding.column} {finding.severity}: {finding.message}") for finding in findings
            )
            listing.display = bool(findings)

    @on(OptionList.OptionSelected)
    def _jump(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        finding = (self._shown or ())[event.option_index]
        self.area.move_cursor((finding.line - 1, finding.column - 1), center=True)
        self.area.focus()

    @on(TextArea.Changed)
    def _typed(self, event: TextArea.Changed) -> None:
        event.stop()
        self.post_message(self.Edited())


class ConfEditor(Field):
    """Edits corosync.conf per node. Its value: the texts that are not the guide's form, by node.

    render: the guide's form; judge: the checker. A text with addresses that are not known yet cannot be edited.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+g", "reset", "Back to the guide's form", show=False),
        Binding("ctrl+o", "turn", "The other node's text", show=False, priority=True),
    ]

    def __init__(self, path: str, nodes: Sequence[str], render: Render, judge: Judge) -> None:
        super().__init__(path, "corosync.conf")
        self._names = list(nodes)
        self._guide_form, self._check = render, judge
        self._own: dict[str, str] = {}
        self._outlook: Outlook | None = None
        self._pause: Timer | None = None

    def compose(self) -> ComposeResult:
        yield Static("corosync.conf on each node", classes="form-heading", markup=False)
        yield Static(id="conf-note", markup=False)
        yield Tabs(*(Tab(node, id=f"conf-{index}") for index, node in enumerate(self._names)), id="conf-tabs")
        with Horizontal(id="conf-panes"):
            for node in self._names:
                yield ConfPane(node)
        yield Static(classes="field-complaint", markup=False)

    def on_mount(self) -> None:
        self._raise(0)

    def on_descendant_focus(self) -> None:
        """Brings the whole editor into sight, for it is taller than a field."""
        self.call_after_refresh(self.scroll_visible, animate=False, top=True)

    @property
    def value(self) -> dict[str, str]:
        return dict(self._own)

    def show(self, value: Any) -> None:
        self._own = dict(value)

    @property
    def panes(self) -> list[ConfPane]:
        return list(self.query(ConfPane))

    def follow(self, outlook: Outlook) -> None:
        """Renders the guide's form anew; a text of the operator's own stays."""
        self._outlook = outlook
        note = "Ctrl+G goes back to the guide's form. ≠ marks lines that the other node does not have."
        for index, pane in enumerate(self.panes):
            pane.node = outlook.spec.names[index]
            self.query_one(f"#conf-{index}", Tab).label = pane.node
            try:
                pane.guide = self._guide_form(outlook, pane.node)
            except ValueError as error:
                note = f"{mark('failed').glyph} {error}"
                continue
            pane.put(self._own.get(pane.node) or pane.guide)
            if unknown_facts(pane.area.text):
                note = "Addresses in ⟪ ⟫ are read in the instances stage; after it the files can be edited here."
            pane.area.read_only = bool(unknown_facts(pane.area.text))
        self.query_one("#conf-note", Static).update(note)
        self._look()

    @on(ConfPane.Edited)
    def _edited(self, event: ConfPane.Edited) -> None:
        event.stop()
        if self._pause is not None:
            self._pause.stop()
        self._pause = self.set_timer(PAUSE, self._settle)

    def _settle(self) -> None:
        """Takes what was typed. An empty text is the guide's form again."""
        self._own = {pane.node: pane.area.text for pane in self.panes if pane.edited and pane.area.text.strip()}
        self._look()
        self.tell()

    def _look(self) -> None:
        if self._outlook is None:
            return
        first, second = self.panes
        differing = differing_lines(first.area.text, second.area.text)
        for pane, lines in zip((first, second), differing, strict=True):
            pane.judge(self._check(self._outlook, pane.node, pane.area.text), lines)

    @on(Tabs.TabActivated)
    def _tab(self, event: Tabs.TabActivated) -> None:
        event.stop()
        if event.tab.id:
            self._raise(int(event.tab.id.removeprefix("conf-")))

    def _raise(self, index: int) -> None:
        for place, pane in enumerate(self.panes):
            pane.set_class(place == index, "-raised")

    def action_turn(self) -> None:
        """To the other node's text."""
        first, second = self.panes
        to = first if second.has_focus_within else second
        self.query_one(Tabs).active = f"conf-{self.panes.index(to)}"
        self._raise(self.panes.index(to))
        to.area.focus()

    def action_reset(self) -> None:
        """The guide's form again, in the text that has the focus; undo brings the other back."""
        for pane in self.panes:
            if pane.has_focus_within and pane.edited:
                pane.area.replace(pane.guide, (0, 0), pane.area.document.end)
