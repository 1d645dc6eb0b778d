"""Long commands: a transient systemd unit on the node that outlives the connection, its output in a file there.

/var/lib/iconha-tui/runs/<slug>/ (root, 0700) holds: `command` (the script), `token` (who started it), `pid`, `out` (both
streams), and, once it has ended, `rc`. The command is a script in a file because systemd expands `$` and `%` in a unit's
arguments.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import shlex
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from threading import Event
from typing import Protocol

from iconha_tui.engine.cancel import Cancel
from iconha_tui.error_codes import Code
from iconha_tui.errors import Cancelled, Left, Lost, Trouble
from iconha_tui.remote.connection import LoginRefused, Unreachable
from iconha_tui.remote.position import Position
from iconha_tui.remote.pump import Sink
from iconha_tui.text import clean_block, whole_number

RUNS_DIR = "/var/lib/iconha-tui/runs"
RECONNECT = 300.0
"""Seconds for which a lost connection is tried again while a unit is being followed."""

_SHORT = 300.0
_LOST_PAUSE = 0.2

# What ended while nobody looked, and was not asked for again, is cleared away with the next start.
# A unit that has written its exit code is still active for a moment: that one is waited for, not followed.
_START = """
set -eu
unit=$1 runs=$2 slug=$3 size=$4 token=$5
umask 077
mkdir -p -- "$runs"
exec 9>"$runs/.lock"
flock -w 20 9
find "$runs" -mindepth 2 -maxdepth 2 -name rc -mmin +10 | while read -r ended; do rm -rf -- "${ended%/rc}"; done
dir=$runs/$slug
tries=0
while case $(systemctl is-active "$unit" 2>&1 || :) in active|activating|deactivating|reloading) ;; *) false;; esac; do
  if [ -d "$dir" ] && [ ! -e "$dir/rc" ]; then echo "running $(cat -- "$dir/token")"; exit 0; fi
  [ "$tries" -lt 200 ] || exit 76
  sleep 0.05
  tries=$((tries + 1))
done
systemctl reset-failed "$unit" >/dev/null 2>&1 || :
if [ "$(cat -- "$dir/token" 2>/dev/null)" = "$token" ]; then echo started; exit 0; fi
rm -rf -- "$dir"
mkdir -- "$dir"
cat >"$dir/command"
[ "$(wc -c <"$dir/command")" -eq "$size" ] || exit 73
: >"$dir/out"
echo "$token" >"$dir/token"
systemd-run --quiet --collect --unit="$unit" --description="iconha-tui: $slug" /bin/sh "$dir/command" >&2 9>&-
tries=0
until [ -s "$dir/pid" ] || [ "$tries" -ge 500 ]; do sleep 0.02; tries=$((tries + 1)); done
echo started
"""

_COMMAND = """umask 022
cd /
export HOME=/root USER=root LOGNAME=root LC_ALL=C.UTF-8
unset LANGUAGE
dir={dir}
exec >>"$dir/out" 2>&1 </dev/null
echo "$$" >"$dir/pid"
{command}
rc=$?
echo "$rc" >"$dir/rc.new"
sync -- "$dir/out" "$dir/rc.new"
mv -f -- "$dir/rc.new" "$dir/rc"
"""

_FOLLOW = """
unit=$1 dir=$2 offset=$3
systemctl is-active --quiet "$unit" || exit 0
pid=$(cat -- "$dir/pid") || exit 0
[ ! -e "$dir/rc" ] || exit 0
exec tail -q -s 0.1 -c "+$((offset + 1))" -f --pid="$pid" -- "$dir/out"
"""

# The unit is asked before rc is looked for a second time: it may end in between.
_STATE = """
unit=$1 dir=$2 offset=$3
if [ ! -d "$dir" ]; then echo missing; exit 0; fi
if [ -s "$dir/rc" ]; then state="ended $(cat -- "$dir/rc")"
else
  case $(systemctl is-active "$unit" 2>&1 || :) in
    active|activating|deactivating|reloading) state=running;;
    *) if [ -s "$dir/rc" ]; then state="ended $(cat -- "$dir/rc")"; else state=vanished; fi;;
  esac
fi
echo "$state"
exec tail -q -c "+$((offset + 1))" -- "$dir/out"
"""

_REMOVE = 'rm -rf -- "$1"'

# systemd sends SIGTERM to all that the command has started, and SIGKILL to what is left of it after a minute and a half.
_STOP = """
unit=$1 dir=$2
systemctl stop "$unit" 2>/dev/null
case $(systemctl is-active "$unit" 2>&1 || :) in active|activating|deactivating|reloading) exit 1;; esac
[ ! -s "$dir/rc" ] || echo ended
systemctl reset-failed "$unit" 2>/dev/null
rm -rf -- "$dir"
"""


Take = Callable[[bytes, bool], None]
"""take(data, is_new): output in order, from the unit's start. is_new: it was not shown before, by another process."""


class Node(Protocol):
    """What following a unit needs of a node."""

    name: str

    def execute(
        self,
        argv: tuple[str, ...],
        sink: Sink,
        *,
        root: bool = True,
        stdin: bytes | None = None,
        timeout: float = 120.0,
        cancel: Event | None = None,
    ) -> int: ...

    def wait(self, timeout: float, cancel: Event | None = None) -> None: ...


@dataclass(frozen=True)
class Unit:
    """The names that a key gives to its unit and its folder on the node."""

    key: str
    runs: str = RUNS_DIR

    @property
    def slug(self) -> str:
        """The key itself where it is fit for a unit's name; else its readable part and a digest, so that no two keys meet."""
        if re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", self.key) and len(self.key) <= 48:
            return self.key
        readable = re.sub(r"[^a-z0-9]+", "-", self.key.lower()).strip("-")[:40].strip("-")
        return "-".join(filter(None, (readable, hashlib.sha256(self.key.encode()).hexdigest()[:8])))

    @property
    def name(self) -> str:
        return f"iconha-{self.slug}.service"

    @property
    def folder(self) -> str:
        return f"{self.runs}/{self.slug}"


def carry_out(
    node: Node,
    unit: Unit,
    argv: tuple[str, ...],
    take: Take,
    position: Position,
    *,
    timeout: float,
    cancel: Cancel,
) -> int:
    """Start the unit or join the one that is running, hand its output to `take` to the last byte, and return its exit code.

    position: what an earlier process has shown of it. Raises Cancelled once it is decided what becomes of the unit, and done;
    Trouble (timeout) while the unit goes on; Trouble when it has vanished without an exit code.
    """
    follower = _Follower(node, unit, take, position, time.monotonic() + timeout, cancel)
    try:
        follower.start(argv)
        follower.follow()
        while (code := follower.state()) is None:
            follower.follow()
    except Cancelled:
        if not follower.asked:
            raise
        cancel.decided.wait()
        raise (_stopped(node, unit) if cancel.stop_long else _left(node, unit, follower.running)) from None
    except (Lost, Unreachable, LoginRefused) as trouble:
        if follower.running:
            trouble.what = f"{trouble.what} {unit.name} is no longer followed; it goes on on the node."
            trouble.remedy = f"{trouble.remedy} Run again to follow it on."
        raise
    finally:
        position.close()
    with suppress(Trouble):
        node.execute(("sh", "-c", _REMOVE, "iconha-remove", unit.folder), _ignore, timeout=_SHORT, cancel=Event())
    position.forget()
    return code


def _left(node: Node, unit: Unit, is_running: bool) -> Cancelled:
    """The unit is left running. is_running: it was seen so; else its start was cut off."""
    if is_running:
        what = f"{unit.name} is left running on the node."
        return _cancelled("running", node, what, "Run again to follow it on.")
    what = f"Whether {unit.name} has been started is not known; where it has, it goes on running on the node."
    return _cancelled("unknown", node, what, "Run again: it is followed on, or started.")


def _stopped(node: Node, unit: Unit) -> Cancelled:
    """The unit is stopped on the node, if that can be done."""
    by_hand = f"Run again to follow it on; or stop it on the node: `sudo systemctl stop {unit.name}`."
    try:
        by_itself = stop(node, unit)
    except Lost:
        what = f"The connection broke while {unit.name} was being stopped: it may go on running on the node."
        return _cancelled("unknown", node, what, by_hand)
    except Trouble as trouble:
        what = f"{unit.name} goes on running on the node: it could not be stopped. {trouble.what}"
        return _cancelled("running", node, what, by_hand)
    what = f"{unit.name} had come to its end by itself." if by_itself else f"{unit.name} was stopped on the node."
    return _cancelled("stopped", node, what, "Run again: what was done is recognised, and the rest is done then.")


def _cancelled(left: Left, node: Node, what: str, remedy: str) -> Cancelled:
    cancelled = Cancelled(what, where=node.name, remedy=remedy)
    cancelled.left = left
    return cancelled


def stop(node: Node, unit: Unit) -> bool:
    """Stop the unit and remove its folder. Whether it had come to its end by itself.

    Stopping twice does no harm, so it is asked for once more where the connection breaks. Raises Lost where it may have been
    stopped, another Trouble where it has not.
    """
    try:
        return _stop(node, unit)
    except Lost as lost:
        try:
            return _stop(node, unit)
        except Trouble:
            raise lost from None


def _stop(node: Node, unit: Unit) -> bool:
    said = bytearray()
    code = node.execute(
        ("sh", "-c", _STOP, "iconha-stop", unit.name, unit.folder),
        lambda data, _err: said.extend(data),
        timeout=_SHORT,
        cancel=Event(),  # the run's own is set
    )
    if code != 0:
        raise Trouble("systemd did not stop it.", code=Code.COMMAND_LOST, where=node.name)
    return b"ended" in said


class _Follower:
    """Knows how many bytes of the output have been handed on, so that a new connection goes on with the next one.

    asked: the node may have been told to start the unit. running: it has said that the unit runs.
    """

    def __init__(self, node: Node, unit: Unit, take: Take, position: Position, deadline: float, cancel: Cancel) -> None:
        self._node = node
        self._unit = unit
        self._take = take
        self._position = position
        self._token = secrets.token_hex(12)
        self._deadline = deadline
        self._cancel: Event = cancel
        self._decided = cancel.decided
        self._offset = self._shown = self._lines_end = 0
        self._met = False
        self.asked = self.running = False

    def start(self, argv: tuple[str, ...]) -> None:
        """Start the unit, unless one is running.

        Asked again after a lost connection, the node knows by the token that it has been started, even if it has ended since.
        """
        script = _COMMAND.format(dir=shlex.quote(self._unit.folder), command=shlex.join(argv)).encode()
        words = (self._unit.name, self._unit.runs, self._unit.slug, str(len(script)), self._token)
        out: list[bytes] = []

        def ask() -> int:
            try:
                return self._node.execute(
                    ("sh", "-c", _START, "iconha-start", *words),
                    lambda data, _err: out.append(data),
                    stdin=script,
                    timeout=_SHORT,
                    cancel=self._cancel,
                )
            except Lost:
                self.asked = True
                raise
            except Cancelled as cancelled:
                self.asked = self.asked or bool(cancelled.left)
                raise

        code = self._patiently(ask)
        if code != 0:
            raise Trouble(
                f"{self._unit.name} could not be started.",
                code=Code.COMMAND_FAILED,
                where=self._node.name,
                remedy="The node must run systemd (237 or newer) and have space under /var/lib; see what it says.",
                detail=clean_block(b"".join(out).decode("utf-8", "replace"), 20),
            )
        word, _, token = b"".join(out).decode("ascii", "replace").strip().rpartition("\n")[2].partition(" ")
        self.asked = self.running = True
        self._cancel = self._decided
        if word == "running" and token:
            self._token = token
            self._shown = self._lines_end = self._position.of(token)

    def follow(self) -> None:
        """Hand on output as it comes, until the command has ended or the connection has."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise Trouble(
                f"{self._unit.name} is still running; it is no longer followed, and goes on on the node.",
                code=Code.COMMAND_TIMEOUT,
                where=self._node.name,
                remedy="Run again to follow it on.",
            )
        words = (self._unit.name, self._unit.folder, str(self._offset))
        try:
            self._node.execute(
                ("sh", "-c", _FOLLOW, "iconha-follow", *words), self._keep, timeout=max(left, 1.0), cancel=self._cancel
            )
        except Cancelled:
            raise
        except Lost:
            time.sleep(_LOST_PAUSE)
        except (Unreachable, LoginRefused):
            self._node.wait(RECONNECT, self._cancel)
        except Trouble:
            if time.monotonic() < self._deadline:
                raise

    def state(self) -> int | None:
        """The exit code, with what was left of the output handed on; None while it is running."""
        lines: list[bytes] = []
        code = self._patiently(lambda: self._ask(lines))
        word, _, number = lines[0].decode("ascii", "replace").strip().partition(" ") if lines else ("", "", "")
        if code == 0 and word == "running":
            return None
        if code == 0 and word == "ended" and (ended := whole_number(number)) is not None:
            return ended
        gone = word in ("vanished", "missing")
        raise Trouble(
            f"{self._unit.name} ended without an exit code: the node was restarted, or it was stopped there."
            if gone
            else f"The state of {self._unit.name} cannot be read.",
            code=Code.COMMAND_LOST,
            where=self._node.name,
            remedy="Run it again: what is done already is recognised."
            if gone
            else "Look at the node, then run it again.",
        )

    def _ask(self, lines: list[bytes]) -> int:
        """Ask for the state; its line goes to `lines`, what follows it is output."""
        lines.clear()
        head = bytearray()

        def sink(data: bytes, is_stderr: bool) -> None:
            if is_stderr:
                return
            if lines:
                self._keep(data, False)
                return
            head.extend(data)
            if b"\n" in head:
                line, _, rest = bytes(head).partition(b"\n")
                lines.append(line)
                if rest:
                    self._keep(rest, False)

        words = (self._unit.name, self._unit.folder, str(self._offset))
        return self._node.execute(
            ("sh", "-c", _STATE, "iconha-state", *words), sink, timeout=_SHORT, cancel=self._cancel
        )

    def _keep(self, data: bytes, is_stderr: bool) -> None:
        """Output as it comes. Only what ends in a newline counts as shown: a line that is cut is shown again, whole."""
        if is_stderr:
            return
        known = max(0, min(len(data), self._shown - self._offset))
        for part, is_new in ((data[:known], False), (data[known:], True)):
            if part:
                self._take(part, is_new)
        self._offset += len(data)
        whole = self._offset - len(data) + data.rfind(b"\n") + 1
        if data[known:].count(b"\n") and whole > self._lines_end:
            self._lines_end = whole
            self._position.keep(self._token, whole)

    def _patiently(self, ask: Callable[[], int]) -> int:
        """Do what may be repeated, over new connections, until it has been done. A node never met before gets one try."""
        until = time.monotonic() + RECONNECT
        while True:
            try:
                code = ask()
                self._met = True
                return code
            except Lost:
                self._met = True
                if time.monotonic() > until:
                    raise
                time.sleep(_LOST_PAUSE)
            except (Unreachable, LoginRefused):
                if not self._met:
                    raise
                self._node.wait(RECONNECT, self._cancel)


def _ignore(_data: bytes, _is_stderr: bool) -> None:
    """For output that says nothing."""
