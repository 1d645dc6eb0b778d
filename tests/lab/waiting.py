"""The one way in which the tests wait: for what is to come true, as long as a busy machine may take for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

BOUND = 600.0
"""Seconds that anything on a node or a screen may take, however busy the machine is. What has not come by then does not come."""


def wait_until(
    condition: Callable[[], T], bound: float = BOUND, what: str | Callable[[], str] = "", *, every: float = 0.2
) -> T:
    """Asks again and again until the answer is true, and returns it.

    bound, every: in seconds. what: what is waited for, for the test's failure; a function where it tells how things stand then.
    """
    deadline = time.monotonic() + bound
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {bound:.0f} s: {what() if callable(what) else what or condition}")
        time.sleep(every)
    return answer
