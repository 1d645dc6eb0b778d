"""The log file: tracebacks and warnings, the file its owner's alone, without secrets and without control characters."""

from __future__ import annotations

import logging
import os
from io import TextIOWrapper
from pathlib import Path
from typing import Protocol
from weakref import WeakSet

from iconha_tui import disk
from iconha_tui.text import clean_block


class Hider(Protocol):
    """Knows secrets, and takes them out of a text."""

    def mask(self, text: str) -> str: ...


hiders: WeakSet[Hider] = WeakSet()
"""Every vault of this process: a traceback does not say whose secret it holds."""


def fit(text: str) -> str:
    """A text of several lines as the log may hold it, and a terminal after the program has broken down."""
    text = clean_block(text)
    for hider in list(hiders):
        text = hider.mask(text)
    return text


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return fit(super().format(record))


class _File(logging.FileHandler):
    """Never a link's target. What cannot be written is dropped: the disk is full, and stderr is the wizard's screen."""

    def _open(self) -> TextIOWrapper:
        handle = disk.open_private(Path(self.baseFilename), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        return TextIOWrapper(os.fdopen(handle, "ab"), encoding="utf-8", errors="backslashreplace")

    def emit(self, record: logging.LogRecord) -> None:
        try:
            super().emit(record)
        except OSError:
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:
        pass


def open_log(path: Path) -> None:
    """Sends what this program and its libraries log to `path`, from warnings up."""
    handler = _File(path, delay=True)
    handler.setFormatter(_Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
