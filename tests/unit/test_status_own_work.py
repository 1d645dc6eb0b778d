"""What this program did itself is told with what came of it, and with nothing that somebody else did afterwards."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from status_world import ONE, TWO

from iconha_tui.cluster.log_events import ClusterEvent
from iconha_tui.status import own_work

STARTED = {"event": "RunStarted", "at": 1000.0, "stages": ["awscli"], "mode": "run"}
COMMAND = {
    "event": "ActionStarted", "at": 1010.0, "stage": "awscli", "step": "awscli.reread_active", "target": ONE, "index": 1,
    "of": 1, "shown": "systemctl restart pacemaker", "why": "",
}  # fmt: skip
ENDED = {"event": "RunFinished", "at": 1020.0, "outcome": "done", "changed": True, "seconds": 20.0}


@pytest.mark.parametrize(
    ("events", "at", "ours"),
    [
        ([STARTED, COMMAND, ENDED], 1015.0, True),
        ([STARTED, COMMAND, ENDED], 1040.0, False),
        ([STARTED, COMMAND], 1040.0, True),
        ([STARTED, COMMAND, ENDED | {"outcome": "failed"}], 1040.0, True),
        ([STARTED, COMMAND, STARTED | {"at": 1012.0}, ENDED], 1040.0, True),
        ([STARTED, COMMAND], 1080.0, False),
        ([STARTED, COMMAND], 1005.0, False),
    ],
    ids=["in the run", "after it", "killed", "failed", "the next run ends well", "long after", "before"],
)
def test_what_came_of_a_command_is_seen_by_the_end_of_a_run_that_ends_well(
    tmp_path: Path, events: list[dict[str, object]], at: float, ours: bool
) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in events))
    moved = ClusterEvent(at, "moved", TWO, "elastic-ip", before=ONE)
    assert bool(own_work.cause(moved, own_work.read(path))) is ours
