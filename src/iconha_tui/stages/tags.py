"""The tags by which a run finds again what it made, however often it is interrupted."""

from __future__ import annotations

from typing import Any

from iconha_tui.engine.step import View

CLUSTER = "iconha:cluster"
NODE = "iconha:node"


def of_cluster(view: View, kind: str, name: str, node: str = "") -> list[dict[str, Any]]:
    """TagSpecifications for a new resource of `kind` (an EC2 resource type), with `name` as its Name."""
    tags = [{"Key": "Name", "Value": name}, {"Key": CLUSTER, "Value": view.spec.tagged}]
    if node:
        tags.append({"Key": NODE, "Value": node})
    return [{"ResourceType": kind, "Tags": tags}]


def filters(view: View, node: str = "") -> list[dict[str, Any]]:
    """The Filters that find it again."""
    found = [{"Name": f"tag:{CLUSTER}", "Values": [view.spec.tagged]}]
    if node:
        found.append({"Name": f"tag:{NODE}", "Values": [node]})
    return found
