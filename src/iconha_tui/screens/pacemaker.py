"""The settings of the pacemaker stage: the cluster's properties, each with what it means."""

from __future__ import annotations

from iconha_tui.stages.pacemaker import PROPERTY_MEANS, STAGE
from iconha_tui.widgets.command_note import CommandNote
from iconha_tui.widgets.fields import TextField
from iconha_tui.widgets.form import Form
from iconha_tui.widgets.mapping import MappingField


def form() -> Form:
    return Form(
        MappingField(
            "pacemaker.properties",
            "Properties of the cluster",
            PROPERTY_MEANS,
            others="stonith-timeout=120s cluster-delay=60s",
        ),
        TextField(
            "pacemaker.settle",
            "Settle within (s)",
            example="90",
            hint="Both nodes must be online with a coordinator within this time.",
        ),
        CommandNote(STAGE, "pacemaker.properties"),
    )
