"""A stage is complete: its steps, its form and its help page. No text counts the stages. A step that only looks is a check."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from importlib.resources import files
from pathlib import Path

import pytest

from iconha_tui.engine.step import CheckStep, Step
from iconha_tui.forms import FORMS
from iconha_tui.stages import STAGES

ROOT = Path(__file__).parents[2]
TEXTS = sorted([*ROOT.glob("src/**/*.py"), *ROOT.glob("src/**/*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*.md")])
NUMBER = r"(\d+|one|two|three|four|five|six|seven|eight|nine|ten)"
ORDINAL = r"(second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth)"
COUNTS = re.compile(rf"\b(stages? {NUMBER}|{NUMBER} stages|{ORDINAL} stage|stage from the {ORDINAL})\b", re.IGNORECASE)
GUIDE = "HA network Stage 1"
"""The title of the guide, which has a number of its own."""


def counts(text: str) -> list[str]:
    return [found.group() for found in COUNTS.finditer(text.replace(GUIDE, ""))]


def test_each_stage_has_a_form_and_no_form_is_without_a_stage() -> None:
    assert list(FORMS) == [stage.name for stage in STAGES]


def test_each_stage_has_a_help_page() -> None:
    pages = files("iconha_tui.assets") / "help"
    missing = [stage.name for stage in STAGES if not (pages / f"{stage.name}.md").is_file()]
    assert not missing


@pytest.mark.parametrize(
    "text", ["You chose pcs in stage 3.", "the work of all eight stages", "Stages 2 and 3", "8 stages"]
)
def test_a_counted_stage_is_found(text: str) -> None:
    assert counts(text)


def test_no_text_counts_the_stages() -> None:
    """A stage that is added or moved makes no sentence wrong: texts name a stage by its title, and positions are computed."""
    found = {path.relative_to(ROOT).as_posix(): told for path in TEXTS if (told := counts(path.read_text()))}
    assert not found


STEPS = [type(step) for stage in STAGES for step in stage.steps]


def never_acts(kind: type[Step]) -> bool:
    """Whether its plan is nothing but `return []`."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind.plan)))
    function = tree.body[0]
    assert isinstance(function, ast.FunctionDef)
    code = [line for line in function.body if not (isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant))]
    return [ast.unparse(line) for line in code] == ["return []"]


@pytest.mark.parametrize("kind", STEPS, ids=lambda kind: f"{kind.__module__.rpartition('.')[2]}.{kind.__name__}")
def test_a_step_that_never_acts_is_a_check_by_its_class(kind: type[Step]) -> None:
    assert never_acts(kind) == issubclass(kind, CheckStep)
