"""Looks at a cluster again and again, each part in a thread of its own: a slow one holds up no other.

What a look brought stays until a newer one brings something: a part that does not answer is told with its age.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Event, Lock, Thread

from iconha_tui.error_codes import Code
from iconha_tui.errors import Trouble
from iconha_tui.spec import Spec
from iconha_tui.status import memory, own_work, said
from iconha_tui.status.compose import Part, Parts, compose
from iconha_tui.status.eyes import Answer, Eyes
from iconha_tui.status.report import Report, Verdict
from iconha_tui.status.verdict import CONTRADICTIONS

EVERY = 5.0
"""Seconds from one look to the next."""
CALLS_EVERY = 300.0
"""Seconds after which awseip's calls are tried again: they cost a node a second of its CPU."""
REFUSED_EVERY = 30.0
"""The same where they were refused, or gave no answer: somebody may be mending it."""
GRACE = 10.0
"""Seconds beyond that in which an answer has to come: after them the one before counts no longer."""
HEAD_START = 0.3
"""Seconds from the nodes' looks to that of AWS, where one look at everything is all there is: to make AWS's client takes this
process most of a second of CPU time, in which connections come about slowly. Asked before, the nodes work meanwhile."""
AGAIN = 1.0
"""Seconds after which one look, of which the two nodes' words contradict each other, is taken again: they change one after the
other, and only what stays is a contradiction."""

log = logging.getLogger(__name__)

Key = tuple[str, str | None]
Tried = tuple[Answer | None, str]
"""An answer, or why there is none."""


class Early:
    """A look that has begun before it is certain that it will count: nobody waits for one that does not."""

    def __init__(self, look: Callable[[], Tried]) -> None:
        self._found: Tried = None, "It was not looked at."
        self._look = look
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self._found = self._look()

    def result(self) -> Tried:
        self._thread.join()
        return self._found


class Watcher:
    """One cluster. kept: a file that remembers the last answers, for the next start; None: nothing is remembered. program: how
    this program is called, for what is told to be typed. journal: of the runs, for what it did itself.

    every: seconds from one look to the next; it may be changed. All looks begin at the same moments, multiples of it, so that
    what two nodes say can be compared.
    """

    def __init__(
        self,
        spec: Spec,
        eyes: Eyes,
        *,
        kept: Path | None = None,
        every: float = EVERY,
        program: tuple[str, ...] = ("iconha-tui",),
        journal: Path | None = None,
    ) -> None:
        self.spec = spec
        self._eyes = eyes
        self._kept = kept
        self._program = program
        self._journal = journal
        self._work: list[own_work.Done] = []
        self.every = every
        self._lock = Lock()
        self._closed = Event()
        self._aws_tried = Event()
        self._wake: dict[Key, Event] = {}
        self._keys: list[Key] = [
            ("aws", None),
            *((part, name) for part in ("node", "ports", "calls") for name in spec.names),
        ]
        views: list[Key] = [("view", name) for name in spec.names]  # they come with the nodes
        self._parts: dict[Key, Part] = {key: Part(*key) for key in (*self._keys, *views)}
        self._looked: set[Key] = set()
        self._writing = Lock()
        self._last_kept: tuple[Verdict | None, float] = (None, 0.0)
        self.turns = 0
        """Looks that have ended: a screen that has drawn as many has nothing to do."""
        self._recall()

    @property
    def name(self) -> str:
        return self.spec.name

    def _recall(self) -> None:
        """Takes up what was remembered: to be told with its age, and to find the nodes by where AWS does not answer."""
        for key, part in memory.load(self._kept).items():
            if key in self._parts:
                self._parts[key] = part
        if (known := self._parts["aws", None].answer) is not None:
            self._eyes.remember(known)

    def report(self) -> Report:
        """How the cluster is by all that is known now."""
        return self._judged(self.every + GRACE)

    def look_once(self) -> Report:
        """Looks at everything once, all parts at the same time.

        The nodes are looked for where the last look had them. Where EC2 says otherwise, what that brings is not waited for, and
        all of them are looked at once more: at one time, so that their words can be compared.
        """
        before = self._parts["aws", None].answer
        ran = [key for key in self._due_parts() if (before or {}).get(f"{key[1]}.state") == "running"]
        early = {key: Early(partial(self._tried, key)) for key in ran}
        if early:
            time.sleep(HEAD_START)
        self._look(("aws", None))
        self._aws_tried.set()
        if self._parts["aws", None].answer != before:
            early.clear()
        self._look_at([key for key in self._due_parts() if key not in early])
        for key, look in early.items():
            self._settle(key, *look.result())
        report = self._judged(float("inf"))
        if any(reason.code in CONTRADICTIONS for reason in (*report.reasons, *report.doubts)):
            time.sleep(AGAIN)
            self._look_at([key for key in self._keys if key[0] in ("aws", "node")])
            report = self._judged(float("inf"))
        if self._kept is not None:
            memory.save(self._kept, self._snapshot())
            memory.save_verdict(self._kept.parent, report.verdict, report.at)
        return report

    def _judged(self, lasts: float) -> Report:
        return compose(self.spec, self._snapshot(), time.time(), lasts, program=self._program, work=self._work)

    def _due_parts(self) -> list[Key]:
        return [key for key in self._keys if key[0] != "aws" and self._is_due(key, asked=True)]

    def _look_at(self, keys: Iterable[Key]) -> None:
        threads = [Thread(target=self._look, args=(key,), daemon=True) for key in keys]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def start(self) -> None:
        """Begins to look, until `close`."""
        for key in self._keys:
            self._wake[key] = Event()
            Thread(target=self._go_on, args=(key,), name=f"status-{'-'.join(filter(None, key))}", daemon=True).start()

    def look_now(self) -> None:
        """Looks at once at what is not being looked at."""
        for wake in self._wake.values():
            wake.set()

    def close(self) -> None:
        """Ends. A look that is under way ends by itself; nothing waits for it, but the program's end for what is being kept."""
        if not self._closed.is_set():
            self._closed.set()
            self.look_now()
            Thread(target=self._keep, name="status-keep", daemon=False).start()
            Thread(target=self._eyes.close, name="status-end", daemon=True).start()

    def _go_on(self, key: Key) -> None:
        wake = self._wake[key]
        if key[0] != "aws":
            self._aws_tried.wait()
        asked = True
        while not self._closed.is_set():
            wake.clear()
            if self._is_due(key, asked=asked):
                self._look(key)
            self._looked.add(key)
            if key[0] == "aws":
                self._aws_tried.set()
            self._keep_verdict()
            asked = wake.wait(self.every - time.time() % self.every)

    def _is_due(self, key: Key, *, asked: bool) -> bool:
        """Whether a part is to be looked at now. awseip's calls are tried seldom, and not where the address is."""
        part, name = key
        if part != "calls":
            return True
        facts = self._parts["aws", None].answer or {}
        if facts.get("holder") and facts["holder"] == facts.get(f"{name}.instance_id"):
            return False
        known = self._parts[key]
        if asked or known.answer is None or known.seen_at is None:
            return True
        good = known.fresh and all(call.allowed for call in said.read_calls(known.answer).calls)
        return time.time() - known.seen_at >= (CALLS_EVERY if good else REFUSED_EVERY)

    def _look(self, key: Key) -> None:
        """One look at one part."""
        if key[0] == "aws" and self._journal is not None:
            self._work = own_work.read(self._journal)
        self._settle(key, *self._tried(key))

    def _tried(self, key: Key) -> Tried:
        """What a look brings, and why it brings nothing."""
        try:
            answer = self._looks(key)()
            if key[0] == "node":
                said.read(answer)  # it is kept as read: a screen has no time for it
        except Trouble as trouble:
            return None, str(trouble)
        except Exception as error:
            log.exception("The status of %s could not be read", key)
            return None, f"An error that this program did not foresee: {type(error).__name__}: {error}."
        return answer, ""

    def _looks(self, key: Key) -> Callable[[], Answer]:
        part, name = key
        if part == "aws" or name is None:
            return self._eyes.aws
        known = self._parts["aws", None]
        facts = known.answer or {}
        state = facts.get(f"{name}.state")
        if known.fresh and state != "running":
            raise Trouble(
                f"The instance is {state}." if state else "EC2 knows no such machine.",
                code=Code.INSTANCE_NOT_RUNNING,
                where=name,
            )
        if part in ("node", "calls"):
            return partial(self._eyes.node if part == "node" else self._eyes.calls, name)
        address = facts.get(f"{name}.{self.spec.ssh.address}_ip")
        if not address:
            raise Trouble(f"Its {self.spec.ssh.address} address is not known.", code=Code.ADDRESS_UNKNOWN, where=name)
        return partial(self._eyes.ports, str(address))

    def _settle(self, key: Key, answer: Answer | None, trouble: str) -> None:
        with self._lock:
            self._put(key, answer, trouble)
            if key[0] == "node":
                found = None if answer is None else said.read(answer)
                seen = found is not None and found.view is not None
                why = trouble if found is None else found.why_no_view
                self._put(("view", key[1]), answer if seen else None, "" if seen else why)
            self.turns += 1

    def _put(self, key: Key, answer: Answer | None, trouble: str) -> None:
        if answer is None:
            self._parts[key] = replace(self._parts[key], trouble=trouble)
        else:
            known = self._parts[key]
            before = known.answer if known.fresh and key[0] == "node" else None
            self._parts[key] = Part(*key, seen_at=round(time.time(), 1), answer=answer, before=before)

    def _snapshot(self) -> Parts:
        with self._lock:
            return dict(self._parts)

    def _keep(self) -> None:
        if self._kept is not None:
            memory.save(self._kept, self._snapshot())
            self._keep_verdict(at_least=0)

    def _keep_verdict(self, at_least: float = 60.0) -> None:
        """Keeps the verdict where it is another, or the one that is kept is older than at_least, in seconds. One that is reached
        before everything has been looked at is none."""
        if self._kept is None or not self._looked.issuperset(self._keys):
            return
        report = self.report()
        with self._writing:
            verdict, at = self._last_kept
            if verdict == report.verdict and report.at - at < at_least:
                return
            if self._closed.is_set() and at_least:  # the end keeps it, and waits for that; this thread it cuts short
                return
            self._last_kept = report.verdict, report.at
            memory.save_verdict(self._kept.parent, report.verdict, report.at)
