"""pcs, Red Hat's shell. The commands are those that pcs 0.9 to 0.12 have in common; `show_resource` is the one that differs."""

from __future__ import annotations

from collections.abc import Mapping

from iconha_tui.cluster.primitive import Operation, Primitive
from iconha_tui.cluster.shells.arguments import (
    check,
    check_cib_id,
    check_id,
    check_name,
    check_update,
    operations,
    operations_and_meta,
    pairs,
)
from iconha_tui.cluster.shells.protocol import Argv, Update


class Pcs:
    name = "pcs"
    title = "pcs"
    about = "Red Hat's shell, which the guide allows too. You work with `sudo pcs status`."
    beside_guide = "The guide allows it too."
    package = "pcs"
    disturbing = ("pcs node", "pcs resource", "pcs cluster")

    def show_version(self) -> Argv:
        return ["pcs", "--version"]

    def show_status(self) -> Argv:
        return ["pcs", "status"]

    def show_configuration(self) -> Argv:
        return ["pcs", "config"]

    def show_resource(self, id: str, *, version: tuple[int, int] = (0, 11)) -> Argv:
        """0.9 has `resource show`, which 0.10 and later call `resource config`."""
        check_id(id)
        return ["pcs", "resource", "show" if version < (0, 10) else "config", id]

    def set_properties(self, properties: Mapping[str, str]) -> list[Argv]:
        return [["pcs", "property", "set", pair] for pair in pairs(properties)]

    def create(self, primitive: Primitive) -> Argv:
        check(primitive)
        params, tail = pairs(primitive.params), operations_and_meta(primitive)
        return ["pcs", "resource", "create", primitive.id, primitive.agent, *params, *tail]

    def update(self, wanted: Primitive, actual: Primitive) -> Update:
        """pcs changes what it is told: what is to go is given an empty value, operations are replaced by name, and of
        several of one name all but one are removed first."""
        check_update(wanted, actual)
        commands = [["pcs", "resource", "op", "remove", operation.cib_id] for operation in _doubles(wanted, actual)]
        params = [*pairs(wanted.params), *_removed(wanted.params, actual.params)]
        meta = [*pairs(wanted.meta), *_removed(wanted.meta, actual.meta)]
        tail = [*operations(wanted), *(["meta", *meta] if meta else [])]
        return Update([*commands, ["pcs", "resource", "update", wanted.id, *params, *tail]])

    def clean_up(self, id: str) -> Argv:
        check_id(id)
        return ["pcs", "resource", "cleanup", id]

    def stop(self, id: str) -> Argv:
        check_id(id)
        return ["pcs", "resource", "disable", id]


def _removed(wanted: Mapping[str, str], actual: Mapping[str, str]) -> list[str]:
    gone = [name for name in actual if name not in wanted]
    for name in gone:
        check_name(name)
    return [f"{name}=" for name in gone]


def _doubles(wanted: Primitive, actual: Primitive) -> list[Operation]:
    """Further operations of a wanted name: pcs would replace the first of them and leave the others."""
    names = {operation.name for operation in wanted.operations}
    seen: set[str] = set()
    doubles = []
    for operation in actual.operations:
        if operation.name in seen and operation.name in names and operation.cib_id:
            check_cib_id(operation.cib_id)
            doubles.append(operation)
        seen.add(operation.name)
    return doubles
