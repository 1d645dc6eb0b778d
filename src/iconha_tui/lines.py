"""The wizard's twin without a screen: a run, a plan and a status, line by line."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Sequence
from threading import Lock
from types import FrameType

from rich.console import Console
from rich.markup import escape

from iconha_tui.engine import plan as plans
from iconha_tui.engine.actions import Upload, masked, unknown_facts
from iconha_tui.engine.events import (
    ActionFinished,
    ActionStarted,
    Event,
    Output,
    Probed,
    RunFinished,
    StageFinished,
    StageStarted,
    StepFinished,
    StepStarted,
    Waiting,
    to_dict,
)
from iconha_tui.engine.step import Stage, View
from iconha_tui.errors import Trouble
from iconha_tui.session import Session
from iconha_tui.spec import Spec
from iconha_tui.stages import STAGES
from iconha_tui.store import Store

CODES = {"done": 0, "failed": 1, "blocked": 3, "cancelled": 130, "todo": 3}
"""Outcome of a run -> exit code."""


def run_lines(store: Store, spec: Spec, *, yes: bool, until: str | None, as_json: bool) -> int:
    """Carries a spec out. Returns the exit code."""
    stages = upto(until)
    if not yes:
        if not sys.stdin.isatty():
            raise Trouble("A run without a terminal asks nothing.", remedy="Look at `plan` first, then add --yes.")
        show_plan(spec, "text", stages)
        if input("Carry this out? [y/N] ").strip().lower() not in ("y", "yes"):
            return CODES["cancelled"]
    printer = JsonLines() if as_json else Lines()
    session = Session(store, spec, confirm_host_key=_accept if yes else _ask)

    def stop(number: int, frame: FrameType | None) -> None:
        session.cancel()
        signal.signal(number, signal.SIG_DFL)  # a second one ends the program at once

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    try:
        finished = session.run(stages, printer)
        if finished.outcome == "done" and not as_json and until is None:
            from iconha_tui.summary import summary_markdown

            print()
            print(summary_markdown(session.ctx, store))
        return CODES[finished.outcome]
    finally:
        session.close()


def upto(until: str | None) -> Sequence[Stage]:
    """The stages up to the one named, in order; all where none is."""
    names = [stage.name for stage in STAGES]
    return STAGES[: names.index(until) + 1] if until else STAGES


def _accept(node: str, kind: str, fingerprint: str) -> bool:
    print(f"{node}: host key {kind} {fingerprint} accepted (--yes) and kept", file=sys.stderr)
    return True


def _ask(node: str, kind: str, fingerprint: str) -> bool:
    print(f"{node} shows the host key {kind}\n  {fingerprint}\nIts system log in the EC2 console shows it too.")
    return input("Is it this machine's? [y/N] ").strip().lower() in ("y", "yes")


class Lines:
    """Prints events as a person reads them."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)
        self._lock = Lock()
        self._waiting: dict[tuple[str, str], str] = {}

    def __call__(self, event: Event) -> None:
        with self._lock:
            for line in self._lines(event):
                self._console.print(line)

    def _lines(self, event: Event) -> Sequence[str]:
        match event:
            case StageStarted():
                stage = next(stage for stage in STAGES if stage.name == event.stage)
                return ["", f"[bold]{STAGES.index(stage) + 1}/{len(STAGES)} {escape(stage.title)}[/bold]"]
            case StepStarted():
                self._waiting.clear()
                return []
            case Probed(phase="probe", verdict="needed"):
                return [f"  [dim]{event.target}:[/dim] {escape(event.text)}"]
            case ActionStarted():
                return [f"  [cyan]{event.target}[/cyan] [dim]$[/dim] {escape(_short(event.shown))}"]
            case Output():
                return [f"  [dim]{event.target} |[/dim] {escape(line)}" for line in event.lines]
            case ActionFinished():
                return []
            case Waiting():
                key = (event.step, event.target)
                if self._waiting.get(key) == event.text:
                    return []
                self._waiting[key] = event.text
                return [f"  [dim]{event.target}: waiting, {event.left:.0f} s at most: {escape(event.text)}[/dim]"]
            case StepFinished(outcome="done"):
                word = "[green]done[/green]" if event.changed else "[green]ok[/green]  "
                return [f"  {word} {escape(self._title(event))}: {escape(event.text)}"]
            case StepFinished():
                where = f"{event.where}: " if event.where else ""
                lines = [
                    f"  [red]{event.outcome}[/red] {escape(self._title(event))}",
                    f"    {escape(where + event.text)}",
                ]
                if event.command:
                    lines.append(f"    command: {escape(event.command)}")
                lines += [f"    | {escape(line)}" for line in event.tail.splitlines()]
                return [*lines, f"    what to do: {escape(event.remedy)}"] if event.remedy else lines
            case StageFinished(outcome="done"):
                return []
            case RunFinished():
                return ["", f"[bold]{_END[event.outcome]}[/bold]" if event.outcome != "done" else _done(event)]
            case _:
                return []

    @staticmethod
    def _title(event: StepFinished) -> str:
        return next((step.title for stage in STAGES for step in stage.steps if step.id == event.step), event.step)


_END = {
    "failed": "A step failed. Nothing after it was done; run again to go on from here.",
    "blocked": "Blocked: only you can go on from here. Run again once it is settled.",
    "cancelled": "Stopped. A long command on a node goes on there; run again to go on from here.",
    "todo": "There is work to do.",
}


def _done(event: RunFinished) -> str:
    if event.changed:
        return f"[bold green]Done[/bold green] in {event.seconds:.1f} s."
    return f"[bold green]Nothing to do[/bold green]: everything is as the spec wants it ({event.seconds:.1f} s)."


def _short(command: str, limit: int = 600) -> str:
    lines = command.splitlines() or [""]
    text = lines[0] if len(lines) == 1 else f"{lines[0]} … ({len(lines)} lines)"
    return text if len(text) <= limit else f"{text[:limit]}…"


class JsonLines:
    """Prints events one a line, as JSON; Waiting is left out."""

    def __init__(self) -> None:
        self._lock = Lock()

    def __call__(self, event: Event) -> None:
        if isinstance(event, Waiting):
            return
        with self._lock:
            print(json.dumps(to_dict(event, time.time()), ensure_ascii=False), flush=True)


def show_plan(spec: Spec, form: str, stages: Sequence[Stage] = STAGES) -> int:
    """Prints what a run would do, as text, json or a shell script."""
    view = View(spec)
    if form == "script":
        from iconha_tui.engine.script import script_of

        print(script_of(stages, view))
        return 0
    planned = list(plans.plan_of(stages, view))
    if form == "json":
        print(json.dumps([plans.to_dict(each) for each in planned], indent=2, ensure_ascii=False))
        return 0
    console = Console(highlight=False, soft_wrap=True)
    stage = step = ""
    for each in planned:
        if each.stage.name != stage:
            stage = each.stage.name
            console.print(f"\n[bold]{escape(each.stage.title)}[/bold]")
        if each.step.id != step:
            step = each.step.id
            console.print(f"  {escape(each.step.title)}" + ("" if each.actions else " [dim](only looks)[/dim]"))
            if each.step.guide:
                console.print(f"    [dim]the guide: {escape(each.step.guide)}[/dim]")
            if each.step.departs:
                console.print(f"    [dim]{escape(each.step.departs)}[/dim]")
        for action in each.actions:
            console.print(f"    [cyan]{each.target}[/cyan] [dim]$[/dim] {escape(action.shown())}")
            if action.why:
                console.print(f"      [dim]{escape(action.why)}[/dim]")
            if isinstance(action, Upload):
                for line in masked(action.content).splitlines():
                    console.print(f"      [dim]|[/dim] {escape(line)}")
    if any(unknown_facts(line) for each in planned for action in each.actions for line in [action.shown()]):
        console.print("\n[dim]⟪…⟫ stands for what is read from AWS or a node before the step runs.[/dim]")
    return 0


def show_status(store: Store, name: str | None, *, watch: bool, as_json: bool) -> int:
    """Prints how a cluster is. Returns 0 healthy, 1 degraded, 3 unknown."""
    from iconha_tui import status

    known = store.names()
    if not known or (name and name not in known):
        raise Trouble(
            f"There is no saved cluster {name}." if name else "There is no saved cluster.",
            remedy="`iconha-tui where` lists them." if known else "Build one with `iconha-tui`.",
        )
    session = Session(store, store.spec(name or known[0]), confirm_host_key=status.reject_host_key)
    try:
        while True:
            seen = status.gather(session)
            print(
                json.dumps(seen.to_dict(), ensure_ascii=False, indent=None if watch else 2) if as_json else seen.text(),
                flush=True,
            )
            if not watch:
                return seen.code
            time.sleep(5)
            if not as_json:
                print()
    finally:
        session.close()
