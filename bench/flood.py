"""A flood of remote output through the whole path: splitter, runner, journal, transcript, queue and panes of the wizard."""

from __future__ import annotations

import asyncio
import re
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from measure import COLUMNS, ROWS, Figure, NotMeasured, median, spread
from textual.pilot import Pilot

from iconha_tui.app import IconhaApp
from iconha_tui.engine.actions import Action, Run
from iconha_tui.engine.ports import Completed, OnLines
from iconha_tui.engine.step import Context, Done, Needed, Stage, Step, Verdict, View
from iconha_tui.session import ConfirmHostKey, Session
from iconha_tui.spec import Spec
from iconha_tui.store import Store
from iconha_tui.text import LineSplitter

SPEC = Spec(name="bench")
STAGE = "packages"
LINES = 100_000
TICK = 0.01
CHUNK = 32_768
"""What one read of a channel brings at most."""


def flood(times: int = 3) -> Figure:
    lags, rates, idle = [], [], []
    for _ in range(times):
        quiet, lag, seconds = asyncio.run(_once())
        idle.append(quiet)
        lags.append(lag)
        rates.append(LINES / seconds)
    return Figure(
        "lines",
        f"{LINES:,} lines, longest stall of the screen",
        max(lags),
        "ms",
        100,
        "100 ms, nothing lost",
        median(idle),
        "idle for a second",
        [
            f"every line is in transcript.log, in order; {spread(lags, 'ms')}",
            f"{median(rates):,.0f} lines a second from both nodes at once, until the last is on the screen",
        ],
    )


def _line(node: str, number: int) -> str:
    """As apt says it, with a colour and an accent; what is kept of it has no colour."""
    return f"\x1b[32mSetting up\x1b[0m libé{number:06} of {node} (3.1.7-1+deb12u2) ...{' and more' * (number % 7)}"


def _kept(node: str, number: int) -> str:
    return re.sub(r"\x1b\[\d+m", "", _line(node, number))


class Flooding:
    """A node that says its lines as quickly as they are taken, cut where a channel would cut them."""

    def __init__(self, name: str) -> None:
        self.name = name
        said = "".join(f"{_line(name, number)}\r\n" for number in range(LINES // 2)).encode()
        self.chunks = [said[at : at + CHUNK] for at in range(0, len(said), CHUNK)]
        self.over = False

    def run(self, argv: tuple[str, ...], *, on_lines: OnLines | None = None, **_: Any) -> Completed:
        splitter = LineSplitter()
        for chunk in self.chunks:
            if on_lines:
                on_lines(splitter.feed(chunk))
        self.over = True
        return Completed(0, "", "")

    def run_long(self, key: str, argv: tuple[str, ...], **options: Any) -> Completed:
        return self.run(argv, **options)

    def read(self, path: str) -> bytes | None:
        return None

    def write(self, path: str, content: bytes, **_: Any) -> None:
        raise AssertionError("nothing is uploaded here")


class Talk(Step):
    """One command on both nodes at once."""

    id = "packages.talk"
    title = "Both nodes talk"

    def __init__(self, nodes: Mapping[str, Flooding]) -> None:
        self._nodes = nodes

    def probe(self, ctx: Context, target: str) -> Verdict:
        return Done("said") if self._nodes[target].over else Needed("It has not spoken yet.")

    def plan(self, view: View, target: str) -> list[Action]:
        return [Run(target, ("apt-get", "install", "everything"), long=True)]


def app_of(store: Store, nodes: Mapping[str, Flooding]) -> IconhaApp:
    """The wizard at its one stage, in which these nodes talk."""
    stage = Stage(STAGE, "Packages", "Both nodes talk.", (Talk(nodes),))

    def session(store: Store, spec: Spec, confirm: ConfirmHostKey) -> Session:
        made = Session(store, spec, confirm_host_key=confirm)
        made.ctx.node = lambda name: nodes[name]
        return made

    return IconhaApp(store, spec=SPEC, session_factory=session, stages=(stage,), warm_up=False)


async def _once() -> tuple[float, float, float]:
    """The longest stall of the loop while idle, and in the flood (ms), and the flood's seconds."""
    nodes = {name: Flooding(name) for name in SPEC.names}
    with tempfile.TemporaryDirectory() as state:
        app = app_of(Store(Path(state)), nodes)
        async with app.run_test(size=(COLUMNS, ROWS)) as pilot:
            while not app.work.is_open:
                await pilot.pause(0.05)
            await pilot.pause(1)
            idle = await _longest_stall(asyncio.sleep(1))
            began = time.perf_counter()
            lag = await _longest_stall(_flooded(pilot, app, nodes))
            seconds = time.perf_counter() - began
        _compare(Path(state) / "clusters" / SPEC.name / "transcript.log", SPEC.names)
    return idle, lag, seconds


async def _flooded(pilot: Pilot[None], app: IconhaApp, nodes: Mapping[str, Flooding]) -> None:
    """Runs the stage, until the last line is on the screen."""
    await pilot.press("f5")
    deadline = time.monotonic() + 120
    while app.work.busy or not all(node.over for node in nodes.values()):
        if time.monotonic() > deadline:
            raise NotMeasured("The flood did not end in two minutes.")
        await asyncio.sleep(0.05)
    run = app.cluster.runs.runs[STAGE]
    if run.state != "done":
        raise NotMeasured(f"The run of the flood ended as {run.state}: {app.cluster.runs.trouble or run.failure}")


async def _longest_stall(work: Any) -> float:
    """The longest time by which a 10 ms timer came late while `work` was under way, in ms."""
    task = asyncio.ensure_future(work)
    longest = 0.0
    while not task.done():
        asked = time.perf_counter()
        await asyncio.sleep(TICK)
        longest = max(longest, time.perf_counter() - asked - TICK)
    await task
    return longest * 1000


def _compare(transcript: Path, names: Sequence[str]) -> None:
    """Raises NotMeasured where one line is missing, changed or out of order."""
    said: dict[str, list[str]] = {name: [] for name in names}
    with transcript.open(encoding="utf-8") as file:
        for line in file:
            node, said_it, text = line.rstrip("\n").partition(" ")[2].partition(" | ")
            if said_it and node in said:
                said[node].append(text)
    for name, lines in said.items():
        if len(lines) != LINES // 2:
            raise NotMeasured(f"{name} said {LINES // 2:,} lines; transcript.log has {len(lines):,}.")
        for number, line in enumerate(lines):
            if line != _kept(name, number):
                raise NotMeasured(f"Line {number} of {name} is {line!r} in transcript.log.")
