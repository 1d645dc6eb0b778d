"""What the home screen says of a saved cluster: the pair as it was last seen, never more than that."""

from __future__ import annotations

import pytest

from iconha_tui.engine.events import RunFinished, RunStarted, StageFinished, StageStarted
from iconha_tui.engine.journal import Progress
from iconha_tui.screens.past import Standing, standing
from iconha_tui.spec import Corosync, Spec
from iconha_tui.stages import STAGES
from iconha_tui.status.report import Verdict
from iconha_tui.store import Saved
from iconha_tui.when import moment

RAN, NOW = 1_000_000.0, 1_010_000.0


def stands(seen: tuple[Verdict, float] | None, stages: int = len(STAGES), spec: Spec | None = None) -> Standing:
    """A cluster of which so many stages have been through, at RAN."""
    progress = Progress()
    applied = Spec()
    progress.take(RAN, RunStarted([stage.name for stage in STAGES]))
    for stage in STAGES[:stages]:
        progress.take(RAN, StageStarted(stage.name))
        progress.take(RAN, StageFinished(stage.name, "done", True, 1.0, applied.settings_digest(stage.name)))
    progress.take(RAN, RunFinished("done", True, 8.0))
    return standing(Saved("icon", RAN, "icon", progress, spec=spec or applied), STAGES, seen, NOW)


@pytest.mark.parametrize(
    ("seen", "state", "word", "age", "old"),
    [
        (None, "unknown", "never looked at", "", True),
        (("ready", RAN - 60), "unknown", "not looked at", f"since the run of {moment(RAN)}; was READY 2 h ago", True),
        (("ready", NOW - 7200), "done", "was READY", "2 h ago", True),
        (("ready", NOW - 5), "done", "READY", "just now", False),
        (("down", NOW - 5), "failed", "DOWN", "just now", False),
        (("down", NOW - 300), "failed", "was DOWN", "5 min ago", True),
        (("split", NOW - 5), "failed", "SPLIT", "just now", False),
        (("not_ready", NOW - 5), "warning", "NOT READY", "just now", False),
        (("unknown", NOW - 5), "unknown", "UNKNOWN", "just now", False),
        (("not_built", NOW - 5), "todo", "NOT BUILT", "just now", False),
    ],
)
def test_a_cluster_whose_stages_are_all_through_stands_as_its_pair_was_last_seen(
    seen: tuple[Verdict, float] | None, state: str, word: str, age: str, old: bool
) -> None:
    found = stands(seen)
    assert (found.state, found.word, found.reached, found.old) == (state, word, age, old)
    assert found.stages == f"all 8 stages have been through, on {moment(RAN)}"


def test_what_comes_next_for_a_pair_that_is_down_is_no_failover_test() -> None:
    assert "wrong" in stands(("down", NOW - 5)).then
    assert "failover" in stands(("ready", NOW - 5)).then
    assert stands(None).then == "s looks at the pair"


def test_a_cluster_that_is_under_way_tells_its_pair_beside_that() -> None:
    found = stands(("down", NOW - 300), stages=5)
    assert (found.state, found.word) == ("todo", "under way")
    assert found.pair is not None
    assert (found.pair.word, found.pair.bad) == ("was DOWN", True)
    assert stands(None, stages=5).pair is None, "nothing is there yet that one could have looked at"


def test_a_setting_that_was_not_applied_is_told_of_a_cluster_that_was_through() -> None:
    found = stands(("ready", NOW - 5), spec=Spec(corosync=Corosync(token_ms=3000)))
    assert (found.state, found.word) == ("changed", "changed, not applied")
    assert "stage 5 of 8, Corosync" in found.reached
    assert found.pair is not None
    assert found.pair.word == "READY"


def test_a_cluster_that_was_never_begun_is_not_said_to_be_degraded() -> None:
    found = standing(Saved("icon", RAN, "icon", Progress(), spec=Spec()), STAGES, None, NOW)
    assert (found.state, found.word, found.pair) == ("todo", "not begun", None)
