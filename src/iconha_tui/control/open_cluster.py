"""A cluster that is open in the wizard: its session, its draft, its runs, and the right to change its spec."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from iconha_tui import summary
from iconha_tui.control.run_controller import RunController
from iconha_tui.control.run_model import Measured, RunModel
from iconha_tui.engine import journal
from iconha_tui.engine.estimate import Pace
from iconha_tui.engine.events import PASSED
from iconha_tui.engine.plan import LookedAt
from iconha_tui.engine.step import Stage
from iconha_tui.errors import Trouble, unforeseen
from iconha_tui.preflight import Look
from iconha_tui.session import KEY_PASSPHRASE, NODE_KEYS, OPERATOR_KEYS, ConfirmHostKey, Session
from iconha_tui.spec import Spec
from iconha_tui.status.memory import last_verdict
from iconha_tui.status.report import Verdict
from iconha_tui.store import Locked, Store

SessionFactory = Callable[[Store, Spec, ConfirmHostKey], Session]

RECENT = 5
"""Other clusters' journals that an estimate looks at."""


@dataclass(frozen=True)
class Told:
    """A summary, and whether it is that of a finished cluster."""

    text: str
    finished: bool


class OpenCluster:
    """One opened cluster. It is made by `open`, which may take its time; everything else waits for nobody.

    read_only: why nothing of it can be changed here, "" where it can. draft: the spec as it is typed in the forms: the only place
    where an edited spec lives. faults: what is wrong in a stage's form, so that the draft lacks what is typed there; by stage.
    """

    def __init__(
        self,
        session: Session,
        stages: Sequence[Stage],
        progress: journal.Progress,
        look: Look | None,
        *,
        read_only: str = "",
    ) -> None:
        self.session, self.stages, self.read_only = session, stages, read_only
        self.transcript = session.store.folder(session.spec.name) / "transcript.log"
        self.draft = session.spec
        self.faults: dict[str, str] = {}
        self.controller = RunController(session, stages, look)
        self.controller.pass_warnings = lambda _warnings: False  # they are read first
        self.runs = RunModel(stages, progress, lambda: self.draft)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="spec")
        self._measured = False

    @classmethod
    def open(
        cls,
        store: Store,
        spec: Spec,
        stages: Sequence[Stage],
        look: Look | None,
        new_session: Callable[[], Session],
    ) -> OpenCluster:
        """Opens a cluster, and saves its spec; reads its journal. Raises Trouble: then nothing has been opened.

        Where another wizard has it open, it is as that one has saved it, and read-only.
        """
        progress = store.progress(spec.name)
        session = new_session()
        try:
            session.editing = store.edit(spec.name)
        except Locked as locked:
            session.use(store.spec(spec.name))
            return cls(session, stages, progress, look, read_only=str(locked))
        try:
            session.save()
        except BaseException:
            session.editing.release()
            raise
        return cls(session, stages, progress, look)

    def close(self) -> Future[None]:
        """Ends what goes on, and gives up the right to change the spec, once it is written: then the returned is done."""
        self.controller.stop()
        self.session.close()
        released = self._writer.submit(self._release)
        self._writer.shutdown(wait=False)
        return released

    def _release(self) -> None:
        if self.session.editing is not None:
            self.session.editing.release()
            self.session.editing = None

    @property
    def name(self) -> str:
        return self.session.spec.name

    # What is known

    @property
    def _same_machines(self) -> bool:
        """Whether the draft means the machines that have been looked at."""
        return self.session.spec.machines == self.draft.machines

    @property
    def facts(self) -> Mapping[str, Any]:
        """What is known of the machines that the draft means."""
        return self.session.ctx.view.facts if self._same_machines else {}

    @property
    def looks(self) -> LookedAt:
        """When that was seen."""
        return self.runs.looks if self._same_machines else {}

    def known_secrets(self) -> frozenset[str]:
        """The names of the secrets that are in memory."""
        vault = self.session.ctx.vault
        return frozenset(name for name in (*OPERATOR_KEYS, *NODE_KEYS, KEY_PASSPHRASE) if vault.has(name))

    def keep(self, secrets: Mapping[str, str]) -> None:
        """Keeps typed secrets in the session's memory."""
        vault = self.session.ctx.vault
        for name, value in secrets.items():
            if value != vault.get(name):
                self.session.keep_secret(name, value)

    @property
    def is_built(self) -> bool:
        """Whether every stage has passed once, so that there is a pair to look at."""
        return all(self.runs.progress.stage(stage.name).state in PASSED for stage in self.stages)

    def last_verdict(self) -> tuple[Verdict, float] | None:
        """What was last seen of the pair."""
        return last_verdict(self.session.store.folder(self.name))

    def summary(self) -> Told:
        """The summary of the cluster; once all of it is done, it is kept in its folder, if it is not there yet.

        Reads the journal. Raises Trouble.
        """
        store = self.session.store
        text = summary.summary_markdown(self.session.ctx, store, self.stages)
        finished = summary.finished(store.progress(self.name), self.stages, self.draft)
        if finished and not summary.file_of(store, self.name).exists():
            summary.keep(store, self.name, text)
        return Told(text, finished)

    # The spec

    def save(self, failed: Callable[[Trouble], None]) -> None:
        """Has the session go on with the draft, and has it written, in a thread, in the order of the calls.

        failed: called from that thread where it cannot be written.
        """
        if self.read_only or self.runs.busy or self.session.spec == self.draft:
            return
        if not self._same_machines:
            self.runs.looks.clear()
        self.session.use(self.draft)
        self._writer.submit(self._write, self.draft, failed)

    def _write(self, spec: Spec, failed: Callable[[Trouble], None]) -> None:
        try:
            self.session.store.save(spec)
        except Trouble as trouble:
            failed(trouble)
        except Exception as error:
            failed(unforeseen(error))

    # Its runs

    def measure(self) -> Measured | None:
        """How long steps have taken: in the runs of other clusters here, then in those of this one. Reads journals.

        None but for the first time: a bar whose measure changes under it goes backwards.
        """
        if self._measured:
            return None
        self._measured = True
        store, own = self.session.store, self.name
        pace = Pace()
        for name in (*reversed([name for name in store.names() if name != own][:RECENT]), own):
            with suppress(Trouble):  # a journal that cannot be read tells nothing of time
                for _, event in journal.read(store.folder(name) / "journal.jsonl"):
                    pace.take(event)
        return Measured(pace)
