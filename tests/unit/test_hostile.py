"""What an operator, a node, AWS or a file supplies runs nowhere as code, moves no terminal, and is markup to nobody."""

from __future__ import annotations

import copy
import json
import logging
import os
import socket
import ssl
import stat
import subprocess
import threading
import tracemalloc
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from status_world import Pair, watcher
from test_spec import with_value
from waiting import BOUND

from iconha_tui import cli, log, summary
from iconha_tui import spec as specs
from iconha_tui.cloud.client import Client, cleaned
from iconha_tui.cluster.cib import parse_cib
from iconha_tui.cluster.corosync_conf import check
from iconha_tui.cluster.crm_mon import parse_crm_mon
from iconha_tui.cluster.untrusted_xml import ClusterXMLError
from iconha_tui.engine import plan as plans
from iconha_tui.engine.actions import SecretRef
from iconha_tui.engine.events import Output, StepFinished, to_dict
from iconha_tui.engine.journal import Journal
from iconha_tui.engine.script import _here, script_of
from iconha_tui.engine.step import Vault, View
from iconha_tui.errors import SpecTrouble, Trouble
from iconha_tui.lab.ca import make_authority
from iconha_tui.lines import JsonLines
from iconha_tui.masking import MASK
from iconha_tui.session import Session
from iconha_tui.spec import Aws, Spec
from iconha_tui.stages import STAGES
from iconha_tui.status.text import block, row
from iconha_tui.store import Store

SEQUENCES = (
    "\x1b[2J", "\x1b[1;1H", "\x1b]52;c;ZXZpbA==\x07", "\x1b]0;title\x1b\\", "\x1bP+q544e\x1b\\", "\x9b31m", "\x9d52;c;x\x9c",
    "\x1bc", "\x1b(0", "\u202e", "\u2066", "\u200f", "\u200b", "\ufeff", "\r", "\n", "\0", "\x07", "\x08", "\ud800", "\x7f",
    "[red]", "[/]", "[@click=app.quit]", "$(reboot)", "`reboot`", "; reboot", "'", '"', "\\", "⟪x⟫", "%s", "{0}",
)  # fmt: skip
NASTY = st.lists(st.sampled_from(SEQUENCES) | st.text(st.characters(), max_size=5), max_size=6).map("".join)


REORDERS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def moves_a_terminal(text: str, *, keep: str = "") -> list[str]:
    """The characters of a text that are no text, turn it round, or cannot be seen. keep: those that are allowed, as newlines."""
    return [
        char
        for char in text
        if char not in keep
        and (
            unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp")
            or unicodedata.bidirectional(char) in REORDERS
            or char in "\u200b\u200e\u200f\ufeff\xad"
        )
    ]


# Sentences


@settings(deadline=None)
@given(NASTY, NASTY, NASTY, NASTY)
@example("x" * 2_000_000, "\n" * 100_000, "\x1b]" * 100_000, "a\n" * 100_000)
def test_no_sentence_about_trouble_moves_a_terminal_or_fills_it(
    what: str, where: str, remedy: str, detail: str
) -> None:
    trouble = Trouble(what, where=where, remedy=remedy, detail=detail)
    assert moves_a_terminal(f"{trouble}{trouble.what}{trouble.where}{trouble.remedy}") == []
    assert moves_a_terminal(trouble.detail, keep="\n") == []
    assert len(str(trouble)) < 20_000
    assert len(trouble.detail.split("\n")) <= 100


# The spec


def places(data: Any) -> Iterator[tuple[str, ...]]:
    """Every value in a spec's plain form by the way to it, and every name that an operator may give in a table."""
    if isinstance(data, dict):
        for name, each in data.items():
            yield from ((name, *way) for way in places(each))
    elif isinstance(data, list):
        for number, each in enumerate(data):
            yield from ((str(number), *way) for way in places(each))
    else:
        yield ()


FULL = Spec.model_validate(
    {
        "instances": {"subnet_ids": ["subnet-0123456789abcdef0"]},
        "corosync": {"conf": {"PRep-01": "totem {\n\tversion: 2\n}\n"}},
    }
).model_dump(mode="json")
PLACES = sorted(places(FULL))
TABLES = [("pacemaker", "properties"), ("elastic_ip", "meta"), ("corosync", "conf")]
"""The tables whose names are the operator's."""


def test_every_setting_is_among_the_places() -> None:
    def leaves(model: type[BaseModel]) -> Iterator[tuple[str, ...]]:
        for name, field in model.model_fields.items():
            inner = [each for each in (field.annotation, *get_args(field.annotation)) if isinstance(each, type)]
            part = next((each for each in inner if issubclass(each, BaseModel)), None)
            yield from ((name, *way) for way in leaves(part)) if part else [(name,)]

    found = {tuple(part for part in way if not part.isdigit()) for way in PLACES}
    assert [leaf for leaf in leaves(Spec) if not any(way[: len(leaf)] == leaf for way in found)] == [], "FULL lacks it"


@settings(max_examples=600, deadline=None)
@given(st.sampled_from([*PLACES, *((*table, "") for table in TABLES)]), NASTY)
def test_whatever_stands_in_a_field_is_refused_cleanly_or_taken_and_harmless(way: tuple[str, ...], value: str) -> None:
    data = copy.deepcopy(FULL)
    table: Any = data
    *parents, last = way
    for part in parents:
        table = table[int(part) if part.isdigit() else part]
    if last:
        table[int(last) if last.isdigit() else last] = value
    else:
        table[value] = "x"
    try:
        spec = Spec.model_validate(data)
    except ValueError as error:
        said = " ".join(specs.sentences(error))  # type: ignore[arg-type]
        assert moves_a_terminal(said) == []
        return
    assert specs.loads(specs.dumps(spec)) == spec
    assert moves_a_terminal(specs.dumps(spec), keep="\n") == []
    told = json.dumps([plans.to_dict(each) for each in plans.plan_of(STAGES, View(spec))], ensure_ascii=False)
    assert moves_a_terminal(told) == []
    assert moves_a_terminal(script_of(STAGES, View(spec)), keep="\n\t") == []


@pytest.mark.parametrize("form", [[], ["--json"], ["--script"]])
def test_a_plan_moves_no_terminal(form: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = with_value("instances.key_pair", "a'; reboot; $(reboot) `reboot` [red]")
    data["corosync"]["conf"] = {"PRep-01": "# [red]ü[/] $(reboot)\ntotem {\n\tversion: 2\n}\n"}
    spec = Spec.model_validate(data)
    path = tmp_path / "spec.toml"
    path.write_text(specs.dumps(spec))
    assert cli.main(["plan", str(path), *form]) == 0
    said = capsys.readouterr().out
    assert moves_a_terminal(said, keep="\n\t") == []
    assert "[red]" in said, "it is text, not markup"
    if form == ["--json"]:
        assert said.isascii()


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\n$`\\\"'⟪⟫END_OF_FILE\n")))
@example("END_OF_FILE\nreboot\nEND_OF_FILE_\n")
@example("$(reboot) ${HOME} `reboot` \\$ \\\\ \\`")
def test_a_here_document_is_what_went_into_it(text: str) -> None:
    text = text.replace("⟪", "(").replace("⟫", ")")  # a fact's marker becomes a variable, as it should
    script = f"cat <<{_here((text, SecretRef('x')))}\n"
    done = subprocess.run(
        ["bash", "-eu"],
        input=script.encode(),
        env={"ICONHA_X": "$(s)`e`\\"},
        capture_output=True,
        timeout=BOUND,
        check=True,
    )
    assert done.stdout.decode().rstrip("\n") == f"{text}$(s)`e`\\".rstrip("\n")
    assert done.stderr == b""


@settings(deadline=None)
@given(NASTY)
def test_a_fact_reaches_a_command_as_a_word_or_not_at_all(value: str) -> None:
    view = View(Spec(), {"allocation_id": value})
    try:
        word = view.fact("allocation_id")
    except Trouble as trouble:
        assert moves_a_terminal(str(trouble)) == []  # noqa: PT017
        return
    assert word == value
    assert not set(word) - set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:/@+=-")
    assert not word.startswith("-")


# AWS and the cluster


ANSWERS: st.SearchStrategy[Any] = st.recursive(
    NASTY | st.integers() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["Key", "Value"]), inner),
)


@settings(deadline=None)
@given(ANSWERS)
def test_what_aws_answers_moves_no_terminal(answer: Any) -> None:
    def texts(value: Any) -> list[str]:
        if isinstance(value, dict):
            return [text for each in value.values() for text in texts(each)]
        return [text for each in value for text in texts(each)] if isinstance(value, list) else [str(value)]

    assert moves_a_terminal("".join(texts(cleaned(answer)))) == []


ESCAPED = "&#x9b;31m&#x9d;52;c;x&#x9c;&#x202e;&#x85;&#10;&#13;&#9;&#x200b;[red]"


def test_what_a_cluster_says_in_xml_moves_no_terminal_even_where_it_is_written_in_numbers() -> None:
    status = parse_crm_mon(
        f'<crm_mon version="{ESCAPED}"><summary><stack type="{ESCAPED}"/><current_dc present="true" name="{ESCAPED}"/></summary>'
        f'<nodes><node name="{ESCAPED}" id="{ESCAPED}" online="true"/></nodes>'
        f'<resources><resource id="{ESCAPED}" resource_agent="{ESCAPED}" role="{ESCAPED}"/></resources>'
        f'<failures><failure op_key="{ESCAPED}" node="{ESCAPED}" exitreason="{ESCAPED}" last-rc-change="{ESCAPED}"/></failures>'
        "</crm_mon>"
    )
    assert moves_a_terminal(str(status)) == []
    assert "\\x9b" not in str(status)
    cib = parse_cib(
        f'<cib><configuration><crm_config><cluster_property_set><nvpair name="{ESCAPED}" value="{ESCAPED}"/>'
        f'</cluster_property_set></crm_config><nodes><node uname="{ESCAPED}" id="{ESCAPED}"/></nodes></configuration></cib>'
    )
    assert "\\x9b" not in str(cib)
    assert "\\u202e" not in str(cib)
    with pytest.raises(ClusterXMLError) as caught:
        parse_crm_mon(f'<crm_mon><status code="1"><errors><error>{ESCAPED}</error></errors></status></crm_mon>')
    assert moves_a_terminal(str(caught.value)) == []


def refuse(xml: str | bytes) -> None:
    parse_crm_mon(xml)
    raise ClusterXMLError("it was read, and is small")


BOMB = (
    '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {after} "{f"&{before};" * 10}">' for before, after in zip("abcdefgh", "bcdefghi", strict=True))
    + "]><crm_mon>&i;</crm_mon>"
)


@pytest.mark.parametrize(
    "xml",
    [
        BOMB,
        BOMB.encode(),
        BOMB.encode("utf-16"),
        BOMB.encode("utf-7"),
        '<!DOCTYPE x SYSTEM "file:///etc/passwd"><crm_mon/>',
        '<?xml version="1.0" encoding="utf-16"?><crm_mon/>',
        "<crm_mon>" + "<a>" * 1_000_000,
        "<crm_mon " + " ".join(f'a{n}="x"' for n in range(100_000)) + "/>",
        "<crm_mon>" + "x" * (9 << 20) + "</crm_mon>",
        "<crm_mon " + "x" * 1_000_000,
    ],
    ids=["bomb", "bytes", "utf-16", "utf-7", "external", "declared", "deep", "attributes", "large", "open"],
)
def test_xml_that_would_fill_the_memory_is_refused_while_it_is_small(xml: str | bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ClusterXMLError):
            refuse(xml)
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


# corosync.conf


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        NASTY | st.sampled_from(["totem {", "}", "version: 2", "nodelist {", "node {", "ring0_addr: 1.2.3.4", "key: x"])
    ).map("\n".join)
)
def test_what_the_checker_says_of_any_file_moves_no_terminal(text: str) -> None:
    for finding in check(text):
        assert moves_a_terminal(str(finding)) == []
        assert len(str(finding)) < 1000


def test_the_command_that_checks_a_file_says_its_name_and_its_faults_as_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "\x1b]52;c;x\x07conf"
    path.write_bytes(b"\x1b[2J { \xff\xfe\n\x9b31m: \xe2\x80\xae\n" + b"x" * 10_000 + b"\n\0")
    cli.main(["corosync", "check", str(path)])
    cli.main(["corosync", "check", str(tmp_path / "\x1b[2Jnot there")])
    with pytest.raises(SystemExit):
        cli.main(["\x1b[2J"])
    with pytest.raises(SystemExit):
        cli.main(["where", "\x1b[2J\x9b31m"])
    cli.main(["--state-dir", str(tmp_path / "\x1b[2J"), "where"])
    said = capsys.readouterr()
    assert moves_a_terminal(said.out + said.err, keep="\n") == []


# What is written here


@settings(deadline=None)
@given(st.lists(NASTY, max_size=4))
def test_any_output_can_be_kept_and_json_is_ascii(lines: list[str]) -> None:
    event = Output("packages", "packages.install", "PRep-01", lines)
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("builtins.print", lambda text, **_: said.append(text))
        JsonLines()(event)
    assert said[0].isascii()
    assert "\x1b" not in said[0]
    assert json.loads(said[0])["lines"] == lines
    assert json.dumps(to_dict(event, 1.0)).isascii()


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(NASTY, max_size=4))
def test_the_journal_takes_any_text(tmp_path: Path, lines: list[str]) -> None:
    journal = Journal(tmp_path)
    journal(Output("packages", "packages.install", "PRep-01", lines))
    journal(StepFinished("packages", "packages.install", "failed", True, 1.0, "".join(lines)))
    journal.close()


@pytest.fixture
def log_file(tmp_path: Path) -> Any:
    """The log of this test, as the command opens it."""
    before = logging.root.handlers[:], logging.root.level
    logging.root.handlers = []
    old = os.umask(0)
    path = tmp_path / "state" / "iconha-tui.log"
    path.parent.mkdir(mode=0o700)
    try:
        log.open_log(path)
        yield path
    finally:
        os.umask(old)
        for handler in logging.root.handlers:
            handler.close()
        logging.root.handlers, logging.root.level = before


SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"


def test_a_traceback_in_the_log_holds_no_secret_and_no_control_character(log_file: Path) -> None:
    vault = Vault({"node_secret_access_key": SECRET, "key_passphrase": 'pass"phrase\\ü'})
    try:
        raise RuntimeError(
            f"refused {SECRET}, https://x/?key={'wJalrXUtnFEMI%2FK7MDENG%2BbPxRfiCYEXAMPLEKEY'} \x1b]52;c;x\x07"
        )
    except RuntimeError:
        logging.getLogger("iconha_tui.x").exception(
            "It said %s and %s", json.dumps({"k": vault.get("key_passphrase")}), SECRET
        )
    text = log_file.read_text()
    assert "RuntimeError: refused" in text
    assert MASK in text
    for form in (SECRET, SECRET.replace("/", "%2F"), "%2FK7MDENG", "phrase\\\\", 'pass\\"phrase'):
        assert form not in text
    assert moves_a_terminal(text, keep="\n") == []
    assert stat.S_IMODE(log_file.stat().st_mode) == 0o600


def test_the_log_goes_through_no_link_and_a_full_disk_is_no_reason_to_break_down(
    log_file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log_file.symlink_to(tmp_path / "elsewhere")
    logging.getLogger("iconha_tui.x").error("hello")
    assert not (tmp_path / "elsewhere").exists()
    log_file.unlink()
    log_file.symlink_to("/dev/full")
    logging.getLogger("iconha_tui.x").error("hello")
    assert capfd.readouterr() == ("", "")


def test_an_error_that_nobody_foresaw_is_a_sentence_without_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    vault = Vault({"x": SECRET})

    def breaks(*_: object, **__: object) -> None:
        raise RuntimeError(f"\x1b[2J {SECRET}")

    monkeypatch.setattr("iconha_tui.cli.where", breaks)
    assert cli.main(["--state-dir", str(tmp_path), "where"]) == 1
    said = capsys.readouterr()
    assert SECRET not in said.out + said.err
    assert moves_a_terminal(said.out + said.err, keep="\n") == []
    assert "Traceback" not in said.err
    assert "did not foresee: RuntimeError" in said.err
    del vault


def test_a_folder_whose_name_no_cluster_can_have_is_none(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for name in ("good", "\x1b[2J", "[red]x", "UP", "-x", "a b", "x" * 40):
        folder = tmp_path / "clusters" / name
        folder.mkdir(parents=True)
        (folder / "spec.toml").write_text(specs.dumps(Spec(name="good")))
    assert store.names() == ["good"]


# TLS


@pytest.fixture
def stranger(tmp_path: Path) -> Any:
    """An HTTPS server with a certificate that nobody here trusts. What it was told stands in `heard`."""
    _, pem = make_authority("x", ["127.0.0.1"])
    (tmp_path / "server.pem").write_text(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    server = socket.create_server(("127.0.0.1", 0))
    heard: list[bytes] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(connection, server_side=True) as secured:
                    heard.append(secured.recv(65536))
            except OSError:
                connection.close()

    threading.Thread(target=serve, daemon=True).start()
    yield server.getsockname()[1], heard
    server.close()


def test_a_server_whose_certificate_is_not_trusted_is_told_nothing(
    stranger: tuple[int, list[bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    port, heard = stranger
    config = tmp_path / "config"
    config.write_text(f"[default]\nendpoint_url = https://127.0.0.1:{port}\nretry_mode = standard\nmax_attempts = 1\n")
    client = Client(Aws(config_file=str(config)), ["AKIAIOSFODNN7EXAMPLE", SECRET, ""])
    with pytest.raises(Trouble, match=r"The certificate of the API is not trusted\."):
        client.call("ec2", "describe_instances")
    assert heard == []


def test_nothing_in_the_program_turns_a_check_off() -> None:
    source = Path(cli.__file__).parent
    words = (
        "verify=False",
        "CERT_NONE",
        "_create_unverified",
        "check_hostname = False",
        "AutoAddPolicy",
        "AgentRequestHandler",
    )
    found = [
        f"{path.name}: {word}"
        for path in source.rglob("*.py")
        if "lab" not in path.relative_to(source).parts
        for word in (*words, "shell=True", "os.system", "pickle", "yaml.load", "eval(")
        if word in path.read_text().replace("retrieval(", "")
    ]
    assert found == []


def test_a_spec_trouble_names_a_hostile_place_cleanly(tmp_path: Path) -> None:
    with pytest.raises(SpecTrouble) as caught:
        specs.load(tmp_path / "\x1b[2J\u202e.toml")
    assert moves_a_terminal(str(caught.value)) == []


# What is remembered of a status, and the name of the state folder


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_whatever_the_remembered_status_holds_a_report_is_made_and_moves_no_terminal(
    tmp_path: Path, data: st.DataObject
) -> None:
    kept = tmp_path / "status.json"
    kept.unlink(missing_ok=True)
    watcher(Pair(), kept=kept).look_once()
    told = json.loads(kept.read_text())
    values = NASTY | st.none() | st.booleans() | st.integers() | st.floats() | st.lists(NASTY, max_size=2) | st.just({})
    for way in data.draw(st.lists(st.sampled_from(sorted(places(told))), min_size=1, max_size=3)):
        table: Any = told
        for part in way[:-1]:
            table = table[int(part) if isinstance(table, list) else part]
        table[int(way[-1]) if isinstance(table, list) else way[-1]] = data.draw(values)
    kept.write_text(json.dumps(told))
    away = {"aws": "away", **dict.fromkeys(("PRep-01", "PRep-02"), "away")}
    report = watcher(Pair(away=away), kept=kept).report()
    said = block(report) + "".join(row(report))
    assert moves_a_terminal(said, keep="\n") == []
    json.dumps(report.to_dict(), allow_nan=False)


def test_a_summary_names_a_folder_of_any_name_as_text(tmp_path: Path) -> None:
    store = Store(tmp_path / "\x1b]52;c;x\x07\u202e\n```")
    store.save(Spec(name="icon"))
    session = Session(store, Spec(name="icon"), confirm_host_key=lambda *_: False)
    try:
        text = summary.summary_markdown(session.ctx, store)
    finally:
        session.close()
    assert moves_a_terminal(text, keep="\n") == []
