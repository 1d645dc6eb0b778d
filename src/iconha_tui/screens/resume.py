"""Coming back to a cluster: a look at how things stand, then on to the first stage that is not done."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from iconha_tui.screens.base import WizardScreen
from iconha_tui.widgets.glyphs import duration, mark
from iconha_tui.widgets.hanging import MUTED, Hanging, Row
from iconha_tui.widgets.keys import KeyLine
from iconha_tui.widgets.title import TitleBar


class Resume(WizardScreen):
    """Probes every stage up to the first with work to do; changes nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f8,enter,ctrl+n", "go_on", "Go on", key_display="F8"),
        Binding("f5,ctrl+r", "look", "Look again", key_display="F5"),
        Binding("f9", "stop", "Stop", key_display="F9"),
        Binding("escape,f7", "leave", "Back", key_display="Esc"),
        Binding("q", "app.quit", "Quit", show=False),
    ]
    topic = "resume"
    _busy = False

    def compose(self) -> ComposeResult:
        yield TitleBar()
        with VerticalScroll(id="resume"):
            yield Static(id="resume-before", markup=False)
            yield Hanging(id="resume-found")
            yield Static(id="resume-next", markup=False)
        yield KeyLine()

    def on_mount(self) -> None:
        progress = self.wizard.live.progress
        if progress.interrupted:
            last = next((s.step for s in progress.stages.values() if s.state == "running" and s.step), "")
            said = f"The last run was interrupted{f' at “{last}”' if last else ''}."
        elif progress.failure is not None and progress.outcome != "done":
            said = f"The last run stopped: {progress.failure.text}"
        else:
            said = "The last run came to its end."
        self.query_one("#resume-before", Static).update(
            f"{said} The program now looks at what is really there. It changes nothing."
        )
        self.wizard.live.survey()
        self.follow()

    def follow(self) -> None:
        app = self.wizard
        self.query_one(TitleBar).show(f"cluster {app.spec.name}", app.live.activity())
        rows: list[Row] = []
        for number, stage in enumerate(app.stages, start=1):
            run = app.live.runs[stage.name]
            look = mark(run.state)
            text = next((step.text for step in reversed(run.steps) if step.text and step.state != "done"), "")
            if run.state == "running" and run.current:
                text = run.current.title
            elif run.state == "done":
                text = duration(run.seconds)
            lead = Content.assemble(f"{number} {stage.title:<25}", (f"{look.glyph} {look.word:<9}", look.style))
            rows.append((lead, Content.styled(text, MUTED)))
        self.query_one(Hanging).show(rows)
        self.query_one("#resume-next", Static).update(self._next())
        if app.busy != self._busy:
            self._busy = app.busy
            self.refresh_bindings()

    def _next(self) -> str:
        app = self.wizard
        if app.busy:
            return "Looking …  F9 stops."
        trouble = next(iter(app.live.trouble.values()), None)
        if trouble is not None:
            return f"{trouble}\n\nF5 looks again, F8 goes on all the same."
        name = app.first_open_stage()
        stage = next(stage for stage in app.stages if stage.name == name)
        if app.live.progress.stage(name).state == "done":
            return "Everything is done. F8 shows the summary, F7 from there the stages."
        failure = app.live.runs[name].failure
        why = f"{failure.where + ': ' if failure.where else ''}{failure.text} {failure.remedy}\n\n" if failure else ""
        return f"{why}F8 goes on with “{stage.title}”."

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("go_on", "look"):
            return not self.wizard.busy
        return self.wizard.busy if action == "stop" else True

    def action_go_on(self) -> None:
        app = self.wizard
        name = app.first_open_stage()
        if app.live.progress.stage(name).state == "done":
            app.show_summary()
        else:
            app.show_stage(name)

    def action_look(self) -> None:
        self.wizard.live.survey()

    def action_stop(self) -> None:
        self.wizard.live.stop()

    def action_leave(self) -> None:
        self.wizard.leave_cluster()
