"""The screen of a stage: settings, the commands before they run, and the run with its output and result."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Input, TabbedContent, TabPane

from iconha_tui.control.run_controller import RunRequest
from iconha_tui.control.run_state import StageRun
from iconha_tui.engine.events import PASSED
from iconha_tui.engine.prerequisites import first_unmet
from iconha_tui.engine.step import AWS, Stage, Step, View
from iconha_tui.forms import FORMS
from iconha_tui.screens.dialogs import Ask, Choose
from iconha_tui.screens.reading import ReadingScreen
from iconha_tui.stages.corosync import PATH
from iconha_tui.widgets.activity import activity
from iconha_tui.widgets.conf_editor import ConfEditor
from iconha_tui.widgets.failure import Failure, FailureBox, known_cause, skipping
from iconha_tui.widgets.fields import TextField
from iconha_tui.widgets.form import Form
from iconha_tui.widgets.glyphs import mark
from iconha_tui.widgets.keys import KeyLine
from iconha_tui.widgets.line_view import LineView
from iconha_tui.widgets.outlook import Outlook
from iconha_tui.widgets.preview import CommandPreview
from iconha_tui.widgets.rail import StageLook, StageRail
from iconha_tui.widgets.run_page import RunPage
from iconha_tui.widgets.title import TitleBar

if TYPE_CHECKING:
    from iconha_tui.causes import Cause
    from iconha_tui.control.open_cluster import OpenCluster
    from iconha_tui.spec import Spec

FAULT = "!"
"""Aimed at in the place of a field: whatever is wrong in the form."""
OLD = 900.0
"""Seconds after which what a run or a look has found is told as what was."""
TELL_AGAIN = 30.0
"""Seconds between two redraws while nothing happens: ages go on."""


def form_of(stage: Stage) -> Form:
    """The form of a stage, with the stage's summary above its fields."""
    form = FORMS[stage.name]()
    form.summary = stage.summary
    return form


class StageTabs(TabbedContent):
    """Turned by keys and clicks alone.

    Textual also turns to the tab in which something gets the focus, by a message: a late one takes back the key after it.
    """

    def on_tab_pane_focused(self, event: TabPane.Focused) -> None:
        event.stop()
        event.prevent_default()


class StageScreen(ReadingScreen):
    """One stage. F2 its settings, F3 what it will do, F4 how it goes; F5 runs it, F9 stops it, F7 and F8 turn the page."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f5,ctrl+r", "run_stage", "Run", key_display="F5", priority=True),
        Binding(
            "f12,ctrl+t", "run_on", "Run this and the following stages", key_display="F12", show=False, priority=True
        ),
        Binding("f9", "stop", "Stop", key_display="F9", priority=True),
        Binding("f7", "back", "Back", key_display="F7", priority=True),
        Binding("f8,ctrl+n", "next", "Next", key_display="F8", priority=True),
        Binding("f10,ctrl+l", "preflight", "Check before the run", show=False, priority=True),
        Binding("f2", "tab('settings')", "Settings", show=False, priority=True),
        Binding("f3", "tab('commands')", "Commands", show=False, priority=True),
        Binding("f4", "tab('progress')", "Progress", show=False, priority=True),
        Binding("ctrl+o", "turn_output", "Next output", show=False, priority=True),
        Binding("z", "zoom", "One output alone on the screen, and back", show=False),
        Binding("t", "transcript", "Read the whole transcript", show=False),
        Binding("c", "copy_command", "Copy the failed command", show=False),
        Binding("k", "skip", "Go on without the step that failed", show=False),
        Binding("q", "app.quit", "Quit", show=False),
        Binding("escape", "leave", "Leave", show=False),
    ]

    ALLOW_IN_MAXIMIZED_VIEW = "TitleBar, KeyLine"

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.stage = stage
        self._aim = ""
        self._watches = False

    def compose(self) -> ComposeResult:
        app = self.wizard
        yield TitleBar()
        with Horizontal(id="middle"):
            yield StageRail(app.stages, self.stage.name)
            with StageTabs(id="tabs", initial="settings"):
                with TabPane("F2 Settings", id="settings"):
                    yield form_of(self.stage)
                with TabPane("F3 Commands", id="commands-pane"):
                    yield CommandPreview(self.stage)
                with TabPane("F4 Progress", id="progress"):
                    yield RunPage(self._targets(), app.cluster.transcript)
        yield KeyLine()

    def _targets(self) -> list[str]:
        """The targets of this stage's steps, the nodes first."""
        view = View(self._cluster.draft, {})
        found = {target for step in self.stage.steps for target in step.targets(view)}
        return [name for name in (*view.spec.names, AWS) if name in found] or list(view.spec.names)

    @property
    def _cluster(self) -> OpenCluster:
        return self.wizard.cluster

    @property
    def form(self) -> Form:
        return self.query_one(Form)

    @property
    def page(self) -> RunPage:
        return self.query_one(RunPage)

    def help_topic(self) -> str:
        on_progress = self.query_one(TabbedContent).active == "progress"
        return "run" if on_progress else self.stage.name

    def on_mount(self) -> None:
        self.form.load(self._outlook())
        runs = self._cluster.runs
        self.listen(
            runs.began.subscribe(self._began),
            self.wizard.work.draw_output.subscribe(self._draw_output),
            partial(runs.output[self.stage.name].show, None),
        )
        runs.output[self.stage.name].show(self._write_output)
        self.follow()
        self.set_interval(TELL_AGAIN, self._age)
        if self._watches:
            self._turn_to("progress")
        else:
            self.call_after_refresh(self._focus_tab)
        self.wizard.pages.follow_run(self)

    def _age(self) -> None:
        if self.is_current and not self.wizard.work.busy:
            self.follow()
            self._preview(self._cluster.draft)

    def _focus_first(self) -> None:
        """The field that was aimed at, else the first that can be typed into."""
        aim, self._aim = self._aim, ""
        if aim == FAULT:
            self.form.go_to_fault()
            return
        if aim and self.form.go_to(aim):
            return
        typed = set(self.query("Form Input, Form Choices, Form TextArea"))
        self.set_focus(next((widget for widget in self.focus_chain if widget in typed), None))

    def on_screen_resume(self) -> None:
        if self.is_mounted and self.query(Form):
            self.form.load(self._outlook())
            self.follow()
            self.wizard.pages.follow_run(self)

    def _outlook(self) -> Outlook:
        cluster = self._cluster
        return Outlook(cluster.draft, cluster.facts, cluster.known_secrets(), cluster.looks)

    # What was typed

    @on(Form.Changed)
    def _typed(self, event: Form.Changed) -> None:
        event.stop()
        self._take(event.draft)

    def _take(self, draft: Spec | None) -> None:
        cluster = self._cluster
        cluster.keep(self.form.secrets())
        cluster.faults[self.stage.name] = self.form.problem
        if draft is not None:
            cluster.draft = draft
            self._preview(draft)
        self.follow()

    def _settle(self) -> None:
        """Before a key acts: what was typed before it counts, though no word of it has come yet."""
        if not self._is_closed:
            self._take(self.form.settle())

    def _preview(self, spec: Spec) -> None:
        if self.query_one(TabbedContent).active == "commands-pane":
            self.query_one(CommandPreview).show(spec, self._cluster.facts, self._cluster.looks)

    @on(TabbedContent.TabActivated)
    def _turned(self, event: TabbedContent.TabActivated) -> None:
        self._renew()
        self.follow()

    def _renew(self) -> None:
        """The settings' notes and the commands, with what was seen last: of the tab in sight alone."""
        if self.query_one(TabbedContent).active == "settings" and not self.wizard.work.busy:
            self.form.load(self._outlook())
        self._preview(self._cluster.draft)

    @on(TextField.Choose)
    def _choose(self, event: TextField.Choose) -> None:
        from iconha_tui.forms.pickers import LISTS

        event.stop()
        live = LISTS[event.field.source]
        cloud, spec = self._cluster.session.ctx.cloud, self._cluster.draft

        def chosen(value: str | None) -> None:
            if value:
                event.field.pick(value)

        self.app.push_screen(Choose(live.title, live.columns, lambda: live.rows(cloud, spec)), chosen)

    @on(ConfEditor.Compare)
    def _compare(self, event: ConfEditor.Compare) -> None:
        from iconha_tui.screens.conf_diff import Differences, Texts

        event.stop()
        pane, other = event.pane, event.other
        texts = Texts(pane.node, pane.area.text, pane.guide, other.node, other.area.text, PATH)
        self.app.push_screen(Differences(texts, partial(self._cluster.session.read, pane.node, PATH)))

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        match action:
            case "back" | "next":
                return self.maximized is None
            case "stop":
                return self.wizard.work.busy
            case "turn_output":
                return self.query_one(TabbedContent).active == "progress"
            case "copy_command":
                return self.last_run.failure is not None and bool(self.last_run.failure.command)
            case "skip":
                return self._failed_step is not None
            case "zoom" | "transcript":
                return self.view is not None
        return super().check_action(action, parameters)

    def action_tab(self, name: str) -> None:
        self._settle()
        failure = self.page.failure
        if name == "settings" and failure is not None and self.query_one(TabbedContent).active == "progress":
            self._edit(known_cause(failure))
        else:
            self._turn_to(name)

    def _edit(self, cause: Cause | None) -> None:
        """The settings where a failure has its cause: of this stage, where it is not known."""
        self.wizard.pages.show_stage((cause and cause.stage) or self.stage.name, cause.field if cause else "")

    def aim(self, path: str) -> None:
        """Turns to the settings, and to one of them where a path is given."""
        self._aim = path
        if self.is_mounted:
            self._turn_to("settings")

    def _turn_to(self, name: str) -> None:
        self.minimize()
        self.set_focus(None)  # a widget that loses its tab hands its focus on, to whatever is next
        self.query_one(TabbedContent).active = "commands-pane" if name == "commands" else name
        self.refresh(layout=True)  # else the pane that loses the focus is painted once more before the tab turns
        self.call_after_refresh(self._focus_tab)

    def _focus_tab(self) -> None:
        """Into the tab that is in sight by now: keys may have turned to another since this was asked for."""
        match self.query_one(TabbedContent).active:
            case "settings":
                self._focus_first()
            case "commands-pane":
                self.query_one(CommandPreview).focus()
            case _:
                self.page.output.raised.focus()

    def watch_run(self) -> None:
        """Turns to how the run goes."""
        self._watches = not self.is_mounted
        if self.is_mounted:
            self._turn_to("progress")

    @property
    def _is_closed(self) -> bool:
        """Whether nothing can be changed now."""
        return self.wizard.work.busy or bool(self._cluster.read_only)

    def action_run_stage(self) -> None:
        self._run([self.stage])

    def action_run_on(self) -> None:
        """Runs this stage and those after it, up to the first that fails."""
        if self.wizard.work.busy:
            self.wizard.work.run_through()
            self.notify("The stages after this one follow by themselves. F9 stops.")
            self.follow()
        else:
            self._run(self._onward)

    @property
    def _onward(self) -> Sequence[Stage]:
        """This stage and those after it."""
        return self.wizard.stages[self.wizard.stages.index(self.stage) :]

    def _run(self, stages: Sequence[Stage], skip: frozenset[str] = frozenset()) -> None:
        if self._is_closed:
            self.notify(self._caution(), title="Not now", severity="warning")
            return
        self._settle()
        faults = self._cluster.faults
        if at_fault := next((stage.name for stage in stages if faults.get(stage.name)), ""):
            self.notify(faults[at_fault], title="Not yet: correct this first", severity="warning")
            self.wizard.pages.show_stage(at_fault, FAULT)
            return
        if unmet := first_unmet(stages[0], self.wizard.stages, self._cluster.runs.progress):
            self._offer_from(unmet, stages, skip)
            return
        page = self._page_of(stages[0])
        if self.wizard.work.run(RunRequest(tuple(stages), skip)) and not self._cluster.runs.checking:
            page.watch_run()

    def _page_of(self, stage: Stage) -> StageScreen:
        """The page of a stage, brought into sight: a run is followed from the page of the stage that it begins with."""
        if stage is self.stage:
            return self
        self.wizard.pages.show_stage(stage.name)
        return cast(StageScreen, self.app.get_screen(stage.name))

    def _offer_from(self, unmet: Stage, stages: Sequence[Stage], skip: frozenset[str]) -> None:
        """Offers to run what `stages` builds on first: from the first stage that is missing, up to their last."""
        first, last, every = stages[0], stages[-1], self.wizard.stages
        needed = every[every.index(unmet) : every.index(last) + 1]

        def answered(run: bool | None) -> None:
            if run:
                self._run(needed, skip)

        tried = self._cluster.runs.state(unmet.name) != "todo"
        why = f"“{first.title}” builds on “{unmet.title}”, which has not been {'completed' if tried else 'run'} yet."
        how = f"This runs the stages from “{unmet.title}” to “{last.title}” in order and stops at the first that fails."
        self.app.push_screen(
            Ask(f"Run from “{unmet.title}” on?", f"{why}\n\n{how}", yes="run them", no="back"), answered
        )

    def _began(self, stage: str) -> None:
        """A stage's run begins: of this one, on empty panes."""
        if stage == self.stage.name:
            self.page.clear(self._targets())

    def action_preflight(self) -> None:
        self._settle()
        self.wizard.pages.show_preflight()

    @property
    def last_run(self) -> StageRun:
        return self._cluster.runs.runs[self.stage.name]

    @property
    def _failed_step(self) -> Step | None:
        """The step at which this stage's last run ended."""
        failure = self.last_run.failure
        return next((step for step in self.stage.steps if failure and step.id == failure.step), None)

    def action_skip(self) -> None:
        step = self._failed_step
        if step is None or self._is_closed:
            return
        if not step.skip:
            self.notify(skipping(step), title="Not this one", severity="warning")
            return

        def answered(skip: bool | None) -> None:
            if skip:
                runs = self._cluster.runs
                self._run(
                    [self.stage, *(runs.after(self.stage) if runs.run_through else ())], self.last_run.skip | {step.id}
                )

        question = f"{step.skip}\n\nThe step is noted as skipped; the next run of this stage tries it again."
        self.app.push_screen(
            Ask(f"Go on without “{step.title}”?", question, yes="go on without it", no="back"), answered
        )

    def action_stop(self) -> None:
        self.wizard.work.ask_to_stop()

    def action_back(self) -> None:
        self._settle()
        self.wizard.pages.turn(self.stage, -1)

    def action_next(self) -> None:
        self._settle()
        self.wizard.pages.turn(self.stage, 1)

    @property
    def view(self) -> LineView | None:
        on_progress = self.is_mounted and self.query_one(TabbedContent).active == "progress"
        return self.page.output.raised if on_progress else None

    @property
    def ESCAPE_TO_MINIMIZE(self) -> bool:  # type: ignore[override]
        """Textual takes Escape from a maximised widget before anything else; in the output, a search comes first."""
        return self.maximized is not self.page.output

    def action_zoom(self) -> None:
        if self.maximized is None:
            self.maximize(self.page.output, container=False)
            self.page.output.raised.focus()
        else:
            self.minimize()

    def action_transcript(self) -> None:
        from iconha_tui.screens.transcript import TranscriptScreen

        if self._cluster.transcript.is_file():
            self.app.push_screen(TranscriptScreen(self._cluster.transcript))
        else:
            self.notify("Nothing has been said yet: there is no transcript.", severity="warning")

    def action_turn_output(self) -> None:
        self.page.output.turn()

    def action_leave(self) -> None:
        if self.let_go():
            return
        if self.maximized is not None:
            self.minimize()
        elif self.query_one(TabbedContent).active != "settings":
            self.action_tab("settings")
        else:
            self._settle()
            self.wizard.pages.leave_cluster()

    def action_copy_command(self) -> None:
        failure = self.last_run.failure
        if failure is not None:
            self.copy("The command that failed", failure.command)

    @on(StageRail.Chosen)
    def _rail(self, event: StageRail.Chosen) -> None:
        event.stop()
        self.wizard.pages.show_stage(event.stage)

    # The run

    def _write_output(self, target: str, lines: Sequence[str]) -> None:
        """Lines for a target's pane; `_draw_output` shows them."""
        self.page.output.write(target, lines)

    def _draw_output(self) -> None:
        """Shows what was written since."""
        self.page.output.draw()

    def follow(self) -> None:
        app, cluster, runs = self.wizard, self._cluster, self._cluster.runs
        moment = app.moment()
        self.query_one(TitleBar).show(f"cluster {cluster.name}", activity(runs, moment))
        self.query_one(StageRail).show(
            [self._look(stage) for stage in app.stages],
            runs.forecast(),
            moment,
            ended=runs.trouble_state,
            pair=app.pair_look(),
        )
        self.page.show(self.last_run, moment)
        self._follow_failure(runs.trouble.get(self.stage.name) or self.last_run.failure)
        self._head()
        if self._is_closed != self.form.held:
            self.form.hold(self._is_closed)
            if not self._is_closed:
                self._renew()
            self.refresh_bindings()

    def _look(self, stage: Stage) -> StageLook:
        """What the rail tells of a stage. A stage that ended long ago was done then; since then nobody has looked."""
        runs = self._cluster.runs
        run = runs.runs[stage.name]
        if run.state == "running":
            return StageLook("running", run.spent)
        state, entry = runs.state(stage.name), runs.progress.stage(stage.name)
        if state == "changed":
            return StageLook(state)
        return StageLook(state, entry.seconds, old=state in PASSED and time.time() - entry.at > OLD)

    def _follow_failure(self, failure: Failure | None) -> None:
        cause = known_cause(failure) if failure else None
        known = (stage.title for stage in self.wizard.stages if cause and stage.name == cause.stage)
        another = self.page.show_failure(failure, self._failed_step, edit=next(known, "the settings"))
        if another and failure and self.view is not None and not isinstance(self.focused, Input):
            self.query_one(FailureBox).focus()  # its lines are what the arrows are for now

    def _caution(self) -> str:
        """What stands in the way of this stage; "" when nothing does."""
        app, cluster = self.wizard, self._cluster
        if cluster.read_only:
            return f"{mark('warning').glyph} Nothing can be changed in this window. {cluster.read_only}"
        if app.work.busy:
            running = [f"“{stage.title}”" for stage in app.stages if cluster.runs.runs[stage.name].state == "running"]
            what = running[0] if running else "A look at all stages"
            return f"{what} is running. The settings are open again when it has ended; F9 stops it."
        if self.form.problem:
            return f"{mark('failed').glyph} F5 waits until this is corrected: {self.form.problem}"
        for stage in app.stages:
            if stage is self.stage:
                return self._unapplied()
            state = cluster.runs.state(stage.name)
            if state not in PASSED:
                how = "has changed settings that are not applied yet" if state == "changed" else "is not done yet"
                return f"{mark('warning').glyph} “{stage.title}” {how}; this one builds on it."
        return ""

    def _unapplied(self) -> str:
        if self._cluster.runs.state(self.stage.name) != "changed":
            return ""
        return f"{mark('changed').glyph} These settings were changed since the stage last ran; F5 applies them."

    def _head(self) -> None:
        runs = self._cluster.runs
        self.form.caution(self._caution())
        self.page.sum_up(
            self.last_run,
            self.wizard.moment(),
            left=runs.forecast(self.stage).words() if self.last_run.state == "running" else "",
            run_through=runs.run_through and bool(runs.after(self.stage)),
            stopping=runs.stopping,
            problem=self.form.problem,
            unapplied=runs.state(self.stage.name) == "changed",
        )
