"""The very command that a form's values lead to, changing as one types, with the guide's own where it differs."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from textual.app import ComposeResult
from textual.content import Content

from iconha_tui.engine.actions import OWN, Action, Run, Upload, masked, unknown_facts
from iconha_tui.engine.plan import LookedAt, Planned, plan_of
from iconha_tui.engine.step import Stage, View
from iconha_tui.errors import Trouble
from iconha_tui.when import ago
from iconha_tui.widgets.form import Part
from iconha_tui.widgets.glyphs import COMMAND
from iconha_tui.widgets.hanging import MUTED, Hanging, Row
from iconha_tui.widgets.outlook import Outlook
from iconha_tui.widgets.preview import disruption_row

DIFFERS = "≠"
CODE = "$text-accent"
GROUPS = frozenset({"params", "op", "meta"})
"""The words of the cluster shells that begin a part of a primitive."""
PLAIN = 4
"""Words of a command that stay together, though they may set something."""
MORE = " \\"
"""Ends a line that goes on in the next."""
UNREAD = "What stands in ⟪ ⟫ is not known yet."
INDENT, MIN = 4, 40
"""Cells before a command; the fewest that it is laid out for."""

Commands = Callable[[View], Sequence[Sequence[str]]]
Why = Callable[[View], Iterable[str]]


class CommandNote(Part):
    """Shows the commands of one step of a stage's plan, but for this program's own notes.

    guide: the guide's own; why: what makes the difference; same: what to say where there is none.
    """

    def __init__(
        self, stage: Stage, step: str, guide: Commands, why: Why, same: str = "It is the guide's own."
    ) -> None:
        super().__init__()
        self._same = same
        self._stage, self._step, self._guide, self._why = stage, step, guide, why
        self._view: View | None = None
        self._looks: LookedAt = {}

    def compose(self) -> ComposeResult:
        yield Hanging()

    def follow(self, outlook: Outlook) -> None:
        self._view, self._looks = View(outlook.spec, outlook.facts), outlook.looks
        self._draw()

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        if self._view is not None:
            self.query_one(Hanging).show(
                self._rows(self._view, max(self.scrollable_content_region.width, MIN) - INDENT)
            )

    def _rows(self, view: View, width: int) -> Iterator[Row]:
        try:
            planned = [plan for plan in plan_of([self._stage], view, self._looks) if plan.step.id == self._step]
            guide = [laid_out(argv, width) for argv in self._guide(view)]
        except (Trouble, ValueError) as error:
            yield "", Content.styled("What these settings lead to", "bold")
            yield "", f"It cannot be planned yet. {error}"
            return
        ours = [told for plan in planned for action in plan.actions if (told := _told(action, width))]
        target = next((plan.target for plan in planned if plan.actions), "") if ours else ""
        yield "", Content.styled(f"What F5 runs on {target}, as root" if target else _unchanged(planned), "bold")
        yield from _commands(ours, guide)
        disruptions = (action.disruption for plan in planned for action in plan.actions if isinstance(action, Run))
        for disruption in dict.fromkeys(each for each in disruptions if each):
            yield disruption_row(disruption, "")
        if ours == guide:
            waits = any(unknown_facts(word) for argv in self._guide(view) for word in argv)
            yield "", Content.styled(f"{self._same} {UNREAD}" if waits else self._same, MUTED)
            return
        yield "", ""
        # Where nothing is run there is nothing that the guide's could differ from.
        yield "", Content.styled(f"The guide's own{f'; {DIFFERS} marks what differs' if ours else ''}", "bold")
        yield from _commands(guide, ours or guide)
        for reason in self._why(view):
            yield Content.styled("why ", MUTED), reason


def _unchanged(planned: Sequence[Planned]) -> str:
    """That there is nothing to do, with what it rests on."""
    seen = [plan.look.at for plan in planned if plan.look is not None]
    return f"Nothing has to be changed, by what was seen {ago(min(seen), time.time())}" if seen else "Not looked at yet"


def _told(action: Action, width: int) -> list[str]:
    match action:
        case Run():
            return laid_out(action.argv, width)
        case Upload() if not action.path.startswith(f"{OWN}/"):
            return [action.shown(), *masked(action.content).splitlines()]
        case _:
            return []


def laid_out(argv: Sequence[str], width: int) -> list[str]:
    """A command in lines, as a shell takes them: what belongs together on a line, as far as the width allows."""
    lines = [""]
    for number, word in enumerate(map(shlex.quote, argv)):
        begins = word in GROUPS or ("=" in word and len(lines) == 1 and number > PLAIN)
        if lines[-1] and (begins or len(lines[-1]) + 1 + len(word) > width - len(MORE)):
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
    return [*(line + MORE for line in lines[:-1]), lines[-1]]


def _commands(commands: Sequence[Sequence[str]], others: Sequence[Sequence[str]]) -> Iterator[Row]:
    """Commands; lines that the others do not have are marked."""
    known = {line for lines in others for line in lines}
    for lines in commands:
        for number, line in enumerate(lines):
            new = line not in known
            lead = f"{DIFFERS if new else ' '} {COMMAND if number == 0 else ' '} "
            yield Content.styled(lead, "bold $text-secondary" if new else CODE), Content.styled(line, CODE)
