"""Help for the screen that is in sight: a page of assets/help."""

from __future__ import annotations

from importlib import resources
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Markdown, Static


def page(topic: str) -> str:
    """The Markdown of a topic."""
    file = resources.files("iconha_tui").joinpath("assets", "help", f"{topic}.md")
    return file.read_text(encoding="utf-8") if file.is_file() else f"# {topic}\n\nThere is no page for this screen yet."


class Help(ModalScreen[None]):
    """A page to read; Escape or F1 closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,f1,q", "dismiss", "Close")]

    def __init__(self, topic: str) -> None:
        super().__init__()
        self._topic = topic

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog -large"):
            with VerticalScroll(id="help-page"):
                yield Markdown(page(self._topic))
            yield Static("Arrows and Page Down scroll, Escape closes.", classes="dialog-keys")

    def on_mount(self) -> None:
        self.query_one("#help-page").focus()
