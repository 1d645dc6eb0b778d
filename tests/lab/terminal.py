"""A terminal with a program in it: tmux, on a socket of its own."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

from waiting import wait_until


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

    def wait(self, pattern: str) -> str:
        """Wait until the screen shows `pattern`, a regular expression; returns what it shows then."""
        shown = ""

        def there() -> bool:
            nonlocal shown
            shown = self.screen()
            return bool(re.search(pattern, shown))

        wait_until(there, what=lambda: f"{pattern!r} on the screen:\n{shown}")
        return shown

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
