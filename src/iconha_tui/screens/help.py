"""Help for the screen that is in sight: a page of assets/help."""

from __future__ import annotations

from importlib import resources
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import Markdown

from iconha_tui.screens.base import Page


def page(topic: str) -> str:
    """The Markdown of a topic."""
    file = resources.files("iconha_tui").joinpath("assets", "help", f"{topic}.md")
    return file.read_text(encoding="utf-8") if file.is_file() else f"# {topic}\n\nThere is no page for this screen yet."


class Help(Page):
    """A page to read; Escape or F1 closes it, ? goes on to the keys of the screen below."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1,q", "dismiss", "Close", show=False),
        Binding("question_mark", "keys", "Keys of the screen", key_display="?"),
    ]

    def __init__(self, topic: str) -> None:
        super().__init__()
        self._topic = topic

    def body(self) -> Markdown:
        return Markdown(page(self._topic))

    def action_keys(self) -> None:
        below = self.app.screen_stack[-2]
        self.dismiss()
        self.wizard.pages.show_keys(below)
