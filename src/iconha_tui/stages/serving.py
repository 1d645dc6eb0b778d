"""Does the pair serve? The look with which a run ends, and which tells a run that it is about to touch a pair that lives."""

from __future__ import annotations

from collections.abc import Sequence

from iconha_tui.engine.step import CheckStep, Context, Done, Needed, Verdict, View
from iconha_tui.stages import maintenance
from iconha_tui.stages.instances import address_lookups, instance_lookups
from iconha_tui.stages.lookup import look_up


class Serves(CheckStep):
    """The cluster and EC2 name the same holder of the Elastic IP, and failover is not paused by this program.

    facts: serves: whether a node holds the address, by both.
    """

    id = "pair.serves"
    title = "The pair serves"
    vital = "It is how a run ends."
    usual = 0.5

    def targets(self, view: View) -> Sequence[str]:
        return [maintenance.active(view)]

    def probe(self, ctx: Context, target: str) -> Verdict:
        seen = maintenance.cluster_view(ctx)
        if seen is None:
            return Needed("Pacemaker runs on neither node: nobody holds the Elastic IP.", {"serves": False})
        name, status = seen
        if maintenance.paused_here(
            ctx, name
        ):  # the cluster's own word is of no use until its daemons have looked again
            facts = look_up(ctx, address_lookups(ctx.view))
            holders = [each for each in ctx.spec.names if ctx.fact(f"{each}.instance_id") == facts["holder"]]
            why = f"By EC2's word {' and '.join(holders) or 'neither node'} holds the Elastic IP."
            return Needed(f"Failover is paused: maintenance mode is on. {why}", {"serves": bool(holders)})
        resource = status.resource(ctx.spec.elastic_ip.id)
        holder = resource.started_on if resource else None
        if holder not in ctx.spec.names:
            return Needed(f"No node holds the Elastic IP, by {name}'s word.", {"serves": False})
        facts = look_up(ctx, [*address_lookups(ctx.view), *instance_lookups(ctx.view, holder)])
        if facts["holder"] != facts[f"{holder}.instance_id"]:
            why = f"EC2 gives {facts['elastic_ip']} to {facts['holder'] or 'no machine'}, the cluster says {holder}."
            return Needed(why, {"serves": False})
        evidence = f"{holder} holds {facts['elastic_ip']}, by the cluster and by EC2"
        return Done(evidence, {"serves": True, "active": holder})

    def patience_for(self, view: View) -> float:
        return float(view.spec.pacemaker.settle)

    def remedy(self, view: View) -> str:
        return "Run all stages: F12, or `iconha-tui run` without --until. `iconha-tui status` shows what is missing."
