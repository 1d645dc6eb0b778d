"""What a terminal gets, also one with few colours, none, or without UTF-8: every painted line passes here, so no widget need
care."""

from __future__ import annotations

from colorsys import rgb_to_hls
from functools import lru_cache

from rich.color import Color as RichColor
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter

from iconha_tui.assets.theme import contrast
from iconha_tui.text import unmoving
from iconha_tui.widgets.glyphs import to_ascii

UNSEEN, MARKED, STRONG = 1.3, 1.35, 1.75
"""Contrast below which a text is not meant to be seen, and from which a background underlines or reverses."""
QUIET = 7.0
"""Contrast below which a text without hue is meant to be quieter than the rest."""
HUES = ((20, "red"), (70, ""), (165, "green"), (205, "cyan"), (265, "blue"), (330, "magenta"), (361, "red"))
"""Where each of the terminal's colours ends on the colour wheel. Its yellow is left out: on white nobody reads it."""


class TextOnly(LineFilter):
    """Nothing but text. What comes in is cleaned where it enters; here is what holds should anything have been forgotten."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [
            segment if segment.text.isprintable() else Segment(unmoving(segment.text), segment.style, segment.control)
            for segment in segments
        ]


class AsciiOnly(LineFilter):
    """Frames, glyphs and letters in ASCII, cell by cell."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [
            segment if segment.text.isascii() else Segment(to_ascii(segment.text), segment.style, segment.control)
            for segment in segments
        ]


class FewColours(LineFilter):
    """Leaves the terminal's own background and text, and tells by attributes what colours told.

    A background that stands out is reversed, one that is tinted is underlined, a quiet text is dim. hues: the text keeps its
    hue, as the terminal's own of sixteen; without them there is no colour at all. page: the background of the theme.
    """

    def __init__(self, page: Color, *, hues: bool) -> None:
        super().__init__()
        self._page, self._hues = page, hues

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [
            segment if segment.style is None else self._reduce(segment.text, segment.style, segment.control)
            for segment in segments
        ]

    def _reduce(self, text: str, style: Style, control: object) -> Segment:
        attributes, seen = _attributes(style, self._page, self._hues)
        return Segment(text if seen else " " * Segment(text).cell_length, style + attributes)


@lru_cache(4096)
def _attributes(style: Style, page: Color, hues: bool) -> tuple[Style, bool]:
    """What the colours of a style come down to, and whether its text can be seen at all."""
    fore = _rgb(style.color, page)
    back = _rgb(style.bgcolor, page)
    if style.reverse:
        fore, back = back or page, fore or page.inverse
    behind = back or page
    out = contrast(behind, page)
    legible = fore is None or contrast(fore, behind) >= UNSEEN
    strong = out >= STRONG
    ink = behind if strong else fore
    return (
        Style(
            color=(hues and ink is not None and _hue(ink)) or "default",
            bgcolor="default",
            reverse=strong,
            underline=style.underline or (MARKED <= out < STRONG) or None,
            bold=style.bold,
            dim=ink is not None and _grey(ink) and contrast(ink, page if strong else behind) < QUIET,
        ),
        legible,
    )


def _rgb(colour: RichColor | None, page: Color) -> Color | None:
    """A colour of a style; None for the terminal's own."""
    return None if colour is None or colour.is_default else Color.from_rich_color(colour)


def _hue(colour: Color) -> str:
    """The terminal's colour of the same hue, "" for none."""
    if _grey(colour):
        return ""
    hue = rgb_to_hls(*colour.normalized)[0]
    return next(name for limit, name in HUES if hue * 360 < limit)


def _grey(colour: Color) -> bool:
    return max(colour.normalized) - min(colour.normalized) < 0.15


def few_colours(system: str | None) -> bool:
    """Whether a terminal's colour system has fewer than 256."""
    return system in (None, ColorSystem.STANDARD.name.lower())
