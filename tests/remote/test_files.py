"""A file on a node is written whole or not at all, and never through a link."""

import hashlib
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from waiting import wait_until

from iconha_tui.errors import Lost, Trouble
from iconha_tui.remote import pump
from iconha_tui.remote.ssh import SshNode

from .conftest import OWNER, Cable, Sshd


def strays(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "etc"
    made.mkdir()
    return made


@pytest.mark.parametrize(
    "content", [b"", b"one\n", bytes(range(256)) * 5000, b"\x1b]0;x\x07"], ids=["empty", "text", "binary", "hostile"]
)
def test_what_is_written_is_read_back(node: SshNode, folder: Path, content: bytes) -> None:
    path = folder / "it's a; $(file).conf"
    node.write(str(path), content, mode=0o640, owner=OWNER)
    assert path.read_bytes() == content
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert node.read(str(path)) == content
    assert strays(folder) == []


def test_what_is_not_there_is_none_and_a_folder_is_trouble(node: SshNode, folder: Path) -> None:
    assert node.read(str(folder / "none")) is None
    assert node.read(str(folder / "none" / "deeper")) is None
    with pytest.raises(Trouble, match="no ordinary file"):
        node.read(str(folder))


def test_a_missing_folder_is_made_for_all_to_enter(node: SshNode, folder: Path) -> None:
    node.write(str(folder / "a" / "b" / "c.conf"), b"x", mode=0o600, owner=OWNER)
    assert [stat.S_IMODE(p.stat().st_mode) for p in (folder / "a", folder / "a" / "b")] == [0o755, 0o755]
    assert stat.S_IMODE((folder / "a" / "b" / "c.conf").stat().st_mode) == 0o600


def test_the_new_file_is_private_until_it_is_finished(node: SshNode, folder: Path) -> None:
    check = ("sh", "-c", 'stat -c "%a %n" "$1" >' + str(folder / "seen"), "sh", "{}")
    node.write(str(folder / "f"), b"secret", mode=0o644, owner=OWNER, check=check)
    assert re.fullmatch(rf"600 {folder}/\.f\.iconha-\w+\n", (folder / "seen").read_text())


def test_a_check_that_refuses_leaves_the_old_file(node: SshNode, folder: Path) -> None:
    path = folder / "corosync.conf"
    path.write_bytes(b"old\n")
    check = ("sh", "-c", 'grep -q good "$1" || { echo "line 1: \033[31mbad in $1" >&2; exit 8; }', "sh", "{}")
    with pytest.raises(Trouble, match="was refused by `sh`; the old one stands") as refused:
        node.write(str(path), b"new\n", owner=OWNER, check=check, backup=True)
    assert refused.value.detail == f"line 1: bad in {path}\nexit code 8"
    assert path.read_bytes() == b"old\n"
    assert [p.name for p in folder.iterdir()] == ["corosync.conf"]
    node.write(str(path), b"good\n", owner=OWNER, check=check)
    assert path.read_bytes() == b"good\n"


def test_a_backup_is_kept_of_what_changes_and_of_nothing_else(node: SshNode, folder: Path) -> None:
    path = folder / "f"
    for content in (b"one", b"one", b"two"):
        node.write(str(path), content, owner=OWNER, backup=True)
    kept = [p for p in folder.iterdir() if p != path]
    assert [p.read_bytes() for p in kept] == [b"one"]
    assert re.fullmatch(r"f\.iconha-\d{8}T\d{6}Z", kept[0].name)


def test_a_write_that_was_stopped_after_its_backup_leaves_no_second_one(node: SshNode, folder: Path) -> None:
    path, kept, other = folder / "f", folder / "f.iconha-20260101T000000Z", folder / "f.iconha-20250101T000000Z"
    path.write_bytes(b"one")
    kept.write_bytes(b"one")
    other.write_bytes(b"on")
    node.write(str(path), b"two", owner=OWNER, backup=True)
    assert {p: p.read_bytes() for p in folder.iterdir()} == {path: b"two", kept: b"one", other: b"on"}


def test_what_a_killed_write_has_left_is_removed_by_the_next(node: SshNode, folder: Path) -> None:
    left = {
        name: folder / name
        for name in (".f.iconha-0123456789ab", ".f.iconha-new", ".g.iconha-0123456789ab", ".f.iconha-l")
    }
    for name in list(left)[:3]:
        left[name].write_bytes(b"half a secret")
    (folder / "precious").write_bytes(b"precious")
    left[".f.iconha-l"].symlink_to(folder / "precious")
    for name in (".f.iconha-0123456789ab", ".g.iconha-0123456789ab", "precious"):
        os.utime(folder / name, (0, 0))
    node.write(str(folder / "f"), b"x", owner=OWNER)
    assert (folder / "precious").read_bytes() == b"precious"
    assert sorted(strays(folder)) == [".f.iconha-l", ".f.iconha-new", ".g.iconha-0123456789ab"]


def test_a_link_is_not_written_through(node: SshNode, folder: Path) -> None:
    (folder / "target").write_bytes(b"precious")
    (folder / "link").symlink_to(folder / "target")
    (folder / "dangling").symlink_to(folder / "nowhere")
    for name in ("link", "dangling"):
        with pytest.raises(Trouble, match="symbolic link"):
            node.write(str(folder / name), b"evil", owner=OWNER)
    assert (folder / "target").read_bytes() == b"precious"
    assert not (folder / "nowhere").exists()
    (folder / "dir").mkdir()
    with pytest.raises(Trouble, match="no ordinary file"):
        node.write(str(folder / "dir"), b"evil", owner=OWNER)


def test_an_owner_that_is_not_there_leaves_nothing_behind(node: SshNode, folder: Path) -> None:
    with pytest.raises(Trouble, match="could not be written"):
        node.write(str(folder / "f"), b"x", owner="nobody-here")
    assert list(folder.iterdir()) == []


def test_a_full_disk_names_its_remedy(node: SshNode, folder: Path, sshd: Sshd) -> None:
    fake = sshd.folder / "bin" / "cat"
    fake.write_text("#!/bin/sh\necho 'cat: write error: No space left on device' >&2\nexit 1\n")
    fake.chmod(0o755)
    with pytest.raises(Trouble) as full:
        node.write(str(folder / "f"), b"x", owner=OWNER)
    assert "Free some space" in full.value.remedy
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("path", ["relative", "/ends/in/", "/new\nline", ""])
def test_a_path_that_is_none_is_refused(node: SshNode, path: str) -> None:
    with pytest.raises(Trouble, match="no absolute path"):
        node.write(path, b"x", owner=OWNER)


@pytest.mark.parametrize("owner", ["root; id", "$(id)", "", "-R", "a:b:c"])
def test_an_owner_that_is_none_is_refused(node: SshNode, folder: Path, owner: str) -> None:
    with pytest.raises(Trouble, match="no owner"):
        node.write(str(folder / "f"), b"x", owner=owner)


def test_a_connection_that_breaks_half_way_leaves_the_old_file(
    sshd: Sshd, cable: Cable, make_node: Callable[..., SshNode], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """sshd ends the command's input when the connection breaks: half a file must not pass for a whole one."""
    path = folder / "f"
    path.write_bytes(b"old")
    node = make_node(sshd, port=cable.port)
    node.run(("true",))
    carried = pump._send
    sent = 0

    def half(channel: object, left: memoryview) -> memoryview:
        nonlocal sent
        rest = carried(channel, left)  # type: ignore[arg-type]
        sent += len(left) - len(rest)
        if sent > 500_000 and any((folder / name).stat().st_size for name in strays(folder)):
            cable.cut()
        return rest

    monkeypatch.setattr(pump, "_send", half)
    with pytest.raises(Lost):
        node.write(str(path), os.urandom(50_000_000), owner=OWNER)
    wait_until(lambda: strays(folder) == [], what="nothing left of it")
    assert path.read_bytes() == b"old"
    assert strays(folder) == []


def test_what_somebody_has_put_there_since_it_was_looked_at_stands(node: SshNode, folder: Path) -> None:
    path = folder / "corosync.conf"
    seen = hashlib.sha256(b"seen\n").hexdigest()
    for there, over in ((b"theirs\n", seen), (b"theirs\n", ""), (None, seen)):
        path.unlink(missing_ok=True)
        if there is not None:
            path.write_bytes(there)
        with pytest.raises(Trouble, match="changed by somebody while this program was about to write it"):
            node.write(str(path), b"ours\n", owner=OWNER, backup=True, over=over, note=(str(folder / "note"), "x"))
        assert (path.read_bytes() if path.exists() else None) == there
        assert [p.name for p in folder.iterdir()] == ([path.name] if there else [])
    for there, over in ((b"seen\n", seen), (None, ""), (b"ours\n", seen)):
        path.unlink(missing_ok=True)
        if there is not None:
            path.write_bytes(there)
        node.write(str(path), b"ours\n", owner=OWNER, over=over)
        assert path.read_bytes() == b"ours\n"


def test_what_is_written_is_noted_each_time_with_whose_it_is(node: SshNode, folder: Path) -> None:
    note = folder / "notes" / "f.sha256"
    for content, whose in ((b"one", "a"), (b"two", "it's; b")):
        node.write(str(folder / "f"), content, owner=OWNER, note=(str(note), whose))
    assert note.read_text().splitlines() == [
        f"{hashlib.sha256(b'one').hexdigest()} a",
        f"{hashlib.sha256(b'two').hexdigest()} it's; b",
    ]
    assert [stat.S_IMODE(each.stat().st_mode) for each in (note, note.parent)] == [0o600, 0o700]
