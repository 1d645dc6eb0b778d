"""The status: what it says of a pair as it is, what it does where something does not answer, and that it only reads."""

from __future__ import annotations

import ast
import inspect
import json
import re
import threading
import time
from pathlib import Path
from threading import Event
from typing import Any

import jsonschema
import pytest
from stage_world import World
from status_world import ONE, TWO, Pair, PairEyes, watcher
from waiting import BOUND, wait_until

import iconha_tui.status
from iconha_tui.engine.events import ActionStarted
from iconha_tui.engine.journal import Journal
from iconha_tui.engine.ports import Completed
from iconha_tui.errors import Trouble
from iconha_tui.session import Session
from iconha_tui.spec import Spec
from iconha_tui.status import memory
from iconha_tui.status import report as reports
from iconha_tui.status.compose import compose
from iconha_tui.status.eyes import READS, Refused, SessionEyes, calls, look, read_only
from iconha_tui.status.report import Report
from iconha_tui.status.sentences import headline
from iconha_tui.status.text import Log, block, table
from iconha_tui.status.watcher import Watcher
from iconha_tui.store import Store

DOCS = Path(__file__).parents[2] / "docs"


def seen(**how: Any) -> Report:
    """One look at a pair."""
    return watcher(Pair(**how)).look_once()


@pytest.fixture(autouse=True)
def _without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("iconha_tui.status.watcher.AGAIN", 0)


# What it says


def test_a_healthy_pair_is_told_whole() -> None:
    report = seen()
    assert (report.verdict, report.code, report.agree) == ("ready", 0, True)
    assert (report.reasons, report.warnings, report.doubts) == ([], [], [])
    assert (report.standby, report.address_resource) == (TWO, "elastic-ip")
    one, two = report.nodes
    assert [node.name for node in report.nodes] == [ONE, TWO]
    assert (one.online, one.standby, one.dc, one.joined, one.answers) == (True, False, True, True, True)
    assert (one.corosync, one.pacemaker, one.os) == ("3.1.6", "2.1.2", "Ubuntu 22.04.5 LTS")
    assert (one.uptime_s, one.load) == (16346.5, 0.21)
    assert abs(one.clock_offset_s or 0) < 1
    assert [(link.number, link.address, link.ok) for link in two.links] == [(0, "10.0.0.12", True)]
    assert two.ports == {"7100": True, "9000": True}
    assert (two.chains[0].state, two.chains[0].height) == ("started", 47721051)
    assert (report.quorate, report.votes, report.expected_votes) == (True, 2, 2)
    assert report.quorum_flags == ["2Node", "Quorate", "WaitForAll"]
    assert (report.holder_by_ec2, report.holder_by_cluster, report.elastic_ip) == (ONE, ONE, "203.0.113.10")
    resource = report.resources[0]
    assert (resource.id, resource.role, resource.node, resource.failcounts) == (
        "elastic-ip",
        "Started",
        ONE,
        {ONE: 0, TWO: 0},
    )
    assert [(each.task, each.ok, each.seconds) for each in resource.operations] == [
        ("monitor", True, 0.729),
        ("start", True, 2.3),
    ]
    assert resource.since == 1795440216.0
    assert [event.text for event in report.events][-3:] == [
        "the cluster has quorum",
        "PRep-01 joined the cluster",
        "PRep-02 joined the cluster",
    ]
    assert [source.age_s is not None and source.age_s < 5 for source in report.sources] == [True] * 8


def test_an_operation_that_is_under_way_is_no_failure() -> None:
    """Pacemaker writes it into the history as it begins, with an exit code of its own: as on the lab after a takeover."""
    report = seen(under_way=True)
    assert [(each.task, each.ok, each.result) for each in report.resources[0].operations[:2]] == [
        ("monitor", True, "ok"),
        ("monitor", None, "under way"),
    ]
    assert [event.at for event in report.events] == [event.at for event in seen().events]
    assert report.verdict == "ready"


@pytest.mark.parametrize(
    ("how", "verdict", "sentence"),
    [
        ({"by_ec2": TWO}, "split", "by EC2's word PRep-02 holds the Elastic IP, by the cluster's PRep-01."),
        ({"cut": True}, "split", "Each node has the other as lost"),
        ({"by_ec2": ""}, "down", "By EC2's word nobody holds the Elastic IP. The cluster has it on PRep-01."),
        ({"holder": "", "by_ec2": ""}, "down", "By EC2's word nobody holds the Elastic IP."),
        ({"states": {ONE: "stopped", TWO: "stopped"}, "by_ec2": ""}, "down", "PRep-01: the instance is stopped."),
        ({"states": {ONE: "stopped", TWO: "running"}, "stopped": {TWO}}, "down", "PRep-01: the instance is stopped."),
        (
            {"stopped": {ONE, TWO}, "by_ec2": ""},
            "down",
            "PRep-01: the cluster does not run there (corosync inactive, pacemaker inactive).",
        ),
        (
            {"stopped": {ONE, TWO}},
            "not_ready",
            "PRep-01: the cluster does not run there (corosync inactive, pacemaker inactive).",
        ),
        ({"offline": {TWO}}, "not_ready", "PRep-02 is offline in the cluster."),
        (
            {"holder": TWO, "by_ec2": TWO, "standby": True},
            "not_ready",
            "PRep-01 is on standby: nothing can move to it.",
        ),
        ({"states": {ONE: "running", TWO: "stopped"}}, "not_ready", "PRep-02: the instance is stopped."),
        ({"chain": "stopped"}, "not_ready", "PRep-01: the P-Rep's chain icon_dex is stopped."),
        ({"ahead": -90.0}, "not_ready", "PRep-02: its clock is 90 s behind."),
        (
            {"no_place": True},
            "not_ready",
            "By Pacemaker's own scheduler elastic-ip would run nowhere if PRep-01 were lost.",
        ),
        ({"cut_off": {ONE, TWO}}, "not_ready", "PRep-02: Corosync's heartbeat has stopped"),
        ({"token_ms": 97_000}, "not_ready", "PRep-01: Corosync's heartbeat has stopped (token last seen 97 s ago)"),
        ({"not_at_boot": {TWO}}, "not_ready", "PRep-02: Pacemaker does not start at boot"),
        (
            {"fail_counts": {TWO: "INFINITY"}, "no_place": True},
            "not_ready",
            "elastic-ip has failed too often on PRep-02 (fail count INFINITY).",
        ),
        ({"unfenced": True}, "not_ready", "Fencing is on (stonith-enabled), and PRep-01 could not be fenced"),
        ({"hangs": {TWO}}, "not_ready", "PRep-02: Pacemaker's controller does not answer"),
        ({"hangs": {ONE}}, "not_ready", "PRep-01: Pacemaker's controller does not answer"),
        ({"lacks": {TWO: {"agent"}}}, "not_ready", "PRep-02: the agent awseip is not there."),
        ({"lacks": {TWO: {"awscli"}}}, "not_ready", "PRep-02: the AWS CLI is not there (/usr/bin/aws)."),
        ({"refused": "Unable to locate credentials"}, "not_ready", "PRep-02: awseip's calls of AWS fail as root"),
        ({"options": 'maintenance-mode="true"'}, "not_ready", "The cluster is in maintenance mode"),
        ({"options": 'stop-all-resources="true"'}, "not_ready", "The cluster is told to stop all resources"),
        ({"full": "/var/log"}, "not_ready", "PRep-01: the disk is full (/var/log)."),
        (
            {"full": "/dev/shm"},
            "not_ready",
            "PRep-02: /dev/shm has too little room (0 MiB): each connection to Corosync",
        ),
        (
            {"unsaid": {TWO: {"monitor"}}},
            "not_ready",
            "PRep-02: the cluster gives no answer there, though its services run (crm_mon says nothing).",
        ),
    ],
)
def test_what_stands_in_the_way_is_a_sentence_with_a_code_and_what_to_do(
    how: dict[str, Any], verdict: str, sentence: str
) -> None:
    report = seen(**how)
    assert report.verdict == verdict
    assert report.code != 0
    assert any(sentence in reason.text for reason in report.reasons), report.reasons
    for reason in report.reasons:
        assert reason.code.replace("_", "").isalnum()
        assert reason.text


@pytest.mark.parametrize("how", [{"lacks": {ONE: {"agent", "awscli"}}}, {"fails": 2}, {"closed": {9000}}])
def test_what_does_not_hinder_the_standby_does_not_change_the_verdict(how: dict[str, Any]) -> None:
    assert seen(**how).verdict == "ready"


def test_the_calls_are_tried_where_the_address_is_not() -> None:
    watch = watcher(Pair(holder=TWO, by_ec2=TWO))
    report = watch.look_once()
    assert (report.standby, report.verdict) == (ONE, "ready")
    assert [each for each in watch._eyes.asked if each.startswith("calls")] == [f"calls {ONE}"]  # type: ignore[attr-defined]
    assert [len(node.calls) for node in report.nodes] == [4, 0]


def test_calls_that_were_not_tried_leave_it_unknown() -> None:
    eyes = PairEyes(Pair())
    eyes.calls = lambda name: 1 / 0  # type: ignore[assignment,return-value,method-assign]
    report = Watcher(Spec(name="icon"), eyes).look_once()
    assert (report.verdict, report.code) == ("unknown", 3)
    assert [doubt.code for doubt in report.doubts] == ["calls_not_tried"]


@pytest.mark.parametrize(
    ("how", "doubt"),
    [
        ({"epochs": {ONE: 12, TWO: 11}}, "different versions of the configuration: PRep-01 0.12.4, PRep-02 0.11.4."),
        ({"away": {"aws": "No AWS credentials were found."}}, "AWS gives no answer: No AWS credentials were found."),
        ({"away": {TWO: "No route to host."}}, "PRep-02 does not answer: No route to host."),
        ({"unsaid": {ONE: {"quorum"}}}, "PRep-01: the cluster's tools do not tell whether it has quorum."),
        ({"unsaid": {TWO: {"heartbeat"}}}, "PRep-02: the cluster's tools do not tell when it last heard the token."),
        ({"unsaid": {TWO: {"cib"}}}, "PRep-02: the cluster's tools do not tell its version of the configuration."),
        ({"away": {ONE: "No route to host.", TWO: "No route to host."}}, "PRep-01 does not answer: No route to host."),
        ({"away": {"aws": "x.", ONE: "x.", TWO: "x.", "ports": "x."}}, "AWS gives no answer: x."),
    ],
)
def test_where_too_little_is_known_it_is_unknown_and_not_ready(how: dict[str, Any], doubt: str) -> None:
    report = seen(**how)
    assert (report.verdict, report.code) == ("unknown", 3)
    assert any(doubt in each.text for each in report.doubts), report.doubts


@pytest.mark.parametrize("part", ["quorum", "heartbeat", "cib", "members", "controller", "monitor", "links"])
def test_what_a_tool_does_not_tell_is_never_told_as_a_no(part: str) -> None:
    report = seen(unsaid={TWO: {part}})
    told = "\n".join([each.text for each in (*report.reasons, *report.doubts)] + [block(report)])
    assert "PRep-01 has quorum, PRep-02 has none" not in told
    assert "does not run there" not in told
    assert "NO MEMBER" not in told
    assert "have different" not in told


def test_a_contradiction_that_passes_is_none() -> None:
    """The nodes change one after the other: a look that falls between is taken again."""
    pair = Pair(epochs={ONE: 12, TWO: 11})
    watch = watcher(pair)
    eyes: Any = watch._eyes
    seen_before, real = [], eyes.node

    def node(name: str) -> Any:
        answer = real(name)
        seen_before.append(name)
        if len(seen_before) == 2:
            pair.epochs[TWO] = 12
        return answer

    eyes.node = node
    assert watch.look_once().verdict == "ready"
    assert len(seen_before) == 4


def test_nodes_that_are_known_to_run_work_while_the_client_of_aws_is_made(tmp_path: Path) -> None:
    """The nodes take longest: who asks AWS first has them wait."""
    kept = tmp_path / "status.json"
    for asked_first in ("aws", "node"):
        watch = watcher(Pair(), kept=kept)
        watch.look_once()
        eyes: Any = watch._eyes
        asked = eyes.asked
        assert ("aws" if asked[0] == "aws" else "node") == asked_first
        assert asked_first == "aws" or asked.index("aws") > max(asked.index(ONE), asked.index(TWO))


def test_what_was_said_at_different_times_is_not_compared() -> None:
    """A node that fell silent told of another world: that is no split."""
    pair = Pair()
    watch = watcher(pair, every=1000)
    watch.look_once()
    pair.away, pair.offline = {ONE: "It does not answer."}, {ONE}
    pair.holder = pair.by_ec2 = pair.dc = TWO
    report = watch.look_once()
    assert report.verdict == "not_ready"
    assert [reason.code for reason in report.reasons] == ["standby_offline"]
    assert report.doubts[0].text.startswith("PRep-01 does not answer")


def test_an_answer_that_no_newer_one_follows_counts_no_longer() -> None:
    """A node that is frozen neither answers nor fails: what it last said grows old."""
    watch = watcher(Pair())
    watch.look_once()
    known = watch._snapshot()
    now = max(part.seen_at or 0 for part in known.values())
    assert compose(watch.spec, known, now + 14, 15).verdict == "ready"
    report = compose(watch.spec, known, now + 40, 15)
    assert (report.verdict, report.agree) == ("unknown", None)
    assert "PRep-02 has not answered for 40 s." in headline(report)
    assert [view.current for view in report.views] == [False, False]


def test_a_pair_that_was_never_built_is_said_to_be_none() -> None:
    pair = Pair()
    pair.aws = lambda: {"elastic_ip": None, "holder": None}  # type: ignore[method-assign]
    report = watcher(pair).look_once()
    assert (report.verdict, report.code) == ("not_built", 7)
    assert [reason.code for reason in report.reasons] == ["no_machines"]
    assert report.doubts == []


def test_a_machine_that_is_off_is_started_in_the_clusters_own_account() -> None:
    spec = Spec(name="icon")
    spec.aws.profile, spec.aws.region = "work", "eu-west-1"
    report = watcher(Pair(states={ONE: "running", TWO: "stopped"}), spec).look_once()
    (told,) = [reason.command for reason in report.reasons if reason.code == "machine_off"]
    assert told.startswith("aws ec2 start-instances --instance-ids i-")
    assert told.endswith(" --region eu-west-1 --profile work")


def test_machines_without_the_address_s_resource_are_no_pair_yet() -> None:
    pair = Pair(stopped={ONE, TWO}, by_ec2="")
    whole = pair.look
    pair.look = lambda name: whole(name).replace("configured\nyes", "configured\nno")  # type: ignore[method-assign]
    report = watcher(pair).look_once()
    assert (report.verdict, [reason.code for reason in report.reasons]) == ("not_built", ["no_resource"])


def test_what_this_program_did_itself_is_told_as_such(tmp_path: Path) -> None:
    """PRep-01's Corosync began at 13:16:52 by the journal of the node: by ours we had started it a second before."""
    journal = Journal(tmp_path)
    started = ActionStarted("corosync", "corosync.joined", ONE, 1, 1, "systemctl restart corosync", "")
    journal(started)
    journal.close()
    path = tmp_path / "journal.jsonl"
    at = 1795439811.0
    path.write_text(re.sub(r'"at": ?[0-9.]+', f'"at": {at}', path.read_text()))
    told = [event.text for event in watcher(Pair(), journal=path).look_once().events]
    ours = " (this program ran `systemctl restart corosync` on PRep-01)"
    assert f"PRep-01 joined the cluster{ours}" in told
    assert "PRep-02 joined the cluster" in told
    assert not [text for text in told if "failed" in text and ours in text]


def test_what_each_node_said_is_kept_apart() -> None:
    one, two = seen(cut=True, cut_off={TWO}, token_ms=2500).views
    assert (one.online, two.online) == ({ONE: True, TWO: False}, {ONE: False, TWO: True})
    assert (one.dc, two.dc, one.holder, two.holder) == (ONE, TWO, [ONE], [TWO])
    assert (one.cut_off, two.cut_off, two.token_age_s) == (False, True, 2.5)
    assert (one.cib, two.takeover) == ("0.12.4", [TWO])


def test_a_dead_link_to_a_node_that_is_gone_is_no_problem_of_its_own() -> None:
    assert not [each for each in seen(offline={TWO}).reasons if "link" in each.text]


def test_a_closed_port_of_the_holder_is_a_warning_and_does_not_degrade() -> None:
    report = seen(closed={9000})
    assert report.verdict == "ready"
    assert report.warnings == ["PRep-01 has the address, and its port 9000 does not answer."]


def test_the_view_of_a_node_that_is_cut_off_is_not_the_one_that_is_taken() -> None:
    watch = watcher(Pair(dc=TWO))
    assert watch.look_once().seen_by == TWO


# What is old


def test_what_does_not_answer_any_more_keeps_what_was_known_with_its_age() -> None:
    pair = Pair()
    watch = watcher(pair)
    watch.look_once()
    pair.away = {ONE: "It does not answer.", "aws": "The session token has expired.", "ports": "No route to host."}
    report = watch.look_once()
    one, two = report.nodes
    assert (one.answers, one.uptime_s, one.ports) == (False, 16346.5, {"7100": True, "9000": True})
    assert (one.instance_id, report.elastic_ip) == ("i-00000000000000001", "203.0.113.10")
    assert two.answers is True
    for part, node in (("aws", None), ("node", ONE), ("ports", ONE)):
        source = report.source(part, node)
        assert source.trouble
        assert source.age_s is not None
    assert report.agree is None, "an old word is compared with nothing"
    assert report.seen_by == TWO
    assert report.verdict == "unknown"


def test_a_cluster_that_is_stopped_leaves_its_last_state_in_sight() -> None:
    pair = Pair()
    watch = watcher(pair)
    watch.look_once()
    pair.stopped = {ONE, TWO}
    report = watch.look_once()
    assert report.view.trouble
    assert [resource.id for resource in report.resources] == ["elastic-ip"]
    assert [node.online for node in report.nodes] == [False, False], "their own Pacemaker does not run"


def test_the_last_answers_outlive_the_program_and_find_the_nodes_where_aws_does_not_answer(tmp_path: Path) -> None:
    kept = tmp_path / "status.json"
    watcher(Pair(), kept=kept).look_once()
    assert kept.stat().st_mode & 0o077 == 0
    eyes = PairEyes(Pair(away={"aws": "No AWS credentials were found."}))
    report = Watcher(Spec(name="icon"), eyes, kept=kept).look_once()
    assert eyes.remembered[0]["PRep-01.public_ip"] == "203.0.113.10"
    assert [node.answers for node in report.nodes] == [True, True]
    assert (report.holder_by_ec2, report.agree, report.verdict) == (ONE, None, "unknown")
    assert report.source("aws").trouble == "No AWS credentials were found."


def test_what_is_known_of_the_last_look_is_looked_at_while_aws_is_asked(tmp_path: Path) -> None:
    kept = tmp_path / "status.json"
    watcher(Pair(), kept=kept).look_once()
    eyes = PairEyes(Pair())
    ask, looked = eyes.aws, Event()
    look = eyes.node
    eyes.node = lambda name: (look(name), looked.set())[0]  # type: ignore[method-assign]
    eyes.aws = lambda: (looked.wait(BOUND), ask())[1]  # type: ignore[method-assign]
    report = Watcher(Spec(name="icon"), eyes, kept=kept).look_once()
    assert looked.is_set()
    assert report.verdict == "ready"
    assert sorted(eyes.asked) == sorted(["aws", ONE, TWO, "ports", "ports", f"calls {TWO}"])


def test_where_ec2_says_that_something_has_moved_both_nodes_are_looked_at_again(tmp_path: Path) -> None:
    kept = tmp_path / "status.json"
    watcher(Pair(), kept=kept).look_once()
    eyes = PairEyes(Pair(holder=TWO, by_ec2=TWO))
    report = Watcher(Spec(name="icon"), eyes, kept=kept).look_once()
    assert (report.verdict, report.holder) == ("ready", TWO)
    assert eyes.asked.count(f"calls {ONE}") == 1, "the standby is another now"
    assert min(eyes.asked.count(name) for name in (ONE, TWO)) == 2


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"form": 1}', '{"form": 1, "parts": [{"part": "node"}]}', "[" * 100_000]
)
def test_a_memory_that_cannot_be_read_is_none(content: str, tmp_path: Path) -> None:
    kept = tmp_path / "status.json"
    kept.write_text(content)
    assert watcher(Pair(), kept=kept).look_once().verdict == "ready"


def test_the_last_verdict_is_kept_with_its_time(tmp_path: Path) -> None:
    assert memory.last_verdict(tmp_path) is None
    watcher(Pair(), kept=tmp_path / "status.json").look_once()
    kept = memory.last_verdict(tmp_path)
    assert kept is not None
    assert (kept[0], abs(time.time() - kept[1]) < 60) == ("ready", True)
    assert (tmp_path / "verdict.json").stat().st_mode & 0o077 == 0
    watch = watcher(Pair(no_place=True), kept=tmp_path / "status.json", every=0.01)
    watch.start()
    try:
        wait_until(lambda: (memory.last_verdict(tmp_path) or ("", 0))[0] == "not_ready")
    finally:
        watch.close()


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"form": 1, "verdict": "healthy", "at": 1}', '{"form": 1, "verdict": [], "at": 1}', "[" * 9999],
)
def test_a_kept_verdict_that_cannot_be_read_is_none(content: str, tmp_path: Path) -> None:
    (tmp_path / "verdict.json").write_text(content)
    assert memory.last_verdict(tmp_path) is None


def test_a_cluster_that_was_forgotten_meanwhile_is_not_remembered(tmp_path: Path) -> None:
    watcher(Pair(), kept=tmp_path / "gone" / "status.json").look_once()
    assert not (tmp_path / "gone").exists()


def test_the_end_of_the_program_waits_for_what_is_being_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else half a file would be left, of a write that the end cut short."""
    gate, kept = Event(), tmp_path / "status.json"
    real = memory.save
    monkeypatch.setattr(memory, "save", lambda *args: (gate.wait(BOUND), real(*args)))
    watch = watcher(Pair(), kept=kept)
    watch.start()
    wait_until(lambda: watch.turns >= 5)
    others = set(threading.enumerate())  # a watcher of another test may still be keeping
    watch.close()
    (keeping,) = (thread for thread in set(threading.enumerate()) - others if thread.name == "status-keep")
    assert not keeping.daemon
    gate.set()
    keeping.join(BOUND)
    assert {"status.json"} <= {path.name for path in tmp_path.iterdir()} <= {"status.json", "verdict.json"}


def test_a_slow_look_holds_up_no_other() -> None:
    gate = Event()
    eyes = PairEyes(Pair())
    quick = eyes.node
    eyes.node = lambda name: (gate.wait(BOUND), quick(name))[1] if name == ONE else quick(name)  # type: ignore[method-assign]
    watch = Watcher(Spec(name="icon"), eyes, every=0.01)
    watch.start()
    try:
        wait_until(lambda: eyes.asked.count(TWO) > 3 and eyes.asked.count("aws") > 3)
        report = watch.report()
        assert (report.seen_by, report.source("node", ONE).seen_at) == (TWO, None)
        assert report.nodes[0].online is True, "the other node tells of it"
    finally:
        gate.set()
        watch.close()
    wait_until(lambda: eyes.closed)


def test_an_error_that_nobody_foresaw_is_a_sentence_of_its_part() -> None:
    eyes = PairEyes(Pair())
    eyes.ports = lambda address: 1 / 0  # type: ignore[assignment,return-value,method-assign]
    report = Watcher(Spec(name="icon"), eyes).look_once()
    assert "ZeroDivisionError" in report.source("ports", ONE).trouble
    assert report.quorate is True


@pytest.mark.parametrize(
    "said", ["", "@@iconha machine\nnonsense", "@@iconha monitor\n<a/>" * 50, "\x00\ud800", "nan inf -1e999"]
)
def test_a_node_that_answers_nonsense_is_told_and_breaks_nothing(said: str) -> None:
    pair = Pair()
    pair.look = lambda name: said  # type: ignore[method-assign]
    report = watcher(pair).look_once()
    assert report.verdict == "not_ready"
    json.dumps(report.to_dict(), allow_nan=False)
    assert block(report)


# Read-only


class Recorder:
    """A session's context that writes down all that is asked of AWS and of the nodes."""

    def __init__(self, store: Store) -> None:
        self.session = Session(store, Spec(name="icon"), confirm_host_key=lambda *_: False)
        self.world = World(facts={"holder": "i-00000000000000001"})
        ctx = self.session.ctx
        ctx.cloud, ctx.node, ctx.reach = self.world.cloud, self.world.nodes.__getitem__, lambda host, port: "refused"
        self.world.cloud.says = {
            "describe_addresses": {"Addresses": [{"AllocationId": "eipalloc-1", "PublicIp": "203.0.113.10"}]},
            "describe_instances": {
                "Reservations": [{"Instances": [{"InstanceId": "i-00000000000000001", "State": {"Name": "running"},
                                                 "PublicIpAddress": "198.51.100.11", "PrivateIpAddress": "10.0.0.11"}]}]
            },
        }  # fmt: skip
        for name, node in self.world.nodes.items():
            node.says["sh -c"] = Completed(0, Pair().look(name), "")


def test_a_status_makes_only_the_describe_calls_and_gives_the_nodes_only_the_one_command(tmp_path: Path) -> None:
    recorder = Recorder(Store(tmp_path))
    watch = Watcher(Spec(name="icon"), SessionEyes(recorder.session))
    report = watch.look_once()
    assert report.source("node", ONE).trouble == ""
    asked = {("ec2", operation) for operation, _ in recorder.world.cloud.asked}
    assert asked == READS
    for name, node in recorder.world.nodes.items():
        spec = Spec(name="icon")
        assert set(node.ran) <= {("sh", "-c", look(spec, name)), ("sh", "-c", calls(spec))}


def test_a_secret_that_a_node_tells_is_neither_shown_nor_remembered(tmp_path: Path) -> None:
    recorder = Recorder(Store(tmp_path))
    secret = "wJalrXUtnFEMI/K7MDENG"
    recorder.session.keep_secret("aws_secret_access_key", secret)
    told = (
        Pair()
        .look(ONE)
        .replace("Ubuntu 22.04", f"Ubuntu {secret}")
        .replace("Result of stop", f"Result of {secret} stop")
    )
    assert secret in told
    recorder.world.nodes[ONE].says["sh -c"] = Completed(0, told, "")
    report = Watcher(Spec(name="icon"), SessionEyes(recorder.session)).look_once()
    assert report.source("node", ONE).trouble == ""
    assert secret not in json.dumps(report.to_dict())
    assert not [file for file in tmp_path.rglob("*") if file.is_file() and secret in file.read_text(errors="replace")]


def test_what_a_status_looks_through_refuses_everything_else(tmp_path: Path) -> None:
    ctx = read_only(Recorder(Store(tmp_path)).session.ctx)
    node = ctx.node(ONE)
    for forbidden in (
        lambda: ctx.cloud.call("ec2", "associate_address", {}),
        lambda: ctx.cloud.call("ec2", "describe_tags", {}),
        lambda: ctx.node_cloud(),
        lambda: node.run(("crm", "node", "standby", ONE)),
        lambda: node.run(("sh", "-c", look(ctx.spec, ONE) + "; reboot")),
        lambda: node.run(("sh", "-c", look(ctx.spec, TWO))),
        lambda: node.run(("sh", "-c", look(ctx.spec, ONE)), stdin=b"x"),
        lambda: node.run_long("key", ("sh", "-c", look(ctx.spec, ONE))),
        lambda: node.read("/etc/shadow"),
        lambda: node.write("/etc/passwd", b""),
    ):
        with pytest.raises(Refused):
            forbidden()


@pytest.mark.parametrize("script", [look(Spec(name="icon"), ONE), calls(Spec(name="icon"))])
def test_the_commands_write_nowhere(script: str) -> None:
    assert ">" not in script.replace("2>/dev/null", "").replace("2>&1", "")
    harmless = {
        "systemctl": ("is-active", "is-enabled", "show"),
        "crm_resource": ("-r elastic-ip -g ",),
        "crm_simulate": ("--live-check --simulate --node-",),
        "cibadmin": ("--query --local --no-children",),
        "crm_mon": ("-X",),
        "corosync-cmapctl": ("| grep", "-m stats stats.", "runtime."),
        "corosync-cfgtool": ("-s",),
        "corosync-quorumtool": ("-s",),
        "associate-address": ("--dry-run",),
        "disassociate-address": ("--dry-run",),
        "curl": ("-sfm 5",),
    }
    for program, options in harmless.items():
        for use in script.split(f" {program} ")[1:]:
            assert use.startswith(options), use[:60]
    words = set(re.findall(r"[A-Za-z_-]+", script))
    assert not words & {
        "rm",
        "mv",
        "cp",
        "tee",
        "dd",
        "kill",
        "touch",
        "mkdir",
        "install",
        "crm",
        "pcs",
        "crm_attribute",
    }


def test_no_module_of_the_status_knows_how_to_act() -> None:
    """Only `eyes` and the package itself see a session; none imports an action, the runner or the interpreter."""
    for path in Path(iconha_tui.status.__file__).parent.glob("*.py"):
        modules = {
            node.module or "" for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)
        }
        assert not modules & {"iconha_tui.engine.actions", "iconha_tui.engine.runner", "iconha_tui.engine.interpreter"}
        assert "subprocess" not in path.read_text()
        if path.stem not in ("eyes", "__init__"):
            assert "iconha_tui.session" not in modules, path.name


# Its forms


def test_the_json_is_as_the_documented_schema_says() -> None:
    schema = json.loads((DOCS / "status.schema.json").read_text())
    assert schema == json.loads(json.dumps(reports.json_schema())), "`python docs/status_schema.py` writes it anew"
    pairs: list[dict[str, Any]] = [
        {},
        {"offline": {TWO}},
        {"stopped": {ONE, TWO}},
        {"by_ec2": ""},
        {"cut": True},
        {"refused": "x"},
        {"away": {"aws": "x", ONE: "x", TWO: "x", "ports": "x"}},
    ]
    for how in pairs:
        told = json.loads(json.dumps(seen(**how).to_dict(), allow_nan=False))
        jsonschema.validate(told, schema)
        assert told["schema"] == reports.SCHEMA


def test_every_field_of_the_json_is_described() -> None:
    schema = reports.json_schema()
    for kind in (schema, *schema["$defs"].values()):
        for name, field in kind.get("properties", {}).items():
            assert field.get("description"), name


def test_the_text_reads_in_a_log() -> None:
    told = block(seen(offline={TWO}, fails=1, closed={9000}))
    assert told.isascii()
    lines = told.splitlines()
    assert lines[0].startswith("icon: NOT READY at ")
    assert lines[1].strip() == "The address works. PRep-02 would not take it over."
    assert "  reason      PRep-02 is offline in the cluster." in lines
    assert any(line.strip().startswith("on PRep-02 $ sudo journalctl") for line in lines)
    assert "  note        PRep-01 has the address, and its port 9000 does not answer." in lines
    assert any(line.startswith("  PRep-02     OFFLINE, NO MEMBER") for line in lines)
    assert "EC2 says PRep-01, the cluster says PRep-01: they agree" in told


def test_a_log_tells_all_once_then_what_changes_then_that_it_still_looks() -> None:
    pair = Pair()
    watch = watcher(pair)
    log = Log()
    first = watch.look_once()
    assert log.lines(first) == [block(first)]
    assert log.lines(watch.look_once()) == []
    pair.offline, pair.dc = {TWO}, ONE
    changed = [line.partition("icon: ")[2] for line in log.lines(watch.look_once())]
    assert changed == [
        "NOT READY, was ready",
        "reason: PRep-02 is offline in the cluster.",
        "doubt: PRep-01 has PRep-02 as lost, and PRep-02 runs.",
    ]
    pair.offline = set()
    changed = [line.partition("icon: ")[2] for line in log.lines(watch.look_once())]
    assert changed == [
        "READY, was not ready",
        "solved: PRep-02 is offline in the cluster.",
        "settled: PRep-01 has PRep-02 as lost, and PRep-02 runs.",
    ]
    later = watch.look_once()
    later.at += 61
    assert log.lines(later)[0].endswith("icon: ready; the Elastic IP is on PRep-01; online: 2 of 2")


def test_a_table_has_a_line_a_cluster() -> None:
    lines = table([seen(), seen(by_ec2=TWO)]).splitlines()
    assert lines[0].split() == ["cluster", "verdict", "elastic", "ip", "holder", "online", "seen"]
    assert lines[1].split()[:7] == ["icon", "ready", "203.0.113.10", ONE, "2", "of", "2"]
    assert "EC2 PRep-02, cluster PRep-01: DISAGREE" in lines[2]


def test_signatures_of_the_eyes_are_those_that_a_watcher_uses() -> None:
    for name in ("aws", "node", "calls", "ports", "remember", "close"):
        real, fake = (inspect.signature(getattr(kind, name)) for kind in (SessionEyes, PairEyes))
        assert list(real.parameters) == list(fake.parameters)


def test_a_node_whose_address_changed_is_connected_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder(Store(tmp_path))
    eyes = SessionEyes(recorder.session)
    forgotten: list[str] = []
    monkeypatch.setattr(recorder.session, "forget", forgotten.append)
    facts = Pair().aws()
    eyes.remember(facts)
    assert forgotten == []
    eyes.remember(facts | {"PRep-01.public_ip": "198.51.100.99"})
    assert forgotten == [ONE]


def test_a_node_that_lets_nobody_become_root_says_so(tmp_path: Path) -> None:
    recorder = Recorder(Store(tmp_path))
    recorder.world.nodes[ONE].says["sh -c"] = Completed(1, "", "sudo: a password is required")
    with pytest.raises(Trouble, match="gave no answer"):
        SessionEyes(recorder.session).node(ONE)
