"""Our files on this machine: private, written whole or not at all, and never through a link that somebody has planted."""

from __future__ import annotations

import errno
import os
import re
import resource
import secrets
import stat
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from iconha_tui.error_codes import Code
from iconha_tui.errors import Trouble

_REMEDIES = {
    errno.ENOSPC: "Make room on that disk, then start again: nothing of it is half written.",
    errno.EDQUOT: "Make room on that disk, then start again: nothing of it is half written.",
    errno.EFBIG: "Raise the limit on the size of files (`ulimit -f`), then start again.",
    errno.EACCES: "Mend its permissions, or name another folder with --state-dir.",
    errno.EPERM: "Mend its permissions, or name another folder with --state-dir.",
    errno.EROFS: "That disk can only be read: name another folder with --state-dir.",
    errno.ELOOP: "See where it leads; remove the link if a file of ours belongs there.",
    errno.EISDIR: "See what it is, and move it away.",
}
_ELSE = "See what stands at that place and move it away, or name another folder with --state-dir."


_TEMPORARY = re.compile(r"\..{1,100}\.[0-9a-f]{12}", re.DOTALL)
_ABANDONED = 60.0
"""Seconds after which a temporary file is nobody's any more: whoever made it was killed."""


def close_to_others() -> None:
    """What this process makes is its owner's alone, and should it crash, its memory, with the secrets in it, goes to no disk."""
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def trouble(what: str, path: Path, error: OSError) -> Trouble:
    """What the operator is told of an OSError. what: the beginning of the sentence, as in "Cannot be read"."""
    reason = "it is a symbolic link" if error.errno == errno.ELOOP else error.strerror or type(error).__name__
    remedy = _REMEDIES.get(error.errno or 0, _ELSE)
    return Trouble(f"{what}: {reason}.", code=Code.FILE_UNUSABLE, where=str(path), remedy=remedy)


def make_folder(path: Path) -> None:
    """Makes a folder that is its owner's alone, and the parents that it lacks; one that is there is closed to others.

    Raises Trouble, also where a link or somebody else's folder stands in its place.
    """
    try:
        for missing in [part for part in (path, *path.parents) if not os.path.lexists(part)][::-1]:
            missing.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
        if stat.S_ISLNK(found.st_mode):
            raise OSError(errno.ELOOP, "")
        if found.st_uid != os.geteuid():
            raise OSError(errno.EPERM, "it belongs to another user")
        path.chmod(0o700)
    except OSError as error:
        raise trouble("The folder cannot be made", path, error) from error


def open_private(path: Path, flags: int) -> int:
    """A descriptor of an ordinary file, made 0600 where there is none and `flags` has O_CREAT. Raises OSError.

    A link is not followed, and a pipe or a device is not waited for.
    """
    handle = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "it is no ordinary file")
        if found.st_mode & 0o077 and found.st_uid == os.geteuid():
            os.fchmod(handle, 0o600)
    except BaseException:
        os.close(handle)
        raise
    return handle


def read(path: Path, limit: int) -> bytes:
    """The first `limit` bytes of one of our files. Raises OSError."""
    with os.fdopen(open_private(path, os.O_RDONLY), "rb") as file:
        return file.read(limit)


def write(path: Path, content: bytes, *, keep: Path | None = None) -> None:
    """Puts a file (0600) in the place of another: a crash at any point leaves the old one or the new one, whole.

    keep: a further name that the old file gets before it is replaced. Raises Trouble; the old file then stands.
    """
    temporary = path.with_name(f".{path.name[:100]}.{secrets.token_hex(6)}")
    try:
        handle = open_private(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            write_all(handle, content)
            os.fsync(handle)
        finally:
            os.close(handle)
        if keep is not None:
            os.link(path, keep, follow_symlinks=False)
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise trouble("Cannot be written", path, error) from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def sweep(folder: Path) -> None:
    """Removes the temporary files that writes have left in a folder, since their process was killed."""
    with suppress(OSError):
        for path in folder.iterdir():
            if _TEMPORARY.fullmatch(path.name) and time.time() - path.lstat().st_mtime > _ABANDONED:
                path.unlink()


def write_all(handle: int, content: bytes) -> None:
    """Writes every byte, or raises OSError."""
    left = memoryview(content)
    while left:
        left = left[os.write(handle, left) :]


def backup_of(path: Path, what: str) -> Path:
    """A name that is free beside `path`, for what stands there now. what: a word that says why, as in "damaged"."""
    stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    names = (path.with_name(f"{path.name}.{what}-{stamp}{more}") for more in ("", *(f"-{n}" for n in range(2, 1000))))
    return next(name for name in names if not os.path.lexists(name))


def sync_folder(path: Path) -> None:
    """Puts the names in a folder on disk: a new file is lost with the power where only its content is."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
