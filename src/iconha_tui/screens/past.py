"""What the journal of a cluster says, in words: how far it has come, what comes next, and how its last run ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from textual.content import Content

from iconha_tui.engine.events import PASSED
from iconha_tui.when import ago, moment
from iconha_tui.widgets.glyphs import COMMAND, mark
from iconha_tui.widgets.hanging import MUTED, Row
from iconha_tui.widgets.pair_look import PairLook, pair_look

if TYPE_CHECKING:
    from iconha_tui.engine.journal import Progress
    from iconha_tui.engine.step import Stage
    from iconha_tui.status.report import Verdict
    from iconha_tui.store import Saved


@dataclass(frozen=True)
class Standing:
    """How a cluster stands. state: names its mark. word: stands beside the glyph. reached, then: how far it is; what is next.

    old: state and word are of long ago. stages: what the runs have done, where word and reached are of the pair itself.
    pair: what was last seen of the pair, where they are not.
    """

    state: str
    word: str
    reached: str
    then: str
    old: bool = False
    stages: str = ""
    pair: PairLook | None = None


def standing(saved: Saved, stages: Sequence[Stage], seen: tuple[Verdict, float] | None, now: float) -> Standing:
    """How far a saved cluster has come. seen: the last verdict on its pair, and when."""
    progress = saved.progress
    pair = pair_look(seen, progress.work.at, now)
    found = _reached(saved, stages) or _through(saved, stages, pair)
    return replace(found, pair=pair) if seen is not None and not found.stages else found


def _through(saved: Saved, stages: Sequence[Stage], pair: PairLook) -> Standing:
    """All stages have been through: what counts then is the pair, as it was last seen."""
    progress = saved.progress
    skipped = len(progress.skipped)
    but = f", with {skipped} step{'s' * (skipped > 1)} skipped" if skipped else ""
    through = f"all {len(stages)} stages have been through{but}, on {moment(progress.work.at or progress.last)}"
    if pair.bad:
        then = "s shows what is wrong; Enter looks at every stage"
    elif pair.state == "done":
        then = "test a failover; s shows the status"
    else:
        then = "s looks at the pair"
    return Standing(pair.state, pair.word, pair.age, then, pair.old, through)


def _reached(saved: Saved, stages: Sequence[Stage]) -> Standing | None:
    """How far a cluster has come that is not through all its stages; None where it is."""
    progress = saved.progress
    if saved.trouble:
        return Standing("failed", "not readable", saved.trouble, "mend it; d deletes what is here of it")
    if saved.holder:
        at = f", in {_place(progress, stages)}" if progress.interrupted and progress.work.stage else ""
        who = f" (process {saved.holder})" if saved.holder > 0 else ""
        return Standing("running", "running", f"in another window{who}{at}", "wait for it; s shows the status")
    if not any(entry.at for entry in progress.stages.values()):
        return Standing("todo", "not begun", f"{len(stages)} stages ahead", f"Enter begins with “{stages[0].title}”")
    left = [stage for stage in stages if saved.state(stage.name) not in PASSED]
    if not left:
        return None
    then = f"Enter looks at what is there, then goes on with “{left[0].title}”"
    if progress.interrupted and progress.work.stage:
        return Standing("cancelled", "interrupted", f"in {_place(progress, stages)}", then)
    nodes = progress.work.left_on()
    going = f"; a command was left running on {nodes}" if nodes else ""
    entry = progress.stage(left[0].name)
    if entry.state in ("failed", "blocked", "cancelled"):
        step = f", at “{entry.step}”" if entry.step else ""
        there = f"in stage {list(stages).index(left[0]) + 1} of {len(stages)}, {left[0].title}{step}{going}"
        return Standing(entry.state, mark(entry.state).word, there, then)
    if saved.state(left[0].name) == "changed":
        there = f"settings of stage {list(stages).index(left[0]) + 1} of {len(stages)}, {left[0].title}"
        return Standing("changed", mark("changed").word, there, then)
    return Standing("todo", "under way", f"{len(stages) - len(left)} of {len(stages)} stages done{going}", then)


def _place(progress: Progress, stages: Sequence[Stage]) -> str:
    """Where the last run was."""
    names = [stage.name for stage in stages]
    work = progress.work
    if work.stage not in names:
        return f"“{work.step}”"
    number = names.index(work.stage)
    return f"stage {number + 1} of {len(names)}, {stages[number].title}, at “{work.step}”"


def last_run(progress: Progress, stages: Sequence[Stage], now: float) -> Iterator[Row]:
    """How the last run ended, and what it was at."""
    work, failure = progress.work, progress.failure
    when = f"{ago(work.at, now)} ({moment(work.at)})"
    if not work.at:
        yield "", "No run has been here yet; only looks."
    elif progress.interrupted:
        yield (
            "",
            _said("cancelled", "interrupted", f"The last run was interrupted {when}, in {_place(progress, stages)}."),
        )
        for target, command in work.doing.items():
            first, *rest = command.splitlines() or [""]
            more = f" … ({len(rest) + 1} lines)" if rest else ""
            yield f"  {target}  ", Content.styled(f"{COMMAND} {first}{more}", MUTED)
        if work.long:
            yield "", "A long command goes on running on its node, and is found again."
    elif failure is not None:
        look = mark(failure.outcome)
        yield "", _said(failure.outcome, look.word, f"The last run ended {when}, in {_place(progress, stages)}.")
        yield "  ", Content.styled(f"{failure.where + ': ' if failure.where else ''}{failure.text}", MUTED)
        if failure.command:
            yield "  ", Content.styled(f"{COMMAND} {failure.command.splitlines()[0]}", MUTED)
        if failure.outcome != "cancelled":  # else it says so itself
            yield from (("  ", Content.styled(text, MUTED)) for text in work.fates())
    else:
        yield "", _said("done", "done", f"The last run came to its end {when}.")
    if progress.note:
        yield "", _said("warning", "warning", progress.note)


def _said(state: str, word: str, text: str) -> Content:
    look = mark(state)
    return Content.assemble((f"{look.glyph} {word}  ", look.style), text)
