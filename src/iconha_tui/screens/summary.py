"""The end: what was built, and what to do next."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Markdown

from iconha_tui.control.open_cluster import Told
from iconha_tui.screens.base import WizardScreen
from iconha_tui.widgets.background import in_background
from iconha_tui.widgets.keys import KeyLine
from iconha_tui.widgets.title import TitleBar


class Summary(WizardScreen):
    """Reads out the result."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s,f4", "status", "Status", key_display="s"),
        Binding("w", "write", "Write to a file"),
        Binding("f7", "back", "Back", key_display="F7"),
        Binding("escape", "leave", "Welcome", key_display="Esc"),
        Binding("q", "app.quit", "Quit", show=False),
    ]
    topic = "summary"
    _text = ""

    def compose(self) -> ComposeResult:
        yield TitleBar()
        with VerticalScroll(id="summary-page"):
            yield Markdown()
        yield KeyLine()

    def on_mount(self) -> None:
        self.query_one(TitleBar).show(f"cluster {self.wizard.cluster.name}", "summary")
        self.query_one("#summary-page").focus()
        in_background(self, self.wizard.cluster.summary, self._show, self.wizard.tell)

    async def _show(self, told: Told) -> None:
        self._text = told.text
        if told.finished:
            self.wizard.work.say_at_end(told.text)
        await self.query_one(Markdown).update(told.text)

    def action_status(self) -> None:
        self.wizard.pages.show_status(self.wizard.cluster.name)

    def action_back(self) -> None:
        self.wizard.pages.show_stage(self.wizard.stages[-1].name)

    def action_leave(self) -> None:
        self.wizard.pages.leave_cluster()

    def action_write(self) -> None:
        from iconha_tui.screens.dialogs import NameIt
        from iconha_tui.summary import file_of

        def named(path: str | None) -> None:
            if path:
                self._ask_to_replace(Path(path).expanduser())

        name = self.wizard.cluster.name
        kept = file_of(self.wizard.store, name)
        text = f"It is kept as {kept}. A further copy goes to" if kept.exists() else "A copy goes to"
        self.app.push_screen(NameIt("Write the summary to a file", text, f"~/{name}-summary.md", _wrong), named)

    def _ask_to_replace(self, path: Path) -> None:
        from iconha_tui.screens.dialogs import Ask

        def answered(yes: bool | None) -> None:
            if yes:
                self._write(path)

        if path.exists():
            text = f"{path} is there already. What it holds now is lost."
            self.app.push_screen(Ask("Replace the file?", text, yes="replace it", no="keep it"), answered)
        else:
            self._write(path)

    def _write(self, path: Path) -> None:
        from iconha_tui import disk

        content = self._text.encode()
        self.wizard.write(
            lambda: disk.write(path, content), lambda: self.notify(f"{path}", title="Written", markup=False)
        )


def _wrong(typed: str) -> str:
    """What is wrong with a path, "" when nothing is."""
    path = Path(typed).expanduser()
    if not typed:
        return "Type the path of a file."
    if path.is_dir():
        return "That is a folder: add a file's name."
    return "" if path.parent.is_dir() else f"There is no folder {path.parent}."
