"""The preflight: all that can be looked at before anything is changed, at once, and every finding of it.

It asks the run's own probes, tries the AWS calls of the run's own plan as dry runs, and looks at each node with one script.
Nothing is changed anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from iconha_tui.engine.cancel import Cancel
from iconha_tui.engine.plan import plan_of
from iconha_tui.engine.step import Context, Stage, View
from iconha_tui.error_codes import Code
from iconha_tui.errors import Cancelled
from iconha_tui.preflight import account, node
from iconha_tui.preflight.found import Found
from iconha_tui.session import Session

if TYPE_CHECKING:
    from iconha_tui.engine.journal import Progress
    from iconha_tui.spec import Spec

Look = Callable[[Session, Collection[str]], Iterator[Found]]


def is_due(progress: Progress, stages: Sequence[Stage], spec: Spec) -> bool:
    """Whether a run of these stages may be the first to change anything: only then is it looked ahead without being asked."""
    return not progress.acted and any(each.actions for each in plan_of(stages, View(spec)))


def look(session: Session, skip: Collection[str] = ()) -> Iterator[Found]:
    """What is found, in order: AWS and this machine, then both nodes at once. skip: steps that the run goes on without.

    Raises Cancelled where the session is asked to stop.
    """
    mask = session.ctx.vault.mask
    try:
        for found in _look(session.ctx, skip):
            yield replace(found, text=mask(found.text), remedy=mask(found.remedy))
    except Cancelled:
        session.ctx.cancel = Cancel()  # the stop was heard; one that comes after the last look holds for the run
        raise


def _look(ctx: Context, skip: Collection[str]) -> Iterator[Found]:
    for found in account.look(ctx, skip):
        yield found
        if ctx.cancel.is_set():
            raise Cancelled("Stopped by the operator; nothing was changed.")
    there = []
    for name in ctx.spec.names:
        if not_yet := node.why_not_yet(ctx, name):
            yield not_yet
        else:
            there.append(name)
    with ThreadPoolExecutor() as pool:
        for found_there in pool.map(lambda name: list(node.look(ctx, name)), there):
            yield from found_there
    names = [ctx.facts.get(f"{name}.hostname") for name in there]
    if len(names) == 2 and names[0] and names[0] == names[1]:
        yield Found(
            " and ".join(there), "Host names", "warning", f"both are called {names[0]}",
            "The cluster takes the names of the spec, so it works; give each its own (`sudo hostnamectl set-hostname NAME`) to "
            "tell their logs apart.",
            code=Code.HOST_NAMES_EQUAL,
        )  # fmt: skip


__all__ = ["Found", "Look", "is_due", "look"]
