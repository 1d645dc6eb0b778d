"""How a cluster is, read-only.

`eyes` is all that reaches the world, and it only reads. `watcher` looks, `compose` and `verdict` make a `report` of what
was seen, `text` tells it in lines.
"""

from __future__ import annotations

from iconha_tui.session import Session
from iconha_tui.status.eyes import SessionEyes, reject_host_key
from iconha_tui.status.report import Report
from iconha_tui.status.text import Log
from iconha_tui.status.watcher import EVERY, Watcher

__all__ = ["EVERY", "Log", "Report", "Watcher", "reject_host_key", "watch"]


def watch(session: Session, every: float = EVERY) -> Watcher:
    """A watcher of a session's cluster; it closes the session when it ends."""
    folder = session.store.folder(session.spec.name)
    return Watcher(
        session.spec,
        SessionEyes(session),
        kept=folder / "status.json",
        every=every,
        program=("iconha-tui", *session.store.option),
        journal=folder / "journal.jsonl",
    )
