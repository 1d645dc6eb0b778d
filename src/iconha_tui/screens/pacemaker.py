"""The settings of the pacemaker stage: the cluster's properties."""

from __future__ import annotations

from iconha_tui.widgets.fields import TextField
from iconha_tui.widgets.form import Form


def form() -> Form:
    return Form(TextField("pacemaker.settle", "Settle within (s)", example="90"))
