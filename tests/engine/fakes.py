"""Two nodes and an AWS in this process, and steps made of functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from threading import Event, Lock
from typing import Any

from iconha_tui.engine import runner
from iconha_tui.engine.actions import Action, Upload
from iconha_tui.engine.cancel import Cancel
from iconha_tui.engine.events import Event as RunEvent
from iconha_tui.engine.events import Output, RunFinished, StepFinished
from iconha_tui.engine.ports import Completed, OnLines
from iconha_tui.engine.step import Context, Done, Needed, Stage, Step, Vault, Verdict, View
from iconha_tui.errors import Cancelled, Trouble
from iconha_tui.spec import Spec

ONE, TWO = "PRep-01", "PRep-02"

Answer = Callable[[str, tuple[str, ...]], Completed]


def all_well(node: str, argv: tuple[str, ...]) -> Completed:
    return Completed(0, "", "")


class FakeNode:
    """Keeps files, notes what it is asked to run (with standard input), and answers as `answer` says."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.files: dict[str, bytes] = {}
        self.modes: dict[str, tuple[int, str, bool]] = {}
        self.ran: list[tuple[str, ...]] = []
        self.stdin: list[bytes | None] = []
        self.keys: list[str] = []
        self.checks: list[tuple[str, ...] | None] = []
        self.answer: Answer = all_well

    def run(
        self,
        argv: tuple[str, ...],
        *,
        root: bool = True,
        stdin: bytes | None = None,
        timeout: float = 120.0,
        on_lines: OnLines | None = None,
        cancel: Event | None = None,
    ) -> Completed:
        self.ran.append(argv)
        self.stdin.append(stdin)
        done = self.answer(self.name, argv)
        if on_lines and done.stdout:
            on_lines(done.stdout.splitlines())
        return done

    def run_long(
        self,
        key: str,
        argv: tuple[str, ...],
        *,
        timeout: float = 3600.0,
        on_lines: OnLines | None = None,
        cancel: Cancel | None = None,
    ) -> Completed:
        """It ends unless `answer` stops the run, and says what becomes of it."""
        self.keys.append(key)
        done = self.run(argv, on_lines=on_lines)
        if cancel is None or not cancel.decided.is_set():
            return done
        raise left(self.name, key, stop=cancel.stop_long)

    def read(self, path: str) -> bytes | None:
        return self.files.get(path)

    def write(
        self,
        path: str,
        content: bytes,
        *,
        mode: int = 0o644,
        owner: str = "root:root",
        check: tuple[str, ...] | None = None,
        backup: bool = False,
        over: str | None = None,
        note: tuple[str, str] | None = None,
    ) -> None:
        self.checks.append(check)
        self.files[path] = content
        self.modes[path] = (mode, owner, backup)


def left(node: str, key: str, *, stop: bool) -> Cancelled:
    """What a node says of a long command that is not followed any more."""
    cancelled = Cancelled(f"{key} is {'stopped' if stop else 'left running'}.", where=node, remedy="Run again.")
    cancelled.left = "stopped" if stop else "running"
    return cancelled


class FakeCloud:
    def __init__(self) -> None:
        self.calls: list[tuple[str, str, Mapping[str, Any]]] = []
        self.trouble: Trouble | None = None

    def call(self, service: str, operation: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        self.calls.append((service, operation, dict(params or {})))
        if self.trouble:
            raise self.trouble
        return {}


class World:
    """A context on fakes, and the events of the runs in it."""

    def __init__(self, spec: Spec | None = None, secrets: Mapping[str, str] | None = None) -> None:
        self.nodes = {ONE: FakeNode(ONE), TWO: FakeNode(TWO)}
        self.cloud = FakeCloud()
        self.events: list[RunEvent] = []
        self._lock = Lock()
        self.ctx = Context(
            spec or Spec(),
            self.cloud,
            self.nodes.__getitem__,
            lambda: self.cloud,
            lambda host, port: "",
            Vault(secrets),
        )

    def on_event(self, event: RunEvent) -> None:
        with self._lock:
            self.events.append(event)

    def run(self, *steps: Step, skip: Sequence[str] = ()) -> RunFinished:
        return runner.run([stage(*steps)], self.ctx, self.on_event, skip)

    def survey(self, *steps: Step, skip: Sequence[str] = ()) -> RunFinished:
        return runner.survey([stage(*steps)], self.ctx, self.on_event, skip)

    def finished(self) -> list[StepFinished]:
        return [event for event in self.events if isinstance(event, StepFinished)]

    def output(self) -> list[str]:
        return [line for event in self.events if isinstance(event, Output) for line in event.lines]

    @property
    def ran(self) -> list[tuple[str, ...]]:
        return [argv for node in self.nodes.values() for argv in node.ran]


def stage(*steps: Step, name: str = "corosync") -> Stage:
    return Stage(name, name.title(), "", steps)


class Wants(Step):
    """A file on each target: needed where it is missing, written by `plan`. Each part can be replaced."""

    guide = "touch"

    def __init__(
        self,
        path: str = "/etc/a",
        *,
        targets: Sequence[str] = (ONE, TWO),
        probe: Callable[[Context, str], Verdict] | None = None,
        plan: Callable[[View, str], list[Action]] | None = None,
        verify: Callable[[Context, str], Verdict] | None = None,
        patience: float = 0.0,
    ) -> None:
        self.id = f"corosync.{path.rpartition('/')[2]}"
        self.title = f"{path} is there"
        self.path = path
        self.patience = patience
        self._targets, self._probe, self._plan, self._verify = targets, probe, plan, verify

    def targets(self, view: View) -> Sequence[str]:
        return self._targets

    def probe(self, ctx: Context, target: str) -> Verdict:
        if self._probe:
            return self._probe(ctx, target)
        if ctx.node(target).read(self.path) is None:
            return Needed(f"{self.path} is missing.")
        return Done(f"{self.path} is there")

    def plan(self, view: View, target: str) -> list[Action]:
        return self._plan(view, target) if self._plan else [Upload(target, self.path, ("content\n",))]

    def verify(self, ctx: Context, target: str) -> Verdict:
        return self._verify(ctx, target) if self._verify else self.probe(ctx, target)

    def remedy(self, view: View) -> str:
        return "Do what this step says."
