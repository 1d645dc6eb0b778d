"""The summary: what stands in it, and that it reads well as it is."""

from __future__ import annotations

import io
import re
import shlex
import stat
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from markdown_it import MarkdownIt

from iconha_tui import cli, lines, summary
from iconha_tui.app import IconhaApp
from iconha_tui.engine.events import Event, RunFinished, RunStarted, StageFinished, StageStarted, StepFinished
from iconha_tui.engine.journal import Journal
from iconha_tui.engine.step import Context
from iconha_tui.markdown import table
from iconha_tui.session import Session
from iconha_tui.spec import Spec, loads
from iconha_tui.stages import STAGES
from iconha_tui.store import Store

FACTS: dict[str, Any] = {
    "active": "PRep-01",
    "elastic_ip": "203.0.113.10",
    "allocation_id": "eipalloc-0123456789abcdef0",
    "group_id": "sg-0123456789abcdef0",
    "account": "123456789012",
} | {
    f"PRep-0{number}.{name}": value
    for number in (1, 2)
    for name, value in {
        "instance_id": f"i-0a1b2c3d4e5f6071{number}",
        "zone": f"us-east-1{' ab'[number]}",
        "private_ip": f"10.0.0.1{number}",
        "public_ip": f"203.0.113.1{number - 1}",
        "os": "ubuntu 22.04",
        "corosync": "3.1.6",
        "pacemaker": "2.1.2",
        "versions": {"crmsh": "4.3.1-1ubuntu2", "pcs": "0.10.11-2ubuntu3", "awscli": "1.22.34-1"},
    }.items()
}
RUN = RunStarted([stage.name for stage in STAGES])


def done(*names: str) -> list[Event]:
    return [each for name in names for each in (StageStarted(name), StageFinished(name, "done", True, 30.0))]


ALL = [RUN, *done(*(stage.name for stage in STAGES)), RunFinished("done", True, 240.0)]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "state")


def context(store: Store, spec: Spec, events: list[Event] = ALL, facts: dict[str, Any] = FACTS) -> Context:
    store.save(spec)
    journal = Journal(store.folder(spec.name))
    for event in events:
        journal(event)
    journal.close()
    ctx = Session(store, spec, confirm_host_key=lambda *_: False).ctx
    ctx.learn(facts)
    return ctx


def told(store: Store, spec: Spec | None = None, events: list[Event] = ALL, facts: dict[str, Any] = FACTS) -> str:
    return summary.summary_markdown(context(store, spec or Spec(name="mainnet"), events, facts), store)


def commands(text: str) -> str:
    """All that stands in blocks of code."""
    return "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))


def test_it_tells_addresses_versions_times_and_what_was_made(store: Store) -> None:
    text = told(store)
    assert text.startswith("# mainnet: the pair is up\n")
    flat = " ".join(text.split())
    for part in (
        "The Elastic IP **203.0.113.10** is now on **PRep-01**. PRep-02 stands by.",
        "Region us-east-1, account 123456789012.",
        "| role | active | passive |",
        "| instance | i-0a1b2c3d4e5f60711 | i-0a1b2c3d4e5f60712 |",
        "| system | Ubuntu 22.04 | Ubuntu 22.04 |",
        "| corosync | 3.1.6 | 3.1.6 |",
        "| AWS CLI | 1.22.34-1 | 1.22.34-1 |",
        "| 3 Packages | done | 30 s |",
        "| together | | 4 min 00 s |",
        "tagged `iconha:cluster=mainnet`",
        "the security group sg-0123456789abcdef0",
        "`/etc/corosync/authkey`",
        "`no-quorum-policy=ignore`",
        "keystore off PRep-02 until it is the active node",
        "There is no fencing",
        "exit code is 0 only where the standby would take over now, 1 where it would not",
    ):
        assert part in flat, flat


@pytest.mark.parametrize("shell", ["crm", "pcs"])
def test_with_either_shell_it_has_the_commands_for_a_failover_of_the_active_node(store: Store, shell: str) -> None:
    spec = loads(f'name = "mainnet"\n[packages]\nshell = "{shell}"\n')
    text = told(store, spec, facts=FACTS | {"active": "PRep-02"})
    assert "sudo crm_standby -N PRep-02 -v on\nsudo crm_standby -N PRep-02 -D\n" in commands(text)
    assert "keystore off\nPRep-01" in text or "keystore off PRep-01" in text
    assert "HostKeyAlias=PRep-02 ubuntu@203.0.113.10" in text
    assert f"| {shell} " in text


def test_what_is_deleted_in_the_end_is_what_was_made(store: Store) -> None:
    said = " ".join(commands(told(store)).replace("\\\n", "").split())
    both = "--instance-ids i-0a1b2c3d4e5f60711 i-0a1b2c3d4e5f60712"
    assert f"aws ec2 terminate-instances {both} aws ec2 wait instance-terminated {both}" in said
    assert "release-address --allocation-id eipalloc-0123456789abcdef0" in said
    assert "delete-security-group --group-id sg-0123456789abcdef0" in said
    theirs = loads(
        'name = "theirs"\n[aws]\nprofile = "work"\n[instances]\nmode = "existing"\nallocation_id = "eipalloc-0123456789abcdef0"\n'
        '[[nodes]]\nname = "PRep-01"\ninstance_id = "i-0a1b2c3d4e5f60711"\n'
        '[[nodes]]\nname = "PRep-02"\ninstance_id = "i-0a1b2c3d4e5f60712"\n[awscli]\ncredentials = "role"\n'
    )
    text = told(store, theirs)
    assert "terminate-instances" not in text
    assert "release-address" not in text
    assert "sudo crm resource stop elastic-ip" in text
    assert "AWS_PROFILE=work" in text
    assert "IAM" not in text


def test_its_commands_are_what_a_shell_takes(store: Store, tmp_path: Path) -> None:
    spec = Spec(name="mainnet")
    spec.ssh.key_file, spec.ssh.port, spec.aws.config_file = "~/a key", 2222, str(tmp_path / "it's")
    said = commands(told(store, spec))
    assert subprocess.run(["bash", "-n"], input=said.encode(), check=False).returncode == 0
    words = shlex.split(said.replace("\\\n", ""))
    assert "~/a key" in words
    assert f"AWS_CONFIG_FILE={tmp_path}/it's" in words
    assert str(store.root) in words, "another folder than the platform's is named"


def test_no_line_is_wider_than_the_narrow_terminals_that_are_supported(store: Store) -> None:
    text = told(Store(store.root), Spec(name="a-cluster-with-a-rather-long-one"))
    for line in text.splitlines():
        assert len(line) <= 72 or str(store.root) in line
        assert len(line) <= 59 or not line.startswith(("|", "  i-", "sudo", "aws")), line


def test_what_came_from_a_machine_is_no_markdown(store: Store) -> None:
    evil = "[x](http://evil)|`rm`\n# <b>*"
    facts = FACTS | {"PRep-01.os": evil, "PRep-01.corosync": evil, "account": evil, "elastic_ip": evil}
    text = told(store, facts=facts)
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    inline = [child.type for token in tokens for child in token.children or ()]
    assert "link_open" not in inline
    assert "html_inline" not in inline
    assert [token.tag for token in tokens if token.type == "heading_open"].count("h1") == 1


def test_what_is_not_known_is_left_out(store: Store) -> None:
    text = told(store, facts={})
    assert "the pair is up" in text
    assert "None" not in text
    assert "## Machines" not in text
    assert "sudo crm_standby -N PRep-01 -v on" in text


def test_unfinished_it_says_so_and_how_to_go_on(store: Store) -> None:
    text = told(store, events=[RUN, *done("credentials", "instances"), StageStarted("packages")], facts={})
    assert text.startswith("# mainnet: not finished yet\n")
    assert "run mainnet" in text
    assert re.search(r"\| 3 Packages +\| running", text)
    assert re.search(r"\| 4 Authentication key +\| to do", text)
    assert "failover" not in text


def test_a_step_that_was_skipped_is_named_with_what_stays_open(store: Store) -> None:
    proof = next(step for stage in STAGES for step in stage.steps if step.id == "awscli.proof")
    events = [
        *ALL[:-1],
        StepFinished("awscli", proof.id, "skipped", False, 1.0, "no answer"),
        StageFinished("awscli", "skipped", False, 1.0),
        RunFinished("skipped", True, 240.0),
    ]
    text = " ".join(told(store, events=events).split())
    assert "the pair is up" in text
    assert f"**Skipped: {proof.title}.** {proof.skip}" in text


def test_it_is_kept_for_the_owner_alone(store: Store) -> None:
    summary.keep(store, "mainnet", "# text\n")
    file = summary.file_of(store, "mainnet")
    assert file.read_text() == "# text\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_run_without_a_screen_prints_and_keeps_the_same(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = Spec(name="mainnet")
    context(store, spec)
    monkeypatch.setattr("iconha_tui.control.run_controller.runner.run", lambda *_: RunFinished("done", False, 1.0))
    monkeypatch.setattr("signal.signal", lambda *_: None)
    assert lines.run_lines(store, spec, yes=True, until=None, as_json=False, check=False) == 0
    assert capsys.readouterr().out == "\n" + summary.file_of(store, "mainnet").read_text()
    summary.file_of(store, "mainnet").unlink()
    assert lines.run_lines(store, spec, yes=True, until=None, as_json=True, check=False) == 0
    assert capsys.readouterr().out == "", "JSON is for programs"
    assert summary.file_of(store, "mainnet").exists()


def test_a_table_stands_in_columns() -> None:
    assert list(table(("", "a"), [("long", "b"), ("x", "")])) == [
        "",
        "|      | a |",
        "|------|---|",
        "| long | b |",
        "| x    |   |",
    ]


def test_the_wizard_prints_it_after_exit(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    said = io.StringIO()

    def run(app: IconhaApp) -> None:
        app.work.farewell = "# icon: the pair is up\n"

    monkeypatch.setenv("ICONHA_STATE_DIR", str(store.root))
    monkeypatch.setattr(IconhaApp, "run", run)
    monkeypatch.setattr("os.umask", lambda _: 0o022)
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr(said, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdout", said)
    assert cli.main([]) == 0
    assert said.getvalue() == "# icon: the pair is up\n"
