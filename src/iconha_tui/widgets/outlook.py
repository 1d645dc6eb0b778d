"""What the parts of a form may look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from iconha_tui.spec import Spec


@dataclass(frozen=True)
class Outlook:
    """The draft of the spec, what is known of the world, and the names of the secrets that are in memory."""

    spec: Spec
    facts: Mapping[str, Any]
    secrets: frozenset[str] = frozenset()
