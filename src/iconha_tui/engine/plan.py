"""The plan: what a run would do, step by step. Nothing is touched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from iconha_tui.engine.actions import Action, Call, Copy, Run, Upload, masked
from iconha_tui.engine.step import Stage, Step, View


@dataclass(frozen=True)
class Planned:
    """What one step would do on one target, if its probe found work to do."""

    stage: Stage
    step: Step
    target: str
    actions: list[Action]


def plan_of(stages: Sequence[Stage], view: View) -> Iterator[Planned]:
    """All steps of `stages` on all their targets, in order; steps that only look have no actions."""
    for stage in stages:
        for step in stage.steps:
            for target in step.targets(view):
                yield Planned(stage, step, target, step.plan(view, target))


def to_dict(planned: Planned) -> dict[str, Any]:
    """JSON form; secrets are masked, facts that are not known yet stand as ⟪name⟫."""
    return {
        "stage": planned.stage.name,
        "step": planned.step.id,
        "title": planned.step.title,
        "target": planned.target,
        "actions": [_action(action) for action in planned.actions],
    }


def _action(action: Action) -> dict[str, Any]:
    match action:
        case Run():
            return {
                "kind": "run",
                "node": action.target,
                "argv": list(action.argv),
                "root": action.root,
                "outlives_connection": action.long,
                "stdin": None if action.stdin is None else masked(action.stdin),
                "why": action.why,
            }
        case Upload():
            return {
                "kind": "upload",
                "node": action.target,
                "path": action.path,
                "owner": action.owner,
                "mode": f"{action.mode:04o}",
                "content": masked(action.content),
                "check": list(action.check) if action.check else None,
                "backup": action.backup,
                "noted_in": action.note[0] if action.note else None,
                "why": action.why,
            }
        case Copy():
            return {
                "kind": "copy",
                "from": action.source,
                "node": action.target,
                "path": action.path,
                "owner": action.owner,
                "mode": f"{action.mode:04o}",
                "why": action.why,
            }
        case Call():
            return {
                "kind": "call",
                "service": action.service,
                "operation": action.operation,
                "params": dict(action.params),
                "why": action.why,
            }
