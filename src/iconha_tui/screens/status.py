"""The status of a cluster, live and read-only."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.widgets import Footer, Static

from iconha_tui.screens.base import WizardScreen
from iconha_tui.widgets.title import TitleBar


class StatusScreen(WizardScreen):
    BINDINGS = [Binding("escape,q", "leave", "Back", key_display="Esc")]
    topic = "status"

    def __init__(self, cluster: str | None) -> None:
        super().__init__()
        self.cluster = cluster

    def compose(self) -> ComposeResult:
        yield TitleBar("status")
        with VerticalScroll():
            yield Static("not yet")
        yield Footer()

    def action_leave(self) -> None:
        self.app.pop_screen()
