"""Events of a run. What is on the screen, what `status` says of a run, and where to resume are folds over them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

from iconha_tui.errors import Left
from iconha_tui.text import strip_controls

Outcome = Literal["done", "todo", "failed", "blocked", "cancelled", "skipped"]
"""How a step, stage or run ended; todo: a survey found work to do, and did none of it; skipped: it is not done, and the operator
goes on without it (a stage or run: with a step of that kind in it)."""

PASSED: tuple[Outcome, ...] = ("done", "skipped")
"""The outcomes after which a run goes on."""


@dataclass(frozen=True)
class RunStarted:
    """A run begins. stages: the names of the stages it will pass. mode: "run", or "survey" which only probes."""

    stages: list[str]
    mode: str = "run"
    program: str = ""


@dataclass(frozen=True)
class StageStarted:
    stage: str


@dataclass(frozen=True)
class StepStarted:
    stage: str
    step: str
    title: str


@dataclass(frozen=True)
class Probed:
    """A verdict on one target. phase: "probe" before, "verify" after the actions. verdict: done, needed or blocked."""

    stage: str
    step: str
    target: str
    phase: Literal["probe", "verify"]
    verdict: Literal["done", "needed", "blocked"]
    text: str


@dataclass(frozen=True)
class ActionStarted:
    """index counts from 1 to `of`, per step and target. shown: the action as an operator may see it, secrets masked.

    long: it outlives the connection, and a run that is stopped.
    """

    stage: str
    step: str
    target: str
    index: int
    of: int
    shown: str
    why: str
    long: bool = False


@dataclass(frozen=True)
class Output:
    """Lines that a target said, clean of control sequences and secrets. Never journalled: the transcript has them."""

    stage: str
    step: str
    target: str
    lines: list[str]


@dataclass(frozen=True)
class ActionFinished:
    """code: how a command ended, also where that is a failure, -1 where it was killed; None: of an action that has none."""

    stage: str
    step: str
    target: str
    index: int
    seconds: float
    code: int | None = None


@dataclass(frozen=True)
class ActionStopped:
    """The operator has stopped the run at an action. left: what has become of it; text: the same as a sentence."""

    stage: str
    step: str
    target: str
    index: int
    left: Left
    text: str


@dataclass(frozen=True)
class Waiting:
    """Verify is not true yet. left: seconds of patience."""

    stage: str
    step: str
    target: str
    text: str
    left: float


@dataclass(frozen=True)
class StepFinished:
    """changed: actions were carried out. text: the evidence, or what went wrong. The rest describes a failure; code is one of
    error_codes.Code, "" of a step that passed and in a journal of an older version."""

    stage: str
    step: str
    outcome: Outcome
    changed: bool
    seconds: float
    text: str = ""
    where: str = ""
    command: str = ""
    tail: str = ""
    remedy: str = ""
    code: str = ""


@dataclass(frozen=True)
class StageFinished:
    """settings: the digest (Spec.settings_digest) of what the stage was run or looked at with; "" where it was not kept."""

    stage: str
    outcome: Outcome
    changed: bool
    seconds: float
    settings: str = ""


@dataclass(frozen=True)
class RunFinished:
    outcome: Outcome
    changed: bool
    seconds: float


Event = (
    RunStarted
    | StageStarted
    | StepStarted
    | Probed
    | ActionStarted
    | Output
    | ActionFinished
    | ActionStopped
    | Waiting
    | StepFinished
    | StageFinished
    | RunFinished
)

OnEvent = Callable[[Event], None]
"""Observers take events from any thread, in order per target; they must return quickly."""

KINDS: Mapping[str, type[Any]] = {kind.__name__: kind for kind in Event.__args__}
MOST = 1000
"""Items of a list in a file: no run has as many stages."""
_HINTS: Mapping[type[Any], Mapping[str, Any]] = {kind: get_type_hints(kind) for kind in KINDS.values()}


def to_dict(event: Event, at: float) -> dict[str, Any]:
    """JSON form: the event's kind, its time (seconds since 1970) and its fields."""
    return {"event": type(event).__name__, "at": round(at, 3), **asdict(event)}


def from_dict(data: Mapping[str, Any]) -> Event | None:
    """The event of a JSON form, its texts cleaned; None where this version does not know the kind, or a field does not fit."""
    kind = KINDS.get(str(data.get("event")))
    if kind is None:
        return None
    told = {name: value for name, value in data.items() if name not in ("event", "at", "format")}
    hints = _HINTS[kind]
    if not all(name in hints and _fits(value, hints[name]) for name, value in told.items()):
        return None
    try:
        event: Event = kind(**{name: _cleaned(value) for name, value in told.items()})
    except TypeError:
        return None
    return event


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value from a file is of the type that its field has."""
    match get_origin(hint):
        case None:
            if hint is float:
                return type(value) in (int, float) and abs(value) < 1e11
            return type(value) is hint
        case origin if origin is Literal:
            return value in get_args(hint)
        case origin if origin is list:
            return type(value) is list and len(value) <= MOST and all(_fits(each, get_args(hint)[0]) for each in value)
        case _:
            return any(_fits(value, each) for each in get_args(hint))


def _cleaned(value: Any) -> Any:
    if isinstance(value, list):
        return [_cleaned(each) for each in value]
    return strip_controls(value) if isinstance(value, str) else value
