"""The wizard ended from outside where nothing is built: what becomes of the terminal."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from pathlib import Path

import pytest
from terminal import Terminal


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_wizard_that_is_told_to_end_gives_the_terminal_back(terminal: Terminal, tmp_path: Path, number: int) -> None:
    wizard = shlex.join([sys.executable, "-m", "iconha_tui", "--state-dir", str(tmp_path / "state")])
    terminal.start("sh", "-c", f"echo before; {wizard}; echo its exit code is $?; stty -a; sleep 600")
    terminal.wait("No cluster is saved here yet")
    shell = terminal.pid()
    (child,) = Path(f"/proc/{shell}/task/{shell}/children").read_text().split()
    os.kill(int(child), number)
    seen = terminal.wait("its exit code is 0")
    assert "before" in seen, "the screen is the shell's again"
    seen = terminal.wait("icanon")
    assert " -icanon" not in seen
    assert " -echo " not in seen
