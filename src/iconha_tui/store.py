"""The folders of the clusters: clusters/<name>/{spec.toml, journal.jsonl, transcript.log, known_hosts, lock, editing}."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_state_path

from iconha_tui import disk
from iconha_tui.error_codes import Code
from iconha_tui.errors import Trouble, UsageTrouble

if TYPE_CHECKING:
    # Imported where they are first used: the wizard paints its first screen without pydantic, tomlkit and filelock.
    from iconha_tui import spec as specs
    from iconha_tui.engine import journal

APP = "iconha-tui"

TAKING = 0.5
"""How long a run tries to take a cluster, in seconds: a list that asks whether it is held, holds it for an instant."""

UNNAMED = -1
"""A process that holds a cluster and has not said its number."""

_NAME = re.compile("[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?", re.ASCII)
"""As spec.ClusterName has it; here again so that the first screen need not import the spec."""


class Locked(Trouble):
    """Another run holds the cluster, or another wizard has it open: exit code 4."""

    code = Code.CLUSTER_LOCKED


class Holder:
    """A lock on a cluster that lasts as long as its process, or until `release`: the kernel takes it from a process that dies.

    Beside it stands a file `<lock>.pid` that says who holds it, and since when.
    """

    def __init__(self, path: Path) -> None:
        from filelock import FileLock

        self._path = path
        self._lock = FileLock(path, timeout=TAKING, poll_interval=TAKING / 10, mode=0o600)

    def take(self, what: str, remedy: str) -> None:
        """Takes the lock. what: what is said of who holds it, "{}" for its process and time. Raises Locked, Trouble."""
        from filelock import Timeout

        try:
            self._lock.acquire()
        except Timeout:
            held = Locked(what.format(_holder(self._path)), where=self._path.parent.name, remedy=remedy)
            raise held from None
        except OSError as error:
            raise disk.trouble("The lock cannot be taken", self._path, error) from error
        try:
            disk.write(_pid_file(self._path), f"{os.getpid()} {time.time():.0f}".encode())
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Gives the lock back; once is enough."""
        if self._lock.is_locked:
            with suppress(OSError):
                _pid_file(self._path).unlink()
            self._lock.release()


Editing = Holder
"""Held by the one process that may change a cluster's spec, as a wizard does that has it open."""


def _pid_file(lock: Path) -> Path:
    return lock.with_name(f"{lock.name}.pid")


def _holder(lock: Path) -> str:
    """Who holds a lock, and since when, as a sentence can hold it; "" where it is not known."""
    try:
        pid, since = disk.read(_pid_file(lock), 100).split()
        return f" (process {int(pid)}, since {time.strftime('%Y-%m-%d %H:%M', time.localtime(int(since)))})"
    except (OSError, ValueError, OverflowError):
        return ""


@dataclass(frozen=True)
class Saved:
    """A saved cluster, as a list shows it. at: when it was worked on last. tag: its name in the tags on AWS. holder: the
    process that works on it now, 0 where none does, UNNAMED where it is not known. trouble: why it cannot
    be opened, "" where it can. spec: None where it cannot be read."""

    name: str
    at: float
    tag: str
    progress: journal.Progress
    holder: int = 0
    trouble: str = ""
    spec: specs.Spec | None = None

    def state(self, stage: str) -> str:
        """How a stage stands under the saved spec, as journal.Progress.state_under tells it."""
        return self.progress.state_under(stage, self.spec) if self.spec else self.progress.stage(stage).state

    @property
    def begun(self) -> bool:
        """Whether something may be on AWS under its tag."""
        runs = any(entry.at for entry in self.progress.stages.values())
        return runs or bool(self.progress.unread) or self.tag != self.name


class Store:
    """All that the program keeps on disk: folders 0700, files 0600. root: None for the platform's state folder."""

    def __init__(self, root: Path | None = None) -> None:
        chosen = root or (Path(env) if (env := os.environ.get("ICONHA_STATE_DIR")) else user_state_path(APP))
        self.root = chosen.expanduser().absolute()

    @property
    def option(self) -> list[str]:
        """The words of a command line that lead here: none where it is the platform's own folder."""
        return [] if self.root == user_state_path(APP).absolute() else ["--state-dir", str(self.root)]

    @property
    def copied_file(self) -> Path:
        """What was copied last: whether a terminal took it into its clipboard is not known."""
        return self.root / "copied.txt"

    @property
    def log_file(self) -> Path:
        """Tracebacks and debugging go here."""
        return self.root / "iconha-tui.log"

    def folder(self, name: str) -> Path:
        """The folder of a cluster; it need not exist."""
        return self.root / "clusters" / name

    def make(self, name: str) -> Path:
        """The folder of a cluster, made when missing. Raises Trouble."""
        disk.make_folder(self.root.resolve())
        for folder in (self.folder(name).parent, self.folder(name)):
            disk.make_folder(folder)
        return folder

    def names(self) -> list[str]:
        """The clusters that have a spec, the one worked on last first. A folder that no cluster can have made is none."""
        found = [path for path in (self.root / "clusters").glob("*/spec.toml") if _NAME.fullmatch(path.parent.name)]
        return [path.parent.name for path in sorted(found, key=self._touched, reverse=True)]

    def saved(self) -> list[Saved]:
        """The clusters with what is known of each, the one worked on last first; one that is broken stops no other."""
        return [self._saved(name) for name in self.names()]

    def _saved(self, name: str) -> Saved:
        from iconha_tui.engine import journal

        tag, trouble, progress, spec = name, "", journal.Progress(), None
        try:
            spec = self.spec(name)
            tag = spec.tagged
            progress = self.progress(name)
        except Trouble as error:
            trouble = str(error)
        touched = self._touched(self.folder(name) / "spec.toml")
        return Saved(name, touched, tag, progress, self._at_work(name), trouble, spec)

    def known(self, name: str | None) -> str:
        """The saved cluster of that name, the one worked on last where none is named. Raises UsageTrouble."""
        names = self.names()
        if name in names or (name is None and names):
            return name or names[0]
        raise UsageTrouble(
            f"There is no saved cluster {name}." if name else "There is no saved cluster.",
            code=Code.CLUSTER_UNKNOWN,
            remedy="`iconha-tui where` lists them." if names else "Build one with `iconha-tui`.",
        )

    @staticmethod
    def _touched(spec: Path) -> float:
        for file in (spec.with_name("journal.jsonl"), spec):
            with suppress(OSError):
                return file.stat().st_mtime
        return 0.0

    def spec(self, name: str) -> specs.Spec:
        """The saved spec. Raises SpecTrouble.

        A cluster's name is its folder's. Where the spec has another, the folder was renamed since.
        """
        from iconha_tui import spec as specs

        found = specs.load(self.folder(name) / "spec.toml", ours=True)
        return found if found.name == name else found.renamed(name)

    def save(self, spec: specs.Spec) -> None:
        from iconha_tui import spec as specs

        path = self.make(spec.name) / "spec.toml"
        if not path.exists() and (other := self._tagged(spec.tagged)):
            raise Trouble(
                f"What the saved cluster {other} has on AWS is tagged {spec.tagged}: two of that tag would work on the same "
                "machines.",
                code=Code.TAG_TAKEN,
                where=spec.name,
                remedy="Choose another name.",
            )
        specs.save(spec, path)

    def progress(self, name: str) -> journal.Progress:
        """Where the runs of a cluster have got to."""
        from iconha_tui.engine import journal

        return journal.progress_of(self.folder(name) / "journal.jsonl")

    def rename(self, name: str, new: str) -> None:
        """Gives a saved cluster another name. Raises Locked, Trouble.

        What a run may have made on AWS keeps the old name in its tags, and is found by it; where no run has been, the tags
        will have the new name. The folder's rename is the moment at which it happens: `spec` mends what a crash leaves.
        """
        with self._settled(name):
            spec = self.spec(name)
            folder = self.folder(new)
            if folder.exists():
                raise Trouble(
                    "There is a folder of that name.",
                    code=Code.NAME_TAKEN,
                    where=str(folder),
                    remedy="Choose another name.",
                )
            begun = self._saved(name).begun
            self._move(self.folder(name), folder)
            for lock in ("lock", "editing"):
                _pid_file(folder / lock).unlink(missing_ok=True)
            with suppress(Trouble):  # it is what `spec` makes of the old file
                self.save(spec.renamed(new) if begun else spec.model_copy(update={"name": new}))

    def delete(self, name: str) -> None:
        """Forgets a cluster: its files here, nothing on AWS or on the nodes. Raises Locked, Trouble."""
        with self._settled(name):
            gone = self.root / f"deleted-{name}"  # a crash half-way leaves no half of a cluster
            shutil.rmtree(gone, ignore_errors=True)
            self._move(self.folder(name), gone)
            shutil.rmtree(gone)

    @contextmanager
    def _settled(self, name: str) -> Iterator[None]:
        """A saved cluster on which nobody works, and that nobody has open. Raises Locked, UsageTrouble."""
        if not self.folder(name).exists():  # a lock would make it
            raise UsageTrouble(
                f"There is no saved cluster {name}.", code=Code.CLUSTER_UNKNOWN, remedy="`iconha-tui where` lists them."
            )
        with self.editing(name), self.lock(name):
            yield

    @staticmethod
    def _move(folder: Path, to: Path) -> None:
        try:
            folder.rename(to)
        except OSError as error:
            raise Trouble(
                f"It cannot be renamed: {error.strerror}.",
                code=Code.FILE_UNUSABLE,
                where=str(folder),
                remedy="Mend the folder's permissions.",
            ) from error

    def _tagged(self, tag: str) -> str:
        """The saved cluster whose machines have that tag, "" where there is none."""
        return next((saved.name for saved in self.saved() if saved.tag == tag), "")

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Holds the cluster for one run. The kernel releases it when the holder dies. Raises Locked."""
        holder = Holder(self.make(name) / "lock")
        holder.take("Another run{} is working on this cluster.", "Wait for it or end it; then start again.")
        try:
            disk.sweep(self.folder(name))
            yield
        finally:
            holder.release()

    def edit(self, name: str) -> Editing:
        """Takes the right to change a cluster's spec, until it is released. Raises Locked, Trouble."""
        editing = Editing(self.make(name) / "editing")
        editing.take("Another wizard{} has this cluster open.", "Close it there first, then open it here again.")
        return editing

    @contextmanager
    def editing(self, name: str) -> Iterator[None]:
        """The right to change a cluster's spec, for as long as the block lasts. Raises Locked, Trouble."""
        editing = self.edit(name)
        try:
            yield
        finally:
            editing.release()

    def holds(self, spec: specs.Spec) -> bool:
        """Whether the spec is saved as it is."""
        with suppress(Trouble):
            return self.spec(spec.name) == spec
        return False

    def _at_work(self, name: str) -> int:
        """The process that holds a cluster, 0 where none does, UNNAMED where it has not said which it is."""
        from filelock import FileLock, Timeout

        path = self.folder(name) / "lock"
        if not path.exists():
            return 0
        # The lock itself is asked: a process number stays in its file after kill -9, and may be another's by then.
        try:
            with FileLock(path, timeout=0, mode=0o600):
                return 0
        except OSError as error:
            if not isinstance(error, Timeout):
                return 0
        try:
            return int(disk.read(path.with_name("lock.pid"), 100).split()[0])
        except (OSError, ValueError, IndexError):
            return UNNAMED
