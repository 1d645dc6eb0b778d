"""The settings of the corosync stage, and the editor of corosync.conf."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from textual.binding import Binding, BindingType

from iconha_tui.cluster.corosync_conf import departures
from iconha_tui.cluster.findings import Finding
from iconha_tui.engine.step import View
from iconha_tui.stages.corosync import findings, rendered_conf, settings
from iconha_tui.widgets.choices import Option
from iconha_tui.widgets.conf_editor import ConfEditor
from iconha_tui.widgets.fields import ChoiceField, TextField
from iconha_tui.widgets.form import Form
from iconha_tui.widgets.hanging import Row
from iconha_tui.widgets.note import Table
from iconha_tui.widgets.outlook import Outlook


def _render(outlook: Outlook, node: str) -> str:
    return rendered_conf(View(outlook.spec, outlook.facts), node)


def _judge(outlook: Outlook, node: str, text: str) -> Sequence[Finding]:
    try:
        return findings(View(outlook.spec, outlook.facts), text, node)
    except ValueError as error:
        return [Finding(1, 1, "error", str(error))]


UDPU = Option(
    "udpu", "udpu", "As in the guide. On Corosync 3 it is clear text and reads no key; on 2.4 it is encrypted."
)
KNET = Option("knet", "knet", "Encrypted with the key of the stage before. Needs Corosync 3 (Ubuntu 20.04 on).")


def _transports(outlook: Outlook) -> list[Option]:
    """Both transports; knet is refused where a node is known to have Corosync 2."""
    old = [name for name in outlook.spec.names if str(outlook.facts.get(f"{name}.corosync") or "").startswith("2.")]
    if not old:
        return [UDPU, KNET]
    has = f"{' and '.join(old)} {'have' if len(old) > 1 else 'has'} Corosync {outlook.facts[f'{old[0]}.corosync']}"
    return [UDPU, replace(KNET, refused=f"{has}, which has no knet: choose udpu.")]


STOP = Option("", "stop", "A corosync.conf that this program has not written stops the stage; nothing is overwritten.")


def _foreign(outlook: Outlook) -> list[Option]:
    """To stop, or to replace the files of somebody else that were found on the nodes."""
    found = {name: digest for name in outlook.spec.names if (digest := outlook.facts.get(f"{name}.conf_foreign"))}
    known = outlook.spec.corosync.replace
    options = [STOP]
    if known:
        options.append(Option(known, "replace", f"The files that you have allowed to replace (SHA-256 {known})."))
    value = "+".join(dict.fromkeys(found.values()))
    if found and value != known:
        whose = " and ".join(f"{name} ({digest}…)" for name, digest in found.items())
        options.append(
            Option(value, "replace it", f"Replaces the one found on {whose}, and keeps it as a backup there.")
        )
    return options


def _departures(outlook: Outlook) -> list[Row]:
    """The guide's lines beside ours, where the file is not the guide's."""
    try:
        found = departures(settings(View(outlook.spec, outlook.facts)))
    except ValueError:
        return []
    rows: list[Row] = []
    for each in found:
        rows += [("guide  ", each.guide), ("here   ", each.ours or "left out"), ("why    ", each.reason), ("", "")]
    return rows[:-1]


class CorosyncForm(Form):
    """The form with the editor of both files."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("f6", "editor", "Editor", key_display="F6", priority=True)]

    @property
    def editor(self) -> ConfEditor:
        return self.query_one(ConfEditor)

    def action_editor(self) -> None:
        """Gives the editor the whole screen, or takes it back."""
        if self.screen.maximized is None:
            self.editor.open()
        else:
            self.screen.minimize()


def form() -> Form:
    return CorosyncForm(
        TextField("corosync.cluster_name", "Cluster name", example="nodecluster"),
        ChoiceField("corosync.transport", "Transport", [UDPU, KNET], offer=_transports),
        TextField(
            "corosync.port",
            "UDP port",
            example="5405",
            hint="The security group opens it and its neighbours.",
            short=True,
        ),
        TextField(
            "corosync.token_ms",
            "Token (ms)",
            example="0",
            hint="Silence that loses a node; 0: its own default.",
            short=True,
        ),
        TextField(
            "corosync.settle",
            "Join within (s)",
            example="60",
            hint="Both must see each other by then.",
            short=True,
        ),
        ChoiceField("corosync.replace", "Files not ours", [STOP], offer=_foreign),
        Table("Where the file is not the guide's", _departures),
        beside=ConfEditor("corosync.conf", ("PRep-01", "PRep-02"), _render, _judge),
        classes="-rows",
    )
