"""Keys: their names, and the line of them at the bottom: what the screen can do now, six at most with the palette."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from textual.binding import ActiveBinding, Binding
from textual.content import Content
from textual.keys import format_key
from textual.screen import Screen
from textual.style import Style
from textual.widget import Widget

MOST = 5
"""Keys shown beside the palette's."""


class KeyLine(Widget):
    """Draws the keys as one text: Textual's own Footer mounts a widget for each whenever the focus moves."""

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._changed)

    def _changed(self, screen: Screen[object]) -> None:
        if screen is self.screen and self.is_mounted:
            self.refresh()

    def render(self) -> Content:
        keys = [key_words(*key) for key in sorted(self._keys(), key=_rank)[:MOST]]
        right = key_words("ctrl+p", "^p", "Commands")
        while True:
            left = Content("  ").join(keys)
            gap = self.size.width - left.cell_length - right.cell_length
            if gap >= 2 or not keys:
                return Content.assemble(left, " " * gap, right)
            keys.pop()  # what has no room here is among the commands

    def _keys(self) -> Iterator[tuple[str, str, str]]:
        """The keys to show: an action once, under its first key."""
        told: set[str] = set()
        for active in self.screen.active_bindings.values():
            binding = active.binding
            if binding.show and active.enabled and binding.description and binding.action not in told:
                told.add(binding.action)
                if not binding.action.endswith("command_palette"):
                    yield binding.key, self.app.get_key_display(binding), binding.description


def _rank(key: tuple[str, str, str]) -> tuple[bool, int]:
    """Function keys by number, wherever the focus is; the others after them, as they come."""
    number = key[0].removeprefix("f")
    return not number.isdigit(), int(number) if number.isdigit() else 0


def key_words(key: str, display: str, words: str) -> Content:
    """One key and what it does; a click on it presses it."""
    press = Style.from_meta({"@click": f"app.simulate_key('{key}')"})
    return Content.assemble((display, "bold $footer-key-foreground"), f" {words}").stylize(press)


def ours(active: ActiveBinding) -> bool:
    """Whether this program has declared a binding, rather than inherited it from Textual or handed it on to the app."""
    return "." not in active.binding.action and active.binding.action in _declared(type(active.node))


@lru_cache
def _declared(kind: type) -> frozenset[str]:
    """The actions of the bindings that a class and its bases of this program declare."""
    bases = [base for base in kind.__mro__ if base.__module__.startswith("iconha_tui.")]
    return frozenset(
        binding.action for base in bases for binding in Binding.make_bindings(base.__dict__.get("BINDINGS", ()))
    )


def key_name(key: str) -> str:
    """A key as people write it: F5, Ctrl+R, Page Down, ?."""
    *modifiers, last = key.split("+")
    name = _NAMES.get(last) or (last.upper() if last[1:].isdigit() else format_key(last))
    if modifiers and len(name) == 1:
        name = name.upper()
    return "+".join([*(modifier.capitalize() for modifier in modifiers), name])


_NAMES = {
    "escape": "Esc",
    "enter": "Enter",
    "tab": "Tab",
    "space": "Space",
    "delete": "Del",
    "backspace": "Backspace",
    "up": "Up",
    "down": "Down",
    "left": "Left",
    "right": "Right",
    "home": "Home",
    "end": "End",
    "pageup": "Page Up",
    "pagedown": "Page Down",
}
