"""A cluster as it stands, with all that is particular to one build taken out: two builds of one spec have equal pictures.

pictures/ has those of undisturbed builds. test_guide.py, which builds undisturbed, holds them true; where the program has come
to build something else, `ICONHA_PICTURES=keep pytest tests/lab/test_guide.py -k picture` keeps them anew.
"""

from __future__ import annotations

import difflib
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lab_aws import aws, keys

from iconha_tui.lab.lab import Lab
from iconha_tui.spec import Spec
from iconha_tui.stages import tags

HERE = Path(__file__).parent

_LOOK = r"""
for file in /etc/corosync/corosync.conf /root/.aws/config /etc/systemd/system/pacemaker.service.d/50-iconha.conf; do
  echo "== $(stat -c '%n %U:%G %a' "$file")"; cat "$file"
done
echo "== credentials"; stat -c '%U:%G %a' /root/.aws/credentials; cat /root/.aws/credentials
echo "== files"; ls -A -I runs /etc/corosync /root/.aws /etc/systemd/system/pacemaker.service.d /var/lib/iconha-tui
echo "== services"; systemctl is-enabled corosync pacemaker; systemctl is-active corosync pacemaker
echo "== left behind"; systemctl list-units --all --plain --no-legend 'iconha-*'
for run in /var/lib/iconha-tui/runs/*/; do [ -e "$run/rc" ] || [ ! -d "$run" ] || echo "$run"; done
ls -A /tmp | grep -Ev '^(systemd-private|pymp-|\.[A-Z])' || true  # pymp: pcsd's own
echo "== packages"
dpkg-query -W -f '${Package} ${db:Status-Abbrev}\n' corosync pacemaker crmsh pcs resource-agents awscli 2>/dev/null
echo "== key"; stat -c '%U:%G %a %s' /etc/corosync/authkey
"""


@dataclass
class Picture:
    """nodes: each node's files and services. cib: the configuration, the same on both nodes. account: what there is on AWS."""

    nodes: dict[str, str]
    cib: list[str]
    account: dict[str, Any]


def machines(lab: Lab, spec: Spec) -> dict[str, dict[str, Any]]:
    """The living instances of a cluster, by node."""
    kinds = ["pending", "running", "stopping", "stopped"]
    filters = [
        {"Name": f"tag:{tags.CLUSTER}", "Values": [spec.name]},
        {"Name": "instance-state-name", "Values": kinds},
    ]
    found: dict[str, dict[str, Any]] = {}
    for reservation in aws(lab, "ec2").describe_instances(Filters=filters)["Reservations"]:
        for one in reservation["Instances"]:
            name = next(tag["Value"] for tag in one["Tags"] if tag["Key"] == tags.NODE)
            assert name not in found, f"{name} was launched twice"
            found[name] = one
    return found


def on(lab: Lab, instance_id: str, script: str) -> str:
    """What a shell script prints on a machine; it may fail."""
    return lab.exec(instance_id, ["sh", "-c", script]).stdout


def authkeys(lab: Lab, spec: Spec) -> dict[str, str]:
    """The SHA-256 of each node's key; "" where there is none."""
    look = "sha256sum /etc/corosync/authkey 2>/dev/null | cut -d' ' -f1"
    return {name: on(lab, one["InstanceId"], look).strip() for name, one in machines(lab, spec).items()}


def take(lab: Lab, spec: Spec) -> Picture:
    """The picture of a finished cluster."""
    ec2 = aws(lab, "ec2")
    found = machines(lab, spec)
    groups = ec2.describe_security_groups(Filters=[{"Name": f"tag:{tags.CLUSTER}", "Values": [spec.name]}])
    addresses = ec2.describe_addresses(Filters=[{"Name": f"tag:{tags.CLUSTER}", "Values": [spec.name]}])["Addresses"]
    names = {one["InstanceId"]: f"<{name}>" for name, one in found.items()}
    names |= {one["PrivateIpAddress"]: f"<ip of {name}>" for name, one in found.items()}
    names |= {group["GroupId"]: "<group>" for group in groups["SecurityGroups"]}
    for address in addresses:
        names |= {address["PublicIp"]: "<elastic ip>", address["AllocationId"]: "<allocation>"}
    names |= dict(zip(keys(lab, "lab-nodes"), ("<access key>", "<secret key>"), strict=True))

    def plain(text: str) -> str:
        for value, word in names.items():
            text = text.replace(value, word)
        return re.sub(r"\.iconha-\d{8}T\d{6}Z", ".iconha-<time>", text)

    account = {
        "instances": sorted(found),
        "addresses": [plain(one.get("InstanceId", "")) for one in addresses],
        "rules": [sorted(plain(rule) for rule in _rules(group)) for group in groups["SecurityGroups"]],
        "groups of the machines": {
            name: sorted(plain(group["GroupId"]) for group in one["NetworkInterfaces"][0]["Groups"])
            for name, one in sorted(found.items())
        },
    }
    nodes = {name: plain(on(lab, one["InstanceId"], _LOOK)) for name, one in sorted(found.items())}
    cibs = {plain("\n".join(plain_cib(on(lab, one["InstanceId"], "cibadmin -Q")))) for one in found.values()}
    assert len(cibs) == 1, "the nodes have different configurations"
    return Picture(nodes, cibs.pop().split("\n"), account)


def expected(lab: Lab, spec: Spec) -> Picture:
    """The picture that an undisturbed build has."""
    kept = json.loads(_file(lab, spec).read_text())
    return Picture({name: "\n".join(lines) for name, lines in kept["nodes"].items()}, kept["cib"], kept["account"])


def keep(lab: Lab, spec: Spec, found: Picture) -> None:
    """Makes this picture the one that is expected."""
    nodes = {name: text.split("\n") for name, text in found.nodes.items()}
    _file(lab, spec).write_text(json.dumps(asdict(found) | {"nodes": nodes}, indent=1) + "\n")


def _file(lab: Lab, spec: Spec) -> Path:
    return HERE / "pictures" / f"{lab.record.suite}-{spec.packages.shell}-{spec.awscli.credentials}.json"


def differences(found: dict[str, str], expected: dict[str, str]) -> Iterator[str]:
    """The lines in which two pictures' nodes differ."""
    for node in sorted(found.keys() | expected.keys()):
        for line in difflib.ndiff(expected.get(node, "").splitlines(), found.get(node, "").splitlines()):
            if line[0] in "+-":
                yield f"{node}: {line}"


def _rules(group: dict[str, Any]) -> list[str]:
    found = []
    for rule in group["IpPermissions"]:
        ports = f"{rule['IpProtocol']} {rule.get('FromPort')}-{rule.get('ToPort')}"
        found += [f"{ports} {one['CidrIp']}" for one in rule["IpRanges"]]
        found += [f"{ports} {one['CidrIpv6']}" for one in rule["Ipv6Ranges"]]
        found += [f"{ports} {one['GroupId']}" for one in rule["UserIdGroupPairs"]]
    return found


def plain_cib(xml: str) -> list[str]:
    """The configuration, an element a line, without counters and times."""
    root = ET.fromstring(xml).find("configuration")
    assert root is not None
    lines = []

    def walk(element: ET.Element, depth: int) -> None:
        if element.get("name") in (
            "last-lrm-refresh",
            "dc-version",
        ):  # when failures were cleared away; Pacemaker's own
            return
        told = " ".join(f'{key}="{value}"' for key, value in sorted(element.items()))
        lines.append(f"{'  ' * depth}{element.tag} {told}".rstrip())
        for child in sorted(element, key=lambda each: (each.tag, each.get("id", ""))):
            walk(child, depth + 1)

    walk(root, 0)
    return lines
