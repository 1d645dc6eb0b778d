"""The screen of a stage: settings, the commands before they run, and the run with its output and result."""

from __future__ import annotations

import time
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Static, TabbedContent, TabPane

from iconha_tui.engine.step import AWS, Stage, View
from iconha_tui.screens.base import WizardScreen
from iconha_tui.screens.dialogs import Choose
from iconha_tui.widgets.failure import FailureBox
from iconha_tui.widgets.fields import TextField
from iconha_tui.widgets.form import Form
from iconha_tui.widgets.glyphs import duration, mark
from iconha_tui.widgets.keys import KeyLine
from iconha_tui.widgets.outlook import Outlook
from iconha_tui.widgets.output import OutputPanes
from iconha_tui.widgets.preview import CommandPreview
from iconha_tui.widgets.rail import StageRail
from iconha_tui.widgets.step_list import StepList
from iconha_tui.widgets.title import TitleBar
from iconha_tui.widgets.words import Words

if TYPE_CHECKING:
    from iconha_tui.spec import Spec


def form_of(stage: str) -> Form:
    """The form of a stage, from the module of its name."""
    form = import_module(f"iconha_tui.screens.{stage}").form()
    assert isinstance(form, Form)  # noqa: S101
    return form


class StageScreen(WizardScreen):
    """One stage. F2 its settings, F3 what it will do, F4 how it goes; F5 runs it, F9 stops it, F7 and F8 turn the page."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f5,ctrl+r", "run_stage", "Run", key_display="F5", priority=True),
        Binding("f9", "stop", "Stop", key_display="F9", priority=True),
        Binding("f7", "back", "Back", key_display="F7", priority=True),
        Binding("f8,ctrl+n", "next", "Next", key_display="F8", priority=True),
        Binding("f2", "tab('settings')", "Settings", show=False, priority=True),
        Binding("f3", "tab('commands')", "Commands", show=False, priority=True),
        Binding("f4", "tab('progress')", "Progress", show=False, priority=True),
        Binding("ctrl+o", "turn_output", "Next output", show=False, priority=True),
        Binding("c", "copy_command", "Copy the failed command", show=False),
        Binding("q", "app.quit", "Quit", show=False),
        Binding("escape", "leave", "Leave", show=False),
    ]

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.stage = stage
        self._output: OutputPanes

    def compose(self) -> ComposeResult:
        app = self.wizard
        self._output = OutputPanes(self._targets())
        yield TitleBar()
        with Horizontal(id="middle"):
            yield StageRail(app.stages, self.stage.name)
            with TabbedContent(id="tabs", initial="settings"):
                with TabPane("F2 Settings", id="settings"):
                    yield Static(self.stage.summary, id="summary", markup=False)
                    yield form_of(self.stage.name)
                with TabPane("F3 Commands", id="commands-pane"):
                    yield CommandPreview(self.stage)
                with TabPane("F4 Progress", id="progress"), Vertical(id="run"):
                    yield Words(id="run-head")
                    yield StepList()
                    yield FailureBox()
                    yield self._output
                    yield Static(f"The whole output: {app.transcript}", id="transcript", markup=False)
        yield KeyLine()

    def _targets(self) -> list[str]:
        """The targets of this stage's steps, the nodes first."""
        view = View(self.wizard.spec, {})
        found = {target for step in self.stage.steps for target in step.targets(view)}
        return [name for name in (*view.spec.names, AWS) if name in found] or list(view.spec.names)

    @property
    def form(self) -> Form:
        return self.query_one(Form)

    def help_topic(self) -> str:
        on_progress = self.query_one(TabbedContent).active == "progress"
        return "run" if on_progress else self.stage.name

    def on_mount(self) -> None:
        self.query_one(FailureBox).display = False
        self.form.load(self._outlook())
        self.follow()
        self.call_after_refresh(self._focus_first)

    def _focus_first(self) -> None:
        """The first field that can be typed into."""
        for widget in self.query("Form Input, Form Choices, Form TextArea"):
            if widget.focusable and widget.is_on_screen:
                self.set_focus(widget)
                return

    def on_screen_resume(self) -> None:
        if self.is_mounted and self.query(Form):
            self.form.load(self._outlook())
            self.follow()

    def _outlook(self) -> Outlook:
        app = self.wizard
        return Outlook(app.spec, app.facts, app.known_secrets())

    # What was typed

    @on(Form.Changed)
    def _typed(self, event: Form.Changed) -> None:
        event.stop()
        self.wizard.keep(event.form.secrets())
        if event.draft is not None:
            self.wizard.spec = event.draft
            self._preview(event.draft)
        self._head()

    def _preview(self, spec: Spec) -> None:
        if self.query_one(TabbedContent).active == "commands-pane":
            self.query_one(CommandPreview).show(spec, self.wizard.facts)

    @on(TabbedContent.TabActivated)
    def _turned(self, event: TabbedContent.TabActivated) -> None:
        self._preview(self.wizard.spec)
        self.follow()

    @on(TextField.Choose)
    def _choose(self, event: TextField.Choose) -> None:
        from iconha_tui.screens.lists import LISTS

        event.stop()
        live = LISTS[event.field.source]
        cloud = self.wizard.cloud()

        def chosen(value: str | None) -> None:
            if value:
                event.field.pick(value)

        self.app.push_screen(Choose(live.title, live.columns, lambda: live.rows(cloud)), chosen)

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        match action:
            case "run_stage":
                return not self.wizard.busy
            case "stop":
                return self.wizard.busy
            case "turn_output":
                return self.query_one(TabbedContent).active == "progress"
            case "copy_command":
                failure = self.wizard.live.runs[self.stage.name].failure
                return failure is not None and bool(failure.command)
        return True

    def action_tab(self, name: str) -> None:
        self.set_focus(None)  # a widget that loses its tab hands its focus on, and the focus would pull its tab back
        self.query_one(TabbedContent).active = "commands-pane" if name == "commands" else name
        self.call_after_refresh(self._focus_tab, name)

    def _focus_tab(self, name: str) -> None:
        if name == "settings":
            self._focus_first()
        else:
            self.query_one(CommandPreview if name == "commands" else ".target-log.-raised").focus()

    async def action_run_stage(self) -> None:
        if self.form.problem:
            self.action_tab("settings")
            self.call_after_refresh(self.form.go_to_fault)
            self.notify(self.form.problem, title="Not yet: correct this first", severity="warning")
            return
        await self._clear_output()
        if self.wizard.start_run(self.stage):
            self.action_tab("progress")

    async def _clear_output(self) -> None:
        """Empty panes, new ones where a node has been renamed since."""
        if self._output.targets == self._targets():
            self._output.clear()
            return
        await self._output.remove()
        self._output = OutputPanes(self._targets())
        await self.query_one("#run").mount(self._output, before="#transcript")

    def action_stop(self) -> None:
        self.wizard.ask_to_stop()

    def action_back(self) -> None:
        self.wizard.turn_page(self.stage, -1)

    def action_next(self) -> None:
        self.wizard.turn_page(self.stage, 1)

    def action_turn_output(self) -> None:
        self._output.turn()

    def action_leave(self) -> None:
        if self.query_one(TabbedContent).active != "settings":
            self.action_tab("settings")
        else:
            self.wizard.leave_cluster()

    def action_copy_command(self) -> None:
        failure = self.wizard.live.runs[self.stage.name].failure
        if failure is not None:
            self.app.copy_to_clipboard(failure.command)
            self.notify("The command that failed is in the clipboard.")

    @on(StageRail.Chosen)
    def _rail(self, event: StageRail.Chosen) -> None:
        event.stop()
        self.wizard.show_stage(event.stage)

    # The run

    def write_output(self, target: str, lines: Sequence[str]) -> None:
        """Queues lines for a target's pane."""
        self._output.write(target, lines)

    def draw_output(self) -> bool:
        """Draws queued output; whether some is left."""
        return self._output.draw()

    def follow(self) -> None:
        app = self.wizard
        run = app.live.runs[self.stage.name]
        self.query_one(TitleBar).show(f"cluster {app.spec.name}", app.live.activity())
        self.query_one(StageRail).show(app.live.progress.stages)
        self.query_one(StepList).show(run)
        failure = app.live.trouble.get(self.stage.name) or run.failure
        self.query_one(FailureBox).show(failure)
        self.query_one("#run").set_class(failure is not None, "-failed")
        self._head()
        if app.busy != self.form.disabled:
            self.form.disabled = app.busy
            self.refresh_bindings()

    def _head(self) -> None:
        run = self.wizard.live.runs[self.stage.name]
        look = mark(run.state)
        if run.state == "running":
            spent = time.monotonic() - run.began
            text = (
                f"step {min(run.finished_steps + 1, len(run.steps))} of {len(run.steps)}, {duration(spent)}   F9 stops"
            )
        elif run.state == "done":
            changed = "" if run.changed else ", nothing had to be changed"
            text = f"in {duration(run.seconds)}{changed}   F8 goes to the next stage"
        elif run.mode == "survey":
            text = "this is what a look found   F5 runs the stage"
        elif run.mode:
            text = f"after {duration(run.seconds)}   F5 tries again"
        elif self.form.problem:
            text = f"Not ready: {self.form.problem}"
        else:
            text = "F5 runs this stage; nothing starts before"
        self.query_one("#run-head", Words).say(Content.assemble((f"{look.glyph} {look.word}  ", look.style), text))
