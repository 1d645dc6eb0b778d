"""The log file: tracebacks and warnings, the file its owner's alone, without secrets and without control characters."""

from __future__ import annotations

import logging
import os
from io import TextIOWrapper
from pathlib import Path

from iconha_tui import disk
from iconha_tui.masking import Masks
from iconha_tui.text import clean_block

_masks: list[Masks] = []
_all = Masks()


def hide(masks: Masks) -> None:
    """From now on the log has no secret that `masks` is told. It is never given up: a traceback does not say whose secret it
    holds, and may come when its cluster is closed."""
    _masks.append(masks)


def fit(text: str) -> str:
    """A text of several lines as the log may hold it, and a terminal after the program has broken down."""
    # All at once: one after the other, a short secret of one cluster would cut a longer one of another in two.
    _all.learn(secret for masks in list(_masks) for secret in masks.known)
    return _all.hide(clean_block(text))


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
