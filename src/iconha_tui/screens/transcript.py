"""The whole output of a cluster's runs, to be read."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.worker import get_current_worker

from iconha_tui.screens.reading import ReadingScreen
from iconha_tui.text import strip_controls
from iconha_tui.widgets.activity import activity
from iconha_tui.widgets.background import in_background
from iconha_tui.widgets.find_line import FindLine
from iconha_tui.widgets.keys import KeyLine
from iconha_tui.widgets.line_view import LineView
from iconha_tui.widgets.title import TitleBar

READ = 32 * 1024 * 1024
"""Bytes of a transcript that are read at most, counted from its end."""
PORTION = 512 * 1024
"""Bytes that are shown at once, so that a long transcript never holds up the screen."""


class Tail:
    """Reads a file that may still grow, a portion of whole lines at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.skipped = max(0, path.stat().st_size - READ)
        self._at = self.skipped
        self._cut = bool(self.skipped)  # the first line is not a whole one

    def lines(self) -> list[str]:
        """The next lines; none where nothing is to be read now. What does not end in a newline is left for later."""
        with self.path.open("rb") as file:
            file.seek(self._at)
            portion = file.read(PORTION)
            if b"\n" not in portion and portion:
                portion += file.readline()
        whole = portion[: portion.rfind(b"\n") + 1]
        if not whole:
            return []
        self._at += len(whole)
        if self._cut:
            self._cut = False
            whole = whole.partition(b"\n")[2]
        return strip_controls(whole.decode(errors="replace")).expandtabs(8).split("\n")[:-1]


class TranscriptScreen(ReadingScreen):
    """The transcript, its newest lines first in sight; what is said while it is open is added."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,t", "leave", "Back", key_display="Esc"),
        Binding("f,&", "find('filter')", "Filter"),
        Binding("s", "save_transcript", "Save"),
    ]
    topic = "run"

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._tail: Tail | None = None
        self._reading = False

    def compose(self) -> ComposeResult:
        yield TitleBar()
        yield LineView(self._path.name)
        yield FindLine()
        yield KeyLine()

    @property
    def view(self) -> LineView | None:
        return self.query_one(LineView)

    def on_mount(self) -> None:
        self.query_one(LineView).focus()
        self.follow()

    def follow(self) -> None:
        self.query_one(TitleBar).show("the whole output", activity(self.wizard.cluster.runs, self.wizard.moment()))
        if not self._reading:
            self._reading = True
            in_background(self, self._read, lambda _: None, lambda trouble: self._show([str(trouble)]), group="read")

    def _read(self) -> None:
        """In a thread: reads on until the end."""
        worker = get_current_worker()
        try:
            self._tail = self._tail or Tail(self._path)
            while not worker.is_cancelled and (lines := self._tail.lines()):
                self.app.call_from_thread(self._show, lines)
        except OSError as error:
            self.app.call_from_thread(self._show, [f"{self._path}: {error.strerror}"])
        finally:
            self._reading = False

    def _show(self, lines: list[str]) -> None:
        view = self.query_one(LineView)
        if self._tail is not None and self._tail.skipped and not view.text.lines:
            lines.insert(0, f"(The first {self._tail.skipped:,} bytes are left out here; the file has them.)")
        view.add(lines)
        view.draw()

    def action_leave(self) -> None:
        if not self.let_go():
            self.dismiss()
