"""AWS for a run that may be stopped: boto3 waits without looking up, up to two minutes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextvars import ContextVar
from threading import Thread
from typing import Any, TypeVar

from iconha_tui.cloud.sentences import iam_action
from iconha_tui.engine.cancel import Cancel, ended
from iconha_tui.engine.ports import Cloud
from iconha_tui.errors import Cancelled

T = TypeVar("T")

_cancel: ContextVar[Cancel] = ContextVar("cancel")


def cancel_of_this_call() -> Cancel:
    """What stops the call that the calling thread makes, for what botocore does in the middle of it and is told nothing."""
    return _cancel.get(Cancel())


def stoppable(work: Callable[[], T], cancel: Cancel, *, name: str, where: str) -> T:
    """What `work` brings. It has a thread of its own, called `name`, which is left behind once `cancel` is set: Cancelled."""
    answer: Future[T] = Future()

    def carry() -> None:
        _cancel.set(cancel)
        try:
            answer.set_result(work())
        except BaseException as error:
            answer.set_exception(error)

    if not cancel.is_set():
        Thread(target=carry, name=name, daemon=True).start()
    if not ended(answer, cancel):
        raise Cancelled("Stopped while AWS was asked.", where=where)
    return answer.result()


class StoppableCloud:
    """A client whose calls are no longer waited for once `cancel` is set.

    make: brings the client, made when first called, as boto3 takes half a second to import. What a call that was left behind
    and changes something has come to, the next look at AWS tells.
    """

    def __init__(self, make: Callable[[], Cloud], cancel: Callable[[], Cancel]) -> None:
        self._make = make
        self._cancel = cancel

    def call(self, service: str, operation: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """As `Cloud.call`; raises Cancelled too."""
        return stoppable(
            lambda: self._make().call(service, operation, params),
            self._cancel(),
            name=f"{service}-{operation}",
            where=iam_action(service, operation),
        )
