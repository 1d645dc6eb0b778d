"""What a cluster's journals tell, as events in time."""

from __future__ import annotations

import pytest
from status_world import JOURNAL, JOURNAL_TWO, ONE, TWO

from iconha_tui.cluster.log_events import ClusterEvent, parse_events, timeline
from iconha_tui.status.sentences import event_sentence

NAMES = {1: ONE, 2: TWO}


def events(*journals: tuple[str, str]) -> list[tuple[str, str | None]]:
    """Oldest first, kind and node."""
    found = [event for text, teller in journals for event in parse_events(text.splitlines(), NAMES, teller)]
    return [(event.kind, event.node) for event in reversed(timeline(found, 100))]


def line(said: str, who: str = "pacemaker-controld", at: float = 1795440000.0) -> str:
    return f"{at:.6f} ip-10-0-0-11 {who}[123]:  {said}"


def test_both_journals_together_tell_each_event_once() -> None:
    assert events((JOURNAL, ONE), (JOURNAL_TWO, TWO)) == [
        ("joined", TWO),
        ("joined", ONE),
        ("quorum", TWO),
        ("started", ONE),
        ("failed", ONE),
        ("stopped", ONE),
        ("moved", TWO),
    ]


def test_a_move_names_the_place_before_it() -> None:
    found = parse_events(JOURNAL.splitlines(), NAMES, ONE) + parse_events(JOURNAL_TWO.splitlines(), NAMES, TWO)
    moved = timeline(found, 100)[0]
    assert (moved.resource, moved.before, moved.node) == ("elastic-ip", ONE, TWO)


def test_what_was_never_started_moves_from_where_it_is_stopped() -> None:
    stop = line("notice: Result of stop operation for elastic-ip on PRep-01: ok", at=1795440000.0)
    start = line("notice: Result of start operation for elastic-ip on PRep-02: ok", at=1795440006.0)
    assert events((stop, ONE), (start, TWO)) == [("stopped", ONE), ("moved", TWO)]


def test_what_the_cluster_found_running_moves_from_there_though_nobody_stopped_it() -> None:
    """So a new pair's first takeover is told: the step before had given the address, and the node that had it is dead."""
    probe = line("notice: Result of probe operation for elastic-ip on PRep-01: ok", at=1795440000.0)
    start = line("notice: Result of start operation for elastic-ip on PRep-02: ok", at=1795440060.0)
    found = parse_events([probe], NAMES, ONE) + parse_events([start], NAMES, TWO)
    assert [event_sentence(event) for event in timeline(found, 100)] == [
        "elastic-ip moved from PRep-01 to PRep-02",
        "elastic-ip was found running on PRep-01",
    ]


def test_a_start_that_failed_at_first_is_still_a_move_from_where_it_was() -> None:
    said = [
        ("start operation for elastic-ip on PRep-02: ok", 0.0),
        ("start operation for elastic-ip on PRep-01: error", 60.0),
        ("stop operation for elastic-ip on PRep-01: ok", 61.0),
        ("start operation for elastic-ip on PRep-01: ok", 64.0),
    ]
    text = "\n".join(line(f"notice: Result of {words}", at=1795440000.0 + at) for words, at in said)
    assert events((text, ONE)) == [("started", TWO), ("failed", ONE), ("stopped", ONE), ("moved", ONE)]


def test_a_node_that_begins_to_look_does_not_tell_that_the_other_has_just_joined() -> None:
    assert events((JOURNAL_TWO, TWO))[0] == ("joined", TWO)
    assert ("joined", ONE) not in events((JOURNAL_TWO, TWO))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[TOTEM ] A new membership (1.d) was formed. Members left: 2", ("left", TWO)),
        ("[TOTEM ] A new membership (10.0.0.11:8) was formed. Members left: 2", ("left", TWO)),  # Corosync 2.4
        ("[TOTEM ] A new membership (1.d) was formed. Members joined: 2", ("joined", TWO)),
        (
            "[QUORUM] This node is within the non-primary component and will NOT provide any service.",
            ("no quorum", ONE),
        ),
    ],
)
def test_lines_of_corosync(text: str, expected: tuple[str, str]) -> None:
    assert events((line(text, "corosync"), ONE)) == [expected]


@pytest.mark.parametrize(
    ("said", "who", "expected"),
    [
        ("notice: Result of start operation for elastic-ip on PRep-01: ok", "pacemaker-controld", ("started", ONE)),
        ("notice: Result of start operation for elastic-ip on PRep-01: 0 (ok)", "crmd", ("started", ONE)),  # 1.1, 2.0
        (
            "notice: Result of start operation for elastic-ip on PRep-01: OK",
            "pacemaker-controld",
            ("started", ONE),
        ),  # 3.0
        ("notice: Result of stop operation for elastic-ip on PRep-01: ok", "pacemaker-controld", ("stopped", ONE)),
        ("notice: Result of probe operation for elastic-ip on PRep-01: ok", "pacemaker-controld", ("found", ONE)),
        (
            "error: Result of start operation for elastic-ip on PRep-01: Timed Out",
            "pacemaker-controld",
            ("failed", ONE),
        ),
        ("notice: Result of monitor operation for elastic-ip on PRep-01: 7 (not running)", "crmd", ("failed", ONE)),
        ("notice: Node PRep-02 state is now lost", "pacemaker-attrd", ("left", TWO)),
        (
            "notice: Setting fail-count-elastic-ip#monitor_10000[PRep-01]: 1 -> (unset)",
            "pacemaker-attrd",
            ("cleared", ONE),
        ),
        ("notice: Peer PRep-02 was terminated (reboot) by PRep-01: OK", "pacemaker-controld", ("fenced", TWO)),
        (
            "notice: Peer PRep-02 was not terminated (reboot) by the cluster on behalf of controld.9@PRep-01: Error (no route)",
            "pacemaker-controld",
            ("not fenced", TWO),
        ),
    ],
)
def test_lines_of_pacemaker(said: str, who: str, expected: tuple[str, str]) -> None:
    assert events((line(said, who), ONE)) == [expected]


@pytest.mark.parametrize(
    "text",
    [
        line("notice: Result of probe operation for elastic-ip on PRep-01: not running"),
        line("notice: Result of monitor operation for elastic-ip on PRep-01: ok"),
        line("notice: Result of monitor operation for elastic-ip on PRep-01: OK"),
        line("notice: Node PRep-02 state is now member"),  # the controller's word: the attribute manager's counts
        line("notice: Node (null) state is now lost", "pacemaker-attrd"),  # the name is not known yet
        line("notice: Setting fail-count-(null)[PRep-01]: (unset) -> 1", "pacemaker-attrd"),
        line("Result of start operation for x on y: ok", "sshd"),  # somebody who writes like one of them
        "",
        "-- Journal begins at Mon 2026-11-23 --",
        "1795440000.1 host pacemaker-controld[1]:",
        "9" * 400 + ".0 host corosync[1]: [TOTEM ] A new membership (1.9) was formed. Members joined: " + "1 " * 200,
    ],
)
def test_what_is_no_event_is_passed_over(text: str) -> None:
    assert events((text, ONE)) == []


def test_who_joins_and_who_leaves_may_stand_on_one_line() -> None:
    text = "[TOTEM ] A new membership (1.d) was formed. Members joined: 1 left: 2"
    assert sorted(events((line(text, "corosync"), ONE))) == [("joined", ONE), ("left", TWO)]


def test_a_fencing_that_failed_says_why() -> None:
    said = (
        "notice: Peer PRep-02 was not terminated (reboot) by <anyone> on behalf of controld.9@PRep-01: No such device"
    )
    (event,) = parse_events([line(said)], NAMES, ONE)
    assert event_sentence(event) == "PRep-02 was to be fenced, and was not: reboot: No such device"


def test_a_cleared_count_is_cleared_in_the_words_of_every_release() -> None:
    for old in ("(unset)", "(null)"):
        text = line(f"info: Setting fail-count-elastic-ip#monitor_10000[PRep-01]: 2 -> {old} from PRep-02", "attrd")
        assert events((text, ONE)) == [("cleared", ONE)]


def test_two_failures_soon_after_one_another_are_two() -> None:
    text = "notice: Result of monitor operation for elastic-ip on PRep-01: not running"
    twice = f"{line(text, at=1795440000.0)}\n{line(text, at=1795440004.0)}"
    assert events((twice, ONE)) == [("failed", ONE), ("failed", ONE)]


def test_the_newest_stay_where_there_are_too_many() -> None:
    found = [ClusterEvent(float(at), "failed", ONE, "x") for at in range(0, 1000, 10)]
    assert [event.at for event in timeline(found, 3)] == [990.0, 980.0, 970.0]
