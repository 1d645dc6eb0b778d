"""The whole guide on fresh labs: `iconha-tui run` against the same commands straight from a shell script over ssh.

The script is the program's own `plan --script`, so both sides carry out one plan. It speaks to AWS through the AWS CLI, which
takes about a second a call to start, and that flatters a run: so the time from the packages stage on, where the script calls
AWS no more, is compared as well.
"""

from __future__ import annotations

import configparser
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import platformdirs
from measure import PROGRAM, Figure, NotMeasured, median, progress, spread

from iconha_tui import spec as specs
from iconha_tui.engine import journal
from iconha_tui.engine.events import RunFinished, RunStarted, StageStarted
from iconha_tui.engine.script import script_of
from iconha_tui.engine.step import View
from iconha_tui.lab.lab import Lab
from iconha_tui.stages import STAGES
from iconha_tui.stages.packages import AWSCLI_VERSION

LIMIT = 900
"""Seconds that a run, or the script, may take before it counts as failed."""
STARTED = re.compile(r"elastic-ip\s.*\bStarted PRep-0[12]")


@dataclass
class Timed:
    """One way through the guide. stages: seconds, by name, in order."""

    whole: float
    stages: dict[str, float]

    @property
    def on_nodes(self) -> float:
        """From the packages stage on."""
        names = [stage.name for stage in STAGES]
        return sum(self.stages[name] for name in names[names.index("packages") :])


def guide(times: int = 2) -> list[Figure]:
    aws = _aws_cli()
    ours: list[Timed] = []
    floor: list[Timed] = []
    again: list[float] = []

    def run(lab: Lab, folder: Path) -> None:
        timed, seconds = _run(lab, folder)
        ours.append(timed)
        again.append(seconds)

    def script(lab: Lab, folder: Path) -> None:
        floor.append(_script(lab, folder, aws))

    for turn in range(times):
        first, second = (run, script) if turn % 2 == 0 else (script, run)
        for each in (first, second):
            with progress(f"run: turn {turn + 1} of {times}, {each.__name__}"), _fresh_lab() as (lab, folder):
                each(lab, folder)
    stages = [
        f"{stage.name:<12} {median([each.stages[stage.name] for each in ours]):6.1f} s   "
        f"script {median([each.stages[stage.name] for each in floor]):6.1f} s"
        for stage in STAGES
    ]
    return [
        _against(
            "run", "iconha-tui run, from nothing to a floating address", ours, floor, lambda timed: timed.whole, stages
        ),
        _against("run", "the same, from the packages stage on", ours, floor, lambda timed: timed.on_nodes, []),
        Figure("run", "a second run with nothing to do", median(again), "s", 3, "3 s", notes=[spread(again, "s")]),
    ]


def _against(
    part: str, what: str, ours: list[Timed], floor: list[Timed], pick: Callable[[Timed], float], notes: list[str]
) -> Figure:
    mine, theirs = [pick(each) for each in ours], [pick(each) for each in floor]
    return Figure(
        part,
        what,
        median(mine),
        "s",
        1.1 * median(theirs),
        "1.10 times",
        median(theirs),
        "the script",
        [f"ours {spread(mine, 's')}; the script {spread(theirs, 's')}", *notes],
    )


@contextmanager
def _fresh_lab() -> Iterator[tuple[Lab, Path]]:
    """A lab of its own in a state folder of its own, gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(f"bench-{os.getpid()}", Path(folder))
        try:
            lab.up()
            yield lab, Path(folder)
        finally:
            lab.down()


def _run(lab: Lab, folder: Path) -> tuple[Timed, float]:
    """`iconha-tui run` on a fresh lab; and the seconds of a second run."""
    spec = folder / "spec.toml"
    spec.write_text(lab.spec())
    argv = [str(PROGRAM), "--state-dir", str(folder), "run", str(spec), "--yes"]
    whole = _seconds(argv, {})
    _must_be_up(lab)
    diary = folder / "clusters" / lab.name / "journal.jsonl"
    timed = Timed(whole, _stages_of(diary))
    again = _seconds(argv, {})
    last = [event for _, event in journal.read(diary) if isinstance(event, RunFinished)][-1]
    if last.changed:
        raise NotMeasured("The second run found something to do.")
    return timed, again


def _stages_of(diary: Path) -> dict[str, float]:
    """Seconds from the start of each stage to that of the next."""
    began: dict[str, float] = {}
    end = 0.0
    for at, event in journal.read(diary):
        match event:
            case RunStarted():
                began.clear()
            case StageStarted(stage=name):
                began[name] = at
            case RunFinished():
                end = at
    return _lengths(began, end)


def _lengths(began: Mapping[str, float], end: float) -> dict[str, float]:
    starts = list(began.items())
    ends = [at for _, at in starts[1:]] + [end]
    return {name: until - at for (name, at), until in zip(starts, ends, strict=True)}


def _script(lab: Lab, folder: Path, aws: Path) -> Timed:
    """The plan as a shell script, on a fresh lab."""
    path = folder / "spec.toml"
    path.write_text(lab.spec())
    spec = specs.load(path)
    # The lab's nodes are Debian 12, which a plan cannot know before they exist.
    view = View(spec, {f"{node}.os": "debian 12" for node in spec.names})
    script = folder / "floor.sh"
    script.write_text(script_of(STAGES, view))
    titles = {f"== {stage.title}": stage.name for stage in STAGES}
    began: dict[str, float] = {}
    said: list[str] = []
    start = time.monotonic()
    with subprocess.Popen(
        ["bash", str(script)],
        env={**os.environ, **_node_keys(lab), "PATH": f"{aws}:{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as bash:
        assert bash.stdout is not None
        for line in bash.stdout:
            said.append(line)
            if name := titles.get(line.rstrip("\n")):
                began[name] = time.monotonic()
    end = time.monotonic()
    if bash.returncode != 0:
        raise NotMeasured(f"The script ended with exit code {bash.returncode}: {''.join(said[-15:])}")
    _must_be_up(lab)
    return Timed(end - start, _lengths(began, end))


def _seconds(argv: list[str], env: Mapping[str, str]) -> float:
    began = time.monotonic()
    done = subprocess.run(
        argv,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode != 0:
        raise NotMeasured(f"The run ended with exit code {done.returncode}: {(done.stdout + done.stderr)[-2000:]}")
    return time.monotonic() - began


def _must_be_up(lab: Lab) -> None:
    """What was built is a pair: both nodes online, the address started."""
    said = lab.exec("PRep-01", ["crm_mon", "-1"]).stdout
    if "Online: [ PRep-01 PRep-02 ]" not in said or not STARTED.search(said):
        raise NotMeasured(f"No pair was built: {said[-1500:]}")


def _node_keys(lab: Lab) -> dict[str, str]:
    config = configparser.ConfigParser()
    config.read(lab.aws_config_file)
    keys = config["profile lab-nodes"]
    return {
        "ICONHA_NODE_ACCESS_KEY_ID": keys["aws_access_key_id"],
        "ICONHA_NODE_SECRET_ACCESS_KEY": keys["aws_secret_access_key"],
    }


def _aws_cli() -> Path:
    """The folder of an AWS CLI in a virtual environment of its own, made once."""
    venv = platformdirs.user_cache_path("iconha-tui") / f"bench-awscli-{AWSCLI_VERSION}"
    program = venv / "bin" / "aws"
    try:
        if subprocess.run([program, "--version"], capture_output=True, check=False).returncode == 0:
            return program.parent
    except OSError:
        pass
    with progress("run: installing the AWS CLI"):
        for argv in (
            [sys.executable, "-m", "venv", "--clear", str(venv)],
            [str(venv / "bin" / "pip"), "install", "-q", f"awscli=={AWSCLI_VERSION}"],
        ):
            done = subprocess.run(argv, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise NotMeasured(f"The AWS CLI cannot be installed: {done.stderr[-800:]}")
    return program.parent
