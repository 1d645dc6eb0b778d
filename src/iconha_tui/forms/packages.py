"""The settings of the packages stage: the cluster shell."""

from __future__ import annotations

from iconha_tui.cluster.shells import SHELLS
from iconha_tui.engine.step import View
from iconha_tui.stages.packages import apt_packages, system_of
from iconha_tui.widgets.choices import Option
from iconha_tui.widgets.fields import ChoiceField
from iconha_tui.widgets.form import Form
from iconha_tui.widgets.hanging import Row
from iconha_tui.widgets.note import Table
from iconha_tui.widgets.outlook import Outlook


def _packages(outlook: Outlook) -> list[Row]:
    """What each machine gets, by its system: the one that it has, or that the settings wish for."""
    view = View(outlook.spec, outlook.facts)
    width = max(len(name) for name in outlook.spec.names) + 2
    return [
        (f"{name:<{width}}", f"{system_of(view, name).title()}: {', '.join(apt_packages(view, name))}")
        for name in outlook.spec.names
    ]


def form() -> Form:
    return Form(
        ChoiceField(
            "packages.shell",
            "Cluster shell",
            [Option(name, shell.title, shell.about) for name, shell in SHELLS.items()],
        ),
        Table("What each machine gets", _packages),
    )
