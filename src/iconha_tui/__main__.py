"""`iconha-tui` and `python -m iconha_tui`."""

from __future__ import annotations

import sys

from iconha_tui.cli import main

if __name__ == "__main__":
    sys.exit(main())
