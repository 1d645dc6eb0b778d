"""The wizard's composition root: what is open (workspace), where one is (navigation), how it looks; its life and its end."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from rich.text import Text
from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.events import Event, Paste
from textual.screen import Screen

from iconha_tui.config import Config
from iconha_tui.errors import Trouble, unforeseen
from iconha_tui.navigation import Navigation
from iconha_tui.screens.welcome import Welcome
from iconha_tui.text import strip_controls
from iconha_tui.widgets.background import in_background
from iconha_tui.widgets.in_turn import InTurn
from iconha_tui.widgets.looks import Looks
from iconha_tui.workspace import Workspace, real_look

if TYPE_CHECKING:
    from textual.notifications import SeverityLevel

    from iconha_tui.control.open_cluster import OpenCluster, SessionFactory
    from iconha_tui.engine.step import Stage
    from iconha_tui.preflight import Look
    from iconha_tui.spec import Aws, Spec
    from iconha_tui.store import Store
    from iconha_tui.widgets.pair_look import PairLook


class IconhaApp(InTurn, Looks):
    """The wizard; it is host.Host. cluster: opened at once; a name that is not known begins a new one. spec: a cluster, filled in
    already.

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
        self._stages = stages
        self._warm_up = warm_up
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="disk")
        self.pages = Navigation(self, self)
        look = look or (None if session_factory else real_look)
        self.work = Workspace(self, self, self.config, session_factory, look)
        self.work.opened.subscribe(self.pages.enter)
        self.work.closed.subscribe(self.pages.forget)
        self.work.credentials_passed.subscribe(self._remember_aws)

    # What screens may know

    @property
    def stages(self) -> Sequence[Stage]:
        if self._stages is None:
            from iconha_tui.stages import STAGES

            self._stages = STAGES
        return self._stages

    @property
    def cluster(self) -> OpenCluster:
        assert self.work.cluster is not None  # noqa: S101  a cluster is open wherever this is asked
        return self.work.cluster

    def moment(self) -> float | None:
        return None if self.animation_level == "none" else time.monotonic()

    def pair_look(self) -> PairLook | None:
        from iconha_tui.widgets.pair_look import pair_look

        cluster = self.cluster
        if not cluster.is_built:
            return None
        return pair_look(cluster.last_verdict(), cluster.runs.progress.work.at, time.time())

    def tell(self, error: BaseException) -> None:
        self.notify(str(error), title="This did not work", severity="error", timeout=15)

    def write(self, work: Callable[[], object], done: Callable[[], object] | None = None) -> None:
        def carry() -> None:
            try:
                work()
            except Trouble as trouble:
                self.call_later(self.tell, trouble)
            except Exception as error:
                self.call_later(self.tell, unforeseen(error))
            else:
                if done is not None:
                    self.call_later(done)

        self._disk.submit(carry)

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
        if chosen := self.config.choose(**settings):
            self.write(partial(self.config.write, chosen))

    def _remember_aws(self, aws: Aws) -> None:
        if not aws.config_file:  # a profile of another file is none for the next cluster
            self.remember(region=aws.region, profile=aws.profile)

    def _after_first_paint(self) -> None:
        self.theme_changed_signal.subscribe(self, lambda theme: self.remember(theme=theme.name))
        if self.config.trouble:
            self.notify(self.config.trouble, title="The settings", severity="warning", timeout=15, markup=False)
        if self._warm_up:
            in_background(self, _import_the_rest, lambda _: None, self.tell, group="warm")
        cluster, start, spec = self._first
        if start == "status":
            self.pages.show_status(cluster)
        elif spec is not None:
            self.work.open(spec)
        elif cluster:
            self.work.open_named(cluster)

    def on_unmount(self) -> None:
        self.work.leaving = True
        self.work.close()
        self._disk.shutdown(wait=False)  # what is to be written yet is written before the process ends

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

        if self.work.leaving or isinstance(self.screen, Ask | StopRun):
            self._end()
        elif self.work.busy:
            self.work.ask_to_stop(leaving=True)
        else:
            self._end()

    def _told_to_end(self) -> None:
        """By a signal: nothing is asked. A run stops at its next safe point first; told once more, the program ends at once."""
        if self.work.busy and not self.work.leaving:
            self.work.end_run(leaving=True)
        else:
            self._end()

    def _end(self) -> None:
        self.work.leaving = True
        self.work.save()
        self.exit()

    @property
    def farewell(self) -> str:
        """What is printed after the end."""
        return self.work.farewell

    def action_motion(self) -> None:
        self.motion = not self.motion
        self.remember(motion=self.motion)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        from iconha_tui.screens.palette import commands

        return commands(self, self, screen, super().get_system_commands(screen))


def _import_the_rest() -> None:
    """What is slow to import, behind the first paint."""
    for room in ("screens.stage", "stages", "control.open_cluster", "cloud.client", "remote.pool"):
        import_module(f"iconha_tui.{room}")
