"""The editor of corosync.conf: a text for each node, what the checker says as one types, and where the two differ."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Button, Static

from iconha_tui.cluster.corosync_render import differing_lines
from iconha_tui.cluster.findings import Finding
from iconha_tui.stages.instances import STAGE as INSTANCES
from iconha_tui.widgets.conf_area import ConfArea
from iconha_tui.widgets.conf_pane import ConfPane, ConfTitle
from iconha_tui.widgets.fields import Field
from iconha_tui.widgets.glyphs import mark
from iconha_tui.widgets.outlook import Outlook
from iconha_tui.widgets.words import Words

PAUSE = 0.15
"""Seconds without a key after which the text is judged."""

Render = Callable[[Outlook, str], str]
"""The guide's form of a node's file under a draft. Raises ValueError."""
Judge = Callable[[Outlook, str, str], Sequence[Finding]]

KEYS = "F6 whole screen  ^o other node  ^d differences"
UNREAD = f"“{INSTANCES.title}” reads the addresses in ⟪ ⟫; after it these files can be edited."


class ConfEditor(Field):
    """Edits corosync.conf per node. Its value: the texts that are not the guide's form, by node.

    render: the guide's form; judge: the checker. A text with addresses that are not known yet cannot be edited. Beside the
    form there is room for the titles only where the terminal is small; `open` gives it the whole screen.
    """

    ALLOW_MAXIMIZE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+o", "turn", "Other node", key_display="^o", priority=True),
        Binding("ctrl+d", "compare", "Differences", key_display="^d", priority=True),
        Binding("ctrl+g", "reset", "Back to the guide's form", show=False),
        Binding("alt+n,ctrl+down", "finding(1)", "Next finding", show=False),
        Binding("alt+p,ctrl+up", "finding(-1)", "Previous finding", show=False),
        Binding("escape", "leave", "Leave the editor", show=False),
    ]

    class Compare(Message):
        """The operator wants to see how a text differs from others."""

        def __init__(self, pane: ConfPane, other: ConfPane) -> None:
            super().__init__()
            self.pane, self.other = pane, other

    def __init__(self, path: str, nodes: Sequence[str], render: Render, judge: Judge) -> None:
        super().__init__(path, "corosync.conf")
        self._names = list(nodes)
        self._guide_form, self._check = render, judge
        self._own: dict[str, str] = {}
        self._outlook: Outlook | None = None
        self._pause: Timer | None = None
        self._raised = 0

    def compose(self) -> ComposeResult:
        with Horizontal(id="conf-head"):
            yield Static("corosync.conf on each node", id="conf-heading", markup=False)
            yield Static(KEYS, id="conf-keys", markup=False)
            yield Button("Open the editor  F6", id="conf-open", compact=True)
        with Container(id="conf-titles"):
            yield from (ConfTitle() for _ in self._names)
        yield Words(id="conf-note")
        with Horizontal(id="conf-panes"):
            yield from (ConfPane(node) for node in self._names)

    def on_mount(self) -> None:
        self.watch(self.screen, "maximized", self._resized, init=False)
        for pane in self.panes:
            self.watch(pane.area, "scroll_y", partial(self._scrolled, pane), init=False)
        self._raise(0)

    @property
    def value(self) -> dict[str, str]:
        return dict(self._own)

    def show(self, value: Any) -> None:
        if self._pause is None:  # what is being typed is newer
            self._own = dict(value)

    @property
    def fault(self) -> str:
        """The first thing that corosync would refuse."""
        for pane in self.panes:
            if (index := pane.first_error) is not None:
                return f"{pane.node}, line {pane.findings[index].line}: {pane.findings[index].message}"
        return ""

    @property
    def panes(self) -> list[ConfPane]:
        return list(self.query(ConfPane))

    @property
    def roomy(self) -> bool:
        """Whether the texts are in sight, not the titles alone."""
        return self.query_one("#conf-panes").display and bool(self.query_one("#conf-panes").size)

    # The texts

    def follow(self, outlook: Outlook) -> None:
        """Renders the guide's form anew; a text of the operator's own stays."""
        self._outlook = outlook
        note = ""
        for index, pane in enumerate(self.panes):
            pane.node = outlook.spec.names[index]
            try:
                pane.guide = self._guide_form(outlook, pane.node)
            except ValueError as error:
                note = f"{mark('failed').glyph} {error}"
                continue
            pane.put(self._own.get(pane.node) or pane.guide)
            if pane.area.waits:
                note = UNREAD
        told = self.query_one("#conf-note", Words)
        told.say(note, layout=True)
        told.display = bool(note)
        self._look()

    @on(ConfPane.Edited)
    def _edited(self, event: ConfPane.Edited) -> None:
        event.stop()
        self._hear()
        if self._pause is not None:
            self._pause.stop()
        self._pause = self.set_timer(PAUSE, self._pass)

    def _pass(self) -> None:
        """No key has come for a while."""
        self.settle()
        self.tell()

    def settle(self) -> None:
        if self._pause is not None:
            self._pause.stop()
            self._pause = None
        self._hear()
        self._look()

    def _hear(self) -> None:
        self._own = {pane.node: own for pane in self.panes if (own := pane.hear())}

    def _look(self) -> None:
        if self._outlook is None:
            return
        first, second = self.panes
        differing = differing_lines(first.area.text, second.area.text)
        for pane, lines in zip((first, second), differing, strict=True):
            pane.judge(self._check(self._outlook, pane.node, pane.area.text), lines)
        self._entitle()

    def _entitle(self) -> None:
        for index, (title, pane) in enumerate(zip(self.query(ConfTitle), self.panes, strict=True)):
            title.update(pane.state(raised=index == self._raised))

    # Which one is in sight

    def _raise(self, index: int) -> None:
        self._raised = index
        for place, pane in enumerate(self.panes):
            pane.set_class(place == index, "-raised")
        self._entitle()

    @on(ConfTitle.Chosen)
    def _chosen(self, event: ConfTitle.Chosen) -> None:
        event.stop()
        self.go(list(self.query(ConfTitle)).index(event.title))

    def on_descendant_focus(self) -> None:
        for index, pane in enumerate(self.panes):
            if pane.has_focus_within and index != self._raised:
                self._raise(index)

    def open(self) -> None:
        """Gives the editor the whole screen."""
        self.screen.maximize(self, container=False)
        self.call_after_refresh(self._enter)

    def _enter(self) -> None:
        if self.roomy:  # it may have given the screen back by now
            self.panes[self._raised].area.focus()

    def go(self, index: int | None = None) -> None:
        """Into a node's text, at its first fault where it has one; by opening the editor where there is no room."""
        faults = [(at, fault) for at, pane in enumerate(self.panes) if (fault := pane.first_error) is not None]
        if index is None and faults:
            index, fault = faults[0]
            self.panes[index].go(fault)
        self._raise(self._raised if index is None else index)
        pane = self.panes[self._raised]
        if self.roomy:
            pane.area.focus()
        else:
            self.open()

    @on(Button.Pressed, "#conf-open")
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        self.open()

    def _resized(self) -> None:
        """Keeps the focus within the editor when it gives the screen back."""
        if self.screen.maximized is None and self.has_focus_within:
            self.call_after_refresh(self._stay)

    def _stay(self) -> None:
        if not self.roomy:
            self.query_one("#conf-open").focus()

    def _scrolled(self, pane: ConfPane) -> None:
        """Both texts show the same lines."""
        for other in self.panes:
            if other is not pane and other.area.scroll_y != pane.area.scroll_y:
                other.area.scroll_to(y=pane.area.scroll_y, animate=False)

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return self.roomy if action in ("turn", "compare", "reset", "finding", "leave") else True

    def action_turn(self) -> None:
        """To the same place of the other node's text."""
        pane, other = self.panes[self._raised], self.panes[1 - self._raised]
        self._raise(1 - self._raised)
        other.area.move_cursor(other.area.clamp_visitable(pane.area.cursor_location))
        other.area.focus()

    def action_compare(self) -> None:
        self.post_message(self.Compare(self.panes[self._raised], self.panes[1 - self._raised]))

    def action_reset(self) -> None:
        """The guide's form again; undo brings the other back."""
        area: ConfArea = self.panes[self._raised].area
        if area.text != self.panes[self._raised].guide:
            area.replace(self.panes[self._raised].guide, (0, 0), area.document.end)

    def action_finding(self, by: int) -> None:
        self.panes[self._raised].step(by)
        self.panes[self._raised].area.focus()

    def action_leave(self) -> None:
        """Back to the field before the editor."""
        chain = self.screen.focus_chain
        mine = next((place for place, widget in enumerate(chain) if self in widget.ancestors), 0)
        self.screen.set_focus(chain[mine - 1] if mine else None)
