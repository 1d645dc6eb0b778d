"""`python -m iconha_tui.lab`: the lab's commands alone."""

from __future__ import annotations

import argparse
import sys

from iconha_tui.lab.cli import add_parser

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m iconha_tui.lab")
    add_parser(parser.add_subparsers(required=True))
    args = parser.parse_args(["lab", *sys.argv[1:]])
    sys.exit(args.func(args))
