"""Host keys that are not known yet: threads of a run ask, the operator answers one question after the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass, field
from typing import Any

from textual.app import App

from iconha_tui.screens.dialogs import HostKey

LOOK_UP = 0.2
"""Seconds after which a waiting thread looks whether anybody still wants its connection."""


@dataclass(frozen=True)
class Question:
    """A key that a node shows, and the operator's word on it, once it is there."""

    node: str
    kind: str
    fingerprint: str
    answer: Future[bool] = field(default_factory=Future)


class HostKeyQuestions:
    """given_up: whether the run has been stopped, so that no answer is waited for any longer."""

    def __init__(self, app: App[Any], given_up: Callable[[], bool]) -> None:
        self._app = app
        self._given_up = given_up
        self._waiting: deque[Question] = deque()

    def ask(self, node: str, kind: str, fingerprint: str) -> bool:
        """Whether the operator trusts a key. Called from a thread, which waits here."""
        question = Question(node, kind, fingerprint)
        self._app.call_later(self._put, question)
        while True:
            try:
                return question.answer.result(timeout=LOOK_UP)
            except NotYet:
                if self._given_up():
                    question.answer.cancel()
                    return False

    def _put(self, question: Question) -> None:
        self._waiting.append(question)
        if len(self._waiting) == 1:
            self._show()

    def _show(self) -> None:
        question = self._waiting[0]

        def answered(accepted: bool | None) -> None:
            self._waiting.popleft()
            if question.answer.set_running_or_notify_cancel():
                question.answer.set_result(bool(accepted))
            if self._waiting:
                self._show()

        self._app.push_screen(HostKey(question.node, question.kind, question.fingerprint), answered)
