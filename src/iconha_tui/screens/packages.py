"""The settings of the packages stage: the cluster shell."""

from __future__ import annotations

from iconha_tui.widgets.fields import ChoiceField, Option
from iconha_tui.widgets.form import Form


def form() -> Form:
    return Form(
        ChoiceField(
            "packages.shell",
            "Cluster shell",
            [
                Option("crm", "crm (crmsh)", "The guide's own commands. On both machines you work with `crm status`."),
                Option("pcs", "pcs", "Red Hat's shell, which the guide allows too. You work with `pcs status`."),
            ],
        ),
    )
