"""How the program looks on the terminal that it meets: its themes, few colours, ASCII, motion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import App
from textual.color import Color
from textual.events import DescendantFocus
from textual.filter import LineFilter, Monochrome, NoColor
from textual.scrollbar import ScrollBar, ScrollBarRender

from iconha_tui.assets.theme import DARK, LIGHT, parsed, readable
from iconha_tui.widgets import glyphs
from iconha_tui.widgets.filters import AsciiOnly, FewColours, TextOnly, few_colours
from iconha_tui.widgets.too_small import HEIGHT, WIDTH

ASCII, TEXT = AsciiOnly(), TextOnly()


class WholeCells(ScrollBarRender):
    """A scroll bar of whole cells: no glyph at its ends that a terminal may not have."""

    VERTICAL_BARS: ClassVar[list[str]] = [" "]
    HORIZONTAL_BARS: ClassVar[list[str]] = [" "]


ScrollBar.renderer = WholeCells


class Looks(App[None]):
    """An app in these looks."""

    HORIZONTAL_BREAKPOINTS = [(0, "-slim"), (WIDTH, "-narrow"), (100, "-wide")]  # noqa: RUF012  as Textual declares it
    VERTICAL_BREAKPOINTS = [(0, "-flat"), (HEIGHT, "-short"), (30, "-tall")]  # noqa: RUF012

    def __init__(self, theme: str = "", motion: bool | None = None) -> None:
        """theme, motion: what was chosen at an earlier start; a theme that is not known is passed over."""
        super().__init__()
        for own in (DARK, LIGHT):
            self.register_theme(own)
        # Set before the first paint, so that nothing is painted twice.
        self.set_reactive(App.theme, theme if theme in self.available_themes else DARK.name)
        if motion is not None:
            self.animation_level = "full" if motion else "none"
        self.stylesheet.set_variables(self.get_css_variables())
        self._poor = self.no_color or few_colours(self.console.color_system)
        self.set_class(self._poor, "-poor")
        self._reduced: tuple[Color, LineFilter] | None = None

    def get_css_variables(self) -> dict[str, str]:
        """The theme's, as far as needed moved to where they can be read."""
        self.theme_variables = readable(super().get_css_variables())
        return self.theme_variables

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Textual's, but NO_COLOR is no colour instead of greys, and sixteen colours are the terminal's own. Text alone first."""
        filters = [TEXT, *super().get_line_filters()]
        if self._poor and (self.no_color or not self.native_ansi_color):
            filters = [one for one in filters if not isinstance(one, Monochrome | NoColor)]
            filters.append(self._reduction())
        if not glyphs.UNICODE:
            filters.append(ASCII)
        return filters

    def _reduction(self) -> LineFilter:
        page = parsed(self.theme_variables["background"])
        if page.ansi is not None:
            page = Color(0, 0, 0) if self.current_theme.dark else Color(255, 255, 255)
        if self._reduced is None or self._reduced[0] != page:
            self._reduced = page, FewColours(page, hues=not self.no_color)
        return self._reduced[1]

    @property
    def motion(self) -> bool:
        """Whether anything may move by itself: spinners, scrolling, a blinking cursor."""
        return self.animation_level != "none"

    @motion.setter
    def motion(self, wanted: bool) -> None:
        self.animation_level = "full" if wanted else "none"
        if self.screen_stack and self.focused is not None:
            self._still(self.focused)

    @on(DescendantFocus)
    def _focused(self, event: DescendantFocus) -> None:
        self._still(event.widget)

    def _still(self, widget: object) -> None:
        if hasattr(widget, "cursor_blink"):
            widget.cursor_blink = self.motion
