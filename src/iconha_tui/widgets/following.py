"""Lines that are added while one looks at them: the view follows their end, or stands still."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.widget import Widget

from iconha_tui.widgets.scrollback import Scrollback


class FollowingView(ScrollView, can_focus=True, inherit_bindings=False):
    """Scrolls a scrollback. It follows the end until the operator scrolls up; End takes it back there.

    Lines are added by `add` and shown by the next `draw`. most: lines that are kept.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "scroll_up", show=False),
        Binding("down", "scroll_down", show=False),
        Binding("left", "scroll_left", show=False),
        Binding("right", "scroll_right", show=False),
        Binding("pageup,b", "page_up", show=False),
        Binding("pagedown,space", "page_down", show=False),
        Binding("home,g", "scroll_home", "Output: to its beginning", show=False),
        Binding("end,G", "scroll_end", "Output: to its end, and follow it", show=False),
    ]

    def __init__(self, *, most: int | None = None, classes: str | None = None) -> None:
        super().__init__(classes=classes)
        self.text = Scrollback(most)
        self.following = True
        self._stale = False

    def tell(self) -> None:
        """Something has changed that the border tells."""

    def add(self, lines: Iterable[str]) -> None:
        gone = self.text.add(lines)
        self._stale = True
        if gone and not self._at_end:
            self.jump(y=max(0, self.scroll_target_y - gone))

    def clear(self) -> None:
        self.text.clear()
        self.following = self._stale = True
        self.draw()

    def draw(self) -> None:
        """Shows what was added since."""
        if self._stale:
            self._stale = False
            self.measure()

    @property
    def _at_end(self) -> bool:
        """Whether new lines move the view: it follows them, and nothing is being selected."""
        return self.following and self.text_selection is None

    def measure(self) -> None:
        """Takes note of how many rows there are. Textual would lay out the whole screen for each change of that."""
        text = self.text
        size = Size(text.width if text.wrap else max(text.width, text.widest), text.height)
        if size != self.virtual_size:
            self.set_reactive(Widget.virtual_size, size)
            self._scroll_update(size)
        if self._at_end:
            self.jump(y=self.max_scroll_y)
        self.tell()
        self.refresh()

    def on_resize(self) -> None:
        """The same line stays at the top, whatever the width."""
        width = self.container_size.width - self.scrollbar_size_vertical
        if width > 0 and width != self.text.width:
            self.keeping_place(lambda: self.text.lay_out(width))
        else:
            self.measure()

    def keeping_place(self, change: Callable[[], object]) -> None:
        """Changes what the rows are; the line at the top stays there."""
        top = self.text.row(self.scroll_offset.y)
        change()
        self.measure()
        if top is not None and not self._at_end:
            self.jump(y=self.text.y(top.number, top.start))

    def jump(self, y: float | None = None, x: float | None = None) -> None:
        """Scrolls without the operator: whether it follows stays as it is."""
        following = self.following
        self.scroll_to(x, y, animate=False, force=True)
        self.following = following

    def watch_scroll_target_y(self, target: float) -> None:
        """Scrolled, by whatever key, wheel or bar: it follows where that is the end."""
        self.following = target >= self.max_scroll_y
        self.tell()

    def _move(self, y: int) -> None:
        """By the operator's key: at once, whatever else on the screen may move."""
        self.scroll_to(y=max(0, min(y, self.max_scroll_y)), animate=False, force=True)

    def action_scroll_up(self) -> None:
        self._move(self.scroll_offset.y - 1)

    def action_scroll_down(self) -> None:
        self._move(self.scroll_offset.y + 1)

    def action_page_up(self) -> None:
        self._move(self.scroll_offset.y - self.container_size.height)

    def action_page_down(self) -> None:
        self._move(self.scroll_offset.y + self.container_size.height)

    def action_scroll_home(self) -> None:
        self._move(0)

    def action_scroll_end(self) -> None:
        self.following = True
        self.jump(y=self.max_scroll_y)
        self.tell()
        self.refresh()

    def turn_wrap(self) -> None:
        """Wraps long lines, or cuts them at the edge; the arrows then move sideways."""
        self.jump(x=0)
        self.keeping_place(self.text.turn_wrap)
