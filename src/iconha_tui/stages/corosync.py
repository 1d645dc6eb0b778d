"""Corosync (guide steps 4 and 5): corosync.conf on both nodes, then membership."""

from __future__ import annotations

import hashlib

from iconha_tui.cluster.corosync_conf import (
    CorosyncSettings,
    Finding,
    Host,
    NodeAddress,
    check,
    departures,
    has_errors,
    render,
)
from iconha_tui.cluster.membership import parse_members
from iconha_tui.engine.actions import Action, Run, Upload, unknown, unknown_facts
from iconha_tui.engine.step import Blocked, Context, Done, Needed, Stage, Step, Verdict, View
from iconha_tui.errors import Trouble
from iconha_tui.stages import records
from iconha_tui.stages.authkey import PATH as KEY
from iconha_tui.text import whole_number

PATH = records.COROSYNC_CONF

MOVES = "the address may leave the node with it, and our connection: so it runs in a unit"


# RFC 5737 addresses stand in for the ones that are not known yet, and are replaced by markers in the rendered text.
_STAND_INS = ("192.0.2.1", "192.0.2.2")


def addresses(view: View) -> tuple[NodeAddress, NodeAddress]:
    """The nodelist: names of the spec, private addresses as AWS tells them (stand-ins while they are not known).

    Raises Trouble where AWS tells something that is no address.
    """
    first, second = (
        _address(name, str(view.facts.get(f"{name}.private_ip") or stand_in), number)
        for number, (name, stand_in) in enumerate(zip(view.spec.names, _STAND_INS, strict=True), start=1)
    )
    return first, second


def _address(name: str, private: str, number: int) -> NodeAddress:
    try:
        return NodeAddress(name, private, number)
    except ValueError as error:
        raise Trouble(f"{error}", where=name, remedy="Look at the instance's addresses in the EC2 console.") from error


def settings(view: View) -> CorosyncSettings:
    """What the two files have in common. Raises ValueError with a sentence."""
    wanted = view.spec.corosync
    return CorosyncSettings(
        cluster_name=wanted.cluster_name,
        nodes=addresses(view),
        transport=wanted.transport,
        port=wanted.port,
        token_ms=wanted.token_ms or None,
    )


def rendered_conf(view: View, node: str) -> str:
    """The guide's corosync.conf for a node, addresses that are not known yet as markers."""
    pair = settings(view)
    text = render(pair, next(each for each in pair.nodes if each.name == node))
    for each, stand_in in zip(pair.nodes, _STAND_INS, strict=True):
        if each.ring0_addr == stand_in:
            text = text.replace(stand_in, unknown(f"{each.name}.private_ip"))
    return text


def wanted_conf(view: View, node: str) -> str:
    """The corosync.conf that a node is to have: the operator's own where there is one, else the guide's."""
    return view.spec.corosync.conf.get(node) or rendered_conf(view, node)


def findings(view: View, text: str, node: str) -> list[Finding]:
    """What the checker says of a text that is to be `node`'s corosync.conf; markers are read as addresses."""
    for name, stand_in in zip(view.spec.names, _STAND_INS, strict=True):
        text = text.replace(unknown(f"{name}.private_ip"), stand_in)
    pair = addresses(view)
    own = next(each.ring0_addr for each in pair if each.name == node)
    host = Host(str(view.facts.get(f"{node}.hostname") or node), frozenset({own, "127.0.0.1"}))
    return check(text, nodes=pair, host=host)


_TO_DO = {
    "nobody's": "There is no corosync.conf.",
    "wanted": "It is as wanted, and to be remembered as this program's.",
    "the package's": "It is the package's own.",
    "ours": "It differs from what is wanted; the old file is kept as a backup.",
    "allowed": "It is not this cluster's, and is replaced as you allow; it is kept as a backup.",
}


class Configured(Step):
    id = "corosync.conf"
    title = "corosync.conf is in place"
    usual = 0.3
    guide = "vi /etc/corosync/corosync.conf; chown root:root; chmod 644"
    departs = " ".join(
        dict.fromkeys(
            departure.reason for departure in departures(
                CorosyncSettings("nodecluster", (NodeAddress("a", _STAND_INS[0], 1), NodeAddress("b", _STAND_INS[1], 2)))
            )
        )
    )  # fmt: skip

    def probe(self, ctx: Context, target: str) -> Verdict:
        try:
            text = wanted_conf(ctx.view, target)
        except ValueError as error:
            return Blocked(str(error), "Correct it in the corosync stage.")
        if missing := dict.fromkeys(unknown_facts(text)):
            return Blocked(f"{', '.join(missing)} is not known.", "Run the instances stage first.")
        faults = findings(ctx.view, text, target)
        if has_errors(faults):
            first = next(fault for fault in faults if fault.severity == "error")
            return Blocked(
                f"The checker refuses the file: line {first.line}, column {first.column}: {first.message}",
                "Correct it in the corosync stage's editor.",
            )
        there = records.standing(ctx, target, text)
        facts = {
            f"{target}.conf_as_wanted": there.whose == "wanted",
            f"{target}.conf_sha256": there.digest,
            f"{target}.conf_foreign": there.digest[: records.DIGITS] if there.foreign else None,
        }
        if there.whose == "somebody's":
            return Blocked(there.foreign, there.remedy, facts)
        if there.whose == "wanted" and there.remembered:
            return Done(f"as wanted, SHA-256 {there.digest[:16]}…", facts)
        return Needed(_TO_DO[there.whose], facts)

    def plan(self, view: View, target: str) -> list[Action]:
        old = str(view.facts.get(f"{target}.corosync") or "").startswith("2.")
        judge = ("env", "COROSYNC_MAIN_CONFIG_FILE={}", "corosync", "-t") if old else ("corosync", "-t", "-c", "{}")
        text = wanted_conf(view, target)
        if view.facts.get(f"{target}.conf_as_wanted"):
            return [records.note_conf(view, target, text)]
        upload = Upload(
            target,
            PATH,
            (text,),
            "corosync -t judges it before it replaces the old one; its SHA-256 is noted on the node",
            check=judge,
            backup=True,
            over=view.facts.get(f"{target}.conf_sha256"),
            note=(records.NOTES, view.spec.tagged),
        )
        return [upload]

    def remedy(self, view: View) -> str:
        return "Correct what corosync names in the editor of the corosync stage, then retry; the old file is still in place."


_STATE = (
    f"systemctl is-active corosync; stat -c %Y {PATH} @KEY@ 2>/dev/null | sort -n | tail -n 1; "
    "date -d \"$(systemctl show -p ActiveEnterTimestamp corosync | cut -d= -f2)\" +%s; "
    f"sha256sum {PATH} | cut -d' ' -f1; "
    "corosync-cmapctl 2>/dev/null | grep members"
)  # fmt: skip


def _state(view: View, node: str) -> str:
    """A script that looks at Corosync. A key that is newer than it counts where Corosync reads one: not with udpu on 3."""
    keyed = view.spec.corosync.transport == "knet" or str(view.facts.get(f"{node}.corosync") or "").startswith("2.")
    return _STATE.replace("@KEY@", KEY if keyed else "")


class Joined(Step):
    """Corosync runs with the file that is there now, and sees both members."""

    id = "corosync.members"
    title = "Both members have joined"
    vital = "Two nodes that do not see each other would each start the address, and take it from one another in turn."
    usual = 1.0
    guide = "service corosync start; corosync-cmapctl | grep members"
    departs = "It is enabled too, so that it starts at boot; one that runs already is restarted, to read the new file."

    def probe(self, ctx: Context, target: str) -> Verdict:
        script = _state(ctx.view, target)
        said = (*ctx.node(target).run(("sh", "-c", script)).stdout.splitlines(), "", "", "", "")
        wanted = wanted_conf(ctx.view, target)
        if said[3] != hashlib.sha256(wanted.encode()).hexdigest():
            there = records.standing(ctx, target, wanted)
            if there.foreign:
                return Blocked(there.foreign, there.remedy)
        if said[0] != "active":
            return Needed(
                "Corosync does not run.", {f"{target}.corosync_runs": False, f"{target}.corosync_stale": False}
            )
        written, started = whole_number(said[1]), whole_number(said[2])
        stale = written is not None and started is not None and written > started
        facts = {f"{target}.corosync_runs": True, f"{target}.corosync_stale": stale}
        if stale:
            return Needed("Corosync runs with an older corosync.conf.", facts)
        members = parse_members("\n".join(said[4:]))
        joined = {address for member in members if member.status == "joined" for address in member.addresses.values()}
        missing = [node for node in ctx.spec.names if ctx.fact(f"{node}.private_ip") not in joined]
        if missing:
            return Needed(f"{' and '.join(missing)} {'has' if len(missing) == 1 else 'have'} not joined.", facts)
        return Done("both joined", facts)

    def plan(self, view: View, target: str) -> list[Action]:
        if view.facts.get(f"{target}.corosync_runs") and not view.facts.get(f"{target}.corosync_stale"):
            return []
        actions: list[Action] = [Run(target, ("systemctl", "enable", "corosync"), "so that it starts at boot")]
        if view.facts.get(f"{target}.corosync_stale"):
            stop = Run(
                target, ("systemctl", "stop", "pacemaker"), f"it depends on corosync; {MOVES}", long=True, timeout=300
            )
            actions.append(stop)
        return [*actions, Run(target, ("systemctl", "restart", "corosync"), "reads the new file", timeout=180)]

    def condition(self, view: View, target: str) -> Run:
        return Run(target, ("sh", "-c", '[ "$(corosync-cmapctl | grep -c "members.*= joined")" = 2 ]'))

    def patience_for(self, view: View) -> float:
        return float(view.spec.corosync.settle)

    def remedy(self, view: View) -> str:
        port = view.spec.corosync.port
        return (
            f"Check that the security group opens udp {port - 1}-{port + 1} between the nodes, that no firewall on them closes "
            "it, and that both files name the same addresses; then retry."
        )


STAGE = Stage(
    name="corosync",
    title="Corosync",
    summary=(
        "Each machine gets its corosync.conf, judged by corosync itself before it replaces the old one, which is kept as a "
        "backup. Then Corosync is started, and both machines must see each other."
    ),
    steps=(Configured(), Joined()),
)
