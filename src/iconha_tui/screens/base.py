"""What all screens of the program share: help, and following the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual.binding import Binding, BindingType
from textual.screen import Screen

if TYPE_CHECKING:
    from iconha_tui.app import IconhaApp


class WizardScreen(Screen[None]):
    """A whole screen. topic: its page in assets/help."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("f1,question_mark", "help", "Help", key_display="F1")]
    topic: ClassVar[str] = "welcome"

    @property
    def wizard(self) -> IconhaApp:
        """The app, by its own type: no other shows these screens."""
        return cast("IconhaApp", self.app)

    def follow(self) -> None:
        """The run has gone on; called at most every 50 ms."""

    def help_topic(self) -> str:
        return self.topic

    def action_help(self) -> None:
        from iconha_tui.screens.help import Help

        self.app.push_screen(Help(self.help_topic()))
