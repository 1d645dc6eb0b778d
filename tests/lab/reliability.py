"""`make reliability`: runs every test of a fault, thoroughly, and writes docs/reliability.md from what they have seen.

python tests/lab/reliability.py [--runs N] [--only EXPRESSION] [--results FILE]
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
import time
from datetime import UTC, datetime
from pathlib import Path

from faults import Row
from rich.console import Console
from rich.markdown import Markdown

HERE = Path(__file__).parent
PAGE = HERE.parent.parent / "docs" / "reliability.md"
ORDER = ("Interruption", "AWS", "What the operator has chosen, and what the machines allow", "Nodes and their networks")
"""The sections of the page that come first."""

HEAD = """\
# What goes wrong, and what becomes of it

Each row is a test that has passed: it makes the fault on the local lab (real nodes, an EC2 of moto), lets the program meet
it, and looks at what is left. *The operator reads* is in the program's own words: where, what, why, and what to do. *On*
says which nodes, and which cluster shell. `make reliability` runs all of them, prints this page and writes it.

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
        began = time.monotonic()
        codes = [_run(file, args.only) for _ in range(args.runs)]
        minutes = (time.monotonic() - began) / 60 if args.runs else 0
        text = file.read_text(encoding="utf-8") if file.exists() else ""
    page = page_of([Row(**json.loads(line)) for line in text.splitlines()], minutes, failed=any(codes))
    Console().print(Markdown(page))
    if not args.only:
        PAGE.write_text(page, encoding="utf-8")
    return max(codes, default=0)


def modules() -> list[Path]:
    """The modules whose tests make faults, which name a section of the page; those with tests that are slow; and the guide's.

    The one that takes longest comes first: each is one worker's.
    """
    named = (
        path for path in HERE.glob("test_*.py") if re.search(r"^SECTION = |\bslow\b", path.read_text(), re.MULTILINE)
    )
    return sorted({*named, HERE / "test_guide.py"}, key=lambda path: (path.stem != "test_interruption", path))


def _run(file: Path, only: str | None) -> int:
    """pytest on all of them, as `make test` runs it; its exit code."""
    argv = [sys.executable, "-m", "pytest", "-q", "-n", "3", "--dist", "loadgroup"]
    argv += ["--no-loadscope-reorder", *map(str, modules())]
    argv += ["-k", only] if only else []
    return subprocess.run(argv, env=os.environ | {"ICONHA_FAULTS_TABLE": str(file)}, check=False).returncode


def page_of(results: list[Row], minutes: float, *, failed: bool = False) -> str:
    """The whole page. minutes: that the tests took; 0 where none was run."""
    rows = added_up(results)
    kills = sum(row.runs for row in rows if "kill -9) before" in row.fault)
    took = f" in {minutes:.0f} minutes" if minutes else ""
    made = (
        f"Made on {datetime.now(UTC):%Y-%m-%d}{took}, {os.cpu_count()} cores, Python {platform.python_version()}: "
        f"{sum(row.runs for row in rows)} runs of {len(rows)} faults, "
        f"{kills} of them kills of the program in the middle of a build.\n\n"
    )
    warning = "**Some tests failed in this run; their rows are missing.**\n\n" if failed else ""
    sections = dict.fromkeys(row.section for row in rows)
    return HEAD + made + warning + "\n".join(_section(name, rows) for name in sections)


def added_up(results: list[Row]) -> list[Row]:
    """A fault on the same nodes is one row, in its last words, with the runs of all; in the order of sections and tests."""
    told: dict[tuple[str, str, str], Row] = {}
    for row in results:
        key = (row.section, row.fault, row.on)
        row.runs += told[key].runs if key in told else 0
        told[key] = row
    place = {name: number for number, name in enumerate(ORDER)}
    return sorted(
        told.values(), key=lambda row: (place.get(row.section, len(ORDER)), row.section, row.module, row.line, row.on)
    )


def _section(name: str, rows: list[Row]) -> str:
    lines = [
        f"## {name}\n",
        "| fault | made by | on | the operator reads | result | runs |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        if row.section == name:
            cells = (row.fault, row.how, row.on, row.sees, row.result, str(row.runs))
            lines.append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
    return "\n".join(lines) + "\n"


_PARTICULAR = (
    (r"(?<![\w.])/(?:tmp|root|home|work|var/tmp)/(?:[^\s,;:'\"`|]*/)?([^\s,;:'\"`|/]+)", r"…/\1"),
    (r"\bi-[0-9a-f]{17}\b(?<!i-0123456789abcdef0)", "i-…"),
    (r"\b(eipalloc|vpc|subnet|sg)-[0-9a-f]{8,17}\b", r"\1-…"),
    (r"\barn:aws:\S+", "arn:aws:…"),
    (r"\b\d{12}\b", "123456789012"),
    (r"\b127\.(?!0\.[01]\.1\b)\d+\.\d+\.\d+\b", "198.51.100.1"),
    (r"\b10\.\d+\.\d+\.\d+\b", "172.31.0.10"),
    (r"\bport 2\d{3}\b", "port 22"),
    (r"\bprocess \d+", "process …"),
    (r"\biconha-[a-z0-9-]+\.service\b", "iconha-….service"),
    (r"\bSHA256:[\w+/]{43}", "SHA256:…"),
    (r"\b[0-9a-f]{16,64}\b", "…"),
)
"""What differs from run to run, or belongs to one machine or lab."""


def _cell(text: str) -> str:
    """One cell of a Markdown table: no line breaks, no bars, nothing that is particular to a run."""
    for pattern, word in _PARTICULAR:
        text = re.sub(pattern, word, text)
    return " ".join(text.replace("|", "\\|").split())


if __name__ == "__main__":
    sys.exit(main())
