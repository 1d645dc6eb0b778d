"""What all screens of the program share: help, the list of keys, following the run, and the notice where there is no room."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, ClassVar, TypeVar, cast

from textual import on
from textual.actions import SkipAction
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.events import Compose, Mount, ScreenResume, Unmount
from textual.screen import ModalScreen, Screen
from textual.widget import Widget
from textual.widgets import Static

from iconha_tui import disk
from iconha_tui.widgets.background import in_background
from iconha_tui.widgets.keys import KeyLine
from iconha_tui.widgets.too_small import TooSmall

if TYPE_CHECKING:
    from iconha_tui.host import Host

Answer = TypeVar("Answer")

CLIPBOARD = 100_000
"""Characters that terminals take into the clipboard; of more, many take nothing."""


class OpenedAtOnce(Screen[Answer]):
    """A screen that is styled once as it opens, and laid out and painted when all of it is there.

    By itself Textual styles every widget three times: as it is mounted, as the screen gets the classes of its size, and as the
    screen is resumed, which is said of a new one too.
    """

    _opened = False

    @property
    def wizard(self) -> Host:
        """The app, as far as a screen may know it."""
        return cast("Host", self.app)

    @on(Compose)
    def _hold_back(self) -> None:
        breakpoints = (self.app.HORIZONTAL_BREAKPOINTS or [], self.app.VERTICAL_BREAKPOINTS or [])
        for extent, classes in zip(self.app.size, breakpoints, strict=True):
            self.add_class(max(one for one in classes if one[0] <= extent)[1], update=False)
        self._batch = ExitStack()
        self._batch.enter_context(self.app.batch_update())

    @on(Mount)
    def _let_through(self) -> None:
        self.call_later(self._batch.close)

    @on(Unmount)
    def _is_gone(self) -> None:
        """Also where it is closed before it was there: the app would paint nothing any more."""
        self._batch.close()

    @on(ScreenResume)
    def _style_once(self, event: ScreenResume) -> None:
        event.refresh_styles = self._opened
        self._opened = True


class WizardScreen(OpenedAtOnce[None]):
    """A whole screen. topic: its page in assets/help."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1", "help", "Help", key_display="F1"),
        Binding("question_mark", "keys", "Keys of this screen", key_display="?", show=False),
    ]
    topic: ClassVar[str] = "welcome"

    def __init__(self) -> None:
        super().__init__()
        self._listens: tuple[Callable[[], None], ...] = ()

    @on(Mount)
    def _make_notice(self) -> None:
        self.mount(TooSmall())
        if self.wizard.work.is_open:
            self.listen(self.wizard.cluster.runs.changed.subscribe(self.heed))

    def listen(self, *ends: Callable[[], None]) -> None:
        """Keeps what ends subscriptions, until the screen is gone."""
        self._listens += ends

    @on(Unmount)
    def _hear_no_more(self) -> None:
        for end in self._listens:
            end()

    def heed(self) -> None:
        """The run has gone on: it is drawn where the screen is among those that are open."""
        if self.is_mounted and self in self.app.screen_stack:
            self.follow()

    def copy(self, what: str, text: str) -> None:
        """Sends a text to the terminal's clipboard and, as no terminal says whether it took it, keeps it in a file too.

        what: the words for it in the sentence that tells so.
        """
        if len(text) <= CLIPBOARD:
            self.app.copy_to_clipboard(text)
        file = self.wizard.store.copied_file
        tell = partial(self._tell_copied, what, len(text))
        in_background(
            self,
            lambda: disk.write(file, text.encode(errors="backslashreplace")),
            lambda _: tell(""),
            lambda trouble: tell(str(trouble)),
            group="copy",
        )

    def _tell_copied(self, what: str, size: int, trouble: str) -> None:
        file = self.wizard.store.copied_file
        kept = f"It could not be kept in a file: {trouble}" if trouble else ""
        if size > CLIPBOARD:
            many = f"{what}: {size:,} characters are more than a terminal's clipboard takes"
            self.notify(f"{many}. {kept}" if kept else f"{many}; they are in {file}", severity="warning")
            return
        sent = f"{what}: sent to the terminal's clipboard"
        if kept:
            self.notify(f"{sent}. {kept}", severity="warning")
        else:
            self.notify(f"{sent}; also in {file}")

    def action_copy_text(self) -> None:
        """Textual's key for what is selected."""
        selected = self.get_selected_text()
        if not selected:
            raise SkipAction
        self.copy("The selection", selected)

    def follow(self) -> None:
        """The run has gone on; called at most every 50 ms."""

    def help_topic(self) -> str:
        return self.topic

    def action_help(self) -> None:
        self.wizard.pages.show_help(self.help_topic())

    def action_keys(self) -> None:
        self.wizard.pages.show_keys(self)


class Dialog(ModalScreen[Answer], OpenedAtOnce[Answer]):  # the first is the one whose CSS counts
    """A box above a screen: a question, or something to read. Its text says what it is for; F1 and ? list its keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1,question_mark", "keys", "Keys of this box", key_display="?", show=False),
    ]

    @on(Mount)
    def _make_notice(self) -> None:
        self.mount(TooSmall())

    def action_keys(self) -> None:
        self.wizard.pages.show_keys(self)


class Page(Dialog[None]):
    """Something to read; it scrolls, and Escape closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss", "Close", key_display="Esc")]

    def __init__(self, title: str = "") -> None:
        super().__init__()
        self._heading = title

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog -large"):
            if self._heading:
                yield Static(self._heading, classes="dialog-title", markup=False)
            with VerticalScroll(id="page"):
                yield self.body()
            yield KeyLine()

    def body(self) -> Widget:
        """What there is to read."""
        raise NotImplementedError

    def on_mount(self) -> None:
        self.query_one("#page").focus()
