"""AWS CLI on the machines."""

from __future__ import annotations

from iconha_tui.engine.step import Stage

STAGE = Stage(
    name="awscli",
    title="AWS CLI on the machines",
    summary="Root on both machines gets what awseip needs to speak to AWS: keys or the instance's role, and the region. Then each machine proves it by the very calls that awseip makes.",
    steps=(),
)
