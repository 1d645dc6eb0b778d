"""What went wrong: where, why, what to do, the command and its last lines; and the keys for it, always in sight."""

from __future__ import annotations

from collections.abc import Iterator

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content

from iconha_tui.causes import Cause, cause_of
from iconha_tui.engine.events import StepFinished
from iconha_tui.engine.step import Step
from iconha_tui.errors import Trouble
from iconha_tui.widgets.glyphs import COMMAND, mark
from iconha_tui.widgets.hanging import MUTED, Hanging, Row
from iconha_tui.widgets.keys import key_words
from iconha_tui.widgets.words import Words

Failure = StepFinished | Trouble


class FailureBox(VerticalScroll):
    """The failure of a stage's run; hidden when there is none."""

    shown: Failure | None = None

    def compose(self) -> ComposeResult:
        yield Hanging(id="failure")

    def show(self, failure: Failure | None, step: Step | None) -> bool:
        """Shows a failure, with the step where it is one of a step; None: hides. Whether it is another one than before."""
        if failure is self.shown:
            return False
        self.shown = failure
        self.display = failure is not None
        if failure is not None:
            self.query_one(Hanging).show(describe(failure, step))
            self.scroll_home(animate=False)
        return True


class FailureKeys(Words):
    """What can be done about a failure: each a key, and a word to click."""

    _keys: tuple[Content, ...] = ()

    def show(self, failure: Failure | None, step: Step | None, edit: str) -> None:
        """edit: what F2 leads to."""
        self.display = failure is not None
        if failure is not None:
            keys = [("f5", "F5", "retry"), ("f12", "F12", "retry and go on"), ("f2", "F2", f"edit {edit}")]
            if step is not None and step.skip:
                keys.append(("k", "k", "skip"))
            if isinstance(failure, StepFinished) and failure.command:
                keys.append(("c", "c", "copy command"))
            self._keys = tuple(key_words(*key) for key in (*keys, ("ctrl+q", "^q", "quit")))
            self._lay_out()

    def on_resize(self) -> None:
        self._lay_out()

    def _lay_out(self) -> None:
        """As many to a line as there is room for: a key and its words stay together."""
        lines = [Content()]
        for key in self._keys:
            longer = Content.assemble(lines[-1], "   ", key) if lines[-1] else key
            if longer.cell_length > self.content_size.width and lines[-1]:
                lines.append(key)
            else:
                lines[-1] = longer
        self.say(Content("\n").join(lines), layout=True)


def known_cause(failure: Failure) -> Cause | None:
    """What stands behind a failure, where that is known."""
    if isinstance(failure, Trouble):
        return cause_of(failure.code, failure.what, failure.detail)
    return cause_of(failure.code, failure.text, failure.tail)


def describe(failure: Failure, step: Step | None) -> Iterator[Row]:
    """A failure as an operator reads it."""
    if isinstance(failure, Trouble):
        state, what, command, tail = "failed", failure.what, "", failure.detail
    else:
        state, what, command, tail = failure.outcome, failure.text, failure.command, failure.tail
    look = mark(state)
    place = f"{failure.where}: " if failure.where else ""
    yield (
        Content.styled(f"{look.glyph} {look.word:<11}", look.style),
        Content.styled(step.title if step else f"{place}{what}", "bold"),
    )
    if step:
        yield _lead("what"), f"{place}{what}"
    cause = known_cause(failure)
    if cause:
        yield _lead("why"), cause.why
    if remedy := (cause and cause.remedy) or failure.remedy:
        yield _lead("what to do"), remedy
    if command:
        yield _lead("command"), Content.styled(f"{COMMAND} {command}", "$text-accent")
    for number, line in enumerate(tail.splitlines()):
        yield _lead("last lines" if number == 0 else ""), line
    if step:
        yield _lead("skip"), Content.styled(skipping(step), MUTED)


def skipping(step: Step) -> str:
    """What becomes of a run that goes on without this step, or why it cannot."""
    return f"It can be left out. {step.skip}" if step.skip else f"It cannot be left out. {step.vital}"


def _lead(word: str) -> Content:
    return Content.styled(f"{word:<13}", MUTED)
