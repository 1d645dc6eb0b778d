"""Elastic IP."""

from __future__ import annotations

from iconha_tui.engine.step import Stage

STAGE = Stage(
    name="elastic_ip",
    title="Elastic IP",
    summary="The Elastic IP becomes a resource of the cluster: Pacemaker keeps it on a living machine from now on.",
    steps=(),
)
