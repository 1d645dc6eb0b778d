"""A node stands by and comes back: Pacemaker's own commands, for users of any cluster shell.

`crm node standby` of crmsh 4.4 and later pings the node by its name, which resolves nowhere here, does nothing then, and
ends with exit code 0.
"""

from __future__ import annotations


def stand_by(node: str) -> list[str]:
    """Take all resources from a node, as before an upgrade or to test a failover."""
    return ["crm_standby", "-N", node, "-v", "on"]


def come_back(node: str) -> list[str]:
    """Let a node that stands by hold resources again."""
    return ["crm_standby", "-N", node, "-D"]
