"""The preview: each step with the guide's line, ours, and why it departs; then every action before it runs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from iconha_tui.engine.actions import Action, Call, Copy, Run, Upload, masked, waits_for
from iconha_tui.engine.plan import Planned, plan_of
from iconha_tui.engine.step import Stage, View
from iconha_tui.errors import Trouble
from iconha_tui.spec import Spec
from iconha_tui.widgets.glyphs import COMMAND

INDENT = "     "


class CommandPreview(VerticalScroll):
    """What a stage would do, whole."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self._stage = stage

    def compose(self) -> ComposeResult:
        yield Static(id="commands", markup=False)

    def show(self, spec: Spec, facts: Mapping[str, Any]) -> None:
        """Draws the plan under this spec and these facts."""
        try:
            planned = list(plan_of([self._stage], View(spec, facts)))
        except Trouble as trouble:
            self.query_one("#commands", Static).update(f"It cannot be planned yet. {trouble}")
            return
        self.query_one("#commands", Static).update(Content("\n").join(_stage_lines(self._stage, planned)))


def _stage_lines(stage: Stage, planned: Sequence[Planned]) -> Iterator[Content]:
    yield Content.styled(
        "A step looks first and does nothing where its work is done. Where it is not, this is all that it does:",
        "$foreground-muted",
    )
    unread: list[str] = []
    for number, step in enumerate(stage.steps, start=1):
        mine = [plan for plan in planned if plan.step is step]
        yield Content("")
        yield Content.assemble((f" {number}. {step.title}", "bold"))
        if step.guide:
            yield Content.assemble((f"{INDENT}guide  ", "$foreground-muted"), step.guide)
        for targets, actions in _alike(mine):
            for action in actions:
                yield from action_lines(action, " and ".join(targets))
                unread += [fact for fact in waits_for(action) if fact not in unread]
        if not any(plan.actions for plan in mine):
            yield Content.assemble((f"{INDENT}here   ", "$foreground-muted"), "only looks and checks")
        if step.departs:
            yield Content.assemble((f"{INDENT}why    ", "$foreground-muted"), step.departs)
    if unread:
        yield Content("")
        yield Content.styled(
            " Names in ⟪ ⟫ are not known yet; earlier stages read them: " + ", ".join(unread) + ".", "$foreground-muted"
        )


def _alike(planned: Sequence[Planned]) -> list[tuple[list[str], list[Action]]]:
    """The targets with the same actions told together."""
    groups: list[tuple[list[str], list[Action]]] = []
    for plan in planned:
        told = [_told(action) for action in plan.actions]
        for targets, actions in groups:
            if [_told(action) for action in actions] == told:
                targets.append(plan.target)
                break
        else:
            groups.append(([plan.target], plan.actions))
    return [group for group in groups if group[1]]


def _told(action: Action) -> tuple[object, ...]:
    content = masked(action.content) if isinstance(action, Upload) else ""
    return type(action), action.shown(), action.why, content


def action_lines(action: Action, targets: str) -> Iterator[Content]:
    """An action as an operator reads it: where, what, why."""
    yield Content.assemble((f"{INDENT}here   ", "$foreground-muted"), (targets, "bold"), f"  {action.why}")
    match action:
        case Run():
            prompt = "sudo " if action.root else ""
            first, *rest = action.shown().splitlines() or [""]
            script = action.argv[:2] in (("sh", "-c"), ("bash", "-c"))
            yield _code(f"{COMMAND} {f'{prompt}sh -c: ' if script and prompt else prompt}{first}")
            yield from (_code(f"  {line}") for line in rest)
            if action.stdin is not None:
                yield from (_code(f"  < {line}") for line in masked(action.stdin).splitlines())
        case Upload():
            yield _code(action.shown())
            yield from (_code(f"  | {line}") for line in masked(action.content).splitlines())
            if action.check:
                yield Content.styled(
                    f"{INDENT}       judged by `{' '.join(action.check)}` before it replaces the old one", "$foreground-muted"
                )
            if action.backup:
                yield Content.styled(f"{INDENT}       the old file is kept beside it", "$foreground-muted")
        case Copy():
            yield _code(action.shown())
        case Call():
            yield _code(f"{COMMAND} aws {action.service} {action.operation}")
            for key, value in action.params.items():
                yield _code(f"  {key} = {value if isinstance(value, str) else json.dumps(value, default=str)}")


def _code(line: str) -> Content:
    return Content.styled(f"{INDENT}  {line}", "$text-accent")
