"""The steps of a stage, with what each is doing or has found."""

from __future__ import annotations

import time
from collections.abc import Iterator

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content

from iconha_tui.control.run_state import StageRun, StepState, TargetState
from iconha_tui.engine.events import PASSED
from iconha_tui.widgets.glyphs import duration, mark
from iconha_tui.widgets.hanging import MUTED, Hanging, Row

INDENT = " " * 12
SILENT = 5.0
"""Seconds without output after which it is told how long ago the last came."""


class StepList(VerticalScroll):
    """Draws a StageRun's steps, and keeps the one that is running, or has failed, in sight."""

    def compose(self) -> ComposeResult:
        yield Hanging(id="steps")

    def show(self, run: StageRun, at: float | None) -> None:
        """at: the clock by which what runs turns, None where nothing may move."""
        rows: list[Row] = []
        here = 0
        width = self.size.width - len(INDENT) - 4
        for step in run.steps:
            if step.state not in (*PASSED, "todo"):
                here = len(rows)
            rows += _step(step, at, width)
        hanging = self.query_one(Hanging)
        hanging.show(rows or [("", "This stage has no steps.")])
        if run.state != "done" and not self.has_focus:
            above = 2 if run.state == "running" else 0
            self.scroll_to(y=max(0, hanging.top(here) - above), animate=False)


def _step(step: StepState, at: float | None, width: int) -> Iterator[Row]:
    look = mark(step.state, at)
    now = time.monotonic()
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
            yield INDENT, Content.styled(_doing(name, target, now, width), MUTED)


def _doing(name: str, target: TargetState, now: float, width: int) -> str:
    """What a target is doing, on one line: a command that is longer stands whole in the target's output."""
    if target.waiting is not None:
        text, left = target.waiting
        return f"{name}: waiting, {left:.0f} s at most: {text}"
    silent = now - target.heard if target.heard else 0.0
    last = f"  last output {duration(silent)} ago" if silent > SILENT else ""
    room = max(width - len(name) - len(last) - 2, 20)
    doing = target.doing if len(target.doing) <= room else f"{target.doing[: room - 1]}…"
    return f"{name}: {doing}{last}"
