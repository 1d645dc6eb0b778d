"""Judges a report: what is wrong, what to know, what is missing, and the verdict that follows.

degraded is said of what is known to be wrong, unknown where too little is known to say that all is well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from iconha_tui.status.report import NOBODY, Node, Report
from iconha_tui.status.said import Said

CLOCK = 5.0
"""Seconds that a node's clock may be off before it is a problem: AWS refuses requests that are far off, P-Reps vote by time."""


def judge(report: Report, told: Mapping[str, Said]) -> None:
    """Fills `agree`, `problems`, `warnings`, `missing` and `verdict`."""
    case = _Case(report, told)
    if case.aws and case.view and report.holder_by_ec2 is not None and report.holder_by_cluster is not None:
        report.agree = report.holder_by_ec2 == report.holder_by_cluster
    report.missing = list(case.missing())
    report.problems = [*case.of_the_address(), *case.of_the_nodes(), *case.of_the_resources()]
    report.warnings = list(case.warnings())
    if not case.cluster_known:
        report.verdict = "unknown"
    elif report.problems:
        report.verdict = "degraded"
    else:
        report.verdict = "healthy" if case.aws and report.agree else "unknown"


class _Case:
    """A report with what is known now and not of old. aws: EC2's word. view: a node's of the cluster. down: the nodes whose
    instance does not run, or is none. stopped: those that answer and have no view: their cluster is known to be stopped."""

    def __init__(self, report: Report, told: Mapping[str, Said]) -> None:
        self.report = report
        self.told = told
        self.aws = self.fresh("aws")
        self.view = not report.view.trouble
        self.down = {node.name for node in report.nodes if self.aws and node.instance_state != "running"}
        self.stopped = {name for name, each in told.items() if each.view is None and self.fresh("node", name)}
        self.cluster_known = self.view or bool(self.stopped) or len(self.down) == len(report.nodes)

    def fresh(self, part: str, node: str | None = None) -> bool:
        return not self.report.source(part, node).trouble

    def missing(self) -> Iterator[str]:
        for source in self.report.sources:
            if not source.trouble or source.node in self.down or source.part == "view":
                continue
            what = {"aws": "AWS", "node": source.node, "ports": f"{source.node}, ports"}[source.part]
            yield f"{what}: {source.trouble.removeprefix(f'{source.node}: ')}"

    def of_the_address(self) -> Iterator[str]:
        by_ec2, by_cluster = self.report.holder_by_ec2, self.report.holder_by_cluster
        if self.report.agree is False:
            yield (
                f"EC2 and the cluster disagree on the Elastic IP: by EC2's word {by_ec2 or 'nobody'} holds it, "
                f"by the cluster's {by_cluster or 'nobody'}."
            )
        elif self.aws and by_ec2 == NOBODY:
            known = self.report.elastic_ip
            yield "By EC2's word nobody holds the Elastic IP." if known else "EC2 knows no Elastic IP of this cluster."
        elif self.view and by_cluster == NOBODY:
            yield "The cluster has the Elastic IP nowhere."
        elif self.view and by_cluster is None:
            yield "The cluster has no resource for the Elastic IP."

    def of_the_nodes(self) -> Iterator[str]:
        for node in self.report.nodes:
            yield from self._machine(node)
            if node.name not in self.down:
                if self.view:
                    yield from self._member(node)
                yield from self._inside(node)

    def _machine(self, node: Node) -> Iterator[str]:
        if self.aws and node.instance_id is None:
            yield f"{node.name}: EC2 knows no machine of this cluster by that name."
        elif node.name in self.down:
            yield f"{node.name}: the instance is {node.instance_state}."
        elif node.answers is False and self.cluster_known:
            yield f"{node.name} does not answer over SSH."
        elif node.name in self.stopped:
            services = f"corosync {node.corosync_service}, pacemaker {node.pacemaker_service}"
            why = self.told[node.name].why_no_view if node.runs_pacemaker and node.runs_corosync else services
            yield f"{node.name}: the cluster does not run there ({why})."

    def _member(self, node: Node) -> Iterator[str]:
        if node.online is None:
            yield f"The cluster does not know {node.name}."
        elif not node.online and node.name not in self.stopped:
            yield f"{node.name} is {'unclean: the cluster has lost it' if node.unclean else 'offline in the cluster'}."
        elif node.standby:
            yield f"{node.name} is on standby: nothing can move to it."
        elif node.maintenance:
            yield f"{node.name} is in maintenance: the cluster leaves it alone."
        elif node.pending:
            yield f"{node.name} is still joining the cluster."
        elif node.joined is False:
            yield f"{node.name} is no member of Corosync's membership."

    def _inside(self, node: Node) -> Iterator[str]:
        if self.fresh("node", node.name):
            for link in node.links:
                if link.ok is False and all(each.online for each in self.report.nodes):
                    yield f"{node.name}: Corosync's link {link.number} is down."
            offset = node.clock_offset_s or 0
            if abs(offset) - (node.clock_uncertainty_s or 0) > CLOCK:
                yield f"{node.name}: its clock is {abs(offset):.0f} s {'ahead' if offset > 0 else 'behind'}."
        if self.fresh("ports", node.name) and self.report.holder_by_cluster == node.name:
            for chain in node.chains:
                if not chain.state.startswith("started"):
                    state = chain.state or "in no known state"
                    yield f"{node.name}: the P-Rep's chain {chain.channel or chain.nid} is {state}."

    def of_the_resources(self) -> Iterator[str]:
        if not self.view:
            return
        if self.report.quorate is False:
            yield "The cluster has no quorum."
        for resource in self.report.resources:
            counts = ", ".join(f"{node} {count}" for node, count in resource.failcounts.items() if count)
            if counts:
                yield f"{resource.id} has failed: {counts}."
            elif resource.failed:
                yield f"{resource.id} has failed."
            if resource.managed is False:
                yield f"{resource.id} is not managed: the cluster leaves it where it is."

    def warnings(self) -> Iterator[str]:
        holder = self.report.node(self.report.holder_by_cluster) if self.view else None
        if holder is not None and self.fresh("ports", holder.name):
            for port in (port for port, is_open in holder.ports.items() if not is_open):
                yield f"{holder.name} has the address, and its port {port} does not answer."
        versions = sorted({node.pacemaker for node in self.report.nodes if node.pacemaker})
        if len(versions) > 1:
            yield f"The nodes have different releases of Pacemaker: {' and '.join(versions)}."
        for failure in self.report.failures if self.view else ():
            yield f"Not cleaned up: {failure}."
