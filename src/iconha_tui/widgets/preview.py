"""The preview: each step with the guide's line, ours, and why it departs; then every action before it runs.

It is reckoned from the settings as they are typed and from what was read last, and says how long ago that was.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content

from iconha_tui.cluster.shells import GUIDE_SHELL
from iconha_tui.engine.actions import Action, Call, Copy, Disruption, Run, Upload, masked, waits_for
from iconha_tui.engine.plan import LookedAt, Planned, plan_of
from iconha_tui.engine.step import Stage, View
from iconha_tui.errors import Trouble
from iconha_tui.spec import Spec
from iconha_tui.stages.packages import why_another_shell
from iconha_tui.when import ago, moment
from iconha_tui.widgets.glyphs import COMMAND, mark
from iconha_tui.widgets.hanging import MUTED, Hanging, Row

ALONE = "Reckoned from these settings alone: nothing of this stage has been looked at yet."
SEEN = "Reckoned from these settings as they are typed, and from what was seen {ago} ({moment})."
PARTLY = "{missing} of its {all} steps have not been looked at yet."
SINCE = "What has changed there since is not in this list."
RUN = "A run looks first, and does nothing where the work is done."
CODE = "$text-accent"
INDENT = " " * 10


class CommandPreview(VerticalScroll):
    """What a stage would do, whole."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self._stage = stage

    def compose(self) -> ComposeResult:
        yield Hanging(id="commands")

    def show(self, spec: Spec, facts: Mapping[str, Any], looks: LookedAt) -> None:
        """Draws the plan under this spec and these facts, which these looks have brought."""
        try:
            planned = list(plan_of([self._stage], View(spec, facts), looks))
            rows: list[Row] = list(_rows(self._stage, planned, spec, time.time()))
        except (Trouble, ValueError) as error:
            rows = [("", f"It cannot be planned yet. {error}")]
        self.query_one(Hanging).show(rows)


def _lead(word: str) -> Content:
    return Content.styled(f"   {word:<7}", MUTED)


def _rests_on(stage: Stage, planned: Sequence[Planned], now: float) -> str:
    """What a plan is reckoned from, and how old that is."""
    looks = [plan.look for plan in planned if plan.look is not None]
    if not looks:
        return f"{ALONE} {RUN}"
    oldest = min(look.at for look in looks)
    said = SEEN.format(ago=ago(oldest, now), moment=moment(oldest))
    missing = len({plan.step.id for plan in planned if plan.look is None})
    partly = f" {PARTLY.format(missing=missing, all=len(stage.steps))}" if missing else ""
    return f"{said}{partly} {SINCE} {RUN}"


def _rows(stage: Stage, planned: Sequence[Planned], spec: Spec, now: float) -> Iterator[Row]:
    yield "", Content.styled(_rests_on(stage, planned, now), MUTED)
    unread: list[str] = []
    chosen = why_another_shell(spec)
    for number, step in enumerate(stage.steps, start=1):
        mine = [plan for plan in planned if plan.step is step]
        yield "", ""
        yield Content.styled(f"{number}. ", "bold"), Content.styled(step.title, "bold")
        acts = any(plan.actions for plan in mine)
        if step.guide:
            yield _lead("guide"), step.guide
        elif acts:
            yield _lead("guide"), Content.styled("has nothing of this", MUTED)
        for targets, actions in _alike(mine):
            for action in actions:
                yield from action_rows(action, " and ".join(targets))
                unread += [fact for fact in waits_for(action) if fact not in unread]
        if acts and all(plan.seen_done(spec) for plan in mine):
            yield _lead("seen"), "done: it runs nothing of this unless that has changed since"
        elif not acts:
            yield _lead("here"), _idle(mine)
        if step.departs:
            yield _lead("why"), step.departs
        if acts and chosen and step.guide.startswith(f"{GUIDE_SHELL.name} "):
            yield _lead("why"), chosen
    if unread:
        yield "", ""
        yield (
            "",
            Content.styled(f"What stands in ⟪ ⟫ is not known yet; earlier steps read it: {', '.join(unread)}.", MUTED),
        )


def _idle(planned: Sequence[Planned]) -> str:
    """What is said of a step without actions."""
    if all(plan.only_looks for plan in planned):
        return "looks and checks; no action is foreseen"
    if any(plan.depends for plan in planned):
        return "acts or not by what is there, which nobody has looked at yet"
    return "nothing to do, with these settings and by what was seen"


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
    disruption = action.disruption if isinstance(action, Run) else None
    return type(action), action.shown(), action.why, content, disruption


def action_rows(action: Action, targets: str) -> Iterator[Row]:
    """An action as an operator reads it: where, why, what."""
    yield _lead("here"), Content.assemble((targets, "bold"), f"  {action.why}" if action.why else "")
    match action:
        case Run():
            yield from _run(action)
        case Upload():
            yield INDENT, Content.styled(action.shown(), CODE)
            yield from _quoted("| ", masked(action.content))
            if action.check:
                yield (
                    INDENT,
                    Content.styled(f"judged by `{' '.join(action.check)}` before it replaces the old one", MUTED),
                )
            if action.backup:
                yield INDENT, Content.styled("the old file is kept beside it", MUTED)
        case Copy():
            yield INDENT, Content.styled(action.shown(), CODE)
        case Call():
            yield INDENT, Content.styled(f"{COMMAND} aws {action.service} {action.operation}", CODE)
            for line in _laid_out(action.params, ""):
                yield (
                    _code_lead("  " + line[: len(line) - len(line.lstrip(" -"))]),
                    Content.styled(line.lstrip(" -"), CODE),
                )


def _run(action: Run) -> Iterator[Row]:
    first, *rest = action.shown().splitlines() or [""]
    script = action.argv[:2] in (("sh", "-c"), ("bash", "-c"))
    prompt = ("sudo " if action.root else "") + ("sh -c: " if script else "")
    yield _code_lead(f"{COMMAND} "), Content.styled(f"{prompt}{first}", CODE)
    yield from _quoted("  ", "\n".join(rest))
    if action.stdin is not None:
        yield from _quoted("  < ", masked(action.stdin))
    if action.disruption is not None:
        yield disruption_row(action.disruption, INDENT)


def disruption_row(disruption: Disruption, indent: str) -> Row:
    """What an action may do to a pair that serves, with the seconds."""
    look = mark("warning")
    return Content.styled(f"{indent}{look.glyph} ", look.style), Content.styled(str(disruption), look.style)


def _quoted(lead: str, text: str) -> Iterator[Row]:
    for line in text.splitlines():
        yield _code_lead(lead), Content.styled(line or " ", CODE)


def _code_lead(lead: str) -> Content:
    return Content.styled(INDENT + lead, CODE)


def _laid_out(value: Any, indent: str) -> Iterator[str]:
    """Nested parameters a line each, indented; short ones stay together."""
    items = value.items() if isinstance(value, Mapping) else ((None, item) for item in value)
    for key, item in items:
        head = f"{indent}- " if key is None else f"{indent}{key} = "
        flat = item if isinstance(item, str) else json.dumps(item, default=str, ensure_ascii=False)
        if isinstance(item, Mapping | list | tuple) and len(flat) > 60:
            yield head.rstrip(" =") if key is not None else head.rstrip()
            yield from _laid_out(item, indent + "  ")
        else:
            yield head + flat
