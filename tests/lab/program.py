"""The program as a process of its own, followed by its events, so that a test can end it at any of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from waiting import BOUND

from iconha_tui.causes import cause_of
from iconha_tui.lab.lab import Lab
from iconha_tui.spec import Spec, dumps

Event = dict[str, Any]


class Going:
    """A run that is going on. events: those that it has told so far."""

    def __init__(self, process: subprocess.Popen[str], errors: Path) -> None:
        self.process = process
        self.events: list[Event] = []
        self._errors = errors

    def __iter__(self) -> Iterator[Event]:
        assert self.process.stdout
        for line in self.process.stdout:
            self.events.append(json.loads(line))
            yield self.events[-1]

    def until(self, matches: Callable[[Event], bool]) -> Event | None:
        """Reads on to the first event that matches; None where the run ends without one."""
        return next((event for event in self if matches(event)), None)

    def kill(self, number: int = signal.SIGKILL) -> int:
        """Sends a signal, and waits for the end. The exit code, negative where the signal itself was the end."""
        self.process.send_signal(number)
        return self.end()

    def end(self) -> int:
        """The exit code, once it has ended; what it had still to tell is in `events`."""
        for _ in self:
            pass
        return self.process.wait(timeout=BOUND)

    @property
    def said(self) -> str:
        """What it wrote to standard error."""
        return self._errors.read_text()

    @property
    def failure(self) -> Event:
        """The step that did not go well; its remedy is the one that the operator reads."""
        failed = [each for each in self.events if each["event"] == "StepFinished" and each["outcome"] != "done"]
        if len(failed) == 2 and failed[1]["step"] == "pair.serves":
            failed.pop()  # how the pair is left
        assert len(failed) == 1, f"{self.events[-3:]}\n{self.said}"
        cause = cause_of(failed[0]["code"], failed[0]["text"], failed[0]["tail"])
        return {
            **failed[0],
            **({"remedy": cause.remedy} if cause and cause.remedy else {}),
            "why": cause.why if cause else "",
        }


class Program:
    """`iconha-tui run SPEC --yes --json` on a lab, any number of times; its files are in `state`."""

    def __init__(self, lab: Lab, state: Path, spec: Spec, environment: Mapping[str, str] | None = None) -> None:
        self.lab = lab
        self.state = state
        self.spec = spec
        self.environment = dict(environment or {})
        self._starts = 0
        state.mkdir(parents=True, exist_ok=True)

    @property
    def folder(self) -> Path:
        return self.state / "clusters" / self.spec.name

    def write(self) -> Path:
        """The spec as a file."""
        path = self.state / "spec.toml"
        path.write_text(dumps(self.spec))
        return path

    def start(self, *options: str, how: tuple[str, ...] = (), ahead: bool = False, allow: bool = True) -> Going:
        """how: what Python is told to run; empty: the program as it is. ahead: with the check before the first change.
        allow: a pair that serves may be disrupted."""
        path = self.write()
        self._starts += 1
        errors = self.state / f"stderr-{self._starts}"
        options = (*options, *(["--allow-disruption"] if allow else []))
        argv = [sys.executable, *(how or ("-m", "iconha_tui"))]
        argv += ["--state-dir", str(self.state), "run", str(path), "--yes", "--json"]
        argv += [] if ahead else ["--no-check"]  # faults are made to hear what the steps themselves say of them
        with errors.open("w") as file:
            process = subprocess.Popen(
                [*argv, *options],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
                env=os.environ | self.environment,
                start_new_session=True,
            )
        return Going(process, errors)

    def run(self, *options: str, ahead: bool = False, allow: bool = True) -> Going:
        """A run to its end, whatever that is; its exit code is in `.process.returncode`."""
        going = self.start(*options, ahead=ahead, allow=allow)
        going.end()
        return going

    def check(self) -> tuple[int, list[dict[str, str]]]:
        """`iconha-tui check --json`: its exit code and its findings."""
        path = self.write()
        argv = [sys.executable, "-m", "iconha_tui", "--state-dir", str(self.state), "check", str(path), "--json"]
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=BOUND,
            env=os.environ | self.environment,
            check=False,
        )
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]

    def acts(self) -> list[str]:
        """Runs to a good end; the steps in which there was something to do."""
        going = self.run()
        assert going.process.returncode == 0, going.failure
        return [each["step"] for each in going.events if each["event"] == "ActionStarted"]

    def said(self) -> str:
        """What all its runs have written to standard error."""
        return "".join(file.read_text() for file in sorted(self.state.glob("stderr-*")))


def until_done(program: Program, at_most: int = 4) -> list[Event]:
    """Runs until all is done, as an operator would retry; the failures on the way."""
    failures = []
    for _ in range(at_most):
        going = program.run()
        if going.process.returncode == 0:
            return failures
        failures.append(going.failure)
    raise AssertionError(failures)
