"""Glyphs for states. A glyph never stands alone: the word stands beside it."""

from __future__ import annotations

import locale
from dataclasses import dataclass

UNICODE = "utf" in (locale.getpreferredencoding(False) or "").lower()
"""Whether the terminal's locale can print more than ASCII."""


@dataclass(frozen=True)
class Mark:
    """How a state looks: glyph, word, and the style of the theme that underlines it."""

    glyph: str
    word: str
    style: str


_MARKS: dict[str, tuple[str, str, str, str]] = {
    "todo": ("○", "o", "to do", "$foreground-muted"),
    "running": ("◐", ">", "running", "$text-primary bold"),
    "waiting": ("◔", "~", "waiting", "$text-primary bold"),
    "done": ("✓", "+", "done", "$text-success"),
    "failed": ("✗", "x", "failed", "$text-error bold"),
    "blocked": ("■", "#", "blocked", "$text-warning bold"),
    "cancelled": ("◇", "-", "stopped", "$text-warning"),
    "unknown": ("?", "?", "not known", "$foreground-muted"),
    "warning": ("▲", "!", "warning", "$text-warning"),
}

HERE = "▸" if UNICODE else ">"
"""Marks the stage that is on the screen."""
COMMAND = "▶" if UNICODE else "$"
"""Leads a command in the output of a node."""


def mark(state: str) -> Mark:
    """The look of a state; one that is not known looks unknown."""
    glyph, plain, word, style = _MARKS.get(state, _MARKS["unknown"])
    return Mark(glyph if UNICODE else plain, word, style)


def duration(seconds: float) -> str:
    """A time span as people read it: 0.4 s, 12 s, 3 min 05 s."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
