"""The folders of the clusters: clusters/<name>/{spec.toml, journal.jsonl, transcript.log, known_hosts, lock}."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_state_path

from iconha_tui.errors import Trouble, UsageTrouble

if TYPE_CHECKING:
    # Imported where they are first used: the wizard paints its first screen without pydantic, tomlkit and filelock.
    from iconha_tui import spec as specs
    from iconha_tui.engine import journal

APP = "iconha-tui"


class Locked(Trouble):
    """Another run holds the cluster: exit code 4."""


class Store:
    """All that the program keeps on disk: folders 0700, files 0600. root: None for the platform's state folder."""

    def __init__(self, root: Path | None = None) -> None:
        chosen = root or (Path(env) if (env := os.environ.get("ICONHA_STATE_DIR")) else user_state_path(APP))
        self.root = chosen.expanduser().absolute()

    @property
    def log_file(self) -> Path:
        """Tracebacks and debugging go here."""
        return self.root / "iconha-tui.log"

    def folder(self, name: str) -> Path:
        """The folder of a cluster; it need not exist."""
        return self.root / "clusters" / name

    def make(self, name: str) -> Path:
        """The folder of a cluster, made when missing. Raises Trouble."""
        folder = self.folder(name)
        try:
            for part in (self.root, folder.parent, folder):
                part.mkdir(mode=0o700, parents=True, exist_ok=True)
                part.chmod(0o700)
        except OSError as error:
            raise Trouble(
                f"The folder cannot be made: {error.strerror}.",
                where=str(folder),
                remedy="Mend its permissions or name another with --state-dir.",
            ) from error
        return folder

    def names(self) -> list[str]:
        """The clusters that have a spec, the one worked on last first."""
        found = list((self.root / "clusters").glob("*/spec.toml"))
        return [path.parent.name for path in sorted(found, key=self._touched, reverse=True)]

    def known(self, name: str | None) -> str:
        """The saved cluster of that name, the one worked on last where none is named. Raises UsageTrouble."""
        names = self.names()
        if name in names or (name is None and names):
            return name or names[0]
        raise UsageTrouble(
            f"There is no saved cluster {name}." if name else "There is no saved cluster.",
            remedy="`iconha-tui where` lists them." if names else "Build one with `iconha-tui`.",
        )

    @staticmethod
    def _touched(spec: Path) -> float:
        diary = spec.with_name("journal.jsonl")
        return (diary if diary.exists() else spec).stat().st_mtime

    def spec(self, name: str) -> specs.Spec:
        """The saved spec. Raises SpecTrouble."""
        from iconha_tui import spec as specs

        return specs.load(self.folder(name) / "spec.toml")

    def save(self, spec: specs.Spec) -> None:
        from iconha_tui import spec as specs

        path = self.make(spec.name) / "spec.toml"
        try:
            specs.save(spec, path)
        except OSError as error:
            raise Trouble(
                f"Cannot be written: {error.strerror}.",
                where=str(path),
                remedy="Make room or mend the folder's permissions.",
            ) from error

    def progress(self, name: str) -> journal.Progress:
        """Where the runs of a cluster have got to."""
        from iconha_tui.engine import journal

        return journal.fold(journal.read(self.folder(name) / "journal.jsonl"))

    def delete(self, name: str) -> None:
        """Forgets a cluster: its files here, nothing on AWS or on the nodes. Raises Locked."""
        with self.lock(name):
            shutil.rmtree(self.folder(name))

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Holds the cluster for one run. The kernel releases it when the holder dies. Raises Locked."""
        from filelock import FileLock, Timeout

        path = self.make(name) / "lock"
        lock = FileLock(path, timeout=0, mode=0o600)
        try:
            lock.acquire()
        except Timeout:
            holder = self._holder(path)
            raise Locked(
                f"Another run{holder} is working on this cluster.",
                where=name,
                remedy="Wait for it or end it; then start again.",
            ) from None
        try:
            holder_file = os.open(path.with_name("lock.pid"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(holder_file, "w") as file:
                file.write(str(os.getpid()))
            yield
        finally:
            path.with_name("lock.pid").unlink(missing_ok=True)
            lock.release()

    @staticmethod
    def _holder(path: Path) -> str:
        try:
            return f" (process {int(path.with_name('lock.pid').read_text())})"
        except (OSError, ValueError):
            return ""
