"""The wizard driven by its keys, for the pictures and the tests: keys are pressed, and what they do is waited for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from textual.events import Key, Paste
from textual.keys import _character_to_key, key_to_character
from textual.pilot import Pilot
from waiting import BOUND

Pressed = Pilot[None]

ROUNDS = 10_000
"""Frames after which a screen that does not come to rest is a fault."""


async def until(pilot: Pressed, true: Callable[[], Any]) -> None:
    """Waits for something to come true, while the screen goes on."""
    deadline = time.monotonic() + BOUND
    await rest(pilot)
    while not true():
        if time.monotonic() > deadline:
            raise AssertionError(f"not true; on the screen:\n{text(pilot.app)}")
        await asyncio.sleep(0.02)
        await rest(pilot)


async def rest(pilot: Pressed) -> None:
    """Lets the screen come to rest: the page is there, and all that is left waits for time, for a thread, or for the terminal.

    Textual's pilot waits until the process takes no CPU time, and so believes one that gets none on a busy machine.
    """
    loop: Any = asyncio.get_running_loop()
    deadline = time.monotonic() + BOUND
    for _ in range(ROUNDS):
        while loop._ready:
            await asyncio.sleep(0)
        await pilot.app.animator.wait_until_complete()
        # A page that opens may wait for a thread, which reads Markdown for it.
        while pilot.app._batch_count and not pilot.app._exit:
            if time.monotonic() > deadline:
                raise AssertionError("the page does not open")
            await asyncio.sleep(0.002)
        pilot.app.screen._on_timer_update()  # what waits for the next frame
        # Keys that were pressed may wait for a page that a thread brings.
        while getattr(pilot.app, "holds_keys", False) and not pilot.app._exit:
            if time.monotonic() > deadline:
                raise AssertionError("the keys are not let go")
            await asyncio.sleep(0.002)
        if not loop._ready:
            return
    raise AssertionError("the screen does not come to rest")


async def press(pilot: Pressed, *keys: str) -> None:
    """Presses keys, and lets the screen come to rest after each."""
    for key in keys:
        await hurry(pilot, key)


async def hurry(pilot: Pressed, *keys: str) -> None:
    """Presses keys faster than the screen follows: each is there before the one before it has had its effect."""
    driver: Any = pilot.app._driver
    for key in keys:
        name = _character_to_key(key) if len(key) == 1 else key
        event = Key(name, key if len(key) == 1 else key_to_character(key))
        event.set_sender(pilot.app)
        driver.send_message(event)
    await rest(pilot)


async def paste(pilot: Pressed, words: str) -> None:
    """What the terminal sends where the operator pastes: long texts come in at once."""
    pilot.app.post_message(Paste(words))
    await rest(pilot)


def text(app: Any) -> str:
    """What is on the screen, as text."""
    lines = app.screen._compositor.render_strips(app.size)
    return "\n".join("".join(segment.text for segment in strip).replace("\u00a0", " ").rstrip() for strip in lines)
