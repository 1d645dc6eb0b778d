"""The store: one folder a cluster, one run a cluster, nothing for other people's eyes."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from waiting import BOUND

from iconha_tui.engine.events import RunStarted, StageStarted
from iconha_tui.engine.journal import Journal
from iconha_tui.engine.step import View
from iconha_tui.errors import SpecTrouble, Trouble
from iconha_tui.spec import Spec
from iconha_tui.stages import tags
from iconha_tui.store import UNNAMED, Locked, Store

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
    process.wait(BOUND)
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
        with (
            pytest.raises(Locked, match=rf"\(process {process.pid}, since 2\d\d\d-\d\d-\d\d \d\d:\d\d\)") as caught,
            store.lock("icon"),
        ):
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


def ran(store: Store, name: str) -> None:
    """A cluster on which a run has been."""
    store.save(Spec(name=name))
    journal = Journal(store.folder(name))
    journal(RunStarted(["credentials"]))
    journal(StageStarted("credentials"))
    journal.close()


def test_what_a_renamed_cluster_has_on_aws_is_still_found_by_its_old_name(store: Store) -> None:
    ran(store, "icon")
    (store.folder("icon") / "known_hosts").write_text("keys")
    store.rename("icon", "mainnet")
    assert store.names() == ["mainnet"]
    spec = store.spec("mainnet")
    assert (spec.name, spec.tagged) == ("mainnet", "icon")
    assert tags.filters(View(spec))[0]["Values"] == ["icon"]
    assert "mainnet" in (store.folder("mainnet") / "spec.toml").read_text()
    assert (store.folder("mainnet") / "known_hosts").read_text() == "keys"
    assert not (store.folder("mainnet") / "lock.pid").exists()
    with store.lock("mainnet"):
        pass
    store.rename("mainnet", "testnet")
    assert store.spec("testnet").tagged == "icon"
    store.rename("testnet", "icon")
    assert store.spec("icon") == Spec(name="icon")


def test_where_nothing_has_run_the_tags_will_have_the_new_name(store: Store) -> None:
    store.save(Spec(name="icon"))
    store.rename("icon", "mainnet")
    assert store.spec("mainnet") == Spec(name="mainnet")


def test_a_rename_that_a_crash_cuts_short_is_the_old_cluster_or_the_new_one(store: Store) -> None:
    ran(store, "icon")
    store.folder("icon").rename(store.folder("mainnet"))
    spec = store.spec("mainnet")
    assert (spec.name, spec.tagged) == ("mainnet", "icon")
    store.save(spec)
    assert store.names() == ["mainnet"]
    assert store.spec("mainnet") == spec


def test_no_second_cluster_gets_the_tag_of_a_renamed_one(store: Store) -> None:
    ran(store, "icon")
    store.rename("icon", "mainnet")
    with pytest.raises(Trouble, match="mainnet has on AWS is tagged icon"):
        store.save(Spec(name="icon"))
    store.save(Spec(name="testnet"))


def test_a_rename_is_refused_while_a_run_works_where_the_name_is_taken_and_where_there_is_nothing(store: Store) -> None:
    ran(store, "a")
    ran(store, "b")
    with pytest.raises(Trouble, match="folder of that name"):
        store.rename("a", "b")
    with store.lock("a"), pytest.raises(Locked):
        store.rename("a", "c")
    with pytest.raises(Trouble, match="no saved cluster"):
        store.rename("none", "c")
    (store.folder("b") / "spec.toml").write_text("version = 99")
    with pytest.raises(SpecTrouble):
        store.rename("b", "c")
    assert sorted(path.name for path in (store.root / "clusters").iterdir()) == ["a", "b"]


def test_a_delete_that_a_crash_cuts_short_leaves_no_half_of_a_cluster(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran(store, "icon")
    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", lambda folder, **_: None)
        store.delete("icon")
    assert store.names() == []
    assert not store.folder("icon").exists()
    ran(store, "icon")
    store.delete("icon")
    assert [path.name for path in store.root.iterdir()] == ["clusters"]


def test_a_broken_cluster_is_listed_with_a_sentence_and_stops_no_other(store: Store) -> None:
    for name in ("a", "b", "c", "d"):
        ran(store, name)
    (store.folder("b") / "spec.toml").write_text("version = 99")
    (store.folder("c") / "journal.jsonl").unlink()
    (store.folder("c") / "journal.jsonl").mkdir()
    with store.lock("d"):
        found = {saved.name: saved for saved in store.saved()}
    assert found["a"].trouble == ""
    assert found["a"].progress.interrupted
    assert "version" in found["b"].trouble
    assert "no ordinary file" in found["c"].trouble
    assert [saved.holder for saved in found.values() if saved.holder] == [found["d"].holder] == [os.getpid()]


def test_a_cluster_whose_run_was_killed_is_held_by_nobody(store: Store) -> None:
    store.save(Spec(name="icon"))
    end(holder(store), signal.SIGKILL)
    assert store.saved()[0].holder == 0


def test_a_cluster_whose_killed_run_left_a_number_that_is_in_use_again_is_held_by_nobody(store: Store) -> None:
    store.save(Spec(name="icon"))
    end(holder(store), signal.SIGKILL)
    (store.folder("icon") / "lock.pid").write_text(f"{os.getpid()} 1")
    assert store.saved()[0].holder == 0


def test_a_cluster_is_held_by_somebody_though_the_number_is_not_known(store: Store) -> None:
    store.save(Spec(name="icon"))
    with store.lock("icon"):
        (store.folder("icon") / "lock.pid").write_text("")
        assert store.saved()[0].holder == UNNAMED


def test_a_list_that_asks_who_works_keeps_no_run_out(store: Store) -> None:
    store.save(Spec(name="icon"))
    asked = threading.Event()

    def ask() -> None:
        while not asked.is_set():
            store.saved()

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for _ in range(100):
            with store.lock("icon"):
                pass
    finally:
        asked.set()
        asking.join()
