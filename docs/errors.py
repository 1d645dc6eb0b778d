"""Writes docs/errors.md: the codes of errors and the exit codes, from the modules that have them."""

from pathlib import Path

from iconha_tui.error_codes import Code
from iconha_tui.exit_codes import RUN_WORDS, STATUS_WORDS

PAGE = Path(__file__).with_name("errors.md")

_HEAD = """\
# Errors and exit codes

docs/errors.py writes this page; a test holds it and the program together.

Every error has a code. `run --json` has it in `code` of each event `StepFinished` that did not pass, `check --json` in `code` of
each `Found` that warns or stands in the way, and `run` prints it below the error. A code keeps its meaning from version to
version; the sentences may change, so a program decides by the code alone. `code` is "" where there is no error, and in journals
of older versions.

The remedy below is the general one. The error itself says more: what happened, on which node, and what to do there.

| code | meaning | remedy |
|---|---|---|
"""

_EXIT_CODES = """
## Exit codes

| exit code | `status` | all other commands |
|---|---|---|
"""


def page() -> str:
    """The page, in Markdown."""
    codes = "".join(f"| `{code}` | {code.meaning} | {code.remedy} |\n" for code in Code)
    numbers = sorted({*STATUS_WORDS, *RUN_WORDS})
    exits = "".join(f"| {each:d} | {STATUS_WORDS.get(each, '')} | {RUN_WORDS.get(each, '')} |\n" for each in numbers)
    return f"{_HEAD}{codes}{_EXIT_CODES}{exits}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
