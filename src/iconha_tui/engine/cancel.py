"""How a run is asked to stop, and what is to become of the long commands that it follows."""

from __future__ import annotations

from concurrent.futures import CancelledError, Future
from contextlib import suppress
from threading import Event
from typing import Any

TICK = 0.1
"""Seconds after which a thread that waits for another notices that the run was stopped."""


class Cancel(Event):
    """Once it is set, nothing more is begun, and short commands are stopped on their nodes.

    Long commands are followed until it is decided what becomes of them: then `decided` is set too. stop_long: they are stopped
    on their nodes; else they are left running there.
    """

    def __init__(self) -> None:
        super().__init__()
        self.decided = Event()
        self.stop_long = False

    def decide(self, *, stop_long: bool) -> None:
        """Stops the run. The first decision holds: by a second one, nobody follows the commands any more."""
        if not self.decided.is_set():
            self.stop_long = stop_long
            self.set()
            self.decided.set()


def ended(work: Future[Any], cancel: Event) -> bool:
    """Waits for `work`, which another thread does and which may hang. False where `cancel` was set first: it is left behind."""
    while not work.done():
        if cancel.is_set():
            return False
        with suppress(TimeoutError, CancelledError):
            work.exception(TICK)
    return True
