"""A terminal with a program in it: tmux, on a socket of its own."""

from __future__ import annotations

import re
import shlex
import subprocess
import time
from pathlib import Path


class Terminal:
    """80x24, as the smallest that the wizard is made for. socket: a path of its own, of a hundred characters at most."""

    def __init__(self, socket: Path) -> None:
        self._tmux = ["tmux", "-S", str(socket), "-f", "/dev/null"]

    def start(self, *argv: str) -> None:
        command = f"exec env LANG=C.UTF-8 TERM=xterm-256color {shlex.join(argv)}"
        subprocess.run([*self._tmux, "new-session", "-d", "-s", "w", "-x", "80", "-y", "24", command], check=True)

    def press(self, *keys: str) -> None:
        subprocess.run([*self._tmux, "send-keys", "-t", "w", *keys], check=True)

    def screen(self) -> str:
        shown = subprocess.run(
            [*self._tmux, "capture-pane", "-p", "-t", "w"], capture_output=True, text=True, check=False
        )
        return shown.stdout

    def wait(self, pattern: str, timeout: float = 60) -> str:
        """Wait until the screen shows `pattern`, a regular expression. timeout in seconds."""
        deadline = time.monotonic() + timeout
        while not re.search(pattern, screen := self.screen()):
            assert time.monotonic() < deadline, f"{pattern!r} does not come up:\n{screen}"
            time.sleep(0.2)
        return screen

    def pid(self) -> int:
        shown = subprocess.run(
            [*self._tmux, "list-panes", "-t", "w", "-F", "#{pane_pid}"], capture_output=True, text=True, check=True
        )
        return int(shown.stdout)

    def running(self) -> bool:
        return subprocess.run([*self._tmux, "has-session", "-t", "w"], capture_output=True, check=False).returncode == 0

    def end(self) -> None:
        """Closes the terminal under whatever runs in it."""
        subprocess.run([*self._tmux, "kill-server"], capture_output=True, check=False)
