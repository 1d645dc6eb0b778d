"""How a node's corosync.conf differs: from the guide's form, from the other node's, and from what is on the node now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from iconha_tui.cluster.corosync_conf import MAX_CHARACTERS
from iconha_tui.errors import Trouble
from iconha_tui.screens.base import Dialog
from iconha_tui.text import strip_controls
from iconha_tui.widgets.background import in_background
from iconha_tui.widgets.choices import Choices, Option
from iconha_tui.widgets.conf_diff import DiffArea
from iconha_tui.widgets.keys import KeyLine

READING = "Reading {path} on {node} …"
ABSENT = "{node} has no {path} yet: every line is new."

CONTROLS = "That file has control characters, which a terminal would obey; they are left out below."


@dataclass(frozen=True)
class Texts:
    """A node's text, and those that it is held against. path: where it stands on the node."""

    node: str
    text: str
    guide: str
    other: str
    other_text: str
    path: str


class Differences(Dialog[None]):
    """Three comparisons of one text. read: what is on the node now, asked in a thread; None where there is none."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "step(1)", "Next difference"),
        Binding("p,N", "step(-1)", "Previous", key_display="p"),
        Binding("right,ctrl+d", "turn(1)", "Other comparison", key_display="→", priority=True),
        Binding("left", "turn(-1)", "Comparison before", show=False, priority=True),
        Binding("r", "read", "Read it again", show=False),
        Binding("escape,q", "dismiss", "Close", key_display="Esc"),
    ]

    def __init__(self, texts: Texts, read: Callable[[], bytes | None]) -> None:
        super().__init__()
        self._texts, self._read = texts, read
        self._now: str | None = None
        """What is on the node, once it is read."""
        self._said = READING.format(path=texts.path, node=texts.node)
        """What there is to say of it."""

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog -large"):
            yield Static(f"{self._texts.node}: what this text changes", classes="dialog-title", markup=False)
            choices = Choices(
                [
                    Option("guide", "the guide's form"),
                    Option("other", f"{self._texts.other}'s text"),
                    Option("now", f"on {self._texts.node} now"),
                ]
            )
            choices.can_focus = False
            choices.id = "diff-choices"
            yield choices
            yield Static(id="diff-said", markup=False)
            yield DiffArea()
            yield KeyLine()

    def on_mount(self) -> None:
        self.query_one(DiffArea).focus()
        self._show()
        self._ask()

    @on(Choices.Chosen)
    def _show(self) -> None:
        texts = self._texts
        area = self.query_one(DiffArea)
        match self.query_one(Choices).chosen:
            case "guide":
                count = area.show(texts.guide, texts.text)
                said = _counted(count, "It is the guide's form.", "from the guide's form (-) to this text (+)")
            case "other":
                count = area.show(texts.other_text, texts.text)
                said = _counted(count, f"{texts.other} has the same text.", f"from {texts.other} (-) to this text (+)")
            case _ if self._now is None:
                area.show(texts.text, texts.text)
                said = self._said
            case _:
                count = area.show(self._now, texts.text)
                said = self._said or _counted(
                    count, f"{texts.node} has this very text.", "from what is there now (-) to this text (+)"
                )
        self.query_one("#diff-said", Static).update(said)

    # What is on the node

    def _ask(self) -> None:
        in_background(self, self._look, lambda answer: self._answered(*answer), self._failed)

    def _look(self) -> tuple[str, str]:
        """In a thread: the text on the node, and what is to be said of it. Raises Trouble."""
        found = self._read()
        if found is None:
            return "", ABSENT.format(path=self._texts.path, node=self._texts.node)
        if len(found) > MAX_CHARACTERS:
            return "", f"That file has {len(found)} bytes: it is no corosync.conf."
        told = found.decode(errors="replace")
        now = strip_controls(told)
        return now, "" if now == told.replace("\r\n", "\n") else CONTROLS

    def _failed(self, trouble: Trouble) -> None:
        self._answered(None, f"{trouble}\nr reads it again; below is this text as it stands.")

    def _answered(self, now: str | None, said: str) -> None:
        self._now, self._said = now, said
        if self.is_mounted and self.query_one(Choices).chosen == "now":
            self._show()

    # Keys

    def action_read(self) -> None:
        self._now, self._said = None, READING.format(path=self._texts.path, node=self._texts.node)
        self.query_one(Choices).action_pick(2)
        self._show()
        self._ask()

    def action_turn(self, by: int) -> None:
        self.query_one(Choices).action_move(by)

    def action_step(self, by: int) -> None:
        self.query_one(DiffArea).step(by)


def _counted(count: int, none: str, what: str) -> str:
    return f"{count} difference{'s' if count > 1 else ''} {what}" if count else none
