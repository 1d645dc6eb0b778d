"""Coming back to a cluster: what was done, what was interrupted, what is there now; then on to what is not done."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from iconha_tui.engine.events import PASSED
from iconha_tui.screens.base import WizardScreen
from iconha_tui.screens.past import last_run
from iconha_tui.when import ago, duration
from iconha_tui.widgets.activity import activity
from iconha_tui.widgets.glyphs import Mark, mark
from iconha_tui.widgets.hanging import MUTED, Hanging, Row
from iconha_tui.widgets.keys import KeyLine
from iconha_tui.widgets.title import TitleBar

if TYPE_CHECKING:
    from iconha_tui.control.run_state import StageRun
    from iconha_tui.engine.journal import StageProgress
    from iconha_tui.engine.step import Stage

COLUMNS = 74
"""From this width on, what was and what is stand side by side."""
BEFORE = 30


class Resume(WizardScreen):
    """Probes every stage up to the first with work to do; changes nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f8,enter,ctrl+n", "go_on", "Go on", key_display="F8"),
        Binding("f5,ctrl+r", "look", "Look again", key_display="F5"),
        Binding("f9", "stop", "Stop", key_display="F9"),
        Binding("f10,ctrl+l", "preflight", "Check before the run", key_display="F10"),
        Binding("escape,f7", "leave", "Back", key_display="Esc"),
        Binding("q", "app.quit", "Quit", show=False),
    ]
    topic = "resume"
    _busy = False

    def compose(self) -> ComposeResult:
        yield TitleBar()
        with VerticalScroll(id="resume"):
            yield Hanging(id="resume-before")
            yield Hanging(id="resume-found")
        yield Static(id="resume-next", markup=False)
        yield KeyLine()

    def on_mount(self) -> None:
        runs = self.wizard.cluster.runs
        self._before = {
            stage.name: replace(runs.progress.stage(stage.name), state=runs.state(stage.name))
            for stage in self.wizard.stages
        }
        self.query_one("#resume-before", Hanging).show(last_run(runs.progress, self.wizard.stages, time.time()))
        self.wizard.work.survey()
        self.follow()
        self.query_one("#resume").focus()

    def on_resize(self) -> None:
        self.call_after_refresh(self.follow)

    def follow(self) -> None:
        app = self.wizard
        cluster, busy = app.cluster, app.work.busy
        self.query_one(TitleBar).show(f"cluster {cluster.name}", activity(cluster.runs, app.moment()))
        self.query_one("#resume-found", Hanging).show(self._rows())
        self.query_one("#resume-next", Static).update(self._next())
        if busy != self._busy:
            self._busy = busy
            self.refresh_bindings()

    # What was, and what is

    def _rows(self) -> Iterator[Row]:
        wide = self.query_one("#resume-found").size.width >= COLUMNS
        yield (
            Content.styled(f"{'':28}", MUTED),
            Content.styled(f"{'the journal says':<{BEFORE}}now" if wide else "the journal says, and now", MUTED),
        )
        for number, stage in enumerate(self.wizard.stages, start=1):
            was, run = self._before[stage.name], self.wizard.cluster.runs.runs[stage.name]
            lead = Content(f"{number} {stage.title:<26}")
            before, now = _before(was), self._now(stage, run)
            if wide:
                yield lead, Content.assemble(before.truncate(BEFORE, pad=True, ellipsis=True), now)
            else:
                yield lead, before
                yield " " * 28, now
            if text := self._why(was, run):
                yield " " * 28, text

    def _now(self, stage: Stage, run: StageRun) -> Content:
        if run.state == "running":
            return _styled(mark("running"), f"looking: {run.current.title}" if run.current else "looking")
        if not _looked(run):
            return Content.styled("" if self.wizard.work.busy else "not looked at", MUTED)
        return _styled(mark(run.state))

    def _why(self, was: StageProgress, run: StageRun) -> Content | None:
        """What a look found that is not done, and whether it is news."""
        if run.state in (*PASSED, "running") or not _looked(run):
            return None
        said = next((step.text for step in reversed(run.steps) if step.text and step.state not in PASSED), "")
        if failure := run.failure:
            said = f"{failure.where + ': ' if failure.where else ''}{failure.text}"
        if was.state not in PASSED:
            return Content.styled(said, MUTED)
        look = mark("warning")
        return Content.assemble((f"{look.glyph} different now  ", look.style), said)

    # What comes next

    def _next(self) -> str:
        cluster = self.wizard.cluster
        if cluster.read_only:
            return f"{cluster.read_only} F8 shows its stages as they are saved; nothing can be changed here."
        if self.wizard.work.busy:
            return "Stopping." if cluster.runs.stopping else "Looking at what is there; nothing is changed. F9 stops."
        trouble = next(iter(cluster.runs.trouble.values()), None)
        if trouble is not None:
            return f"{trouble} F5 looks again, F8 goes on all the same."
        stage = self._open()
        if stage is None:
            return "Next: nothing is left to do. F8 shows the summary, F7 from there the stages."
        failure = cluster.runs.runs[stage.name].failure
        again = " again, which was done before" if self._before[stage.name].state in PASSED else ""
        remedy = f"{failure.remedy} " if failure and failure.remedy else ""
        return f"Next: {remedy}F8 goes on with “{stage.title}”{again}."

    def _open(self) -> Stage | None:
        runs = self.wizard.cluster.runs
        return next((stage for stage in self.wizard.stages if runs.state(stage.name) not in PASSED), None)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("look", "preflight") and self.wizard.cluster.read_only:
            return False
        if action in ("go_on", "look", "preflight"):
            return not self.wizard.work.busy
        return self.wizard.work.busy if action == "stop" else True

    def action_go_on(self) -> None:
        stage = self._open()
        if stage is None:
            self.wizard.pages.show_summary()
        else:
            self.wizard.pages.show_stage(stage.name)

    def action_look(self) -> None:
        self.wizard.work.survey()

    def action_preflight(self) -> None:
        self.wizard.pages.show_preflight()

    def action_stop(self) -> None:
        self.wizard.work.ask_to_stop()

    def action_leave(self) -> None:
        self.wizard.pages.leave_cluster()


def _looked(run: StageRun) -> bool:
    """Whether a look has come as far as this stage."""
    return run.state != "todo" or any(step.text for step in run.steps)


def _before(was: StageProgress) -> Content:
    """What the journal says of a stage: its state, how long its work took, and when that was."""
    if was.state == "running":
        return _styled(replace(mark("cancelled"), word="interrupted"))
    if was.state in PASSED and was.worked:
        return _styled(
            mark(was.state), Content.styled(f"{duration(was.seconds)}, {ago(was.worked, time.time())}", MUTED)
        )
    return _styled(mark(was.state))


def _styled(look: Mark, more: Content | str = "") -> Content:
    word = look.word if not isinstance(more, str) or not more else more
    tail = more if isinstance(more, Content) else ""
    return Content.assemble((f"{look.glyph} {word} ", look.style), tail)
