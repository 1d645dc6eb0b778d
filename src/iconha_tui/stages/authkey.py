"""Authentication key."""

from __future__ import annotations

from iconha_tui.engine.step import Stage

STAGE = Stage(
    name="authkey",
    title="Authentication key",
    summary="Corosync's shared key is made once on the first machine and carried to the second through this program's memory. Both copies are root's alone and are compared by SHA-256.",
    steps=(),
)
