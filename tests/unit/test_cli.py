"""The commands: exit codes, what is printed where, and what is not imported."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import pytest
from waiting import BOUND

from iconha_tui import cli, lines
from iconha_tui.engine.events import OnEvent, Outcome, RunFinished, StepFinished
from iconha_tui.engine.step import Context, Stage
from iconha_tui.errors import Cancelled, Trouble
from iconha_tui.session import Session
from iconha_tui.spec import Spec, dumps, save
from iconha_tui.stages import STAGES
from iconha_tui.store import Store


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The store that main() will use, which must leave umask, environment and signal handlers as they were."""
    monkeypatch.setenv("ICONHA_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(os, "umask", lambda _: 0o022)
    return Store(tmp_path / "state")


@pytest.fixture
def spec_file(tmp_path: Path) -> Path:
    save(Spec(name="mainnet"), tmp_path / "spec.toml")
    return tmp_path / "spec.toml"


def program(*argv: str, stdin: str | bytes = "", **env: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "iconha_tui", *argv],
        input=stdin.encode() if isinstance(stdin, str) else stdin,
        env={**os.environ, **env},
        capture_output=True,
        timeout=BOUND,
    )


def ends(
    monkeypatch: pytest.MonkeyPatch,
    outcome: str | BaseException,
    step: str = "authkey.generate",
    text: str = "why",
    tail: str = "tail",
) -> list[str]:
    """Lets every run end so, at one step. What it is asked to skip is put into the list."""
    skipped: list[str] = []

    def run(stages: Sequence[Stage], ctx: Context, on_event: OnEvent, skip: Sequence[str], *_: object) -> RunFinished:
        skipped.extend(skip)
        if isinstance(outcome, BaseException):
            raise outcome
        how: Outcome = outcome  # type: ignore[assignment]
        on_event(StepFinished(step.partition(".")[0], step, how, False, 0.1, text, "PRep-01", "cmd", tail, "do"))
        end = RunFinished(how, False, 0.1)
        on_event(end)
        return end

    monkeypatch.setattr("iconha_tui.control.run_controller.runner.run", run)
    monkeypatch.setattr("iconha_tui.lines.look", lambda *_: iter(()))
    return skipped


def test_the_names_of_the_stages_are_those_of_the_stages() -> None:
    assert tuple(stage.name for stage in STAGES) == cli.STAGE_NAMES


HEAVY = ("textual", "rich", "boto3", "botocore", "paramiko", "pydantic", "tomlkit", "moto", "cryptography")


@pytest.mark.parametrize("argv", [["--help"], ["--version"], ["run", "--help"], ["lab", "up", "--help"]])
def test_help_imports_nothing_heavy(argv: list[str]) -> None:
    code = f"""
    import sys
    from iconha_tui.cli import main
    try:
        main({argv!r})
    except SystemExit as end:
        assert end.code == 0, end.code
    print("@", [name for name in {HEAVY!r} if name in sys.modules])
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=BOUND)
    assert done.stdout.splitlines()[-1] == "@ []", done.stderr


# Exit codes


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        ("done", 0),
        ("failed", 1),
        ("blocked", 3),
        ("skipped", 0),
        ("cancelled", 130),
        (Trouble("Broken."), 1),
        (Cancelled("Stopped."), 130),
        (KeyboardInterrupt(), 130),
        (EOFError(), 130),
        (OSError(28, "No space left on device"), 1),
    ],
    ids=str,
)
def test_a_run_ends_with_the_exit_code_of_its_outcome(
    outcome: str | BaseException, code: int, spec_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends(monkeypatch, outcome)
    assert cli.main(["run", str(spec_file), "--yes", "--until", "authkey"]) == code


def test_a_cluster_that_another_run_holds_is_exit_code_4(
    spec_file: Path, state: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    with state.lock("mainnet"):
        assert cli.main(["run", str(spec_file), "--yes"]) == 4
    said = capsys.readouterr().err
    assert f"(process {os.getpid()}, since " in said
    assert "mainnet" in said


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["run"], "SPEC"),
        (["run", "x.toml", "--until", "nowhere"], "invalid choice: 'nowhere'"),
        (["fly"], "invalid choice: 'fly'"),
        (["plan", "x.toml", "--json", "--script"], "not allowed with"),
        (["corosync"], "COMMAND"),
    ],
)
def test_wrong_usage_is_exit_code_2(argv: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(argv)
    assert end.value.code == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name = 'A B'", "name: 1 to 32 small letters"),
        ("[ssh", "no valid TOML"),
        ("[[nodes]]\nname = 'a; rm -rf /'\n[[nodes]]\nname = 'b'", "nodes.0.name: A host name"),
        (None, "Cannot be read: No such file or directory."),
    ],
)
@pytest.mark.parametrize("command", [["plan"], ["run", "--yes"]])
def test_a_wrong_spec_is_exit_code_2_and_a_sentence(
    text: str | None, words: str, command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if text is not None:
        (tmp_path / "x.toml").write_text(text)
    assert cli.main([*command, str(tmp_path / "x.toml")]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert str(tmp_path / "x.toml") in said
    assert "Traceback" not in said


def test_a_name_that_no_file_can_have_is_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["plan", "a" * 5000]) == 2
    assert "File name too long" in capsys.readouterr().err


def test_a_run_without_a_terminal_and_without_yes_starts_nothing(spec_file: Path) -> None:
    done = program("run", str(spec_file))
    assert done.returncode == 2
    assert b"--yes" in done.stderr
    assert done.stdout == b""


def test_declining_the_question_starts_nothing(spec_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: "no")
    ends(monkeypatch, AssertionError("it has begun"))
    assert cli.main(["run", str(spec_file)]) == 130


def test_the_wizard_without_a_terminal_says_so_and_names_run() -> None:
    done = program()
    assert done.returncode == 2
    assert b"needs a terminal" in done.stderr
    assert b"iconha-tui run SPEC --yes" in done.stderr


@pytest.mark.parametrize("argv", [["status"], ["status", "nowhere"]])
def test_the_status_of_no_cluster_is_wrong_usage_and_not_a_degraded_one(
    argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(argv) == 2
    assert "no saved cluster" in capsys.readouterr().err


def test_a_state_folder_that_cannot_be_made_is_a_sentence(spec_file: Path) -> None:
    done = program("--state-dir", f"{spec_file}/x", "run", str(spec_file), "--yes")
    assert done.returncode == 1
    assert b"Not a directory" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 130)])
def test_a_signal_ends_a_run_after_what_it_is_doing_with_130(
    number: int, code: int, spec_file: Path, tmp_path: Path
) -> None:
    """A run whose first probe waits for the operator's word to stop."""
    script = f"""
    import sys
    from iconha_tui import cli
    from iconha_tui.engine.step import Done
    from iconha_tui.stages import credentials
    def probe(self, ctx, target):
        print("probing", flush=True)
        assert ctx.cancel.wait({BOUND})
        return Done("")
    credentials.Identity.probe = probe
    sys.exit(cli.main(["run", {str(spec_file)!r}, "--yes", "--no-check"]))
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    while "probing" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(number)
    said, errors = process.communicate(timeout=BOUND)
    assert process.returncode == code, errors
    assert "Stopped." in said
    progress = Store(tmp_path / "state").progress("mainnet")
    assert (progress.outcome, progress.interrupted) == ("cancelled", False)


# plan


def test_a_plan_is_shown_with_the_guides_line_and_touches_nothing(
    spec_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("a plan has no session")

    monkeypatch.setattr(Session, "__init__", never)
    assert cli.main(["plan", str(spec_file)]) == 0
    text = capsys.readouterr().out
    assert "PRep-01 $ corosync-keygen" in text
    assert "the guide: apt-get install haveged; corosync-keygen" in text
    assert "| aws_secret_access_key = ••••••••" in text
    assert "⟪elastic_ip⟫" in text
    assert not (tmp_path / "state").exists()


def test_a_plan_as_json_is_json(spec_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["plan", str(spec_file), "--json"]) == 0
    planned = json.loads(capsys.readouterr().out)
    assert {each["stage"] for each in planned} == set(cli.STAGE_NAMES)
    assert all(
        {"stage", "step", "title", "target", "depends_on_what_is_there", "actions"} == set(each) for each in planned
    )


def test_a_plan_as_a_script_begins_like_one(spec_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["plan", str(spec_file), "--script"]) == 0
    assert capsys.readouterr().out.startswith("#!/usr/bin/env bash\n")


def test_a_terminal_that_lacks_the_signs_gets_a_plan_all_the_same(spec_file: Path) -> None:
    done = program("plan", str(spec_file), PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_reader_that_goes_away_is_no_traceback(spec_file: Path) -> None:
    line = f"{sys.executable} -m iconha_tui plan {spec_file} --json | head -c 1"
    done = subprocess.run(["bash", "-c", line], capture_output=True, timeout=BOUND)
    assert b"Traceback" not in done.stderr


def test_a_saved_cluster_is_named_where_a_spec_file_is_asked_for(
    state: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    state.save(Spec.model_validate({"name": "mainnet", "packages": {"shell": "pcs"}}))
    assert cli.main(["plan", "mainnet"]) == 0
    assert "pcs resource create" in capsys.readouterr().out
    (tmp_path / "mainnet").write_text(dumps(Spec(name="file")))
    assert cli.main(["plan", "mainnet"]) == 0
    assert "crm configure primitive" in capsys.readouterr().out, "a file of that name comes first"


# the line-by-line form


def test_a_failure_is_printed_with_place_command_last_lines_and_remedy(
    spec_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ends(monkeypatch, "failed")
    cli.main(["run", str(spec_file), "--yes"])
    text = capsys.readouterr().out
    for part in ("failed There is a key", "PRep-01: why", "command: cmd", "| tail", "what to do: do"):
        assert part in text


def test_a_known_cause_is_explained_and_its_remedy_told(
    spec_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ends(monkeypatch, "failed", "packages.install", tail="E: Unable to locate package aws-cli")
    cli.main(["run", str(spec_file), "--yes"])
    text = capsys.readouterr().out
    assert "why: The node's package archives have no package of that name" in text
    assert "what to do: On Ubuntu, run `sudo add-apt-repository universe`" in text
    assert "--skip" not in text


def test_a_failure_says_how_to_go_on_without_it_and_what_stays_open(
    spec_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ends(monkeypatch, "failed", "elastic_ip.answers")
    cli.main(["run", str(spec_file), "--yes"])
    assert "--skip elastic_ip.answers. Whether the world reaches the address" in capsys.readouterr().out

    skipped = ends(monkeypatch, "skipped", "elastic_ip.answers", text="It is closed.")
    cli.main(["run", str(spec_file), "--yes", "--until", "authkey", "--skip", "elastic_ip.answers"])
    assert skipped == ["elastic_ip.answers"]
    text = capsys.readouterr().out
    assert "skipped The address answers: It is closed." in text
    assert "Done but for what was skipped" in text


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("nothing.here", "These can be skipped: credentials.region, "),
        ("corosync.members", "cannot be skipped. Two nodes that do not see each other"),
    ],
)
def test_what_cannot_be_skipped_is_wrong_usage(
    step: str, words: str, spec_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["run", str(spec_file), "--yes", "--skip", step]) == 2
    assert words in capsys.readouterr().err


def test_a_run_that_had_nothing_to_do_says_so(
    spec_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ends(monkeypatch, "done")
    cli.main(["run", str(spec_file), "--yes", "--until", "authkey"])
    assert "Nothing to do: everything is as the spec wants it" in capsys.readouterr().out


def test_as_json_every_line_is_one_event(
    spec_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ends(monkeypatch, "blocked")
    assert cli.main(["run", str(spec_file), "--yes", "--json"]) == 3
    events = [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()]
    assert events == ["StepFinished", "RunFinished"]


def test_until_stops_after_the_stage_that_is_named() -> None:
    assert [stage.name for stage in lines.upto("authkey")] == ["credentials", "instances", "packages", "authkey"]
    assert lines.upto(None) is STAGES


# corosync check, where

GOOD = """totem {
    version: 2
    cluster_name: nodecluster
    transport: knet
    crypto_cipher: aes256
    crypto_hash: sha256
}
quorum {
    provider: corosync_votequorum
    two_node: 1
}
nodelist {
    node {
        ring0_addr: 10.0.0.11
        name: PRep-01
        nodeid: 1
    }
    node {
        ring0_addr: 10.0.0.12
        name: PRep-02
        nodeid: 2
    }
}
"""


def test_a_good_file_is_exit_code_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "corosync.conf").write_text(GOOD)
    assert cli.main(["corosync", "check", str(tmp_path / "corosync.conf")]) == 0
    assert " error: " not in capsys.readouterr().out


def test_a_bad_file_is_exit_code_1_with_file_line_and_column(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "corosync.conf"
    path.write_text(GOOD.replace("two_node: 1", "two_node: yes"))
    assert cli.main(["corosync", "check", str(path)]) == 1
    errors = [line for line in capsys.readouterr().out.splitlines() if " error: " in line]
    assert errors[0].startswith(f"{path}:10:")
    place = errors[0].removeprefix(f"{path}:").split(":")
    assert place[1].isdigit()


def test_standard_input_is_checked_too_whatever_it_holds() -> None:
    assert program("corosync", "check", "-", stdin=GOOD).returncode == 0
    done = program("corosync", "check", "-", stdin=bytes(range(256)) * 10)
    assert done.returncode == 1
    assert done.stdout.startswith(b"-:1:")
    assert b"\x1b" not in done.stdout, "nothing of the file reaches the terminal as it is"
    assert b"Traceback" not in done.stderr


def test_a_file_that_is_not_there_is_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["corosync", "check", str(tmp_path / "none")]) == 2
    assert "No such file or directory" in capsys.readouterr().err


def test_where_names_the_folder_the_clusters_and_the_log(state: Store, capsys: pytest.CaptureFixture[str]) -> None:
    state.save(Spec(name="mainnet"))
    assert cli.main(["where"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"state     {state.root}",
        f"config    {state.root}/config.toml",
        f"cluster   {state.root}/clusters/mainnet",
        f"log       {state.root}/iconha-tui.log",
    ]


def test_the_state_folder_can_be_another(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--state-dir", str(tmp_path / "other"), "where"]) == 0
    assert str(tmp_path / "other") in capsys.readouterr().out
