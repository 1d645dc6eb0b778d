"""Times as people tell them."""

from __future__ import annotations

import time


def ago(then: float, now: float) -> str:
    """How long ago: just now, 5 min ago, 2 h ago, yesterday, 3 days ago."""
    passed = now - then
    if passed < 60:  # a clock that was set back as well
        return "just now"
    if passed < 3600:
        return f"{passed // 60:.0f} min ago"
    if passed < 86_400:
        return f"{passed // 3600:.0f} h ago"
    days = passed // 86_400
    return "yesterday" if days == 1 else f"{days:.0f} days ago"


def moment(then: float) -> str:
    """Date and time here."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(then))


def duration(seconds: float) -> str:
    """A time span as people read it: 0.4 s, 12 s, 3 min 05 s."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
