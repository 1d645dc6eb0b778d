"""Every error has a code, every code is of use, and the page that lists them is up to date."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import get_args

import errors as page_of_errors
import pytest

import iconha_tui
from iconha_tui import errors
from iconha_tui.cli import parser
from iconha_tui.cloud.sentences import CODES, SENTENCES
from iconha_tui.cloud.sentences import trouble as aws_trouble
from iconha_tui.engine.events import Outcome, StepFinished, from_dict, to_dict
from iconha_tui.error_codes import Code
from iconha_tui.exit_codes import OF_RUN, OF_VERDICT, RUN_WORDS, STATUS_WORDS, ExitCode
from iconha_tui.preflight import Found
from iconha_tui.status.report import Verdict

SOURCES = sorted(Path(iconha_tui.__file__).parent.rglob("*.py"))
README = Path(page_of_errors.__file__).parents[1] / "README.md"


def trees() -> Iterator[tuple[Path, ast.Module]]:
    for path in SOURCES:
        yield path, ast.parse(path.read_text())


def test_each_trouble_that_is_made_names_its_code() -> None:
    bare = [
        f"{path.name}:{node.lineno}"
        for path, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == errors.Trouble.__name__
        and not any(keyword.arg == "code" for keyword in node.keywords)
    ]
    assert bare == []


def test_each_finding_that_is_a_fault_names_its_code() -> None:
    def is_fault(node: ast.Call) -> bool:
        state = ast.unparse(node.args[2]) if len(node.args) > 2 else ""
        return "stands_in_the_way" in state or "warning" in state

    bare = [
        f"{path.name}:{node.lineno}"
        for path, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == Found.__name__
        and is_fault(node)
        and not (len(node.args) == len(fields(Found)) or any(keyword.arg == "code" for keyword in node.keywords))
    ]
    assert bare == []


def test_each_code_is_of_use() -> None:
    used = {
        node.attr
        for path, tree in trees()
        if path.name not in ("error_codes.py", "causes.py")
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Code"
    }
    assert {code.name for code in Code} == used


@pytest.mark.parametrize("code", Code)
def test_a_code_is_a_word_for_programs_with_two_sentences_for_people(code: Code) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", code.value)
    assert code.value == code.name.lower()
    assert code.meaning.endswith(".")
    assert code.remedy.endswith(".")


def test_each_kind_of_error_has_a_code_of_its_own() -> None:
    kinds = [errors.Lost, errors.Cancelled, errors.UsageTrouble, errors.SpecTrouble]
    assert {kind("It is so.").code for kind in kinds} == {
        Code.CONNECTION_LOST, Code.CANCELLED, Code.USAGE, Code.SPEC_INVALID,
    }  # fmt: skip
    assert errors.SpecTrouble("It is so.", code=Code.SPEC_UNREADABLE).code is Code.SPEC_UNREADABLE
    assert errors.unforeseen(ValueError("?")).code is Code.UNFORESEEN


@pytest.mark.parametrize(
    ("aws_code", "code"),
    [
        ("AccessDenied", Code.AWS_DENIED),
        ("UnauthorizedOperation", Code.AWS_DENIED),
        ("InvalidVolume.NotFound", Code.AWS_NOT_FOUND),
        ("VcpuLimitExceeded", Code.AWS_QUOTA),
        ("Teapot", Code.AWS_ERROR),
    ],
)
def test_an_answer_of_aws_has_a_code_of_ours_beside_its_own(aws_code: str, code: Code) -> None:
    told = aws_trouble("ec2", "run_instances", aws_code, "No.")
    assert (told.aws_code, told.code) == (aws_code, code)


def test_the_codes_of_aws_that_have_a_sentence_have_a_code_of_ours() -> None:
    others = {"OptInRequired", "InvalidGroup.Duplicate", "Resource.AlreadyAssociated", "Unsupported"}
    named = {each for each in SENTENCES if not each.endswith(".NotFound")}
    assert named - set(CODES) == others, "these alone are aws_error"


def test_a_step_of_an_older_journal_is_read_and_has_no_code() -> None:
    new = StepFinished("packages", "packages.install", "failed", False, 1.0, code=str(Code.COMMAND_FAILED))
    told = to_dict(new, 1.0)
    assert (told["code"], from_dict(told)) == ("command_failed", new)
    del told["code"]
    old = from_dict(told)
    assert isinstance(old, StepFinished)
    assert old.code == ""


def test_the_page_of_errors_is_up_to_date() -> None:
    assert page_of_errors.PAGE.read_text() == page_of_errors.page(), "`python docs/errors.py` writes it anew"


def test_each_outcome_and_verdict_has_an_exit_code() -> None:
    assert set(OF_RUN) == set(get_args(Outcome))
    assert set(OF_VERDICT) == set(get_args(Verdict))
    assert set(RUN_WORDS) | set(STATUS_WORDS) == set(ExitCode)
    assert set(OF_RUN.values()) <= set(RUN_WORDS)
    assert set(OF_VERDICT.values()) <= set(STATUS_WORDS)


@pytest.mark.parametrize(("command", "words"), [([], RUN_WORDS), (["status"], STATUS_WORDS)])
def test_help_tells_the_exit_codes(
    command: list[str], words: dict[ExitCode, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args([*command, "--help"])
    told = " ".join(capsys.readouterr().out.split())
    for code, word in words.items():
        assert f"{code:d} {word}" in told


def test_the_readme_has_the_exit_codes_of_a_run() -> None:
    told = " ".join(README.read_text().split())
    line = told[told.index("Exit codes: ") :]
    assert [int(each) for each in re.findall(r"\b(\d+) [a-z]", line[: line.index("##")])] == list(RUN_WORDS)
