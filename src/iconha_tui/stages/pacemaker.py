"""Pacemaker."""

from __future__ import annotations

from iconha_tui.engine.step import Stage

STAGE = Stage(
    name="pacemaker",
    title="Pacemaker",
    summary="Pacemaker is started on both machines, a coordinator is elected, and the two properties of the guide are set.",
    steps=(),
)
