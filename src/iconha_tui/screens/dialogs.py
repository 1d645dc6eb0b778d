"""Questions that stand above a screen and give a typed answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Button, DataTable, Input, Static

from iconha_tui.cloud.sentences import wrong_code
from iconha_tui.errors import Trouble
from iconha_tui.screens.base import Dialog
from iconha_tui.text import sentence
from iconha_tui.widgets.background import in_background
from iconha_tui.widgets.keys import KeyLine


class Ask(Dialog[bool]):
    """A question with two answers. The keys are in the buttons' names; Escape says no."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Yes"),
        Binding("n,escape", "answer(False)", "No", key_display="Esc"),
        Binding("left,right", "app.focus_next", show=False),
    ]

    def __init__(self, title: str, text: str, *, yes: str = "Yes", no: str = "No") -> None:
        super().__init__()
        self._title, self._text, self._yes, self._no = title, text, yes, no

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(self._title, classes="dialog-title", markup=False)
            with VerticalScroll(classes="dialog-text", can_focus=False):
                yield Static(self._text, markup=False)
            with Horizontal(classes="dialog-buttons"):
                yield Button(f"n  {self._no}", id="no", compact=True)
                yield Button(f"y  {self._yes}", id="yes", compact=True)

    def on_mount(self) -> None:
        self.query_one("#no").focus()

    def action_answer(self, answer: bool) -> None:
        self.dismiss(answer)

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")


class HostKey(Ask):
    """Shows an unknown host key; the operator compares it and accepts, or not."""

    def __init__(self, node: str, kind: str, fingerprint: str) -> None:
        self.node = node
        super().__init__(
            f"{node} shows a host key that is not known here",
            f"node         {node}\nkey type     {kind}\nfingerprint  {fingerprint}\n\n"
            "Compare it with the one in the instance's console output (EC2: Actions, Monitor, Get system log). "
            "Accept it only if they are the same: from then on this program trusts it.",
            yes="accept this key",
            no="refuse",
        )


class NameIt(Dialog[str]):
    """Asks for a name. check: what is wrong with one, "" when nothing is. The answer is "" when it was left."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", "Go on", key_display="Enter", priority=True),
        Binding("escape", "leave", "Back", key_display="Esc"),
    ]

    def __init__(self, title: str, text: str, value: str, check: Callable[[str], str]) -> None:
        super().__init__()
        self._title, self._text, self._value, self._check = title, text, value, check

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(self._title, classes="dialog-title", markup=False)
            yield Static(self._text, markup=False)
            yield Input(self._value, compact=True, id="name")
            yield Static(id="name-complaint", markup=False)
            yield KeyLine()

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        wrong = self._check(event.value.strip())
        self.query_one("#name-complaint", Static).update(f"✗ {wrong}" if wrong else "")

    def action_take(self) -> None:
        name = self.query_one(Input).value.strip()
        if not self._check(name):
            self.dismiss(name)

    def action_leave(self) -> None:
        self.dismiss("")


class MfaCode(NameIt):
    """Asks for the code of an MFA device. The answer is "" where the operator gives none: what wants it stops."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("f9,escape", "leave", "Stop", key_display="Esc")]

    def __init__(self, device: str) -> None:
        text = (
            f"AWS wants the code that this MFA device shows now, before this profile may be used:\n{sentence(device)}\n\n"
            "It is taken once, and kept nowhere. What AWS answers to it holds for about an hour, in memory only."
        )
        super().__init__("The code of an MFA device", text, "", wrong_code)


Rows = Sequence[Sequence[str]]


class Choose(Dialog[str]):
    """A live list to choose from. load: brings the rows, in a thread; raises Trouble. A row's first column is its value.

    Names come from AWS, where others tag too, and from files: what stands in a cell is no markup.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f6", "leave", "Back, as it is", key_display="Esc"),
    ]

    def __init__(self, title: str, columns: Sequence[str], load: Callable[[], Rows]) -> None:
        super().__init__()
        self._title, self._columns, self._load = title, columns, load
        self._rows: Rows = ()

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog -large"):
            yield Static(self._title, classes="dialog-title", markup=False)
            yield Static("Asking AWS …", id="choose-state", markup=False)
            table: DataTable[Text] = DataTable(cursor_type="row", zebra_stripes=True)
            yield table
            yield KeyLine()

    def on_mount(self) -> None:
        table = self.query_one(DataTable)
        table.add_columns(*self._columns)
        table.display = False
        in_background(self, self._load, self._fill, self._fail)

    def _fail(self, trouble: Trouble) -> None:
        self._say(f"{trouble}\n\nEscape goes back; the value can be typed.")

    def _say(self, text: str) -> None:
        self.query_one("#choose-state", Static).update(text)

    def _fill(self, rows: Rows) -> None:
        table = self.query_one(DataTable)
        self._rows = rows
        for row in rows:
            table.add_row(*(Text(sentence(cell)) for cell in row))
        table.display = bool(rows)
        self._say(
            f"{len(rows)} found." if rows else "There are none. Escape goes back; type the value, or leave it empty."
        )
        table.focus()

    @on(DataTable.RowSelected)
    def _chosen(self, event: DataTable.RowSelected) -> None:
        self.dismiss(self._rows[event.cursor_row][0])

    def action_leave(self) -> None:
        self.dismiss("")
