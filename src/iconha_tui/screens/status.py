"""The status of a cluster: live, and read-only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical, VerticalScroll
from textual.content import Content

from iconha_tui.screens.base import WizardScreen
from iconha_tui.status import text
from iconha_tui.widgets import status_view as view
from iconha_tui.widgets.hanging import Hanging, Row
from iconha_tui.widgets.keys import KeyLine
from iconha_tui.widgets.title import TitleBar

if TYPE_CHECKING:
    from iconha_tui.status import Report, Watcher


class Card(Vertical):
    """Rows below a title, which says how old they are."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id, classes="card")
        self._title = Content()

    def compose(self) -> ComposeResult:
        yield Hanging()

    def show(self, rows: Iterable[Row], title: str, note: Content | str = "", age: Content | str = "") -> None:
        """Shows other rows, and another title; the same ones cost nothing."""
        self.query_one(Hanging).show(rows)
        told = Content("  ").join([Content.styled(f" {title}", "bold"), *(each for each in (note, age) if each)]) + " "
        if told != self._title:
            self.border_title = self._title = told


class StatusScreen(WizardScreen):
    """Draws what a watcher has seen, whenever it has seen something, and every second for the ages.

    shared: the watcher is somebody else's, and goes on when this screen is left.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f5,r", "look", "Look now", key_display="F5"),
        Binding("c", "copy", "Copy as text"),
        Binding("escape,q", "leave", "Back", key_display="Esc"),
    ]
    topic = "status"

    def __init__(self, watcher: Watcher, *, shared: bool = False) -> None:
        super().__init__()
        self.watcher = watcher
        self._shared = shared
        self._drawn = -1

    def compose(self) -> ComposeResult:
        yield TitleBar()
        with VerticalScroll(id="status-page"):
            yield Hanging(id="status-verdict")
            with Container(classes="cards"):
                for number in range(len(self.watcher.spec.names)):
                    yield Card(id=f"status-node-{number}")
            with Container(classes="cards"):
                yield Card(id="status-address")
                yield Card(id="status-cluster")
            yield Card(id="status-events")
        yield KeyLine()

    def on_mount(self) -> None:
        self.query_one("#status-page").focus()
        if not self._shared:
            self.watcher.start()
        self._draw()
        self.set_interval(1, self._draw)
        self.set_interval(0.2, self._draw_news)

    def _draw_news(self) -> None:
        if self.watcher.turns != self._drawn:
            self._draw()

    def _draw(self) -> None:
        self._drawn = self.watcher.turns
        report = self.watcher.report()
        looking = "" if self._drawn else "looking …"
        self.query_one(TitleBar).show(f"status of {report.cluster}", looking or view.ages(report.sources).plain)
        self.query_one("#status-verdict", Hanging).show(view.verdict_rows(report) if self._drawn else _waiting(report))
        for number, node in enumerate(report.nodes):
            card = self._card(f"node-{number}")
            holds = report.holder == node.name
            stale = bool(report.source("node", node.name).trouble)
            card.set_class(holds and not stale, "-holder")
            card.set_class(stale, "-stale")
            card.show(
                view.node_rows(node, report),
                node.name,
                Content.styled("has the address", "$text-primary") if holds else "",
                view.ages(each for each in report.sources if each.node == node.name and each.part != "view"),
            )
        aws, seen = report.source("aws"), report.view
        self._card("address").show(view.address_rows(report), "Elastic IP", age=view.ages([aws, seen]))
        self._card("cluster").show(view.cluster_rows(report), "Cluster", age=view.ages([seen]))
        self._card("events").show(view.event_rows(report), "Events", age="newest first")

    def _card(self, name: str) -> Card:
        return self.query_one(f"#status-{name}", Card)

    def action_look(self) -> None:
        self.watcher.look_now()

    def action_copy(self) -> None:
        self.copy("The status", text.block(self.watcher.report()))

    def action_leave(self) -> None:
        self.app.pop_screen()

    def on_unmount(self) -> None:
        if not self._shared:
            self.watcher.close()


def _waiting(report: Report) -> Iterable[Row]:
    known = any(source.seen_at is not None for source in report.sources)
    yield "", "Looking …" + ("  What stands here is what was seen last." if known else "")
