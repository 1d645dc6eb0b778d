"""Corosync (guide steps 4 and 5): corosync.conf on both nodes, then membership."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from iconha_tui.cluster import corosync_cmap
from iconha_tui.cluster.corosync_conf import (
    CorosyncSettings,
    Finding,
    Host,
    NodeAddress,
    check,
    departures,
    has_errors,
    only_reloadable,
    parse,
    render,
)
from iconha_tui.cluster.membership import parse_members
from iconha_tui.engine.actions import Action, Disruption, Run, Upload, unknown, unknown_facts
from iconha_tui.engine.step import Blocked, CheckStep, Context, Done, Facts, Needed, Stage, Step, Verdict, View
from iconha_tui.error_codes import Code
from iconha_tui.errors import Trouble
from iconha_tui.stages import maintenance, records, security_group
from iconha_tui.stages.authkey import PATH as KEY
from iconha_tui.text import whole_number

PATH = records.COROSYNC_CONF

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
        raise Trouble(
            f"{error}",
            code=Code.FACT_INVALID,
            where=name,
            remedy="Look at the instance's addresses in the EC2 console.",
        ) from error


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


def _ports(text: str) -> list[str]:
    return re.findall(r"^\s*mcastport:\s*(\d+)\s*$", text, re.MULTILINE)


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
    foreseen = True
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
            f"{target}.conf_text": there.text,
            f"{target}.conf_remembered": there.remembered,
            f"{target}.conf_sha256": there.digest,
            f"{target}.conf_foreign": there.digest[: records.DIGITS] if there.foreign else None,
        }
        if there.text not in (None, text):
            # Once it is written nobody can tell from the node what it has replaced.
            # A file that Corosync has not taken up itself may change more than the step from it to the wanted one.
            reloads = only_reloadable(there.text or "", text) and _look(ctx, target).stale != "restart"
            facts[f"{target}.conf_reloadable"] = _digest(text) if reloads else None
        if there.whose == "somebody's":
            return Blocked(there.foreign, there.remedy, facts)
        if there.whose == "wanted" and there.remembered:
            return Done(f"as wanted, SHA-256 {there.digest[:16]}…", facts)
        if there.whose == "ours" and _ports(there.text or "") != _ports(text) and security_group.opens_other_ports(ctx):
            return Blocked(
                f"The machines' security group does not let Corosync through on port {ctx.spec.corosync.port} yet.",
                "Run the instances stage first: it opens the port.",
                facts,
            )
        return Needed(_TO_DO[there.whose], facts)

    def plan(self, view: View, target: str) -> list[Action]:
        old = str(view.facts.get(f"{target}.corosync") or "").startswith("2.")
        judge = ("env", "COROSYNC_MAIN_CONFIG_FILE={}", "corosync", "-t") if old else ("corosync", "-t", "-c", "{}")
        text = wanted_conf(view, target)
        if view.facts.get(f"{target}.conf_text") == text:
            return [] if view.facts.get(f"{target}.conf_remembered") else [records.note_conf(view, target, text)]
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


LOADED = "iconha.loaded"
"""Corosync's own map (cmap) holds this key: the SHA-256 of the corosync.conf that it was told to reload. A restart forgets it."""

_OR_DASH = "2>/dev/null | grep . || echo -"
_STATE = (
    "systemctl is-active corosync; "
    f"stat -c %Y {PATH} {_OR_DASH}; stat -c %Y @KEY@ {_OR_DASH}; "
    f'date -d "$(systemctl show -p ActiveEnterTimestamp corosync | cut -d= -f2)" +%s {_OR_DASH}; '
    f"sha256sum {PATH} 2>/dev/null | cut -d' ' -f1 | grep . || echo -; "
    "systemctl is-active pacemaker; test -e /var/lib/pacemaker/cib/cib.xml && echo member || echo new; "
    f"corosync-cmapctl -g {LOADED} 2>/dev/null | sed 's/.* = //' | grep . || echo -; "
    "corosync-cmapctl 2>/dev/null | grep members"
)
"""Prints a line each: service, time of the file, time of the key, start, digest, service, member or new, what was loaded; and
the members."""

Change = Literal["", "reload", "restart"]


def _script(view: View, node: str) -> str:
    """A script that looks at Corosync. A key that is newer than it counts where Corosync reads one: not with udpu on 3."""
    keyed = view.spec.corosync.transport == "knet" or str(view.facts.get(f"{node}.corosync") or "").startswith("2.")
    return _STATE.replace("@KEY@", KEY if keyed else "/nonexistent")


@dataclass(frozen=True)
class _State:
    """What a node says of its daemons. stale: what Corosync needs to take up the file, or the key, that is there now."""

    corosync: bool
    pacemaker: bool
    was_member: bool
    digest: str
    stale: Change
    members: str

    def facts(self, node: str) -> Facts:
        return {
            f"{node}.corosync_runs": self.corosync,
            f"{node}.corosync_stale": self.stale,
            f"{node}.pacemaker_runs": self.pacemaker,
            f"{node}.was_member": self.was_member,
        }


def _look(ctx: Context, node: str) -> _State:
    """The state of a node. Raises Trouble."""
    said = ctx.node(node).run(("sh", "-c", _script(ctx.view, node))).stdout.splitlines()
    said += [""] * (8 - len(said))
    runs = said[0] == "active"
    written, key, started = (whole_number(each) for each in said[1:4])
    stale: Change = ""
    if runs and started is not None:
        if key is not None and key > started:
            stale = "restart"
        elif written is not None and written > started and said[7] != said[4]:
            stale = "reload" if ctx.view.facts.get(f"{node}.conf_reloadable") == said[4] else "restart"
    return _State(runs, said[5] == "active", said[6] == "member", said[4], stale, "\n".join(said[8:]))


def change_of(view: View, node: str) -> Change:
    """What Corosync on a node needs once this stage has written its file."""
    if not view.facts.get(f"{node}.corosync_runs"):
        return ""
    text = view.facts.get(f"{node}.conf_text")
    found: Change = view.facts.get(f"{node}.corosync_stale") or ""
    wanted = wanted_conf(view, node)
    if found == "restart" or text in (None, wanted):
        return found
    return "reload" if only_reloadable(str(text), wanted) else "restart"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class Paused(maintenance.Paused):
    def __init__(self) -> None:
        super().__init__("corosync")

    def due(self, view: View) -> bool:
        return any(change_of(view, node) == "restart" for node in view.spec.names)

    def look(self, ctx: Context) -> Facts:
        return {key: value for node in ctx.spec.names for key, value in _look(ctx, node).facts(node).items()}


class Reloaded(Step):
    """Corosync takes up the file without a restart, where only such values have changed as it takes so."""

    id = "corosync.reload"
    title = "Corosync reads what has changed, without a restart"
    vital = "Until then it runs with the old values."
    departs = "The guide restarts Corosync. For these values a reload is enough: nothing stops, and the address stays."
    usual = 0.5
    patience = 20.0
    foreseen = True

    def probe(self, ctx: Context, target: str) -> Verdict:
        state = _look(ctx, target)
        if state.stale == "reload":
            return Needed("Corosync runs with older values.", state.facts(target))
        return Done("a restart is due" if state.stale else "nothing to reload", state.facts(target))

    def plan(self, view: View, target: str) -> list[Action]:
        if change_of(view, target) != "reload":
            return []
        wanted = wanted_conf(view, target)
        # Both nodes ask for a reload at the same time, and Corosync answers the second with "try again".
        script = f"for i in 1 2 3 4 5; do corosync-cfgtool -R && break; sleep 1; done && {_effective(wanted)}"
        note = f"corosync-cmapctl -s {LOADED} str {_digest(wanted)}"
        return [Run(target, ("sh", "-c", f"{script} && {note}"), "no daemon stops, and the address stays where it is")]


def _effective(text: str) -> str:
    """A test that Corosync's effective token timeout is the one in `text`; true where `text` has none."""
    token = corosync_cmap.build(parse(text)).number("totem.token")
    if not token:
        return "true"
    return f"[ \"$(corosync-cmapctl -g runtime.config.totem.token | sed 's/.* = //')\" = {token} ]"


class Restarted(Step):
    """One node after the other, the standby first. systemd stops and starts both daemons in one transaction, which goes on
    whatever becomes of the program and of the connection: Pacemaker is never left stopped."""

    vital = "Until then Corosync runs with the old file."
    departs = (
        "The guide starts both nodes at once. Here the daemons of one run again before those of the other restart."
    )
    usual = 5.0
    foreseen = True

    def __init__(self, which: Literal["standby", "active"]) -> None:
        self._which = which
        self.id = f"corosync.restart_{which}"
        self.title = f"Corosync on the {which} node runs with the new file"

    def targets(self, view: View) -> Sequence[str]:
        return [maintenance.standby(view) if self._which == "standby" else maintenance.active(view)]

    def probe(self, ctx: Context, target: str) -> Verdict:
        state = _look(ctx, target)
        facts = state.facts(target)
        if state.stale == "restart" and state.pacemaker:
            return Needed("Corosync runs with an older file.", facts)
        return Done("nothing to restart", facts)

    def plan(self, view: View, target: str) -> list[Action]:
        if change_of(view, target) != "restart" or not view.facts.get(f"{target}.pacemaker_runs"):
            return []
        held = bool(view.facts.get("held"))
        what = "Corosync and Pacemaker restart on this node."
        what += " Pacemaker is in maintenance mode, so the Elastic IP stays where it is." if held else ""
        return [
            Run(
                target,
                ("systemctl", "restart", "corosync", "pacemaker"),
                "both daemons, in one transaction of systemd",
                long=True,
                timeout=300,
                disruption=Disruption(what, 30) if held else None,
            )
        ]

    def verify(self, ctx: Context, target: str) -> Verdict:
        state = _look(ctx, target)
        facts = state.facts(target)
        if not (state.corosync and state.pacemaker):
            return Needed(f"{'Pacemaker' if state.corosync else 'Corosync'} does not run on {target} yet.", facts)
        if state.stale:
            return Needed("Corosync still runs with the older file.", facts)
        return Done("both daemons run with the new file", facts)

    def patience_for(self, view: View) -> float:
        return float(view.spec.corosync.settle)

    def remedy(self, view: View) -> str:
        return (
            "Look at `sudo journalctl -u corosync -u pacemaker` on the node, mend the cause, then run this stage again."
        )


class Joined(Step):
    """Corosync runs with the file that is there now, and sees both members."""

    id = "corosync.members"
    title = "Both members have joined"
    vital = "Two nodes that do not see each other would each start the address, and take it from one another in turn."
    usual = 1.0
    guide = "service corosync start; corosync-cmapctl | grep members"
    departs = "It is enabled too, so that it starts at boot; one that runs already is restarted, to read the new file."
    foreseen = True

    def probe(self, ctx: Context, target: str) -> Verdict:
        state = _look(ctx, target)
        facts = state.facts(target)
        wanted = wanted_conf(ctx.view, target)
        if state.digest != _digest(wanted):
            there = records.standing(ctx, target, wanted)
            if there.foreign:
                return Blocked(there.foreign, there.remedy, facts)
        if not state.corosync:
            return Needed("Corosync does not run.", facts)
        if state.stale:
            return Needed("Corosync runs with an older corosync.conf.", facts)
        members = parse_members(state.members)
        joined = {address for member in members if member.status == "joined" for address in member.addresses.values()}
        missing = [node for node in ctx.spec.names if ctx.fact(f"{node}.private_ip") not in joined]
        if missing:
            return Needed(f"{' and '.join(missing)} {'has' if len(missing) == 1 else 'have'} not joined.", facts)
        if state.was_member and not state.pacemaker:
            return Needed("Corosync runs, and Pacemaker does not, though this node is part of a cluster.", facts)
        return Done("both joined", facts)

    def plan(self, view: View, target: str) -> list[Action]:
        facts = view.facts
        runs, pacemaker = facts.get(f"{target}.corosync_runs"), facts.get(f"{target}.pacemaker_runs")
        member = bool(facts.get(f"{target}.was_member"))
        change = change_of(view, target)
        if runs and (pacemaker or not member) and (pacemaker or change == "" or change == "reload"):
            return []
        verb, units, why, timeout = "restart", ["corosync"], "reads the new file", 180
        if member and not pacemaker:
            verb = "restart" if change == "restart" or not runs else "start"
            units, timeout = ["corosync", "pacemaker"], 300
            why = "this node was in the cluster before: Pacemaker starts too"
        return [
            Run(
                target, ("systemctl", "enable", *units), f"so that {'both start' if units[1:] else 'it starts'} at boot"
            ),
            Run(target, ("systemctl", verb, *units), why, timeout=timeout),
        ]

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


class Together(maintenance.OfTheCluster, CheckStep):
    """The nodes of the cluster are online again before maintenance mode ends."""

    id = "corosync.online"
    title = "The nodes are back in the cluster"
    vital = "Maintenance mode ends only once the nodes are back."
    usual = 0.5

    def probe(self, ctx: Context, target: str) -> Verdict:
        if not ctx.view.facts.get("paused"):
            return Done("the cluster was not restarted")
        members = maintenance.members(ctx.view)
        for name in members:
            if why := maintenance.back_in_cluster(ctx, name, members):
                return Needed(why)
        return Done(f"{' and '.join(members)} {'are' if members[1:] else 'is'} online")

    def patience_for(self, view: View) -> float:
        return float(view.spec.pacemaker.settle)

    def remedy(self, view: View) -> str:
        return (
            "Failover is paused and the Elastic IP stays where it is. Look at `sudo journalctl -u corosync -u pacemaker` on the "
            "node that is not back, then run this stage again."
        )


PAUSED = Paused()


STAGE = Stage(
    name="corosync",
    title="Corosync",
    summary=(
        "Each machine gets its corosync.conf, judged by corosync itself before it replaces the old one, which is kept as a "
        "backup. Then Corosync is started, and both machines must see each other. In a pair that serves already, Corosync only "
        "reloads where that is enough; else the nodes restart one after the other, and the address stays where it is."
    ),
    steps=(
        Configured(),
        PAUSED,
        Reloaded(),
        Restarted("standby"),
        Restarted("active"),
        Joined(),
        Together(),
        maintenance.Resumed(PAUSED),
    ),
)
