"""The notice that covers a screen while the window is too small for it."""

from __future__ import annotations

from textual.content import Content
from textual.widget import Widget

WIDTH, HEIGHT = 60, 20
"""What the screens need. The app's breakpoints name what is below: -slim, -flat."""


class TooSmall(Widget):
    """Says which size is needed and which there is. The style sheet shows it; everything below it stays as it is."""

    def render(self) -> Content:
        width, height = self.app.size
        return Content.assemble(
            ("The window is too small\n", "bold"),
            f"It has {width} x {height}, {WIDTH} x {HEIGHT} are needed.\n",
            ("What is running goes on. Enlarge the window to see it; Ctrl+Q quits.", "$foreground-muted"),
        )
