"""Packages."""

from __future__ import annotations

from iconha_tui.engine.step import Stage

STAGE = Stage(
    name="packages",
    title="Packages",
    summary="Both machines get Corosync, Pacemaker, a cluster shell, the awseip resource agent and the AWS CLI. The one-node cluster that the packages start by themselves is stopped and cleared away.",
    steps=(),
)
