"""The summary of a finished run, as Markdown: what was built, where, how long it took, and what to do next."""

from __future__ import annotations

from iconha_tui.engine.step import Context
from iconha_tui.stages import STAGES
from iconha_tui.store import Store


def summary_markdown(ctx: Context, store: Store) -> str:
    """Of the facts that the run's probes have read, and of the journal. What is not known is left out."""
    spec, facts = ctx.spec, ctx.facts
    progress = store.progress(spec.name)
    lines = [f"# {spec.name}: the pair is up", ""]
    if facts.get("elastic_ip"):
        active = facts.get("active")
        lines += [
            f"Elastic IP **{facts['elastic_ip']}** ({facts.get('allocation_id')})"
            + (f", now on **{active}**." if active else "."),
            "",
        ]
    lines += ["| | " + " | ".join(spec.names) + " |", "|---|---|---|"]
    rows = {
        "instance": "instance_id", "zone": "zone", "private address": "private_ip", "system": "os",
        "corosync": "corosync", "pacemaker": "pacemaker",
    }  # fmt: skip
    for title, fact in rows.items():
        values = [facts.get(f"{name}.{fact}") for name in spec.names]
        if any(values):
            lines.append(f"| {title} | " + " | ".join(str(value or "–") for value in values) + " |")
    lines += ["", "| stage | state | seconds |", "|---|---|---|"]
    for stage in STAGES:
        entry = progress.stage(stage.name)
        lines.append(f"| {stage.title} | {entry.state} | {entry.seconds:.1f} |")
    folder = store.folder(spec.name)
    first, second = spec.names
    lines += [
        "",
        f"- How it is, at any time: `iconha-tui status {spec.name}`",
        f"- Spec, journal and transcript: `{folder}`",
        f"- Test it before you need it: stop {first} in the EC2 console and watch the address move to {second}.",
        "- Keep the P-Rep's keystore off the standby until it is the active node: two that sign with one key can be slashed.",
        "- There is no fencing: two nodes that cannot see each other can take the address from one another in turn.",
    ]
    return "\n".join(lines)
