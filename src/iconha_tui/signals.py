"""Ctrl+C and the other signals of a run without a screen."""

from __future__ import annotations

import atexit
import os
import signal
from contextlib import suppress
from threading import Timer
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from iconha_tui.control.run_controller import RunController

WAIT = 5.0
"""Seconds after a Ctrl+C in which another stops a long command on its node too."""

ALL = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Signals:
    """Stops a run at a signal.

    A long command is left running on its node, and found again by the next run; a second Ctrl+C within WAIT stops it there.
    Any signal after the run has been told ends the program at once. Once nothing is left to stop, none changes the exit code.
    """

    def __init__(self, controller: RunController) -> None:
        self._controller = controller
        self._asked = False
        for number in ALL:
            signal.signal(number, self._come)
        atexit.register(_ignore)

    def _come(self, number: int, _frame: FrameType | None) -> None:
        nodes = " and ".join(sorted(self._controller.long))
        if number == signal.SIGINT and nodes and not self._asked:
            self._asked = True
            self._controller.stop(stop_long=None)
            wait = Timer(WAIT, self._controller.stop)
            wait.daemon = True
            wait.start()
            _say(
                f"Stopping. A long command is left running on {nodes}; "
                f"Ctrl+C again within {WAIT:.0f} s stops it there too."
            )
            return
        self._controller.stop(stop_long=self._asked and number == signal.SIGINT)
        if nodes and self._controller.session.ctx.cancel.stop_long:
            _say(f"Stopping what runs on {nodes}. Another Ctrl+C ends this program, and says no more.")
        for each in ALL:
            signal.signal(each, signal.SIG_DFL)


def _ignore() -> None:
    """Python takes its handlers away as it ends: a signal would then make a failure of a run that the journal calls done."""
    for each in ALL:
        signal.signal(each, signal.SIG_IGN)


def _say(text: str) -> None:
    """Past Python's own streams: a signal may come in the middle of a line that is being written."""
    with suppress(OSError):
        os.write(2, f"iconha-tui: {text}\n".encode())
