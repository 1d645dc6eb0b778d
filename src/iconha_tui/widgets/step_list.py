"""The steps of a stage, with what each is doing or has found."""

from __future__ import annotations

import time
from collections.abc import Iterator

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content

from iconha_tui.widgets.glyphs import duration, mark
from iconha_tui.widgets.hanging import MUTED, Hanging, Row
from iconha_tui.widgets.run_state import StageRun, StepState

INDENT = " " * 12


class StepList(VerticalScroll):
    """Draws a StageRun's steps, and keeps the one that is running in sight."""

    def compose(self) -> ComposeResult:
        yield Hanging(id="steps")

    def show(self, run: StageRun) -> None:
        now = time.monotonic()
        rows = [row for step in run.steps for row in _step(step, run, now)]
        self.query_one(Hanging).show(rows or [("", "This stage has no steps.")])
        if run.state != "done" and run.finished_steps and not self.has_focus:
            slack = 2 if run.state == "running" else 0
            self.scroll_to(y=max(0, 2 * run.finished_steps - slack), animate=False)


def _step(step: StepState, run: StageRun, now: float) -> Iterator[Row]:
    look = mark(step.state)
    running = step.state == "running"
    spent = now - step.began if running else step.seconds
    time_text = duration(spent) if step.state != "todo" else ""
    unchanged = ", nothing to change" if step.state == "done" and not step.changed else ""
    yield (
        Content.styled(f" {look.glyph} {look.word:<9}", look.style),
        Content.assemble((step.title, "bold" if running else ""), (f"  {time_text}{unchanged}", MUTED)),
    )
    if step.state not in ("todo", "running") and step.text:
        yield INDENT, Content.styled(step.text, MUTED)
    if running:
        for name, target in step.targets.items():
            yield INDENT, Content.styled(f"{name}: {_doing(target.doing, target.waiting)}", MUTED)
        if run.heard and now - run.heard > 5:
            yield INDENT, Content.styled(f"last output {duration(now - run.heard)} ago", MUTED)


def _doing(doing: str, waiting: tuple[str, float] | None) -> str:
    if waiting is None:
        return doing
    text, left = waiting
    return f"waiting for: {text} {left:.0f} s left"
