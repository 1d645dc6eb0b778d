"""The machines' security group: the rules that it is to have, and those that it has."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from iconha_tui.engine.actions import Lookup
from iconha_tui.engine.step import Context, View
from iconha_tui.spec import Spec
from iconha_tui.stages import tags
from iconha_tui.stages.lookup import look_up


def lookups(view: View) -> list[Lookup]:
    """What finds the cluster's group, and its rules."""
    params = {"Filters": [*tags.filters(view), {"Name": "vpc-id", "Values": [view.fact("vpc_id")]}]}
    return [
        Lookup("group_id", "ec2", "describe_security_groups", params, "SecurityGroups[0].GroupId"),
        Lookup("group_rules", "ec2", "describe_security_groups", params, "SecurityGroups[0].IpPermissions"),
    ]


def corosync_ports(spec: Spec) -> tuple[int, int]:
    """The lowest and the highest UDP port that is open between the machines: the guide's 5404 to 5406, and the spec's."""
    return min(5404, spec.corosync.port - 1), max(5406, spec.corosync.port + 1)


def wanted_rules(view: View) -> list[dict[str, Any]]:
    """The rules of the guide, one source each, as IpPermissions."""
    anyone = [{"IpRanges": [{"CidrIp": "0.0.0.0/0"}]}, {"Ipv6Ranges": [{"CidrIpv6": "::/0"}]}]
    ssh = view.spec.instances.ssh_cidr
    ssh_source = {"Ipv6Ranges": [{"CidrIpv6": ssh}]} if ":" in ssh else {"IpRanges": [{"CidrIp": ssh}]}
    low, high = corosync_ports(view.spec)
    rules = [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, **ssh_source}]
    for port in (7100, 9000):
        rules += [{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **source} for source in anyone]
    rules.append(
        {"IpProtocol": "udp", "FromPort": low, "ToPort": high, "UserIdGroupPairs": [{"GroupId": view.fact("group_id")}]}
    )
    return rules


def _sources(rule: dict[str, Any]) -> Iterable[tuple[Any, ...]]:
    """A rule as comparable values, one per source, whatever else EC2 adds to it."""
    ports = (rule.get("IpProtocol"), rule.get("FromPort"), rule.get("ToPort"))
    for item in rule.get("IpRanges", []):
        yield (*ports, item["CidrIp"])
    for item in rule.get("Ipv6Ranges", []):
        yield (*ports, item["CidrIpv6"])
    for item in rule.get("UserIdGroupPairs", []):
        yield (*ports, item["GroupId"])


def missing_rules(view: View) -> list[dict[str, Any]]:
    """The wanted rules that the group does not have yet."""
    there = {source for rule in view.facts.get("group_rules") or [] for source in _sources(rule)}
    return [rule for rule in wanted_rules(view) if not set(_sources(rule)) <= there]


def opens_other_ports(ctx: Context) -> bool:
    """Whether the machines' group lets Corosync through, and not on the spec's port: it was changed, and this stage has not run.

    Asks EC2 where the group is known. Raises Trouble.
    """
    group = ctx.view.facts.get("group_id")
    if not group or "vpc_id" not in ctx.view.facts:
        return False
    ctx.learn(look_up(ctx, lookups(ctx.view)))
    sources = [source for rule in ctx.view.facts.get("group_rules") or [] for source in _sources(rule)]
    lets_through = any(protocol == "udp" and source == group for protocol, _, _, source in sources)
    return lets_through and any(rule["IpProtocol"] == "udp" for rule in missing_rules(ctx.view))
