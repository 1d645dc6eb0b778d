"""Pacemaker's scheduler, asked what it would do if a node were lost: `crm_simulate`, which changes nothing.

Its text is read, since its XML exists from Pacemaker 2.1 on only. The text of 1.1 to 3.0 differs in bullets, capitals and
the names of roles (cts/scheduler/summary in ClusterLabs/pacemaker has hundreds of examples).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

STARTED = frozenset({"Started", "Promoted", "Master", "Unpromoted", "Slave"})
"""Roles in which a resource runs."""


def simulate_loss(node: str, *, fencing: bool) -> tuple[str, ...]:
    """The command that asks what becomes of the resources if `node` is lost. It has to run as root.

    With fencing the node is failed, so that the answer includes whether it can be fenced: where it cannot, its resources stay
    with it, UNCLEAN. Without, it is taken offline.
    """
    return ("crm_simulate", "--live-check", "--simulate", "--node-fail" if fencing else "--node-down", node)


@dataclass(frozen=True, slots=True)
class PlacedInstance:
    """An instance of a resource: its id without the instance's number, its role, the nodes on which the cluster has it.

    flags: what stands behind it in brackets, like disabled, unmanaged, blocked, not installed, UNCLEAN; also ORPHANED.
    """

    id: str
    role: str
    nodes: tuple[str, ...]
    flags: frozenset[str]

    @property
    def running_on(self) -> tuple[str, ...]:
        """Where it runs for certain: not where it failed, or on a node of which the cluster does not know."""
        return self.nodes if self.role in STARTED and "UNCLEAN" not in self.flags else ()


@dataclass(frozen=True, slots=True)
class Simulation:
    """The cluster as the scheduler would have it after the loss."""

    instances: tuple[PlacedInstance, ...]

    def of(self, id: str) -> tuple[PlacedInstance, ...]:
        """Every instance of a resource."""
        return tuple(instance for instance in self.instances if instance.id == id)

    def runs_on(self, id: str, *enclosing: str) -> tuple[str, ...] | None:
        """The nodes on which a resource would run; () where it would be stopped; None where the scheduler does not name it.

        enclosing: the groups and clones that it is in. Of a cloned group whose members all run the text names the group alone.
        """
        for name in (id, *enclosing):
            if found := self.of(name):
                return tuple(dict.fromkeys(node for instance in found for node in instance.running_on))
        return None


_REVISED = re.compile(r"Revised cluster status:\s*\Z", re.IGNORECASE)
_BULLET = re.compile(r"\s*(?:\* )?")
_RESOURCE = re.compile(r"(\S{1,256})\t\([a-z]{1,32}:[^()\t]{0,256}\):\s*(.*)\Z", re.ASCII)
_CLONE = re.compile(r"(?:Clone|Master/Slave) Set: \S{1,256} \[(\S{1,256})\]")
_LIST = re.compile(r"([A-Z][a-z]{2,20}?)s?(?: \(([^()]{0,80})\))?: \[ ([^\[\]]*)\]\Z")
_STATE = re.compile(r"(ORPHANED |REMOVED )?([A-Za-z]{1,20})(.*)\Z")
_FLAGS = re.compile(r"\(([^()]{0,160})\)")


def parse_simulation(text: str) -> Simulation | None:
    """Read the text of crm_simulate; None where it does not get as far as the status after the simulation."""
    lines = text.split("\n")
    begin = next((at for at, line in enumerate(lines) if _REVISED.match(line)), None)
    if begin is None:
        return None
    return Simulation(tuple(_instances(lines[begin + 1 :])))


def _instances(lines: list[str]) -> Iterator[PlacedInstance]:
    cloned: str | None = None
    for line in lines:
        words = line[_BULLET.match(line).end() :].rstrip()  # type: ignore[union-attr]  # it matches the empty string too
        if match := _CLONE.match(words):
            cloned = match[1]
        elif match := _RESOURCE.match(words):
            yield _instance(match[1], match[2])
        elif cloned and (match := _LIST.match(words)):
            # Instances of an anonymous clone that are alike: "Started: [ a b ]". A stopped one is on no node.
            nodes = tuple(match[3].split()) if match[1] in STARTED else ()
            yield PlacedInstance(cloned, match[1], nodes, _flags(match[2] or ""))


def _instance(name: str, said: str) -> PlacedInstance:
    """What stands behind the agent: `Started PRep-01 (unmanaged)`, `FAILED (blocked) [ a b ]`, `Stopped`."""
    id = name.rpartition(":")[0] if re.search(r":[0-9]{1,9}\Z", name) else name
    match = _STATE.match(said)
    if match is None:
        return PlacedInstance(id, said[:20], (), frozenset())
    role, rest = match[2], match[3]
    flags = _flags(",".join((match[1] or "", *_FLAGS.findall(rest))))
    nodes = tuple(_FLAGS.sub(" ", rest).replace("[", " ").replace("]", " ").split())
    if role == "FAILED" and nodes and nodes[0] in STARTED:  # "FAILED Promoted a"
        nodes = nodes[1:]
    return PlacedInstance(id, role, () if role == "Stopped" else nodes, flags)


def _flags(text: str) -> frozenset[str]:
    return frozenset(filter(None, (flag.strip() for flag in text.split(","))))
