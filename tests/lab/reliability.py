"""`make reliability`: runs every test of a fault, thoroughly, and writes docs/reliability.md from what they have seen.

python tests/lab/reliability.py [--runs N] [pytest options]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from faults import Row

HERE = Path(__file__).parent
PAGE = HERE.parent.parent / "docs" / "reliability.md"
TESTS = (
    "test_interruption.py",
    "test_faults_node.py",
    "test_faults_world.py",
    "test_faults_aws.py",
    "test_operator.py",
)

HEAD = """\
# What goes wrong, and what becomes of it

Each row is a test that has passed: it makes the fault on the local lab (real nodes, an EC2 of moto), lets the program meet
it, and looks at what is left. *The operator reads* is in the program's own words. `make reliability` runs all of them, and
writes this page.

"""


def main() -> int:
    parser = argparse.ArgumentParser(description="Every fault, thoroughly; then docs/reliability.md.")
    parser.add_argument(
        "--runs", type=int, default=1, help="how often each test is run; 0: only the page, from --results"
    )
    parser.add_argument(
        "--results", type=Path, help="a file that keeps the results, so that runs add up over several calls"
    )
    parser.add_argument("--only", help="a pytest -k expression; the page is then printed, not written")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        file = args.results or Path(scratch) / "table.jsonl"
        environment = os.environ | {"ICONHA_FAULTS_TABLE": str(file)}
        codes = []
        began = datetime.now(UTC)
        for _ in range(args.runs):
            argv = [sys.executable, "-m", "pytest", "-q", *(str(HERE / test) for test in TESTS)]
            argv += ["-k", args.only] if args.only else []
            codes.append(subprocess.run(argv, env=environment, check=False).returncode)
        text = file.read_text(encoding="utf-8") if file.exists() else ""
    rows = [Row(**json.loads(line)) for line in text.splitlines()]
    page = HEAD + _made(rows, began, any(codes)) + "".join(_section(name, rows) for name in _sections(rows))
    if args.only:
        print(page)
    else:
        PAGE.write_text(page, encoding="utf-8")
        print(f"{PAGE}: {len(rows)} results")
    return max(codes, default=0)


def _made(rows: list[Row], began: datetime, failed: bool) -> str:
    kills = sum(row.runs for row in rows if "kill -9) before" in row.fault)
    text = (
        f"Made on {began:%Y-%m-%d}, Debian nodes, {os.cpu_count()} cores, Python {platform.python_version()}: "
        f"{len(rows)} results, {kills} kills of the program in the middle of a build.\n\n"
    )
    return text + ("**Some tests failed in this run; their rows are missing.**\n\n" if failed else "")


def _sections(rows: Iterable[Row]) -> list[str]:
    return list(dict.fromkeys(row.section for row in rows))


def _section(name: str, rows: Iterable[Row]) -> str:
    """A table; a fault that was made several times is one row, with the number of runs added up."""
    told: dict[tuple[str, str], Row] = {}
    for row in rows:
        if row.section == name:
            if known := told.get((row.fault, row.test)):
                row.runs += known.runs
            told[row.fault, row.test] = row
    lines = [f"## {name}\n", "| fault | made by | the operator reads | result | runs |", "|---|---|---|---|---|"]
    for row in told.values():
        cells = (row.fault, row.how, row.sees, row.result, str(row.runs))
        lines.append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
    return "\n".join(lines) + "\n\n"


_PARTICULAR = (
    (r"/(tmp|root|home|work|var/tmp)/[^\s,;'\"]*", "…"),
    (r"\bi-[0-9a-f]{17}\b", "i-…"),
    (r"\b(eipalloc|vpc|subnet|sg)-[0-9a-f]{8,17}\b", r"\1-…"),
    (r"\b127\.(?!0\.[01]\.1\b)\d+\.\d+\.\d+\b", "198.51.100.1"),
    (r"\bprocess \d+", "process …"),
    (r"\b[0-9a-f]{16}\b", "…"),
)
"""What differs from run to run or belongs to one machine."""


def _cell(text: str) -> str:
    """One cell of a Markdown table: no line breaks, no bars, nothing that is particular to a run."""
    for pattern, word in _PARTICULAR:
        text = re.sub(pattern, word, text)
    return " ".join(text.replace("|", "\\|").split())


if __name__ == "__main__":
    sys.exit(main())
