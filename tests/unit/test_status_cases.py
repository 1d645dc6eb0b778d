"""The verdict of states that were made on real clusters: crm_mon's XML, and the scheduler's answer to the active node's loss."""

from __future__ import annotations

from pathlib import Path

import pytest
from status_world import ONE, TWO, Pair, PairEyes

from iconha_tui.spec import Spec
from iconha_tui.status.report import Report
from iconha_tui.status.watcher import Watcher

CASES = Path(__file__).with_name("cases") / "status"


def report_of(case: str, *, resource: str = "elastic-ip", by_ec2: str = ONE) -> Report:
    standby = TWO if by_ec2 == ONE else ONE
    pair = Pair(
        by_ec2=by_ec2,
        holder=by_ec2,
        monitor=(CASES / f"{case}.crm_mon-X.xml").read_text(),
        takeover={standby: (CASES / f"{case}.down").read_text()},
    )
    spec = Spec.model_validate({"name": "icon", "elastic_ip": {"id": resource}})
    return Watcher(spec, PairEyes(pair)).look_once()


@pytest.mark.parametrize(
    ("case", "verdict", "codes"),
    [
        ("a1-group-fine", "ready", []),
        ("b1-clone-both", "not_ready", ["active_on_both"]),
        ("b3-unique-clone", "not_ready", ["active_on_both"]),
        ("e1-other-probe-not-installed", "not_ready", ["probe_failed"]),
        ("f2-stop-failed-blocked", "not_ready", ["blocked"]),
        ("g1-no-dc", "not_ready", ["no_dc"]),
        ("g9-asymmetric-one-node-only", "not_ready", ["no_takeover"]),
        ("l1-health-red-migrate", "not_ready", ["health_red"]),
        ("m1-ban-by-pingd-rule", "not_ready", ["banned"]),
        ("p1-disabled-but-still-running", "not_ready", ["disabled"]),
        ("p16-failed-only-second-anon-clone-nofailcount", "not_ready", ["active_on_both", "failed"]),
    ],
)
def test_the_verdict_and_its_reasons(case: str, verdict: str, codes: list[str]) -> None:
    report = report_of(case)
    assert (report.verdict, [reason.code for reason in report.reasons]) == (verdict, codes)
    assert report.doubts == []


def test_a_renamed_resource_counts_by_the_spec_s_name_and_the_old_one_is_told() -> None:
    report = report_of("k1-renamed-old-orphan-running-first", resource="new-ip")
    assert (report.verdict, report.holder_by_cluster) == ("ready", ONE)
    assert "old-ip runs, and is no longer configured." in report.warnings


def test_the_holder_is_that_of_the_spec_s_resource_and_not_of_the_first_agent() -> None:
    report = report_of("q1-two-awseip-first-on-1-ours-on-2", by_ec2=TWO)
    assert (report.holder_by_cluster, report.agree, report.standby) == (TWO, True, ONE)
    wrong = report_of("q1-two-awseip-first-on-1-ours-on-2", by_ec2=ONE)
    assert (wrong.verdict, [reason.code for reason in wrong.reasons]) == ("split", ["ec2_disagrees"])


def test_a_rival_that_runs_hides_no_address_that_is_stopped() -> None:
    report = report_of("q2-two-awseip-first-on-1-ours-stopped", by_ec2="")
    assert (report.verdict, report.holder_by_cluster) == ("down", "")
    assert "disabled" in [reason.code for reason in report.reasons]
    with_rival = report_of("q2-two-awseip-first-on-1-ours-stopped", by_ec2=ONE)
    assert (with_rival.verdict, with_rival.agree) == ("not_ready", False)
    assert [reason.code for reason in with_rival.reasons] == ["not_watched", "disabled"]
