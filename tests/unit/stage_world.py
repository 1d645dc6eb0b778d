"""Nodes and an AWS that answer as they are told, for probes; and the plan of a step as a table compares it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iconha_tui.engine.actions import Action, Call, Copy, Run, Upload
from iconha_tui.engine.ports import Completed
from iconha_tui.engine.step import Context, Step, Vault, Verdict, View
from iconha_tui.errors import Trouble
from iconha_tui.spec import Spec

ONE, TWO = "PRep-01", "PRep-02"

KNOWN: dict[str, Any] = {
    "PRep-01.private_ip": "10.0.0.11",
    "PRep-02.private_ip": "10.0.0.12",
    "PRep-01.public_ip": "198.51.100.11",
    "PRep-02.public_ip": "198.51.100.12",
    "PRep-01.instance_id": "i-00000000000000001",
    "PRep-02.instance_id": "i-00000000000000002",
    "PRep-01.aws": "/usr/bin/aws",
    "PRep-02.aws": "/usr/bin/aws",
    "PRep-01.subnet_id": "subnet-1",
    "PRep-02.subnet_id": "subnet-2",
    "vpc_id": "vpc-1",
    "group_id": "sg-1",
    "image_id": "ami-1",
    "allocation_id": "eipalloc-1",
    "elastic_ip": "203.0.113.10",
}
"""What the instances stage brings."""


class Node:
    """Answers a command by the first key of `says` that is in it; keeps `files` to be read. Its cluster runs and is empty."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.says: dict[str, str | Completed | Trouble] = {}
        self.files: dict[str, bytes] = {}
        self.ran: list[tuple[str, ...]] = []

    def run(self, argv: tuple[str, ...], **how: object) -> Completed:
        self.ran.append(argv)
        silent = "<crm_mon/>" if argv == ("crm_mon", "-X") else ""
        said = next((said for key, said in self.says.items() if key in " ".join(argv)), silent)
        if isinstance(said, Trouble):
            raise said
        return said if isinstance(said, Completed) else Completed(0, said, "")

    def run_long(self, key: str, argv: tuple[str, ...], **how: object) -> Completed:
        raise AssertionError("a probe runs nothing long")

    def read(self, path: str) -> bytes | None:
        return self.files.get(path)

    def write(self, path: str, content: bytes, **how: object) -> None:
        raise AssertionError("a probe writes nothing")


class Cloud:
    """Answers by operation; refuses whatever is no reading. Without more, it knows no security group."""

    def __init__(self) -> None:
        self.says: dict[str, dict[str, Any] | Trouble] = {"describe_security_groups": {"SecurityGroups": []}}
        self.asked: list[tuple[str, Mapping[str, Any]]] = []

    def call(self, service: str, operation: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        assert operation.startswith(("describe_", "get_")), operation
        self.asked.append((operation, dict(params or {})))
        said = self.says[operation]
        if isinstance(said, Trouble):
            raise said
        return said


class World:
    """A context for probes. facts: KNOWN and what a test adds."""

    def __init__(
        self, spec: Spec | None = None, facts: Mapping[str, Any] | None = None, secrets: Mapping[str, str] | None = None
    ) -> None:
        self.nodes = {ONE: Node(ONE), TWO: Node(TWO)}
        self.cloud = Cloud()
        self.node_cloud = Cloud()
        self.unreachable: dict[tuple[str, int], str] = {}
        self.ctx = Context(
            spec or Spec(),
            self.cloud,
            self.nodes.__getitem__,
            lambda: self.node_cloud,
            lambda host, port: self.unreachable.get((host, port), ""),
            Vault(secrets),
            {**KNOWN, **(facts or {})},
        )

    def probe(self, step: Step, target: str) -> Verdict:
        """The verdict, its facts learnt as the runner would."""
        verdict = step.probe(self.ctx, target)
        self.ctx.learn(verdict.facts)
        return verdict

    def plan(self, step: Step, target: str) -> list[str]:
        return lines(step.plan(self.ctx.view, target))


def planned(step: Step, target: str, spec: Spec | None = None, **facts: Any) -> list[str]:
    """The plan of a step, of the spec and KNOWN; facts are given with _ for the dot after the node's name."""
    return lines(step.plan(View(spec or Spec(), {**KNOWN, **facts}), target))


def lines(actions: list[Action]) -> list[str]:
    """One line an action, as an operator reads it."""
    return [action.shown() for action in actions]


def only(actions: list[Action], kind: type[Run] | type[Upload] | type[Copy] | type[Call]) -> list[Any]:
    return [action for action in actions if isinstance(action, kind)]


def spec_with(**tables: Any) -> Spec:
    return Spec.model_validate(tables)


def rules(*given: tuple[str, int, int, list[str], list[str], list[str]]) -> dict[str, Any]:
    """A security group as EC2 tells it: protocol, ports, and the sources of each kind merged into one rule."""
    return {
        "SecurityGroups": [
            {
                "GroupId": "sg-1",
                "IpPermissions": [
                    {
                        "IpProtocol": protocol,
                        "FromPort": low,
                        "ToPort": high,
                        "IpRanges": [{"CidrIp": each, "Description": "by hand"} for each in four],
                        "Ipv6Ranges": [{"CidrIpv6": each} for each in six],
                        "PrefixListIds": [],
                        "UserIdGroupPairs": [{"GroupId": each, "UserId": "123456789012"} for each in groups],
                    }
                    for protocol, low, high, four, six, groups in given
                ],
            }
        ]
    }


def reservation(number: int, state: str = "running", **more: Any) -> dict[str, Any]:
    return {
        "Instances": [
            {
                "InstanceId": f"i-0000000000000000{number}",
                "State": {"Name": state},
                "PrivateIpAddress": f"10.0.0.1{number}",
                "PublicIpAddress": f"198.51.100.1{number}",
                "VpcId": "vpc-1",
                "Placement": {"AvailabilityZone": "us-east-1a"},
                "NetworkInterfaces": [{"Attachment": {"DeviceIndex": 0}, "Groups": [{"GroupId": "sg-1"}]}],
                **more,
            }
        ]
    }


_LIVING = """<pacemaker-result api-version="2.25" request="crm_mon -X"><summary>
    <stack type="corosync"/><current_dc present="true" name="PRep-01" id="1" with_quorum="true"/>
    <cluster_options maintenance-mode="{paused}"/></summary><nodes>
    <node name="PRep-01" id="1" online="true" standby="false" pending="false" unclean="false" type="member"/>
    <node name="PRep-02" id="2" online="true" standby="false" pending="false" unclean="false" type="member"/>
    </nodes><resources><resource id="elastic-ip" resource_agent="ocf:heartbeat:awseip" role="Started" active="true"
    orphaned="false" blocked="false" managed="true" failed="false" failure_ignored="false" nodes_running_on="1">
    <node name="{holder}" id="1" cached="true"/></resource></resources><status code="0" message="OK"/></pacemaker-result>"""


def living_pair(holder: str, paused: str = "false") -> str:
    """crm_mon's XML of a pair that serves: `holder` has the address. paused: maintenance-mode."""
    return _LIVING.format(paused=paused, holder=holder)
