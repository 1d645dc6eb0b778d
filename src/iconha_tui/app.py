"""The wizard: owns the session and the run, and turns the pages. Threads never touch widgets: they queue what they have."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from rich.text import Text
from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.events import Event, Paste
from textual.screen import Screen

from iconha_tui.config import Config
from iconha_tui.screens.welcome import Welcome
from iconha_tui.text import strip_controls
from iconha_tui.widgets.background import in_background
from iconha_tui.widgets.in_turn import InTurn
from iconha_tui.widgets.looks import Looks

if TYPE_CHECKING:
    from textual.notifications import SeverityLevel

    from iconha_tui.engine.plan import LookedAt
    from iconha_tui.engine.ports import Cloud
    from iconha_tui.engine.step import Stage
    from iconha_tui.live_run import LiveRun
    from iconha_tui.preflight import Found, Look
    from iconha_tui.screens.run_questions import RunQuestions
    from iconha_tui.screens.stage import StageScreen
    from iconha_tui.session import ConfirmHostKey, Session
    from iconha_tui.spec import Spec
    from iconha_tui.status import Watcher
    from iconha_tui.store import Store
    from iconha_tui.widgets.pair_look import PairLook

SessionFactory = Callable[["Store", "Spec", "ConfirmHostKey"], "Session"]


class IconhaApp(InTurn, Looks):
    """The wizard. cluster: opened at once; a name that is not known begins a new one. spec: a cluster, filled in already.

    session_factory, stages: for tests. look: the preflight; by default the real one, and none for the session of a factory.
    warm_up: import boto3 and paramiko behind the first paint.
    """

    TITLE = "iconha-tui"
    CSS_PATH = Path(__file__).with_name("assets") / "iconha.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+q", "quit", "Quit", key_display="^q", priority=True)]

    def __init__(
        self,
        store: Store,
        cluster: str | None = None,
        *,
        start: Literal["wizard", "status"] = "wizard",
        spec: Spec | None = None,
        config: Config | None = None,
        session_factory: SessionFactory | None = None,
        stages: Sequence[Stage] | None = None,
        look: Look | None = None,
        warm_up: bool = True,
    ) -> None:
        self.config = config or Config(store.root / "config.toml")
        super().__init__(self.config.theme, self.config.motion)
        self.store = store
        self._first: tuple[str | None, str, Spec | None] = (cluster, start, spec)
        self._factory = session_factory
        self._stages = stages
        self._look = look or (None if session_factory else _look)
        self.cleared: Spec | None = None
        """The spec against which the last preflight had nothing to say, or whose findings the operator passes over."""
        self._warm_up = warm_up
        self.session: Session | None = None
        self._spec: Spec | None = None
        self._live: LiveRun | None = None
        self._questions: RunQuestions | None = None
        self._screens: dict[str, StageScreen] = {}
        self._leaving = False
        self.farewell = ""

    # Life

    def get_default_screen(self) -> Screen[Any]:
        return Welcome()

    def on_mount(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):  # else the terminal would stay as the wizard has set it
            loop.add_signal_handler(number, self._told_to_end)
        self.call_after_refresh(self._after_first_paint)

    def remember(self, **settings: str | bool) -> None:
        """Keeps settings for the next start."""
        from iconha_tui.errors import Trouble

        try:
            self.config.remember(**settings)
        except Trouble as trouble:
            self.tell(trouble)

    def _after_first_paint(self) -> None:
        self.theme_changed_signal.subscribe(self, lambda theme: self.remember(theme=theme.name))
        if self.config.trouble:
            self.notify(self.config.trouble, title="The settings", severity="warning", timeout=15, markup=False)
        if self._warm_up:
            in_background(self, _import_the_rest, lambda _: None, self.tell, group="warm")
        cluster, start, spec = self._first
        if start == "status":
            self.show_status(cluster)
        elif spec is not None:
            self.open_cluster(spec)
        elif cluster:
            self.open_named(cluster)

    def on_unmount(self) -> None:
        self._leaving = True
        if self._live is not None:
            self._live.close()
        if self.session is not None:
            self.session.cancel()
            self.session.close()

    async def on_event(self, event: Event) -> None:
        """What is pasted may come from anywhere: it is cleaned before a field shows it."""
        if isinstance(event, Paste):
            event.text = strip_controls(event.text)
        await super().on_event(event)

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = False,
    ) -> None:
        """A notice. It may quote a file, a node or AWS, so nothing in it is markup."""
        super().notify(message, title=title, severity=severity, timeout=timeout, markup=False)

    def _fatal_error(self) -> None:
        """The traceback goes to the log. Textual would show it with the values of all variables, secrets among them."""
        from iconha_tui import log

        error = self._exception
        logging.getLogger(__name__).critical("The wizard has broken down", exc_info=error)
        said = log.fit(f"{type(error).__name__}: {error}")
        self.panic(
            Text(
                f"iconha-tui: An error that this program did not foresee: {said}\n{self.store.log_file} has the details. "
                "What was running on a node goes on there; start again to go on from here."
            )
        )

    async def action_quit(self) -> None:
        from iconha_tui.screens.dialogs import Ask
        from iconha_tui.screens.stop import StopRun

        if self._leaving or isinstance(self.screen, Ask | StopRun):
            self._leaving = True
            self.exit()
        elif self.busy:
            self.ask_to_stop(leaving=True)
        else:
            self.save()
            self.exit()

    def _told_to_end(self) -> None:
        """By a signal: nothing is asked. A run stops at its next safe point first; told once more, the program ends at once."""
        if self.busy and not self._leaving:
            self._stop(leaving=True)
        else:
            self._leaving = True
            self.save()
            self.exit()

    # The cluster that is open

    @property
    def stages(self) -> Sequence[Stage]:
        if self._stages is None:
            from iconha_tui.stages import STAGES

            self._stages = STAGES
        return self._stages

    @property
    def spec(self) -> Spec:
        """The draft: what is typed in all forms, as far as it holds together."""
        assert self._spec is not None  # noqa: S101  a cluster is open wherever this is asked
        return self._spec

    @spec.setter
    def spec(self, value: Spec) -> None:
        self._spec = value

    @property
    def facts(self) -> Mapping[str, Any]:
        """What is known of the machines that the draft means."""
        return self.session.ctx.view.facts if self.session and self.session.spec.machines == self.spec.machines else {}

    @property
    def looks(self) -> LookedAt:
        """When that was seen."""
        return self.live.looks if self.session and self.session.spec.machines == self.spec.machines else {}

    @property
    def transcript(self) -> Path:
        return self.store.folder(self.spec.name) / "transcript.log"

    def pair_look(self) -> PairLook | None:
        """What was last seen of the open cluster's pair; None where none can be there yet."""
        from iconha_tui.engine.events import PASSED
        from iconha_tui.status.memory import last_verdict
        from iconha_tui.widgets.pair_look import pair_look

        progress = self.live.progress
        if any(progress.stage(stage.name).state not in PASSED for stage in self.stages):
            return None
        seen = last_verdict(self.store.folder(self.spec.name))
        return pair_look(seen, progress.work.at, time.time())

    def known_secrets(self) -> frozenset[str]:
        """The names of the secrets that are in memory."""
        from iconha_tui.session import KEY_PASSPHRASE, NODE_KEYS, OPERATOR_KEYS

        vault = self.session.ctx.vault if self.session else None
        return frozenset(n for n in (*OPERATOR_KEYS, *NODE_KEYS, KEY_PASSPHRASE) if vault is not None and vault.has(n))

    def cloud(self) -> Cloud:
        """AWS with the operator's credentials, for lists."""
        assert self.session is not None  # noqa: S101
        return self.session.ctx.cloud

    def open_named(self, name: str) -> None:
        """Opens a saved cluster, or begins one of that name."""
        from iconha_tui.errors import Trouble

        try:
            self.open_cluster(self.store.spec(name) if name in self.store.names() else self._new(name))
        except Trouble as trouble:
            self.tell(trouble)

    def _new(self, name: str) -> Spec:
        """A new cluster, with the region and profile of the last one, or those of config.toml."""
        from pydantic import ValidationError

        from iconha_tui.spec import Aws, Spec

        chosen = {"region": self.config.region, "profile": self.config.profile}
        try:
            return Spec(name=name, aws=Aws.model_validate({field: value for field, value in chosen.items() if value}))
        except ValidationError:
            return Spec(name=name)

    def open_cluster(self, spec: Spec) -> None:
        """Opens a cluster: at its first stage, or, where runs have been, after a look at how things stand.

        What cannot be opened is told; the cluster that was open before stays so.
        """
        from iconha_tui.errors import Trouble
        from iconha_tui.live_run import LiveRun
        from iconha_tui.screens.run_questions import RunQuestions

        before = self.session
        try:
            progress = self.store.progress(spec.name)
            questions = RunQuestions(self, self._given_up)
            session = (self._factory or _session)(self.store, spec, questions.ask)
            session.allow = questions.allow
            if before is not None and before.spec.name == spec.name:
                session.ctx.vault = before.ctx.vault
            session.use(spec)
        except Trouble as trouble:
            self.tell(trouble)
            return
        self._close_cluster()
        self.session, self._questions = session, questions
        self.spec, self.farewell, self.cleared = spec, "", None
        if progress.note:
            self.notify(progress.note, severity="warning", markup=False)
        self._live = LiveRun(self, session, self.stages, progress, self._screens, self._run_ended, lambda: self.spec)
        if progress.stages:
            from iconha_tui.screens.resume import Resume

            self.push_screen(Resume())
        else:
            self.show_stage(self.stages[0].name)

    def _close_cluster(self) -> None:
        if self._live is not None:
            self._live.close()
            self._live = None
        for name, screen in self._screens.items():
            self.uninstall_screen(name)
            screen.remove()
        self._screens.clear()
        if self._questions is not None:
            self._questions.close()
            self._questions = None
        if self.session is not None:
            self.session.close()
            self.session = None

    def rename_cluster(self, name: str, new: str) -> None:
        """Renames a saved cluster; one that is open stays so, with the secrets that were typed. Raises Locked, Trouble."""
        self.store.rename(name, new)
        if self.session is not None and self.session.spec.name == name:
            self.session.close()
            self._spec = self.session.ctx.spec = self.store.spec(new)

    def delete_cluster(self, name: str) -> None:
        """Forgets a saved cluster. Raises Locked, Trouble."""
        self.store.delete(name)
        if self.session is not None and self.session.spec.name == name:
            self._close_cluster()

    def leave_cluster(self) -> None:
        """Back to the welcome screen, where nothing is running."""
        if self.busy:
            self.notify("A stage is running. F9 stops it.", severity="warning")
            return
        self.save()
        while len(self.screen_stack) > 1:
            self.pop_screen()

    def save(self) -> None:
        """Gives the draft to the session, which saves it."""
        from iconha_tui.errors import Trouble

        if self.session is None or self.busy or self._spec is None or self.session.spec == self._spec:
            return
        if self._spec.machines != self.session.spec.machines and self._live is not None:
            self._live.looks.clear()
        try:
            self.session.use(self._spec)
        except (Trouble, OSError) as error:
            self.tell(error)

    # Pages

    def show_stage(self, name: str) -> StageScreen:
        """Turns to a stage; what was typed in the others stays."""
        from iconha_tui.screens.stage import StageScreen

        self.save()
        if name not in self._screens:
            stage = next(stage for stage in self.stages if stage.name == name)
            self._screens[name] = StageScreen(stage)
            self.install_screen(self._screens[name], name)
        found = self._screens[name]
        while len(self.screen_stack) > 2:  # what was opened above a page: the status, the transcript
            self.pop_screen()
        if self.screen is found:
            return found
        if len(self.screen_stack) > 1:
            self.switch_screen(name)
        else:
            self.push_screen(name)
        return found

    def turn_page(self, stage: Stage, by: int) -> None:
        """The stage before or after; after the last comes the summary, before the first the welcome."""
        names = [known.name for known in self.stages]
        place = names.index(stage.name) + by
        if place < 0:
            self.leave_cluster()
        elif place < len(names):
            self.show_stage(names[place])
        else:
            self.show_summary()

    def summary(self, *, fresh: bool = False) -> str:
        """The summary of the open cluster. Once all of it is done, it is kept in its folder and printed after exit.

        fresh: a run has just ended, so that what was kept of earlier ones is old.
        """
        from iconha_tui import summary
        from iconha_tui.errors import Trouble

        if self.session is None:
            return ""
        try:
            text = summary.summary_markdown(self.session.ctx, self.store, self.stages)
            if summary.finished(self.live.progress, self.stages, self.spec):
                self.farewell = text
                if fresh or not summary.file_of(self.store, self.spec.name).exists():
                    summary.keep(self.store, self.spec.name, text)
        except Trouble as trouble:
            self.tell(trouble)
            return ""
        return text

    def show_summary(self) -> None:
        from iconha_tui.screens.summary import Summary

        self.save()
        self.switch_screen(Summary())

    def show_status(self, cluster: str | None = None) -> None:
        """The status of a saved cluster; where none is named, of the only one, or a table of all."""
        from iconha_tui.errors import Trouble
        from iconha_tui.screens.status import StatusScreen
        from iconha_tui.screens.status_table import StatusTable

        names = [cluster] if cluster else self.store.names()
        if not names:
            self.notify("No cluster is saved here yet.", severity="warning")
        elif len(names) > 1:
            self.push_screen(StatusTable())
        else:
            try:
                self.push_screen(StatusScreen(self.watcher(names[0])))
            except Trouble as trouble:
                self.tell(trouble)

    def watcher(self, name: str, **how: float) -> Watcher:
        """A watcher of a saved cluster. Raises Trouble.

        It has a session of its own that accepts no new host key, and knows the secrets of the cluster that is open.
        """
        from iconha_tui.status import reject_host_key, watch

        session = (self._factory or _session)(self.store, self.store.spec(name), reject_host_key)
        if self.session is not None and self.session.spec.name == name:
            session.ctx.vault = self.session.ctx.vault
        return watch(session, **how)

    # The run

    @property
    def busy(self) -> bool:
        return self._live is not None and self._live.busy

    @property
    def live(self) -> LiveRun:
        """The open cluster's runs."""
        assert self._live is not None  # noqa: S101  a cluster is open wherever this is asked
        return self._live

    def start_run(self, stage: Stage, *, onward: bool = False, skip: frozenset[str] = frozenset()) -> bool:
        """Runs a stage under the draft. False where something is running already, or the draft cannot be saved."""
        if self.busy or self.session is None:
            return False
        self.save()
        return self.session.spec == self.spec and self.live.start(stage, onward=onward, skip=skip)

    def check_first(self, stages: Sequence[Stage], then: Callable[[], Awaitable[None]]) -> bool:
        """Before the first change of all in a cluster: the preflight, which goes on with `then`. False where none is due."""
        from iconha_tui.preflight import is_due
        from iconha_tui.screens.preflight import Preflight

        self.save()
        if self._look is None or self.cleared == self.spec or not is_due(self.live.progress, stages, self.spec):
            return False
        self.live.onward = False  # what follows waits for the check, and is told anew by `then`
        self.push_screen(Preflight(then))
        return True

    def show_preflight(self) -> None:
        from iconha_tui.screens.preflight import Preflight

        if self.busy:
            self.notify("A stage is running. F9 stops it.", severity="warning")
        else:
            self.save()
            self.push_screen(Preflight())

    def look_ahead(self) -> bool:
        """Begins a preflight of the open cluster. False where something is running already."""
        look, skipped = self._look, self.live.progress.skipped
        return look is not None and self.live.look_ahead(lambda session: look(session, skipped))

    def go_on(self) -> None:
        """Turns to the stage that is due, which then starts; to the summary after the last. What stands above a stage's
        screen is not pushed aside: it goes on when that is closed."""
        from iconha_tui.screens.stage import StageScreen

        following, here = self.live.following, self.screen
        if following is None or not isinstance(here, StageScreen):
            return
        if not following:
            self.live.onward = False
            self.show_summary()
        elif here.stage is following[0]:
            here.call_later(here.run_due)
        else:
            self.show_stage(following[0].name)

    def keep(self, secrets: Mapping[str, str]) -> None:
        """Keeps typed secrets in the session's memory."""
        if self.session is not None:
            vault = self.session.ctx.vault
            for name, value in secrets.items():
                if value != vault.get(name):
                    self.session.keep_secret(name, value)

    def ask_to_stop(self, *, leaving: bool = False) -> None:
        """Stops the run; asks first what is to become of a long command, where one is going on. leaving: the program ends."""
        from iconha_tui.screens.stop import Fate, StopRun

        def answered(fate: Fate | None) -> None:
            if fate is not None:
                self._stop(leaving=leaving, stop_long=fate == "stop")

        if self.live.long and not self.live.stopping:
            self.push_screen(StopRun(lambda: self.live.long, leaving=leaving), answered)
        else:
            self._stop(leaving=leaving)

    def _stop(self, *, leaving: bool, stop_long: bool = False) -> None:
        self._leaving = self._leaving or leaving
        self.live.stop(stop_long=stop_long)
        if leaving and not self.busy:
            self.exit()
        elif leaving:
            self.notify("Stopping; then the program ends.")

    def _given_up(self) -> bool:
        return self._leaving or (self._live is not None and bool(self._live.stopping))

    def _run_ended(self) -> None:
        from iconha_tui.engine.events import PASSED

        credentials = self.live.runs.get("credentials")
        if credentials is not None and credentials.mode == "run" and credentials.state in PASSED:
            aws = self.spec.aws
            if not aws.config_file:  # a profile of another file is none for the next cluster
                self.remember(region=aws.region, profile=aws.profile)
        if any(run.mode == "run" for run in self.live.runs.values()):
            self.summary(fresh=True)
        if self._leaving:
            if self.live.progress.outcome == "cancelled":
                fates = self.live.progress.work.fates()
                self.farewell = " ".join(["Stopped.", *fates, "Start it again to go on from here.\n"])
            self.exit()
        else:
            self.go_on()

    # Words and looks

    def action_motion(self) -> None:
        self.motion = not self.motion
        self.remember(motion=self.motion)

    def tell(self, error: BaseException) -> None:
        """Shows a trouble as a sentence."""
        self.notify(str(error), title="This did not work", severity="error", timeout=15)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        from iconha_tui.screens.palette import commands

        return commands(self, screen, super().get_system_commands(screen))


def _look(session: Session, skip: Collection[str]) -> Iterator[Found]:
    from iconha_tui.preflight import look

    return look(session, skip)


def _session(store: Store, spec: Spec, confirm: ConfirmHostKey) -> Session:
    from iconha_tui.session import Session

    return Session(store, spec, confirm_host_key=confirm)


def _import_the_rest() -> None:
    """What is slow to import, behind the first paint."""
    for room in ("screens.stage", "stages", "cloud.client", "remote.pool"):
        import_module(f"iconha_tui.{room}")
