"""Credentials."""

from __future__ import annotations

from iconha_tui.engine.step import Stage

STAGE = Stage(
    name="credentials",
    title="Credentials",
    summary="The program signs in to AWS as you, with your own profile, and checks at once who you are and that the region answers. It also settles how it reaches the machines over SSH and what the machines themselves will use to move the Elastic IP. Nothing is changed in this stage.",
    steps=(),
)
