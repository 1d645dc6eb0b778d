"""The live output of the targets: side by side where there is room, else one at a time under tabs."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.widgets import Log, Tab, Tabs

KEPT = 10_000
"""Lines that a pane keeps; the transcript keeps all."""
PER_DRAW = 2_000
"""Lines that a pane takes at one draw, so that a flood never holds up the screen."""


class TargetLog(Log):
    """What one target says. It follows the end until the operator scrolls up; End takes it back there."""

    BINDINGS = [Binding("g", "scroll_home", show=False), Binding("G", "scroll_end", show=False)]

    def __init__(self, target: str) -> None:
        super().__init__(max_lines=KEPT, classes="target-log")
        self.target = target
        self.border_title = target
        self._backlog: deque[str] = deque(maxlen=KEPT)

    def add(self, lines: Sequence[str]) -> None:
        """Queues lines; `draw` shows them."""
        self._backlog.extend(lines)

    def draw(self) -> None:
        """Shows a portion of what is queued."""
        if self._backlog:
            portion = [self._backlog.popleft() or " " for _ in range(min(PER_DRAW, len(self._backlog)))]
            self.write_lines(portion)
        following = self.is_vertical_scroll_end
        self.border_subtitle = "" if following else "scrolled up: End follows again"

    @property
    def behind(self) -> bool:
        return bool(self._backlog)


class OutputPanes(Vertical):
    """A pane for each target."""

    def __init__(self, targets: Sequence[str]) -> None:
        super().__init__()
        self._targets = list(targets)

    def compose(self) -> ComposeResult:
        yield Tabs(*(Tab(target, id=f"tab-{index}") for index, target in enumerate(self._targets)), id="output-tabs")
        with Horizontal(id="output-logs"):
            for target in self._targets:
                yield TargetLog(target)

    def on_mount(self) -> None:
        self._raise(self._targets[0])

    def write(self, target: str, lines: Sequence[str]) -> None:
        for log in self.query(TargetLog):
            if log.target == target:
                log.add(lines)

    def draw(self) -> bool:
        """Shows queued lines; whether some are left."""
        logs = list(self.query(TargetLog))
        for log in logs:
            log.draw()
        return any(log.behind for log in logs)

    def clear(self) -> None:
        for log in self.query(TargetLog):
            log.clear()

    @on(Tabs.TabActivated)
    def _tab(self, event: Tabs.TabActivated) -> None:
        event.stop()
        if event.tab.id:
            self._raise(self._targets[int(event.tab.id.removeprefix("tab-"))])

    def _raise(self, target: str) -> None:
        for log in self.query(TargetLog):
            log.set_class(log.target == target, "-raised")

    def turn(self) -> None:
        """Raises the next target's pane."""
        self.query_one(Tabs).action_next_tab()
