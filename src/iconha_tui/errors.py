"""What the program tells an operator when something cannot go on."""

from __future__ import annotations


class Trouble(Exception):
    """Something that an operator can act on: what happened, where, and what to do now.

    what: one sentence, without the place. where: a node's name, an API call or a file; "" where it has none.
    remedy: one sentence that says what to do now. detail: last lines of output, for the screen that opens the failure.
    transient: it may pass by itself, as when a machine is still booting.
    """

    transient = False

    def __init__(self, what: str, *, where: str = "", remedy: str = "", detail: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.remedy = remedy
        self.detail = detail

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        return f"{head} {self.remedy}".rstrip()


class Cancelled(Trouble):
    """The operator stopped the run."""


class UsageTrouble(Trouble):
    """The command was given something that it cannot work with: exit code 2."""


class SpecTrouble(UsageTrouble):
    """The spec cannot be read or does not hold together: exit code 2."""
