"""What was last seen of a pair itself: the status' verdict with its age. That a run has ended says nothing of it."""

from __future__ import annotations

from dataclasses import dataclass

from iconha_tui.status.report import VERDICT_WORDS, Verdict
from iconha_tui.when import ago, moment

FRESH = 60.0
"""Seconds for which a verdict is told as what is; from then on as what was."""

MARKS: dict[Verdict, str] = {
    "ready": "done",
    "not_ready": "warning",
    "split": "failed",
    "down": "failed",
    "not_built": "todo",
    "unknown": "unknown",
}
"""Verdict -> the state that it looks like."""


@dataclass(frozen=True)
class PairLook:
    """state: names the mark. word: the verdict in capitals, with "was" where it is old; or that there is none.

    age: how old it is, or since when nobody has looked. old: to be drawn dimmed.
    """

    state: str
    word: str
    age: str
    old: bool = False

    @property
    def bad(self) -> bool:
        """Whether the pair was seen with something wrong."""
        return self.state in ("failed", "warning")


def pair_look(seen: tuple[Verdict, float] | None, worked: float, now: float) -> PairLook:
    """seen: the last verdict and its time; None: there is none. worked: when a run last did something. Times are since 1970."""
    if seen is None:
        return PairLook("unknown", "never looked at", "", old=True)
    verdict, at = seen
    word = VERDICT_WORDS[verdict].upper()
    if at < worked:
        return PairLook(
            "unknown", "not looked at", f"since the run of {moment(worked)}; was {word} {ago(at, now)}", old=True
        )
    if now - at < FRESH:
        return PairLook(MARKS[verdict], word, ago(at, now))
    return PairLook(MARKS[verdict], f"was {word}", ago(at, now), old=True)
