"""What the program tells an operator when something cannot go on."""

from __future__ import annotations

import logging
from typing import Literal

from iconha_tui.error_codes import Code
from iconha_tui.text import clean_block, sentence

log = logging.getLogger(__name__)

DETAIL_LINES = 100
"""Lines of a detail that are kept: the last ones say what went wrong."""


class Trouble(Exception):
    """Something that an operator can act on: what happened, where, and what to do now.

    what: one sentence, without the place. where: a node's name, an API call or a file; "" where it has none.
    remedy: one sentence that says what to do now. detail: last lines of output, for the screen that opens the failure.
    code: its kind, which callers decide by. A plain Trouble is given one where it is made; a subclass may have one of its own.
    transient: it may pass by itself, as when a machine is still booting. Parts of it come from nodes, from AWS and out of
    files: whatever is given is cleaned.
    """

    code: Code = Code.UNFORESEEN
    transient = False

    def __init__(
        self, what: str, *, code: Code | None = None, where: str = "", remedy: str = "", detail: str = ""
    ) -> None:
        if code is not None:
            self.code = code
        self.what = sentence(what)
        self.where = sentence(where)
        self.remedy = sentence(remedy)
        self.detail = clean_block(detail, DETAIL_LINES)
        super().__init__(self.what)

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        return f"{head} {self.remedy}".rstrip()


def unforeseen(error: BaseException, where: str = "") -> Trouble:
    """The sentence for an error that is a mistake of this program, or an answer that nobody thought of; its traceback goes to
    the log file."""
    log.error("Unexpected error%s", f" on {where}" if where else "", exc_info=error)
    return Trouble(
        f"An error that this program did not foresee: {type(error).__name__}: {error}.",
        code=Code.UNFORESEEN,
        where=where,
        remedy="The log file (`iconha-tui where`) has the details; retry, and report it if it stays.",
    )


class Lost(Trouble):
    """The connection to a node broke while a command was running: it may have run to its end."""

    code = Code.CONNECTION_LOST
    transient = True


Left = Literal["", "stopped", "running", "unknown"]
"""What has become of a command on a node that the operator stopped following; "" where it had not begun."""


class Cancelled(Trouble):
    """The operator stopped the run. left: what has become of the command that was going on."""

    code = Code.CANCELLED
    left: Left = ""


class UsageTrouble(Trouble):
    """The command was given something that it cannot work with: exit code 2."""

    code = Code.USAGE


class SpecTrouble(UsageTrouble):
    """The spec cannot be read or does not hold together: exit code 2."""

    code = Code.SPEC_INVALID
