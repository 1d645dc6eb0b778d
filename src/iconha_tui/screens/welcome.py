"""The first screen: the clusters that are saved here, and how to begin one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import DataTable, Static

from iconha_tui.screens.base import WizardScreen
from iconha_tui.widgets.keys import KeyLine
from iconha_tui.widgets.title import TitleBar

if TYPE_CHECKING:
    from iconha_tui.engine.journal import Progress

INTRO = (
    "Two machines on AWS become an active/passive pair for an ICON P-Rep: Corosync and Pacemaker watch over them, and an "
    "Elastic IP follows the active one. This wizard goes through the guide stage by stage, shows every command before it "
    "runs, and starts nothing before you press a key."
)
EMPTY = "No cluster is saved here yet. Press n to begin one."


class Welcome(WizardScreen):
    """Saved clusters: resume, begin, look at the status, forget."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,f5", "resume", "Open", key_display="⏎"),
        Binding("n,f8", "new", "New", key_display="n"),
        Binding("s", "status", "Status"),
        Binding("d,delete", "forget", "Forget a cluster", show=False),
        Binding("q", "app.quit", "Quit", show=False),
    ]
    topic = "welcome"
    _painted = False

    def compose(self) -> ComposeResult:
        yield TitleBar("", "Corosync, Pacemaker and an Elastic IP for a P-Rep pair")
        with Vertical(id="welcome"):
            yield Static(INTRO, id="intro", markup=False)
            yield Static(EMPTY, id="saved-title", markup=False)
            yield DataTable(cursor_type="row", id="saved")
        yield KeyLine()

    def on_mount(self) -> None:
        table = self.query_one(DataTable)
        table.add_columns("Cluster", "Stage", "State", "Last worked on")
        table.display = False
        self.call_after_refresh(self._fill)  # reading journals waits until the first paint

    def on_screen_resume(self) -> None:
        if self._painted:
            self._fill()

    def _fill(self) -> None:
        self._painted = True
        table = self.query_one("#saved", DataTable)
        table.clear()
        for name in self.wizard.store.names():
            progress = self.wizard.store.progress(name)
            table.add_row(name, *describe(progress), key=name)
        table.display = table.row_count > 0
        self.query_one("#saved-title", Static).update("Saved clusters" if table.row_count else EMPTY)
        if table.row_count:
            table.focus()
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("resume", "forget", "status"):
            return bool(self._chosen())
        return True

    def _chosen(self) -> str:
        tables = self.query("#saved")
        if not tables:
            return ""
        table = tables.first(DataTable)
        return str(table.ordered_rows[table.cursor_row].key.value) if table.row_count else ""

    @on(DataTable.RowSelected)
    def _selected(self, event: DataTable.RowSelected) -> None:
        event.stop()
        self.action_resume()

    def action_resume(self) -> None:
        if name := self._chosen():
            self.wizard.open_named(name)

    def action_new(self) -> None:
        from iconha_tui.screens.dialogs import NameIt

        def named(name: str | None) -> None:
            if name:
                self.wizard.open_named(name)

        self.app.push_screen(
            NameIt("A new cluster", "Its name stands in tags and file names.", self._free_name(), self._wrong), named
        )

    def _free_name(self) -> str:
        taken = set(self.wizard.store.names())
        return next(name for name in ("icon", *(f"icon-{n}" for n in range(2, 999))) if name not in taken)

    def _wrong(self, name: str) -> str:
        from pydantic import TypeAdapter, ValidationError

        from iconha_tui.spec import ClusterName, sentences

        if name in self.wizard.store.names():
            return "A cluster of this name is saved already; Escape, then Enter opens it."
        try:
            TypeAdapter(ClusterName).validate_python(name)
        except ValidationError as error:
            return sentences(error)[0]
        return ""

    def action_status(self) -> None:
        self.wizard.show_status(self._chosen())

    def action_forget(self) -> None:
        from iconha_tui.screens.dialogs import Ask

        name = self._chosen()

        def answered(yes: bool | None) -> None:
            if yes:
                self._forget(name)

        self.app.push_screen(
            Ask(
                f"Forget the cluster {name}?",
                "Its settings, journal and transcript on this machine are deleted. The machines, the Elastic IP and whatever "
                "else is on AWS stay as they are, and go on costing what they cost.",
                yes="delete its files",
                no="keep it",
            ),
            answered,
        )

    def _forget(self, name: str) -> None:
        from iconha_tui.errors import Trouble

        try:
            self.wizard.store.delete(name)
        except (Trouble, OSError) as error:
            self.wizard.tell(error)
        self._fill()


def describe(progress: Progress) -> tuple[str, str, str]:
    """Stage reached, state and time of a cluster's runs."""
    from iconha_tui.widgets.glyphs import mark

    if not progress.stages:
        return "–", "○ not begun", "–"
    reached = list(progress.stages)[-1]
    for name, stage in progress.stages.items():
        if stage.state != "done":
            reached = name
            break
    if progress.interrupted:
        state = f"{mark('cancelled').glyph} interrupted"
    else:
        look = mark(progress.stages[reached].state)
        state = f"{look.glyph} {look.word}"
    return reached, state, time.strftime("%Y-%m-%d %H:%M", time.localtime(progress.last))
