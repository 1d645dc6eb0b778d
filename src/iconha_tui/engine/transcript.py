"""The transcript: what was done and what was said, in the order in which it happened, to be read by a person.

A line is the time, the target and a sign: `$` a command as it was shown (`>` goes on with it), `|` what the target said,
`=` how the command ended, `?` what a look at the target found. `==` begins a run, a stage or a step, or ends one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from iconha_tui.engine.events import (
    ActionFinished,
    ActionStarted,
    ActionStopped,
    Event,
    Output,
    Probed,
    RunFinished,
    RunStarted,
    StageFinished,
    StageStarted,
    StepFinished,
    StepStarted,
)
from iconha_tui.text import strip_controls


def lines_of(event: Event, at: float) -> str:
    """What an event adds, as whole lines; "" where nothing. at: seconds since 1970; told in this machine's zone, the date and
    the zone at the beginning of each run."""
    stamp = time.strftime("%H:%M:%S", time.localtime(at))
    return "".join(f"{stamp} {line}\n" for line in _lines(event, at))


def _lines(event: Event, at: float) -> Iterator[str]:
    match event:
        case RunStarted():
            what = "looks at" if event.mode == "survey" else "runs"
            day = time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(at))
            yield f"== {day}: iconha-tui {event.program} {what} {', '.join(event.stages)}"
        case StageStarted():
            yield f"== stage {event.stage}"
        case StepStarted():
            yield f"== step {event.step}: {event.title}"
        case Probed():
            yield from _told(event.target, "?", f"{event.verdict}: {event.text}")
        case ActionStarted():
            first, _, rest = event.shown.partition("\n")
            yield from _told(event.target, "$", first)
            if rest:
                yield from _told(event.target, ">", rest)
        case Output():
            yield from (f"{event.target} | {line}" for line in event.lines)
        case ActionFinished():
            yield f"{event.target} = {_ended(event.code)}, after {event.seconds:.1f} s"
        case ActionStopped():
            yield from _told(event.target, "=", event.text)
        case StepFinished():
            yield f"== step {event.step}: {event.outcome}, after {event.seconds:.1f} s"
            if event.text and event.outcome != "done":  # else the looks have said it
                yield from _told(event.where, "==", event.text)
        case StageFinished():
            yield f"== stage {event.stage}: {event.outcome}, after {event.seconds:.1f} s"
        case RunFinished():
            yield f"== the run has ended: {event.outcome}, after {event.seconds:.1f} s"
        case _:
            pass


def _ended(code: int | None) -> str:
    """None: of an action that has no exit code, as a call of the AWS API; it succeeded. -1: the command was killed."""
    return "done" if code is None else "no exit code" if code == -1 else f"exit code {code}"


def _told(target: str, sign: str, text: str) -> Iterator[str]:
    for line in strip_controls(text).split("\n"):
        yield f"{target} {sign} {line}".lstrip()
