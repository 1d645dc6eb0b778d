"""The plan: what a run would do, step by step. Nothing is touched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from iconha_tui.engine.actions import Action, Call, Copy, Run, Upload, masked
from iconha_tui.engine.step import CheckStep, Stage, Step, View
from iconha_tui.spec import Spec


@dataclass(frozen=True)
class Look:
    """What a probe has found. at: seconds since 1970. settings: the digest (Spec.settings_digest) that it looked with."""

    at: float
    verdict: Literal["done", "needed", "blocked"]
    settings: str
    text: str = ""


LookedAt = Mapping[tuple[str, str], Look]
"""The last look of each step at each of its targets, by the step's id and the target."""


@dataclass(frozen=True)
class Planned:
    """What one step would do on one target, if its probe found work to do. look: the last one; None: nobody has looked."""

    stage: Stage
    step: Step
    target: str
    actions: list[Action]
    look: Look | None = None

    @property
    def depends(self) -> bool:
        """Whether it acts or not depends on what is there, and nobody has looked."""
        return self.step.foreseen and not self.actions and self.look is None

    @property
    def only_looks(self) -> bool:
        """Whether it changes nothing, whatever it finds: a check, or a step to which these settings leave nothing to do."""
        return isinstance(self.step, CheckStep) or not (self.actions or self.step.foreseen)

    def seen_done(self, spec: Spec) -> bool:
        """Whether the last look found the work done, for the settings of this spec."""
        look = self.look
        return (
            look is not None
            and look.verdict == "done"
            and look.settings == spec.settings_digest(self.stage.name)
            and not self.step.foreseen
        )


def plan_of(stages: Sequence[Stage], view: View, looks: LookedAt | None = None) -> Iterator[Planned]:
    """All steps of `stages` on all their targets, in order; steps that only look have no actions.

    It is reckoned from the view's spec, as it stands now, and from the facts that were read last.
    """
    known = looks or {}
    for stage in stages:
        for step in stage.steps:
            for target in step.targets(view):
                yield Planned(stage, step, target, step.plan(view, target), known.get((step.id, target)))


def to_dict(planned: Planned) -> dict[str, Any]:
    """JSON form; secrets are masked, facts that are not known yet stand as ⟪name⟫."""
    return {
        "stage": planned.stage.name,
        "step": planned.step.id,
        "title": planned.step.title,
        "target": planned.target,
        "depends_on_what_is_there": planned.depends,
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
                "disruption": None if action.disruption is None else asdict(action.disruption),
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
