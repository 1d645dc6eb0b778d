"""A question on the terminal of a command without a screen."""

from __future__ import annotations

import os
import select

from iconha_tui.cloud.sentences import ask_nobody, no_code_given, wrong_code
from iconha_tui.engine.cancel import TICK, Cancel
from iconha_tui.text import sentence

TERMINAL = "/dev/tty"


def ask_code(device: str, cancel: Cancel) -> str:
    """An `engine.ports.AskCode` on this process's terminal, whatever its input and output are. What is typed is seen: such a code
    is taken once, and a mistake in it costs half a minute."""
    try:
        terminal = os.open(TERMINAL, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:  # it has none
        return ask_nobody(device, cancel)
    try:
        if os.tcgetpgrp(terminal) != os.getpgrp():  # it was put into the background, where a question would stop it
            return ask_nobody(device, cancel)
        return _asked(terminal, device, cancel)
    finally:
        os.close(terminal)


def _asked(terminal: int, device: str, cancel: Cancel) -> str:
    os.write(terminal, f"\nAWS wants the code of the MFA device {sentence(device)}.\nCode: ".encode())
    while True:
        while not select.select([terminal], [], [], TICK)[0]:
            if cancel.is_set():
                raise no_code_given()
        code = os.read(terminal, 1024).decode("ascii", "replace").strip()
        if not code:
            raise no_code_given()
        if not (wrong := wrong_code(code)):
            return code
        os.write(terminal, f"{wrong}\nCode: ".encode())
