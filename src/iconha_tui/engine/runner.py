"""The runner: carries the stages out, a step at a time, all targets of a step at once, and says what happens as events."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from typing import Literal, TypeVar

from iconha_tui import __version__
from iconha_tui.engine.cancel import Cancel
from iconha_tui.engine.events import (
    PASSED,
    OnEvent,
    Outcome,
    Probed,
    RunFinished,
    RunStarted,
    StageFinished,
    StageStarted,
    StepFinished,
    StepStarted,
    Waiting,
)
from iconha_tui.engine.foresight import HOW_TO_ALLOW, disruptive, refusal
from iconha_tui.engine.interpreter import ActionFailed, carry_out
from iconha_tui.engine.step import Blocked, Context, Done, Needed, Stage, Step, Verdict
from iconha_tui.error_codes import Code
from iconha_tui.errors import Cancelled, Lost, Trouble, unforeseen

T = TypeVar("T")

log = logging.getLogger(__name__)

POLL = 0.5
"""Seconds between two looks of a verify that is waited for."""


def run(
    stages: Sequence[Stage],
    ctx: Context,
    emit: OnEvent,
    skip: Collection[str] = (),
    last: Step | None = None,
    go_on: Callable[[], bool] = lambda: True,
) -> RunFinished:
    """Makes every step of `stages` true, in order. Stops at the first that fails, is blocked or is cancelled.

    go_on: asked, and waited for, before each stage but the first: whether the run goes on with it, or is cancelled there.

    skip: ids of steps that are only looked at, and passed over where they are not done; one that is not safe to skip is not.
    last: a step with which the stage ends in which the run ends, whatever that end is, where something may have changed.
    """
    return _pass_through(stages, ctx, emit, skip, act=True, last=last, go_on=go_on)


def survey(stages: Sequence[Stage], ctx: Context, emit: OnEvent, skip: Collection[str] = ()) -> RunFinished:
    """Probes only, in order, up to the first step that is not done. Brings the facts that a resumed run needs."""
    return _pass_through(stages, ctx, emit, skip, act=False)


def _pass_through(
    stages: Sequence[Stage],
    ctx: Context,
    emit: OnEvent,
    skip: Collection[str],
    *,
    act: bool,
    last: Step | None = None,
    go_on: Callable[[], bool] = lambda: True,
) -> RunFinished:
    began = time.monotonic()
    emit(RunStarted([stage.name for stage in stages], "run" if act else "survey", __version__))
    outcome: Outcome = "done"
    changed = False
    with ThreadPoolExecutor(max_workers=4, thread_name_prefix="step") as pool:
        for stage in stages:
            if stage is not stages[0] and not go_on():
                outcome = "cancelled"
                break
            finished = _stage(stage, ctx, emit, pool, skip, act)
            changed = changed or finished.changed
            ends = stage is stages[-1] or finished.outcome not in PASSED
            if last and ends and (changed or finished.outcome in PASSED):
                finished = _closed(finished, last, ctx, emit, pool)
            emit(finished)
            outcome = _after(outcome, finished.outcome)
            if outcome not in PASSED:
                break
    end = RunFinished(outcome, changed, round(time.monotonic() - began, 3))
    emit(end)
    return end


def _after(outcome: Outcome, then: Outcome) -> Outcome:
    """What has come of a stage or run once a part of it has ended: it is done where every part is."""
    return outcome if then == "done" else then


def _stage(
    stage: Stage, ctx: Context, emit: OnEvent, pool: ThreadPoolExecutor, skip: Collection[str], act: bool
) -> StageFinished:
    began = time.monotonic()
    emit(StageStarted(stage.name))
    changed = False
    outcome: Outcome = "done"
    for step in stage.steps:
        emit(StepStarted(stage.name, step.id, step.title))
        pass_over = bool(step.skip) and step.id in skip
        finished = _step(stage.name, step, ctx, emit, pool, act, pass_over)
        changed = changed or finished.changed
        emit(finished)
        outcome = _after(outcome, finished.outcome)
        if outcome not in PASSED:
            break
    seconds = round(time.monotonic() - began, 3)
    return StageFinished(stage.name, outcome, changed, seconds, ctx.spec.settings_digest(stage.name))


def _closed(
    finished: StageFinished, last: Step, ctx: Context, emit: OnEvent, pool: ThreadPoolExecutor
) -> StageFinished:
    """The end of a run's stage, after a last step. One that was stopped is only looked at: nothing is waited for."""
    stopped = finished.outcome == "cancelled"
    if stopped:
        ctx.cancel = Cancel()  # another stop ends the look as well
    emit(StepStarted(finished.stage, last.id, last.title))
    end = _step(finished.stage, last, ctx, emit, pool, act=not stopped, pass_over=False)
    if end.outcome == "todo":
        end = replace(end, outcome="failed", remedy=last.remedy(ctx.view), code=str(Code.VERIFY_TIMEOUT))
    emit(end)
    if finished.outcome not in PASSED or end.outcome == "done":
        return finished
    return replace(finished, outcome=end.outcome)


def _step(
    stage: str, step: Step, ctx: Context, emit: OnEvent, pool: ThreadPoolExecutor, act: bool, pass_over: bool
) -> StepFinished:
    began = time.monotonic()
    changed = False

    def finish(outcome: Outcome, text: str, code: str = "", **more: str) -> StepFinished:
        mask = ctx.vault.mask
        told = {name: mask(value) for name, value in more.items()}
        seconds = round(time.monotonic() - began, 3)
        return StepFinished(stage, step.id, outcome, changed, seconds, mask(text), code=str(code), **told)

    try:
        judge = _at_rest if act else _judge
        verdicts = _on_all(pool, step.targets(ctx.view), lambda target: judge(stage, step, ctx, emit, target))
        if pass_over and not all(isinstance(verdict, Done) for verdict in verdicts.values()):
            return finish("skipped", _left_open(_evidence(verdicts), step))
        if block := _blocked(verdicts):
            return finish("blocked", block[1].why, where=block[0], remedy=block[1].remedy, code=block[1].code)
        needed = [target for target, verdict in verdicts.items() if isinstance(verdict, Needed)]
        if needed and not act:
            return finish("todo", _evidence({target: verdicts[target] for target in needed}, of=len(verdicts)))
        if needed:
            view = ctx.view
            plans = {target: step.plan(view, target) for target in needed}
            due = [each for plan in plans.values() for each in disruptive(stage, step.id, plan, ctx)]
            if due and not ctx.permit(due):
                return finish(
                    "blocked",
                    refusal(due),
                    where=due[0].target,
                    remedy=HOW_TO_ALLOW,
                    code=Code.DISRUPTION_REFUSED,
                )
            changed = any(plans.values())
            _on_all(
                pool,
                needed,
                lambda target: carry_out(plans[target], ctx, emit, stage=stage, step=step.id, target=target),
            )
            verdicts |= _on_all(pool, needed, lambda target: _settle(stage, step, ctx, emit, target))
            if block := _blocked(verdicts):
                return finish("blocked", block[1].why, where=block[0], remedy=block[1].remedy, code=block[1].code)
            for target, verdict in verdicts.items():
                if isinstance(verdict, Needed):
                    return finish("failed", verdict.why, where=target, remedy=step.remedy(ctx.view), code=verdict.code)
        return finish("done", _evidence(verdicts))
    except Cancelled as cancelled:
        return finish("cancelled", cancelled.what, where=cancelled.where, remedy=cancelled.remedy, code=cancelled.code)
    except Trouble as trouble:
        if pass_over:
            return finish("skipped", _left_open(trouble.what, step))
        return finish(
            "failed",
            trouble.what,
            where=trouble.where,
            command=trouble.command if isinstance(trouble, ActionFailed) else "",
            tail=trouble.detail,
            remedy=trouble.remedy or step.remedy(ctx.view),
            code=trouble.code,
        )
    except Exception as error:  # a plan that cannot be made, for one; what a lane did not foresee is a Trouble already
        told = unforeseen(error)
        return finish("failed", told.what, remedy=told.remedy, code=told.code)


def _judge(stage: str, step: Step, ctx: Context, emit: OnEvent, target: str) -> Verdict:
    if ctx.cancel.is_set():
        raise Cancelled("Stopped by the operator.", where=target)
    try:
        verdict = step.probe(ctx, target)
    except (
        Lost
    ):  # as when the Elastic IP leaves the node; a look changes nothing, so it is taken again over a new connection
        verdict = step.probe(ctx, target)
    _tell(stage, step, ctx, emit, target, "probe", verdict)
    return verdict


def _at_rest(stage: str, step: Step, ctx: Context, emit: OnEvent, target: str) -> Verdict:
    """The verdict once the cluster has ended what it is at: it may leave nothing to do, and a command in the middle of it may
    cut its own connection, as the address moves."""
    end = time.monotonic() + step.patience_for(ctx.view)
    while True:
        verdict = _judge(stage, step, ctx, emit, target)
        left = end - time.monotonic()
        if not isinstance(verdict, Needed) or not verdict.under_way or left <= 0:
            return verdict
        emit(Waiting(stage, step.id, target, ctx.vault.mask(verdict.why), round(left, 1)))
        if ctx.cancel.wait(min(POLL, left)):
            raise Cancelled("Stopped by the operator while waiting.", where=target)


def _tell(
    stage: str,
    step: Step,
    ctx: Context,
    emit: OnEvent,
    target: str,
    phase: Literal["probe", "verify"],
    verdict: Verdict,
) -> None:
    ctx.learn(verdict.facts)
    match verdict:
        case Done(evidence=text):
            emit(Probed(stage, step.id, target, phase, "done", ctx.vault.mask(text)))
        case Needed(why=text):
            emit(Probed(stage, step.id, target, phase, "needed", ctx.vault.mask(text)))
        case Blocked(why=text):
            emit(Probed(stage, step.id, target, phase, "blocked", ctx.vault.mask(text)))


def _settle(stage: str, step: Step, ctx: Context, emit: OnEvent, target: str) -> Verdict:
    """Looks until verify is true, blocked, or its patience is over. A silent node counts as not true yet."""
    patience = step.patience_for(ctx.view)
    end = time.monotonic() + patience
    while True:
        try:
            verdict = step.verify(ctx, target)
        except Cancelled:
            raise
        except Trouble as trouble:
            if time.monotonic() >= end:
                raise
            verdict = Needed(str(trouble), code=trouble.code)
        left = end - time.monotonic()
        if not isinstance(verdict, Needed) or left <= 0:
            _tell(stage, step, ctx, emit, target, "verify", verdict)
            return verdict
        emit(Waiting(stage, step.id, target, ctx.vault.mask(verdict.why), round(left, 1)))
        if ctx.cancel.wait(min(POLL, left)):
            raise Cancelled("Stopped by the operator while waiting.", where=target)


def _on_all(pool: ThreadPoolExecutor, targets: Sequence[str], work: Callable[[str], T]) -> dict[str, T]:
    """`work` on all targets at once. All come to their end before a trouble is raised: the first failure, or else the
    cancellations, as one: nothing is left half told."""
    futures = {target: pool.submit(work, target) for target in targets}
    wait(futures.values())
    for target, future in futures.items():
        error = future.exception()
        if error is not None and not isinstance(error, Trouble):
            raise unforeseen(error, target) from error
    troubles = [error for future in futures.values() if (error := future.exception())]
    for error in troubles:
        if not isinstance(error, Cancelled):
            raise error
    if troubles:
        raise _as_one(troubles)
    return {target: future.result() for target, future in futures.items()}


def _as_one(stopped: Sequence[BaseException]) -> Cancelled:
    """What each target was stopped at, in one sentence for all, or in one for each."""
    found = [error for error in stopped if isinstance(error, Cancelled)]
    first, *others = found
    if all(error.what == first.what for error in others):
        return Cancelled(
            first.what, where=" and ".join(error.where for error in found if error.where), remedy=first.remedy
        )
    told = " ".join(f"{error.where}: {error.what}" for error in found)
    return Cancelled(told, remedy=" ".join(dict.fromkeys(error.remedy for error in found if error.remedy)))


def _blocked(verdicts: dict[str, Verdict]) -> tuple[str, Blocked] | None:
    return next(((target, verdict) for target, verdict in verdicts.items() if isinstance(verdict, Blocked)), None)


def _left_open(found: str, step: Step) -> str:
    """What a skipped step found, and what its skip leaves open."""
    return f"{found.rstrip('.')}. {step.skip}"


def _evidence(verdicts: dict[str, Verdict], of: int = 0) -> str:
    """What was seen, once where all targets say the same; `of` targets, where some are left out."""
    said = {target: v.evidence if isinstance(v, Done) else v.why for target, v in verdicts.items()}
    if len(set(said.values())) == 1 and len(said) >= of:
        return next(iter(said.values()))
    return "; ".join(f"{target}: {text}" for target, text in said.items())
