"""The end: what was built, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Markdown

from iconha_tui.screens.base import WizardScreen
from iconha_tui.widgets.glyphs import duration, mark
from iconha_tui.widgets.keys import KeyLine
from iconha_tui.widgets.title import TitleBar

if TYPE_CHECKING:
    from iconha_tui.engine.journal import Progress
    from iconha_tui.engine.step import Stage


class Summary(WizardScreen):
    """Reads out the result."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s,f4", "status", "Status", key_display="s"),
        Binding("f7", "back", "Back", key_display="F7"),
        Binding("escape", "leave", "Welcome", key_display="Esc"),
        Binding("q", "app.quit", "Quit", show=False),
    ]
    topic = "summary"

    def compose(self) -> ComposeResult:
        yield TitleBar()
        with VerticalScroll(id="summary-page"):
            yield Markdown()
        yield KeyLine()

    async def on_mount(self) -> None:
        self.query_one(TitleBar).show(f"cluster {self.wizard.spec.name}", "summary")
        await self.query_one(Markdown).update(self._text())
        self.query_one("#summary-page").focus()

    def _text(self) -> str:
        app = self.wizard
        unfinished = [stage for stage in app.stages if app.live.progress.stage(stage.name).state != "done"]
        if unfinished or app.session is None:
            return _so_far(app.stages, app.live.progress, app.store.folder(app.spec.name))
        from iconha_tui.summary import summary_markdown

        return summary_markdown(app.session.ctx, app.store)

    def action_status(self) -> None:
        self.wizard.show_status(self.wizard.spec.name)

    def action_back(self) -> None:
        self.wizard.show_stage(self.wizard.stages[-1].name)

    def action_leave(self) -> None:
        self.wizard.leave_cluster()


def _so_far(stages: Sequence[Stage], progress: Progress, folder: Path) -> str:
    """What is done and what is not, while something is not."""
    rows = []
    for number, stage in enumerate(stages, start=1):
        entry = progress.stage(stage.name)
        look = mark(entry.state)
        rows.append(
            f"| {number} | {stage.title} | {look.glyph} {look.word} | {duration(entry.seconds) if entry.seconds else ''} |"
        )
    return "\n".join(
        [
            "# Not finished yet",
            "",
            "| | Stage | State | Time |",
            "|---|---|---|---|",
            *rows,
            "",
            "F7 goes back to the stages. What has been done stays, and is found again.",
            "",
            f"The files are in `{folder}`.",
        ]
    )
