"""Pacemaker (guide steps 5 and 6): started on both nodes, a coordinator elected, the two properties set."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping, Sequence

from iconha_tui.cluster.cib import Cib, parse_cib
from iconha_tui.cluster.crm_mon import ClusterStatus, CrmMonError, parse_crm_mon
from iconha_tui.cluster.shells import GUIDE_SHELL, SHELLS
from iconha_tui.cluster.untrusted_xml import ClusterXMLError
from iconha_tui.engine.actions import Action, Disruption, Run
from iconha_tui.engine.step import Blocked, Context, Done, Needed, Stage, Step, Verdict, View
from iconha_tui.error_codes import Code
from iconha_tui.errors import Trouble
from iconha_tui.stages import maintenance, records
from iconha_tui.text import clean

PROPERTY_MEANS = {
    "stonith-enabled": (
        "false: a node that is not heard from is not switched off first, so two nodes that cannot see each other can take the "
        "address from one another in turn. The book of Pacemaker calls that unfit for production."
    ),
    "no-quorum-policy": (
        "ignore: a node goes on alone when the other is gone, which a pair needs; it also lets a lone booting node take the "
        "address."
    ),
}
"""One sentence on what a property means, for the stage's screen."""


GUIDE_PROPERTIES = {"stonith-enabled": "false", "no-quorum-policy": "ignore"}


def guide_commands(view: View) -> list[list[str]]:
    """The guide's own commands of its step 6."""
    return [*GUIDE_SHELL.set_properties(GUIDE_PROPERTIES), GUIDE_SHELL.show_configuration()]


def read_status(ctx: Context, node: str) -> ClusterStatus | None:
    """The cluster as a node sees it; None where Pacemaker does not run there. Raises Trouble."""
    said = ctx.node(node).run(("crm_mon", "-X"), timeout=60)
    if said.code != 0:  # a stopped cluster: 102, 107, or with 2.1 an empty <crm_mon/> and "Not connected"
        return None
    try:
        return parse_crm_mon(said.stdout)
    except CrmMonError as error:
        if error.not_running:
            return None
        raise Trouble(
            str(error), code=Code.NODE_ANSWER, where=node, remedy="Look at `sudo journalctl -u pacemaker` on the node."
        ) from error
    except ClusterXMLError as error:
        raise Trouble(str(error), code=Code.NODE_ANSWER, where=node, remedy="Retry the stage.") from error


def is_changing(ctx: Context, node: str, status: ClusterStatus) -> bool:
    """Whether the cluster is carrying something out right now, by its controller's own word. Raises Trouble."""
    if not status.dc:
        return False
    said = ctx.node(node).run(("crmadmin", "-t", "5000", "-S", status.dc), timeout=30)
    return said.code == 0 and " S_" in said.stdout and "S_IDLE" not in said.stdout


def read_cib(ctx: Context, node: str) -> Cib:
    """The cluster's configuration. Raises Trouble."""
    said = ctx.node(node).run(("cibadmin", "-Q"), timeout=60)
    if said.code != 0:
        raise Trouble(
            "The cluster's configuration cannot be read.",
            code=Code.NODE_ANSWER,
            where=node,
            remedy="Run the pacemaker stage.",
            detail=said.tail,
        )
    try:
        return parse_cib(said.stdout)
    except ClusterXMLError as error:
        raise Trouble(str(error), code=Code.NODE_ANSWER, where=node, remedy="Retry the stage.") from error


class OnFirst(Step):
    """A step that one node carries out for the whole cluster."""

    def targets(self, view: View) -> Sequence[str]:
        return [view.spec.names[0]]


class Online(Step):
    id = "pacemaker.online"
    title = "Both nodes are online"
    vital = "An address on a cluster of one node has nowhere to go when that node fails."
    usual = 23.0
    guide = "service pacemaker start"
    departs = "It is enabled too, so that it starts at boot."

    def probe(self, ctx: Context, target: str) -> Verdict:
        status = read_status(ctx, target)
        if status is None:
            return Needed("Pacemaker does not run.", {f"{target}.pacemaker_runs": False})
        # What this stage, or the one before, has started is what the previews of the next ones rest on.
        facts = {f"{target}.pacemaker_runs": True, **maintenance.told_of_address(ctx.spec, status)}
        offline = [
            name for name in ctx.spec.names if not ((node := status.node(name)) and node.online and not node.pending)
        ]
        if offline:
            return Needed(f"{' and '.join(offline)} {'is' if len(offline) == 1 else 'are'} not online yet.", facts)
        if not status.dc:
            return Needed("No coordinator (DC) is elected yet.", facts)
        facts[f"{target}.pacemaker_boots"] = ctx.node(target).run(("systemctl", "is-enabled", "pacemaker")).code == 0
        if not facts[f"{target}.pacemaker_boots"]:
            return Needed("Pacemaker does not start at boot.", facts)
        return Done(f"{' and '.join(ctx.spec.names)} online, DC {status.dc}", {**facts, "dc": status.dc})

    def plan(self, view: View, target: str) -> list[Action]:
        enable = Run(target, ("systemctl", "enable", "pacemaker"), "so that it starts at boot")
        if view.facts.get(f"{target}.pacemaker_runs"):
            return [enable] if view.facts.get(f"{target}.pacemaker_boots") is False else []
        return [
            enable,
            Run(target, ("systemctl", "start", "pacemaker"), timeout=180),
        ]

    def condition(self, view: View, target: str) -> Run:
        return Run(target, ("sh", "-c", "crm_mon -1 | grep -q 'Online:.*" + ".*".join(sorted(view.spec.names)) + "'"))

    def patience_for(self, view: View) -> float:
        return float(view.spec.pacemaker.settle)

    def remedy(self, view: View) -> str:
        return "Look at `sudo journalctl -u pacemaker -u corosync` on the node that is not online, then retry."


_PACKAGES_NODES = {"node1", "localhost"}
"""What the one-node cluster of the packages calls its node; before Corosync 3 it is the machine's own name."""


class NoPhantom(OnFirst):
    id = "pacemaker.phantom"
    title = "No phantom node is in the cluster"
    vital = "A node that is none of the pair might be given the address, or be waited for."
    usual = 0.6
    departs = "The packages start a one-node cluster by themselves; its node1 must not stay in the configuration."

    def probe(self, ctx: Context, target: str) -> Verdict:
        cib = read_cib(ctx, target)
        strangers = cib.phantoms(set(ctx.spec.names))
        status = read_status(ctx, target)
        alive = [name for name in strangers if status and (node := status.node(name)) and node.online]
        if alive:
            return Blocked(
                f"The cluster has other living nodes: {', '.join(alive)}.",
                "This program builds pairs. Name the nodes as they are, or take those out of the cluster first.",
            )
        hosts = {ctx.facts.get(f"{node}.hostname") for node in ctx.spec.names}
        theirs = [clean(name) for name in strangers if name not in _PACKAGES_NODES | hosts]
        if theirs:
            commands = "; ".join(shlex.join(("crm_node", "--force", "--remove", name)) for name in theirs)
            return Blocked(
                f"The cluster's configuration has other nodes, which are not heard from: {', '.join(theirs)}.",
                f"Name the nodes of the spec as they are called there. Or, if those are gone for good, remove them on {target}: "
                f"`sudo sh -c {shlex.quote(commands)}`; then retry.",
            )
        if strangers:
            return Needed(f"In the configuration, and nowhere else: {', '.join(strangers)}.", {"phantoms": strangers})
        return Done(f"only {' and '.join(ctx.spec.names)}")

    def plan(self, view: View, target: str) -> list[Action]:
        return [
            Run(target, ("crm_node", "--force", "--remove", name), "removes it from the configuration")
            for name in view.facts.get("phantoms") or []
        ]


class Properties(OnFirst):
    id = "pacemaker.properties"
    title = "The cluster's properties are set"
    foreseen = True
    vital = "With the defaults Pacemaker starts no resource without fencing, and none on a lone node."
    usual = 0.7
    guide = "crm configure property stonith-enabled=false; crm configure property no-quorum-policy=ignore; crm configure show"

    def probe(self, ctx: Context, target: str) -> Verdict:
        wanted = ctx.spec.pacemaker.properties
        have = _that_count(ctx, target, wanted)
        written = records.remembered(ctx, target, RECORD)
        wrong = {name: have.get(name) for name, value in wanted.items() if have.get(name) != value}
        theirs = {name: value for name, value in wrong.items() if value is not None and written.get(name) != value}
        digest = records.digest_of(theirs) if theirs else None
        facts = {"properties": have, "properties_noted": written, "properties_foreign": digest}
        if digest and digest != ctx.spec.pacemaker.replace:
            return Blocked(_set_by_somebody(theirs, wanted), _keep_or_replace(theirs, digest), facts)
        if wrong:
            said = [f"{name} is {'not set' if value is None else clean(value)}" for name, value in wrong.items()]
            return Needed(f"{'; '.join(said)}.", facts)
        if written != wanted:
            return Needed("They are as wanted, and to be remembered as this program's.", facts)
        return Done(", ".join(f"{name}={value}" for name, value in wanted.items()) or "none wanted", facts)

    def plan(self, view: View, target: str) -> list[Action]:
        shell = SHELLS[view.spec.packages.shell]
        wanted = view.spec.pacemaker.properties
        note = records.remember(view, target, RECORD, wanted)
        have = view.facts.get("properties")
        if have is not None and all(have.get(name) == value for name, value in wanted.items()):
            return [] if view.facts.get("properties_noted") == wanted else [note]
        return [
            *(
                Run(
                    target,
                    tuple(argv),
                    PROPERTY_MEANS.get(name := argv[-1].partition("=")[0], ""),
                    disruption=REWEIGHED if have is not None and have.get(name) != wanted[name] else None,
                )
                for argv in shell.set_properties(wanted)
            ),
            note,
            Run(target, tuple(shell.show_configuration()), "the configuration so far"),
        ]


def _that_count(ctx: Context, node: str, names: Collection[str]) -> dict[str, str]:
    """The properties that are set, those in `names` with the value that counts: of several sets, scores and rules only the
    cluster itself knows that. Where a release does not tell of one, it stands as it is written first."""
    written = read_cib(ctx, node).properties
    status = read_status(ctx, node)
    counts = status.options if status else {}
    changed = {
        name: counts[name]
        for name in names
        if name in written and name in counts and _plain(counts[name]) != _plain(written[name])
    }
    return {**written, **changed}


def _plain(value: str) -> str:
    """A value as Pacemaker compares it: it has several words for true and false."""
    word = value.lower()
    return {
        **dict.fromkeys(("true", "on", "yes", "y", "1"), "true"),
        **dict.fromkeys(("false", "off", "no", "n", "0"), "false"),
    }.get(word, word)


RECORD = "properties"

REWEIGHED = Disruption(
    "Pacemaker decides anew where the address runs, by the new property: it may stop it or move it.", 10
)


def _set_by_somebody(theirs: Mapping[str, str], wanted: Mapping[str, str]) -> str:
    told = (f"{name} is {clean(value)}, and {wanted[name]} is wanted" for name, value in theirs.items())
    return f"Somebody has set properties of the cluster, not this program: {'; '.join(told)}."


def _keep_or_replace(theirs: Mapping[str, str], digest: str) -> str:
    return (
        f"To keep {'it' if len(theirs) == 1 else 'them'}, set the same in the pacemaker stage. To have "
        f'{"it" if len(theirs) == 1 else "them"} set as wanted, allow it there (in a spec: [pacemaker] replace = "{digest}").'
    )


STAGE = Stage(
    name="pacemaker",
    title="Pacemaker",
    summary=(
        "Pacemaker is started on both machines and they elect a coordinator. Then the two properties of the guide are set: no "
        "fencing, and no quorum needed, as a pair without a third voice has it. Each can be changed."
    ),
    steps=(Online(), NoPhantom(), Properties()),
)
