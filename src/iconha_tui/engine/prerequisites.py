"""The order in which stages can begin: each builds on those before it."""

from __future__ import annotations

from collections.abc import Sequence

from iconha_tui.engine.journal import Progress
from iconha_tui.engine.step import Stage


def first_unmet(stage: Stage, stages: Sequence[Stage], progress: Progress) -> Stage | None:
    """The first stage before `stage` that has never passed, so that `stage` cannot begin; None where it can.

    A stage before it that has passed once and has changed or failed since does not stand in the way: what it has built may be
    there, and the probes of `stage` tell whether it is.
    """
    before = stages[: stages.index(stage)]
    return next((earlier for earlier in before if not progress.has_passed(earlier.name)), None)
