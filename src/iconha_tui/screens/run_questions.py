"""Questions of a run's thread: an unknown host key, a disruption, an MFA code. The operator answers one after the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from textual.app import App

from iconha_tui.cloud.sentences import no_code_given
from iconha_tui.screens.base import Dialog
from iconha_tui.screens.dialogs import Ask, HostKey, MfaCode

if TYPE_CHECKING:
    from iconha_tui.engine.actions import Disruptive
    from iconha_tui.engine.cancel import Cancel

LOOK_UP = 0.2
"""Seconds after which a waiting thread looks whether anybody still wants its answer."""


@dataclass(frozen=True)
class Question:
    """A dialog that asks, and the operator's word, once it is there. vital: without one the run stops."""

    dialog: Callable[[], Dialog[Any]]
    vital: bool = False
    answer: Future[Any] = field(default_factory=Future)


class RunQuestions:
    """given_up: whether the run has been stopped, so that no answer is waited for any longer. stop: stops the run going on."""

    def __init__(self, app: App[Any], given_up: Callable[[], bool], stop: Callable[[], None]) -> None:
        self._app = app
        self._given_up = given_up
        self._stop = stop
        self._waiting: deque[Question] = deque()
        self._asking: Dialog[Any] | None = None
        self._closed = False

    def ask(self, node: str, kind: str, fingerprint: str) -> bool:
        """Whether the operator trusts a key. Called from a thread, which waits here."""
        return bool(self._answer(Question(lambda: HostKey(node, kind, fingerprint)), self._given_up))

    def allow(self, due: Sequence[Disruptive]) -> bool:
        """Whether a run may disrupt a pair that serves. Called from a thread, which waits here."""
        text = "\n\n".join(each.line() for each in due)
        question = Question(
            lambda: Ask("The pair serves. May this run disrupt it?", text, yes="go on", no="change nothing")
        )
        return bool(self._answer(question, self._given_up))

    def code(self, device: str, cancel: Cancel) -> str:
        """An `engine.ports.AskCode`."""
        code = self._answer(Question(lambda: MfaCode(device), vital=True), cancel.is_set)
        if not code:
            raise no_code_given()
        return str(code)

    def close(self) -> None:
        """No answer is waited for any more: the cluster is closed. A dialog that asks goes away."""
        self._closed = True
        self._take_away()

    def _answer(self, question: Question, given_up: Callable[[], bool]) -> Any:
        """The operator's word; None where it is no longer waited for."""
        self._app.call_later(self._put, question)
        while True:
            try:
                return question.answer.result(timeout=LOOK_UP)
            except NotYet:
                if (self._closed or given_up()) and question.answer.cancel():
                    self._app.call_later(self._withdraw, question)
                    return None

    def _put(self, question: Question) -> None:
        if self._closed:
            return
        self._waiting.append(question)
        if len(self._waiting) == 1:
            self._show()

    def _withdraw(self, question: Question) -> None:
        if self._waiting and self._waiting[0] is question:
            self._take_away()

    def _take_away(self) -> None:
        if self._waiting and self._asking is not None and self._asking.is_current:
            self._asking.dismiss(None)

    def _show(self) -> None:
        question = self._waiting[0]

        def answered(word: Any) -> None:
            self._waiting.popleft()
            if question.answer.set_running_or_notify_cancel():
                if question.vital and not word:
                    self._stop()
                question.answer.set_result(word)
            while self._waiting and self._waiting[0].answer.cancelled():
                self._waiting.popleft()
            if self._waiting and not self._closed:
                self._show()

        self._asking = question.dialog()
        self._app.push_screen(self._asking, answered)
