"""The code is as the linters and the type checker want it: a test, so that they run beside the others."""

from __future__ import annotations

import subprocess
from pathlib import Path


def test_ruff_mypy_and_import_linter_find_nothing() -> None:
    root = Path(__file__).parents[2]
    done = subprocess.run(
        ["make", "--no-print-directory", "lint"], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
