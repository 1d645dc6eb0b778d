"""Running system tools for the lab: as root, with an error that says what failed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

from iconha_tui.error_codes import Code
from iconha_tui.errors import Trouble


def as_root(argv: Sequence[str]) -> list[str]:
    """The command line that runs `argv` as root: through sudo for an ordinary user."""
    return list(argv) if os.geteuid() == 0 else ["sudo", "--", *argv]


def run(argv: Sequence[str], *, feed: str | None = None, check: bool = True, timeout: float = 120) -> str:
    """Run a tool as root and return its output.

    timeout is in seconds. Raises Trouble with the tool's last lines where it fails and `check` is set.
    """
    try:
        done = subprocess.run(
            as_root(argv), input=feed, capture_output=True, text=True, errors="replace", timeout=timeout, check=False
        )
    except FileNotFoundError as error:
        raise Trouble(
            f"The program {error.filename} is not installed.",
            code=Code.LAB_UNSUPPORTED,
            remedy="Run `iconha-tui lab up` for its package.",
        ) from None
    except subprocess.TimeoutExpired:
        raise Trouble(
            f"`{' '.join(argv[:3])}` did not end within {timeout:.0f} s.", code=Code.LAB_FAILED, remedy="Try again."
        ) from None
    if check and done.returncode != 0:
        detail = (done.stderr or done.stdout).strip()
        last = detail.splitlines()[-1] if detail else "it says nothing"
        raise Trouble(f"`{' '.join(argv[:3])}` failed ({done.returncode}): {last}", code=Code.LAB_FAILED, detail=detail)
    return done.stdout
