"""The status of a cluster: live, and read-only."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content

from iconha_tui.screens.base import WizardScreen
from iconha_tui.widgets.hanging import Hanging, Row
from iconha_tui.widgets.keys import KeyLine
from iconha_tui.widgets.status_view import status_rows
from iconha_tui.widgets.title import TitleBar

if TYPE_CHECKING:
    from iconha_tui.session import Session

EVERY = 5.0
"""Seconds between two looks."""

Gather = Callable[["Session"], Mapping[str, Any]]

log = logging.getLogger(__name__)


class StatusScreen(WizardScreen):
    """Looks every 5 seconds. What it shows stays until the next look brings something newer, with its age."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f5,r", "look", "Look now", key_display="F5"),
        Binding("escape,q", "leave", "Back", key_display="Esc"),
    ]
    topic = "status"

    def __init__(self, session: Session, gather: Gather | None = None) -> None:
        super().__init__()
        self.session = session
        self._gather = gather or _gather
        self._data: Mapping[str, Any] | None = None
        self._trouble = ""
        self._seen = 0.0
        self._looking = False

    def compose(self) -> ComposeResult:
        yield TitleBar()
        with VerticalScroll(id="status-page"):
            yield Hanging(id="status")
        yield KeyLine()

    def on_mount(self) -> None:
        self.query_one("#status-page").focus()
        self.action_look()
        self.set_interval(EVERY, self.action_look)
        self.set_interval(1, self._age)
        self._draw()

    def action_look(self) -> None:
        if not self._looking:
            self._looking = True
            self._look()

    @work(thread=True, exit_on_error=False)
    def _look(self) -> None:
        from iconha_tui.errors import Trouble

        data: Mapping[str, Any] | None = None
        trouble = ""
        try:
            data = self._gather(self.session)
        except Trouble as error:
            trouble = str(error)
        except Exception as error:
            log.exception("The status could not be read")
            trouble = f"An error that this program did not foresee: {type(error).__name__}: {error}."
        self.app.call_from_thread(self._seen_now, data, trouble)

    def _seen_now(self, data: Mapping[str, Any] | None, trouble: str) -> None:
        self._looking, self._trouble = False, trouble
        if data is not None:
            self._data, self._seen = data, time.monotonic()
        self._draw()

    def _draw(self) -> None:
        rows: list[Row] = []
        if self._trouble:
            rows.append(("", Content.styled(self._trouble, "$text-error bold")))
        if self._data is not None:
            rows += status_rows(self._data)
        elif not self._trouble:
            rows.append(("", "Looking …"))
        self.query_one(Hanging).show(rows)
        self._age()

    def _age(self) -> None:
        age = f"seen {time.monotonic() - self._seen:.0f} s ago" if self._data is not None else ""
        self.query_one(TitleBar).show(f"status of {self.session.spec.name}", age)

    def action_leave(self) -> None:
        self.app.pop_screen()

    def on_unmount(self) -> None:
        self.session.close()


def _gather(session: Session) -> Mapping[str, Any]:
    """What `iconha_tui.status` sees."""
    from iconha_tui.status import gather

    return gather(session).to_dict()
