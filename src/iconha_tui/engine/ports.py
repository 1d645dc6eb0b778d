"""What the engine and the stages need of the outside: protocols that `remote` and `cloud` fill."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Event
from typing import Any, Protocol

from iconha_tui.engine.cancel import Cancel

OnLines = Callable[[list[str]], None]
"""Takes lines of output as they come, already stripped of control sequences, in order, from any thread."""

AskCode = Callable[[str, Cancel], str]
"""Asks the operator for the code of an MFA device (its serial number or ARN): six digits. Called from a worker thread, which
waits; it raises Cancelled where none is given or the run is stopped, Trouble where nobody can be asked."""


@dataclass(frozen=True)
class Completed:
    """A command that has ended. code: its exit code, -1 where it is unknown. stdout, stderr: decoded, whole.

    For a `long` run both streams are in stdout.
    """

    code: int
    stdout: str
    stderr: str

    @property
    def tail(self) -> str:
        """The last lines of what it said, for an error message."""
        said = "\n".join(part for part in (self.stdout.rstrip(), self.stderr.rstrip()) if part)
        return "\n".join(said.splitlines()[-20:])


class Node(Protocol):
    """One machine, reached over SSH. Every method raises `Trouble` naming the node when it cannot be reached."""

    name: str

    def run(
        self,
        argv: tuple[str, ...],
        *,
        root: bool = True,
        stdin: bytes | None = None,
        timeout: float = 120.0,
        on_lines: OnLines | None = None,
        cancel: Event | None = None,
    ) -> Completed:
        """Run a short command on a channel of its own. root: through `sudo -n`. Where it is cancelled, it is stopped."""

    def run_long(
        self,
        key: str,
        argv: tuple[str, ...],
        *,
        timeout: float = 3600.0,
        on_lines: OnLines | None = None,
        cancel: Cancel | None = None,
    ) -> Completed:
        """Run a command as root in a transient systemd unit named after `key`.

        A unit of that key that is running already is followed, not started twice; its output is read from the start. Where it
        is cancelled, it ends or goes on as `cancel` has decided, and Cancelled says which.
        """

    def read(self, path: str) -> bytes | None:
        """A file's bytes, read as root; None where there is none."""

    def write(
        self,
        path: str,
        content: bytes,
        *,
        mode: int = 0o644,
        owner: str = "root:root",
        check: tuple[str, ...] | None = None,
        backup: bool = False,
        over: str | None = None,
        note: tuple[str, str] | None = None,
    ) -> None:
        """Write a file as root: temporary file beside it (0600), check, fsync, rename. Raises Trouble with check's words.

        over, note: as in `actions.Upload`.
        """


class Cloud(Protocol):
    """AWS: one call, its answer as boto3 gives it, all pages merged. Raises `Trouble` with a sentence and a remedy."""

    def call(self, service: str, operation: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]: ...
