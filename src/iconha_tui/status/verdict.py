"""Judges a report: whether the standby would take over now, and why not.

It rests on what each node said within the last seconds and on EC2's word; what is old counts for nothing. Pacemaker's own
scheduler, asked on the standby, tells what would become of the address if the active node were lost; the rest is what it
cannot see: what the agent needs there, the heartbeat, the network, what the other node says.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain

from iconha_tui.cluster.cib import CIB_VERSION
from iconha_tui.cluster.crm_mon import ClusterStatus, NodeStatus, ResourceHistory
from iconha_tui.cluster.heartbeat import COROSYNC_3
from iconha_tui.cluster.scheduler import simulate_loss
from iconha_tui.cluster.untrusted_xml import INFINITY
from iconha_tui.spec import Aws
from iconha_tui.stages.awscli import CALLS
from iconha_tui.status.eyes import SHARED_MEMORY
from iconha_tui.status.report import NOBODY, Node, Reason, Report, Resource, Source, Verdict
from iconha_tui.status.said import Said, Tried
from iconha_tui.status.sentences import ago

CLOCK = 5.0
"""Seconds that a node's clock may be off before it is a reason: AWS refuses requests that are far off, P-Reps vote by time."""
SILENCE = 5.0
"""Seconds without Corosync's token after which the heartbeat has stopped: its timeout is 1 to 3 s."""
ROOM = 32 * 1024
"""KiB that have to be free: Pacemaker writes each change of the CIB to the disk before it acts on it."""
SHARED_ROOM = 16 * 1024
"""KiB that have to be free of it: each connection to a daemon takes some two MiB (libqb), a tool has up to four."""


@dataclass(frozen=True)
class Heard:
    """What was heard of late.

    said: by node. compared: what both said when asked at the same time; None where there is no such time, or one does not
    answer. tried: what came of awseip's calls, by node. account: of AWS. ports: the first and the last UDP port that Corosync
    needs. program: how this program is called.
    """

    said: Mapping[str, Said]
    compared: tuple[Said, Said] | None
    tried: Mapping[str, Tried]
    account: Aws = field(default_factory=Aws)
    ports: tuple[int, int] = (5404, 5406)
    program: tuple[str, ...] = ("iconha-tui",)


def judge(report: Report, heard: Heard) -> None:
    """Fills `verdict`, `reasons`, `doubts`, `warnings`, `agree` and `standby`."""
    case = _Case(report, heard)
    by_ec2, by_cluster = report.holder_by_ec2, report.holder_by_cluster
    if case.aws and case.view and by_ec2 is not None and by_cluster is not None:
        report.agree = by_ec2 == by_cluster
    report.standby = case.standby
    report.doubts = list(case.doubts())
    report.warnings = list(case.warnings())
    found: tuple[tuple[Verdict, Iterable[Reason]], ...] = (
        ("not_built", case.not_built()),
        ("split", case.split()),
        ("down", case.down()),
        ("not_ready", case.not_ready()),
    )
    for verdict, reasons in found:
        if listed := list(reasons):
            report.verdict, report.reasons = verdict, listed
            break
    else:
        report.verdict = "unknown" if report.doubts else "ready"
    if report.verdict == "down":
        report.reasons += [each for each in case.not_ready() if each not in report.reasons]
    elif report.verdict == "split":
        report.doubts = [each for each in report.doubts if each.code not in CONTRADICTIONS]
    elif report.verdict == "not_built":
        report.doubts = []


class _Case:
    """A report with what is known now and not of old. aws: EC2's word. view: a node's of the cluster. gone: the nodes whose
    instance does not run, or is none. stopped: those that answer and whose cluster does not run."""

    def __init__(self, report: Report, heard: Heard) -> None:
        self.report = report
        self.said = heard.said
        self.compared = heard.compared
        self.tried = heard.tried
        self.account = heard.account
        self.ports = heard.ports
        self.wizard = shlex.join((*heard.program, "--cluster", report.cluster))
        self.names = [node.name for node in report.nodes]
        self.aws = self.fresh("aws")
        self.gone = {node.name for node in report.nodes if self.aws and node.instance_state != "running"}
        self.stopped = {name for name, each in self.said.items() if each.view is None}
        teller = self.said.get(report.seen_by or "")
        self.view: ClusterStatus | None = teller.view if teller is not None and not report.view.trouble else None
        self.id = report.address_resource
        self.resources = [each for each in report.resources if self.view and self._is_address(each)]

    def fresh(self, part: str, node: str | None = None) -> bool:
        source = self._source(part, node)
        return source is not None and not source.trouble

    def _source(self, part: str, node: str | None) -> Source | None:
        return next((each for each in self.report.sources if (each.part, each.node) == (part, node)), None)

    def _is_address(self, resource: Resource) -> bool:
        name, _, number = resource.id.rpartition(":")
        return resource.id == self.id or (name == self.id and number.isdigit())

    @property
    def holder(self) -> Node | None:
        """The node that has the address now: by the cluster's word, by EC2's where no node tells."""
        if self.view and self.report.holder_by_cluster:
            return self.report.node(self.report.holder_by_cluster)
        return self.report.node(self.report.holder_by_ec2) if self.aws else None

    @property
    def standby(self) -> str | None:
        holder = self.holder
        return None if holder is None else next(name for name in self.names if name != holder.name)

    # Not built

    def not_built(self) -> Iterator[Reason]:
        """It is not built where no machine is there, or where none of those that there are has the address's resource."""
        rest = [name for name in self.names if name not in self.gone]
        missing = [node.name for node in self.report.nodes if self.aws and node.instance_id is None]
        if len(missing) == len(self.names):
            yield Reason("no_machines", "EC2 knows no machine of this cluster.", "Build it in the wizard.", self.wizard)
        elif not self.resources and rest and all(name in self.said for name in rest):
            views = [each.view for each in self.said.values() if each.view]
            if any(view.instances(self.id) for view in views):
                return
            if any(each.view is None and each.configured is not False for each in self.said.values()):
                return
            rivals = sorted(
                {each.id for view in views for each in view.resources if each.agent == "ocf:heartbeat:awseip"}
            )
            also = f" {' and '.join(rivals)} moves an address too, and is none of this spec." if rivals else ""
            yield Reason(
                "no_resource",
                f"The cluster has no resource {self.id}.{also}",
                "Run the stages that are still to do in the wizard.",
                self.wizard,
            )

    # Split

    def split(self) -> Iterator[Reason]:
        """Two words of the same time that cannot both be so."""
        yield from self._views_split()
        if self.report.agree is False and self.report.holder_by_ec2 in self.names and self.report.holder_by_cluster:
            yield Reason(
                "ec2_disagrees",
                f"EC2 and the cluster disagree: by EC2's word {self.report.holder_by_ec2} holds the Elastic IP, by the cluster's "
                f"{self.report.holder_by_cluster}.",
                "While the address moves that passes within seconds. Where it stays so, see what the agent says.",
                "sudo journalctl -u pacemaker -n 50 --no-pager",
                self.report.holder_by_cluster,
            )

    def _views_split(self) -> Iterator[Reason]:
        if self.compared is None:
            return
        views = [each.view for each in self.compared if each.view is not None]
        if len(views) < len(self.names):
            return
        alone = [
            _is_alone(view, own, other) for view, own, other in zip(views, self.names, self.names[::-1], strict=True)
        ]
        if all(alone):
            yield Reason(
                "each_alone",
                f"Each node has the other as lost: {self.names[0]} and {self.names[1]} are cut off from one another, and both go "
                "on alone. Each takes the address from the other.",
                "Mend the network between their private addresses (security group, packet filter, routes): "
                f"UDP {self.ports[0]} to {self.ports[1]}. Until then, let one of them leave the address to the other by "
                "maintenance mode, and switch that off again afterwards. (A stop would take the address from both, or hang.)",
                "sudo crm_attribute --name maintenance-mode --update true",
                self.names[0] if self.report.holder_by_ec2 == self.names[1] else self.names[1],
            )
        active = [
            [node for each in view.instances(self.id) if each.active for node in each.nodes] for view in views if view
        ]
        if not all(alone) and active[0] and active[1] and not set(active[0]) & set(active[1]):
            yield Reason(
                "holders_differ",
                f"The nodes contradict each other: {self.names[0]} has the address on {active[0][0]}, {self.names[1]} on "
                f"{active[1][0]}.",
                "Mend the network between them; then see whether both say the same.",
                "sudo crm_mon -1",
                self.names[0],
            )

    # Down

    def down(self) -> Iterator[Reason]:
        """Nobody has the address, for certain."""
        if self.gone.issuperset(self.names):
            yield from chain.from_iterable(map(self._out, self.names))
            return
        by_ec2 = self.report.holder_by_ec2
        if self.aws and by_ec2 == NOBODY:
            told = (
                "By EC2's word nobody holds the Elastic IP."
                if self.report.elastic_ip
                else "EC2 knows no Elastic IP of it."
            )
            yield self._nowhere(f"{told} {self._cluster_has_it()}".strip(), "ec2_nobody")
        elif self.aws and by_ec2 is not None and by_ec2 not in self.names:
            yield Reason(
                "ec2_stranger",
                f"EC2 gives the Elastic IP to {by_ec2}, which is none of the two machines.",
                "See who has taken it, and give it back: Pacemaker does so at its next look, where it still watches over it.",
            )
        elif self.view and self.report.holder_by_cluster == NOBODY and not self.aws:
            yield self._nowhere("The cluster has the address nowhere.", "address_nowhere")
        holder = self.holder
        if holder is not None and holder.name in self.gone:
            yield from self._out(holder.name)
        elif holder is not None and self.view and holder.online is False and holder.name not in self.said:
            yield Reason(
                "holder_lost",
                f"{holder.name} has the address, and the cluster has lost it"
                f"{' (UNCLEAN: it has to be fenced before the address can move)' if holder.unclean else ''}.",
                "See whether the machine lives; where it is certain that it does not, confirm that to the cluster.",
                shlex.join(("sudo", "stonith_admin", "--confirm", holder.name)) if holder.unclean else "",
                self.standby if holder.unclean else None,
            )

    def _cluster_has_it(self) -> str:
        by_cluster = self.report.holder_by_cluster
        return f"The cluster has it on {by_cluster}." if self.view and by_cluster else ""

    def _nowhere(self, text: str, code: str) -> Reason:
        """Nobody holds it. Why, the cluster's own reasons tell, and the agent's words."""
        if self.view is None:
            return Reason(code, text)
        return Reason(
            code,
            text,
            "While the address moves that passes within seconds. Where it stays so, see what the agent says.",
            "sudo journalctl -u pacemaker -n 50 --no-pager",
            self.report.seen_by,
        )

    def _out(self, name: str) -> Iterator[Reason]:
        """Why a node that is known to do nothing does nothing."""
        node = self.report.node(name)
        if node is None:
            return
        if name in self.gone:
            if node.instance_id is None:
                yield Reason("no_machine", f"{name}: EC2 knows no machine of this cluster by that name.",
                             "Build it in the wizard.", self.wizard)  # fmt: skip
            else:
                yield Reason(
                    "machine_off",
                    f"{name}: the instance is {node.instance_state}.",
                    "Start it, in the EC2 console or with the AWS CLI.",
                    self._aws("start-instances", node),
                )
        elif name in self.stopped:
            if node.runs_pacemaker and node.runs_corosync:
                yield Reason(
                    "cluster_silent",
                    f"{name}: the cluster gives no answer there, though its services run ({self.said[name].why_no_view}).",
                    "See what Pacemaker says.",
                    "sudo journalctl -u pacemaker -u corosync -n 50 --no-pager",
                    name,
                )
            else:
                yield Reason(
                    "cluster_stopped",
                    f"{name}: the cluster does not run there (corosync {node.corosync_service}, pacemaker "
                    f"{node.pacemaker_service}).",
                    "Start it: Pacemaker brings Corosync with it.",
                    "sudo systemctl start pacemaker",
                    name,
                )

    def _aws(self, operation: str, node: Node, *options: str) -> str:
        """A command of the AWS CLI on this machine, about a node's instance."""
        return self.account.command("ec2", operation, "--instance-ids", node.instance_id or "", *options)

    # Not ready

    def not_ready(self) -> list[Reason]:
        """Why the address works, and would not be taken over."""
        node = self.report.node(self.standby)
        idle = [name for name in self.names if name in self.gone | self.stopped]
        known = chain(
            *map(self._out, idle),
            self._of_the_standby(node) if node and node.name not in idle else (),
            self._of_the_address(),
            self._of_the_cluster(),
            self._of_the_heartbeat(),
            *(self._of_a_machine(each) for each in self.report.nodes),
            self._of_the_calls(node) if node else (),
        )
        found = [*known, *(self._of_the_scheduler(node) if node else ())]
        if node and not any(each.code in _TELLS_THE_SCHEDULER for each in found):
            found += self._unexplained(node)
        return list({(each.code, each.text): each for each in found}.values())

    def _of_the_standby(self, node: Node) -> Iterator[Reason]:
        name = node.name
        if self.view is not None:
            seen = self.view.node(name)
            if seen is None:
                yield Reason("standby_unknown", f"The cluster does not know {name}.", "Run the corosync stage in the wizard.",
                             self.wizard)  # fmt: skip
            else:
                yield from self._state_of(seen, node)

    def _state_of(self, seen: NodeStatus, node: Node) -> Iterator[Reason]:
        name = seen.name
        where = self.report.seen_by
        if seen.unclean:
            state = "offline" if seen.online is False else "online"
            yield Reason(
                "standby_unclean",
                f"{name} is UNCLEAN ({state}): the cluster does not know what it does, and gives it nothing.",
                "See why it was lost; it is clean again once it has rejoined.",
                "sudo systemctl restart pacemaker" if name in self.said else "sudo crm_mon -1",
                name if name in self.said else where,
            )
        elif seen.pending:
            yield Reason("standby_joining", f"{name} is still joining the cluster.", "Wait, and look again.")
        elif seen.online is False:
            yield Reason(
                "standby_offline",
                f"{name} is offline in the cluster.",
                "See why it does not join: its services, and the network between the nodes.",
                "sudo journalctl -u pacemaker -u corosync -n 50 --no-pager",
                name,
            )
        elif seen.standby_onfail:
            yield self._clean_up("standby_onfail", f"{name} is on standby since an operation failed there.", name)
        elif seen.standby:
            yield Reason(
                "standby_mode",
                f"{name} is on standby: nothing can move to it.",
                "Take it off standby.",
                shlex.join(("sudo", "crm_standby", "-N", name, "-D")),
                where,
            )
        elif seen.shutdown:
            yield Reason("standby_leaving", f"{name} is leaving the cluster.", "Wait, and look again.")
        if seen.maintenance and not _on(self.report.options, "maintenance-mode"):
            yield Reason(
                "node_maintenance",
                f"{name} is in maintenance: the cluster leaves it alone.",
                "Take it out of maintenance.",
                shlex.join(("sudo", "crm_attribute", "--node", name, "--name", "maintenance", "--delete")),
                where,
            )
        if node.joined is False and seen.online:
            yield Reason(
                "standby_no_member",
                f"{name} is no member of Corosync's membership.",
                "See what Corosync says.",
                "sudo corosync-quorumtool -s",
                name,
            )

    def _of_the_address(self) -> Iterator[Reason]:
        where = self.report.seen_by
        by_ec2 = self.report.holder_by_ec2
        if self.view and self.aws and by_ec2 in self.names and self.report.holder_by_cluster == NOBODY:
            yield Reason(
                "not_watched",
                f"By EC2's word {by_ec2} holds the Elastic IP, and the cluster has it nowhere: nobody watches over it.",
                "While the address moves that passes within seconds. Where it stays so, see what the agent says.",
                "sudo journalctl -u pacemaker -n 50 --no-pager",
                where,
            )
        set_meta = ("sudo", "crm_resource", "--resource", self.id, "--meta")
        places = [node for each in self.resources for node in each.active_on]
        if len(set(places)) > 1:
            yield Reason(
                "active_on_both",
                f"{self.id} is active on {' and '.join(dict.fromkeys(places))} at once: it is cloned, and each takes the address "
                "from the other.",
                "Take it out of the clone: the address can be on one machine only.",
                "sudo crm_mon -1r",
                where,
            )
        for each in self.resources:
            if each.orphaned:
                yield Reason(
                    "orphaned",
                    f"{self.id} runs, and is no longer configured: the cluster will stop it, and start it nowhere.",
                    "Make it anew: run the elastic_ip stage in the wizard.",
                    self.wizard,
                )
            if each.blocked and each.failed:  # without a failure it waits for a ticket: the scheduler tells
                yield self._clean_up(
                    "blocked",
                    f"{self.id} is blocked: the cluster does nothing more about it, since an operation failed.",
                )
            elif each.failed:
                yield self._clean_up("failed", f"{self.id} has failed on {', '.join(each.active_on) or 'its node'}.")
            if (
                each.managed is False
                and not each.blocked
                and not _on(self.report.options, "maintenance-mode")
                and not self._in_maintenance(each)
            ):
                yield Reason(
                    "unmanaged",
                    f"{self.id} is not managed: the cluster leaves it where it is.",
                    "Let the cluster manage it.",
                    shlex.join((*set_meta, "--delete-parameter", "is-managed")),
                    where,
                )
            if each.target_role == "Stopped":
                yield Reason(
                    "disabled",
                    f"{self.id} is told to be stopped (target-role).",
                    "Let it run.",
                    shlex.join((*set_meta, "--delete-parameter", "target-role")),
                    where,
                )
            if each.failure_ignored:
                yield self._clean_up("failure_ignored", f"{self.id} has failed, and its configuration ignores that.")

    def _in_maintenance(self, resource: Resource) -> bool:
        return any(node.maintenance for node in self.report.nodes if node.name in resource.active_on)

    def _clean_up(self, code: str, text: str, node: str | None = None) -> Reason:
        where = ("--node", node) if node else ()
        return Reason(
            code,
            text,
            "Mend the cause (`sudo journalctl -u pacemaker`), then let the cluster forget the failure.",
            shlex.join(("sudo", "crm_resource", "--cleanup", "--resource", self.id, *where)),
            self.report.seen_by,
        )

    def _of_the_cluster(self) -> Iterator[Reason]:
        if self.view is None:
            return
        options, where = self.report.options, self.report.seen_by
        if self.view.dc is None:
            yield Reason(
                "no_dc",
                "The cluster has no designated controller (DC): nobody decides.",
                "Wait some seconds for the election, and look again; where it stays so, see what Pacemaker says.",
                "sudo journalctl -u pacemaker -n 50 --no-pager",
                where,
            )
        for option, (code, text) in _OPTIONS.items():
            if _on(options, option):
                yield Reason(
                    code,
                    text.format(id=self.id),
                    "Switch it off.",
                    shlex.join(("sudo", "crm_attribute", "--name", option, "--delete")),
                    where,
                )
        policy = options.get("no-quorum-policy")
        if self.report.quorate is False and policy != "ignore":
            yield Reason(
                "no_quorum", "The cluster has no quorum.", "See who is missing.", "sudo corosync-quorumtool -s", where
            )
        elif policy not in (None, "ignore") and self.report.quorum_flags and "2Node" not in self.report.quorum_flags:
            yield Reason(
                "no_quorum_alone",
                f"A node alone has no quorum (two_node is not set), and no-quorum-policy is {policy}: no takeover.",
                "Let a node alone go on, as the guide does.",
                "sudo crm_attribute --name no-quorum-policy --update ignore",
                where,
            )

    def _of_the_heartbeat(self) -> Iterator[Reason]:
        both = self.view is not None and all(node.online for node in self.report.nodes)
        for view in self.report.views:
            if view.node not in self.said:
                continue
            age = view.token_age_s
            if view.cut_off or (age is not None and age > SILENCE):
                yield Reason(
                    "heartbeat_stopped",
                    f"{view.node}: Corosync's heartbeat has stopped"
                    f"{f' (token last seen {age:.0f} s ago)' if age is not None else ''}; what it says of the membership is old.",
                    f"Let UDP {self.ports[0]} to {self.ports[1]} through between the nodes' private addresses: see the packet "
                    "filters there (nft, iptables), the security group in AWS, and what Corosync says.",
                    "sudo journalctl -u corosync -n 50 --no-pager",
                    view.node,
                )
        for node in self.report.nodes:
            for link in node.links:
                if link.ok is False and both and node.name in self.said:
                    yield Reason(
                        "link_down",
                        f"{node.name}: Corosync's link {link.number} is down.",
                        "See the network between the nodes' addresses on that link.",
                        "sudo corosync-cfgtool -s",
                        node.name,
                    )

    def _of_a_machine(self, node: Node) -> Iterator[Reason]:
        """What a machine needs, beyond what the cluster knows."""
        if node.name not in self.said:
            return
        name = node.name
        left = node.room.get(SHARED_MEMORY, SHARED_ROOM)
        no_memory = left < SHARED_ROOM
        if no_memory:
            yield Reason(
                "memory_full",
                f"{name}: {SHARED_MEMORY} has too little room ({left >> 10} MiB): each connection to Corosync and Pacemaker "
                "needs some, and can fail.",
                "See what fills it, and remove what is not of a program that runs.",
                f"df -h {SHARED_MEMORY}; sudo ls -l {SHARED_MEMORY}",
                name,
            )
        if node.controller is False and name not in self.stopped and not node.pending and not no_memory:
            yield Reason(
                "controller_hangs",
                f"{name}: Pacemaker's controller does not answer: what the cluster decides is not carried out there.",
                "End it: Pacemaker starts it anew at once.",
                "sudo pkill -KILL -x pacemaker-contr",
                name,
            )
        if node.starts_at_boot.get("pacemaker") is False:
            yield Reason(
                "not_at_boot",
                f"{name}: Pacemaker does not start at boot: after a restart the machine would be no node.",
                "Let both services start at boot.",
                "sudo systemctl enable corosync pacemaker",
                name,
            )
        full = [place for place, free in node.room.items() if place != SHARED_MEMORY and free < ROOM]
        if full:
            yield Reason(
                "disk_full",
                f"{name}: the disk is full ({', '.join(full)}).",
                "Free some space.",
                "df -h; df -i",
                name,
            )
        offset = node.clock_offset_s or 0
        if abs(offset) - (node.clock_uncertainty_s or 0) > CLOCK:
            yield Reason(
                "clock_off",
                f"{name}: its clock is {abs(offset):.0f} s {'ahead' if offset > 0 else 'behind'}.",
                "Let it be set by NTP.",
                "timedatectl",
                name,
            )
        if self.fresh("ports", name) and self.holder is node:
            for each in node.chains:
                if not each.state.startswith("started"):
                    state = each.state or "in no known state"
                    yield Reason("chain_stopped", f"{name}: the P-Rep's chain {each.channel or each.nid} is {state}.",
                                 "See the P-Rep's own log.")  # fmt: skip

    def _of_the_calls(self, node: Node) -> Iterator[Reason]:
        """What the agent needs on the standby."""
        name = node.name
        if name in self.said:
            if node.agent is False:
                yield Reason("agent_missing", f"{name}: the agent awseip is not there.",
                             "Run the packages stage in the wizard.", self.wizard)  # fmt: skip
            if node.awscli is False:
                yield Reason(
                    "awscli_missing",
                    f"{name}: the AWS CLI is not there ({self.said[name].aws}).",
                    "Run the packages stage in the wizard.",
                    self.wizard,
                )
        tried = self.tried.get(name)
        if tried is None or name in self.stopped:
            return
        if tried.runs and not tried.instance:
            yield Reason(
                "no_metadata",
                f"{name}: EC2's metadata service does not tell the machine's id, which the agent asks for.",
                "See whether the instance lets the metadata service be used (HttpEndpoint), and whether a packet filter there "
                "keeps 169.254.169.254 off.",
                self._aws("describe-instances", node, "--query", "Reservations[].Instances[].MetadataOptions"),
            )
        if tried.allocation and self.aws and tried.allocation != self.report.allocation_id:
            yield Reason(
                "other_address",
                f"{self.id} moves {tried.allocation}, and the pair's Elastic IP is {self.report.allocation_id}.",
                "Run the elastic_ip stage in the wizard.",
                self.wizard,
            )
        refused = [call for call in tried.calls if not call.allowed]
        if refused and node.awscli is not False:
            names = ", ".join(call.name for call in refused)
            yield Reason(
                "aws_refused",
                f"{name}: awseip's calls of AWS fail as root ({names}): {refused[0].text}",
                "See to root's credentials and region there, its way to the EC2 API, and the permissions: run the awscli stage "
                "in the wizard.",
                self.wizard,
            )

    def _of_the_scheduler(self, node: Node) -> Iterator[Reason]:
        """Why the scheduler would not run it on the standby, as far as that can be read off."""
        if self.view is None or self._would_run_on(node) is not False:
            return
        name, where = node.name, self.report.seen_by
        if self._stays_unfenced(node):
            yield Reason(
                "cannot_fence",
                f"Fencing is on (stonith-enabled), and {self._other(name)} could not be fenced if it were lost: {self.id} would "
                "stay with it.",
                "Give the cluster a fence device that works, or switch fencing off, as the guide does.",
                "sudo crm_attribute --name stonith-enabled --update false",
                where,
            )
        for ban in self.view.bans_of(self.id):
            if ban.node == name:
                yield Reason(
                    "banned",
                    f"The constraint {ban.id} keeps {self.id} off {name}.",
                    "Remove it.",
                    # By its own id, or by that of its rule: crm_mon tells either.
                    shlex.join(("sudo", "cibadmin", "--delete", "--xpath", _LOCATION.format(id=ban.id))),
                    where,
                )
        if node.health == "red":
            # crm_mon does not list these attributes, neither in its XML nor in its text.
            show = ("sudo", "cibadmin", "--query", "--xpath", "//nvpair[starts-with(@name,'#health')]")
            yield Reason(
                "health_red",
                f"{name}: its health is red.",
                "See which health attribute says so, and mend what it tells of. Where no agent sets it anew, unset it: "
                f"`sudo crm_attribute --node {name} --name ATTRIBUTE --lifetime reboot --delete`.",
                shlex.join(show),
                where,
            )
        for history in self.view.histories(self.id):
            if history.node == name:
                yield from self._of_a_history(history)
        for each in self.resources[:1]:
            count, limit = each.failcounts.get(name, 0), each.migration_threshold
            if count and (count >= INFINITY or (limit and count >= limit)):
                told = "INFINITY" if count >= INFINITY else str(count)
                yield self._clean_up(
                    "failed_too_often", f"{self.id} has failed too often on {name} (fail count {told}).", name
                )

    @property
    def _fences(self) -> bool:
        return _on(self.report.options, "stonith-enabled")

    def _stays_unfenced(self, node: Node) -> bool:
        """Whether by the scheduler on the standby the resource stays with the lost node, of which nobody knows what it does."""
        takeover = self.said[node.name].takeover
        return self._fences and takeover is not None and any("UNCLEAN" in each.flags for each in takeover.of(self.id))

    def _other(self, name: str) -> str:
        return next(each for each in self.names if each != name)

    def _of_a_history(self, history: ResourceHistory) -> Iterator[Reason]:
        name = history.node
        if (hard := history.hard_error) is not None:
            said = hard.reason or hard.code_text or f"exit code {hard.code}"
            code = "probe_failed" if hard.task == "probe" else "cannot_run"
            yield self._clean_up(code, f"{name} cannot run {self.id}: its {hard.task} says {said}.", name)

    def _unexplained(self, node: Node) -> Iterator[Reason]:
        if self._would_run_on(node) is False and self.holder is not None:
            view = next(each for each in self.report.views if each.node == node.name)
            where = f"on {' and '.join(view.takeover)}" if view.takeover else "nowhere"
            simulate = (*simulate_loss(self.holder.name, fencing=self._fences), "--show-scores")
            yield Reason(
                "no_takeover",
                f"By Pacemaker's own scheduler {self.id} would run {where} if {self.holder.name} were lost.",
                "See which constraint, rule or option forbids it.",
                shlex.join(("sudo", *simulate)),
                node.name,
            )

    def _would_run_on(self, node: Node) -> bool | None:
        """The scheduler's answer, asked on the standby; None where it gives none."""
        view = next(each for each in self.report.views if each.node == node.name)
        if node.name not in self.said or view.takeover is None:
            return None
        return view.takeover == [node.name]

    # Doubts

    def doubts(self) -> Iterator[Reason]:
        """What is not known now, or contradicts itself."""
        for source in self.report.sources:
            if source.trouble and source.part in ("aws", "node") and source.node not in self.gone:
                since = (
                    f", and has not for {ago(source.age_s)}" if source.age_s is not None and source.age_s >= 1 else ""
                )
                what = "AWS gives no answer" if source.part == "aws" else f"{source.node} does not answer"
                why = source.trouble.removeprefix(f"{source.node}: ")
                yield Reason(
                    "aws_silent" if source.part == "aws" else "node_silent", f"{what}{since}: {why}", node=source.node
                )
        if self.view is None:
            return
        yield from self._contradictions()
        yield from self._unread()
        node = self.report.node(self.standby)
        if node is None or node.name not in self.said or node.name in self.stopped:
            return
        if self._would_run_on(node) is None:
            yield Reason(
                "scheduler_silent",
                f"{node.name}: Pacemaker's scheduler does not tell where {self.id} would run.",
                "See what it says.",
                shlex.join(("sudo", *simulate_loss(self._other(node.name), fencing=self._fences))),
                node.name,
            )
        tried = self.tried.get(node.name)
        if tried is None:
            calls = self._source("calls", node.name)
            why = calls.trouble.removeprefix(f"{node.name}: ") if calls else "they have not been tried yet."
            yield Reason("calls_not_tried", f"{node.name}: awseip's calls of AWS are not proven: {why}")
        elif len(tried.calls) < len(CALLS) and (tried.instance or not tried.runs):
            why = (
                "Pacemaker did not run there"
                if not tried.runs
                else "they gave no answer"
                if tried.allocation
                else f"Pacemaker names no allocation_id of {self.id}"
            )
            yield Reason("calls_not_tried", f"{node.name}: awseip's calls of AWS are not proven: {why}.")

    def _unread(self) -> Iterator[Reason]:
        """What a node's tools do not tell, though the cluster runs there."""
        for name, told in self.said.items():
            asked = (
                ("whether it has quorum", told.quorum.quorate, ("corosync-quorumtool", "-s")),
                ("when it last heard the token", told.heartbeat.continuous_gather, COROSYNC_3),
                ("its version of the configuration", told.cib, CIB_VERSION),
            )
            for what, answer, command in asked:
                if answer is None and name not in self.stopped:
                    yield Reason(
                        "cluster_unread",
                        f"{name}: the cluster's tools do not tell {what}.",
                        "See what they say.",
                        shlex.join(("sudo", *command)),
                        name,
                    )

    def _contradictions(self) -> Iterator[Reason]:
        if self.compared is None:
            return
        one, two = self.compared
        if one.view is None or two.view is None:
            return
        first, second = self.names
        look = (
            "It passes where the cluster is just changing. Where it stays so, compare what each node says.",
            "sudo sh -c 'cibadmin --query --local --no-children; crm_mon -1'",
        )
        if one.cib and two.cib and one.cib != two.cib:
            behind = first if one.cib < two.cib else second
            yield Reason(
                "cib_differs",
                f"The nodes have different versions of the configuration: {first} {one.cib}, {second} {two.cib}.",
                *look,
                behind,
            )
        if one.view.dc != two.view.dc:
            dcs = f"{first} names {one.view.dc or 'none'}, {second} {two.view.dc or 'none'}"
            yield Reason("dc_differs", f"The nodes have different controllers: {dcs}.", *look, first)
        for view, own, other in ((one.view, first, second), (two.view, second, first)):
            if _is_alone(view, own, other):
                yield Reason("membership_differs", f"{own} has {other} as lost, and {other} runs.", *look, own)
        if {one.quorum.quorate, two.quorum.quorate} == {True, False}:  # what one does not tell is no contradiction
            has, lacks = (first, second) if one.quorum.quorate else (second, first)
            yield Reason("quorum_differs", f"{has} has quorum, {lacks} has none.", *look, lacks)
        active = [bool([each for each in view.instances(self.id) if each.active]) for view in (one.view, two.view)]
        if active[0] != active[1]:
            has, lacks = (first, second) if active[0] else (second, first)
            yield Reason("holder_differs", f"{has} has the address on a node, {lacks} has it nowhere.", *look, lacks)

    # Warnings

    def warnings(self) -> Iterator[str]:
        holder = self.holder
        if holder is not None and self.fresh("ports", holder.name):
            for port in (port for port, is_open in holder.ports.items() if not is_open):
                yield f"{holder.name} has the address, and its port {port} does not answer."
        for node in self.report.nodes:
            if node.name in self.said and node.starts_at_boot == {"corosync": False, "pacemaker": True}:
                yield f"{node.name}: Corosync is not enabled by itself; at boot Pacemaker brings it with it."
        versions = sorted({node.pacemaker for node in self.report.nodes if node.pacemaker})
        if len(versions) > 1:
            yield f"The nodes have different releases of Pacemaker: {' and '.join(versions)}."
        if self.view is None:
            return
        if self.report.quorate is False and self.report.options.get("no-quorum-policy") == "ignore":
            yield "The cluster has no quorum, and goes on without (no-quorum-policy is ignore)."
        for name, count in (self.resources[0].failcounts if self.resources else {}).items():
            if count:
                limit = self.resources[0].migration_threshold
                of = f" of {limit}" if limit and limit < INFINITY else ""
                yield f"{self.id} has failed on {name}: {'INFINITY' if count >= INFINITY else count}{of}."
        for resource in self.report.resources:
            if not self._is_address(resource) and (resource.failed or resource.blocked):
                yield f"{resource.id} has failed."
            elif not self._is_address(resource) and resource.orphaned:
                yield f"{resource.id} runs, and is no longer configured."
        for failure in self.report.failures:
            yield f"Not cleaned up: {failure}."


_LOCATION = """//rsc_location[@id="{id}" or rule/@id="{id}"]"""

_OPTIONS = {
    "maintenance-mode": (
        "maintenance_mode",
        "The cluster is in maintenance mode: it watches nothing and moves nothing.",
    ),
    "stop-all-resources": ("stop_all", "The cluster is told to stop all resources (stop-all-resources), {id} too."),
}

_TELLS_THE_SCHEDULER = frozenset(
    [
        "no_machine",
        "machine_off",
        "cluster_stopped",
        "cluster_silent",
        "standby_unknown",
        "standby_unclean",
        "standby_joining",
        "standby_offline",
        "standby_onfail",
        "standby_mode",
        "standby_leaving",
        "node_maintenance",
        "orphaned",
        "blocked",
        "unmanaged",
        "disabled",
        "no_dc",
        "maintenance_mode",
        "stop_all",
        "no_quorum",
        "cannot_fence",
        "banned",
        "health_red",
        "probe_failed",
        "cannot_run",
        "failed_too_often",
        "active_on_both",
    ]
)
"""Reasons each of which explains why the scheduler has no place for the address on the standby."""


CONTRADICTIONS = frozenset(
    {
        "each_alone",
        "holders_differ",
        "ec2_disagrees",
        "cib_differs",
        "dc_differs",
        "membership_differs",
        "quorum_differs",
        "holder_differs",
    }
)
"""Reasons and doubts that say that two words of the same moment contradict each other."""


def _on(options: Mapping[str, str], name: str) -> bool:
    return options.get(name, "").lower() == "true"


def _is_alone(view: ClusterStatus, own: str, other: str) -> bool:
    """Whether a node sees itself online and the other not."""
    mine, its = view.node(own), view.node(other)
    return bool(mine and mine.online and its and its.online is False)
