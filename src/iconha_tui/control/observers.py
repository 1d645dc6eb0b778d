"""Who wants to hear of something: what happens is told to all of them, and nobody is known by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, ParamSpec

P = ParamSpec("P")


class Observers(Generic[P]):
    """Told of one kind of thing, in the thread that tells. One that is added meanwhile hears from the next on."""

    def __init__(self) -> None:
        self._heard: list[Callable[P, object]] = []

    def subscribe(self, hear: Callable[P, object]) -> Callable[[], None]:
        """Has `hear` called each time. Returns what ends that."""
        self._heard.append(hear)

        def end() -> None:
            if hear in self._heard:
                self._heard.remove(hear)

        return end

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> None:
        for hear in tuple(self._heard):
            hear(*args, **kwargs)
