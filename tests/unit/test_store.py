"""The store: one folder a cluster, one run a cluster, nothing for other people's eyes."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from iconha_tui.engine.events import RunStarted
from iconha_tui.engine.journal import Journal
from iconha_tui.errors import SpecTrouble, Trouble
from iconha_tui.spec import Spec
from iconha_tui.store import Locked, Store

HOLDS = """
import sys, time
from pathlib import Path
from iconha_tui.engine.events import RunStarted, StageStarted
from iconha_tui.engine.journal import Journal
from iconha_tui.store import Store
store = Store(Path(sys.argv[1]))
with store.lock("icon"):
    journal = Journal(store.folder("icon"))
    journal(RunStarted(["corosync"]))
    journal(StageStarted("corosync"))
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "state")


def holder(store: Store) -> subprocess.Popen[str]:
    """Another process that holds the cluster's lock, in the middle of a run."""
    process = subprocess.Popen([sys.executable, "-c", HOLDS, str(store.root)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def end(process: subprocess.Popen[str], number: int) -> None:
    process.send_signal(number)
    process.wait(30)
    if process.stdout:
        process.stdout.close()


def test_a_cluster_comes_back_as_it_was_saved(store: Store) -> None:
    spec = Spec(name="mainnet")
    store.save(spec)
    assert store.spec("mainnet") == spec
    assert store.names() == ["mainnet"]


def test_the_cluster_worked_on_last_comes_first(store: Store) -> None:
    for age, name in ((300, "a"), (200, "b"), (100, "c")):
        store.save(Spec(name=name))
        os.utime(store.folder(name) / "spec.toml", (1_000_000 - age,) * 2)
    assert store.names() == ["c", "b", "a"]
    Journal(store.folder("a")).close()
    os.utime(store.folder("a") / "journal.jsonl", (1_000_000,) * 2)
    assert store.names() == ["a", "c", "b"]


def test_a_folder_without_a_spec_is_no_cluster(store: Store) -> None:
    store.make("half")
    assert store.names() == []
    with pytest.raises(SpecTrouble):
        store.spec("half")


def test_folders_and_files_are_the_owners_alone_whatever_the_umask(store: Store) -> None:
    old = os.umask(0)
    try:
        store.save(Spec())
        with store.lock("icon"):
            Journal(store.folder("icon")).close()
            modes = {path.relative_to(store.root): stat.S_IMODE(path.stat().st_mode) for path in store.root.rglob("*")}
            assert len(modes) >= 6
            assert {str(path): oct(mode) for path, mode in modes.items() if mode not in (0o600, 0o700)} == {}
            assert stat.S_IMODE(store.root.stat().st_mode) == 0o700
    finally:
        os.umask(old)


def test_the_environment_moves_all_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ICONHA_STATE_DIR", str(tmp_path / "elsewhere"))
    assert Store().root == tmp_path / "elsewhere"
    assert Store(tmp_path / "given").root == tmp_path / "given"


def test_a_second_run_is_locked_out_and_told_who_holds_it(store: Store) -> None:
    process = holder(store)
    try:
        with pytest.raises(Locked, match=rf"\(process {process.pid}\)") as caught, store.lock("icon"):
            pass
        assert caught.value.remedy
        with store.lock("another"):
            pass
        with pytest.raises(Locked):
            store.delete("icon")
    finally:
        end(process, signal.SIGTERM)
    assert store.folder("icon").exists()


def test_the_lock_of_a_killed_run_blocks_nobody_and_the_run_is_interrupted(store: Store) -> None:
    end(holder(store), signal.SIGKILL)
    progress = store.progress("icon")
    assert progress.interrupted
    assert progress.stage("corosync").state == "running"
    with store.lock("icon"):
        pass


def test_a_lock_is_released_when_the_run_ends_in_an_error(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.lock("icon"):
        _ = 1 // 0
    with store.lock("icon"), pytest.raises(Locked), store.lock("icon"):
        pass


def test_delete_forgets_a_cluster_and_leaves_the_others(store: Store) -> None:
    for name in ("a", "b"):
        store.save(Spec(name=name))
        journal = Journal(store.folder(name))
        journal(RunStarted([]))
        journal.close()
    store.delete("a")
    assert store.names() == ["b"]
    assert not store.folder("a").exists()


def test_a_folder_that_cannot_be_made_names_it_and_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Trouble, match="Not a directory") as caught:
        Store(tmp_path / "file" / "state").save(Spec())
    assert "--state-dir" in caught.value.remedy


def test_a_spec_that_cannot_be_written_is_a_sentence(store: Store) -> None:
    (store.make("icon") / "spec.toml").mkdir()
    with pytest.raises(Trouble, match="Cannot be written"):
        store.save(Spec())
