"""Every command that a sentence of the program tells the operator to type is typed by a test, or it says why not."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from printed import ELSEWHERE, NO_COMMANDS, ON_A_NODE, UNPROVEN

TESTS = Path(__file__).parents[1]
SOURCES = TESTS.parent / "src" / "iconha_tui"
TOLD = re.compile(r"`([^`\n]+)`")


def printed() -> set[str]:
    """What stands in backticks in the program's strings; a value in braces, as the source has it. Docstrings are no strings."""
    found: set[str] = set()
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


def test_every_command_in_backticks_is_typed_by_a_test_or_says_why_not() -> None:
    listed = [set(ON_A_NODE), set(ELSEWHERE), set(UNPROVEN), set(NO_COMMANDS)]
    assert printed() == set().union(*listed)
    assert sum(map(len, listed)) == len(set().union(*listed)), "one is listed twice"


@pytest.mark.parametrize("test", sorted(set(ELSEWHERE.values())))
def test_the_test_that_is_said_to_type_it_is_there(test: str) -> None:
    module, _, name = test.partition("::")
    assert f"def {name}(" in (TESTS / module).read_text(encoding="utf-8")
