"""`iconha-tui status` without a screen: what is printed, and the exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from status_world import ONE, TWO, Pair, PairEyes

from iconha_tui import lines, status
from iconha_tui.session import Session
from iconha_tui.spec import Spec
from iconha_tui.status.watcher import Watcher
from iconha_tui.store import Store


@pytest.fixture
def pairs(monkeypatch: pytest.MonkeyPatch) -> dict[str, Pair]:
    """By cluster; a status of it sees that pair."""
    found: dict[str, Pair] = {}

    def watch(session: Session) -> Watcher:
        return Watcher(session.spec, PairEyes(found[session.spec.name]), every=0.01)

    monkeypatch.setattr(status, "watch", watch)
    monkeypatch.setattr("iconha_tui.status.watcher.AGAIN", 0)
    return found


def show(tmp_path: Path, pairs: dict[str, Pair], *, watch: bool = False, as_json: bool = False) -> int:
    store = Store(tmp_path)
    for name in pairs:
        store.save(Spec(name=name))
    return lines.show_status(store, list(pairs), watch=watch, as_json=as_json)


@pytest.mark.parametrize(
    ("pair", "code"),
    [
        (Pair(), 0),
        (Pair(offline={TWO}), 1),
        (Pair(by_ec2="", holder=""), 5),
        (Pair(cut=True), 6),
        (Pair(away={"aws": "No AWS credentials were found."}), 3),
        (Pair(away={"aws": "x.", ONE: "x.", TWO: "x.", "ports": "x."}), 3),
    ],
)
def test_the_exit_code_is_the_verdict(
    pair: Pair, code: int, tmp_path: Path, pairs: dict[str, Pair], capsys: pytest.CaptureFixture[str]
) -> None:
    pairs["icon"] = pair
    assert show(tmp_path, pairs) == code
    assert capsys.readouterr().out.startswith("icon: ")


def test_several_clusters_are_a_table_and_the_worst_decides(
    tmp_path: Path, pairs: dict[str, Pair], capsys: pytest.CaptureFixture[str]
) -> None:
    pairs |= {"main": Pair(), "spare": Pair(away={"aws": "x."})}
    assert show(tmp_path, pairs) == 3
    told = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in told[1:]] == [["main", "ready"], ["spare", "unknown"]]
    pairs["main"].offline = {TWO}
    assert show(tmp_path, pairs, as_json=True) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["schema"], [each["verdict"] for each in found["clusters"]]) == (2, ["not_ready", "unknown"])


def test_a_cluster_whose_spec_is_damaged_leaves_the_others_to_be_told(
    tmp_path: Path, pairs: dict[str, Pair], capsys: pytest.CaptureFixture[str]
) -> None:
    pairs |= {"main": Pair(), "spare": Pair()}
    show(tmp_path, pairs)
    (tmp_path / "clusters" / "spare" / "spec.toml").write_text("name = ")
    capsys.readouterr()
    assert lines.show_status(Store(tmp_path), list(pairs), watch=False, as_json=False) == 3
    said = capsys.readouterr()
    assert "main" in said.out
    assert said.err.startswith("spare: ")


@pytest.mark.parametrize("as_json", [False, True])
def test_a_watch_goes_on_until_it_is_interrupted(
    as_json: bool,
    tmp_path: Path,
    pairs: dict[str, Pair],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pairs["icon"] = Pair()
    rounds = iter([None, None, KeyboardInterrupt])

    def sleep(seconds: float) -> None:
        if (ends := next(rounds)) is not None:
            raise ends

    monkeypatch.setattr("iconha_tui.lines.time.sleep", sleep)
    assert show(tmp_path, pairs, watch=True, as_json=as_json) == 130
    told = capsys.readouterr().out.splitlines()
    if as_json:
        assert [json.loads(line)["cluster"] for line in told] == ["icon"] * 3
    else:
        assert [line for line in told if line.startswith("icon: ")] == [told[0]], "all of it once, for nothing changes"
