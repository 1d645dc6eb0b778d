"""A build that is struck: ended from outside at one event after the other, and gone on with, until it is finished."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import picture
from conftest import take_down
from program import Event, Going, Program
from waiting import wait_until
from wizard import Wizard

from iconha_tui.engine import journal
from iconha_tui.engine.events import PASSED
from iconha_tui.exit_codes import OF_RUN
from iconha_tui.stages import STAGES
from iconha_tui.store import Store

EVERY = [step.id for stage in STAGES for step in stage.steps]
OF_A_LIVING_PAIR = {
    "corosync.pause",
    "corosync.reload",
    "corosync.restart_standby",
    "corosync.restart_active",
    "corosync.online",
    "corosync.resume",
    "awscli.pause",
    "awscli.resume",
}
"""What a build has no work for: these are struck where a setting of a pair that serves is changed (test_living)."""
STEPS = [step for step in EVERY if step not in OF_A_LIVING_PAIR]
STAGE = {step.id: number for number, stage in enumerate(STAGES, start=1) for step in stage.steps}
"""The number of a step's stage."""
MOMENTS = {"before": "StepStarted", "during": "ActionStarted", "amid": "ActionStarted", "after": "StepFinished"}
"""A moment of a step, and the event at which the program is struck. amid: some time after its first action has begun."""

KILL, CTRL_C, TERM, HUP, QUIT, HANG_UP = (
    "kill -9",
    "Ctrl+C",
    "SIGTERM",
    "SIGHUP",
    "the wizard is quit",
    "its terminal closes",
)
SIGNALS = {CTRL_C: signal.SIGINT, TERM: signal.SIGTERM, HUP: signal.SIGHUP}
IN_THE_WIZARD = (QUIT, HANG_UP)


@dataclass(frozen=True)
class Blow:
    """way: how the program is ended, at a moment of a step. QUIT and HANG_UP end the wizard, the others `run`."""

    step: str
    moment: str
    way: str

    def is_at(self, event: Event) -> bool:
        return event.get("step") == self.step and event["event"] == MOMENTS[self.moment]

    def is_past(self, event: Event) -> bool:
        """Whether it cannot come any more in this run: the step has ended without it, and would again."""
        if event["event"] == "RunFinished":
            return True
        if event["event"] != "StepFinished" or self.moment == "after":
            return False
        return event["step"] in EVERY and EVERY.index(event["step"]) >= EVERY.index(self.step)


@dataclass
class Build:
    """A program and the blows it is to be struck with; once it is carried out, what became of it.

    struck: the blows that came. missed: those of actions that were not needed any more. keys: the authentication keys
    that were seen on the way. again: the events of one more run of the finished cluster.
    """

    program: Program
    blows: list[Blow]
    seed: int
    struck: list[Blow] = field(default_factory=list)
    missed: list[Blow] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    found: picture.Picture | None = None
    again: list[Event] = field(default_factory=list)

    def carry_out(self) -> Build:
        """Builds, struck at each blow in turn; looks at the cluster, and takes it down."""
        dice = random.Random(self.seed)
        left = list(self.blows)
        finished = False
        while not finished:
            in_wizard = (left or self.blows[-1:])[0].way in IN_THE_WIZARD
            finished = (self._in_the_wizard if in_wizard else self._line_by_line)(left, dice)
        program = self.program
        self.again = program.run().events
        said = program.said()
        self.asked += [name for name in program.spec.names for _ in range(said.count(f"{name}: host key"))]
        self.keys |= set(picture.authkeys(program.lab, program.spec).values())
        self.found = picture.take(program.lab, program.spec)
        take_down(program)
        return self

    def _line_by_line(self, left: list[Blow], dice: random.Random) -> bool:
        """One `run`. Whether it came to its end."""
        going = self.program.start()
        blow = self._next(going, left, dice)
        if blow is None:
            assert going.end() == 0, f"{going.events[-3:]}\n{going.said}"
        elif blow.way in IN_THE_WIZARD:
            going.kill()
        elif blow.way == KILL:
            assert going.kill() == -signal.SIGKILL
            self._struck(left)
        else:
            self._ended_in_order(blow, going, going.kill(SIGNALS[blow.way]))
            self._struck(left)
        return blow is None

    def _in_the_wizard(self, left: list[Blow], dice: random.Random) -> bool:
        """One wizard. Whether its run came to its end."""
        with closing(Wizard(self.program, STAGE[left[0].step] if left else len(STAGES))) as going:
            blow = self._next(going, left, dice)
            if blow is None:
                going.end()
            elif blow.way == QUIT:
                going.quit()
                progress = journal.progress_of(self.program.folder / "journal.jsonl")
                assert not progress.interrupted, blow
                assert progress.outcome in ("cancelled", *PASSED), f"{blow}: {progress.failure}"
                self._struck(left)
            elif blow.way == HANG_UP:
                going.hang_up()
                self._struck(left)
            else:
                going.kill()
            self.asked += going.asked
        return blow is None

    def _next(self, going: Going | Wizard, left: list[Blow], dice: random.Random) -> Blow | None:
        """Follows a run to its next blow: at its event, or as soon as it is of the other kind. None at the end of the run."""
        in_wizard = isinstance(going, Wizard)
        for event in going:
            while left and left[0].is_past(event):
                self.missed.append(left.pop(0))
            if left and (left[0].way in IN_THE_WIZARD) != in_wizard:
                return left[0]
            if left and left[0].is_at(event):
                if left[0].moment == "amid":
                    time.sleep(dice.uniform(0.02, 1.5))
                return left[0]
        return None

    def _struck(self, left: list[Blow]) -> None:
        """The blow has come: nothing of the program is left but whole files and what goes on on the nodes."""
        blow = left.pop(0)
        self.struck.append(blow)
        program = self.program
        wait_until(lambda: not left_over(program), what=lambda: f"the end after {blow}: {left_over(program)}")
        with Store(program.state).lock(program.spec.name):
            text = (program.folder / "journal.jsonl").read_text()
        assert text.endswith("\n"), blow
        assert not journal.progress_of(program.folder / "journal.jsonl").unread, blow
        if blow.step in ("authkey.copy", "authkey.private"):
            self.keys.add(picture.authkeys(program.lab, program.spec)["PRep-01"])

    def _ended_in_order(self, blow: Blow, going: Going, code: int) -> None:
        """The exit code and the journal say the same: cancelled. Only the last step may have come to its end first."""
        progress = journal.progress_of(self.program.folder / "journal.jsonl")
        assert not progress.interrupted, blow
        assert going.events[-1]["event"] == "RunFinished", blow
        assert going.events[-1]["outcome"] == progress.outcome, blow
        assert code == OF_RUN[progress.outcome], f"{blow}: {going.said}"
        assert progress.outcome == "cancelled" or (blow.step == STEPS[-1] and progress.outcome == "done"), blow


def left_over(program: Program) -> list[str]:
    """The processes that work on a program's files. A terminal's own takes a moment to end."""
    return [words for words in _command_lines() if str(program.state) in words]


def _command_lines() -> Iterator[str]:
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            yield file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
