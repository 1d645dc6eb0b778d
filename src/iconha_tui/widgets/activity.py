"""What is going on, in the words of the title line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iconha_tui.widgets.glyphs import duration, mark

if TYPE_CHECKING:
    from iconha_tui.control.run_model import RunModel


def activity(runs: RunModel, moment: float | None) -> str:
    """ "" while nothing goes on. moment: the clock by which what runs turns; None: it stands still."""
    run = runs.running
    if run is None:
        return ""
    glyph = mark("running", moment).glyph
    if runs.stopping:
        return f"{glyph} stopping {runs.current}"
    if runs.checking:
        return f"{glyph} checking before the run"
    if run.mode == "survey":
        return f"{glyph} looking at {runs.current}"
    overall = runs.forecast()
    left = f", {words}" if (words := overall.words()) else ""
    return f"{glyph} {overall.percent} %{left} · {runs.current} {duration(run.spent)}"
