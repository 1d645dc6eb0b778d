"""What is open in the wizard and what goes on there: a cluster is opened and closed, its runs are begun and stopped."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from iconha_tui.control.observers import Observers
from iconha_tui.errors import Trouble
from iconha_tui.widgets.background import in_background

if TYPE_CHECKING:
    from textual.app import App

    from iconha_tui.config import Config
    from iconha_tui.control.open_cluster import OpenCluster, SessionFactory
    from iconha_tui.control.run_controller import RunEnded, RunRequest
    from iconha_tui.engine.step import Vault
    from iconha_tui.host import Host
    from iconha_tui.preflight import Found, Look
    from iconha_tui.run_feed import RunFeed
    from iconha_tui.screens.run_questions import RunQuestions
    from iconha_tui.session import ConfirmHostKey, Session
    from iconha_tui.spec import Aws, Spec
    from iconha_tui.status import Watcher
    from iconha_tui.store import Store


class Workspace:
    """It is host.Work. new_session: None for the real one. look: the preflight; None for none.

    opened, closed: told when a cluster is open, and when it is no longer. credentials_passed: told the settings of AWS with
    which signing in there has passed.
    """

    def __init__(
        self, app: App[Any], host: Host, config: Config, new_session: SessionFactory | None, look: Look | None
    ) -> None:
        self._app, self._host, self._config = app, host, config
        self.opened: Observers[[OpenCluster]] = Observers()
        self.closed = Observers[[]]()
        self.credentials_passed: Observers[[Aws]] = Observers()
        self._new_session = new_session or _session
        self._look = look
        self.draw_output = Observers[[]]()
        self.cluster: OpenCluster | None = None
        self.leaving = False
        """Whether the program ends once what goes on has ended."""
        self.farewell = ""
        """What is printed after the end: the summary of what was built, or what became of what was stopped."""
        self._feed: RunFeed | None = None
        self._questions: RunQuestions | None = None
        self._vaults: dict[str, Vault] = {}
        self._closed: Future[None] | None = None
        """Done when the cluster that was closed last is free."""
        self._opening = False

    # A cluster

    def open_named(self, name: str) -> None:
        self._open(lambda: self._host.store.spec(name) if name in self._host.store.names() else self._new(name))

    def open(self, spec: Spec) -> None:
        """Opens a cluster under a spec: at its first stage, or, where runs have been, after a look at how things stand.

        What cannot be opened is told; the cluster that was open before stays so.
        """
        self._open(lambda: spec)

    def _open(self, spec_of: Callable[[], Spec]) -> None:
        """Opens it in a thread: journals are long, and the spec is written."""
        from iconha_tui.screens.run_questions import RunQuestions

        if self.busy:
            self._app.notify("A stage is running. F9 stops it.", severity="warning")
            return
        if self._opening:  # two clicks: of two that are opened, one would never be closed
            return
        self._opening = True
        self.save()
        before = self._closed
        questions = RunQuestions(self._app, self._given_up, self.stop)

        def work() -> OpenCluster:
            from iconha_tui.control.open_cluster import OpenCluster

            if before is not None:  # its spec is written, and it can be opened again
                before.result()
            spec = spec_of()
            return OpenCluster.open(
                self._host.store, spec, self._host.stages, self._look, lambda: self._session_for(spec, questions.ask)
            )

        let_keys_go = self._host.hold_keys()

        def opened(cluster: OpenCluster) -> None:
            self._opening = False
            self._opened(questions, cluster)
            let_keys_go()

        def failed(trouble: Trouble) -> None:
            self._opening = False
            let_keys_go()
            self._host.tell(trouble)

        in_background(self._app, work, opened, failed, group="open")

    def _opened(self, questions: RunQuestions, cluster: OpenCluster) -> None:
        from iconha_tui.run_feed import RunFeed

        self.close()
        self.cluster, self._questions, self.farewell = cluster, questions, ""
        self._vaults[cluster.name] = cluster.session.ctx.vault
        cluster.controller.allow, cluster.session.ask_code = questions.allow, questions.code
        self._feed = RunFeed(self._app, cluster, self.draw_output)
        cluster.runs.ended.subscribe(self._run_ended)
        if cluster.runs.progress.note:
            self._app.notify(cluster.runs.progress.note, severity="warning")
        if cluster.read_only:
            self._app.notify(cluster.read_only, title="To look at only", severity="warning", timeout=15)
        self.opened(cluster)

    def _session_for(self, spec: Spec, confirm: ConfirmHostKey) -> Session:
        session = self._new_session(self._host.store, spec, confirm)
        session.ctx.vault = self._vaults.get(spec.name, session.ctx.vault)
        return session

    def _new(self, name: str) -> Spec:
        """A new cluster, with the region and profile of the last one, or those of config.toml."""
        from pydantic import ValidationError

        from iconha_tui.spec import Aws, Spec

        chosen = {"region": self._config.region, "profile": self._config.profile}
        try:
            return Spec(name=name, aws=Aws.model_validate({field: value for field, value in chosen.items() if value}))
        except ValidationError:
            return Spec(name=name)

    def close(self) -> None:
        """Closes the cluster that is open; the secrets that were typed for it are kept until the program ends."""
        cluster, self.cluster = self.cluster, None
        if self._feed is not None:
            self._feed.close()
            self._feed = None
        self.closed()
        if self._questions is not None:
            self._questions.close()
            self._questions = None
        if cluster is not None:
            cluster.save(self._cannot_write)
            self._closed = cluster.close()

    def rename(self, name: str, new: str, done: Callable[[], object]) -> None:
        def renamed() -> None:
            if vault := self._vaults.pop(name, None):
                self._vaults[new] = vault
            done()

        self._host.write(lambda: self._host.store.rename(name, new), renamed)

    def delete(self, name: str, done: Callable[[], object]) -> None:
        self._vaults.pop(name, None)
        self._host.write(lambda: self._host.store.delete(name), done)

    def save(self) -> None:
        if self.cluster is not None:
            self.cluster.save(self._cannot_write)

    def _cannot_write(self, trouble: Trouble) -> None:
        self._app.call_later(self._host.tell, trouble)

    def say_at_end(self, text: str) -> None:
        self.farewell = text

    def watcher(self, name: str, **how: float) -> Watcher:
        """It has a session of its own that accepts no new host key, and knows the secrets of the cluster."""
        from iconha_tui.status import reject_host_key, watch

        return watch(self._session_for(self._host.store.spec(name), reject_host_key), **how)

    @property
    def is_open(self) -> bool:
        return self.cluster is not None

    # Its runs

    @property
    def busy(self) -> bool:
        return self.cluster is not None and self.cluster.runs.busy

    def run(self, request: RunRequest) -> bool:
        if self._feed is None or self.cluster is None or self.cluster.read_only:
            return False
        self.save()
        return self._feed.run(request)

    def run_through(self) -> None:
        cluster, stages = self.cluster, self._host.stages
        if self._feed is None or cluster is None or not cluster.runs.is_run or cluster.runs.stopping:
            return
        last = [stage.name for stage in stages].index(cluster.runs.requested[-1].name)
        if stages[last + 1 :]:
            self._feed.follow_with(stages[last + 1 :])

    def survey(self) -> None:
        if self._feed is not None and self.cluster is not None and not self.cluster.read_only:
            self._feed.survey()

    def preflight(self) -> None:
        if self._feed is not None:
            self._feed.preflight()

    def run_held(self) -> None:
        cluster = self.cluster
        if cluster is not None and self._feed is not None and cluster.runs.held is not None:
            cluster.controller.accept()
            self._feed.run(cluster.runs.held)

    def stop(self, *, stop_long: bool = False) -> None:
        if self._feed is not None:
            self._feed.stop(stop_long=stop_long)

    def ask_to_stop(self, *, leaving: bool = False) -> None:
        """leaving: the program ends then."""
        from iconha_tui.screens.stop import Fate, StopRun

        if self.cluster is None:
            return
        controller, runs = self.cluster.controller, self.cluster.runs

        def answered(fate: Fate | None) -> None:
            if fate is None:
                controller.resume()
            else:
                self.end_run(leaving=leaving, stop_long=fate == "stop")

        if controller.long and not runs.stopping:
            controller.pause()
            self._app.push_screen(StopRun(lambda: controller.long, leaving=leaving), answered)
        else:
            self.end_run(leaving=leaving)

    def end_run(self, *, leaving: bool, stop_long: bool = False) -> None:
        """Stops what goes on, and ends the program then where it is leaving."""
        self.leaving = self.leaving or leaving
        self.stop(stop_long=stop_long)
        if leaving and not self.busy:
            self._app.exit()
        elif leaving:
            self._app.notify("Stopping; then the program ends.")

    def _given_up(self) -> bool:
        return self.leaving or (self.cluster is not None and self.busy and bool(self.cluster.runs.stopping))

    def _run_ended(self, end: RunEnded) -> None:
        from iconha_tui.engine.events import PASSED

        assert self.cluster is not None  # noqa: S101  its run has ended
        runs = self.cluster.runs
        credentials = runs.runs.get("credentials")
        if credentials is not None and credentials.mode == "run" and credentials.state in PASSED:
            self.credentials_passed(self.cluster.session.spec.aws)
        if end.trouble is not None:
            self._host.tell(end.trouble)
        self.farewell = end.summary or self.farewell
        if self.leaving:
            if runs.progress.outcome == "cancelled":
                fates = runs.progress.work.fates()
                self.farewell = " ".join(["Stopped.", *fates, "Start it again to go on from here.\n"])
            self._app.exit()


def real_look(session: Session, skip: Collection[str]) -> Iterator[Found]:
    """The preflight, imported when it is first made."""
    from iconha_tui.preflight import look

    return look(session, skip)


def _session(store: Store, spec: Spec, confirm: ConfirmHostKey) -> Session:
    from iconha_tui.session import Session

    return Session(store, spec, confirm_host_key=confirm)
