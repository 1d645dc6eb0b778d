"""AWS for a run that may be stopped: boto3 waits without looking up, up to two minutes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from threading import Thread
from typing import Any

from iconha_tui.cloud.sentences import iam_action
from iconha_tui.engine.cancel import Cancel, ended
from iconha_tui.engine.ports import Cloud
from iconha_tui.errors import Cancelled


class StoppableCloud:
    """A client whose calls are no longer waited for once `cancel` is set.

    make: brings the client, made when first called, as boto3 takes half a second to import. Each call has a thread of its own,
    which is left behind then; what a call that changes something has come to, the next look at AWS tells.
    """

    def __init__(self, make: Callable[[], Cloud], cancel: Callable[[], Cancel]) -> None:
        self._make = make
        self._cancel = cancel

    def call(self, service: str, operation: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """As `Cloud.call`; raises Cancelled too."""
        cancel = self._cancel()
        answer: Future[dict[str, Any]] = Future()

        def ask() -> None:
            try:
                answer.set_result(self._make().call(service, operation, params))
            except BaseException as error:
                answer.set_exception(error)

        if not cancel.is_set():
            Thread(target=ask, name=f"{service}-{operation}", daemon=True).start()
        if not ended(answer, cancel):
            raise Cancelled("Stopped while AWS was asked.", where=iam_action(service, operation))
        return answer.result()
