"""Writes docs/status.schema.json: the form of `iconha-tui status --json`, from the dataclasses that it is made of."""

import json
from pathlib import Path

from iconha_tui.status.report import json_schema

if __name__ == "__main__":
    path = Path(__file__).with_name("status.schema.json")
    path.write_text(json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n")
    print(path)
