"""Where a lab keeps its things on disk, and what its record says.

Everything of a lab is in one folder, `<state>/labs/<name>` (0700, files 0600). `down` removes the folder; what is in
it is never needed again, because a lab begins empty.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from iconha_tui.error_codes import Code
from iconha_tui.errors import Trouble

NAME_FORM = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
"""A lab's name is also a cluster's name in its spec: the same form."""


class BadName(Trouble):
    """What was given cannot be a lab's name. Exit code 2."""

    code = Code.USAGE


class CannotRun(Trouble):
    """This machine lacks something that the lab needs; the remedy names the package. Exit code 3."""

    code = Code.LAB_UNSUPPORTED


def default_state_dir() -> Path:
    """The program's state folder: ICONHA_STATE_DIR, else the platform's own place for state."""
    if chosen := os.environ.get("ICONHA_STATE_DIR"):
        return Path(chosen)
    import platformdirs

    return Path(platformdirs.user_state_dir("iconha-tui"))


@dataclass(frozen=True)
class LabPaths:
    """The files of one lab."""

    name: str
    folder: Path

    @classmethod
    def of(cls, name: str, state_dir: Path | None = None) -> LabPaths:
        """Raises BadName where `name` cannot be a lab's name."""
        if not NAME_FORM.fullmatch(name):
            raise BadName(
                f"{name!r} cannot be a lab's name.",
                remedy="Use 1 to 32 small letters, digits and hyphens, no hyphen at either end.",
            )
        return cls(name, ((state_dir or default_state_dir()) / "labs" / name).absolute())

    @property
    def lab_id(self) -> str:
        """The mark on everything of this lab in Podman. Labs of one name in two state folders stay apart by it."""
        return f"{self.name}-{hashlib.sha256(str(self.folder).encode()).hexdigest()[:6]}"

    @property
    def network(self) -> str:
        return f"iconha-{self.lab_id}"

    @property
    def record(self) -> Path:
        return self.folder / "lab.json"

    @property
    def stale_record(self) -> Path:
        """The record of a lab that died: it names the network whose rules may be left."""
        return self.folder / "stale.json"

    @property
    def lock(self) -> Path:
        return self.folder / "lock"

    @property
    def log(self) -> Path:
        return self.folder / "daemon.log"

    @property
    def aws_config(self) -> Path:
        return self.folder / "aws" / "config"

    @property
    def key_file(self) -> Path:
        return self.folder / "id_ed25519"

    @property
    def ca_file(self) -> Path:
        return self.folder / "ca.pem"

    @property
    def server_file(self) -> Path:
        """Certificate and key of the API's front inside the nodes."""
        return self.folder / "server.pem"

    def prepare(self, owner: tuple[int, int] | None = None) -> None:
        """Make the folders, for `owner` (uid, gid) where root works for an ordinary user."""
        made: list[Path] = []
        folder = self.folder / "aws"
        while not folder.exists():
            made.append(folder)
            folder = folder.parent
        for one in reversed(made):
            one.mkdir(mode=0o700)
            if owner is not None:
                os.chown(one, *owner)

    def write(self, path: Path, text: str, owner: tuple[int, int] | None = None) -> None:
        """Replace a file of the lab, atomically and private to its owner."""
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        if owner is not None:
            os.chown(temporary, *owner)
        temporary.rename(path)


@dataclass(frozen=True)
class Record:
    """What a running lab says of itself in lab.json. The file appears when the API answers."""

    pid: int
    token: str
    """Proves to the daemon that a status or shutdown request comes from the folder's owner."""
    port: int
    region: str
    suite: str
    image: str
    cidr: str
    subnet_id: str
    key_pair: str

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1) + "\n"

    @classmethod
    def read(cls, path: Path) -> Record | None:
        try:
            return cls(**json.loads(path.read_text()))
        except (OSError, ValueError, TypeError):
            return None


def is_locked(path: Path) -> bool:
    """Whether a daemon holds the lab's lock. The kernel releases it when the daemon dies, however it dies."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


@contextmanager
def hold(path: Path, owner: tuple[int, int] | None = None) -> Iterator[bool]:
    """Hold the lab's lock; yields False where another daemon has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if owner is not None:
            os.chown(path, *owner)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(descriptor)
