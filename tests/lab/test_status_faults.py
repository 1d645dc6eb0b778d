"""What a status says of a pair that is not as it should be: each state of status_faults.py is made, asked about, and undone."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from pairs import FIRST, Pair, as_who_signs_in, on_pairs
from printed import typed_here
from status_faults import EXIT_CODES, FAULTS, Fault, Stage

pytestmark = on_pairs(("bookworm", "crm"))

PATIENCE = 300.0
"""Seconds for what takes some: until a daemon has noticed, or a pair is whole again. Only a test that fails takes so long."""


@pytest.fixture
def pair(built_pair: Pair, monkeypatch: pytest.MonkeyPatch) -> Pair:
    """The pair, and its lab's AWS for what is asked in this process."""
    monkeypatch.setenv("ICONHA_STATE_DIR", str(built_pair.state))
    return built_pair


def ask(pair: Pair) -> dict[str, Any]:
    """`status --once --json`, with its exit code."""
    done = pair.program("status", pair.name, "--once", "--json", check=False)
    assert done.stdout, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told | {"exit code": done.returncode}


def wait(pair: Pair, true: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The first answer of which it is true; the last one where there is none."""
    deadline = time.monotonic() + PATIENCE
    while not true(told := ask(pair)) and time.monotonic() < deadline:
        time.sleep(3)  # to ask takes seconds of CPU time, which the cluster needs too
        pair.sh(FIRST, "crm_resource --wait --timeout 60s")
    return told


def codes(told: dict[str, Any]) -> set[str]:
    return {reason["code"] for reason in (*told["reasons"], *told["doubts"])}


def summary(told: dict[str, Any]) -> tuple[str, list[str], list[str]]:
    """What a failed test shows."""
    return told["verdict"], *([each["text"] for each in told[kind]] for kind in ("reasons", "doubts"))


def typed(pair: Pair, reason: dict[str, Any]) -> None:
    """Types what a reason tells to type, where it tells: it ends well. What opens the wizard is typed by the tests of that."""
    command = reason["command"]
    if reason["node"]:
        done = as_who_signs_in(pair, reason["node"], command)
        assert done.returncode == 0, f"{reason['code']}: {command}: {done.stdout}{done.stderr}"
    elif " ec2 " in command:
        typed_here(command)
    else:
        assert not command or command.endswith(f" --cluster {pair.name}"), command


@pytest.mark.parametrize(
    "fault", [pytest.param(each, id=each.id, marks=() if each.quick else pytest.mark.slow) for each in FAULTS]
)
def test_a_state_is_told_for_what_it_is_and_is_over_when_it_is_undone(pair: Pair, fault: Fault) -> None:
    def as_expected(told: dict[str, Any]) -> bool:
        return told["verdict"] == fault.verdict and (fault.reason in codes(told) or not fault.reason)

    with Stage(pair.lab).made(fault) as state:
        told = wait(pair, as_expected)
        assert as_expected(told), summary(told)
        assert told["exit code"] == EXIT_CODES[fault.verdict]
        # What is wrong is said with what to do about it, and the command that is told does it.
        assert any(reason["remedy"] for reason in told["reasons"]) == (fault.verdict not in ("ready", "unknown"))
        for reason in told["reasons"]:
            typed(pair, reason)
        if fault.mended:
            whole = wait(pair, lambda told: told["verdict"] == "ready")
            assert whole["verdict"] == "ready", summary(whole)
            state.over = True
    whole = wait(pair, lambda told: told["verdict"] == "ready")
    assert whole["verdict"] == "ready", summary(whole)
