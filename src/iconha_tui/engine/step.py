"""A step: probe, plan, verify. A stage: a named list of steps, one chapter of the guide."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, final

from iconha_tui import log
from iconha_tui.engine.actions import Action, Disruptive, Lookup, NodeLookup, Run, SecretRef, Text, unknown
from iconha_tui.engine.cancel import Cancel
from iconha_tui.engine.ports import Cloud, Node
from iconha_tui.error_codes import Code
from iconha_tui.errors import Trouble
from iconha_tui.masking import Masks
from iconha_tui.spec import Spec

AWS = "aws"
"""The target of steps that speak to the AWS API."""

Facts = Mapping[str, Any]


@dataclass(frozen=True)
class Done:
    """The work is done already. evidence: what was seen. facts: what later steps may use."""

    evidence: str
    facts: Facts = field(default_factory=dict)


@dataclass(frozen=True)
class Needed:
    """There is work to do. why: what is missing. under_way: the cluster itself is at it, so that a run looks again before it
    plans anything. code: the kind of error it is where a run stops waiting for it."""

    why: str
    facts: Facts = field(default_factory=dict)
    under_way: bool = False
    code: Code = Code.VERIFY_TIMEOUT


@dataclass(frozen=True)
class Blocked:
    """Only the operator can go on from here. code: the kind of error that it is."""

    why: str
    remedy: str
    facts: Facts = field(default_factory=dict)
    code: Code = Code.STEP_BLOCKED


Verdict = Done | Needed | Blocked


class Vault:
    """The secrets of this process, in memory only. A missing one raises Trouble with the remedy it was declared with.

    roles: the temporary credentials of roles that were assumed, for whoever asks AWS.
    """

    def __init__(self, secrets: Mapping[str, str] | None = None) -> None:
        self.roles: dict[str, Any] = {}
        self._secrets: dict[str, str] = {}
        self._masks = Masks()
        log.hide(self._masks)
        for name, value in (secrets or {}).items():
            self.put(name, value)

    def put(self, name: str, value: str) -> None:
        self._secrets[name] = value
        self._masks.learn([value])

    def has(self, name: str) -> bool:
        return bool(self._secrets.get(name))

    def get(self, name: str) -> str:
        """A secret's value, "" where there is none."""
        return self._secrets.get(name, "")

    def reveal(self, text: Text) -> str:
        """`text` with its secrets in the clear: for the wire, never for a screen or a file of ours."""
        return "".join(self._value(part.name) if isinstance(part, SecretRef) else part for part in text)

    def _value(self, name: str) -> str:
        value = self._secrets.get(name)
        if not value:
            raise Trouble(
                f"The secret {name} is not known.",
                code=Code.SECRET_MISSING,
                remedy="Enter it in the credentials stage.",
            )
        return value

    def mask(self, text: str) -> str:
        """`text` with every secret masked that was ever put in: the last guard before something is shown or written."""
        return self._masks.hide(text)


_WORD = re.compile(r"([A-Za-z0-9_./:][A-Za-z0-9_.:/@+=-]*)?", re.ASCII)


def _word(name: str, value: str) -> str:
    """A fact as commands may hold it. AWS and the nodes tell facts: one that is more than a word could be read as code."""
    if not _WORD.fullmatch(value):
        raise Trouble(
            f"{name} is not what such a value looks like: {value[:100]!r}.",
            code=Code.FACT_INVALID,
            remedy="See where it comes from (AWS, or the node itself) before you go on.",
        )
    return value


@dataclass(frozen=True)
class View:
    """What a plan may look at: the spec and the facts read so far. Having nothing else is what keeps plans pure."""

    spec: Spec
    facts: Facts = field(default_factory=dict)

    def fact(self, name: str) -> str:
        """A fact as a word; a marker (actions.unknown) while nobody has read it. Raises Trouble where it is no word."""
        value = self.facts.get(name)
        return unknown(name) if value is None else _word(name, str(value))

    def other(self, node: str) -> str:
        """The other node's name."""
        first, second = self.spec.names
        return second if node == first else first


@dataclass
class Context:
    """What a probe may use: reading only, by agreement; the runner alone carries actions out.

    cloud: AWS with the operator's credentials; node_cloud: with the keys that the nodes will use.
    node: a machine by name, connected when first used. reach: why a TCP port (host, port) does not answer, "" when it does.
    permit: whether what may disrupt a pair that serves is allowed; asked before each step that would do so.
    """

    spec: Spec
    cloud: Cloud
    node: Callable[[str], Node]
    node_cloud: Callable[[], Cloud]
    reach: Callable[[str, int], str]
    vault: Vault = field(default_factory=Vault)
    facts: dict[str, Any] = field(default_factory=dict)
    cancel: Cancel = field(default_factory=Cancel)
    permit: Callable[[Sequence[Disruptive]], bool] = lambda _due: True
    _lock: Lock = field(default_factory=Lock, repr=False)

    @property
    def view(self) -> View:
        with self._lock:
            return View(self.spec, dict(self.facts))

    def learn(self, facts: Facts) -> None:
        """Keeps what a verdict brought; None forgets."""
        with self._lock:
            self.facts.update(facts)

    def fact(self, name: str) -> str:
        """A fact that a step cannot do without. Raises Trouble when an earlier step has not brought it."""
        value = self.facts.get(name)
        if value is None:
            raise Trouble(f"{name} is not known yet.", code=Code.FACT_UNKNOWN, remedy="Run the earlier stages first.")
        return _word(name, str(value))


class Step(ABC):
    """One thing that must be true. Steps hold no state: the world, the spec and the facts do.

    id: stage.name, stable, for the journal. title: what the operator reads. guide: the guide's own line, "" where it has none;
    departs: why this step does otherwise, "" where it does not. patience: seconds that verify may take to come true.
    skip: what stays open when the operator goes on without it, "" where that is not safe; vital: why it is not.
    usual: seconds that it takes where there is work to do, as measured on the lab.
    foreseen: its plan is reckoned from spec and facts alone and is empty where nothing is to be done, so that what earlier steps
    make necessary in it is known before they run.
    """

    id: str
    title: str
    guide: str = ""
    departs: str = ""
    patience: float = 0.0
    skip: str = ""
    vital: str = "The steps after it build on it."
    usual: float = 0.5
    foreseen: bool = False

    def targets(self, view: View) -> Sequence[str]:
        """Where it works: node names or AWS. They are worked on at the same time."""
        return view.spec.names

    @abstractmethod
    def probe(self, ctx: Context, target: str) -> Verdict:
        """Reads the world; changes nothing."""

    @abstractmethod
    def plan(self, view: View, target: str) -> list[Action]:
        """The actions that would make it true, in order. Pure; facts not read yet appear as markers."""

    def lookups(self, view: View) -> list[Lookup]:
        """The facts that this step brings from the AWS API. Scripts, which have no probe, read them too."""
        return []

    def node_lookups(self, view: View) -> list[NodeLookup]:
        """The facts that this step brings from the nodes and that later plans use; for scripts."""
        return []

    def condition(self, view: View, target: str) -> Run | None:
        """A command that succeeds once the step is true, for scripts, which have no verify; None: nothing to wait for."""
        return None

    def verify(self, ctx: Context, target: str) -> Verdict:
        """Judges after the actions. The probe, where nothing else is said."""
        return self.probe(ctx, target)

    def patience_for(self, view: View) -> float:
        """Seconds that verify may take to come true, under this spec."""
        return self.patience

    def remedy(self, view: View) -> str:
        """What to do when this step fails and the failure itself does not say."""
        return "Read the last lines above, mend the cause, then retry this stage."


class CheckStep(Step):
    """A step that only looks: it changes nothing, whatever it finds. What its probe misses, somebody else has to mend."""

    @final
    def plan(self, view: View, target: str) -> list[Action]:
        return []


@dataclass(frozen=True)
class Stage:
    """A chapter of the guide. name: one word, the same in stages/, forms/, assets/help/ and tests.

    summary: a paragraph in plain words of what will happen and why.
    """

    name: str
    title: str
    summary: str
    steps: tuple[Step, ...]
