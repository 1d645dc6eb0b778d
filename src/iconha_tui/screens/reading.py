"""What the screens that show output have in common: the keys that search, filter, select, copy and save it."""

from __future__ import annotations

import os
import shutil
import time
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType

from iconha_tui import disk
from iconha_tui.error_codes import Code
from iconha_tui.errors import Trouble
from iconha_tui.screens.base import WizardScreen
from iconha_tui.widgets.background import in_background
from iconha_tui.widgets.find_line import FindLine, Purpose
from iconha_tui.widgets.line_view import LineView


class ReadingScreen(WizardScreen):
    """A screen with output to read, and a FindLine below it. `view` says which output its keys mean."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("/", "find('search')", "Search output", key_display="/"),
        Binding("n", "go(1)", "Next line found", show=False),
        Binding("N", "go(-1)", "Line found before", show=False),
        Binding("f,&", "find('filter')", "Filter the output: only lines with these words", show=False),
        Binding("w", "wrap", "Wrap long lines, or cut them at the edge", show=False),
        Binding("y", "copy_lines", "Copy the selected lines, or those in sight", show=False),
        Binding("s", "save_transcript", "Save the transcript as a file", show=False),
    ]

    @property
    def view(self) -> LineView | None:
        """The output that the keys mean; None while none is in front."""
        raise NotImplementedError

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        match action:
            case "find" | "wrap" | "copy_lines" | "save_transcript":
                return self.view is not None
            case "go":
                return self.view is not None and bool(self.view.text.needle)
        return True

    def action_find(self, purpose: Purpose) -> None:
        if self.view is not None:
            self.query_one(FindLine).open(purpose, self.view)

    @on(FindLine.Closed)
    def _found(self, event: FindLine.Closed) -> None:
        event.view.focus()
        self.refresh_bindings()

    def _key_escape(self) -> None:
        """Escape's binding gives up a selection (`let_go`); Textual would do so beside it."""

    def action_go(self, by: int) -> None:
        if self.view is not None:
            self.view.go(by)

    def action_wrap(self) -> None:
        if self.view is not None:
            self.view.turn_wrap()

    def action_copy_lines(self) -> None:
        if self.view is None:
            return
        lines = self.view.lines_to_copy()
        if lines:
            self.copy("1 line" if len(lines) == 1 else f"{len(lines)} lines", "\n".join(lines))

    def let_go(self) -> bool:
        """Gives up what the operator did to the output last: selection, search, filter. False where there was nothing."""
        if self.selections:
            self.clear_selection()
        elif self.view is None:
            return False
        elif self.view.text.needle:
            self.view.end_search()
        elif self.view.text.words:
            self.view.filter("")
        else:
            return False
        return True

    # The transcript

    def action_save_transcript(self) -> None:
        from iconha_tui.screens.dialogs import NameIt

        source = self.wizard.cluster.transcript
        if not source.is_file():
            self.notify("Nothing has been said yet: there is no transcript.", severity="warning")
            return
        suggestion = f"./{self.wizard.cluster.name}-transcript-{time.strftime('%Y%m%d-%H%M%S')}.log"

        def answered(path: str | None) -> None:
            if path:
                target = Path(path).expanduser()
                in_background(
                    self.app, partial(_save, source, target), self._saved, self._not_saved, group=f"save-{target}"
                )

        text = "The file is made anew, for your eyes only (mode 0600). Secrets are masked in it."
        self.app.push_screen(NameIt("Save the transcript as", text, suggestion, why_not), answered)

    def _saved(self, target: Path) -> None:
        self.notify(f"The transcript is saved: {target}")

    def _not_saved(self, trouble: Trouble) -> None:
        self.notify(str(trouble), title="The transcript was not saved", severity="error")


def _save(source: Path, target: Path) -> Path:
    """In a thread: the transcript may be long. Raises Trouble."""
    try:
        save_copy(source, target)
    except OSError as error:
        raise Trouble(f"{error.strerror}.", code=Code.FILE_UNUSABLE, where=str(target)) from error
    return target


def why_not(name: str) -> str:
    """Why a file cannot be made under that name; "" where it can."""
    try:
        path = Path(name).expanduser()
    except RuntimeError:
        return "There is no such user."
    if not name or path.is_dir():
        return "A file's name is missing."
    if path.is_symlink() or path.exists():
        return "There is a file of that name already; nothing is overwritten."
    if not path.parent.is_dir():
        return f"There is no folder {path.parent}."
    return "" if os.access(path.parent, os.W_OK) else f"{path.parent} cannot be written to."


def save_copy(source: Path, target: Path) -> None:
    """Copies a file to a new one that only its owner may read. A copy that fails half-way is taken away."""
    descriptor = disk.open_private(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        with source.open("rb") as said, os.fdopen(descriptor, "wb") as copy:
            shutil.copyfileobj(said, copy)
    except OSError:
        target.unlink(missing_ok=True)
        raise
