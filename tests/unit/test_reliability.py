"""The page of `make reliability`: a fault is one row, in the order of the tests, without what belongs to one lab."""

from __future__ import annotations

import pytest
import reliability
from faults import Row


def row(
    fault: str, sees: str = "it", *, section: str = "AWS", on: str = "Debian 12, crm", line: int = 1, runs: int = 1
) -> Row:
    return Row(section, fault, "so", sees, "well", runs, on, "test_x", line)


def test_a_fault_that_was_made_several_times_is_one_row_with_all_runs_in_its_last_words() -> None:
    rows = reliability.added_up([row("a", "old", runs=3), row("b", line=2), row("a", "new", runs=2)])
    assert [(each.fault, each.sees, each.runs) for each in rows] == [("a", "new", 5), ("b", "it", 1)]


def test_other_nodes_are_another_row() -> None:
    assert len(reliability.added_up([row("a"), row("a", on="Debian 12, pcs")])) == 2


def test_rows_stand_in_the_order_of_sections_and_tests_whoever_ended_first() -> None:
    found = reliability.added_up(
        [row("z", section="Zebra"), row("late", line=9), row("early", line=2), row("i", section="Interruption")]
    )
    assert [each.fault for each in found] == ["i", "early", "late", "z"]


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("/tmp/pytest-1/aws-config: There is no profile.", "…/aws-config: There is no profile."),
        ("`ssh-keygen -R i-0a1b2c3d4e5f60718 -f /root/x/known_hosts` and", "`ssh-keygen -R i-… -f …/known_hosts` and"),
        ("in /var/lib/dpkg/lock by process 4711", "in /var/lib/dpkg/lock by process …"),
        ("127.64.3.9 port 2222; 127.0.1.1 stays", "198.51.100.1 port 22; 127.0.1.1 stays"),
        ("account 123456789013, arn:aws:iam::1:user/lab", "account 123456789012, arn:aws:…"),
        ("iconha-faults-packages-install-prep-01-1-1772dbbf.service", "iconha-….service"),
        ("a | b\nc", "a \\| b c"),
    ],
)
def test_a_cell_holds_nothing_of_one_lab(said: str, shown: str) -> None:
    assert reliability._cell(said) == shown


def test_a_run_with_failures_says_so_and_every_module_of_faults_is_run() -> None:
    assert "Some tests failed" in reliability.page_of([row("a")], 3.0, failed=True)
    assert "in 3 minutes" in reliability.page_of([row("a")], 3.0)
    assert {"test_faults_aws", "test_faults_node", "test_operator"} < {path.stem for path in reliability.modules()}
