"""The status of all saved clusters: a line each, live and read-only."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import DataTable, Static

from iconha_tui.errors import Trouble
from iconha_tui.screens.base import WizardScreen
from iconha_tui.screens.status import StatusScreen
from iconha_tui.status import EVERY
from iconha_tui.status.text import COLUMNS, row
from iconha_tui.widgets.keys import KeyLine
from iconha_tui.widgets.status_view import VERDICTS, state
from iconha_tui.widgets.title import TitleBar

if TYPE_CHECKING:
    from iconha_tui.status import Watcher

WIDTHS = {"verdict": 11, "seen": 14}
"""Of the columns whose width the table does not find by itself."""
SELDOM = 3 * EVERY
"""Seconds between two looks at a cluster that is one of many."""


class StatusTable(WizardScreen):
    """Watches every cluster, the one that is opened more often than the others."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Open", key_display="Enter", priority=True),
        Binding("f5,r", "look", "Look now", key_display="F5"),
        Binding("escape,q", "leave", "Back", key_display="Esc"),
    ]
    topic = "status"

    def __init__(self) -> None:
        super().__init__()
        self._watchers: dict[str, Watcher] = {}

    def compose(self) -> ComposeResult:
        yield TitleBar("status", "all saved clusters")
        with Vertical(id="status-all"):
            yield DataTable(cursor_type="row", id="status-table")
            yield Static("", id="status-troubles", markup=False)
        yield KeyLine()

    def on_mount(self) -> None:
        table: DataTable[Content | Text] = self.query_one(DataTable)
        for word in ("cluster", *COLUMNS):
            table.add_column(word, key=word, width=WIDTHS.get(word))
        troubles = []
        for name in self.wizard.store.names():
            try:
                self._watchers[name] = self.wizard.work.watcher(name, every=SELDOM)
            except Trouble as trouble:
                troubles.append(f"{name}: {trouble}")
            else:
                table.add_row(Text(name), *(Text(),) * len(COLUMNS), key=name)
                self._watchers[name].start()
        self.query_one("#status-troubles", Static).update("\n".join(troubles))
        table.focus()
        self._fill()
        self.set_interval(1, self._fill)

    def on_screen_resume(self) -> None:
        for watcher in self._watchers.values():
            watcher.every = SELDOM

    def _fill(self) -> None:
        table: DataTable[Content | Text] = self.query_one(DataTable)
        for name, watcher in self._watchers.items():
            report = watcher.report()
            cells: list[Content | Text] = [Text(cell) for cell in row(report)]
            cells[0] = state(*VERDICTS[report.verdict]) if watcher.turns else state("running", "looking")
            for column, cell in zip(COLUMNS, cells, strict=True):
                if table.get_cell(name, column) != cell:
                    table.update_cell(name, column, cell, update_width=True)

    @on(DataTable.RowSelected)
    def _selected(self, event: DataTable.RowSelected) -> None:
        event.stop()
        self.action_open()

    def action_open(self) -> None:
        table: DataTable[Content | Text] = self.query_one(DataTable)
        if table.row_count:
            watcher = self._watchers[str(table.ordered_rows[table.cursor_row].key.value)]
            watcher.every = EVERY
            watcher.look_now()
            self.app.push_screen(StatusScreen(watcher, shared=True))

    def action_look(self) -> None:
        for watcher in self._watchers.values():
            watcher.look_now()

    def action_leave(self) -> None:
        self.app.pop_screen()

    def on_unmount(self) -> None:
        for watcher in self._watchers.values():
            watcher.close()
