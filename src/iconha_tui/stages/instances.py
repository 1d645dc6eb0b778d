"""Instances and ports."""

from __future__ import annotations

from iconha_tui.engine.step import Stage

STAGE = Stage(
    name="instances",
    title="Instances and ports",
    summary="Two Ubuntu machines are chosen or launched, one security group opens the ports of a P-Rep and of Corosync, and an Elastic IP is given to the first machine. Then the program signs in to both over SSH.",
    steps=(),
)
