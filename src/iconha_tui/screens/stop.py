"""The question before a run is stopped: what is to become of a long command that goes on on a node."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar, Literal

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Button

from iconha_tui.screens.base import Dialog
from iconha_tui.widgets.glyphs import COMMAND
from iconha_tui.widgets.hanging import MUTED
from iconha_tui.widgets.words import Words

Fate = Literal["leave", "stop"]

MEANING = (
    "Left running, it comes to its end there, and the next run reads on where you left.\n\n"
    "Stopped, it is cut off half-way: apt leaves packages half configured, which the next run has to finish first."
)
LOOK = 0.25
"""Seconds between two looks at what is going on."""


class StopRun(Dialog[Fate]):
    """Asked only while a long command is going on. The answer is None where the run is to go on.

    long: what is going on, by node. leaving: the program ends then.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("l", "answer('leave')", "Leave it running"),
        Binding("s", "answer('stop')", "Stop it on the node too"),
        Binding("n,escape", "go_on", "Go on", key_display="Esc"),
        Binding("left", "app.focus_previous", show=False),
        Binding("right", "app.focus_next", show=False),
    ]

    def __init__(self, long: Callable[[], Mapping[str, str]], *, leaving: bool) -> None:
        super().__init__()
        self._long, self._leaving = long, leaving

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Words("Stop this run and quit?" if self._leaving else "Stop this run?", classes="dialog-title")
            with VerticalScroll(classes="dialog-text", can_focus=False):
                yield Words(id="stop-long")
                yield Words(MEANING)
            with Horizontal(classes="dialog-buttons"):
                yield Button("n  go on", id="go-on", compact=True)
                yield Button("l  leave running", id="leave", compact=True)
                yield Button("s  stop it too", id="stop", compact=True)

    def on_mount(self) -> None:
        self._look()
        self.set_interval(LOOK, self._look)
        self.query_one("#leave").focus()

    def _look(self) -> None:
        self.query_one("#stop-long", Words).say(_told(self._long()), layout=True)

    def action_answer(self, answer: Fate) -> None:
        self.dismiss(answer)

    def action_go_on(self) -> None:
        self.dismiss(None)

    @on(Button.Pressed, "#go-on")
    def _go_on(self) -> None:
        self.dismiss(None)

    @on(Button.Pressed, "#leave")
    def _leave(self) -> None:
        self.dismiss("leave")

    @on(Button.Pressed, "#stop")
    def _stop(self) -> None:
        self.dismiss("stop")


def _told(long: Mapping[str, str]) -> Content:
    """What is going on where, a line for each node."""
    if not long:
        return Content("What was going on on the nodes has come to its end meanwhile.\n")
    lines = [Content("A long command is going on:")]
    for node, command in long.items():
        lines.append(Content.assemble((f"{node}  ", MUTED), f"{COMMAND} {(command.splitlines() or [''])[0]}"))
    return Content("\n").join([*lines, Content()])
