"""How a command is put to a node's shell, and how it is found again to be stopped."""

from __future__ import annotations

import secrets
import shlex

from iconha_tui.error_codes import Code
from iconha_tui.errors import Trouble

KILL_GRACE = 30
"""Seconds after our own deadline at which the node itself stops a short command, should we be gone by then."""

_START = (
    'export LC_ALL=C.UTF-8 ICONHA_RUN="$0"; unset LANGUAGE; umask 022; cd /; '
    'echo "$0"; echo "$0" >&2; exec timeout -k 10 "$@"'
)

KILL = """
for signal in INT TERM KILL; do
  tries=0
  while [ "$tries" -lt 30 ]; do
    pids=$(grep -lsxzF "ICONHA_RUN=$1" /proc/[0-9]*/environ | tr -cd '0-9\\n')
    [ -n "$pids" ] || exit 0
    if [ "$tries" -eq 0 ] || [ "$signal" = KILL ]; then kill -s "$signal" $pids 2>/dev/null; fi
    sleep 0.1
    tries=$((tries + 1))
  done
done
exit 1
"""
"""Stops every process that carries a command's tag ($1) in its environment; exit 1 where one would not go.

Without a terminal, sshd leaves the command running when its channel closes, and a process group would miss what sudo, a
pipeline or `setsid` put elsewhere: the environment reaches them all. SIGINT comes first: crm, pcs and aws are Python
programs, which remove their temporary files after it, and not after SIGTERM.
"""


def new_tag() -> str:
    """Names one command: printed before it starts, and kept in its environment."""
    return f"iconha-{secrets.token_hex(12)}"


def command_line(argv: tuple[str, ...], *, tag: str, root: bool, timeout: float) -> str:
    """`argv` for the login shell of a node: through sudo, in the C.UTF-8 locale, in /, with the node's own time limit.

    The tag is printed on both streams where the command's own output begins: what comes before it is the noise of shell
    start-up files, of the banner, or of a sudo that refuses. Raises Trouble for an argument that no command can take.
    """
    if any("\0" in part for part in argv):
        raise Trouble(
            "A command cannot hold a NUL character.",
            code=Code.ARGUMENT_INVALID,
            remedy="Correct the value that it came from.",
        )
    sudo = ("sudo", "-n") if root else ()
    limit = str(int(timeout) + KILL_GRACE)
    # sudo speaks the operator's language unless it is told otherwise, and drops this environment for the command itself.
    return "exec " + shlex.join(
        ("env", "-u", "LANGUAGE", "LC_ALL=C.UTF-8", *sudo, "sh", "-c", _START, tag, limit, *argv)
    )


class AfterTag:
    """Lets through what follows the tag's line, and keeps what came before it (bounded) for a message."""

    _LIMIT = 65536

    def __init__(self, tag: str) -> None:
        self._tag = tag.encode() + b"\n"
        self.seen = False
        self.before = b""

    def feed(self, data: bytes) -> bytes:
        """The part of `data` that belongs to the command."""
        if self.seen:
            return data
        held = self.before + data
        at = held.find(self._tag)
        if at < 0:
            self.before = held[-self._LIMIT :]
            return b""
        self.seen = True
        self.before = held[:at]
        return held[at + len(self._tag) :]


def not_started(node: str, user: str, root: bool, said: str) -> Trouble:
    """Why a command never began, told from what the login shell or sudo said instead (cleaned)."""
    low = said.lower()
    if root and ("sudo:" in low or "sudoers" in low or "not allowed to execute" in low or "lecture" in low):
        if "not found" in low or "no such file" in low:
            return Trouble(
                "There is no sudo on the node.",
                code=Code.SUDO_MISSING,
                where=node,
                remedy="Install the sudo package, and let the user run it.",
                detail=said,
            )
        return Trouble(
            f"sudo refused {user}.",
            code=Code.SUDO_REFUSED,
            where=node,
            remedy=f"Let {user} run commands without a password: `{user} ALL=(ALL) NOPASSWD: ALL` in /etc/sudoers.d.",
            detail=said,
        )
    if root and "sudo" in low and ("not found" in low or "no such file" in low):
        return Trouble(
            "There is no sudo on the node.",
            code=Code.SUDO_MISSING,
            where=node,
            remedy="Install the sudo package, and let the user run it.",
            detail=said,
        )
    return Trouble(
        f"The login shell of {user} did not run the command.",
        code=Code.LOGIN_SHELL,
        where=node,
        remedy=f"Log in as {user} by hand and see what stands in the way: a wrong user, a forced command, a line of ~/.bashrc.",
        detail=said,
    )
