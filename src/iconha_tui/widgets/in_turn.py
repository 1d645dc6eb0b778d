"""Keys act in the order in which they were typed, also where they come faster than a page follows."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from textual.app import App, ScreenStackError
from textual.events import Event, Key, Paste
from textual.message_pump import MessagePump

PATIENCE = 0.5
"""Seconds after which a key is no longer waited for: what it was given to has gone, or is busy."""


class InTurn(App[None]):
    """Each key waits until the one before it has gone its whole way: to the widget with the focus, and up to the app.

    By itself Textual tries the keys with priority, as F5 is, when they come in, and hands the others to the widget, which takes
    them when it comes to it: an F5 that comes in one piece with what was typed before it, as over a slow line, overtakes it.
    """

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._typed: deque[Key | Paste] = deque()
        self._turn = 0
        self._acting = False
        """Whether the first key goes its way already."""
        self._holds: set[object] = set()

    def hold_keys(self) -> Callable[[], None]:
        """Has the keys that come from now on wait for a page that is being brought, until the returned is called.

        Ctrl+Q does not wait.
        """
        hold = object()
        self._holds.add(hold)

        def release() -> None:
            if hold in self._holds:
                self._holds.remove(hold)
                self.call_later(self._hear)

        return release

    @property
    def holds_keys(self) -> bool:
        """Whether keys have come that wait for a page."""
        return bool(self._holds and self._typed)

    async def on_event(self, event: Event) -> None:
        leaves = isinstance(event, Key) and event.key == "ctrl+q" and bool(self._holds)
        if not isinstance(event, Key | Paste) or event.is_forwarded or leaves:
            await super().on_event(event)
            return
        self._typed.append(event)
        if len(self._typed) == 1:
            await self._hear()
        else:
            self._hurry()

    async def _hear(self) -> None:
        """The key whose turn it is goes its way, and after it what tells that it has."""
        if self._acting or self._holds or not self._typed:
            return
        self._acting = True
        try:
            first: MessagePump | None = self.focused or self.screen
        except ScreenStackError:
            first = None
        await super().on_event(self._typed[0])
        self._go_after(self._turn, first)
        if len(self._typed) > 1:
            self._hurry()

    def _go_after(self, turn: int, place: MessagePump | None) -> None:
        while place is not None and place is not self:
            if place.call_later(self._go_after, turn, place._parent):
                return
            place = place._parent
        self.call_later(self._heard, turn)

    async def _heard(self, turn: int) -> None:
        if turn == self._turn and self._acting:
            self._turn += 1
            self._acting = False
            self._typed.popleft()
            await self._hear()

    def _hurry(self) -> None:
        """Somebody waits."""
        self.set_timer(PATIENCE, partial(self._heard, self._turn))
