"""Megabytes from a node, from AWS or out of a file: the work grows as the text does, and comes to an end."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest
from status_world import NOW, ONE, Pair, watcher

from iconha_tui.causes import cause_of
from iconha_tui.cluster.corosync_conf import check, parse
from iconha_tui.cluster.crm_mon import parse_crm_mon
from iconha_tui.cluster.log_events import parse_events, timeline
from iconha_tui.cluster.membership import parse_links, parse_members, parse_quorum
from iconha_tui.cluster.untrusted_xml import MAX_BYTES, ClusterXMLError
from iconha_tui.engine import journal
from iconha_tui.redact import Redactor
from iconha_tui.remote.shell import AfterTag, new_tag
from iconha_tui.screens.transcript import Tail
from iconha_tui.status import eyes
from iconha_tui.text import LineSplitter, clean_block, strip_controls
from iconha_tui.widgets.scrollback import Scrollback

MEGABYTES, TEN_MEGABYTES = 2_000_000, 10_000_000


def calls_of(work: Callable[[], object]) -> int:
    """How many calls of functions a piece of work makes, C's included: a measure that no busy machine changes."""
    calls = 0

    def count(_frame: object, event: str, _arg: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return calls


@contextmanager
def comes_to_an_end() -> Iterator[None]:
    """Stops what has taken a minute of the processor: what is quadratic takes hours for megabytes."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise AssertionError("it does not come to an end")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, 60)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def splits(text: str) -> None:
    splitter = LineSplitter()
    raw = text.encode()
    for at in range(0, len(raw), 65_536):
        splitter.feed(raw[at : at + 65_536])
    splitter.end()


def waits_for_its_tag(text: str) -> None:
    after, raw = AfterTag(new_tag()), text.encode()
    for at in range(0, len(raw), 100):
        after.feed(raw[at : at + 100])


def is_shown(text: str) -> None:
    pane = Scrollback(most=20_000)
    pane.search("e")
    lines = text.split("\n")
    for at in range(0, len(lines), 1000):
        pane.add(lines[at : at + 1000])
    pane.filter("o")
    pane.search("notice")
    pane.lay_out(40)
    for y in (0, pane.height // 2, pane.height - 1):
        row = pane.row(y)
        if row is not None:
            pane.spans(row)
            pane.y(row.number, row.end)


def is_told(text: str) -> None:
    timeline(parse_events(text.split("\n"), {}, ONE), 100)


NODES_SAY = {
    "members": (parse_members, "runtime.members.1.ip (str) = r(0) ip(10.0.0.1) \n"),
    "links": (parse_links, "LINK ID 0\n\taddr\t= 10.0.0.1\n\tstatus:\n\t\tnodeid:  1:\tconnected\n"),
    "quorum": (parse_quorum, "Membership information\n 1 1 node (local)\nFlags: x\n"),
    "an open link": (parse_links, "\t" * 50),
    "a wide member": (parse_quorum, "Membership information\n1 1 " + " x" * 50),
    "starts": (
        is_told,
        "1700000000.000001 h pacemaker-controld[1]:  notice: Result of start operation for e on a: ok\n",
    ),
    "joins": (
        is_told,
        f"1700000000.000001 h pacemaker-attrd[1]:  notice: Node {ONE} state is now member\n"
        "1800000000.000001 h pacemaker-attrd[1]:  notice: Node other state is now member\n",
    ),
    "counts": (
        is_told,
        "1700000000.000001 h attrd[1]:  notice: Setting fail-count-e#[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]: x -> 1\n",
    ),
    "splitting": (splits, "some words, \x1b[31mred\x1b[0m\n"),
    "an open sequence": (splits, "\x1b]52;c;"),
    "returns": (splits, "Progress: 1\r"),
    "noise before the tag": (waits_for_its_tag, "iconha-00000000"),
    "cleaning": (strip_controls, "\x1b[1\x1b]0;x\x9b"),
    "a block": (clean_block, "\x1b\x1b[ \r\n"),
    "what a pane shows": (is_shown, "one notice of some length, and more\n"),
    "one line of a pane": (is_shown, "notice 한국어 "),
    "redaction": (
        lambda text: Redactor(lambda each: each).clean(text),
        'name="passw" value="x" 10.0.0.1 a@b.c AKIA secret_key=x arn:aws:iam::1:u/x 1:2:3 -----BEGIN :// authorization: \n',
    ),
    "a cause": (lambda text: cause_of("", text, text), "sudo: Could not connect to x:1 ( Release file x\n"),
}
"""What reads it -> the reader, and what a hostile node repeats."""


@pytest.mark.parametrize(("read", "unit"), NODES_SAY.values(), ids=NODES_SAY.keys())
def test_twice_what_a_node_says_is_at_most_twice_the_work(read: Callable[[str], object], unit: str) -> None:
    size = 60_000 // len(unit)
    once, twice = calls_of(lambda: read(unit * size)), calls_of(lambda: read(unit * size * 2))
    assert twice < 2.2 * once + 200


@pytest.mark.parametrize(("read", "unit"), NODES_SAY.values(), ids=NODES_SAY.keys())
def test_megabytes_that_a_node_says_come_to_an_end(read: Callable[[str], object], unit: str) -> None:
    with comes_to_an_end():
        read(unit * (MEGABYTES // len(unit)))


# The status

XML = {
    "resources": '<resource id="r{n}" resource_agent="ocf::heartbeat:awseip"/>',
    "one resource": '<resource id="r" resource_agent="x"><node name="a"/></resource>',
    "failures": '<failure op_key="r{n}_start_0" node="a" exitcode="1"/>',
    "histories": '<node name="a"><resource_history id="r{n}"><operation_history task="start" rc="0"/></resource_history></node>',
    "nodes": '<node name="n{n}" id="{n}"/>',
}


def whole(unit: str, count: int) -> str:
    parts = "".join(unit.format(n=n) for n in range(count))
    named = "".join(f"<{each}>{parts}</{each}>" for each in ("nodes", "resources", "failures", "node_history"))
    return f'<crm_mon><summary><current_dc present="true" with_quorum="true"/></summary>{named}</crm_mon>'


@pytest.mark.parametrize("unit", XML.values(), ids=XML.keys())
def test_a_report_of_twice_the_cluster_is_twice_the_work(unit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def report(count: int) -> int:
        pair = Pair()
        seen = watcher(pair)
        look = pair.look
        pair.look = lambda name: f"{look(name).partition('@@iconha monitor')[0]}@@iconha monitor\n{whole(unit, count)}"  # type: ignore[method-assign]
        assert seen.look_once().at > NOW - 1e9
        return calls_of(lambda: seen.report().to_dict())

    once, twice = report(200), report(400)
    assert twice < 2.2 * once + 2000


def test_an_xml_of_ten_megabytes_is_refused_and_one_of_many_elements_too() -> None:
    with comes_to_an_end():
        for xml in ("<crm_mon>" + "<a/>" * 2_500_000, "<crm_mon>" + "<a/>" * (MAX_BYTES // 5)):
            with pytest.raises(ClusterXMLError, match="more than"):
                parse_crm_mon(xml)


def test_a_look_that_brings_megabytes_is_not_read() -> None:
    assert eyes.ROOM < TEN_MEGABYTES


# corosync.conf

GROWING = {
    "lines that are none": "x\n",
    "open sections": "a {\n",
    "closed sections": "a {\n}\n",
    "closing braces": "}\n",
    "items": "key: value\n",
    "comments": "# x\n",
    "nodes": "nodelist {\nnode {\nring0_addr: 10.0.0.1\n}\n}\n",
    "interfaces": "totem {\ninterface {\nlinknumber: 1\n}\n}\n",
    "loggers": "logging {\nlogger_subsys {\nsubsys: X\n}\n}\n",
    "one long line": "x",
    "blanks": " ",
    "colons": ":",
    "carriage returns": "\r",
    "nuls": "\0",
}


@pytest.mark.parametrize("unit", GROWING.values(), ids=GROWING.keys())
@pytest.mark.parametrize("read", [parse, check])
def test_twice_the_file_is_at_most_twice_the_work(unit: str, read: Callable[[str], object]) -> None:
    size = 30_000 // len(unit)
    once, twice = calls_of(lambda: read(unit * size)), calls_of(lambda: read(unit * size * 2))
    assert twice < 2.2 * once + 200


def test_ten_megabytes_are_no_more_work_than_one() -> None:
    assert calls_of(lambda: check("x\n" * 5_000_000)) < 100


# What is kept here

LINES = {
    "steps": '{"event": "StepStarted", "at": 1, "stage": "a", "step": "b", "title": "c"}\n',
    "other stages": '{"event": "StageStarted", "at": 1, "stage": "s{n}"}\n',
    "other targets": '{"event": "ActionStarted", "at": 1, "stage": "a", "step": "b", "target": "t{n}", "index": 1, "of": 1, '
    '"shown": "x", "why": ""}\n',
    "looks": '{"event": "RunStarted", "at": 1, "stages": ["a", "b"], "mode": "survey"}\n'
    '{"event": "StageFinished", "at": 1, "stage": "a", "outcome": "todo", "changed": false, "seconds": 1}\n',
    "damage": "garbage\n",
    "nesting": "[" * 900 + "\n",
}


@pytest.mark.parametrize("unit", LINES.values(), ids=LINES.keys())
def test_a_journal_of_twice_the_length_is_twice_the_work(unit: str, tmp_path: Path) -> None:
    def read(count: int) -> int:
        path = tmp_path / f"{count}.jsonl"
        path.write_text("".join(unit.replace("{n}", str(n)) for n in range(count)))
        return calls_of(lambda: journal.progress_of(path))

    once, twice = read(500), read(1000)
    assert twice < 2.2 * once + 200


def test_a_run_of_very_many_stages_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    names = ", ".join(f'"{n}"' for n in range(100_000))
    found = '{"event": "StageFinished", "at": 1, "stage": "0", "outcome": "todo", "changed": false, "seconds": 1}\n'
    path.write_text(f'{{"event": "RunStarted", "at": 1, "stages": [{names}], "mode": "survey"}}\n' + found * 20_000)
    with comes_to_an_end():
        assert journal.progress_of(path).unread == 1, "no run has as many stages"


def test_a_transcript_of_ten_megabytes_is_read_in_portions_and_searched(tmp_path: Path) -> None:
    path = tmp_path / "transcript.log"
    path.write_text("12:00:00 PRep-01 | \x1b[31msome words\n" * (TEN_MEGABYTES // 40) + "x" * 1_000_000 + "\nlast\n")
    tail, view = Tail(path), Scrollback()
    with comes_to_an_end():
        while lines := tail.lines():
            view.add(lines)
        view.search("last")
        view.filter("words")
        view.lay_out(60)
    assert view.lines[-1] == "last"
    assert not any("\x1b" in line for line in view.lines)
