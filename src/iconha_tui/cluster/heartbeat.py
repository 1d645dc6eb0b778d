"""Corosync's heartbeat: whether the token goes round, and which links stand, from its counters.

Membership does not tell. Where a packet filter blocks a node's own packets too, no new membership can form, and members and
quorum go on as they were for as long as it lasts (measured, 3.1.7); these counters change within seconds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from iconha_tui.text import whole_number

COROSYNC_3 = ("corosync-cmapctl", "-m", "stats", "stats.srp.", "stats.knet.")
"""The command for Corosync 3. It fails on 2.4, which has no such map."""

COROSYNC_2 = ("corosync-cmapctl", "runtime.totem.pg.mrp.srp.")
"""The command for Corosync 2.4. It prints nothing on 3. A counter is at most some seconds old there."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What a node's Corosync counts. None where it does not tell.

    token_age_ms: milliseconds since it received the token (from Corosync 3 on). While the heartbeat goes it stays far below
    the token timeout, also on a node that is alone in its membership.
    continuous_gather: attempts to form a membership that failed in a row; 0 while one stands.
    firewall_or_nic_failure: Corosync's own conclusion, after more than three such attempts.
    links: whether knet's link to a node is connected, by (node id, link's number). Both ends count for themselves: where only
    one says no, packets get lost in one direction.
    """

    token_age_ms: int | None = None
    continuous_gather: int | None = None
    firewall_or_nic_failure: bool | None = None
    links: Mapping[tuple[int, int], bool] = field(default_factory=dict)


# stats.srp.continuous_gather (u32) = 0                       Corosync 3
# runtime.totem.pg.mrp.srp.continuous_gather (u32) = 0        Corosync 2.4
_COUNTER = re.compile(
    r"(?:stats|runtime\.totem\.pg\.mrp)\.srp\."
    r"(time_since_token_last_received|continuous_gather|firewall_enabled_or_nic_failure) \([a-z0-9]+\) = ([0-9]+)\s*\Z",
    re.ASCII,
)
_LINK = re.compile(
    r"stats\.knet\.node([0-9]{1,10})\.link([0-9]{1,3})\.connected \([a-z0-9]+\) = ([0-9]+)\s*\Z", re.ASCII
)


def parse_heartbeat(text: str) -> Heartbeat:
    """Read what COROSYNC_3 and COROSYNC_2 print, also together. Lines that are not understood are passed over."""
    counters: dict[str, int | None] = {}
    links: dict[tuple[int, int], bool] = {}
    for line in text.split("\n"):
        if match := _COUNTER.match(line):
            counters[match[1]] = whole_number(match[2])
        elif match := _LINK.match(line):
            links[int(match[1]), int(match[2])] = match[3] != "0"
    firewall = counters.get("firewall_enabled_or_nic_failure")
    return Heartbeat(
        token_age_ms=counters.get("time_since_token_last_received"),
        continuous_gather=counters.get("continuous_gather"),
        firewall_or_nic_failure=None if firewall is None else firewall != 0,
        links=links,
    )
