"""The settings of the corosync stage, and the editor of corosync.conf."""

from __future__ import annotations

from collections.abc import Sequence

from iconha_tui.cluster.findings import Finding
from iconha_tui.engine.step import View
from iconha_tui.stages.corosync import findings, rendered_conf
from iconha_tui.widgets.conf_editor import ConfEditor
from iconha_tui.widgets.fields import ChoiceField, Option, TextField
from iconha_tui.widgets.form import Form
from iconha_tui.widgets.outlook import Outlook


def _render(outlook: Outlook, node: str) -> str:
    return rendered_conf(View(outlook.spec, outlook.facts), node)


def _judge(outlook: Outlook, node: str, text: str) -> Sequence[Finding]:
    try:
        return findings(View(outlook.spec, outlook.facts), text, node)
    except ValueError as error:
        return [Finding(1, 1, "error", str(error))]


def form() -> Form:
    return Form(
        TextField("corosync.cluster_name", "Cluster name", example="nodecluster"),
        ChoiceField(
            "corosync.transport",
            "Transport",
            [
                Option(
                    "udpu",
                    "udpu",
                    "As in the guide. On Corosync 3 it is clear text and reads no key; on 2.4 it is encrypted.",
                ),
                Option(
                    "knet", "knet", "Encrypted with the key of the stage before. Needs Corosync 3 (Ubuntu 20.04 on)."
                ),
            ],
        ),
        TextField("corosync.port", "UDP port", example="5405", hint="The security group opens 5404 to 5406."),
        TextField(
            "corosync.token_ms",
            "Token (ms)",
            example="0",
            hint="Milliseconds until a silent node counts as lost; 0: Corosync's default (1000, from 3.0.4 on 3000).",
        ),
        TextField("corosync.settle", "Join within (s)", example="60"),
        ConfEditor("corosync.conf", ("PRep-01", "PRep-02"), _render, _judge),
    )
