"""A crash between any two system calls, a full disk, a damaged file: the old content or the new one is there, and it is said."""

from __future__ import annotations

import base64
import errno
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from waiting import BOUND

from iconha_tui import spec as specs
from iconha_tui.engine import journal
from iconha_tui.engine.events import Output, RunFinished, RunStarted, StageStarted
from iconha_tui.engine.journal import Journal
from iconha_tui.errors import SpecTrouble, Trouble
from iconha_tui.remote.host_keys import HostKey, HostKeys
from iconha_tui.remote.position import Position
from iconha_tui.spec import NodeSpec, Spec
from iconha_tui.store import Locked, Store


class Death(BaseException):
    """The process was killed: from here on no system call of it has any effect."""


CALLS = (
    "open", "write", "fsync", "link", "replace", "rename", "unlink", "remove", "mkdir", "rmdir", "chmod", "fchmod", "ftruncate",
)  # fmt: skip


@contextmanager
def killed_at(number: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Lets `number` system calls happen and no more; a write that is the last of them gets half of its bytes out."""
    made: list[str] = []

    def counted(name: str, real: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **more: object) -> object:
            made.append(name)
            if len(made) > number:
                if name == "write" and len(made) == number + 1:
                    data = bytes(args[1])  # type: ignore[call-overload]
                    real(args[0], data[: len(data) // 2])
                raise Death(name)
            return real(*args, **more)

        return call

    with monkeypatch.context() as patched:
        for name in CALLS:
            patched.setattr(os, name, counted(name, getattr(os, name)))
        yield made


def every_crash(
    monkeypatch: pytest.MonkeyPatch, prepare: Callable[[], None], act: Callable[[], None], judge: Callable[[bool], None]
) -> int:
    """Kills `act` after its first system call, its second, and so on; `judge` is told whether it came to its end."""
    for number in range(200):
        prepare()
        done = False
        with killed_at(number, monkeypatch), suppress(Death):
            act()
            done = True
        judge(done)
        if done:
            return number
    raise AssertionError("it never comes to its end")


OLD = Spec(name="icon", nodes=[NodeSpec(name="old-1"), NodeSpec(name="old-2")])
NEW = Spec(name="icon", nodes=[NodeSpec(name="new-1"), NodeSpec(name="new-2")])


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "state")


def afresh(store: Store, fill: Callable[[Path], None]) -> Callable[[], None]:
    def prepare() -> None:
        shutil.rmtree(store.root, ignore_errors=True)
        fill(store.make("icon"))

    return prepare


def test_a_spec_is_the_old_or_the_new_one_wherever_the_save_was_killed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []

    def judge(done: bool) -> None:
        found.append(store.spec("icon"))
        assert found[-1] in ((NEW,) if done else (OLD, NEW))
        assert stat.S_IMODE((store.folder("icon") / "spec.toml").stat().st_mode) == 0o600

    prepare = afresh(store, lambda folder: specs.save(OLD, folder / "spec.toml"))
    calls = every_crash(monkeypatch, prepare, lambda: store.save(NEW), judge)
    assert calls >= 5
    assert OLD in found


def test_the_first_spec_is_there_whole_or_not_at_all(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def judge(done: bool) -> None:
        assert store.names() in ([["icon"]] if done else [[], ["icon"]])
        if store.names():
            assert store.spec("icon") == NEW

    every_crash(monkeypatch, afresh(store, lambda folder: folder.rmdir()), lambda: store.save(NEW), judge)


def test_a_damaged_spec_is_kept_beside_the_one_that_replaces_it_wherever_the_save_was_killed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = specs.dumps(OLD)[:300]

    def judge(done: bool) -> None:
        texts = {path.name: path.read_text() for path in store.folder("icon").glob("spec.toml*")}
        assert damaged in texts.values()
        assert texts["spec.toml"] in (damaged, specs.dumps(NEW))
        if done:
            assert store.spec("icon") == NEW

    every_crash(
        monkeypatch,
        afresh(store, lambda folder: (folder / "spec.toml").write_text(damaged) and None),
        lambda: store.save(NEW),
        judge,
    )


def key(number: int) -> HostKey:
    kind = b"ssh-ed25519"
    return HostKey("ssh-ed25519", len(kind).to_bytes(4, "big") + kind + bytes([number]) * 36)


def test_no_host_key_is_lost_wherever_the_program_was_killed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def keys() -> HostKeys:
        return HostKeys(store.folder("icon") / "known_hosts", lambda *_: True)

    def prepare(folder: Path) -> None:
        keys().ask("PRep-01", "i-1", key(1))

    def judge(done: bool) -> None:
        assert keys().known("i-1") == [key(1)]
        assert keys().known("i-2") in ([[key(2)]] if done else [[], [key(2)]])

    every_crash(monkeypatch, afresh(store, prepare), lambda: keys().ask("PRep-02", "i-2", key(2)), judge)


def book(folder: Path, *events: RunStarted | StageStarted | RunFinished) -> None:
    written = Journal(folder)
    for event in events:
        written(event)
    written.close()


BEFORE = (RunStarted(["corosync"]), StageStarted("corosync"))


def events(store: Store) -> list[object]:
    return [event for _, event in journal.read(store.folder("icon") / "journal.jsonl")]


def test_a_journal_keeps_what_it_has_and_can_be_gone_on_with_wherever_a_run_was_killed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    after = (RunStarted(["pacemaker"]), StageStarted("pacemaker"))

    def judge(done: bool) -> None:
        found = events(store)
        assert found == [*BEFORE, *after][: len(found)]
        assert len(found) >= len(BEFORE)
        assert store.progress("icon").unread == 0
        book(store.folder("icon"), RunFinished("done", False, 1.0))
        assert events(store) == [*found, RunFinished("done", False, 1.0)]

    every_crash(
        monkeypatch,
        afresh(store, lambda folder: book(folder, *BEFORE)),
        lambda: book(store.folder("icon"), *after),
        judge,
    )


def test_a_damaged_journal_is_mended_and_kept_wherever_the_mending_was_killed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damage(folder: Path) -> None:
        book(folder, *BEFORE)
        path = folder / "journal.jsonl"
        first, second = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(first + b"\xff\x00 half a sec\n" + second)

    def judge(done: bool) -> None:
        assert events(store)[:2] == [*BEFORE]
        kept = [path.read_bytes() for path in store.folder("icon").glob("journal.jsonl*")]
        assert [content for content in kept if b"half a sec" in content], "what could not be read is not thrown away"
        if done:
            assert store.progress("icon").note == ""
            assert len(list(store.folder("icon").glob("journal.jsonl.damaged-*"))) == 1

    every_crash(
        monkeypatch,
        afresh(store, damage),
        lambda: book(store.folder("icon"), RunFinished("done", False, 1.0)),
        judge,
    )


def test_a_lock_that_was_killed_while_it_was_taken_blocks_nobody(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def hold() -> None:
        with store.lock("icon"):
            pass

    def judge(done: bool) -> None:
        child = subprocess.run(
            [sys.executable, "-c", TAKES, str(store.root)], capture_output=True, text=True, timeout=BOUND, check=False
        )
        assert child.stdout == "held\n", child.stderr

    # The kernel gives a dead process's lock back; this one is alive, so its descriptors are given back by hand.
    monkeypatch.setattr("filelock.FileLock", _Leaking)
    every_crash(monkeypatch, afresh(store, lambda folder: None), hold, lambda done: (_Leaking.give_back(), judge(done)))  # type: ignore[func-returns-value]


TAKES = """
import sys
from pathlib import Path
from iconha_tui.store import Store
with Store(Path(sys.argv[1])).lock("icon"):
    print("held")
"""


class _Leaking:
    """FileLock, whose holder can die in the middle of this process."""

    held: list[object] = []  # noqa: RUF012

    def __new__(cls, *args: object, **more: object) -> object:
        from filelock import UnixFileLock

        lock = UnixFileLock(*args, **more)  # type: ignore[arg-type]
        cls.held.append(lock)
        return lock

    @classmethod
    def give_back(cls) -> None:
        for lock in cls.held:
            lock.release(force=True)  # type: ignore[attr-defined]
        cls.held.clear()


# A full disk


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Leaves room for some bytes, after which every write ends short and the next one fails."""
    real = os.write

    def fill(room: int) -> None:
        left = [room]

        def write(handle: int, data: bytes) -> int:
            if not left[0]:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            done = real(handle, bytes(data)[: left[0]])
            left[0] -= done
            return done

        monkeypatch.setattr(os, "write", write)

    return fill


def test_a_full_disk_leaves_the_old_spec_and_a_sentence(store: Store, full: Callable[[int], None]) -> None:
    store.save(OLD)
    full(100)
    with pytest.raises(Trouble, match="Cannot be written: No space left on device") as caught:
        store.save(NEW)
    assert "Make room" in caught.value.remedy
    assert store.spec("icon") == OLD
    assert [path.name for path in store.folder("icon").iterdir()] == ["spec.toml"]


def test_a_full_disk_leaves_no_half_event(store: Store, full: Callable[[int], None]) -> None:
    folder = store.make("icon")
    written = Journal(folder)
    written(BEFORE[0])
    before = (folder / "journal.jsonl").read_bytes()
    full(20)
    with pytest.raises(Trouble, match="No space left on device"):
        written(BEFORE[1])
    written.close()
    assert (folder / "journal.jsonl").read_bytes() == before


def test_output_that_cannot_be_kept_cuts_no_command_off_and_stops_the_run_at_the_next_event(
    store: Store, full: Callable[[int], None]
) -> None:
    written = Journal(store.make("icon"))
    full(10)
    written(Output("corosync", "corosync.conf", "PRep-01", ["a line that has no room"]))
    with pytest.raises(Trouble, match=r"transcript\.log: Cannot be written: No space left on device"):
        written(BEFORE[0])
    written.close()


def test_a_full_disk_leaves_the_known_host_keys(store: Store, full: Callable[[int], None]) -> None:
    keys = HostKeys(store.make("icon") / "known_hosts", lambda *_: True)
    keys.ask("PRep-01", "i-1", key(1))
    full(10)
    with pytest.raises(Trouble, match="No space left"):
        keys.ask("PRep-02", "i-2", key(2))
    assert keys.known("i-1") == [key(1)]
    assert keys.known("i-2") == []


LIMITED = """
import resource, sys
from pathlib import Path
from iconha_tui import cli
resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))
sys.exit(cli.main(["run", sys.argv[1], "--yes", "--no-check"]))
"""


def test_the_command_ends_with_a_sentence_where_its_files_cannot_grow(tmp_path: Path) -> None:
    spec = tmp_path / "spec.toml"
    spec.write_text(specs.dumps(OLD))
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(spec)],
        env={**os.environ, "ICONHA_STATE_DIR": str(tmp_path / "state")},
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=False,
    )
    assert done.returncode == 1
    assert "Cannot be written: File too large." in done.stderr
    assert "Traceback" not in done.stderr


SMALL = """
set -e
mount -t tmpfs -o size=16k tmpfs "$1"
head -c 100000 /dev/zero >"$1/ballast" 2>/dev/null || true
exec "$2" -m iconha_tui --state-dir "$1/state" run "$3" --yes
"""


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="mounts a disk of its own")
def test_on_a_disk_that_is_really_full_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    spec = tmp_path / "spec.toml"
    spec.write_text(specs.dumps(OLD))
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", SMALL, "small", str(tmp_path / "disk"), sys.executable, str(spec)],
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=False,
    )
    if "mount:" in done.stderr:
        pytest.skip("may not mount here")
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


# Damage


@pytest.mark.parametrize("end", ["\n", ""])
def test_a_spec_cut_anywhere_is_never_taken_for_a_whole_one(tmp_path: Path, end: str) -> None:
    path = tmp_path / "spec.toml"
    whole = specs.dumps(Spec(name="mainnet", corosync=specs.Corosync(transport="knet")))
    lines = whole.splitlines()
    for count in range(len(lines)):
        path.write_text("\n".join(lines[:count]) + end)
        with pytest.raises(SpecTrouble) as caught:
            specs.load(path, ours=True)
        assert caught.value.remedy
    for size in range(0, len(whole) - 2, 7):
        path.write_text(whole[:size])
        with pytest.raises(SpecTrouble):
            specs.load(path, ours=True)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "It is empty."),
        (b" \n\n", "It is empty."),
        (b"\x00" * 4096, "no valid TOML"),
        (bytes(range(255, 127, -1)), "not UTF-8"),
        (b"\x1f\x8b\x08\x00", "not UTF-8"),
        (b"version = 2\n[something.new]\nx = 1\n", "A newer version of this program wrote it: version 2"),
        (b"x = " + b"[" * 100_000, "no valid TOML"),
        (b"# " + b"x" * 3_000_000, "it is no spec"),
        (b"[ssh]\nport = true\n", "ssh.port: A whole number, without quotes."),
        (b'[ssh]\nport = "22"\n', "ssh.port: A whole number, without quotes."),
        (b"[ssh]\nport = 22.0\n", "ssh.port: A whole number, without quotes."),
        (b"version = true\n", "version: A whole number"),
        (b"[aws]\nregion = 1\n", "aws.region: A text, in quotes."),
        (b'[corosync.conf]\nPRep-3 = "totem {}"\n', "PRep-3 is none of the two nodes, PRep-01 and PRep-02."),
        (b'[corosync.conf]\nPRep-01 = "\\u001b]52;c;x\\u0007"\n', "no control characters"),
        (b'"\\u001b[2J\\u202e" = 1\n', "There is no such setting."),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_spec_that_cannot_be_taken_is_one_clean_sentence(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "spec.toml"
    path.write_bytes(content)
    with pytest.raises(SpecTrouble) as caught:
        specs.load(path)
    assert words in caught.value.what
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 10_000


@pytest.mark.parametrize("name", ["spec.toml", "journal.jsonl", "transcript.log", "known_hosts", "lock", "lock.pid"])
@pytest.mark.parametrize("planted", ["link", "dangling", "folder", "pipe"])
def test_nothing_goes_through_what_somebody_has_planted(store: Store, tmp_path: Path, name: str, planted: str) -> None:
    precious = tmp_path / "precious"
    precious.write_text("mine")
    store.save(OLD)
    place = store.folder("icon") / name
    place.unlink(missing_ok=True)
    match planted:
        case "link":
            place.symlink_to(precious)
        case "dangling":
            place.symlink_to(tmp_path / "made-through-a-link")
        case "folder":
            place.mkdir()
        case "pipe":
            os.mkfifo(place)
    for use in (
        lambda: store.spec("icon"),
        lambda: store.progress("icon"),
        lambda: store.save(NEW),
        lambda: Journal(store.folder("icon")).close(),
        lambda: HostKeys(store.folder("icon") / "known_hosts", lambda *_: True).ask("PRep-01", "i-1", key(1)),
        lambda: held(store),
    ):
        with suppress(Trouble):
            use()
    assert precious.read_text() == "mine"
    assert stat.S_IMODE(precious.stat().st_mode) != 0o600 or os.umask(os.umask(0o077)) == 0o077
    assert not (tmp_path / "made-through-a-link").exists()


@pytest.mark.parametrize("kind", ["link", "dangling", "pipe", "device"])
def test_the_place_in_an_output_is_kept_in_no_file_of_others(tmp_path: Path, kind: str) -> None:
    place, precious = tmp_path / "shown-PRep-01.install", tmp_path / "precious"
    precious.write_text("mine 00000000000000000005")
    match kind:
        case "link":
            place.symlink_to(precious)
        case "dangling":
            place.symlink_to(tmp_path / "made-through-a-link")
        case "pipe":
            os.mkfifo(place)
        case "device":
            place.symlink_to("/dev/full")
    position = Position(place)
    assert position.of("mine") == 0
    position.keep("mine", 7)
    position.forget()
    assert precious.read_text() == "mine 00000000000000000005"
    assert not (tmp_path / "made-through-a-link").exists()


def test_what_a_killed_write_has_left_is_removed_at_the_next_run(store: Store, tmp_path: Path) -> None:
    folder = store.make("icon")
    names = {
        ".spec.toml.0123456789ab": True,
        ".lock.pid.ba9876543210": True,
        ".mine": False,
        "spec.0123456789ab": False,
    }
    for name in names:
        (folder / name).write_text("x")
        os.utime(folder / name, (0, 0))
    (folder / ".journal.jsonl.abcdefabcdef").write_text("another process is at it")
    held(store)
    left = {path.name for path in folder.iterdir()}
    assert {name for name, goes in names.items() if not goes} | {".journal.jsonl.abcdefabcdef"} <= left
    assert not left & {name for name, goes in names.items() if goes}


def held(store: Store) -> None:
    with store.lock("icon"):
        pass


def test_a_folder_that_is_a_link_is_not_used(store: Store, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere").chmod(0o755)
    store.make("icon").rmdir()
    store.folder("icon").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Trouble, match="it is a symbolic link"):
        store.save(NEW)
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert stat.S_IMODE((tmp_path / "elsewhere").stat().st_mode) == 0o755


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a folder to another user")
def test_a_folder_of_another_user_is_not_used(tmp_path: Path) -> None:
    root = tmp_path / "state"
    root.mkdir()
    os.chown(root, 65534, 65534)
    with pytest.raises(Trouble, match="it belongs to another user"):
        Store(root).save(NEW)


@pytest.mark.parametrize(
    ("content", "unread"),
    [
        (b"", 0),
        (b"\n\n", 2),
        (b"\x00" * 100, 0),
        (b"\x00" * 100 + b"\n", 1),
        (b'{"event": "StageFinished", "at": 1, "stage": ["x"], "outcome": "done", "changed": true, "seconds": 1}\n', 1),
        (b'{"event": "RunFinished", "at": 1, "outcome": "exploded", "changed": true, "seconds": 1}\n', 1),
        (b'{"event": "RunFinished", "at": 1, "outcome": "done", "changed": "yes", "seconds": 1}\n', 1),
        (b'{"event": "RunFinished", "at": 1, "outcome": "done", "changed": true, "seconds": 1e400}\n', 1),
        (b'{"event": "RunFinished", "at": 1e300, "outcome": "done", "changed": true, "seconds": 1}\n', 1),
        (b'{"event": "RunFinished", "at": NaN, "outcome": "done", "changed": true, "seconds": 1}\n', 1),
        (b'{"event": "StageStarted", "at": 1, "stage": "x"}\r\n', 0),
    ],
)
def test_a_journal_says_how_much_of_it_is_damaged(store: Store, content: bytes, unread: int) -> None:
    (store.make("icon") / "journal.jsonl").write_bytes(content)
    progress = store.progress("icon")
    assert progress.unread == unread
    assert bool(progress.note) == bool(unread)


def test_a_journal_of_a_newer_version_is_refused_and_stays_as_it_is(store: Store) -> None:
    book(store.make("icon"), *BEFORE)
    path = store.folder("icon") / "journal.jsonl"
    path.write_text(path.read_text().replace('"format": 3', '"format": 4'))
    before = path.read_bytes()
    for use in (lambda: store.progress("icon"), lambda: Journal(store.folder("icon"))):
        with pytest.raises(Trouble, match="A newer version of this program wrote it") as caught:
            use()
        assert "Update iconha-tui" in caught.value.remedy
    assert path.read_bytes() == before


def test_what_stands_in_a_journal_moves_no_terminal(store: Store) -> None:
    (store.make("icon") / "journal.jsonl").write_text(
        '{"event": "StepFinished", "at": 1, "stage": "x", "step": "y", "outcome": "failed", "changed": true, "seconds": 1,'
        ' "text": "\\u001b]52;c;x\\u0007a\\u009b2J\\u202eb\\ud800"}\n'
    )
    failure = store.progress("icon").failure
    assert failure is not None
    assert failure.text == "ab"


# Two at once


ADDS = """
import sys
from pathlib import Path
from iconha_tui.remote.host_keys import HostKey, HostKeys
kind = b"ssh-ed25519"
keys = HostKeys(Path(sys.argv[1]), lambda *_: True)
for number in range(20):
    keys.ask("x", f"i-{sys.argv[2]}-{number}", HostKey("ssh-ed25519", len(kind).to_bytes(4, "big") + kind + bytes(36)))
"""


def test_two_runs_that_meet_new_machines_at_once_lose_no_key(tmp_path: Path) -> None:
    path = tmp_path / "known_hosts"
    runs = [subprocess.Popen([sys.executable, "-c", ADDS, str(path), str(each)]) for each in range(3)]
    assert [run.wait(BOUND) for run in runs] == [0, 0, 0]
    lines = path.read_text().splitlines()
    assert sorted(line.split()[0] for line in lines) == sorted(f"i-{r}-{n}" for r in range(3) for n in range(20))
    assert base64.b64decode(lines[0].split()[2])


def test_who_holds_a_cluster_is_said_with_the_time_and_a_stale_note_blocks_nobody(store: Store) -> None:
    (store.make("icon") / "lock.pid").write_text("1 1")
    with (
        store.lock("icon"),
        pytest.raises(Locked, match=rf"\(process {os.getpid()}, since \d{{4}}-"),
        store.lock("icon"),
    ):
        pass
    assert not (store.folder("icon") / "lock.pid").exists()
