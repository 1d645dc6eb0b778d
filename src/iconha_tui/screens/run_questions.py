"""Questions of a run's thread, a host key that is not known or a disruption: the operator answers one after the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from textual.app import App

from iconha_tui.screens.dialogs import Ask, HostKey

if TYPE_CHECKING:
    from iconha_tui.engine.actions import Disruptive

LOOK_UP = 0.2
"""Seconds after which a waiting thread looks whether anybody still wants its connection."""


@dataclass(frozen=True)
class Question:
    """A dialog that asks, and the operator's word, once it is there."""

    dialog: Callable[[], Ask]
    answer: Future[bool] = field(default_factory=Future)


class RunQuestions:
    """given_up: whether the run has been stopped, so that no answer is waited for any longer."""

    def __init__(self, app: App[Any], given_up: Callable[[], bool]) -> None:
        self._app = app
        self._given_up = given_up
        self._waiting: deque[Question] = deque()
        self._asking: Ask | None = None
        self._closed = False

    def ask(self, node: str, kind: str, fingerprint: str) -> bool:
        """Whether the operator trusts a key. Called from a thread, which waits here."""
        return self._answer(lambda: HostKey(node, kind, fingerprint))

    def allow(self, due: Sequence[Disruptive]) -> bool:
        """Whether a run may disrupt a pair that serves. Called from a thread, which waits here."""
        text = "\n\n".join(each.line() for each in due)
        return self._answer(
            lambda: Ask("The pair serves. May this run disrupt it?", text, yes="go on", no="change nothing")
        )

    def close(self) -> None:
        """No answer is waited for any more: the cluster is closed. A dialog that asks goes away."""
        self._closed = True
        if self._waiting and self._asking is not None and self._asking.is_current:
            self._asking.dismiss(False)

    def _answer(self, dialog: Callable[[], Ask]) -> bool:
        question = Question(dialog)
        self._app.call_later(self._put, question)
        while True:
            try:
                return question.answer.result(timeout=LOOK_UP)
            except NotYet:
                if self._closed or self._given_up():
                    question.answer.cancel()
                    return False

    def _put(self, question: Question) -> None:
        if self._closed:
            return
        self._waiting.append(question)
        if len(self._waiting) == 1:
            self._show()

    def _show(self) -> None:
        question = self._waiting[0]

        def answered(accepted: bool | None) -> None:
            self._waiting.popleft()
            if question.answer.set_running_or_notify_cancel():
                question.answer.set_result(bool(accepted))
            if self._waiting and not self._closed:
                self._show()

        self._asking = question.dialog()
        self._app.push_screen(self._asking, answered)
