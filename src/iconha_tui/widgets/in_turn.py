"""Keys act in the order in which they were typed, also where they come faster than a page follows."""

from __future__ import annotations

from collections import deque
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

    async def on_event(self, event: Event) -> None:
        if not isinstance(event, Key | Paste) or event.is_forwarded:
            await super().on_event(event)
            return
        self._typed.append(event)
        if len(self._typed) == 1:
            await self._hear()
        else:
            self._hurry()

    async def _hear(self) -> None:
        """The key whose turn it is goes its way, and after it what tells that it has."""
        try:
            first: MessagePump | None = self.focused or self.screen
        except ScreenStackError:
            first = None
        await super().on_event(self._typed[0])
        self._go_after(self._turn, first)

    def _go_after(self, turn: int, place: MessagePump | None) -> None:
        while place is not None and place is not self:
            if place.call_later(self._go_after, turn, place._parent):
                return
            place = place._parent
        self.call_later(self._heard, turn)

    async def _heard(self, turn: int) -> None:
        if turn == self._turn and self._typed:
            self._turn += 1
            self._typed.popleft()
            if self._typed:
                self._hurry()
                await self._hear()

    def _hurry(self) -> None:
        """Somebody waits."""
        self.set_timer(PATIENCE, partial(self._heard, self._turn))
