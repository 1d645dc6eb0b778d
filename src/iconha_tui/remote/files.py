"""Reading and writing files on a node, as root."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime
from typing import Protocol

from iconha_tui.error_codes import Code
from iconha_tui.errors import Trouble
from iconha_tui.remote.pump import Sink
from iconha_tui.text import clean_block

_TIMEOUT = 60.0
_CHECK_TIMEOUT = 120.0
_OWNER = re.compile(r"[a-z_][a-z0-9_.-]*(:[a-z_][a-z0-9_.-]*)?")

_READ = """
[ -e "$1" ] || exit 44
[ -f "$1" ] || exit 45
exec cat -- "$1"
"""

# The size is compared because sshd closes the input when the connection breaks: half a file would look whole.
# A temporary file that is there already is of a node that lost its power, or of a shell that was killed.
# A backup with this content is there already where a write was stopped between its two moves, or is still at it.
# set -C opens the temporary file with O_EXCL, so a planted link is never followed.
_WRITE = """
set -eu
umask 077
path=$1 temporary=$2 size=$3 mode=$4 owner=$5 backup=$6 over=$7 note=$8 whose=$9
shift 9
folder=${path%/*}
[ -n "$folder" ] || folder=/
if [ ! -d "$folder" ]; then (umask 022; mkdir -p -- "$folder"); fi
if [ -L "$path" ]; then exit 71; fi
if [ -e "$path" ] && [ ! -f "$path" ]; then exit 72; fi
for stale in "${temporary%-*}"-*; do
  if [ -f "$stale" ] && [ -n "$(find "$stale" -prune -mmin +2)" ]; then rm -f -- "$stale"; fi
done
trap 'rm -f -- "$temporary" "$temporary.old"' EXIT
trap 'exit 75' HUP INT TERM PIPE
(set -C; cat >"$temporary")
[ "$(wc -c <"$temporary")" -eq "$size" ] || exit 73
if [ "$#" -gt 0 ]; then "$@" </dev/null || { echo "exit code $?" >&2; exit 74; }; fi
chown -- "$owner" "$temporary"
chmod -- "$mode" "$temporary"
sync -- "$temporary"
if [ "$over" != any ] && ! cmp -s -- "$path" "$temporary"; then
  found=; [ ! -e "$path" ] || found=$(sha256sum <"$path")
  [ "${found%% *}" = "$over" ] || exit 76
fi
if [ -n "$backup" ] && [ -e "$path" ] && ! cmp -s -- "$path" "$temporary"; then
  for kept in "$path".iconha-*; do
    if [ -f "$kept" ] && cmp -s -- "$path" "$kept"; then backup=; fi
  done
  if [ -n "$backup" ]; then
    cp -p -- "$path" "$temporary.old"
    sync -- "$temporary.old"
    mv -fT -- "$temporary.old" "$backup"
  fi
fi
digest=$(sha256sum <"$temporary")
mv -fT -- "$temporary" "$path"
trap - EXIT
sync -- "$folder"
if [ -n "$note" ]; then
  mkdir -p -- "${note%/*}"
  echo "${digest%% *} $whose" >>"$note"
  sync -- "$note"
fi
"""

_REASONS = {
    71: (
        "{path} is a symbolic link and is not written through.",
        "See where it leads; remove the link if a file belongs there.",
    ),
    72: ("{path} is no ordinary file.", "See what it is, and move it away."),
    73: ("The content of {path} did not arrive whole; the old file stands.", "Try again."),
    75: ("Writing {path} was interrupted; the old file stands.", "Try again."),
    76: (
        "{path} was changed by somebody while this program was about to write it. Their file stands.",
        "Retry: it is looked at anew, and is replaced only if you allow it.",
    ),
}


class Executor(Protocol):
    """What reading and writing need of a node."""

    name: str

    def execute(
        self,
        argv: tuple[str, ...],
        sink: Sink,
        *,
        root: bool = True,
        stdin: bytes | None = None,
        timeout: float = 120.0,
    ) -> int: ...


def read(node: Executor, path: str) -> bytes | None:
    """The bytes of a file; None where there is none. Raises Trouble where it is no ordinary file, or cannot be read."""
    _absolute(node, path)
    out: dict[bool, list[bytes]] = {False: [], True: []}
    code = node.execute(
        ("sh", "-c", _READ, "iconha-read", path), lambda data, err: out[err].append(data), timeout=_TIMEOUT
    )
    if code == 44:
        return None
    if code == 45:
        raise Trouble(
            f"{path} is no ordinary file.",
            code=Code.NODE_FILE,
            where=node.name,
            remedy="See what it is, and move it away.",
        )
    if code != 0:
        raise Trouble(
            f"{path} cannot be read.",
            code=Code.NODE_FILE,
            where=node.name,
            remedy="Look at the file on the node.",
            detail=_said(out),
        )
    return b"".join(out[False])


def write(
    node: Executor,
    path: str,
    content: bytes,
    *,
    mode: int,
    owner: str,
    check: tuple[str, ...] | None,
    backup: bool,
    over: str | None = None,
    note: tuple[str, str] | None = None,
) -> None:
    """Write a file whole or not at all, as `ports.Node.write` says.

    The temporary file stands beside its place under a hidden name. backup: the old file stays as PATH.iconha-<UTC time>,
    unless it already has this content, or such a backup is there. over, note: as in `actions.Upload`.
    Raises Trouble, with the words of `check` where that refused the file.
    """
    _absolute(node, path)
    if not _OWNER.fullmatch(owner) or not 0 <= mode <= 0o777:
        raise Trouble(
            f"{owner} {mode:04o} is no owner and mode for {path}.",
            code=Code.ARGUMENT_INVALID,
            where=node.name,
            remedy="Write them as root:root and 0644.",
        )
    folder, _, name = path.rpartition("/")
    temporary = f"{folder}/.{name[:100]}.iconha-{secrets.token_hex(6)}"
    kept = f"{path}.iconha-{datetime.now(UTC):%Y%m%dT%H%M%SZ}" if backup else ""
    judge = tuple(part.replace("{}", temporary) for part in check or ())
    how = (str(len(content)), f"{mode:04o}", owner, kept, "any" if over is None else over, *(note or ("", "")))
    argv = ("sh", "-c", _WRITE, "iconha-write", path, temporary, *how, *judge)
    out: dict[bool, list[bytes]] = {False: [], True: []}
    timeout = _CHECK_TIMEOUT if check else _TIMEOUT
    code = node.execute(argv, lambda data, err: out[err].append(data), stdin=content, timeout=timeout)
    if code == 0:
        return
    said = _said(out).replace(temporary, path)
    if code == 74:
        raise Trouble(
            f"The new {path} was refused by `{(check or ('',))[0]}`; the old one stands.",
            code=Code.NODE_FILE_REFUSED,
            where=node.name,
            remedy="Correct what it says, then try again.",
            detail=said,
        )
    what, remedy = _REASONS.get(
        code, ("{path} could not be written; the old file stands.", "See what the node says, then try again.")
    )
    if "No space left" in said:
        remedy = "Free some space on the node's disk, then try again."
    elif "Read-only" in said:
        remedy = "The file system is mounted read-only: look at the node's disk."
    raise Trouble(what.format(path=path), code=Code.NODE_FILE, where=node.name, remedy=remedy, detail=said)


def _absolute(node: Executor, path: str) -> None:
    if not path.startswith("/") or path.endswith("/") or "\n" in path:
        raise Trouble(
            f"{path!r} is no absolute path of a file.",
            code=Code.ARGUMENT_INVALID,
            where=node.name,
            remedy="Correct the path.",
        )


def _said(out: dict[bool, list[bytes]]) -> str:
    return clean_block(b"".join(out[False] + out[True]).decode("utf-8", "replace"), 20)
