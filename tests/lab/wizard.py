"""The wizard as a process in a terminal, driven by keys and followed by its journal, so that a test can leave it at any event."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from program import Event, Program
from terminal import Terminal
from waiting import wait_until

from iconha_tui.engine.events import PASSED
from iconha_tui.stages import STAGES

QUESTION = "Stop this run and quit?"
"""Asked where the wizard is quit while a long command goes on."""


class Wizard:
    """The wizard of a program, opened on its cluster, that runs on from the stage which is due, or from an earlier one.

    stage: the last that it may begin at, by number; those before it that are done are not run again.
    asked: the nodes whose host key it has asked about; each was accepted.
    """

    def __init__(self, program: Program, stage: int = len(STAGES)) -> None:
        self._stage = stage
        self._terminal = Terminal(program.state / f"tmux-{time.monotonic_ns()}")
        self._journal = program.folder / "journal.jsonl"
        self._place = self._journal.stat().st_size if self._journal.exists() else 0
        self.asked: list[str] = []
        known = (program.folder / "spec.toml").exists()
        what = ("--cluster", program.spec.name) if known else ("--spec", str(program.write()))
        self._terminal.start(sys.executable, "-m", "iconha_tui", "--state-dir", str(program.state), *what)
        self.pid = self._terminal.pid()

    def __iter__(self) -> Iterator[Event]:
        """The events of its runs, those of the first look left out. One RunFinished, when the last stage is done."""
        shown = self._see("F2 Settings|F8 goes on with|F8 shows the summary")
        if "F2 Settings" not in shown:
            self._terminal.press("F8")
            if "F8 shows the summary" in shown:  # all is done: the last stage is looked at once more
                self._see("the pair is up")
                self._terminal.press("F7")
            self._see("F2 Settings")
        self._turn_back()
        self._terminal.press("F12")
        stages: list[str] = []
        for event in self._events():
            match event["event"]:
                case "RunStarted":
                    stages = event["stages"] if event["mode"] == "run" else []
                case "RunFinished" if stages:
                    assert event["outcome"] in PASSED, f"{event}\n{self._terminal.screen()}"
                    if stages[-1] == STAGES[-1].name:
                        yield event
                        return
                case _ if stages:
                    yield event

    def _turn_back(self) -> None:
        while (shown := self._number()) > self._stage:
            self._terminal.press("F7")
            self._see(rf"\b{shown - 1} of 8")

    def _number(self) -> int:
        """Of the stage on the screen."""
        found = re.search(r"\b(\d) of 8", self._see(r"\b\d of 8"))
        assert found
        return int(found[1])

    def _events(self) -> Iterator[Event]:
        """What is added to the journal since this wizard was started."""
        while True:
            yield from wait_until(self._news, what=lambda: f"the next event:\n{self._terminal.screen()}", every=0.05)

    def _news(self) -> list[Event]:
        """The events that have come by now. Without any, what is asked on the screen is answered."""
        if self._journal.exists():
            with self._journal.open("rb") as file:
                file.seek(self._place)
                whole, newline, _ = file.read().rpartition(b"\n")
            self._place += len(whole + newline)
            if whole:
                return [json.loads(line) for line in whole.split(b"\n")]
        self._answer()
        return []

    def _see(self, pattern: str) -> str:
        """Waits until the screen shows `pattern`, and answers what is asked meanwhile."""
        shown = ""

        def there() -> bool:
            nonlocal shown
            shown = self._answer()
            return bool(re.search(pattern, shown))

        wait_until(there, what=lambda: f"{pattern!r} on the screen:\n{shown}")
        return shown

    def _answer(self) -> str:
        """Says yes to a host key where one is asked about, and goes on from a preflight's warnings. Returns the words on the
        screen, wherever its lines end."""
        shown = " ".join(self._terminal.screen().split())
        if asked := re.search(r"(\S+) shows a host key", shown):
            self._press_away("y", f"{asked[1]} shows a host key")
            self.asked.append(asked[1])
        elif "Nothing stands in the way;" in shown:
            self._press_away("F8", "Nothing stands in the way;")
        return shown

    def _press_away(self, key: str, words: str) -> None:
        """Presses a key once, and waits until these words are no longer on the screen."""
        self._terminal.press(key)
        self._terminal.wait(rf"(?s)\A(?!.*{re.escape(words)})")

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        self._gone()

    def quit(self) -> None:
        """As the operator does: ctrl+q, and where it asks what is to become of a long command, that is left running."""
        self._terminal.press("C-q")

        def left() -> bool:
            if QUESTION in self._terminal.screen():
                self._press_away("l", QUESTION)
            return not self._terminal.running()

        wait_until(left, what=lambda: f"the wizard's end:\n{self._terminal.screen()}")
        self._gone()

    def hang_up(self) -> None:
        """The terminal is closed under it."""
        self._terminal.end()
        self._gone()

    def end(self) -> None:
        self._see("the pair is up")
        self.quit()

    def close(self) -> None:
        """Leaves nothing behind, however it has ended."""
        self._terminal.end()

    def _gone(self) -> None:
        wait_until(lambda: not alive(self.pid), what=f"the end of process {self.pid}", every=0.02)


def alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except OSError:
        return False
