"""How much of a long command's output the operator has seen, in a file that outlives this process."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from iconha_tui import disk


class Position:
    """One unit's. path: None where nothing is kept, as in a session without a folder.

    The file holds one line, `token offset`: which start of the unit it is about, and the bytes of whole lines handed on. It is
    a convenience: where it cannot be read or written, output is told again from its start.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._handle = -1

    def of(self, token: str) -> int:
        """The bytes that were handed on of the start called `token`; 0 where nothing is known of it."""
        if self._path is not None:
            with suppress(OSError, ValueError):
                known, _, offset = disk.read(self._path, 100).decode("ascii").strip().partition(" ")
                if known == token:
                    return max(0, int(offset))
        return 0

    def keep(self, token: str, offset: int) -> None:
        """Remembers it, in one write: a kill leaves the old line or the new one, since both have one length."""
        if self._path is None:
            return
        with suppress(OSError):
            if self._handle < 0:
                self._handle = disk.open_private(self._path, os.O_WRONLY | os.O_CREAT)
            os.pwrite(self._handle, f"{token} {offset:020d}\n".encode("ascii"), 0)

    def close(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def forget(self) -> None:
        """The unit has ended, and all that it said was handed on."""
        self.close()
        if self._path is not None:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)
