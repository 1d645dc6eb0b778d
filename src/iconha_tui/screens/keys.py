"""The keys of the screen that is in sight, all of them, as they stand now."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from textual.binding import ActiveBinding, Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget

from iconha_tui.screens.base import Page
from iconha_tui.widgets.hanging import Hanging, Row
from iconha_tui.widgets.keys import key_name

SCREEN, HERE, ANYWHERE = "This screen", "Where the cursor is", "Everywhere"
ALWAYS = (("ctrl+p", "All commands of the screen"), ("ctrl+q", "Quit"))
"""Keys of the program, which hold above every box too."""


class Keys(Page):
    """Lists the keys, grouped by where they hold; Escape or ? closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("f1,question_mark,q", "dismiss", "Close", show=False)]

    def __init__(self, screen: Screen[Any]) -> None:
        super().__init__("Keys")
        self._rows = tuple(_rows(screen))

    def body(self) -> Widget:
        listing = Hanging()
        listing.show(self._rows)
        return listing


def _rows(screen: Screen[Any]) -> Iterator[Row]:
    groups: dict[str, dict[str, list[str]]] = {SCREEN: {}, HERE: {}, ANYWHERE: {}}
    for active in screen.active_bindings.values():
        binding = active.binding
        if binding.description and active.enabled and binding.key not in dict(ALWAYS):
            groups[_group(active)].setdefault(binding.description, []).append(key_name(binding.key))
    for key, words in ALWAYS:
        groups[ANYWHERE][words] = [key_name(key)]
    for title, keys in groups.items():
        if keys:
            yield "", Content.styled(title, "bold $text-primary")
            for words, names in keys.items():
                yield Content.styled(f"  {', '.join(names):<24} ", "bold"), words
            yield "", ""


def _group(active: ActiveBinding) -> str:
    if "." in active.binding.action:
        return ANYWHERE
    return SCREEN if isinstance(active.node, Screen) else HERE if isinstance(active.node, Widget) else ANYWHERE
