"""The settings of the elastic_ip stage: the primitive, and the very command that makes it."""

from __future__ import annotations

from iconha_tui.widgets.fields import TextField
from iconha_tui.widgets.form import Form


def form() -> Form:
    return Form(TextField("elastic_ip.id", "Resource id", example="elastic-ip"))
