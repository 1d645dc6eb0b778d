"""The live lists to choose from: what is in AWS already, and the profiles and keys of this machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from iconha_tui.engine.ports import Cloud
from iconha_tui.spec import Spec

Answer = Mapping[str, Any]


class Choice(Protocol):
    """A list to choose from. The first column is what a field takes."""

    @property
    def title(self) -> str: ...

    @property
    def columns(self) -> tuple[str, ...]: ...

    def rows(self, cloud: Cloud, spec: Spec) -> list[tuple[str, ...]]:
        """Looks what there is. Raises Trouble."""


@dataclass(frozen=True)
class LocalList:
    """A list of what this machine has."""

    title: str
    columns: tuple[str, ...]
    find: Callable[[Spec], list[tuple[str, ...]]]

    def rows(self, cloud: Cloud, spec: Spec) -> list[tuple[str, ...]]:
        return self.find(spec)


@dataclass(frozen=True)
class LiveList:
    """One list: an EC2 call, and the rows of its answer. The first column is what a field takes."""

    title: str
    operation: str
    columns: tuple[str, ...]
    read: Callable[[Answer], list[tuple[str, ...]]]
    params: Mapping[str, Any] | None = None

    def rows(self, cloud: Cloud, spec: Spec) -> list[tuple[str, ...]]:
        """Asks AWS. Raises Trouble."""
        return sorted(self.read(cloud.call("ec2", self.operation, dict(self.params or {}))), key=lambda row: row[1:])


def name_of(tags: Sequence[Mapping[str, str]] | None) -> str:
    """The Name tag, as EC2's console shows it."""
    return next((tag["Value"] for tag in tags or () if tag["Key"] == "Name"), "")


def _instances(answer: Answer) -> list[tuple[str, ...]]:
    return [
        (
            found["InstanceId"],
            name_of(found.get("Tags")),
            found["State"]["Name"],
            found.get("Placement", {}).get("AvailabilityZone", ""),
            found.get("PrivateIpAddress", ""),
            found.get("PublicIpAddress", ""),
        )
        for reservation in answer["Reservations"]
        for found in reservation["Instances"]
        if found["State"]["Name"] not in ("terminated", "shutting-down")
    ]


def _key_pairs(answer: Answer) -> list[tuple[str, ...]]:
    return [(found["KeyName"], found.get("KeyType", "")) for found in answer["KeyPairs"]]


def _subnets(answer: Answer) -> list[tuple[str, ...]]:
    return [
        (
            found["SubnetId"],
            name_of(found.get("Tags")),
            found["AvailabilityZone"],
            found.get("CidrBlock") or _ipv6(found),
            found["VpcId"],
            "yes" if found.get("MapPublicIpOnLaunch") else "no",
        )
        for found in answer["Subnets"]
    ]


def _ipv6(subnet: Mapping[str, Any]) -> str:
    """The network of a subnet that has no IPv4."""
    return next((each["Ipv6CidrBlock"] for each in subnet.get("Ipv6CidrBlockAssociationSet", ())), "")


def _addresses(answer: Answer) -> list[tuple[str, ...]]:
    return [
        (
            found["AllocationId"],
            found.get("PublicIp") or found.get("CarrierIp", ""),
            name_of(found.get("Tags")),
            found.get("InstanceId") or found.get("NetworkInterfaceId") or "free",
        )
        for found in answer["Addresses"]
        if found.get("AllocationId")
    ]


def _regions(answer: Answer) -> list[tuple[str, ...]]:
    return [(found["RegionName"], found.get("Endpoint", "")) for found in answer["Regions"]]


def _profiles(spec: Spec) -> list[tuple[str, ...]]:
    from iconha_tui.cloud.client import profiles

    return [(name,) for name in profiles(spec.aws)]


def _private_keys(spec: Spec) -> list[tuple[str, ...]]:
    """The files of ~/.ssh that begin as private keys do; nothing more of them is read."""
    found: list[tuple[str, ...]] = []
    for path in sorted(Path("~/.ssh").expanduser().glob("*")):
        try:
            with path.open("rb") as file:
                if b"PRIVATE KEY-----" in file.read(64):
                    found.append((f"~/.ssh/{path.name}",))
        except OSError:
            continue
    return found


LISTS: dict[str, Choice] = {
    "regions": LiveList("Regions of this account", "describe_regions", ("Name", "Endpoint"), _regions),
    "profiles": LocalList("Profiles of the AWS config files", ("Name",), _profiles),
    "private_keys": LocalList("Private keys in ~/.ssh", ("File",), _private_keys),
    "instances": LiveList(
        "Instances of this region",
        "describe_instances",
        ("Id", "Name", "State", "Zone", "Private", "Public"),
        _instances,
    ),
    "key_pairs": LiveList("Key pairs of this region", "describe_key_pairs", ("Name", "Type"), _key_pairs),
    "subnets": LiveList(
        "Subnets of this region",
        "describe_subnets",
        ("Id", "Name", "Zone", "Network", "VPC", "Public addresses"),
        _subnets,
    ),
    "addresses": LiveList(
        "Elastic IPs of this region", "describe_addresses", ("Id", "Address", "Name", "Held by"), _addresses
    ),
}
