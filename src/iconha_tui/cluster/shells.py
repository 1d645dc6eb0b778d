"""The command lines of the two cluster shells, crm (crmsh) and pcs: always argument lists, never a shell's string.

Whoever carries an argument list to a node quotes it for that node's shell. What is refused here is what crm and pcs
themselves would read as something else. crm joins its arguments with blanks and splits them again with shlex
(crmsh/main.py, ui_context.py), putting quotes around those with a blank: so a value may hold any printable ASCII
character but quotes and backslashes (and from a file, crm turns é into &#233;). pcs takes its arguments as they are.
Measured with crmsh 4.4.1 and pcs 0.11.5: each character at the start, in the middle and at the end of a value.

The forms used here are those that pcs 0.9 to 0.12 have in common; `show_resource` is the one that differs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from iconha_tui.cluster.primitive import Operation, Primitive

Shell = Literal["crm", "pcs"]
Argv = list[str]

_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}\Z")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}\Z")
_AGENT = re.compile(r"(ocf:[A-Za-z0-9_-]+:[A-Za-z0-9_-]+|(stonith|systemd|lsb|service):[A-Za-z0-9@_.-]+)\Z")
_FILE = re.compile(r"/[A-Za-z0-9_./-]+\Z")
_KEYWORDS = frozenset(
    {
        "params",
        "meta",
        "op",
        "operations",
        "utilization",
        "op_params",
        "op_meta",
        "rule",
        "attributes",
        "master",
        "clone",
    }
)
VALUE_LENGTH = 1024

GUIDE_AGENT = "ocf:heartbeat:awseip"


class UnsafeValueError(ValueError):
    """A name or value that a cluster shell would not take as it is meant. The message says which and why."""


@dataclass(frozen=True, slots=True)
class Update:
    """How to change a primitive in place: first the file, where there is one, then the commands in their order."""

    commands: list[Argv]
    file: str | None = None
    content: str | None = None


def guide_primitive(
    *, elastic_ip: str, allocation_id: str, awscli: str, id: str = "elastic-ip", extra: Mapping[str, str] | None = None
) -> Primitive:
    """The resource of the guide's step 8. `awscli` is the path of the CLI on the nodes; `extra` are further params."""
    return Primitive(
        id=id,
        agent=GUIDE_AGENT,
        params={"elastic_ip": elastic_ip, "awscli": awscli, "allocation_id": allocation_id, **(extra or {})},
        operations=(
            Operation("start", {"timeout": "60s", "interval": "0s", "on-fail": "restart"}),
            Operation("monitor", {"timeout": "60s", "interval": "10s", "on-fail": "restart"}),
            Operation("stop", {"timeout": "60s", "interval": "0s", "on-fail": "block"}),
        ),
        meta={"migration-threshold": "2", "failure-timeout": "60s", "resource-stickiness": "100"},
    )


def set_properties(shell: Shell, properties: Mapping[str, str]) -> list[Argv]:
    """Set cluster properties, one command each as the guide has it. Repeating it changes nothing."""
    start = ["crm", "configure", "property"] if shell == "crm" else ["pcs", "property", "set"]
    return [[*start, _pair(name, value)] for name, value in properties.items()]


def show_configuration(shell: Shell) -> Argv:
    return ["crm", "configure", "show"] if shell == "crm" else ["pcs", "config"]


def show_resource(shell: Shell, id: str, *, pcs: tuple[int, int] = (0, 11)) -> Argv:
    """Show one resource. pcs 0.9 has `resource show`, which 0.10 and later call `resource config`."""
    _check_id(id)
    if shell == "crm":
        return ["crm", "configure", "show", id]
    return ["pcs", "resource", "show" if pcs < (0, 10) else "config", id]


def show_status(shell: Shell) -> Argv:
    return [shell, "status"]


def clean_up(shell: Shell, id: str) -> Argv:
    """Forget the failures of a resource, so that the cluster tries again."""
    _check_id(id)
    return [shell, "resource", "cleanup", id]


def stand_by(node: str) -> Argv:
    """Take all resources from a node, as before an upgrade or to test a failover.

    It is Pacemaker's own command, for users of either shell: `crm node standby` of crmsh 4.4 and later pings the node by
    its name, which resolves nowhere here, does nothing then, and ends with exit code 0.
    """
    return ["crm_standby", "-N", node, "-v", "on"]


def come_back(node: str) -> Argv:
    """Let a node that stands by hold resources again."""
    return ["crm_standby", "-N", node, "-D"]


def create(shell: Shell, primitive: Primitive) -> Argv:
    """Create a primitive. Where one of that id exists, both shells refuse: `update` is for that."""
    check(primitive)
    if shell == "pcs":
        return [
            "pcs",
            "resource",
            "create",
            primitive.id,
            primitive.agent,
            *_pairs(primitive.params),
            *_tail(primitive),
        ]
    params = ["params", *_pairs(primitive.params)] if primitive.params else []
    return ["crm", "configure", "primitive", primitive.id, primitive.agent, *params, *_tail(primitive)]


def update(shell: Shell, wanted: Primitive, actual: Primitive, *, file: str = "/run/iconha-primitive.crm") -> Update:
    """Make `actual`, as the CIB has it, into `wanted`, without stopping it where the values do not ask for that.

    crm replaces the whole primitive (`configure load update`), so what is not wanted any more is gone. pcs changes
    what it is told: what is to go is given an empty value, operations are replaced by name, and of several of one
    name all but one are removed first.
    """
    check(wanted)
    if wanted.id != actual.id or wanted.agent != actual.agent:
        raise UnsafeValueError(f"{actual.id} ({actual.agent}) cannot become {wanted.id} ({wanted.agent}) in place.")
    if shell == "crm":
        if not _FILE.match(file):
            raise UnsafeValueError(f"{file!r} is no path that crm takes.")
        return Update([["crm", "configure", "load", "update", file]], file, crm_text(wanted))
    commands = [["pcs", "resource", "op", "remove", operation.cib_id] for operation in _doubles(wanted, actual)]
    params = [*_pairs(wanted.params), *_removed(wanted.params, actual.params)]
    meta = [*_pairs(wanted.meta), *_removed(wanted.meta, actual.meta)]
    tail = [*_operations(wanted), *(["meta", *meta] if meta else [])]
    commands.append(["pcs", "resource", "update", wanted.id, *params, *tail])
    return Update(commands)


def crm_text(primitive: Primitive) -> str:
    """The primitive in crm's own language, as `crm configure load update` reads it from a file."""
    check(primitive)
    lines = [f"primitive {primitive.id} {primitive.agent}"]
    if primitive.params:
        lines.append("params " + _quoted_pairs(primitive.params))
    lines += [f"op {operation.name} {_quoted_pairs(operation.options)}".rstrip() for operation in primitive.operations]
    if primitive.meta:
        lines.append("meta " + _quoted_pairs(primitive.meta))
    return " \\\n    ".join(lines) + "\n"


def check(primitive: Primitive) -> None:
    """Raise UnsafeValueError for the first name or value that a cluster shell would not take as it is meant."""
    _check_id(primitive.id)
    if not _AGENT.match(primitive.agent):
        raise UnsafeValueError(f"{primitive.agent!r} is no resource agent: ocf:heartbeat:awseip, for example.")
    for operation in primitive.operations:
        _check_name(operation.name)
        _pairs(operation.options)
    _pairs(primitive.params)
    _pairs(primitive.meta)


def check_value(name: str, value: str) -> None:
    """Raise UnsafeValueError where `value` cannot be given to crm and pcs alike."""
    if not value:
        raise UnsafeValueError(f"{name} has no value.")
    if len(value) > VALUE_LENGTH:
        raise UnsafeValueError(f"{name} is longer than {VALUE_LENGTH} characters.")
    if not (value.isascii() and value.isprintable()) or value != value.strip():
        raise UnsafeValueError(f"{name} must be plain ASCII text on one line, without a blank at either end.")
    if set(value) & set("'\"\\"):
        raise UnsafeValueError(
            f"{name} must not hold quotes or backslashes: the cluster shells read them as their own."
        )


def _check_id(id: str) -> None:
    if not _ID.match(id) or id in _KEYWORDS:
        raise UnsafeValueError(f"{id!r} cannot be the name of a resource: letters, digits, hyphens and underscores.")


def _check_name(name: str) -> None:
    if not _NAME.match(name):
        raise UnsafeValueError(f"{name!r} is no name of a parameter, an operation or a property.")


def _pair(name: str, value: str) -> str:
    _check_name(name)
    check_value(name, value)
    return f"{name}={value}"


def _pairs(values: Mapping[str, str]) -> list[str]:
    return [_pair(name, value) for name, value in values.items()]


def _quoted_pairs(values: Mapping[str, str]) -> str:
    # No quote or backslash gets past _pair, so double quotes end where they are meant to.
    return " ".join(f'{name}="{_pair(name, value).partition("=")[2]}"' for name, value in values.items())


def _operations(primitive: Primitive) -> list[str]:
    return [word for each in primitive.operations for word in ("op", each.name, *_pairs(each.options))]


def _tail(primitive: Primitive) -> list[str]:
    return [*_operations(primitive), *(["meta", *_pairs(primitive.meta)] if primitive.meta else [])]


def _removed(wanted: Mapping[str, str], actual: Mapping[str, str]) -> list[str]:
    gone = [name for name in actual if name not in wanted]
    for name in gone:
        _check_name(name)
    return [f"{name}=" for name in gone]


def _doubles(wanted: Primitive, actual: Primitive) -> list[Operation]:
    """Further operations of a wanted name: pcs would replace the first of them and leave the others."""
    names = {operation.name for operation in wanted.operations}
    seen: set[str] = set()
    doubles = []
    for operation in actual.operations:
        if operation.name in seen and operation.name in names and operation.cib_id:
            _check_cib_id(operation.cib_id)
            doubles.append(operation)
        seen.add(operation.name)
    return doubles


def _check_cib_id(id: str) -> None:
    """An id that was read from a node: it must not look like an option."""
    if not re.match(r"[A-Za-z_][A-Za-z0-9_.-]*\Z", id):
        raise UnsafeValueError(f"The CIB has an operation with the odd id {id!r}: remove it by hand.")
