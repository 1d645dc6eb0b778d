"""The wizard's twin without a screen: a run, a plan and a status, line by line."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from iconha_tui.causes import cause_of
from iconha_tui.control.run_controller import (
    PreflightFinished,
    PreflightStarted,
    RunController,
    RunRequest,
    Update,
)
from iconha_tui.engine import plan as plans
from iconha_tui.engine.actions import Disruptive, Run, Upload, masked, waits_for
from iconha_tui.engine.events import (
    ActionStarted,
    ActionStopped,
    Output,
    Probed,
    RunFinished,
    StageStarted,
    StepFinished,
    StepStarted,
    Waiting,
    to_dict,
)
from iconha_tui.engine.foresight import look_at_all
from iconha_tui.engine.journal import Work
from iconha_tui.engine.step import Stage, Step, View
from iconha_tui.error_codes import Code
from iconha_tui.errors import Trouble, UsageTrouble
from iconha_tui.exit_codes import OF_RUN, OF_VERDICT, ExitCode
from iconha_tui.preflight import Found, look
from iconha_tui.session import Session
from iconha_tui.signals import Signals
from iconha_tui.spec import Spec
from iconha_tui.stages import SERVES, STAGES
from iconha_tui.store import Store
from iconha_tui.terminal import ask_code

if TYPE_CHECKING:
    from iconha_tui.status import Report


def run_lines(
    store: Store,
    spec: Spec,
    *,
    yes: bool,
    until: str | None,
    as_json: bool,
    skip: Sequence[str] = (),
    check: bool = True,
    allow_disruption: bool = False,
) -> int:
    """Carries a spec out but for the steps in `skip`. Returns the exit code.

    allow_disruption: what may disrupt a pair that serves is done without a question.

    check: before the first change of all in a cluster, looks whether something stands in the way.
    """
    stages = upto(until)
    for step in skip:
        check_skip(step)
    if not yes and not sys.stdin.isatty():
        raise UsageTrouble(
            "A run without a terminal asks nothing.",
            code=Code.NOT_CONFIRMED,
            remedy="Look at `plan` first, then add --yes.",
        )
    printer = JsonLines() if as_json else Lines()
    progress = store.progress(spec.name)
    if progress.note and not as_json:
        print(progress.note, file=sys.stderr)
    session = Session(store, spec, confirm_host_key=_accept if yes else _ask)
    session.ask_code = ask_code
    if not yes and not _agreed(session, stages, begun=progress.acted):
        return ExitCode.INTERRUPTED
    controller = RunController(session, look=look)
    if allow_disruption:
        controller.allow = _allow_all
    elif not yes:
        controller.allow = _ask_disruption
    Signals(controller)
    try:
        ended = controller.run(RunRequest(tuple(stages), frozenset(skip), preflight=check), printer)
        if ended.findings and not as_json:
            print(f"\n{len(ended.findings)} to be settled first. Nothing was changed. --no-check goes on all the same.")
        if ended.trouble is not None:
            raise ended.trouble
        if ended.summary and until is None and not as_json:
            print(f"\n{ended.summary}", end="")
        return OF_RUN[ended.outcome]
    finally:
        session.close()


def _agreed(session: Session, stages: Sequence[Stage], *, begun: bool) -> bool:
    """Shows the plan and asks. begun: runs have changed something before, so it is looked first what is there."""
    show_plan(session.spec, "text", stages, session if begun else None)
    return input("Carry this out? [y/N] ").strip().lower() in ("y", "yes")


def upto(until: str | None) -> Sequence[Stage]:
    """The stages up to the one named, in order; all where none is."""
    names = [stage.name for stage in STAGES]
    return STAGES[: names.index(until) + 1] if until else STAGES


def check_skip(name: str) -> None:
    """Raises UsageTrouble where there is no such step, or it is not safe to go on without it."""
    steps = {step.id: step for stage in STAGES for step in stage.steps}
    if name not in steps:
        raise UsageTrouble(
            f"There is no step {name}.",
            remedy=f"These can be skipped: {', '.join(step.id for step in steps.values() if step.skip)}.",
        )
    if not steps[name].skip:
        raise UsageTrouble(f"{name} cannot be skipped. {steps[name].vital}", remedy="Run it without --skip.")


def _accept(node: str, kind: str, fingerprint: str) -> bool:
    print(f"{node}: host key {kind} {fingerprint} accepted (--yes) and kept", file=sys.stderr)
    return True


def _ask(node: str, kind: str, fingerprint: str) -> bool:
    print(f"{node} shows the host key {kind}\n  {fingerprint}\nIts system log in the EC2 console shows it too.")
    return input("Is it this machine's? [y/N] ").strip().lower() in ("y", "yes")


def _allow_all(_due: Sequence[Disruptive]) -> bool:
    return True


def _ask_disruption(due: Sequence[Disruptive]) -> bool:
    print("\nThe pair serves, and this run would disrupt it:")
    for each in due:
        print(f"  {each.line()}")
    return input("Go on? [y/N] ").strip().lower() in ("y", "yes")


class Lines:
    """Prints events as a person reads them."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True, emoji=False)
        self._lock = Lock()
        self._waiting: dict[tuple[str, str], str] = {}
        self._work = Work()

    def __call__(self, event: Update) -> None:
        with self._lock:
            for line in self._lines(event):
                self._console.print(line)

    def _lines(self, event: Update) -> list[Text]:
        match event:
            case Found():
                return _finding(event)
            case StageStarted():
                stage = next(stage for stage in STAGES if stage.name == event.stage)
                return [Text(), Text(f"{STAGES.index(stage) + 1}/{len(STAGES)} {stage.title}", "bold")]
            case StepStarted():
                self._waiting.clear()
                return []
            case Probed(phase="probe", verdict="needed"):
                return [Text.assemble("  ", (f"{event.target}: ", "dim"), event.text)]
            case ActionStarted():
                return [Text.assemble("  ", (event.target, "cyan"), (" $ ", "dim"), _short(event.shown))]
            case Output():
                return [Text.assemble("  ", (f"{event.target} | ", "dim"), line) for line in event.lines]
            case ActionStopped():
                self._work.stopped[event.target] = event
                return []
            case Waiting():
                return self._wait(event)
            case StepFinished(outcome="done"):
                return [
                    Text.assemble(
                        "  ", ("done " if event.changed else "ok   ", "green"), f"{self._title(event)}: {event.text}"
                    )
                ]
            case StepFinished(outcome="skipped"):
                return [Text.assemble("  ", ("skipped ", "yellow"), f"{self._title(event)}: {event.text}")]
            case StepFinished():
                return self._failure(event)
            case RunFinished():
                return [Text(), _end(event, self._work.fates())]
            case _:
                return []

    def _wait(self, event: Waiting) -> list[Text]:
        """Says once what is waited for, not at every look."""
        key = (event.step, event.target)
        if self._waiting.get(key) == event.text:
            return []
        self._waiting[key] = event.text
        return [Text(f"  {event.target}: waiting, {event.left:.0f} s at most: {event.text}", "dim")]

    def _failure(self, event: StepFinished) -> list[Text]:
        lines = [
            Text.assemble("  ", (event.outcome, "red"), f" {self._title(event)}"),
            Text(f"    {event.where}: {event.text}" if event.where else f"    {event.text}"),
        ]
        if event.code:
            lines.append(Text(f"    code: {event.code}"))
        if event.command:
            lines.append(Text(f"    command: {event.command}"))
        lines += [Text(f"    | {line}") for line in event.tail.splitlines()]
        cause = cause_of(event.code, event.text, event.tail)
        if cause:
            lines.append(Text(f"    why: {cause.why}"))
        if remedy := (cause and cause.remedy) or event.remedy:
            lines.append(Text(f"    what to do: {remedy}"))
        step = self._step(event)
        if step and step.skip:
            lines.append(Text(f"    or go on without it: --skip {step.id}. {step.skip}"))
        return lines

    @staticmethod
    def _step(event: StepFinished) -> Step | None:
        steps = (*(step for stage in STAGES for step in stage.steps), SERVES)
        return next((step for step in steps if step.id == event.step), None)

    def _title(self, event: StepFinished) -> str:
        step = self._step(event)
        return step.title if step else event.step


_END = {
    "failed": "A step failed. Nothing after it was done; run again to go on from here.",
    "blocked": "Blocked: only you can go on from here. Run again once it is settled.",
    "cancelled": "Stopped. Run again to go on from here.",
    "todo": "There is work to do.",
}


def _end(event: RunFinished, fates: Sequence[str]) -> Text:
    """The last line. fates: what has become of what was going on on the nodes when the run was stopped."""
    if event.outcome == "skipped":
        return Text.assemble(("Done but for what was skipped", "bold yellow"), f", in {event.seconds:.1f} s.")
    if event.outcome != "done":
        return Text(" ".join([_END[event.outcome], *fates]), "bold")
    if event.changed:
        return Text.assemble(("Done", "bold green"), f" in {event.seconds:.1f} s.")
    return Text.assemble(
        ("Nothing to do", "bold green"), f": everything is as the spec wants it ({event.seconds:.1f} s)."
    )


def _short(command: str, limit: int = 600) -> str:
    lines = command.splitlines() or [""]
    text = lines[0] if len(lines) == 1 else f"{lines[0]} … ({len(lines)} lines)"
    return text if len(text) <= limit else f"{text[:limit]}…"


class JsonLines:
    """Prints events one a line, as JSON; Waiting is left out."""

    def __init__(self) -> None:
        self._lock = Lock()

    def __call__(self, event: Update) -> None:
        if isinstance(event, Waiting | PreflightStarted | PreflightFinished):
            return
        if isinstance(event, Found):
            told = {"event": "Found", "at": round(time.time(), 3), **event.to_dict()}
        else:
            told = to_dict(event, time.time())
        with self._lock:
            print(json.dumps(told), flush=True)


_STATES = {
    "done": "green", "will_be_made": "cyan", "will_be_changed": "cyan", "not_known": "dim", "warning": "yellow",
    "stands_in_the_way": "red",
}  # fmt: skip
_WIDEST = max(map(len, _STATES))


def show_preflight(store: Store, spec: Spec, *, as_json: bool) -> int:
    """Prints every finding of a preflight. Returns 0, or 3 where something stands in the way."""
    session = Session(store, spec, confirm_host_key=_ask if sys.stdin.isatty() else _refuse)
    session.ask_code = ask_code
    controller = RunController(session, look=look)
    Signals(controller)
    try:
        ended = controller.preflight(JsonLines() if as_json else Lines())
    finally:
        session.close()
    if not as_json:
        bad = len(ended.findings)
        print(f"\n{f'{bad} to be settled first.' if bad else 'Nothing stands in the way.'} Nothing was changed.")
    return OF_RUN[ended.outcome]


def _finding(found: Found) -> list[Text]:
    """A finding of a preflight, and what to do about it."""
    word = found.state.replace("_", " ").ljust(_WIDEST)
    lines = [Text.assemble((word, _STATES[found.state]), " ", found.line())]
    return [*lines, Text(f"{'':{_WIDEST}} {found.remedy}")] if found.remedy else lines


def _refuse(node: str, kind: str, fingerprint: str) -> bool:
    print(f"{node} shows the host key {kind} {fingerprint}, which nobody has accepted yet.", file=sys.stderr)
    return False


def look_and_show_plan(store: Store, spec: Spec, form: str) -> int:
    """Looks at what is there, changing nothing, and prints what a run would do to it."""
    session = Session(store, spec, confirm_host_key=_ask if sys.stdin.isatty() else _refuse)
    session.ask_code = ask_code
    Signals(RunController(session))
    try:
        return show_plan(spec, form, STAGES, session)
    finally:
        session.close()


def show_plan(spec: Spec, form: str, stages: Sequence[Stage] = STAGES, session: Session | None = None) -> int:
    """Prints what a run would do, as text, json or a shell script. session: what is there is looked at first, by it."""
    view = View(spec)
    looks: plans.LookedAt = {}
    if session is not None:
        looks = _look_at(session, stages)
        view = session.ctx.view
    if form == "script":
        from iconha_tui.engine.script import script_of

        print(script_of(stages, view))
        return 0
    planned = list(plans.plan_of(stages, view, looks))
    if form == "json":
        print(json.dumps([plans.to_dict(each) for each in planned], indent=2))
        return 0
    console = Console(highlight=False, soft_wrap=True, emoji=False)
    stage = step = ""
    for each in planned:
        if each.stage.name != stage:
            stage = each.stage.name
            console.print(Text(f"\n{each.stage.title}", "bold"))
        if each.step.id != step:
            step = each.step.id
            mine = [other for other in planned if other.step.id == step]
            console.print(Text.assemble(f"  {each.step.title}", (_aside(mine, spec), "dim")))
            for note in (each.step.guide and f"the guide: {each.step.guide}", each.step.departs):
                if note:
                    console.print(Text(f"    {note}", "dim"))
        for action in each.actions:
            console.print(Text.assemble("    ", (each.target, "cyan"), (" $ ", "dim"), action.shown()))
            if action.why:
                console.print(Text(f"      {action.why}", "dim"))
            if isinstance(action, Run) and action.disruption:
                console.print(Text(f"      {action.disruption}", "yellow"))
            if isinstance(action, Upload):
                for line in masked(action.content).splitlines():
                    console.print(Text.assemble("      ", ("| ", "dim"), line))
    if any(waits_for(action) for each in planned for action in each.actions):
        console.print(Text("\n⟪…⟫ stands for what is read from AWS or a node before the step runs.", "dim"))
    console.print(Text(f"\n{RESTS_ON_A_LOOK if session else RESTS_ON_THE_SPEC}", "dim"))
    return 0


RESTS_ON_THE_SPEC = (
    "Reckoned from the spec alone, as for two machines on which nothing was done yet. A run looks first, and does nothing where "
    "the work is done; `plan --look` shows what it would do to what is there."
)
RESTS_ON_A_LOOK = "Reckoned from the spec and from what was seen just now. A run looks again first."


def _look_at(session: Session, stages: Sequence[Stage]) -> plans.LookedAt:
    now, spec = time.time(), session.spec
    stage_of = {step.id: stage.name for stage in stages for step in stage.steps}
    return {
        place: plans.Look(now, "needed" if needed else "done", spec.settings_digest(stage_of[place[0]]))
        for place, needed in look_at_all(stages, session.ctx).items()
    }


def _aside(planned: Sequence[plans.Planned], spec: Spec) -> str:
    """What is said of a step beside its title: by all its targets' plans."""
    if all(each.only_looks for each in planned):
        return " (only looks)"
    if any(each.actions for each in planned):
        done = all(each.seen_done(spec) for each in planned)
        return " (done: this runs only if that changes)" if done else ""
    if any(each.depends for each in planned):
        return " (acts or not by what is there)"
    return " (nothing to do)"


def show_status(store: Store, names: Sequence[str], *, watch: bool, as_json: bool) -> int:
    """Prints how clusters are. Returns the exit code of the verdict, of several clusters of the gravest; 130 where a watch was
    interrupted."""
    from iconha_tui import status
    from iconha_tui.status.report import WORST_FIRST

    watchers, broken = [], False
    for name in names:
        try:
            session = Session(store, store.spec(name), confirm_host_key=status.reject_host_key)
        except Trouble as trouble:
            if len(names) == 1:
                raise
            print(f"{name}: {trouble}", file=sys.stderr)
            broken = True
        else:
            watchers.append(status.watch(session))
    logs = [status.Log() for _ in watchers]
    try:
        with ThreadPoolExecutor() as pool:
            reports = list(pool.map(status.Watcher.look_once, watchers))
        if not watch:
            print(_status_json(reports, names) if as_json else _status_text(reports, names))
            verdicts = {report.verdict for report in reports} | ({"unknown"} if broken else set())
            return next((OF_VERDICT[verdict] for verdict in WORST_FIRST if verdict in verdicts), ExitCode.DONE)
        for watcher in watchers:
            watcher.start()
        while True:
            for log, report in zip(logs, reports, strict=True):
                for line in [json.dumps(report.to_dict())] if as_json else log.lines(report):
                    print(line, flush=True)
            time.sleep(status.EVERY)
            reports = [watcher.report() for watcher in watchers]
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    finally:
        for watcher in watchers:
            watcher.close()


def _status_text(reports: Sequence[Report], names: Sequence[str]) -> str:
    from iconha_tui.status import text

    return text.block(reports[0]) if len(names) == 1 else text.table(reports)


def _status_json(reports: Sequence[Report], names: Sequence[str]) -> str:
    from iconha_tui.status.report import SCHEMA

    told = [report.to_dict() for report in reports]
    return json.dumps(told[0] if len(names) == 1 else {"schema": SCHEMA, "clusters": told}, indent=2)
