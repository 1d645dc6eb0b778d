"""Speed and memory, as README.md has them: `python bench/run.py [help] [paint] [memory] [lines] [run]`, all without a word.

Exit code 0 whether a target is met or not, 1 where a part could not be measured, 2 for wrong usage.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict

import flood
import guide
import keys
import startup
from measure import Figure, NotMeasured, progress

from iconha_tui.errors import Trouble


def main() -> int:
    parser = argparse.ArgumentParser(description="Measures the program's speed and memory, each against a reference.")
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help="help, paint, memory, lines, keys, run; all where none is named"
    )
    parser.add_argument("--json", action="store_true", help="one JSON list")
    parser.add_argument("--turns", type=int, default=2, help="fresh labs for each side of the part run (default: 2)")
    args = parser.parse_args()
    parts: dict[str, Callable[[], list[Figure]]] = {
        "help": lambda: [startup.help_time()],
        "paint": lambda: [startup.first_paint()],
        "memory": lambda: [startup.idle_memory()],
        "lines": lambda: [flood.flood()],
        "keys": lambda: [keys.keys()],
        "run": lambda: guide.guide(args.turns),
    }
    if unknown := [part for part in args.parts if part not in parts]:
        parser.error(f"there is no part {unknown[0]}; there are {', '.join(parts)}")

    found: list[Figure] = []
    missing: dict[str, str] = {}
    if not args.json:
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    for part in args.parts or parts:
        try:
            with progress(part):
                figures = parts[part]()
        except (NotMeasured, Trouble, OSError) as error:
            missing[part] = str(error)
            print(f"{part:<7} not measured: {error}", file=sys.stderr)
            continue
        found += figures
        if not args.json:
            print("\n".join(figure.text() for figure in figures), flush=True)
    if args.json:
        measured = [{**asdict(each), "ratio": each.ratio, "passed": each.passed} for each in found]
        print(
            json.dumps([*measured, *({"part": part, "not_measured": why} for part, why in missing.items())], indent=2)
        )
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
