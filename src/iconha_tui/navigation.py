"""The stack of pages: the welcome at the bottom, above it a cluster's page, above that what is read meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from textual.screen import Screen

if TYPE_CHECKING:
    from textual.app import App

    from iconha_tui.control.open_cluster import OpenCluster
    from iconha_tui.control.run_controller import RunEnded
    from iconha_tui.engine.step import Stage
    from iconha_tui.host import Host
    from iconha_tui.screens.stage import StageScreen


class Navigation:
    """Turns the pages of the wizard; it is host.Pages. Each stage of the open cluster has one screen, made when first shown."""

    def __init__(self, app: App[Any], host: Host) -> None:
        self._app, self._host = app, host
        self._screens: dict[str, StageScreen] = {}
        self._followed = ""
        """The stage on whose page the operator follows the run; "" where the operator has gone elsewhere."""
        self._summary_due = False

    @property
    def _stages(self) -> Sequence[Stage]:
        return self._host.stages

    # A cluster is opened and closed

    def enter(self, cluster: OpenCluster) -> None:
        """The first page of a cluster that was opened: its first stage, or, where runs have been, how things stand."""
        runs = cluster.runs
        runs.began.subscribe(self._began)
        runs.ended.subscribe(self._ended)
        runs.preflight_began.subscribe(self.show_preflight)
        if runs.progress.stages:
            from iconha_tui.screens.resume import Resume

            self._app.push_screen(Resume())
        else:
            self.show_stage(self._stages[0].name)

    def forget(self) -> None:
        """The cluster is closed: its pages go."""
        for name, screen in self._screens.items():
            self._app.uninstall_screen(name)
            screen.remove()
        self._screens.clear()
        self._followed, self._summary_due = "", False

    def leave_cluster(self) -> None:
        if self._host.work.busy:
            self._app.notify("A stage is running. F9 stops it.", severity="warning")
            return
        while len(self._app.screen_stack) > 1:
            self._app.pop_screen()
        self._host.work.close()

    # Stages

    def show_stage(self, name: str, field: str | None = None) -> None:
        from iconha_tui.screens.stage import StageScreen

        app = self._app
        self._host.work.save()
        self._followed = name if name == self._host.cluster.runs.last else ""
        self._summary_due = False
        if name not in self._screens:
            stage = next(stage for stage in self._stages if stage.name == name)
            self._screens[name] = StageScreen(stage)
            app.install_screen(self._screens[name], name)
        found = self._screens[name]
        while len(app.screen_stack) > 2:  # what was opened above a page: the status, the transcript
            app.pop_screen()
        if app.screen is not found:
            if len(app.screen_stack) > 1:
                app.switch_screen(name)
            else:
                app.push_screen(name)
        if field is not None:
            found.aim(field)

    def turn(self, stage: Stage, by: int) -> None:
        names = [known.name for known in self._stages]
        place = names.index(stage.name) + by
        if place < 0:
            self.leave_cluster()
        elif place < len(names):
            self.show_stage(names[place])
        else:
            self.show_summary()

    def show_summary(self) -> None:
        from iconha_tui.screens.summary import Summary

        self._host.work.save()
        self._app.switch_screen(Summary())

    # The run

    def _began(self, stage: str) -> None:
        """A stage's run begins: one that was begun on its own page, or that follows the one before."""
        if self._here() == stage:
            self._followed = stage
        self.follow_run(self._app.screen)

    def _ended(self, end: RunEnded) -> None:
        if self._host.work.leaving:
            return
        runs = self._host.cluster.runs
        self._summary_due = bool(runs.run_through and end.outcome in ("done", "skipped")) and (
            runs.last == self._stages[-1].name
        )
        if self._summary_due:
            runs.run_through = False
            self.follow_run(self._app.screen)

    def _here(self) -> str | None:
        """The stage whose page is in sight."""
        screen = self._app.screen
        return next((name for name, known in self._screens.items() if known is screen), None)

    def follow_run(self, screen: Screen[Any]) -> None:
        here, runs = self._here(), self._host.cluster.runs
        if here is None or screen is not self._app.screen or here != self._followed:
            return
        if self._summary_due and not runs.busy:
            self._summary_due = False
            self.show_summary()
        elif runs.last != here:
            self.show_stage(runs.last)
            self._screens[runs.last].watch_run()

    # What is read

    def show_preflight(self) -> None:
        from iconha_tui.screens.preflight import Preflight

        if any(isinstance(screen, Preflight) for screen in self._app.screen_stack):
            return
        if self._host.work.busy and not self._host.cluster.runs.checking:
            self._app.notify("A stage is running. F9 stops it.", severity="warning")
        else:
            self._host.work.save()
            self._app.push_screen(Preflight())

    def show_help(self, topic: str) -> None:
        from iconha_tui.screens.help import Help

        self._app.push_screen(Help(topic))

    def show_keys(self, screen: Screen[Any]) -> None:
        from iconha_tui.screens.keys import Keys

        self._app.push_screen(Keys(screen))

    def show_status(self, cluster: str | None = None) -> None:
        from iconha_tui.errors import Trouble
        from iconha_tui.screens.status import StatusScreen
        from iconha_tui.screens.status_table import StatusTable

        app = self._app
        names = [cluster] if cluster else self._host.store.names()
        if not names:
            app.notify("No cluster is saved here yet.", severity="warning")
        elif len(names) > 1:
            app.push_screen(StatusTable())
        else:
            try:
                app.push_screen(StatusScreen(self._host.work.watcher(names[0])))
            except Trouble as trouble:
                self._host.tell(trouble)
