"""What a preflight finds: one thing that was looked at, and what the operator can do about it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from iconha_tui.causes import cause_of
from iconha_tui.errors import Trouble

State = Literal["done", "will_be_made", "will_be_changed", "not_known", "warning", "stands_in_the_way"]
"""done: it is as it should be. will_be_made, will_be_changed: by the run. not_known: it can be told only in the run.

warning: a run would go on. stands_in_the_way: it would stop there.
"""


@dataclass(frozen=True)
class Found:
    """One thing that was looked at. remedy: "" where nothing is to be done. stage, field: the setting that would mend it, as
    stages and the spec's paths are called; "" where it is none. code: the kind of error, one of error_codes.Code; "" of none."""

    where: str
    what: str
    state: State
    text: str
    remedy: str = ""
    stage: str = ""
    field: str = ""
    code: str = ""

    def line(self) -> str:
        return f"{self.where}: {self.what}: {self.text}"

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def bad(
    where: str, what: str, trouble: Trouble, stage: str = "", *, lead: str = "", state: State = "stands_in_the_way"
) -> Found:
    """What a Trouble tells; with the setting at fault where its cause is known, else with the stage that met it."""
    cause = cause_of(trouble.code, trouble.what, trouble.detail)
    remedy = (cause and cause.remedy) or trouble.remedy
    at = (cause.stage, cause.field) if cause and cause.stage else (stage, "")
    return Found(where, what, state, f"{lead} {trouble.what}".strip(), remedy, *at, code=trouble.code)
