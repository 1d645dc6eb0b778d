"""Glyphs for states. A glyph never stands alone: the word stands beside it. What becomes of them where there is only ASCII."""

from __future__ import annotations

import locale
import os
import sys
import unicodedata
from dataclasses import dataclass, replace
from functools import lru_cache

from rich.cells import cell_len

from iconha_tui.text import COMMAND as COMMAND
from iconha_tui.when import duration as duration


def _utf8() -> bool:
    """Whether the terminal's locale has more than ASCII. Python itself runs in UTF-8 under the C locale, and says so in a
    flag unless it was told to; `getencoding` looks past that where LC_ALL holds the C locale fast."""
    forced = sys.flags.utf8_mode and "PYTHONUTF8" not in os.environ
    return not forced and "utf" in locale.getencoding().lower()


UNICODE = _utf8()


@dataclass(frozen=True)
class Mark:
    """How a state looks: glyph, word, and the style of the theme that underlines it."""

    glyph: str
    word: str
    style: str


_MARKS: dict[str, Mark] = {
    "todo": Mark("○", "to do", "$foreground-muted"),
    "running": Mark("◐", "running", "$text-primary bold"),
    "waiting": Mark("◔", "waiting", "$text-primary bold"),
    "done": Mark("✓", "done", "$text-success"),
    "failed": Mark("✗", "failed", "$text-error bold"),
    "blocked": Mark("■", "blocked", "$text-warning bold"),
    "cancelled": Mark("◇", "stopped", "$text-warning"),
    "skipped": Mark("»", "skipped", "$text-warning"),
    "changed": Mark("≠", "changed, not applied", "$text-warning"),
    "unknown": Mark("?", "not known", "$foreground-muted"),
    "warning": Mark("▲", "warning", "$text-warning"),
}

HERE = "▸"
"""Marks the stage that is on the screen."""

SPIN = "⣾⣽⣻⢿⡿⣟⣯⣷"
"""The glyphs by which what is running turns."""
TURNS = 6
"""Glyphs a second."""


def mark(state: str, at: float | None = None) -> Mark:
    """The look of a state; one that is not known looks unknown. at: a clock by which it turns, None where nothing may move."""
    look = _MARKS.get(state, _MARKS["unknown"])
    if state == "running" and at is not None:
        return replace(look, glyph=SPIN[int(at * TURNS) % len(SPIN)])
    return look


_PLAIN = {
    # ours
    **dict(zip("○◐◔✓✗■◇▲▸▶", "o>~+x#-!>$", strict=True)),
    **dict(zip("»" + SPIN, "/" + "|/-\\" * 2, strict=True)),
    **dict(zip("⟪⟫≠≈⏎•·–—‘’“”", "<>#~/*.--''\"\"", strict=True)),
    # frames, bars and arrows, as Textual draws them
    **dict.fromkeys("─╌╴╶━╍╸╺═▔▁▀▄", "-"),
    **dict.fromkeys("│┃╎╏║▏▎▍▌▋▊▉▐▕╵╷╹╻", "|"),
    **dict.fromkeys("╭╮╰╯┌┐└┘├┤┬┴┼┏┓┗┛┣┫┳┻╋╔╗╚╝╠╣╦╩╬╞╡╪▗▖▝▘▛▜▙▟", "+"),
    **dict.fromkeys("█▇▆▅▃▂▓▒░⣿", "#"),
    **dict(zip("↑↓←→▼◀▴▾◂●◯☐☑✔✘★⭘", "^v<>v<^v<*o-x+x*o", strict=True)),
    "…": ".",
    "\u00a0": " ",
    "🔎": ": ",
}
"""What stands for a character where only ASCII can be printed, of the same width."""


@lru_cache(4096)
def to_ascii(text: str) -> str:
    """The text in ASCII, as wide as it was: a letter without its accent, "?" for what has no likeness."""
    return "".join(char if char.isascii() else _plain(char) for char in text)


def _plain(char: str) -> str:
    if found := _PLAIN.get(char):
        return found
    width = cell_len(char)
    likeness = "".join(part for part in unicodedata.normalize("NFKD", char) if part.isascii())
    return likeness if likeness and len(likeness) == width else "?" * width
