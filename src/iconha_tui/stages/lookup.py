"""Reads the facts of a step's lookups from the AWS API."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import jmespath

from iconha_tui.engine.actions import Lookup
from iconha_tui.engine.step import Context


def look_up(ctx: Context, lookups: Iterable[Lookup]) -> dict[str, Any]:
    """fact -> what its query finds, None where it finds nothing. An answer that several lookups share is asked for once."""
    answers: dict[str, dict[str, Any]] = {}
    facts = {}
    for lookup in lookups:
        asked = f"{lookup.service}.{lookup.operation} {lookup.params}"
        if asked not in answers:
            answers[asked] = ctx.cloud.call(lookup.service, lookup.operation, lookup.params)
        facts[lookup.fact] = jmespath.search(lookup.query, answers[asked])
    return facts
