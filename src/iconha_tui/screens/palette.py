"""The palette: what the screen can do now, the stages to go to, then Textual's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from textual.app import SystemCommand
from textual.screen import Screen

from iconha_tui.widgets.keys import key_name, ours

if TYPE_CHECKING:
    from iconha_tui.host import Host
    from iconha_tui.widgets.looks import Looks

TEXTUALS = ("Theme", "Screenshot")
"""The commands of every Textual program that are offered here too."""


def commands(app: Looks, host: Host, screen: Screen[Any], known: Iterable[SystemCommand]) -> Iterator[SystemCommand]:
    """What the palette offers on a screen. known: the commands of every Textual program."""
    told: set[str] = set()
    for active in screen.active_bindings.values():
        binding = active.binding
        if active.enabled and binding.description and ours(active) and binding.action not in told:
            told.add(binding.action)
            action = partial(app.run_action, binding.action, active.node)
            yield SystemCommand(binding.description, f"Key {key_name(binding.key)}", action)
    if host.work.is_open and len(app.screen_stack) > 1 and not screen.is_modal:
        for stage in host.stages:
            go = partial(host.pages.show_stage, stage.name)
            yield SystemCommand(f"Go to {stage.title}", stage.summary, go)
    yield SystemCommand(
        f"Turn motion {'off' if app.motion else 'on'}",
        "Spinners, scrolling, the cursor",
        partial(app.run_action, "motion"),
    )
    yield from (command for command in known if command.title in TEXTUALS)
