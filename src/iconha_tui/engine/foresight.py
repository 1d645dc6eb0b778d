"""What a run may do to a pair that serves, told before it runs: the disruptive actions of its plan."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from iconha_tui.engine.actions import Action, Disruptive, Run
from iconha_tui.engine.step import Context, Done, Stage, Step
from iconha_tui.errors import Cancelled, Trouble


def look_at_all(stages: Sequence[Stage], ctx: Context) -> dict[tuple[str, str], bool]:
    """Probes every step of `stages`, whatever the earlier ones find, and keeps the facts. Nothing is changed.

    Returns whether each step, on each target, found work to do. Raises Cancelled.
    """
    needed: dict[tuple[str, str], bool] = {}
    for step in _steps(stages):
        for target in step.targets(ctx.view):
            try:
                verdict = step.probe(ctx, target)
            except Cancelled:
                raise
            except Trouble:  # the run itself meets it, and says it
                continue
            ctx.learn(verdict.facts)
            needed[step.id, target] = not isinstance(verdict, Done)
    return needed


def disruptive_actions(
    stages: Sequence[Stage], ctx: Context, needed: dict[tuple[str, str], bool], skip: Collection[str] = ()
) -> list[Disruptive]:
    """The disruptive actions that a run of `stages` would carry out, by what `look_at_all` has found."""
    view = ctx.view
    found = []
    for stage in stages:
        for step in stage.steps:
            for target in step.targets(view):
                if step.id in skip or not (step.foreseen or needed.get((step.id, target))):
                    continue
                try:
                    actions = step.plan(view, target)
                except (Trouble, ValueError):  # the run itself meets it, before it acts
                    continue
                found += disruptive(stage.name, step.id, actions, ctx)
    return found


def disruptive(stage: str, step: str, actions: Sequence[Action], ctx: Context) -> list[Disruptive]:
    """Those of a step's actions that may disrupt a pair that serves."""
    return [
        Disruptive(stage, step, action.target, ctx.vault.mask(action.shown()), action.disruption)
        for action in actions
        if isinstance(action, Run) and action.disruption
    ]


def refusal(due: Sequence[Disruptive]) -> str:
    """Why a step with actions that nobody has allowed is not carried out."""
    return "The pair serves, and this would disrupt it. It was not allowed.\n" + "\n".join(each.line() for each in due)


HOW_TO_ALLOW = "Allow it: answer yes when the wizard asks, or add --allow-disruption to `iconha-tui run`."


def _steps(stages: Sequence[Stage]) -> list[Step]:
    return [step for stage in stages for step in stage.steps]
