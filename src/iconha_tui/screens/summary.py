"""The end: what was built, and what to do next."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.widgets import Footer, Markdown

from iconha_tui.screens.base import WizardScreen
from iconha_tui.widgets.glyphs import duration, mark
from iconha_tui.widgets.title import TitleBar


class Summary(WizardScreen):
    """Reads out the result."""

    BINDINGS = [
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
        yield Footer()

    async def on_mount(self) -> None:
        self.query_one(TitleBar).show(f"cluster {self.wizard.spec.name}", "summary")
        await self.query_one(Markdown).update(self._text())
        self.query_one("#summary-page").focus()

    def _text(self) -> str:
        app = self.wizard
        try:
            from iconha_tui.summary import summary_markdown  # type: ignore[import-not-found,unused-ignore]
        except ModuleNotFoundError:
            return self._plain()
        return str(summary_markdown(app.session, app.progress))

    def _plain(self) -> str:
        """The stages and files, until there is more to tell."""
        app = self.wizard
        rows = []
        for stage in app.stages:
            entry = app.progress.stage(stage.name)
            look = mark(entry.state)
            rows.append(f"| {stage.title} | {look.glyph} {look.word} | {duration(entry.seconds)} |")
        facts = [f"- {name}: `{app.facts[name]}`" for name in sorted(app.facts)]
        return "\n".join(
            [
                f"# {app.spec.name}",
                "",
                "| Stage | State | Time |",
                "|---|---|---|",
                *rows,
                "",
                "## What is known",
                *(facts or ["- nothing yet"]),
                "",
                "## Files",
                f"- `{app.store.folder(app.spec.name)}`",
                "",
                f"`iconha-tui status {app.spec.name}` shows how the cluster is.",
            ]
        )

    def action_status(self) -> None:
        self.wizard.show_status(self.wizard.spec.name)

    def action_back(self) -> None:
        self.wizard.show_stage(self.wizard.stages[-1].name)

    def action_leave(self) -> None:
        self.wizard.leave_cluster()
