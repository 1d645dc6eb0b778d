"""Carries one command's input and output over a channel, both streams at once, until it has ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event

import paramiko

Sink = Callable[[bytes, bool], None]
"""sink(data, is_stderr): takes the output as it comes, on the pump's thread."""

CHUNK = 65536
_TICK = 0.1
"""Seconds after which a cancellation is noticed."""
_SEND_WAIT = 0.02
_LINGER = 5.0
"""Seconds of silence after the exit status until output is taken for complete: a daemon that the command started may hold
the streams open for ever, and sshd then never says that they have ended."""
SILENCE = 15.0
"""Seconds without a byte after which the peer is asked whether it is there."""


class Overdue(Exception):
    """The deadline has passed."""


class Stopped(Exception):
    """The cancel event was set."""


class _Wake(Event):
    """Set by either stream when there is something to read, and cleared by the pump alone.

    Not `Channel.fileno()`: paramiko may still write to that pipe's descriptor after the channel has closed it, when the number
    belongs to somebody else, such as the connection's own socket.
    """

    def clear(self) -> None:
        """Called by a stream that has run empty, while the other may not have."""

    def rearm(self) -> None:
        super().clear()


def pump(
    channel: paramiko.Channel,
    stdin: bytes,
    sink: Sink,
    *,
    deadline: float,
    cancel: Event | None,
    still_there: Callable[[], None],
) -> int:
    """Feed `stdin`, hand every byte of output to `sink`, and return the exit status; -1 where the node gave none.

    deadline: on the monotonic clock. still_there: called after SILENCE seconds without output; it closes the connection
    when nobody answers. Raises Overdue and Stopped; the caller closes the channel.
    """
    wake = _Wake()
    channel.in_buffer.set_event(wake)
    channel.in_stderr_buffer.set_event(wake)
    left = memoryview(stdin)
    if not left:
        channel.shutdown_write()
    heard = time.monotonic()
    while True:
        wake.rearm()
        complete = channel.eof_received or channel.closed
        exited = channel.status_event.is_set()
        now = time.monotonic()
        if drained := _drain(channel, sink):
            heard = now
        if exited and ((complete and not drained) or now - heard > _LINGER):
            return channel.exit_status
        if cancel is not None and cancel.is_set():
            raise Stopped
        if now > deadline:
            raise Overdue
        if now - heard > SILENCE and not exited:
            still_there()
            heard = time.monotonic()
        wait = 0.0 if drained else min(_TICK, max(0.0, deadline - now))
        if left:
            left = _send(channel, left)
        elif complete:
            channel.status_event.wait(wait)
        else:
            wake.wait(wait)


def _drain(channel: paramiko.Channel, sink: Sink) -> bool:
    """Take one chunk of each stream; not more, so that a flood cannot keep a cancellation from being noticed."""
    some = False
    if channel.recv_ready():
        sink(channel.recv(CHUNK), False)
        some = True
    if channel.recv_stderr_ready():
        sink(channel.recv_stderr(CHUNK), True)
        some = True
    return some


def _send(channel: paramiko.Channel, left: memoryview) -> memoryview:
    """Send what the window takes. A command that ends without reading its input is no error."""
    channel.settimeout(_SEND_WAIT)
    try:
        sent = channel.send(bytes(left[:CHUNK]))
    except TimeoutError:
        return left
    except OSError:
        return memoryview(b"")
    if sent == 0:
        return memoryview(b"")
    rest = left[sent:]
    if not rest:
        channel.shutdown_write()
    return rest
