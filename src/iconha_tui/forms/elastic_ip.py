"""The settings of the elastic_ip stage: the primitive, and the very command that makes it."""

from __future__ import annotations

from collections.abc import Iterator

from iconha_tui.engine.step import View
from iconha_tui.forms.takeover_field import takeover_field
from iconha_tui.stages.elastic_ip import STAGE, guide_creation, is_as_in_guide
from iconha_tui.stages.packages import why_another_shell
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
    if view.facts.get("primitive") is not None:
        yield "The resource is there already: it is changed in place."
    if chosen := why_another_shell(view.spec):
        yield f"{chosen} It makes the same resource."
    if not is_as_in_guide(view):
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
        takeover_field("elastic_ip", "primitive_foreign", "A resource"),
        beside=CommandNote(
            STAGE,
            "elastic_ip.primitive",
            lambda view: [guide_creation(view)],
            _why,
            same="It is the guide's own, with your values for the address, the ids and $(which aws).",
        ),
        classes="-columns",
    )
