"""crm, of the package crmsh: the shell of the guide's own commands."""

from __future__ import annotations

import re
from collections.abc import Mapping

from iconha_tui.cluster.primitive import Primitive
from iconha_tui.cluster.shells.arguments import (
    UnsafeValueError,
    check,
    check_id,
    check_update,
    operations_and_meta,
    pairs,
)
from iconha_tui.cluster.shells.protocol import Argv, Update

_FILE = re.compile(r"/[A-Za-z0-9_./-]+\Z")


class Crm:
    name = "crm"
    title = "crm (crmsh)"
    about = "The guide's own commands. On both machines you work with `sudo crm status`."
    beside_guide = ""
    package = "crmsh"
    disturbing = ("crm node", "crm resource")

    def show_version(self) -> Argv:
        return ["crm", "--version"]

    def show_status(self) -> Argv:
        return ["crm", "status"]

    def show_configuration(self) -> Argv:
        return ["crm", "configure", "show"]

    def show_resource(self, id: str) -> Argv:
        check_id(id)
        return ["crm", "configure", "show", id]

    def set_properties(self, properties: Mapping[str, str]) -> list[Argv]:
        return [["crm", "configure", "property", pair] for pair in pairs(properties)]

    def create(self, primitive: Primitive) -> Argv:
        check(primitive)
        params = ["params", *pairs(primitive.params)] if primitive.params else []
        tail = operations_and_meta(primitive)
        return ["crm", "configure", "primitive", primitive.id, primitive.agent, *params, *tail]

    def update(self, wanted: Primitive, actual: Primitive, *, file: str = "/run/iconha-primitive.crm") -> Update:
        """`configure load update` replaces the whole primitive, so what is not wanted any more is gone."""
        check_update(wanted, actual)
        if not _FILE.match(file):
            raise UnsafeValueError(f"{file!r} is no path that crm takes.")
        return Update([["crm", "configure", "load", "update", file]], file, crm_text(wanted))

    def clean_up(self, id: str) -> Argv:
        check_id(id)
        return ["crm", "resource", "cleanup", id]

    def stop(self, id: str) -> Argv:
        check_id(id)
        return ["crm", "resource", "stop", id]


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


def _quoted_pairs(values: Mapping[str, str]) -> str:
    # The check has let no quote or backslash through, so double quotes end where they are meant to.
    return " ".join(f'{name}="{value}"' for name, value in values.items())
