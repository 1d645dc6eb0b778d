"""The steps of a stage, with what each is doing or has found."""

from __future__ import annotations

import time

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from iconha_tui.widgets.glyphs import duration, mark
from iconha_tui.widgets.run_state import StageRun, StepState


class StepList(VerticalScroll):
    """Draws a StageRun's steps. Redrawn only where something has changed."""

    def compose(self) -> ComposeResult:
        yield Static(id="steps", markup=False)

    def show(self, run: StageRun) -> None:
        now = time.monotonic()
        drawn = Content("\n").join(_step(step, run, now) for step in run.steps)
        self.query_one("#steps", Static).update(drawn or Content("This stage has no steps yet."))


def _step(step: StepState, run: StageRun, now: float) -> Content:
    look = mark(step.state)
    running = step.state == "running"
    spent = now - step.began if running else step.seconds
    head = Content.assemble(
        (f" {look.glyph} {look.word:<8}", look.style),
        (step.title, "bold" if running else ""),
        (f"  {duration(spent)}" if step.state != "todo" else "", "$foreground-muted"),
        ("  nothing to change" if step.state == "done" and not step.changed else "", "$foreground-muted"),
    )
    lines = [head]
    if step.state not in ("todo", "running") and step.text:
        lines.append(Content.styled(f"            {step.text}", "$foreground-muted"))
    if running:
        lines += [_doing(name, target.doing, target.waiting) for name, target in step.targets.items()]
        if run.heard and now - run.heard > 5:
            lines.append(Content.styled(f"            last output {duration(now - run.heard)} ago", "$foreground-muted"))
    return Content("\n").join(lines)


def _doing(name: str, doing: str, waiting: tuple[str, float] | None) -> Content:
    if waiting is not None:
        text, left = waiting
        return Content.styled(f"            {name}: waiting for: {text} ({left:.0f} s left)", "$foreground-muted")
    return Content.styled(f"            {name}: {doing}", "$foreground-muted")
