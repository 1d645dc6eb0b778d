"""Every command that a sentence of the program tells the operator to type is typed by a test, or it says why not."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from printed import ELSEWHERE, IN_DOCS, IN_DOCS_UNPROVEN, NO_COMMANDS, ON_A_NODE, UNPROVEN
from waiting import wait_until

TESTS = Path(__file__).parents[1]
SOURCES = TESTS.parent / "src" / "iconha_tui"
TOLD = re.compile(r"`([^`\n]+)`")
COMMAND = re.compile(r"(iconha-tui|make|pip|python|tmux|aws) ")
"""How one begins in a text that has other words in backticks too."""
BLOCK = re.compile(r"^```(?:sh|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def printed() -> set[str]:
    """What stands in backticks in the program's strings and its help; a value in braces, as the source has it. Docstrings are
    no strings."""
    found: set[str] = set()
    for path in SOURCES.rglob("*.md"):
        found |= {words for words in TOLD.findall(path.read_text(encoding="utf-8")) if COMMAND.match(words)}
    for path in SOURCES.rglob("*.py"):
        if "lab" not in path.relative_to(SOURCES).parts:
            for text in strings(ast.parse(path.read_text(encoding="utf-8"))):
                found |= set(TOLD.findall(text))
    return found


def strings(tree: ast.AST) -> Iterator[str]:
    docs = {
        id(each.value)
        for node in ast.walk(tree)
        for each in (getattr(node, "body", None) if isinstance(getattr(node, "body", None), list) else None) or ()
        if isinstance(each, ast.Expr)
    }
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else "{" + ast.unparse(part.value) + "}"  # type: ignore[attr-defined]
                for part in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and not {id(node)} & (docs | inside):
            yield node.value


def in_docs() -> set[str]:
    """The commands in README and docs: lines of blocks, without their remarks and the answers, and what is in backticks."""
    root = TESTS.parent
    found = set()
    for path in (root / "README.md", root / "SECURITY.md", root / "bench" / "README.md", *(root / "docs").glob("*.md")):
        if path.name != "reliability.md":  # the program's own words, written by the tests
            text = path.read_text(encoding="utf-8")
            lines = [line for block in BLOCK.findall(text) for line in block.splitlines()]
            typed = [re.split(r"\s{2,}#", line)[0].strip().removeprefix("$ ") for line in lines]
            found |= {words for words in (*(f"{line} " for line in typed), *TOLD.findall(text)) if COMMAND.match(words)}
    return {words.strip() for words in found}


def test_every_command_of_readme_and_docs_is_typed_by_a_test_or_says_why_not() -> None:
    listed = set(IN_DOCS) | set(IN_DOCS_UNPROVEN)
    assert in_docs() - set(ELSEWHERE) == listed - set(ELSEWHERE)


def test_tmux_takes_what_is_copied_once_it_is_told_to(tmp_path: Path) -> None:
    """As the help has it: OSC 52, within tmux."""

    def tmux(*words: str) -> str:
        argv = ["tmux", "-S", str(tmp_path / "socket"), "-f", "/dev/null", *words]
        return subprocess.run(argv, capture_output=True, text=True, check=False).stdout

    (told,) = [command for command in ELSEWHERE if command.startswith("tmux ")]
    try:
        tmux("new-session", "-d", "sh")
        tmux(*shlex.split(told)[1:])
        # as Textual's copy_to_clipboard writes it
        tmux("send-keys", r"printf '\033]52;c;%s\a' $(printf copied | base64)", "Enter")
        wait_until(lambda: tmux("show-buffer") == "copied", what="what was copied, in tmux")
    finally:
        tmux("kill-server")


def test_every_command_in_backticks_is_typed_by_a_test_or_says_why_not() -> None:
    listed = [set(ON_A_NODE), set(ELSEWHERE), set(UNPROVEN), set(NO_COMMANDS)]
    assert printed() == set().union(*listed)
    assert sum(map(len, listed)) == len(set().union(*listed)), "one is listed twice"


@pytest.mark.parametrize("test", sorted({*ELSEWHERE.values(), *IN_DOCS.values()}))
def test_the_test_that_is_said_to_type_it_is_there(test: str) -> None:
    module, _, name = test.partition("::")
    assert f"def {name}(" in (TESTS / module).read_text(encoding="utf-8")
