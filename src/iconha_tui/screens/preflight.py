"""Before the run: all that can be looked at before anything is changed, at once, and what each finding asks for."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import OptionList, Static

from iconha_tui.control.run_model import RunModel
from iconha_tui.preflight.found import Found, State
from iconha_tui.screens.base import WizardScreen
from iconha_tui.screens.dialogs import Ask
from iconha_tui.widgets.activity import activity
from iconha_tui.widgets.findings import FindingList
from iconha_tui.widgets.keys import KeyLine
from iconha_tui.widgets.title import TitleBar


class Preflight(WizardScreen):
    """Shows the preflight that goes on, or begins one. A run that waits for it goes on where there is nothing to read."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f8,ctrl+n", "go_on", "Go on", key_display="F8"),
        Binding("f5,ctrl+r,r", "look", "Look again", key_display="F5"),
        Binding("f9", "stop", "Stop", key_display="F9"),
        Binding("enter,e,f2", "mend", "To its setting", key_display="Enter", priority=True),
        Binding("escape,f7,f10", "leave", "Back", key_display="Esc"),
        Binding("k", "override", "Go on all the same", show=False),
        Binding("q", "app.quit", "Quit", show=False),
    ]
    topic = "preflight"
    _looking = False

    def compose(self) -> ComposeResult:
        yield TitleBar()
        yield FindingList()
        yield Static(id="findings-sum", markup=False)
        yield KeyLine()

    @property
    def _runs(self) -> RunModel:
        return self.wizard.cluster.runs

    @property
    def _list(self) -> FindingList:
        return self.query_one(FindingList)

    def on_mount(self) -> None:
        self._list.focus()
        runs = self.wizard.cluster.runs
        if runs.busy:
            self._looking = True
            self.follow()
        else:
            self.action_look()

    def on_screen_resume(self) -> None:
        self.call_later(self.follow)

    def follow(self) -> None:
        cluster = self.wizard.cluster
        told = activity(cluster.runs, self.wizard.moment()) or "before the run"
        self.query_one(TitleBar).show(f"cluster {cluster.name}", told)
        self._list.show(cluster.runs.findings)
        self.query_one("#findings-sum", Static).update(self._sum())
        if self._looking and not cluster.runs.checking and self.is_current:
            self._looking = False
            self._ended()

    def _ended(self) -> None:
        """What was found is all there is: the run goes on, or there is a finding to be read."""
        if self._runs.precedes_run and self._runs.held is None:
            self._go()
        else:
            self._list.choose_worst()
            self.refresh_bindings()

    def _go(self) -> None:
        self.app.pop_screen()

    def _count(self, state: State) -> int:
        return sum(found.state == state for found in self._runs.findings)

    @property
    def _clear(self) -> bool:
        """Whether all was looked at, and nothing stands in the way."""
        return self._runs.complete and not self._count("stands_in_the_way")

    def _sum(self) -> str:
        runs = self._runs
        if runs.checking:
            return "Looking at AWS, this machine and the nodes, all at once; nothing is changed. F9 stops."
        bad, warnings = self._count("stands_in_the_way"), self._count("warning")
        on = " F8 goes on." if runs.held else ""
        if bad:
            over = " k goes on all the same." if runs.held else ""
            settle = f"{_number(bad, 'finding')} to be settled first; nothing was changed."
            return f"{settle} Enter leads to its setting, F5 looks again.{over}"
        if not runs.complete:
            return "Stopped before all was looked at; nothing was changed. F5 looks again."
        if warnings:
            return f"Nothing stands in the way; {_number(warnings, 'warning')}.{on} F5 looks again."
        return f"Nothing stands in the way.{on}"

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        busy = self.wizard.work.busy
        match action:
            case "stop":
                return busy
            case "look":
                return not busy
            case "go_on":
                return not busy and self._runs.held is not None and self._clear
            case "override":
                return not busy and self._runs.held is not None and not self._clear
            case "mend":
                return not busy and self.is_mounted and bool(self._chosen and self._chosen.stage)
        return True

    @property
    def _chosen(self) -> Found | None:
        return self._list.chosen

    def action_look(self) -> None:
        self._looking = True
        self.wizard.work.preflight()
        self.follow()
        self.refresh_bindings()

    def action_stop(self) -> None:
        self.wizard.work.stop()

    def action_leave(self) -> None:
        if self.wizard.work.busy:
            self.action_stop()
        self._runs.held = None
        self.app.pop_screen()

    def action_go_on(self) -> None:
        self._go()
        self.wizard.work.run_held()

    def action_override(self) -> None:
        def answered(yes: bool | None) -> None:
            if yes:
                self.action_go_on()

        question = (
            "The run stops by itself where it cannot go on; what was made up to there stays. "
            "Take this way where you know better than the finding."
        )
        self.app.push_screen(Ask("Go on with findings open?", question, yes="go on all the same", no="back"), answered)

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if self.check_action("mend", ()):
            self.action_mend()

    def action_mend(self) -> None:
        """To the setting that mends the chosen finding."""
        found = self._chosen
        if found is not None and found.stage:
            self._runs.held = None
            self.wizard.pages.show_stage(found.stage, found.field)


def _number(count: int, word: str) -> str:
    return f"{count} {word}{'s' if count > 1 else ''}"
