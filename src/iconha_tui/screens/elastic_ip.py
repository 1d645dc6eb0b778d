"""The settings of the elastic_ip stage: the primitive, and the very command that makes it."""

from __future__ import annotations

from collections.abc import Iterator

from iconha_tui.engine.step import View
from iconha_tui.screens import not_ours
from iconha_tui.stages.elastic_ip import STAGE, creation, guide_creation
from iconha_tui.widgets.command_note import CommandNote
from iconha_tui.widgets.fields import TextField
from iconha_tui.widgets.form import Form
from iconha_tui.widgets.mapping import ColumnHeads, MappingField, RowField

META = {
    "migration-threshold": "After so many failures on a node the address moves to the other.",
    "failure-timeout": "After this time without a failure the count begins anew.",
    "resource-stickiness": "How much the address prefers to stay: it does not move back by itself.",
}
COLUMNS = {"timeout": "timeout", "interval": "interval", "on_fail": "on-fail"}


def _why(view: View) -> Iterator[str]:
    shell = view.spec.packages.shell
    if view.facts.get("primitive") is not None:
        yield "The resource is there already: it is changed in place."
    if shell == "pcs":
        yield "You chose pcs in stage 3, which the guide allows too; it makes the same resource."
    alike = view.spec.model_copy(update={"packages": view.spec.packages.model_copy(update={"shell": "crm"})})
    if creation(View(alike, view.facts)) != guide_creation(view):
        yield "The other values are your own."


def form() -> Form:
    return Form(
        TextField("elastic_ip.id", "Resource id", example="elastic-ip"),
        ColumnHeads("Operations", COLUMNS),
        RowField("elastic_ip.start", "start", COLUMNS),
        RowField("elastic_ip.monitor", "monitor", COLUMNS),
        RowField(
            "elastic_ip.stop",
            "stop",
            COLUMNS,
            hint="on-fail is restart, block, ignore, stop, standby or fence. block waits for you.",
        ),
        TextField(
            "elastic_ip.api_delay",
            "API delay (s)",
            example="0",
            hint="awseip's pause between its calls; 0: its own 3.",
        ),
        MappingField("elastic_ip.meta", "Meta attributes", META, others="target-role=Started"),
        not_ours.choice("elastic_ip", "primitive_foreign", "A resource"),
        beside=CommandNote(
            STAGE,
            "elastic_ip.primitive",
            lambda view: [guide_creation(view)],
            _why,
            same="It is the guide's own, with your values for the address, the ids and $(which aws).",
        ),
        classes="-columns",
    )
