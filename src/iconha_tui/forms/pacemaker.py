"""The settings of the pacemaker stage: the cluster's properties, each with what it means."""

from __future__ import annotations

from collections.abc import Iterator

from iconha_tui.engine.step import View
from iconha_tui.forms.takeover_field import takeover_field
from iconha_tui.stages.pacemaker import GUIDE_PROPERTIES, PROPERTY_MEANS, STAGE, guide_commands
from iconha_tui.stages.packages import why_another_shell
from iconha_tui.widgets.command_note import CommandNote
from iconha_tui.widgets.fields import TextField
from iconha_tui.widgets.form import Form
from iconha_tui.widgets.mapping import MappingField


def _why(view: View) -> Iterator[str]:
    if chosen := why_another_shell(view.spec):
        yield f"{chosen} What is set is the same."
    if view.spec.pacemaker.properties != GUIDE_PROPERTIES:
        yield "These properties are your own."


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
            hint="Both nodes must be online with a coordinator by then.",
            short=True,
        ),
        takeover_field("pacemaker", "properties_foreign", "A property"),
        beside=CommandNote(STAGE, "pacemaker.properties", guide_commands, _why),
    )
