"""The one owner of a cluster's runs: sequence of stages, preflight, lock, stop, summary, outcome.

It knows no screen. The wizard and `run` are two views of it: both hand it a request and listen to what it reports. A request is
worked at in the thread that makes it; `follow_with`, `stop`, `accept` and `long` may be called from any other meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Event as Flag
from threading import Lock

from iconha_tui import __version__, summary
from iconha_tui.engine import runner
from iconha_tui.engine.actions import Disruptive
from iconha_tui.engine.cancel import Cancel
from iconha_tui.engine.events import (
    PASSED,
    Event,
    OnEvent,
    Outcome,
    RunFinished,
    RunStarted,
    StageFinished,
    StageStarted,
    StepFinished,
    StepStarted,
)
from iconha_tui.engine.foresight import HOW_TO_ALLOW, disruptive_actions, look_at_all, refusal
from iconha_tui.engine.journal import Journal, Progress
from iconha_tui.engine.step import Context, Stage
from iconha_tui.errors import Cancelled, Trouble
from iconha_tui.preflight import Found, Look, is_due, look
from iconha_tui.session import Session
from iconha_tui.spec import Spec
from iconha_tui.stages import SERVES, STAGES


@dataclass(frozen=True)
class RunRequest:
    """What a run is asked to do.

    stages: in their order; the run stops at the first that does not pass. skip: ids of steps that it goes on without.
    preflight: whether it is looked first, before the first change of all in a cluster, if something stands in the way.
    """

    stages: tuple[Stage, ...]
    skip: frozenset[str] = frozenset()
    preflight: bool = True


@dataclass(frozen=True)
class PreflightStarted:
    """What is found next is found by a preflight: nothing is changed."""


@dataclass(frozen=True)
class PreflightFinished:
    """A preflight has looked at everything; one that was stopped does not get here. held_by: the findings that keep the run from
    beginning."""

    held_by: tuple[Found, ...] = ()


Update = Event | PreflightStarted | Found | PreflightFinished
Listener = Callable[[Update], None]
"""Hears of everything that a run does, from several threads. It must not wait."""


@dataclass(frozen=True)
class RunEnded:
    """How a request ended.

    outcome: as of the run's last stage; "blocked" where a preflight has kept it from beginning. findings: those that did.
    summary: what was built, once every stage of the cluster has passed; it is kept in the cluster's folder too. trouble: why
    the summary could not be kept.
    """

    outcome: Outcome
    findings: tuple[Found, ...] = ()
    summary: str = ""
    trouble: Trouble | None = None


class RunController:
    """The runs of one cluster. stages: all stages that there are. look: the preflight; None for none.

    allow: asked, from the run's thread, before a run disrupts a pair that serves; by default nothing disruptive is allowed.
    pass_warnings: asked, from the run's thread, whether a run goes on where a preflight has warned of something.
    """

    def __init__(self, session: Session, stages: Sequence[Stage] = STAGES, look: Look | None = look) -> None:
        self.session = session
        self.allow: Callable[[Sequence[Disruptive]], bool] = _allow_nothing
        self.pass_warnings: Callable[[Sequence[Found]], bool] = _pass_all
        self._stages, self._look = stages, look
        self._accepted: Spec | None = None
        self._follow: tuple[Stage, ...] = ()
        self._lock = Lock()
        """Guards what follows and the fold of the run: for moments only."""
        self._progress = Progress()
        self._may_go_on = Flag()
        self._may_go_on.set()

    # From any thread

    def follow_with(self, stages: Sequence[Stage]) -> None:
        """Has further stages follow the request that runs, under the same lock, where it passes."""
        with self._lock:
            self._follow = tuple(stages)

    def stop(self, *, stop_long: bool | None = False) -> None:
        """Asks what is going on to stop; nothing follows it. stop_long: as for Session.cancel."""
        self.follow_with(())
        self.session.cancel(stop_long=stop_long)
        self.resume()

    def pause(self) -> None:
        """No further stage is begun until `resume` or `stop`: the operator is being asked whether to stop."""
        self._may_go_on.clear()

    def resume(self) -> None:
        """What was paused goes on."""
        self._may_go_on.set()

    def accept(self) -> None:
        """The operator has read the findings of a preflight under the present spec, and goes on all the same."""
        self._accepted = self.session.spec

    @property
    def accepted(self) -> Spec | None:
        """The spec under which a preflight had nothing to say, or whose findings were accepted."""
        return self._accepted

    @property
    def long(self) -> dict[str, str]:
        """The long commands that are going on on nodes, and outlive the run: by node."""
        with self._lock:
            return dict(self._progress.work.long)

    def is_checked(self, progress: Progress, request: RunRequest) -> bool:
        """Whether a run begins with a preflight: only the one that may be the first to change anything in a cluster."""
        spec = self.session.spec
        return (
            self._look is not None
            and request.preflight
            and self._accepted != spec
            and is_due(progress, request.stages, spec)
        )

    # In the thread of the caller

    def run(self, request: RunRequest, listen: Listener) -> RunEnded:
        """Carries a request out, with the cluster's lock held from the preflight to the summary.

        Raises Locked; Cancelled where the preflight was stopped; Trouble where the spec or the journal cannot be written.
        """
        with self._holding() as progress:
            batch: tuple[Stage, ...] = request.stages
            while True:
                checked = self.is_checked(progress, replace(request, stages=batch))
                if checked and (held := self._hold_back(request.skip, listen)):
                    return held
                finished = self._journalled(self._guarded, batch, progress, listen, request.skip)
                batch = self._next() if finished.outcome in PASSED else ()
                if not batch or not self._goes_on():
                    return self._summed_up(finished, progress)

    def survey(self, listen: Listener) -> RunEnded:
        """Probes the stages up to the first that is not done; changes nothing. Raises Locked, Trouble.

        What was skipped in an earlier run does not hold it up.
        """
        with self._holding() as progress:
            skipped = frozenset(progress.skipped)
            finished = self._journalled(runner.survey, tuple(self._stages), progress, listen, skipped)
            return RunEnded(finished.outcome)

    def preflight(self, listen: Listener, skip: Collection[str] = ()) -> RunEnded:
        """Looks at everything that a run needs, and changes nothing; "blocked" where something stands in the way.

        Raises Cancelled, Trouble.
        """
        in_the_way = _in_the_way(self._find(skip, listen))
        if not in_the_way:
            self.accept()
        listen(PreflightFinished(in_the_way))
        return RunEnded("blocked" if in_the_way else "done", in_the_way)

    def _find(self, skip: Collection[str], listen: Listener) -> list[Found]:
        found: list[Found] = []
        listen(PreflightStarted())
        for each in self._look(self.session, skip) if self._look else ():
            found.append(each)
            listen(each)
        return found

    def _hold_back(self, skip: Collection[str], listen: Listener) -> RunEnded | None:
        """Before the first change of all: the findings that keep the run from beginning, if there are any."""
        found = self._find(skip, listen)
        held_by = _in_the_way(found)
        warnings = tuple(each for each in found if each.state == "warning")
        if not held_by and warnings and not self.pass_warnings(warnings):
            held_by = warnings
        if not held_by:
            self.accept()
        listen(PreflightFinished(held_by))
        return RunEnded("blocked", held_by) if held_by else None

    def _goes_on(self) -> bool:
        """Waits while the run is paused; whether its next stage is begun."""
        self._may_go_on.wait()
        return not self.session.ctx.cancel.is_set()

    def _next(self) -> tuple[Stage, ...]:
        with self._lock:
            batch, self._follow = self._follow, ()
        return batch

    @contextmanager
    def _holding(self) -> Iterator[Progress]:
        """Holds the cluster for one request, with its spec saved; yields the fold over its journal."""
        session = self.session
        name = session.spec.name
        try:
            with session.store.lock(name):
                session.save()
                progress = session.store.progress(name)
                yield progress
        finally:
            self.resume()
            self._next()  # what was to follow does not follow the next request
            session.ctx.cancel = Cancel()  # a run that was stopped stops nothing that comes after it

    def _journalled(
        self,
        work: Callable[[Sequence[Stage], Context, OnEvent, Collection[str]], RunFinished],
        stages: Sequence[Stage],
        progress: Progress,
        listen: Listener,
        skip: Collection[str],
    ) -> RunFinished:
        session = self.session
        journal = Journal(session.store.folder(session.spec.name))

        def emit(event: Event) -> None:
            journal(event)
            with self._lock:
                progress.take(0.0, event)
            listen(event)

        self._progress = progress
        try:
            return work(stages, session.ctx, emit, skip)
        finally:
            journal.close()

    def _guarded(self, stages: Sequence[Stage], ctx: Context, emit: OnEvent, skip: Collection[str]) -> RunFinished:
        """A run that never leaves a pair that serves without a word.

        Where the pair serves, what may disrupt it is asked about before anything is changed; and whatever the run's end, it ends
        with a look at the pair.
        """
        served = self._serves(stages)
        if served:
            due = disruptive_actions(stages, ctx, look_at_all(stages, ctx), skip)
            if due and not self.allow(due):
                return _refused(stages, due, emit)
            # What turns up only during the run is asked about when it is due.
            ctx.permit = lambda more: set(more) <= set(due) or self.allow(more)
        try:
            return runner.run(stages, ctx, emit, skip, SERVES if served else None, self._goes_on)
        finally:
            ctx.permit = _permit_all

    def _serves(self, stages: Sequence[Stage]) -> bool:
        """Whether a node holds the address now. Only a cluster whose address was once started is looked at."""
        ctx = self.session.ctx
        if not stages or self._progress.steps.get("elastic_ip.started") != "done":
            return False
        known = ctx.view.facts
        if any(f"{name}.instance_id" not in known for name in ctx.spec.names):
            look_at_all([stage for stage in STAGES if stage.name in ("credentials", "instances")], ctx)
        ctx.learn({"serves": False})
        try:
            ctx.learn(SERVES.probe(ctx, ctx.spec.names[0]).facts)
        except Cancelled:
            raise
        except Trouble:  # the run itself meets it, and says it
            return False
        return bool(ctx.view.facts["serves"])

    def _summed_up(self, finished: RunFinished, progress: Progress) -> RunEnded:
        """The end of a run; once every stage of the cluster has passed, with the summary, which is kept."""
        session = self.session
        if not summary.finished(progress, self._stages, session.spec):
            return RunEnded(finished.outcome)
        try:
            text = summary.summary_markdown(session.ctx, session.store, self._stages)
            summary.keep(session.store, session.spec.name, text)
        except Trouble as trouble:
            return RunEnded(finished.outcome, trouble=trouble)
        return RunEnded(finished.outcome, summary=text)


def _in_the_way(found: Sequence[Found]) -> tuple[Found, ...]:
    return tuple(each for each in found if each.state == "stands_in_the_way")


def _refused(stages: Sequence[Stage], due: Sequence[Disruptive], emit: OnEvent) -> RunFinished:
    """The run that would disrupt a pair that serves, and was not allowed to: nothing of it is done."""
    stage = stages[0].name
    emit(RunStarted([each.name for each in stages], "run", __version__))
    emit(StageStarted(stage))
    emit(StepStarted(stage, SERVES.id, SERVES.title))
    why = f"{refusal(due)}\nNothing was changed."
    emit(StepFinished(stage, SERVES.id, "blocked", False, 0.0, why, where=due[0].target, remedy=HOW_TO_ALLOW))
    emit(StageFinished(stage, "blocked", False, 0.0))
    end = RunFinished("blocked", False, 0.0)
    emit(end)
    return end


def _permit_all(_due: Sequence[Disruptive]) -> bool:
    return True


def _allow_nothing(_due: Sequence[Disruptive]) -> bool:
    return False


def _pass_all(_warnings: Sequence[Found]) -> bool:
    return True
