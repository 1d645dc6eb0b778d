"""A node reached over SSH: one connection, many channels, any thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import BoundedSemaphore, Event, Lock

import paramiko

from iconha_tui.engine.cancel import Cancel
from iconha_tui.engine.ports import Completed, OnLines
from iconha_tui.error_codes import Code
from iconha_tui.errors import Cancelled, Lost, Trouble
from iconha_tui.remote import files, units
from iconha_tui.remote.connection import (
    Attempt,
    Endpoint,
    LoginRefused,
    Unreachable,
    answers,
    guarded_exec,
    hang_up,
    was_refused,
)
from iconha_tui.remote.host_keys import HostKeys
from iconha_tui.remote.identity import Identity
from iconha_tui.remote.position import Position
from iconha_tui.remote.pump import Overdue, Sink, Stopped, pump
from iconha_tui.remote.shell import KILL, AfterTag, command_line, new_tag, not_started
from iconha_tui.text import LineSplitter, clean, clean_block, strip_controls

CHANNELS = 6
"""Commands at the same time on one connection. sshd allows ten (MaxSessions), and clears an ended one away with some delay; what
is left serves to stop a command, and to ask whether anybody is there."""
OUTPUT_LIMIT = 64 * 1024 * 1024
"""Bytes of output that a command may have: a node cannot fill our memory."""

_HOW = {True: " and was stopped on the node", False: "; whether it still runs on the node is not known"}
_KILL_TIMEOUT = 15.0
_KILL_OPEN = 4.0
"""Seconds in which a channel to stop a command must open: over a line that is dead, nobody who cancels waits for longer."""
_FULL = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_BACKOFF = (0.2, 0.5, 1.0, 2.0)


class SshNode:
    """`engine.ports.Node` over SSH. Connects when it is first needed, and anew when the connection has died.

    endpoint: asked at every connection, since addresses move. A command that has not begun is put to the new connection;
    one that may have run is never repeated: that raises `Lost`. cancel: the event that stops the run which is going on; it
    ends what is given no event of its own, and an attempt to connect. positions: the folder that remembers, over restarts of
    this program, how much of a long command's output was shown.
    """

    def __init__(
        self,
        name: str,
        endpoint: Endpoint | Callable[[], Endpoint],
        *,
        user: str,
        identity: Identity,
        host_keys: HostKeys,
        connect_timeout: float = 15.0,
        runs_dir: str = units.RUNS_DIR,
        cancel: Callable[[], Cancel] = Cancel,
        positions: Path | None = None,
    ) -> None:
        self.name = name
        self.user = user
        self._endpoint = endpoint
        self._identity = identity
        self._host_keys = host_keys
        self._connect_timeout = connect_timeout
        self._runs_dir = runs_dir
        self._cancel = cancel
        self._positions = positions
        self._transport: paramiko.Transport | None = None
        self._attempt: Attempt | None = None
        self._lock = Lock()
        """Guards the two above, for moments: nobody connects, closes or asks anything while holding it."""
        self._channels = BoundedSemaphore(CHANNELS)

    def connect(self, cancel: Event | None = None) -> None:
        """Make sure of a live connection. Raises Unreachable, HostKeyRejected, LoginRefused, Cancelled."""
        self._live(cancel or self._cancel())

    def wait(self, timeout: float, cancel: Event | None = None) -> None:
        """Connect, trying again for up to `timeout` seconds: for a machine that is booting, or that has just dropped us.

        Raises what the last try raised; a host key that is wrong, at once. A refused login is tried again too, since a booting
        machine refuses everybody.
        """
        until = time.monotonic() + timeout
        tries = 0
        cancel = cancel or self._cancel()
        while True:
            try:
                return self.connect(cancel)
            except (Unreachable, LoginRefused):
                pause = _BACKOFF[min(tries, len(_BACKOFF) - 1)]
                if time.monotonic() + pause > until:
                    raise
            tries += 1
            if cancel.wait(pause):
                raise Cancelled("Stopped while waiting for the connection.", where=self.name)

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
        """Run a short command on a channel of its own. root: through `sudo -n`.

        stdout and stderr of the answer are without control sequences, but for newlines and tabs. A timeout and a cancellation
        stop the command on the node, and raise Trouble and Cancelled.
        """
        kept: dict[bool, list[bytes]] = {False: [], True: []}
        splitters = {False: LineSplitter(), True: LineSplitter()}

        def sink(data: bytes, is_stderr: bool) -> None:
            kept[is_stderr].append(data)
            if on_lines and (lines := splitters[is_stderr].feed(data)):
                on_lines(lines)

        code = self.execute(argv, sink, root=root, stdin=stdin, timeout=timeout, cancel=cancel)
        if on_lines and (rest := splitters[False].end() + splitters[True].end()):
            on_lines(rest)
        return Completed(code, _decoded(kept[False]), _decoded(kept[True]))

    def run_long(
        self,
        key: str,
        argv: tuple[str, ...],
        *,
        timeout: float = 3600.0,
        on_lines: OnLines | None = None,
        cancel: Cancel | None = None,
    ) -> Completed:
        """Run a command as root in a transient systemd unit named after `key`, and follow it over lost connections.

        A unit of that key that is running is followed: `on_lines` gets what it did not get before a restart of this program,
        the answer has all of it. timeout stops following, with Trouble, and the unit goes on. cancel does, with Cancelled: the
        unit goes on, or is stopped on the node, as `cancel` decides.
        """
        unit = units.Unit(key, self._runs_dir)
        raw: list[bytes] = []
        splitter = LineSplitter()
        shown = 0

        def take(data: bytes, is_new: bool) -> None:
            nonlocal shown
            raw.append(data)
            if not is_new:
                shown += data.count(b"\n")
            elif on_lines and (lines := splitter.feed(data)):
                if shown:
                    on_lines([f"({unit.name} has gone on meanwhile: {shown} lines of it were shown before)"])
                    shown = 0
                on_lines(lines)

        kept = Position(self._positions / f"shown-{self.name}.{unit.slug}" if self._positions else None)
        code = units.carry_out(self, unit, argv, take, kept, timeout=timeout, cancel=cancel or self._cancel())
        if on_lines and (rest := splitter.end()):
            on_lines(rest)
        return Completed(code, _decoded(raw), "")

    def read(self, path: str) -> bytes | None:
        """A file's bytes, read as root; None where there is none."""
        return files.read(self, path)

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
        """Write a file as root, whole or not at all. Raises Trouble; the old file then stands as it was."""
        files.write(self, path, content, mode=mode, owner=owner, check=check, backup=backup, over=over, note=note)

    def close(self) -> None:
        """Close the connection, without waiting for that. Commands that are running raise Lost, those that wait for a connection
        Unreachable; the next call connects anew."""
        with self._lock:
            transport, self._transport = self._transport, None
            attempt, self._attempt = self._attempt, None
        if transport is not None:
            hang_up(transport)
        if attempt is not None:
            attempt.abandon()

    def execute(
        self,
        argv: tuple[str, ...],
        sink: Sink,
        *,
        root: bool = True,
        stdin: bytes | None = None,
        timeout: float = 120.0,
        cancel: Event | None = None,
    ) -> int:
        """Run a command and hand its raw output to `sink`; the exit code, -1 where the node gave none.

        Raises Lost when the connection broke while it may have been running; Trouble and Cancelled as `run` does.
        """
        cancel = cancel or self._cancel()
        tag = new_tag()
        line = command_line(argv, tag=tag, root=root, timeout=timeout)
        streams = {False: AfterTag(tag), True: AfterTag(tag)}
        taken = 0

        def counted(data: bytes, is_stderr: bool) -> None:
            nonlocal taken
            taken += len(data)
            if taken > OUTPUT_LIMIT:
                raise Trouble(
                    f"{_short(argv)} wrote more than {OUTPUT_LIMIT >> 20} MiB and was stopped.",
                    code=Code.OUTPUT_TOO_LONG,
                    where=self.name,
                    remedy="Look at the node: this is more than any step writes.",
                )
            if own := streams[is_stderr].feed(data):
                sink(own, is_stderr)

        with self._slot(cancel):
            transport, channel = self._open(cancel)
            try:
                code = self._converse(transport, channel, line, counted, stdin or b"", timeout, cancel)
            except (Lost, _Refused) as ending:
                if isinstance(ending, _Refused):
                    raise not_started(self.name, self.user, root, "") from ending
                ending.what = f"The connection was lost while {_short(argv)} was running; it may have run to its end."
                raise
            except Overdue:
                stopped = self._stop(transport, channel, tag, root)
                raise Trouble(
                    f"{_short(argv)} did not end within {timeout:.0f} s{_HOW[stopped]}.",
                    code=Code.COMMAND_TIMEOUT,
                    where=self.name,
                    remedy="Look at what the node is waiting for, then try again.",
                ) from None
            except Stopped:
                stopped = self._stop(transport, channel, tag, root)
                cancelled = Cancelled(f"{_short(argv)} was cancelled{_HOW[stopped]}.", where=self.name)
                cancelled.left = "stopped" if stopped else "unknown"
                raise cancelled from None
            except BaseException:
                self._stop(transport, channel, tag, root)
                raise
            finally:
                _close(channel)
        if not (streams[False].seen or streams[True].seen):
            said = b"\n".join(stream.before for stream in streams.values()).decode("utf-8", "replace")
            raise not_started(self.name, self.user, root, clean_block(said, 20).strip())
        return code

    def _converse(
        self,
        transport: paramiko.Transport,
        channel: paramiko.Channel,
        line: str,
        sink: Sink,
        stdin: bytes,
        timeout: float,
        cancel: Event | None,
    ) -> int:
        """Run `line` on `channel` to its end. Raises Lost, _Refused, Overdue, Stopped."""

        def still_there() -> None:
            if not answers(transport):
                transport.close()

        try:
            guarded_exec(transport, channel, line)
            code = pump(
                channel, stdin, sink, deadline=time.monotonic() + timeout, cancel=cancel, still_there=still_there
            )
        except (paramiko.SSHException, EOFError, OSError) as error:
            if transport.is_active() and isinstance(error, paramiko.SSHException):
                raise _Refused from error
            raise self._lost(transport) from error
        if code == -1 and not transport.is_active():
            raise self._lost(transport)
        return code

    def _lost(self, transport: paramiko.Transport) -> Lost:
        self._drop(transport)
        return Lost(
            "The connection was lost.",
            where=self.name,
            remedy="Run it again: what is done already is recognised and not repeated.",
        )

    def _live(self, cancel: Event) -> paramiko.Transport:
        """The connection; one attempt makes it for all that need it. The last who stops waiting ends the attempt."""
        with self._lock:
            if self._transport is not None and self._transport.is_active():
                return self._transport
            self._transport = None
            attempt = self._attempt = self._attempt or self._begin()
            attempt.waiting += 1
        try:
            return attempt.wait(cancel)
        finally:
            with self._lock:
                attempt.waiting -= 1
                ours = self._attempt is attempt  # else it was closed meanwhile
                if ours and (attempt.done or not attempt.waiting):
                    self._transport, self._attempt = attempt.transport, None
                unwanted = ours and self._attempt is None and self._transport is None
            if unwanted:
                attempt.abandon()

    def _begin(self) -> Attempt:
        endpoint = self._endpoint
        return Attempt(
            self.name,
            endpoint if callable(endpoint) else lambda: endpoint,
            self.user,
            self._identity,
            self._host_keys,
            self._connect_timeout,
        )

    def _drop(self, transport: paramiko.Transport) -> None:
        with self._lock:
            if self._transport is transport:
                self._transport = None
        transport.close()

    def _open(self, cancel: Event) -> tuple[paramiko.Transport, paramiko.Channel]:
        """A channel; once more over a new connection where the old one turns out to be dead."""
        for last in (False, True):
            transport = self._live(cancel)
            try:
                return transport, _session(transport)
            except _Full as error:
                raise Unreachable(
                    "The node refuses another session on this connection.",
                    where=self.name,
                    remedy="Raise MaxSessions in its sshd_config to the default of 10, or wait for running commands to end.",
                    detail=clean(str(error)),
                ) from error
            except (paramiko.SSHException, EOFError, OSError) as error:
                self._drop(transport)
                if last:
                    raise Unreachable(
                        "The connection broke before the command began.",
                        where=self.name,
                        remedy="Check the network and the instance, then try again.",
                        detail=clean(str(error)),
                    ) from error
        raise AssertionError("unreachable")

    @contextmanager
    def _slot(self, cancel: Event) -> Iterator[None]:
        while not self._channels.acquire(timeout=0.1):
            if cancel.is_set():
                raise Cancelled("Cancelled before it began.", where=self.name)
        try:
            yield
        finally:
            self._channels.release()

    def _stop(self, transport: paramiko.Transport, channel: paramiko.Channel, tag: str, root: bool) -> bool:
        """Stop the tagged command through another channel; whether it is known to have ended."""
        _close(channel)
        code = -1
        with suppress(paramiko.SSHException, EOFError, OSError, Overdue, Trouble):
            line = command_line(("sh", "-c", KILL, "iconha-kill", tag), tag=new_tag(), root=root, timeout=_KILL_TIMEOUT)
            killer = transport.open_session(timeout=_KILL_OPEN)
            try:
                code = self._converse(transport, killer, line, lambda _data, _err: None, b"", _KILL_TIMEOUT, None)
            finally:
                _close(killer)
        return code == 0


def _session(transport: paramiko.Transport) -> paramiko.Channel:
    """A session; asked for again while the server is still clearing away one that has just ended."""
    for pause in (*_FULL, None):
        try:
            return transport.open_session()
        except paramiko.SSHException as error:
            if not was_refused(transport, error):
                raise
            if pause is None:
                raise _Full(str(error)) from error
            time.sleep(pause)
    raise AssertionError("unreachable")


class _Full(Exception):
    """The server takes no further session on this connection."""


class _Refused(Exception):
    """The server would not start a command on an open channel."""


def _close(channel: paramiko.Channel) -> None:
    with suppress(paramiko.SSHException, EOFError, OSError):
        channel.close()


def _decoded(chunks: list[bytes]) -> str:
    return strip_controls(b"".join(chunks).decode("utf-8", "replace"))


def _short(argv: tuple[str, ...]) -> str:
    """A command as a sentence can hold it. Only its name: arguments may be long."""
    words = " ".join(argv[:3]) if argv[:2] not in (("sh", "-c"), ("bash", "-c")) else "a shell script"
    return f"`{clean(words)[:60]}`" if words != "a shell script" else words
