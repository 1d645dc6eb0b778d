"""Carries actions out: the one place where secrets meet the wire and where anything changes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from iconha_tui.engine.actions import Action, Call, Copy, Run, Upload, waits_for
from iconha_tui.engine.events import ActionFinished, ActionStarted, ActionStopped, OnEvent, Output
from iconha_tui.engine.ports import Completed
from iconha_tui.engine.step import Context
from iconha_tui.error_codes import Code
from iconha_tui.errors import Cancelled, Trouble


class ActionFailed(Trouble):
    """An action that was carried out and did not succeed. command: it, as an operator may see it."""

    def __init__(self, trouble: Trouble, command: str) -> None:
        super().__init__(
            trouble.what, code=trouble.code, where=trouble.where, remedy=trouble.remedy, detail=trouble.detail
        )
        self.command = command


def carry_out(actions: Sequence[Action], ctx: Context, emit: OnEvent, *, stage: str, step: str, target: str) -> None:
    """Carries out the actions of one target, in order. Raises ActionFailed or Cancelled."""
    for index, action in enumerate(actions, start=1):
        if ctx.cancel.is_set():
            raise Cancelled("Stopped before the next action.", where=target)
        shown = ctx.vault.mask(action.shown())
        if missing := waits_for(action):
            raise Trouble(
                f"{', '.join(missing)} is not known yet.",
                code=Code.FACT_UNKNOWN,
                where=target,
                remedy="Run the earlier stages first.",
            )
        long = isinstance(action, Run) and action.long
        emit(ActionStarted(stage, step, target, index, len(actions), shown, action.why, long))

        def said(lines: list[str]) -> None:
            emit(Output(stage, step, target, ctx.vault.mask("\n".join(lines)).split("\n")))

        began = time.monotonic()
        try:
            done = _one(action, ctx, f"{ctx.spec.tagged}.{step}.{target}.{index}", said)
        except Cancelled as cancelled:
            if cancelled.left:
                emit(ActionStopped(stage, step, target, index, cancelled.left, ctx.vault.mask(cancelled.what)))
            raise
        except Trouble as trouble:
            raise ActionFailed(trouble, shown) from trouble
        code = None if done is None else done.code
        emit(ActionFinished(stage, step, target, index, round(time.monotonic() - began, 3), code))
        if done and isinstance(action, Run) and done.code not in action.ok:
            ended = "ended without an exit code" if done.code == -1 else f"ended with exit code {done.code}"
            detail = ctx.vault.mask(done.tail)
            raise ActionFailed(
                Trouble(f"The command {ended}.", code=Code.COMMAND_FAILED, where=action.target, detail=detail), shown
            )


def _one(action: Action, ctx: Context, key: str, said: Callable[[list[str]], None]) -> Completed | None:
    """Raises Trouble where it could not be carried out. How a command ended is what comes back."""
    match action:
        case Run():
            return _run(action, ctx, key, said)
        case Upload():
            content = ctx.vault.reveal(action.content).encode()
            ctx.node(action.target).write(
                action.path,
                content,
                mode=action.mode,
                owner=action.owner,
                check=action.check,
                backup=action.backup,
                over=action.over,
                note=action.note,
            )
        case Copy():
            copied = ctx.node(action.source).read(action.path)
            if copied is None:
                raise Trouble(
                    f"{action.path} is not there.", code=Code.NODE_FILE, where=action.source, remedy="Retry the stage."
                )
            ctx.node(action.target).write(action.path, copied, mode=action.mode, owner=action.owner, backup=True)
        case Call():
            ctx.cloud.call(action.service, action.operation, action.params)
    return None


def _run(action: Run, ctx: Context, key: str, said: Callable[[list[str]], None]) -> Completed:
    node = ctx.node(action.target)
    if action.long:
        return node.run_long(key, action.argv, timeout=action.timeout, on_lines=said, cancel=ctx.cancel)
    return node.run(
        action.argv,
        root=action.root,
        stdin=None if action.stdin is None else ctx.vault.reveal(action.stdin).encode(),
        timeout=action.timeout,
        on_lines=said,
        cancel=ctx.cancel,
    )
