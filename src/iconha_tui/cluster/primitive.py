"""A resource as it is configured, and how two of them differ."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_UNITS_MS = {
    "": 1000, "s": 1000, "sec": 1000, "ms": 1, "msec": 1, "us": 0.001, "usec": 0.001,
    "m": 60_000, "min": 60_000, "h": 3_600_000, "hr": 3_600_000,
}  # fmt: skip
_DURATION = re.compile(r"([0-9]{1,12})\s*([a-z]*)\Z")
_DURATIONS = frozenset({"interval", "timeout", "start-delay", "failure-timeout"})


@dataclass(frozen=True, slots=True)
class Operation:
    """What the cluster does with a resource, and how: `options` are interval, timeout, on-fail, …

    `cib_id` is the operation's id in the CIB, where it was read from one; it is no part of what is wanted.
    """

    name: str
    options: Mapping[str, str]
    cib_id: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Primitive:
    """A resource. `agent` is class:provider:type; the order of params, operations and meta means nothing."""

    id: str
    agent: str
    params: Mapping[str, str]
    operations: tuple[Operation, ...] = ()
    meta: Mapping[str, str] = field(default_factory=dict)


GUIDE_AGENT = "ocf:heartbeat:awseip"


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


def differences(wanted: Primitive, actual: Primitive) -> list[str]:
    """A sentence for each way in which `actual` is not what is wanted; none where nothing is to be done.

    60s, 60 and 1min are the same. Operations that only `actual` has are let be, as pcs adds some with the agent's
    defaults, unless they share their name with a wanted one: a second monitor would be run as well.
    """
    found = []
    if wanted.id != actual.id:
        found.append(f"The resource is called {actual.id}, not {wanted.id}.")
    if wanted.agent != actual.agent:
        found.append(f"The agent is {actual.agent}, not {wanted.agent}.")
    found += _differing("", wanted.params, actual.params)
    for operation in wanted.operations:
        same = [each for each in actual.operations if each.name == operation.name]
        if not same:
            found.append(f"The operation {operation.name} is missing.")
        elif len(same) > 1:
            found.append(f"There are {len(same)} {operation.name} operations.")
        else:
            found += _differing(f"{operation.name} ", operation.options, same[0].options)
    return found + _differing("meta ", wanted.meta, actual.meta)


def _differing(prefix: str, wanted: Mapping[str, str], actual: Mapping[str, str]) -> list[str]:
    found = []
    for name in sorted({*wanted, *actual}):
        want, have = wanted.get(name), actual.get(name)
        if have is None:
            found.append(f"{prefix}{name} is not set; it should be {want}.")
        elif want is None:
            found.append(f"{prefix}{name} is {have}; it should not be set.")
        elif _plain(name, want) != _plain(name, have):
            found.append(f"{prefix}{name} is {have}; it should be {want}.")
    return found


def _plain(name: str, value: str) -> str | float:
    """A value as it is compared: a duration in milliseconds, anything else as it stands."""
    match = _DURATION.match(value.strip().lower()) if name in _DURATIONS else None
    if match is None or match[2] not in _UNITS_MS:
        return value
    return int(match[1]) * _UNITS_MS[match[2]]
