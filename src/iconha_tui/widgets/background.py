"""Work that a screen has done in a thread: however it ends, the screen hears of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from textual.dom import DOMNode
from textual.worker import get_current_worker

from iconha_tui.errors import Trouble, unforeseen

T = TypeVar("T")


def in_background(
    owner: DOMNode,
    work: Callable[[], T],
    done: Callable[[T], object],
    failed: Callable[[Trouble], None],
    *,
    group: str = "default",
) -> None:
    """Has `work` done in a thread, then one of `done` and `failed` called on the screen's own, unless `owner` is gone by then.

    What nobody foresaw goes to the log file, and comes as Trouble as well. group: of one owner's works of a group only the
    newest is heard.
    """

    def carry() -> None:
        then: Callable[[], object]
        try:
            then = partial(done, work())
        except Trouble as trouble:
            then = partial(failed, trouble)
        except Exception as error:
            then = partial(failed, unforeseen(error))
        if not get_current_worker().is_cancelled:
            owner.call_later(then)

    owner.run_worker(carry, thread=True, exit_on_error=False, exclusive=True, group=group)
