"""The live output of the targets: the nodes side by side with AWS above where there is room, else one at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.events import DescendantFocus
from textual.widgets import Tab, Tabs

from iconha_tui.engine.step import AWS
from iconha_tui.widgets.find_line import FindLine
from iconha_tui.widgets.line_view import LineView

KEPT = 10_000
"""Lines that a pane keeps; the transcript keeps all."""


class TargetLog(LineView):
    """What one target says."""

    def __init__(self, target: str) -> None:
        super().__init__(target, most=KEPT, classes="target-log")
        self.target = target
        self._used = False

    def add(self, lines: Iterable[str]) -> None:
        if not self._used:
            self._used = True
            self.add_class("-used")
        super().add(lines)

    def begin(self, *, used: bool) -> None:
        """Takes its place on the screen before anything is said, where it is used; what was said already stays."""
        self._used = self._used or used
        self.set_class(self._used, "-used")
        self.draw()

    def empty(self, *, used: bool) -> None:
        """Forgets what was said before. used: it takes its place on the screen before anything is said."""
        self._used = used
        self.set_class(used, "-used")
        self.clear()


class OutputPanes(Vertical):
    """A pane for each target. One of them is raised: in front where they are tabs, alone where the panes are maximised, and
    meant by the keys of the screen."""

    ALLOW_MAXIMIZE = True

    def __init__(self, targets: Sequence[str]) -> None:
        super().__init__()
        self.targets = list(targets)
        self._logs = {target: TargetLog(target) for target in targets}
        self.raised = self._logs[self.targets[0]]

    def compose(self) -> ComposeResult:
        yield Tabs(*(Tab(target, id=f"tab-{index}") for index, target in enumerate(self.targets)), id="output-tabs")
        if AWS in self.targets:
            yield self._logs[AWS]
        with Horizontal(id="output-nodes"):
            for target in self.targets:
                if target != AWS:
                    yield self._logs[target]
        yield FindLine()

    def on_mount(self) -> None:
        for log in self._logs.values():
            log.begin(used=self._is_always_there(log))
        self._raise(self.raised)

    def write(self, target: str, lines: Sequence[str]) -> None:
        if log := self._logs.get(target):
            log.add(lines)

    def draw(self) -> None:
        """Shows what was written since."""
        for log in self._logs.values():
            log.draw()

    def clear(self) -> None:
        for log in self._logs.values():
            log.empty(used=self._is_always_there(log))

    def _is_always_there(self, log: TargetLog) -> bool:
        return log.target != AWS or len(self.targets) == 1

    @on(Tabs.TabActivated)
    def _tab(self, event: Tabs.TabActivated) -> None:
        event.stop()
        if event.tab.id:
            self._raise(self._logs[self.targets[int(event.tab.id.removeprefix("tab-"))]])

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        if isinstance(event.widget, TargetLog):
            self.query_one(Tabs).active = f"tab-{self.targets.index(event.widget.target)}"
            self._raise(event.widget)

    def _raise(self, raised: TargetLog) -> None:
        self.raised = raised
        for log in self._logs.values():
            log.set_class(log is raised, "-raised")
        self.set_class(raised.target == AWS, "-aws")
        self.query_one("#output-nodes").set_class(self.targets == [AWS], "-none")

    def turn(self) -> None:
        """Raises the next target's pane, and moves the focus there."""
        place = self.targets.index(self.raised.target) + 1
        self._raise(self._logs[self.targets[place % len(self.targets)]])
        self.raised.focus()
