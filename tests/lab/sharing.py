"""What the tests of one group share: made when one of them first asks for it, and gone once the group is through.

It is not kept to the end of the session: the daemons of a pair that lives take CPU time, and its nodes memory.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager, ExitStack
from typing import Any


class Shared:
    def __init__(self) -> None:
        self._made: dict[Hashable, Any] = {}
        self._ends = ExitStack()

    def get(self, what: Hashable, make: Callable[[], AbstractContextManager[Any]]) -> Any:
        """What was made under this name, or is made now."""
        if what not in self._made:
            self._made[what] = self._ends.enter_context(make())
        return self._made[what]

    def end(self) -> None:
        """Takes all of it down, the last made first."""
        self._made.clear()
        self._ends.pop_all().close()
