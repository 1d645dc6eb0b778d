"""What the parts of a form may look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from iconha_tui.engine.plan import LookedAt
    from iconha_tui.spec import Spec


@dataclass(frozen=True)
class Outlook:
    """The draft of the spec, what is known of the world and when it was seen, and the names of the secrets in memory."""

    spec: Spec
    facts: Mapping[str, Any]
    secrets: frozenset[str] = frozenset()
    looks: LookedAt = field(default_factory=dict)
