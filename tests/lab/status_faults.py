"""States of a finished pair that a status is asked about: how each is made on the lab and undone, and what it has to say of it.

docs/status.md has them as a table, which `python tests/lab/status_faults.py` writes; test_status_faults.py makes them all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lab_aws import aws

from iconha_tui.cluster.crm_mon import parse_crm_mon
from iconha_tui.lab.lab import Lab
from iconha_tui.lab.shell import run
from iconha_tui.status.report import VERDICT_WORDS, Verdict

FIRST, SECOND = "PRep-01", "PRep-02"
RESOURCE = "elastic-ip"

Place = Literal["active", "standby", "both", "filter active", "filter standby", "filter both"]
"""Where something is done: on the node that has the address, on the other, on each. A script, as root; with filter a change of
the node's packet filter, as iptables takes it."""
Do = tuple[tuple[Place, str], ...]

EXIT_CODES: dict[Verdict, int] = {"ready": 0, "not_ready": 1, "unknown": 3, "down": 5, "split": 6, "not_built": 7}
"""As docs/status.md promises them."""


@dataclass(frozen=True)
class Fault:
    """A state of the pair.

    name: what is wrong, as the table has it. make, undo: how it is made and undone; {active} and {standby} stand for the nodes'
    names, {active_ip} and {standby_ip} for their private addresses, {address} and {allocation} for a second Elastic IP. how:
    make in words, where its scripts do not speak for themselves. verdict: what a status has to say. reason: the code that is to
    be among its reasons, or its doubts where it is unknown; "" where nothing is wrong. reconfigures: the cluster's configuration
    of before is put back at the end. mended: the command that is told with it mends it. quick: it is made by
    `make test` too; `make reliability` makes all.
    """

    name: str
    make: Do
    undo: Do = ()
    verdict: Verdict = "not_ready"
    reason: str = ""
    how: str = ""
    reconfigures: bool = False
    mended: bool = False
    quick: bool = False

    @property
    def id(self) -> str:
        return re.sub("[^a-z0-9]+", "-", self.name.lower()).strip("-")

    @property
    def row(self) -> str:
        """Its row of the table."""
        made = "; ".join(f"{_PLACES[place].format(text)}" for place, text in self.make)
        made = re.sub(r"\{([a-z_]+)\}", lambda match: match[1].upper(), self.how or made)
        reason = f"`{self.reason}`" if self.reason else ""
        cells = (self.name, made, VERDICT_WORDS[self.verdict].upper(), str(EXIT_CODES[self.verdict]), reason)
        return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


_PLACES: dict[Place, str] = {
    "active": "active node: `{}`",
    "standby": "standby: `{}`",
    "both": "both: `{}`",
    "filter active": "active node: `iptables {}`",
    "filter standby": "standby: `iptables {}`",
    "filter both": "both: `iptables {}`",
}


@dataclass
class State:
    """over: it is no more, before anybody has undone it."""

    over: bool = False


class Stage:
    """The pair on which they are made."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab

    def sh(self, node: str, script: str) -> str:
        """What a script prints on a node; it has to go well."""
        done = self.lab.exec(node, ["sh", "-c", script])
        assert done.returncode == 0, f"{node}: {script}: {done.stdout}{done.stderr}"
        return done.stdout

    def active(self) -> str:
        """The node that has the address. It is waited for: a start may be under way."""
        self.sh(FIRST, "crm_resource --wait --timeout 120s")
        (node,) = parse_crm_mon(self.sh(FIRST, "crm_mon -X")).started_on(RESOURCE)
        return node

    @contextmanager
    def made(self, fault: Fault) -> Iterator[State]:
        """The state, for as long as the block lasts."""
        active = self.active()
        standby = SECOND if active == FIRST else FIRST
        words = {"active": active, "standby": standby}
        words |= {f"{part}_ip": str(self.lab.instance(node)["private_ip"]) for part, node in tuple(words.items())}
        second = self._second_address() if "{allocation}" in str(fault.make) else {}
        words |= second
        before = self.sh(active, "cibadmin --query --scope configuration") if fault.reconfigures else ""
        state = State()
        try:
            self._do(fault.make, words)
            yield state
        finally:
            if not state.over:
                self._do(fault.undo, words)
            if fault.reconfigures:
                put_back = ["cibadmin", "--replace", "--scope", "configuration", "--xml-pipe"]
                done = self.lab.exec(active, put_back, feed=before)
                assert done.returncode == 0, done.stderr
            if second:
                self.sh(active, "crm_resource --wait --timeout 60s")
                ec2 = aws(self.lab, "ec2")
                found = ec2.describe_addresses(AllocationIds=[second["allocation"]])["Addresses"][0]
                if "AssociationId" in found:
                    ec2.disassociate_address(AssociationId=found["AssociationId"])
                ec2.release_address(AllocationId=second["allocation"])

    def _second_address(self) -> dict[str, str]:
        made: dict[str, Any] = aws(self.lab, "ec2").allocate_address(Domain="vpc")
        return {"address": made["PublicIp"], "allocation": made["AllocationId"]}

    def _do(self, steps: Do, words: dict[str, str]) -> None:
        for place, text in steps:
            *tool, where = place.split()
            for node in (FIRST, SECOND) if where == "both" else (words[where],):
                script = re.sub(r"\{([a-z_]+)\}", lambda match: words[match[1]], text)
                if tool:
                    pid = self.lab.instance(node)["pid"]
                    run(["nsenter", "--net", "--target", str(pid), "--", "iptables", *script.split()])
                else:
                    self.sh(node, script)


def blocked(place: Place, rule: str) -> dict[str, Do]:
    return {"make": ((place, f"-I {rule} -j DROP"),), "undo": ((place, f"-D {rule} -j DROP"),)}


def option(name: str, value: str, before: str = "") -> dict[str, Do]:
    """An option of the cluster. before: what it was; "" where it was not set."""
    change = f"crm_attribute --type crm_config --name {name} "
    return {
        "make": (("active", f"{change}--update {value}"),),
        "undo": (("active", change + (f"--update {before}" if before else "--delete")),),
    }


def renamed(file: str) -> dict[str, Do]:
    """A file of the standby that is away."""
    return {"make": (("standby", f"mv {file} {file}.away"),), "undo": (("standby", f"mv {file}.away {file}"),)}


def meta(name: str, value: str) -> dict[str, Do]:
    """A meta attribute of the resource."""
    change = f"crm_resource --resource {RESOURCE} --meta"
    return {
        "make": (("active", f"{change} --set-parameter {name} --parameter-value {value}"),),
        "undo": (("active", f"{change} --delete-parameter {name}"),),
    }


def node_attribute(name: str, value: str) -> dict[str, Do]:
    """An attribute of the standby."""
    change = f"crm_attribute --type nodes --node {{standby}} --name {name}"
    return {"make": (("active", f"{change} --update {value}"),), "undo": (("active", f"{change} --delete"),)}


def constraint(xml: str) -> Do:
    return (("active", f"cibadmin --create --scope constraints --xml-text '{xml}'"),)


def service(node: Place, did: str, undid: str, *units: str) -> dict[str, Do]:
    return {
        "make": ((node, f"systemctl {did} {' '.join(units)}"),),
        "undo": ((node, f"systemctl {undid} {' '.join(units)}"),),
    }


def resources(edit: str) -> Do:
    """The resources of the configuration after an edit by sed."""
    edited = f"cibadmin --query --scope resources | sed '{edit}' > /run/resources.xml"
    return (("active", f"{edited} && cibadmin --replace --scope resources --xml-file /run/resources.xml"),)


AGENT = "/usr/lib/ocf/resource.d/heartbeat/awseip"
CORE = f"crm_resource --resource {RESOURCE}"
FAILURES = f"attrd_updater --node {{standby}} --name 'fail-count-{RESOURCE}#start_0'"
HEALTH = "crm_attribute --type status --node {standby} --name '#health-disk'"
FENCE = "crm_attribute --type status --node {standby} --name terminate"
CREDENTIALS = "/root/.aws/credentials"
HEARTBEAT = "-p udp --dport 5404:5406"
RULE = (
    f'<rsc_location id="rule" rsc="{RESOURCE}"><rule id="rule-1" score="-INFINITY">'
    '<expression id="rule-1-1" attribute="#uname" operation="eq" value="{standby}"/></rule></rsc_location>'
)


def rival(address: str, allocation: str) -> str:
    values = {"elastic_ip": address, "allocation_id": allocation, "awscli": "/usr/bin/aws"}
    pairs = "".join(f'<nvpair id="a-rival-{name}" name="{name}" value="{value}"/>' for name, value in values.items())
    return (
        '<primitive id="a-rival" class="ocf" provider="heartbeat" type="awseip">'
        f'<instance_attributes id="a-rival-attributes">{pairs}</instance_attributes></primitive>'
    )


HELD_AS_TOLD: tuple[Place, str] = ("both", "crm_attribute --type crm_config --name maintenance-mode --delete")
"""What undoes the command that is told of a split."""
STOP_FAILS = (
    f"cp -p {AGENT} {AGENT}.away && sed -i '1a [ \"$1\" != stop ] || exit 1' {AGENT} && "
    f"{CORE} --meta --set-parameter target-role --parameter-value Stopped && {CORE} --wait --timeout 60s"
)

FAULTS = (
    Fault("Nothing", (), verdict="ready", how="as it was built", quick=True),
    Fault(
        "A location preference for the active node",
        constraint(f'<rsc_location id="here" rsc="{RESOURCE}" node="{{active}}" score="100"/>'),
        verdict="ready",
        reconfigures=True,
    ),
    Fault(
        "One failure on the standby, of two that count",
        (("standby", f"{FAILURES} --update 1"),),
        (("standby", f"{FAILURES} --delete"),),
        verdict="ready",
    ),
    Fault(
        "Another awseip comes first in the configuration, with an address of its own, on the standby",
        (
            *resources(f"s|<resources>|&{rival('{address}', '{allocation}')}|"),
            *constraint('<rsc_location id="there" rsc="a-rival" node="{standby}" score="100"/>'),
            ("active", "crm_resource --wait --timeout 60s"),
        ),
        verdict="ready",
        how="a second Elastic IP, and a primitive for it before ours, by `cibadmin --replace`",
        reconfigures=True,
    ),
    Fault(
        "The heartbeat is blocked on both nodes",
        **blocked("filter both", f"INPUT {HEARTBEAT}"),
        reason="heartbeat_stopped",
        quick=True,
    ),
    Fault(
        "The nodes are cut off from one another, and there is no fencing",
        (
            *blocked("filter active", "INPUT -s {standby_ip}")["make"],
            *blocked("filter active", "OUTPUT -d {standby_ip}")["make"],
            *blocked("filter standby", "INPUT -s {active_ip}")["make"],
            *blocked("filter standby", "OUTPUT -d {active_ip}")["make"],
        ),
        (
            *blocked("filter active", "INPUT -s {standby_ip}")["undo"],
            *blocked("filter active", "OUTPUT -d {standby_ip}")["undo"],
            *blocked("filter standby", "INPUT -s {active_ip}")["undo"],
            *blocked("filter standby", "OUTPUT -d {active_ip}")["undo"],
            HELD_AS_TOLD,
        ),
        verdict="split",
        reason="each_alone",
        quick=True,
    ),
    Fault(
        "The active node does not hear the standby",
        blocked("filter active", f"INPUT -s {{standby_ip}} {HEARTBEAT}")["make"],
        (*blocked("filter active", f"INPUT -s {{standby_ip}} {HEARTBEAT}")["undo"], HELD_AS_TOLD),
        verdict="split",
        reason="each_alone",
    ),
    Fault(
        "Corosync is frozen on the standby",
        (("standby", "pkill -STOP -x corosync"),),
        (("standby", "pkill -CONT -x corosync"),),
        reason="standby_offline",
    ),
    Fault(
        "Pacemaker's controller is frozen on the standby",
        (("standby", "pkill -STOP -x pacemaker-contr"),),
        (("standby", "pkill -CONT -x pacemaker-contr"),),
        reason="controller_hangs",
        mended=True,
    ),
    Fault("The standby is on standby", **node_attribute("standby", "on"), reason="standby_mode", mended=True),
    Fault(
        "The standby is in maintenance", **node_attribute("maintenance", "true"), reason="node_maintenance", mended=True
    ),
    Fault(
        "Pacemaker is stopped on the standby",
        **service("standby", "stop", "start", "pacemaker"),
        reason="cluster_stopped",
        mended=True,
    ),
    Fault(
        "Corosync and Pacemaker are stopped on the standby",
        **service("standby", "stop", "start", "pacemaker", "corosync"),
        reason="cluster_stopped",
        mended=True,
    ),
    Fault(
        "No memory is left for connections to Corosync and Pacemaker on the standby",
        (("standby", "fallocate -l $(df -B1 --output=avail /dev/shm | tail -n 1) /dev/shm/filled"),),
        (("standby", "rm /dev/shm/filled"),),
        reason="memory_full",
    ),
    Fault(
        "The standby's disk is full",
        (("standby", "mount -t tmpfs -o size=1m tmpfs /var/log"),),
        (("standby", "umount -l /var/log"),),
        reason="disk_full",
    ),
    Fault(
        "The standby's health is red",
        (*option("node-health-strategy", "migrate-on-red")["make"], ("standby", f"{HEALTH} --update red")),
        (("standby", f"{HEALTH} --delete"), *option("node-health-strategy", "")["undo"]),
        reason="health_red",
    ),
    Fault(
        "The fail count on the standby is INFINITY",
        (("standby", f"{FAILURES} --update INFINITY"),),
        (("standby", f"{FAILURES} --delete"),),
        reason="failed_too_often",
        mended=True,
    ),
    Fault(
        "The standby is to be fenced, and there is no device: it is UNCLEAN, and online",
        (*option("stonith-enabled", "true")["make"], ("active", f"{FENCE} --update true")),
        (("active", f"{FENCE} --delete"), *option("stonith-enabled", "", "false")["undo"]),
        reason="standby_unclean",
    ),
    Fault(
        "The address is banned from the standby",
        (("active", f"{CORE} --ban --node {{standby}}"),),
        (("active", f"{CORE} --clear"),),
        reason="banned",
        quick=True,
        mended=True,
    ),
    Fault(
        "A rule keeps the address off the standby", constraint(RULE), reason="banned", reconfigures=True, mended=True
    ),
    Fault(
        "symmetric-cluster=false, with a place for the address on the active node alone",
        (
            *constraint(f'<rsc_location id="here" rsc="{RESOURCE}" node="{{active}}" score="100"/>'),
            *option("symmetric-cluster", "false")["make"],
        ),
        reason="no_takeover",
        reconfigures=True,
    ),
    Fault(
        "The resource needs a ticket that is not granted, and may stay where it is",
        constraint(f'<rsc_ticket id="ticket" rsc="{RESOURCE}" ticket="site" loss-policy="freeze"/>'),
        reason="no_takeover",
        reconfigures=True,
    ),
    Fault(
        "The cluster is in maintenance mode",
        **option("maintenance-mode", "true"),
        reason="maintenance_mode",
        mended=True,
    ),
    Fault("The resource is not managed", **meta("is-managed", "false"), reason="unmanaged", mended=True),
    Fault(
        "Fencing is on, and there is no device",
        **option("stonith-enabled", "true", "false"),
        reason="cannot_fence",
        mended=True,
    ),
    Fault(
        "The resource runs, and is no longer configured",
        (
            *option("stop-orphan-resources", "false")["make"],
            ("active", f"cibadmin --delete --xpath '//primitive[@id=\"{RESOURCE}\"]'"),
        ),
        reason="orphaned",
        reconfigures=True,
    ),
    Fault(
        "The resource is cloned, and active on both nodes",
        (
            *resources(f's|<primitive id="{RESOURCE}"|<clone id="twice">&|; s|</primitive>|&</clone>|'),
            ("active", "crm_resource --wait --timeout 60s"),
        ),
        reason="active_on_both",
        how="the primitive within `<clone>`, by `cibadmin --replace`",
        reconfigures=True,
    ),
    Fault(
        "Stopping the resource has failed: it is blocked",
        (("active", STOP_FAILS),),
        (
            ("active", f"mv {AGENT}.away {AGENT}"),
            ("active", f"{CORE} --meta --delete-parameter target-role"),
            ("active", f"{CORE} --cleanup"),
        ),
        reason="blocked",
        how="active node: the agent's stop made to fail, then target-role=Stopped",
    ),
    Fault(
        "Root's AWS credentials are missing on the standby", **renamed(CREDENTIALS), reason="aws_refused", quick=True
    ),
    Fault(
        "Root's AWS credentials on the standby are of nobody",
        (("standby", f"sed -i.away 's/^aws_access_key_id.*/aws_access_key_id = AKIAIOSFODNN7EXAMPLE/' {CREDENTIALS}"),),
        (("standby", f"mv {CREDENTIALS}.away {CREDENTIALS}"),),
        reason="aws_refused",
        how="standby: another access key id in /root/.aws/credentials",
    ),
    Fault(
        "EC2 cannot be reached from the standby",
        **blocked("filter standby", "OUTPUT -p tcp --dport 443"),
        reason="aws_refused",
    ),
    Fault(
        "The metadata service does not answer on the standby",
        **blocked("filter standby", "OUTPUT -d 169.254.169.254"),
        reason="no_metadata",
    ),
    Fault("The agent awseip is missing on the standby", **renamed(AGENT), reason="agent_missing", quick=True),
    Fault(
        "The agent awseip was missing on the standby when Pacemaker looked: its probe said not installed (5)",
        (
            *renamed(AGENT)["make"],
            ("standby", f"{CORE} --refresh --node {{standby}}; crm_resource --wait --timeout 60s"),
            *renamed(AGENT)["undo"],
        ),
        (("standby", f"{CORE} --refresh --node {{standby}}"),),
        reason="probe_failed",
        mended=True,
    ),
    Fault("The AWS CLI is missing on the standby", **renamed("/usr/bin/aws"), reason="awscli_missing"),
    Fault(
        "Pacemaker is not enabled at boot on the standby",
        **service("standby", "disable", "enable", "pacemaker"),
        reason="not_at_boot",
        mended=True,
    ),
    Fault(
        "Corosync and Pacemaker are not enabled at boot on the active node",
        **service("active", "disable", "enable", "corosync", "pacemaker"),
        reason="not_at_boot",
        mended=True,
    ),
    Fault(
        "Pacemaker has just been started on both nodes: no DC is elected yet",
        (
            *service("both", "stop", "start", "pacemaker")["make"],
            *service("both", "start", "stop", "pacemaker")["make"],
        ),
        verdict="down",
        reason="no_dc",
    ),
    Fault(
        "The resource is told to stop",
        **meta("target-role", "Stopped"),
        verdict="down",
        reason="disabled",
        quick=True,
        mended=True,
    ),
    Fault(
        "All resources are told to stop",
        **option("stop-all-resources", "true"),
        verdict="down",
        reason="stop_all",
        mended=True,
    ),
    Fault(
        "Pacemaker is stopped on both nodes",
        **service("both", "stop", "start", "pacemaker"),
        verdict="down",
        reason="cluster_stopped",
        mended=True,
    ),
    Fault(
        "Corosync and Pacemaker are stopped on both nodes",
        **service("both", "stop", "start", "pacemaker", "corosync"),
        verdict="down",
        reason="cluster_stopped",
        mended=True,
    ),
    Fault(
        "The resource is not configured",
        (("active", f"cibadmin --delete --xpath '//primitive[@id=\"{RESOURCE}\"]'"),),
        verdict="not_built",
        reason="no_resource",
        reconfigures=True,
    ),
    Fault(
        "The standby does not answer over SSH",
        **blocked("filter standby", "INPUT -p tcp --dport 22"),
        verdict="unknown",
        reason="node_silent",
    ),
)
"""The table, in its order."""

PAGE = Path(__file__).parents[2] / "docs" / "status.md"
BEGIN, END = "<!-- states: begin -->\n", "<!-- states: end -->\n"


def page(text: str) -> str:
    """docs/status.md with the table of FAULTS, at its end where it has none yet."""
    head = "| what is wrong | how it is made | verdict | exit code | reason |\n|---|---|---|---|---|\n"
    table = BEGIN + head + "".join(f"{fault.row}\n" for fault in FAULTS) + END
    before, _, rest = text.partition(BEGIN)
    return before + table + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
