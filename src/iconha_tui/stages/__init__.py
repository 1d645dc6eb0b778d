"""The guide "Creating HA network Stage 1", a module a stage. STAGES is the one place that knows their order."""

from __future__ import annotations

from iconha_tui.engine.step import Stage
from iconha_tui.stages import (
    authkey,
    awscli,
    corosync,
    credentials,
    elastic_ip,
    instances,
    pacemaker,
    packages,
    serving,
)

STAGES: tuple[Stage, ...] = (
    credentials.STAGE,
    instances.STAGE,
    packages.STAGE,
    authkey.STAGE,
    corosync.STAGE,
    pacemaker.STAGE,
    awscli.STAGE,
    elastic_ip.STAGE,
)

SERVES = serving.Serves()
"""The look at the pair with which a run ends."""
