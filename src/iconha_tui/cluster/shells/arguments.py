"""The arguments of a cluster shell's command line: which names, values and ids are safe, and how they are written.

What is refused is what a cluster shell would read as something else than it is meant. crm joins its arguments with
blanks and splits them again with shlex (crmsh/main.py, ui_context.py), putting quotes around those with a blank: so a
value may hold any printable ASCII character but quotes and backslashes (and from a file, crm turns é into &#233;). pcs
takes its arguments as they are. Measured with crmsh 4.4.1 and pcs 0.11.5: each character at the start, in the middle and
at the end of a value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from iconha_tui.cluster.primitive import Primitive

_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}\Z")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}\Z")
_CIB_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*\Z")
_AGENT = re.compile(r"(ocf:[A-Za-z0-9_-]+:[A-Za-z0-9_-]+|(stonith|systemd|lsb|service):[A-Za-z0-9@_.-]+)\Z")
VALUE_LENGTH = 1024
"""Characters that a value may have."""

KEYWORDS = frozenset(
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
"""Words of crm's own language: no resource is named so, whichever shell is used, since any of them may be used later."""


class UnsafeValueError(ValueError):
    """A name or value that a cluster shell would not take as it is meant. The message says which and why."""


def check(primitive: Primitive) -> None:
    """Raise UnsafeValueError for the first name or value that a cluster shell would not take as it is meant."""
    check_id(primitive.id)
    if not _AGENT.match(primitive.agent):
        raise UnsafeValueError(f"{primitive.agent!r} is no resource agent: ocf:heartbeat:awseip, for example.")
    for operation in primitive.operations:
        check_name(operation.name)
        pairs(operation.options)
    pairs(primitive.params)
    pairs(primitive.meta)


def check_update(wanted: Primitive, actual: Primitive) -> None:
    """Raise UnsafeValueError where `actual` cannot be made into `wanted` in place."""
    check(wanted)
    if wanted.id != actual.id or wanted.agent != actual.agent:
        raise UnsafeValueError(f"{actual.id} ({actual.agent}) cannot become {wanted.id} ({wanted.agent}) in place.")


def check_value(name: str, value: str) -> None:
    """Raise UnsafeValueError where `value` cannot be given to every cluster shell alike."""
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


def check_id(id: str) -> None:
    """Raise UnsafeValueError where `id` cannot be the name of a resource."""
    if not _ID.match(id) or id in KEYWORDS:
        raise UnsafeValueError(f"{id!r} cannot be the name of a resource: letters, digits, hyphens and underscores.")


def check_name(name: str) -> None:
    """Raise UnsafeValueError where `name` cannot be the name of a parameter, an operation or a property."""
    if not _NAME.match(name):
        raise UnsafeValueError(f"{name!r} is no name of a parameter, an operation or a property.")


def check_cib_id(id: str) -> None:
    """Raise UnsafeValueError for an id, read from a node, that a shell could take for an option."""
    if not _CIB_ID.match(id):
        raise UnsafeValueError(f"The CIB has an operation with the odd id {id!r}: remove it by hand.")


def pairs(values: Mapping[str, str]) -> list[str]:
    """Each as name=value. Raises UnsafeValueError for the first that is not safe."""
    for name, value in values.items():
        check_name(name)
        check_value(name, value)
    return [f"{name}={value}" for name, value in values.items()]


def operations(primitive: Primitive) -> list[str]:
    """The operations of a primitive as all shells take them: op NAME OPTION=VALUE … for each."""
    return [word for each in primitive.operations for word in ("op", each.name, *pairs(each.options))]


def operations_and_meta(primitive: Primitive) -> list[str]:
    """How the description of a primitive ends, the same in all shells."""
    return [*operations(primitive), *(["meta", *pairs(primitive.meta)] if primitive.meta else [])]
