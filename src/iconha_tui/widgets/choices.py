"""One of a few, all of them in sight in a line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.style import Style
from textual.widget import Widget


@dataclass(frozen=True)
class Option:
    """One of a few. consequence: what choosing it means. refused: why it cannot be chosen as things stand."""

    value: str
    label: str
    consequence: str = ""
    refused: str = ""


class Choices(Widget, can_focus=True):
    """The options of a choice in a line: the arrows and the space bar move the mark, a click sets it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,down,space", "move(1)", show=False),
        Binding("left,up", "move(-1)", show=False),
        Binding("enter", "screen.focus_next", show=False),
    ]

    chosen: reactive[str] = reactive("")

    class Chosen(Message):
        """The operator has chosen."""

    def __init__(self, options: Sequence[Option]) -> None:
        super().__init__(classes="choices")
        self._options = options
        self.set_reactive(Choices.chosen, options[0].value)

    def render(self) -> Content:
        parts = []
        for index, option in enumerate(self._options):
            picked = option.value == self.chosen
            label = f"{'(•)' if picked else '( )'} {option.label}".replace(" ", "\u00a0")
            style = Style.parse("bold" if picked else "") + Style.from_meta({"@click": f"pick({index})"})
            parts.append(Content(label).stylize(style))
        return Content("   ").join(parts)

    def offer(self, options: Sequence[Option]) -> None:
        """Offers other options; the one that was chosen stays, if it is among them."""
        self._options = options
        self.refresh(layout=True)

    def action_move(self, by: int) -> None:
        values = [option.value for option in self._options]
        place = values.index(self.chosen) if self.chosen in values else 0
        self.action_pick((place + by) % len(values))

    def action_pick(self, index: int) -> None:
        value = self._options[index].value
        if value != self.chosen:
            self.chosen = value
            self.post_message(self.Chosen())
