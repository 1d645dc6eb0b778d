"""The nodes' host keys, in a file of OpenSSH's known_hosts format.

Entries are keyed by an alias, the EC2 instance id: an Elastic IP moves from machine to machine, and a key that is bound
to an address would then look changed when nothing is wrong, and unchanged when something is.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from filelock import FileLock, Timeout

from iconha_tui import disk
from iconha_tui.error_codes import Code
from iconha_tui.errors import Trouble

Confirm = Callable[[str, str, str], bool]
"""confirm(node, key type, SHA-256 fingerprint): asks the operator whether an unknown key is the node's. From any thread."""

MAX_BYTES = 4 << 20
"""Two keys take 200 bytes. What is larger than this is some other file."""
PATIENCE = 10.0
"""Seconds for which another process may hold the file while it adds a key."""

_ALIAS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]*")


class HostKey(NamedTuple):
    """A public host key. kind: as in "ssh-ed25519". blob: the key as SSH encodes it."""

    kind: str
    blob: bytes

    @property
    def fingerprint(self) -> str:
        """As `ssh-keygen -l` prints it."""
        digest = base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")
        return f"SHA256:{digest}"


class HostKeyRejected(Trouble):
    """The machine that answered is not the one that is known, or the operator did not vouch for it. Never tried again."""

    code = Code.HOST_KEY_CHANGED


class HostKeys:
    """The host keys that the operator has accepted.

    path: the file, made with mode 0600 when the first key is accepted. confirm: asked about a machine that has none yet;
    one question is open at a time.
    """

    def __init__(self, path: Path, confirm: Confirm) -> None:
        self._path = path
        self._confirm = confirm
        self._asking = Lock()
        self._writing = Lock()

    def known(self, alias: str) -> list[HostKey]:
        """The keys accepted for `alias`. Raises Trouble when the file cannot be read or a key of it is damaged."""
        keys = []
        for number, line in enumerate(self._lines(), 1):
            if _names(line, alias):
                keys.append(self._parse(line, number))
        return keys

    def accepts(self, node: str, alias: str, key: HostKey) -> bool:
        """Whether `key` is known for `alias`; False where nothing is. A key that differs raises HostKeyRejected."""
        known = self.known(alias)
        if not known:
            return False
        if key in known:
            return True
        expected = next((one for one in known if one.kind == key.kind), known[0])
        raise HostKeyRejected(
            f"The host key of {alias} has changed: {expected.fingerprint} ({expected.kind}) is known, "
            f"{key.fingerprint} ({key.kind}) was offered.",
            where=node,
            remedy="Somebody may be answering in its place. Compare with the instance's console output; only if it was really "
            f"rebuilt, forget the old key with `ssh-keygen -R {alias} -f {self._path}` and try again.",
        )

    def ask(self, node: str, alias: str, key: HostKey) -> None:
        """Ask the operator about an unknown key and keep it. Raises HostKeyRejected when the answer is no."""
        with self._asking:
            if self.accepts(node, alias, key):
                return
            if not self._confirm(node, key.kind, key.fingerprint):
                raise HostKeyRejected(
                    f"The host key {key.fingerprint} ({key.kind}) was not accepted.",
                    code=Code.HOST_KEY_NOT_ACCEPTED,
                    where=node,
                    remedy="Compare it with the fingerprints in the instance's console output, then connect again and accept it.",
                )
            self._add(alias, key)

    def forget(self, alias: str) -> None:
        """Drop every key of `alias`: for a machine that this program itself has replaced."""
        with self._changing():
            lines = self._lines()
            kept = [line for line in lines if not _names(line, alias)]
            if kept != lines:
                self._save(kept)

    def _add(self, alias: str, key: HostKey) -> None:
        if not _ALIAS.fullmatch(alias):
            raise Trouble(
                f"{alias!r} cannot name a host key.",
                code=Code.ARGUMENT_INVALID,
                where=str(self._path),
                remedy="Use the EC2 instance id.",
            )
        with self._changing():
            self._save([*self._lines(), f"{alias} {key.kind} {base64.b64encode(key.blob).decode()}"])

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Holds the file against other threads and other runs: what is read may be written back with a key more."""
        with self._writing:
            disk.make_folder(self._path.parent)
            try:
                with FileLock(self._path.with_name(f"{self._path.name}.lock"), timeout=PATIENCE, mode=0o600):
                    yield
            except Timeout:
                raise Trouble(
                    "Another run is changing the known host keys and does not come to an end.",
                    code=Code.KNOWN_HOSTS_UNUSABLE,
                    where=str(self._path),
                    remedy="End it, then try again.",
                ) from None

    def _lines(self) -> list[str]:
        try:
            content = disk.read(self._path, MAX_BYTES)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise Trouble(
                disk.trouble("The known host keys cannot be read", self._path, error).what,
                code=Code.KNOWN_HOSTS_UNUSABLE,
                where=str(self._path),
                remedy="Make the file readable, or move it away to be asked about each machine again.",
            ) from error
        return content.decode(errors="surrogateescape").removesuffix("\n").split("\n")

    def _parse(self, line: str, number: int) -> HostKey:
        try:
            _, kind, encoded, *_ = line.split()
            blob = base64.b64decode(encoded, validate=True)
            length = int.from_bytes(blob[:4], "big")
            if blob[4 : 4 + length] != kind.encode():
                raise ValueError("the key is not of the type it names")
        except (ValueError, binascii.Error) as error:
            raise Trouble(
                f"Line {number} of the known host keys is damaged.",
                code=Code.KNOWN_HOSTS_UNUSABLE,
                where=str(self._path),
                remedy="Restore the file or remove that line; the key will be asked about again.",
            ) from error
        return HostKey(kind, blob)

    def _save(self, lines: list[str]) -> None:
        content = "".join(f"{line}\n" for line in lines if line)
        disk.write(self._path, content.encode(errors="surrogateescape"))


def _names(line: str, alias: str) -> bool:
    """Whether a known_hosts line is about `alias`. Comments, markers (@revoked) and hashed names are none of ours."""
    first, _, rest = line.partition(" ")
    return bool(rest) and not first.startswith(("#", "@", "|")) and alias in first.split(",")
