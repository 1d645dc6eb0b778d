"""Instances and ports (guide step 1): two machines, a security group, an Elastic IP; then SSH reaches both."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from iconha_tui.engine.actions import Action, Call, Lookup, Run
from iconha_tui.engine.step import AWS, Blocked, CheckStep, Context, Done, Needed, Stage, Step, Verdict, View
from iconha_tui.errors import Trouble
from iconha_tui.stages import corosync, records, security_group, tags
from iconha_tui.stages.lookup import look_up
from iconha_tui.text import whole_number

CANONICAL = "099720109477"
"""Canonical's AWS account (Ubuntu documentation, "Find Ubuntu images on AWS"): nobody else's "ubuntu" is believed."""

_CODENAMES = {"18.04": "bionic", "20.04": "focal", "22.04": "jammy", "24.04": "noble"}

_OLD_AGENTS = {"ubuntu 18.04", "ubuntu 20.04"}
"""Their awseip (before resource-agents 4.7) asks the metadata service for the instance's id without a token."""

BOOT = 240.0
"""Seconds within which a machine that was just started lets one in."""
UP = 30.0
"""Seconds for which one that has been up for longer is waited for."""

ALIVE = ["pending", "running", "stopping", "stopped"]


def find_instance(view: View, node: str) -> dict[str, Any]:
    """The describe_instances parameters that find a node: by its id, or by the tags of what a run launched."""
    spec = next(n for n in view.spec.nodes if n.name == node)
    if view.spec.instances.mode == "existing":
        return {"InstanceIds": [spec.instance_id]}
    return {"Filters": [*tags.filters(view, node), {"Name": "instance-state-name", "Values": ALIVE}]}


def instance_lookups(view: View, node: str) -> list[Lookup]:
    """The facts of a node's machine: <node>.instance_id, .state, .private_ip, .public_ip, .vpc_id, .started, .zone, .type,
    .groups, .imds."""
    params = find_instance(view, node)
    fields = {
        "instance_id": "InstanceId",
        "state": "State.Name",
        "private_ip": "PrivateIpAddress",
        "public_ip": "PublicIpAddress",
        "vpc_id": "VpcId",
        "started": "LaunchTime",
        "zone": "Placement.AvailabilityZone",
        "type": "InstanceType",
        "groups": "NetworkInterfaces[?Attachment.DeviceIndex==`0`].Groups[] | [].GroupId",
        "imds": "MetadataOptions.HttpTokens",
    }
    return [
        Lookup(f"{node}.{name}", "ec2", "describe_instances", params, f"Reservations[].Instances[] | [0].{query}")
        for name, query in fields.items()
    ]


class OnAws(Step):
    """A step that speaks to the AWS API for the cluster as a whole."""

    def targets(self, view: View) -> Sequence[str]:
        return [AWS]


class Image(OnAws, CheckStep):
    id = "instances.image"
    title = "The Ubuntu image"
    usual = 0.2
    guide = "Ubuntu Server 18.04 LTS"
    departs = (
        "Ubuntu 18.04 has left standard support; 22.04 is the default, and every release since 18.04 can be chosen."
    )

    def lookups(self, view: View) -> list[Lookup]:
        wanted = view.spec.instances
        if wanted.image:
            params: dict[str, Any] = {"ImageIds": [wanted.image]}
        else:
            name = f"ubuntu/images/hvm-ssd*/ubuntu-{_CODENAMES[wanted.ubuntu]}-{wanted.ubuntu}-amd64-server-*"
            params = {"Owners": [CANONICAL], "Filters": [{"Name": "name", "Values": [name]}]}
        newest = "sort_by(Images, &CreationDate)[-1]"
        return [
            Lookup("image_id", "ec2", "describe_images", params, f"{newest}.ImageId"),
            Lookup("image_name", "ec2", "describe_images", params, f"{newest}.Name"),
            Lookup("image_root", "ec2", "describe_images", params, f"{newest}.RootDeviceName"),
        ]

    def probe(self, ctx: Context, target: str) -> Verdict:
        if ctx.spec.instances.mode == "existing":
            return Done("not needed: the machines exist")
        facts = look_up(ctx, self.lookups(ctx.view))
        if not facts["image_id"]:
            return Blocked(
                f"{ctx.spec.aws.region} has no image of Ubuntu {ctx.spec.instances.ubuntu} by Canonical.",
                "Choose another release, or name an image.",
            )
        return Done(f"{facts['image_id']} {facts['image_name'] or ''}".rstrip(), facts)


class Network(OnAws, CheckStep):
    id = "instances.network"
    title = "The network"
    usual = 0.2

    def lookups(self, view: View) -> list[Lookup]:
        if view.spec.instances.mode == "existing":
            return [
                Lookup("vpc_id", "ec2", "describe_instances", find_instance(view, view.spec.names[0]),
                       "Reservations[].Instances[] | [0].VpcId")
            ]  # fmt: skip
        ids = view.spec.instances.subnet_ids
        params: dict[str, Any] = (
            {"SubnetIds": ids} if ids else {"Filters": [{"Name": "default-for-az", "Values": ["true"]}]}
        )
        found = []
        for index, node in enumerate(view.spec.names):
            # the answer comes in any order: a subnet that was asked for is picked by its id
            pick = f"Subnets[?SubnetId=='{ids[min(index, len(ids) - 1)]}'] | [0]" if ids else "Subnets[0]"
            found.append(Lookup(f"{node}.subnet_id", "ec2", "describe_subnets", params, f"{pick}.SubnetId"))
            found.append(Lookup(f"{node}.subnet_vpc", "ec2", "describe_subnets", params, f"{pick}.VpcId"))
        found.append(Lookup("vpc_id", "ec2", "describe_subnets", params, "Subnets[0].VpcId"))
        return found

    def probe(self, ctx: Context, target: str) -> Verdict:
        facts = look_up(ctx, self.lookups(ctx.view))
        if not facts["vpc_id"]:
            return Blocked("The account has no default VPC in this region.", "Choose a subnet in the instances stage.")
        first, second = ctx.spec.names
        if ctx.spec.instances.mode == "existing":
            other = look_up(ctx, instance_lookups(ctx.view, second))[f"{second}.vpc_id"]
        else:
            other = facts[f"{second}.subnet_vpc"]
        if other != facts["vpc_id"]:
            return Blocked(
                f"{first} and {second} are in different VPCs ({facts['vpc_id']} and {other}).",
                "Corosync needs both in one network: choose machines or subnets of the same VPC.",
            )
        return Done(f"VPC {facts['vpc_id']}", facts)


class Group(OnAws):
    id = "instances.group"
    title = "The security group"
    usual = 0.3
    guide = "Create security group"

    def lookups(self, view: View) -> list[Lookup]:
        return security_group.lookups(view)

    def probe(self, ctx: Context, target: str) -> Verdict:
        facts = look_up(ctx, self.lookups(ctx.view))
        if not facts["group_id"]:
            return Needed("There is no security group of this cluster yet.", facts)
        return Done(facts["group_id"], facts)

    def plan(self, view: View, target: str) -> list[Action]:
        name = f"iconha-{view.spec.tagged}"
        return [
            Call(
                "ec2",
                "create_security_group",
                {
                    "GroupName": name,
                    "Description": "P-Rep pair: SSH, P-Rep, Corosync",
                    "VpcId": view.fact("vpc_id"),
                    "TagSpecifications": tags.of_cluster(view, "security-group", name),
                },
                why="one group for both nodes",
            )
        ]


class Rules(OnAws):
    id = "instances.rules"
    title = "The open ports"
    skip = (
        "Other groups of the machines must open the ports then. SSH and Corosync's are tried by the steps after this one; the "
        "P-Rep's, 7100 and 9000, show only when peers do not reach it."
    )
    usual = 0.3
    guide = "tcp 22, tcp 7100, tcp 9000, udp 5404-5406"
    departs = "Corosync's ports are opened to the group itself only, and SSH to the network that you name."

    def probe(self, ctx: Context, target: str) -> Verdict:
        facts = look_up(ctx, security_group.lookups(ctx.view))
        ctx.learn(facts)
        missing = security_group.missing_rules(ctx.view)
        if missing:
            ports = sorted({f"{rule['IpProtocol']} {rule['FromPort']}" for rule in missing})
            return Needed(f"Not open yet: {', '.join(ports)}.")
        return Done("tcp 22, 7100, 9000 and Corosync's udp ports are open")

    def plan(self, view: View, target: str) -> list[Action]:
        return [
            Call(
                "ec2",
                "authorize_security_group_ingress",
                {"GroupId": view.fact("group_id"), "IpPermissions": security_group.missing_rules(view)},
                why="rules that are there already are not repeated",
            )
        ]


class Machine(Step):
    """One target per node; the calls go to AWS all the same, both nodes' at once."""

    id = "instances.machine"
    title = "The machines run"
    vital = "It is the machines that all other stages work on."
    usual = 15.0  # on the lab 2: EC2 takes its time, and an estimate had better be too long
    guide = "Launch two EC2 instances: PRep-01 (active), PRep-02 (passive)"
    patience = 300.0

    def lookups(self, view: View) -> list[Lookup]:
        found = [lookup for node in view.spec.names for lookup in instance_lookups(view, node)]
        if view.spec.instances.mode == "existing":
            # For scripts: the groups as they stand between the quotes of a JSON list.
            found += [
                replace(
                    each,
                    fact=each.fact.replace(".groups", ".held_groups"),
                    query=f"join('\",\"', {each.query} || `[]`)",
                )
                for each in found
                if each.fact.endswith(".groups")
            ]
        return [replace(each, awaited="running") if each.fact.endswith(".state") else each for each in found]

    def probe(self, ctx: Context, target: str) -> Verdict:
        facts = look_up(ctx, instance_lookups(ctx.view, target))
        state = facts[f"{target}.state"]
        where = f"{facts[f'{target}.instance_id']} in {facts[f'{target}.zone']}"
        if state == "running":
            found, wanted = facts[f"{target}.type"], ctx.spec.instances.instance_type
            other = ctx.spec.instances.mode == "launch" and found not in (None, wanted)
            note = f"; it stays a {found}: a {wanted} is what a new machine would be" if other else ""
            return Done(f"{where}, {facts[f'{target}.private_ip']}{note}", facts)
        if state in ("terminated", "shutting-down"):
            return Blocked(f"{where} is {state}.", "Choose another instance in the instances stage.")
        if state is None:
            gone = look_up(ctx, [_gone(ctx.view, target)])[f"{target}.gone"] or []
            facts |= {f"{target}.launch_hour": int(time.time() // 3600), f"{target}.gone": sorted(gone)}
            if gone:
                return Needed(f"{' and '.join(gone)} was terminated; a new machine takes its place.", facts)
            return Needed("It does not exist yet.", facts)
        return Needed(f"{where} is {state}.", facts)

    def verify(self, ctx: Context, target: str) -> Verdict:
        """A machine that EC2 has given up as it started is not waited for."""
        before = ctx.view.facts
        verdict = self.probe(ctx, target)
        gone = set(verdict.facts.get(f"{target}.gone") or [])
        if before.get(f"{target}.state") is None:  # it was launched in this step, and may not be shown yet
            lost = sorted(gone - set(before.get(f"{target}.gone") or []))
        else:
            lost = sorted(gone & {before.get(f"{target}.instance_id")})
        if lost:
            asks_why = ctx.spec.aws.command(
                "ec2", "describe-instances", "--instance-ids", *lost,
                "--query", "Reservations[].Instances[].StateReason.Message", "--output", "text",
            )  # fmt: skip
            return Blocked(
                f"{' and '.join(lost)} was terminated as it started.",
                f"EC2 says why: `{asks_why}`. Mend that, then retry: a new machine takes its place.",
            )
        return verdict

    def plan(self, view: View, target: str) -> list[Action]:
        state = view.facts.get(f"{target}.state")
        if state == "pending":
            return []
        existing = view.spec.instances.mode == "existing"
        if existing or state is not None:
            chosen = next(each.instance_id for each in view.spec.nodes if each.name == target)
            found = chosen if existing else view.fact(f"{target}.instance_id")
            return [Call("ec2", "start_instances", {"InstanceIds": [found]}, why="it is stopped")]
        return [
            Call("ec2", "run_instances", self._launch(view, target), why=f"{target}, tagged with the cluster's name")
        ]

    @staticmethod
    def _launch(view: View, node: str) -> dict[str, Any]:
        wanted = view.spec.instances
        params: dict[str, Any] = {
            "ImageId": view.fact("image_id"),
            "InstanceType": wanted.instance_type,
            "MinCount": 1,
            "MaxCount": 1,
            "NetworkInterfaces": [
                {
                    "DeviceIndex": 0,
                    "SubnetId": view.fact(f"{node}.subnet_id"),
                    "Groups": [view.fact("group_id")],
                    "AssociatePublicIpAddress": True,
                }
            ],
            "BlockDeviceMappings": [
                {
                    "DeviceName": view.facts.get("image_root") or "/dev/sda1",
                    "Ebs": {"VolumeSize": wanted.volume_gib, "VolumeType": "gp3", "Encrypted": True},
                }
            ],
            "TagSpecifications": tags.of_cluster(view, "instance", node, node),
        }
        if wanted.instance_profile:
            params["IamInstanceProfile"] = {"Name": wanted.instance_profile}
        if wanted.key_pair:
            params["KeyName"] = wanted.key_pair
        # The same token for the same wish: a call that is repeated after a lost answer launches nothing twice.
        # Those that are gone are in it, and the hour since EC2 forgets them after one, because EC2 refuses a token whose
        # instance has been terminated; and the whole wish because it refuses a token that comes with other parameters.
        since = [view.facts.get(f"{node}.launch_hour"), view.facts.get(f"{node}.gone") or []]
        wish = json.dumps([params, *since], sort_keys=True)
        return {**params, "ClientToken": hashlib.sha256(wish.encode()).hexdigest()[:48]}


def _gone(view: View, node: str) -> Lookup:
    """The machines that had the part of a node and were terminated: EC2 knows them for about an hour."""
    states = [{"Name": "instance-state-name", "Values": ["shutting-down", "terminated"]}]
    params = {"Filters": [*tags.filters(view, node), *states]}
    return Lookup(f"{node}.gone", "ec2", "describe_instances", params, "Reservations[].Instances[].InstanceId")


class GroupAttached(Step):
    id = "instances.attach_group"
    title = "The machines are in the group"
    skip = Rules.skip
    usual = 0.2

    def probe(self, ctx: Context, target: str) -> Verdict:
        facts = look_up(ctx, instance_lookups(ctx.view, target))
        if ctx.fact("group_id") in (facts[f"{target}.groups"] or []):
            return Done("in the group", facts)
        return Needed("It is not in the cluster's security group.", facts)

    def plan(self, view: View, target: str) -> list[Action]:
        if view.spec.instances.mode == "launch":
            return []
        held = view.facts.get(f"{target}.groups")
        if held is None:  # a script, which must not take the machine out of its groups either
            held = [view.fact(f"{target}.held_groups")]
        groups = [*held, view.fact("group_id")]
        params = {"InstanceId": view.fact(f"{target}.instance_id"), "Groups": groups}
        return [Call("ec2", "modify_instance_attribute", params, why="beside the groups that it has")]


def address_lookups(view: View) -> list[Lookup]:
    """The facts of the Elastic IP: allocation_id, elastic_ip, holder (an instance id)."""
    chosen = view.spec.instances.allocation_id
    params: dict[str, Any] = {"AllocationIds": [chosen]} if chosen else {"Filters": tags.filters(view)}
    fields = {"allocation_id": "AllocationId", "elastic_ip": "PublicIp", "holder": "InstanceId"}
    return [
        Lookup(name, "ec2", "describe_addresses", params, f"Addresses[0].{query}") for name, query in fields.items()
    ]


class Allocated(OnAws):
    id = "instances.allocate"
    title = "The Elastic IP is yours"
    vital = "The address is what the pair is built for."
    usual = 0.2
    guide = "Allocate Elastic IP"

    def lookups(self, view: View) -> list[Lookup]:
        return address_lookups(view)

    def probe(self, ctx: Context, target: str) -> Verdict:
        facts = look_up(ctx, self.lookups(ctx.view))
        if not facts["allocation_id"]:
            return Needed("There is no Elastic IP of this cluster yet.", facts)
        return Done(f"{facts['elastic_ip']} ({facts['allocation_id']})", facts)

    def plan(self, view: View, target: str) -> list[Action]:
        name = f"iconha-{view.spec.tagged}"
        return [
            Call(
                "ec2",
                "allocate_address",
                {"Domain": "vpc", "TagSpecifications": tags.of_cluster(view, "elastic-ip", name)},
                why="the address that peers and clients know",
            )
        ]


class Associated(OnAws):
    id = "instances.associate"
    title = "The Elastic IP leads to the active node"
    vital = "Pacemaker would later take the address from whatever machine holds it."
    usual = 0.5
    guide = "Associate Elastic IP with PRep-01"
    departs = "An address that a node of this cluster holds already stays where it is: Pacemaker has put it there."
    patience = 60.0

    def probe(self, ctx: Context, target: str) -> Verdict:
        facts = look_up(ctx, [*address_lookups(ctx.view), *Machine().lookups(ctx.view)])
        holder, address = facts["holder"], facts["elastic_ip"]
        ours = {facts[f"{node}.instance_id"]: node for node in ctx.spec.names}
        if not holder:
            return Needed(f"{address or 'The address'} leads nowhere yet.", facts)
        if holder not in ours:
            return Blocked(
                f"{address} belongs to another machine now ({holder}).",
                "Choose another address, or take it from that machine in the AWS console.",
            )
        return Done(f"{address} leads to {ours[holder]}", facts)

    def plan(self, view: View, target: str) -> list[Action]:
        return [
            Call(
                "ec2",
                "associate_address",
                {
                    "AllocationId": view.fact("allocation_id"),
                    "InstanceId": view.fact(f"{view.spec.names[0]}.instance_id"),
                    "AllowReassociation": False,
                },
                why="fails rather than take the address from another machine",
            )
        ]


_LOOK = (
    "uname -m; . /etc/os-release; echo \"$ID $VERSION_ID\"; echo \"$PRETTY_NAME\"; systemctl --version | sed -n 1p; "
    "df -P / | awk 'END{print $4}'; cat /proc/sys/kernel/hostname"
)  # fmt: skip


class Signin(CheckStep):
    id = "instances.signin"
    title = "SSH reaches the machines"
    vital = "All that follows is done over SSH."
    usual = 20.0  # on the lab 1, see above
    guide = "ssh ubuntu@<public ip>"
    departs = (
        "Unknown host keys are shown to you first, and are kept per instance, since the Elastic IP changes machines."
    )

    def patience_for(self, view: View) -> float:
        """Four minutes from the start of the younger machine, half a minute for one that has been up for long."""
        started = [at for node in view.spec.names if isinstance(at := view.facts.get(f"{node}.started"), datetime)]
        age = (datetime.now(UTC) - max(started)).total_seconds() if started else 0.0
        return max(BOOT - age, UP)

    def lookups(self, view: View) -> list[Lookup]:
        return [lookup for node in view.spec.names for lookup in instance_lookups(view, node)]

    def condition(self, view: View, target: str) -> Run:
        return Run(target, ("true",))

    def probe(self, ctx: Context, target: str) -> Verdict:
        facts = look_up(ctx, instance_lookups(ctx.view, target))
        ctx.learn(facts)
        try:
            said = ctx.node(target).run(("sh", "-c", _LOOK), timeout=30)
        except Trouble as trouble:
            if trouble.transient:
                return Needed(str(trouble), facts, code=trouble.code)
            raise
        if said.code != 0:
            return Blocked(
                f"It does not answer as a Linux with systemd: {said.tail}", "Choose an Ubuntu or Debian machine."
            )
        arch, system, pretty, systemd, free, host = (*said.stdout.splitlines(), *[""] * 6)[:6]
        name, _, version = system.partition(" ")
        if name not in ("ubuntu", "debian"):
            return Blocked(
                f"It runs {pretty}.", "The guide's packages are those of Ubuntu and Debian: choose such a machine."
            )
        if facts[f"{target}.imds"] == "required" and f"{name} {version}" in _OLD_AGENTS:
            tokenless = ctx.spec.aws.command(
                "ec2", "modify-instance-metadata-options", "--http-tokens", "optional",
                "--instance-id", facts[f"{target}.instance_id"],
            )  # fmt: skip
            return Blocked(
                f"Its metadata service wants tokens (IMDSv2), and the agent awseip of {pretty} knows none: the address would "
                "never move.",
                f"Let it ask without: `{tokenless}`. Or choose Ubuntu 22.04 or newer.",
            )
        if (kib := whole_number(free)) is not None and kib < 1_000_000:
            return Blocked(f"It has only {kib // 1024} MiB of disk free.", "Make 1 GiB free on its root file system.")
        return Done(
            f"{pretty}, {arch}",
            {f"{target}.os": f"{name} {version}", f"{target}.systemd": systemd, f"{target}.hostname": host},
        )


class Free(CheckStep):
    """The corosync stage would stop at such a file too, but packages would be installed, and a key copied, by then."""

    id = "instances.free"
    title = "No other cluster is on the machines"
    usual = 0.3

    def probe(self, ctx: Context, target: str) -> Verdict:
        try:
            there = records.standing(ctx, target, corosync.wanted_conf(ctx.view, target))
        except ValueError as error:
            return Blocked(str(error), "Correct it in the corosync stage.")
        if there.other:
            return Blocked(there.foreign, there.remedy, {f"{target}.conf_foreign": there.digest[: records.DIGITS]})
        return Done("it is this one" if there.whose in ("wanted", "ours") else "none")


STAGE = Stage(
    name="instances",
    title="Instances and ports",
    summary=(
        "Two Ubuntu machines are chosen or launched, one security group opens the ports of a P-Rep and of Corosync, and an "
        "Elastic IP is given to the first machine. Then the program signs in to both over SSH. Everything that it makes is "
        "tagged with the cluster's name, and found again by it."
    ),
    steps=(
        Image(), Network(), Group(), Rules(), Machine(), GroupAttached(), Allocated(), Associated(), Signin(), Free(),
    ),
)  # fmt: skip
