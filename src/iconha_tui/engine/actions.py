"""Actions: what a step would do, as data.

A preview, a dry run, an exported script and the real run read the same actions, so nothing runs that a plan did not show.
A secret is held by reference (`SecretRef`): the value meets the action only inside the interpreter.
A fact that is not known yet (the address of a machine that does not exist) stands in a string as a marker made by
`unknown()`; an action that still holds one is shown, and refused by the interpreter.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from iconha_tui.masking import MASK

_MARKER = re.compile("⟪([^⟪⟫]+)⟫")


def unknown(fact: str) -> str:
    """The marker that stands for the value of `fact` until a probe has read it."""
    return f"⟪{fact}⟫"


def unknown_facts(text: str) -> list[str]:
    """The names of the facts that `text` still waits for, in order."""
    return _MARKER.findall(text)


def replace_unknown(text: str, replace: Callable[[str], str]) -> str:
    """`text` with each marker replaced by `replace(fact)`."""
    return _MARKER.sub(lambda m: replace(m.group(1)), text)


@dataclass(frozen=True)
class SecretRef:
    """Names a secret of the vault. It prints as a mask, wherever it is printed."""

    name: str

    def __str__(self) -> str:
        return MASK

    def __repr__(self) -> str:
        return f"SecretRef({self.name!r})"


Text = tuple[str | SecretRef, ...]
"""A text with secrets in it, by reference."""


def masked(text: Text) -> str:
    """`text` as an operator may see it."""
    return "".join(str(part) for part in text)


@dataclass(frozen=True)
class Disruption:
    """What an action may do to a pair that serves. what: a sentence. seconds: how long it lasts, as expected."""

    what: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.what} Expected: about {self.seconds:.0f} s."


@dataclass(frozen=True)
class Disruptive:
    """An action of a plan that may stop a service, move or drop the address. shown: the command."""

    stage: str
    step: str
    target: str
    shown: str
    disruption: Disruption

    def line(self) -> str:
        return f"{self.target}: {self.shown}\n  {self.disruption}"


@dataclass(frozen=True)
class Run:
    """A command on a node.

    argv: the command and its arguments; a pipeline is ("sh", "-c", script).
    root: through sudo -n. long: in a transient systemd unit, so that it outlives the connection.
    stdin: fed to the command; the place for secrets. timeout: seconds until the run gives up.
    ok: exit codes that count as success. why: one line for the operator. disruption: what it may do to a pair that serves.
    """

    target: str
    argv: tuple[str, ...]
    why: str = ""
    root: bool = True
    long: bool = False
    stdin: Text | None = None
    timeout: float = 120.0
    ok: frozenset[int] = frozenset({0})
    disruption: Disruption | None = None

    def shown(self) -> str:
        """The command line as one would type it on the node."""
        if self.argv[:2] in (("sh", "-c"), ("bash", "-c")) and len(self.argv) == 3:
            return self.argv[2].strip()
        return shlex.join(self.argv)


@dataclass(frozen=True)
class Upload:
    """A file on a node: written beside its place, checked, then renamed over it.

    check: a command that judges the new file before it replaces the old one, "{}" standing for its temporary path;
    a refusal leaves the old file untouched. backup: keep the old file as PATH.iconha-<time>.
    over: the SHA-256 of the file that it may replace, "" where there is to be none; None: any. What somebody has put there
    since it was looked at is left alone. note: a file there, and whose this one is: once it is in place, a line
    `SHA-256 whose` is added to that file.
    """

    target: str
    path: str
    content: Text
    why: str = ""
    mode: int = 0o644
    owner: str = "root:root"
    check: tuple[str, ...] | None = None
    backup: bool = False
    over: str | None = None
    note: tuple[str, str] | None = None

    def shown(self) -> str:
        return f"write {self.path} ({self.owner} {self.mode:04o})"


@dataclass(frozen=True)
class Copy:
    """A secret file carried from one node to another through this program's memory; it touches no disk on the way.

    A file that it replaces is kept as PATH.iconha-<time>, with the same owner and mode.
    """

    source: str
    target: str
    path: str
    why: str = ""
    mode: int = 0o400
    owner: str = "root:root"

    def shown(self) -> str:
        return f"copy {self.path} from {self.source} through memory ({self.owner} {self.mode:04o})"


@dataclass(frozen=True)
class Call:
    """An AWS API call. service and operation as boto3 names them; params as boto3 takes them."""

    service: str
    operation: str
    params: Mapping[str, Any] = field(default_factory=dict)
    why: str = ""
    target: str = "aws"

    def shown(self) -> str:
        return f"{self.service}:{self.operation} " + ", ".join(f"{k}={v}" for k, v in self.params.items())


Action = Run | Upload | Copy | Call

OWN = "/var/lib/iconha-tui"
"""This program's folder on a node: what it notes there is no part of the cluster."""


@dataclass(frozen=True)
class Lookup:
    """Reads one fact from the AWS API: query is a JMESPath over the answer. Probes and exported scripts share it.

    awaited: the value that a script, which has no verify, waits for.
    """

    fact: str
    service: str
    operation: str
    params: Mapping[str, Any]
    query: str
    awaited: str = ""


@dataclass(frozen=True)
class NodeLookup:
    """Reads one fact from a node: the first line that a shell command prints."""

    fact: str
    node: str
    command: str


def strings_of(value: Any) -> Iterator[str]:
    """Every string in a nested value of dicts, lists and tuples."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from strings_of(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from strings_of(item)


def waits_for(action: Action) -> list[str]:
    """The facts that must be known before `action` can run, without repeats."""
    match action:
        case Run():
            texts = strings_of((action.argv, action.stdin or ()))
        case Upload():
            texts = strings_of((action.path, action.content))
        case Copy():
            texts = strings_of(action.path)
        case Call():
            texts = strings_of(action.params)
    return list(dict.fromkeys(fact for text in texts for fact in unknown_facts(text)))
