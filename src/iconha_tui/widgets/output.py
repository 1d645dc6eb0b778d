"""The live output of the targets: the nodes side by side with AWS above where there is room, else one at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Log, Tab, Tabs

from iconha_tui.engine.step import AWS

KEPT = 10_000
"""Lines that a pane keeps; the transcript keeps all."""
PER_DRAW = 1_000
"""Lines that a pane takes at one draw, so that a flood never holds up the screen."""


class TargetLog(Log):
    """What one target says. It follows the end until the operator scrolls up; End takes it back there."""

    def __init__(self, target: str) -> None:
        super().__init__(max_lines=KEPT, classes="target-log")
        self.target = target
        self.border_title = target
        self.following = True
        self._used = False
        self._backlog: deque[str] = deque(maxlen=KEPT)

    def add(self, lines: Sequence[str]) -> None:
        """Queues lines; `draw` shows them. Of a flood, only as many are queued as are kept."""
        if not self._used:
            self._used = True
            self.add_class("-used")
        self._backlog.extend(lines)

    def draw(self) -> None:
        """Shows a portion of what is queued."""
        if self._backlog:
            self.write_lines([self._backlog.popleft() or " " for _ in range(min(PER_DRAW, len(self._backlog)))])
            self._stay()

    def empty(self, *, used: bool) -> None:
        """Forgets what was said before. used: it takes its place on the screen before anything is said."""
        self._used = used
        self.set_class(used, "-used")
        self._backlog.clear()
        self.clear()
        self.following = True

    @property
    def behind(self) -> bool:
        return bool(self._backlog)

    def _stay(self) -> None:
        if self.following:
            self.scroll_end(animate=False, immediate=True, x_axis=False)

    def _update_size(self, updates: int, lines: list[str]) -> None:  # type: ignore[override]
        """Textual measures in a thread for each write; a flood of threads is what makes the screen stutter."""
        width = max((len(line) if line.isascii() else cell_len(line) for line in lines), default=0)
        self._update_maximum_width(updates, width)

    def on_resize(self) -> None:
        self._stay()

    def watch_scroll_target_y(self, target: float) -> None:
        """Scrolled, by whatever key, wheel or bar: it follows where that is the end."""
        self.following = target >= self.max_scroll_y
        self.border_subtitle = "" if self.following else "scrolled up: End follows again"


class OutputPanes(Vertical):
    """A pane for each target."""

    def __init__(self, targets: Sequence[str]) -> None:
        super().__init__()
        self.targets = list(targets)
        self._logs = {target: TargetLog(target) for target in targets}

    def compose(self) -> ComposeResult:
        yield Tabs(*(Tab(target, id=f"tab-{index}") for index, target in enumerate(self.targets)), id="output-tabs")
        if AWS in self.targets:
            yield self._logs[AWS]
        with Horizontal(id="output-nodes"):
            for target in self.targets:
                if target != AWS:
                    yield self._logs[target]

    def on_mount(self) -> None:
        self.clear()
        self._raise(self.targets[0])

    def write(self, target: str, lines: Sequence[str]) -> None:
        if log := self._logs.get(target):
            log.add(lines)

    def draw(self) -> bool:
        """Shows queued lines; whether some are left."""
        for log in self._logs.values():
            log.draw()
        return any(log.behind for log in self._logs.values())

    def clear(self) -> None:
        for log in self._logs.values():
            log.empty(used=log.target != AWS or len(self.targets) == 1)

    @on(Tabs.TabActivated)
    def _tab(self, event: Tabs.TabActivated) -> None:
        event.stop()
        if event.tab.id:
            self._raise(self.targets[int(event.tab.id.removeprefix("tab-"))])

    def _raise(self, target: str) -> None:
        for log in self._logs.values():
            log.set_class(log.target == target, "-raised")
        self.set_class(target == AWS, "-aws")
        self.query_one("#output-nodes").set_class(self.targets == [AWS], "-none")

    def turn(self) -> None:
        """Raises the next target's pane."""
        self.query_one(Tabs).action_next_tab()
