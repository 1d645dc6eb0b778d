"""The settings of the elastic_ip stage: the primitive, and the very command that makes it."""

from __future__ import annotations

from iconha_tui.stages.elastic_ip import STAGE
from iconha_tui.widgets.command_note import CommandNote
from iconha_tui.widgets.fields import Heading, TextField
from iconha_tui.widgets.form import Form
from iconha_tui.widgets.mapping import MappingField, RowField

META = {
    "migration-threshold": "After so many failures on a node the address moves to the other.",
    "failure-timeout": "After this time without a failure the count begins anew.",
    "resource-stickiness": "How much the address prefers to stay: it does not move back by itself.",
}
COLUMNS = {"timeout": "timeout", "interval": "interval", "on_fail": "on-fail"}


def form() -> Form:
    return Form(
        TextField("elastic_ip.id", "Resource id", example="elastic-ip"),
        Heading("Operations"),
        RowField("elastic_ip.start", "start", COLUMNS),
        RowField("elastic_ip.monitor", "monitor", COLUMNS),
        RowField(
            "elastic_ip.stop",
            "stop",
            COLUMNS,
            hint="on-fail: restart, block, ignore, stop, standby or fence. block waits for you where a stop fails.",
        ),
        TextField(
            "elastic_ip.api_delay",
            "API delay (s)",
            example="0",
            hint="Seconds that awseip waits between its API calls; 0: its own default of 3.",
        ),
        MappingField("elastic_ip.meta", "Meta attributes", META, others="target-role=Started"),
        CommandNote(STAGE, "elastic_ip.primitive"),
    )
