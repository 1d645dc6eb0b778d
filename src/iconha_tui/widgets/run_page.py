"""How a stage's run goes: a line that sums it up, the steps, a failure with its keys, and the output."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from iconha_tui.control.run_state import StageRun
from iconha_tui.engine.events import PASSED
from iconha_tui.engine.step import Step
from iconha_tui.widgets.failure import Failure, FailureBox, FailureKeys
from iconha_tui.widgets.glyphs import duration, mark
from iconha_tui.widgets.output import OutputPanes
from iconha_tui.widgets.step_list import StepList
from iconha_tui.widgets.words import Words


class RunPage(Vertical):
    """One stage's run. targets: whose output it shows, the nodes first. transcript: the file that has all of it."""

    def __init__(self, targets: Sequence[str], transcript: Path) -> None:
        super().__init__(id="run")
        self.output = OutputPanes(targets)
        self._transcript = transcript

    def compose(self) -> ComposeResult:
        yield Words(id="run-head")
        yield StepList()
        yield FailureBox()
        yield FailureKeys()
        yield self.output
        yield Static(f"The whole output: {self._transcript}", id="transcript", markup=False)

    @property
    def failure(self) -> Failure | None:
        """The failure that is shown."""
        return self.query_one(FailureBox).shown

    def clear(self, targets: Sequence[str]) -> None:
        """Empty panes, new ones where a node has been renamed since: what is said from now on is shown there."""
        if self.output.targets == list(targets):
            self.output.clear()
            return
        self.output.remove()
        self.output = OutputPanes(targets)
        self.mount(self.output, before="#transcript")

    def show(self, run: StageRun, moment: float | None) -> None:
        """Draws the steps anew. moment: the clock by which what runs turns; None: it stands still."""
        self.query_one(StepList).show(run, moment)

    def show_failure(self, failure: Failure | None, step: Step | None, edit: str) -> bool:
        """Shows a failure and its keys; None: hides them. edit: what F2 leads to. Whether it is another one than before."""
        if not self.query_one(FailureBox).show(failure, step):
            return False
        self.set_class(failure is not None, "-failed")
        self.query_one(FailureKeys).show(failure, step, edit)
        return True

    def sum_up(
        self,
        run: StageRun,
        moment: float | None,
        *,
        left: str,
        run_through: bool,
        stopping: str,
        problem: str,
        unapplied: bool,
    ) -> None:
        """The line at the top. left: how long it will take, in words. stopping: that it stops, and how. problem: why it cannot be
        run now. unapplied: the settings were changed since."""
        look = mark(run.state, moment)
        if stopping and run.state == "running":
            self.query_one("#run-head", Words).say(Content.styled(f"{look.glyph} {stopping}", look.style))
            return
        if unapplied and run.state in PASSED:
            look = mark("changed")
            text = "The settings were changed since the stage last ran   F5 applies them"
        else:
            text = _summed_up(run, left, run_through, problem)
        self.query_one("#run-head", Words).say(Content.assemble((f"{look.glyph} {look.word}  ", look.style), text))


def _summed_up(run: StageRun, left: str, run_through: bool, problem: str) -> str:
    if run.state == "running":
        step = min(run.passed_steps + 1, len(run.steps))
        then = ", then on" if run_through else ""
        return f"step {step} of {len(run.steps)}, {duration(run.spent)}{f', {left}' if left else ''}{then}   F9 stops"
    if run.state == "skipped":
        skipped = f"{run.skipped_steps} of {len(run.steps)} steps"
        return f"{skipped}, in {duration(run.seconds)}   F8 goes to the next stage, F5 tries again"
    if run.state == "done":
        changed = "" if run.changed else ", nothing had to be changed"
        return f"in {duration(run.seconds)}{changed}   F8 goes to the next stage"
    if run.mode == "survey":
        return "this is what a look found   F5 runs the stage"
    if run.mode:
        failed = f"at step {run.passed_steps + 1} of {len(run.steps)}, " if run.failure else ""
        return f"{failed}after {duration(run.seconds)}"
    if problem:
        return f"Not ready: {problem}"
    return "F5 runs this stage, F12 this and those after it; nothing starts before"
