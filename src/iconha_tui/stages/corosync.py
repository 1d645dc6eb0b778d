"""Corosync."""

from __future__ import annotations

from iconha_tui.engine.step import Stage

STAGE = Stage(
    name="corosync",
    title="Corosync",
    summary="Each machine gets its corosync.conf, judged by corosync itself before it replaces the old one. Then Corosync is started and both machines must see each other.",
    steps=(),
)
