"""Maintenance mode around a restart: the address stays where it is while the cluster's daemons restart.

In maintenance mode Pacemaker leaves resources alone (Pacemaker Explained, "maintenance-mode"). An Elastic IP is held by EC2
and not by a daemon on the node, so nobody notices the restart; what is missing meanwhile is the failover.

The property stands in a set of its own (`SET`), by which a run knows what an interrupted one has left behind.
"""

from __future__ import annotations

from collections.abc import Sequence

from iconha_tui.cluster.cib import parse_cib
from iconha_tui.cluster.crm_mon import ClusterStatus, CrmMonError, parse_crm_mon
from iconha_tui.cluster.untrusted_xml import ClusterXMLError
from iconha_tui.engine.actions import Action, Disruption, Run
from iconha_tui.engine.step import Blocked, Context, Done, Facts, Needed, Step, Verdict, View
from iconha_tui.error_codes import Code
from iconha_tui.errors import Trouble
from iconha_tui.spec import Spec

SET = "iconha-maintenance"
"""The id of the cluster_property_set that holds this program's maintenance-mode."""

PAUSE = Disruption("Failover is paused until both nodes are back. The Elastic IP stays where it is.", 60)


def standby(view: View) -> str:
    """The node that does not hold the address, as far as is known; else the second of the spec."""
    first, second = view.spec.names
    return first if view.facts.get("active") == second else second


def active(view: View) -> str:
    """The node that holds the address, as far as is known; else the first of the spec."""
    return view.other(standby(view))


def members(view: View) -> list[str]:
    """The nodes of the spec that are in the cluster, or were. A new machine that takes the place of a lost one is not in it
    before the pacemaker stage, and nobody waits for it until then."""
    new = {name for name in view.spec.names if view.facts.get(f"{name}.was_member") is False}
    return [name for name in view.spec.names if name not in new or view.facts.get(f"{name}.pacemaker_runs")]


def cluster_view(ctx: Context) -> tuple[str, ClusterStatus] | None:
    """A node that runs Pacemaker, and the cluster as it sees it; None where none does. Raises Trouble."""
    for name in ctx.spec.names:
        said = ctx.node(name).run(("crm_mon", "-X"), timeout=60)
        if said.code != 0:
            continue
        try:
            return name, parse_crm_mon(said.stdout)
        except CrmMonError:
            continue
        except ClusterXMLError as error:
            raise Trouble(str(error), code=Code.NODE_ANSWER, where=name, remedy="Retry the stage.") from error
    return None


def paused_here(ctx: Context, node: str) -> bool:
    """Whether this program's maintenance mode stands in the cluster's configuration, by a node's word. Raises Trouble."""
    said = ctx.node(node).run(("cibadmin", "-Q"), timeout=60)
    if said.code != 0:
        raise Trouble(
            "The cluster's configuration cannot be read.",
            code=Code.NODE_ANSWER,
            where=node,
            remedy="Retry the stage.",
            detail=said.tail,
        )
    try:
        return SET in parse_cib(said.stdout).property_sets
    except ClusterXMLError as error:
        raise Trouble(str(error), code=Code.NODE_ANSWER, where=node, remedy="Retry the stage.") from error


def told_of_address(spec: Spec, status: ClusterStatus) -> Facts:
    """What the cluster says of the address: held: whether a node has it; active: which; paused: whether failover is off."""
    resource = status.resource(spec.elastic_ip.id)
    holder = resource.nodes[0] if resource and resource.active and resource.nodes else None
    facts = {"held": holder is not None, "paused": status.options.get("maintenance-mode") == "true"}
    return facts | ({"active": holder} if holder in spec.names else {})


class OfTheCluster(Step):
    """A step that is carried out once, on the node that holds the address."""

    def targets(self, view: View) -> Sequence[str]:
        return [active(view)]


class Paused(OfTheCluster):
    """Sets maintenance mode where a restart is due and the address is held. due: whether one is, by spec and facts."""

    title = "Pacemaker leaves the address where it is during the restart"
    vital = "Without it the address would be dropped and taken while the daemons restart."
    departs = "The guide restarts a cluster that serves nobody yet. A pair that serves keeps its address this way."
    usual = 0.5
    patience = 30.0
    foreseen = True

    def __init__(self, stage: str) -> None:
        self.id = f"{stage}.pause"

    def due(self, view: View) -> bool:
        """Whether a restart follows in this stage."""
        raise NotImplementedError

    def look(self, ctx: Context) -> Facts:
        """The facts that `due` needs, as they are now. Raises Trouble."""
        raise NotImplementedError

    def probe(self, ctx: Context, target: str) -> Verdict:
        now = dict(self.look(ctx))
        seen = cluster_view(ctx)
        if seen is None:
            return Done(
                "Pacemaker does not run: there is nothing to leave alone", now | {"held": False, "paused": False}
            )
        name, status = seen
        facts = {**now, **told_of_address(ctx.spec, status)}
        view = View(ctx.spec, {**ctx.view.facts, **facts})
        if not self.due(view):
            return Done("no restart is due", facts)
        if not facts["held"]:
            return Done("no node holds the address: there is nothing to leave alone", facts)
        if facts["paused"]:
            return Done(f"maintenance mode is on, by {name}'s word", facts)
        return Needed("A restart is due, and the pair serves.", facts)

    def plan(self, view: View, target: str) -> list[Action]:
        if not (self.due(view) and view.facts.get("held")) or view.facts.get("paused"):
            return []
        command = (
            "crm_attribute",
            "--type",
            "crm_config",
            "--set-name",
            SET,
            "--name",
            "maintenance-mode",
            "--update",
            "true",
        )
        return [Run(target, command, "Pacemaker leaves the address alone until the nodes are back", disruption=PAUSE)]


class Resumed(OfTheCluster):
    """Ends the maintenance mode that this program has set, as soon as the nodes are online again."""

    title = "Pacemaker watches over the address again"
    vital = "Until then nothing takes over when the active node fails."
    usual = 1.0
    foreseen = True

    def __init__(self, pause: Paused) -> None:
        self._pause = pause
        self.id = f"{pause.id.partition('.')[0]}.resume"

    def probe(self, ctx: Context, target: str) -> Verdict:
        seen = cluster_view(ctx)
        if seen is None:
            return Done("Pacemaker does not run", {"ours": False})
        name, status = seen
        ours = paused_here(ctx, name)
        facts = {"ours": ours, "paused": status.options.get("maintenance-mode") == "true"}
        away = [
            each for each in members(ctx.view) if not ((node := status.node(each)) and node.online and not node.pending)
        ]
        if not ours:
            resource = status.resource(ctx.spec.elastic_ip.id)
            if resource and resource.active and resource.managed is False and not facts["paused"]:
                return Needed("Pacemaker does not manage the address yet.", facts)
            return Done("failover is not paused by this program", facts)
        if away:
            return Blocked(
                f"{' and '.join(away)} {'is' if len(away) == 1 else 'are'} not back in the cluster, so failover stays paused. "
                "The Elastic IP stays where it is.",
                "Look at `sudo journalctl -u corosync -u pacemaker` on that node, mend the cause, then run this stage again.",
                facts,
            )
        return Needed("Failover is paused: maintenance mode is on.", facts)

    def plan(self, view: View, target: str) -> list[Action]:
        before = self._pause.plan(view, target)
        if not (before or view.facts.get("ours")):
            return []
        command = ("cibadmin", "--delete", "--scope", "crm_config", "--xml-text", f'<cluster_property_set id="{SET}"/>')
        return [Run(target, command, "ends maintenance mode: failover works again")]

    def patience_for(self, view: View) -> float:
        return float(view.spec.pacemaker.settle)

    def remedy(self, view: View) -> str:
        return "Failover is paused and the address stays where it is. Run this stage again."


def back_in_cluster(ctx: Context, node: str, expected: Sequence[str]) -> str:
    """Why the nodes `expected` are not back in the cluster yet, by one node's word; "" where they are online, with a DC.

    Raises Trouble.
    """
    said = ctx.node(node).run(("crm_mon", "-X"), timeout=60)
    try:
        status = parse_crm_mon(said.stdout) if said.code == 0 else None
    except ClusterXMLError:
        status = None
    if status is None:
        return f"Pacemaker does not answer on {node} yet."
    away = [name for name in expected if not ((one := status.node(name)) and one.online and not one.pending)]
    if away:
        return (
            f"{' and '.join(away)} {'is' if len(away) == 1 else 'are'} not back in the cluster yet, by {node}'s word."
        )
    return "" if status.dc else "No coordinator (DC) is elected yet."
