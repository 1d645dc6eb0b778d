"""The preflight: all that can be looked at before anything is changed, at once, and every finding of it.

It asks the run's own probes, tries the AWS calls of the run's own plan as dry runs, and looks at each node with one script.
Nothing is changed anywhere.
"""

from __future__ import annotations

import ipaddress
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any, Literal

from iconha_tui.cloud.sentences import AwsTrouble, iam_action
from iconha_tui.engine.actions import Call, waits_for
from iconha_tui.engine.step import AWS, Blocked, Context, Done, Stage, Step
from iconha_tui.errors import Trouble
from iconha_tui.session import Session
from iconha_tui.stages import credentials, instances
from iconha_tui.stages.apt import wait as wait_for_apt
from iconha_tui.stages.corosync import OURS, PATH, writer_of
from iconha_tui.text import clean

State = Literal["ok", "warning", "bad", "later"]


@dataclass(frozen=True)
class Found:
    """One thing that was looked at. later: it can be told only once something exists. remedy: "" where nothing is to be done."""

    where: str
    what: str
    state: State
    text: str
    remedy: str = ""

    def line(self) -> str:
        return f"{self.where}: {self.what}: {self.text}"

    def to_json(self) -> str:
        return json.dumps(asdict(self))


def look(session: Session) -> Iterator[Found]:
    """What is found, in order: AWS first, then both nodes at once. Raises Cancelled."""
    ctx = session.ctx
    reached: list[str] = []
    for stage in (credentials.STAGE, instances.STAGE):
        for step in stage.steps:
            if step.id != "instances.signin":
                yield from _step(ctx, stage, step)
    known = [node for node in ctx.spec.names if ctx.facts.get(f"{node}.instance_id")]
    missing = [node for node in ctx.spec.names if node not in known]
    yield from (Found(node, "The machine", "later", "it does not exist yet") for node in missing)
    with ThreadPoolExecutor() as pool:
        for node, found in zip(known, pool.map(lambda node: list(_node(ctx, node, reached)), known), strict=True):
            yield from found or [Found(node, "The machine", "ok", "nothing stands in the way")]
    names = {ctx.facts.get(f"{node}.hostname") for node in reached}
    if len(reached) == 2 and len(names) == 1:
        yield Found(
            " and ".join(reached), "Host names", "warning", f"both are called {names.pop()}",
            "The cluster takes the names of the spec, so it works; give each its own (`hostnamectl`) to tell their logs apart.",
        )  # fmt: skip


def _step(ctx: Context, stage: Stage, step: Step) -> Iterator[Found]:
    """A step's own verdict on each target; what it would call on AWS, as a dry run."""
    for target in step.targets(ctx.view):
        where = target if target in ctx.spec.names else "AWS" if target == AWS else "here"
        try:
            verdict = step.probe(ctx, target)
        except Trouble as trouble:
            waits = "is not known yet" in trouble.what
            text = "comes once the steps before it are done" if waits else trouble.what
            yield Found(where, step.title, "later" if waits else "bad", text, "" if waits else trouble.remedy)
            continue
        ctx.learn(verdict.facts)
        if isinstance(verdict, Done):
            yield Found(where, step.title, "ok", verdict.evidence)
        elif isinstance(verdict, Blocked):
            yield Found(where, step.title, "bad", verdict.why, verdict.remedy)
        else:
            calls = [action for action in step.plan(ctx.view, target) if isinstance(action, Call)]
            yield from (_dry_run(ctx, where, step, call, verdict.why) for call in calls)
            if not calls:
                yield Found(where, step.title, "ok", f"{verdict.why} It is waited for.")


def _dry_run(ctx: Context, where: str, step: Step, call: Call, why: str) -> Found:
    """Whether AWS would let us. EC2 answers a dry run that it would carry out with the error DryRunOperation."""
    name = iam_action(call.service, call.operation)
    params: Mapping[str, Any] = call.params
    if call.operation == "run_instances":  # the group may not exist yet, and is not needed to ask
        card = {key: value for key, value in params["NetworkInterfaces"][0].items() if key != "Groups"}
        params = {**params, "NetworkInterfaces": [card]}
    if waits_for(Call(call.service, call.operation, params)):
        return Found(where, step.title, "later", f"{why} {name} can be tried once there is something to try it on.")
    try:
        ctx.cloud.call(call.service, call.operation, {**params, "DryRun": True})
    except AwsTrouble as trouble:
        if trouble.code != "DryRunOperation":
            return Found(where, step.title, "bad", f"{why} {trouble.what}", trouble.remedy)
    except Trouble as trouble:
        return Found(where, step.title, "bad", f"{why} {trouble.what}", trouble.remedy)
    return Found(where, step.title, "ok", f"{why} {name} is allowed.")


_LOOK = r"""
put() { printf '%s\t%s\n' "$1" "$2"; }
put clock "$(date +%s)"
put hostname "$(cat /proc/sys/kernel/hostname)"
put own "$(getent ahosts "$(cat /proc/sys/kernel/hostname)" | awk '{ print $1 }' | sort -u | tr '\n' ' ')"
for place in / /var /var/lib /var/cache/apt/archives; do
  [ -d "$place" ] && df -Pk "$place" | awk -v place="$place" 'NR == 2 { print "disk\t" place " " $4 " " $6 }'
done
holds() { ss "$1" "sport = :$2" | grep -o '"[^"]*"' | sort -u | tr -d '"' | tr '\n' ' '; }
for port in 7100 9000; do put "tcp $port" "$(holds -Hltnp $port)"; done
put "udp" "$(holds -Hlunp "$1")"
@LOCK@
put lock "$(holder || :)"
[ -z "$(dpkg --audit 2>/dev/null)" ] || put dpkg broken
put conf "$([ -e @PATH@ ] && sha256sum @PATH@ | cut -d' ' -f1)"
[ ! -e @OURS@ ] || sed 's/^/ours\t/' @OURS@
put default "$(grep -sc '^[[:space:]]*ring0_addr: 127.0.0.1' @PATH@)"
put running "$(systemctl is-active corosync pacemaker 2>/dev/null | tr '\n' ' ')"
put members "$(crm_node -l 2>/dev/null | awk '{ print $2 }' | tr '\n' ' ')"
folder=$(mktemp -d)
trap 'rm -rf -- "$folder"' EXIT
apt-get -o Debug::NoLocking=1 --print-uris update 2>/dev/null | sed -n "s/^'\([^']*\/InRelease\)'.*/\1/p" | sort -u | head -n 6 |
while read -r uri; do
  if timeout 25 /usr/lib/apt/apt-helper -o Acquire::Retries=0 -o Acquire::http::Timeout=10 -o Acquire::https::Timeout=10 \
    download-file "$uri" "$folder/file" >/dev/null 2>&1; then put archive "ok $uri"; else put archive "no $uri"; fi
  rm -f "$folder/file"
done
"""

ROOM = {"/": 1500, "/var": 800, "/var/lib": 800, "/var/cache/apt/archives": 300}
"""MiB that each place should have free: the packages are 150 MB to fetch and 600 MB installed (measured on Debian 12)."""

CLOCK_WARN, CLOCK_BAD = 5, 240
"""Seconds that a node's clock may be off. AWS refuses requests beyond five minutes."""


def _node(ctx: Context, node: str, reached: list[str]) -> Iterator[Found]:
    """The login, then what one script sees; what is in order is told in one line."""
    try:
        verdict = instances.Signin().probe(ctx, node)
        if isinstance(verdict, Done):
            ctx.learn(verdict.facts)
            reached.append(node)
        else:
            remedy = verdict.remedy if isinstance(verdict, Blocked) else ""
            yield Found(node, "SSH and sudo", "bad", verdict.why, remedy)
            return
        lock = wait_for_apt().partition("waited=")[0]
        script = _LOOK.replace("@LOCK@", lock).replace("@PATH@", PATH).replace("@OURS@", OURS)
        asked = time.time()
        argv = ("sh", "-c", script, "iconha-look", str(ctx.spec.corosync.port))
        answer = ctx.node(node).run(argv, timeout=200)
    except Trouble as trouble:
        yield Found(node, "SSH and sudo", "bad", trouble.what, trouble.remedy)
        return
    yield Found(node, "SSH and sudo", "ok", verdict.evidence)
    yield from judge(ctx, node, answer.stdout, asked)


def judge(ctx: Context, node: str, said: str, asked: float) -> Iterator[Found]:
    """What the script's words mean. asked: this machine's time when it was started."""
    rows = [line.partition("\t")[::2] for line in said.splitlines()]
    one = {key: clean(value).strip() for key, value in rows}
    yield _clock(node, one.get("clock", ""), asked)
    yield _host(node, one)
    yield _room(node, [value.split() for key, value in rows if key == "disk"])
    yield _archive(node, [clean(value).partition(" ")[::2] for key, value in rows if key == "archive"])
    yield _apt(node, one)
    yield from _ports(ctx, node, one)
    yield _cluster(ctx, node, one, "\n".join(value for key, value in rows if key == "ours"))


def _clock(node: str, said: str, asked: float) -> Found:
    off = abs(int(said) - asked) if said.isdigit() else 0.0
    if off <= CLOCK_WARN:
        return Found(node, "Clock", "ok", "as this machine's")
    text = f"{off:.0f} s from this machine's"
    remedy = "Set whichever is wrong right: `timedatectl`, and `sudo systemctl restart systemd-timesyncd` or chrony."
    return Found(node, "Clock", "bad" if off > CLOCK_BAD else "warning", text, remedy)


def _host(node: str, one: Mapping[str, str]) -> Found:
    name, own = one.get("hostname", ""), one.get("own", "").split()
    if any(_is_loopback(each) for each in own):
        return Found(
            node, "Host name", "ok", f"{name} is {' and '.join(own)} in its /etc/hosts; corosync.conf names addresses"
        )
    return Found(node, "Host name", "ok", name)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _room(node: str, rows: Sequence[Sequence[str]]) -> Found:
    free = {row[0]: int(row[1]) // 1024 for row in rows if len(row) >= 2 and row[1].isdigit()}
    short = [
        f"{place} has {mib} MiB free, {ROOM[place]} are needed"
        for place, mib in free.items()
        if mib < ROOM.get(place, 0)
    ]
    if short:
        return Found(
            node,
            "Disk",
            "bad",
            "; ".join(short),
            "Free some space (`df -h`, `sudo apt-get clean`), or enlarge the volume.",
        )
    return Found(
        node, "Disk", "ok", ", ".join(f"{place} {free[place]} MiB free" for place in ("/", "/var") if place in free)
    )


def _archive(node: str, tried: Sequence[Sequence[str]]) -> Found:
    dead = [uri for word, uri in tried if word == "no"]
    remedy = "Check the node's way out (gateway, NAT, proxy), its DNS, and its /etc/apt/sources.list."
    if not tried:
        return Found(node, "Package archive", "bad", "apt names none", remedy)
    if dead:
        state: State = "bad" if len(dead) == len(tried) else "warning"
        return Found(node, "Package archive", state, f"does not answer: {', '.join(dead)}", remedy)
    return Found(node, "Package archive", "ok", f"{len(tried)} lists can be fetched")


def _apt(node: str, one: Mapping[str, str]) -> Found:
    if one.get("lock"):
        return Found(node, "apt", "warning", f"{one['lock']}", "A run waits for it, five minutes at most.")
    if one.get("dpkg"):
        return Found(node, "apt", "warning", "an installation was interrupted", "A run finishes it first.")
    return Found(node, "apt", "ok", "free")


def _ports(ctx: Context, node: str, one: Mapping[str, str]) -> Iterator[Found]:
    told = [
        f"{port} {f'is open: {held}' if (held := one.get(f'tcp {port}', '')) else 'has no P-Rep yet'}"
        for port in (7100, 9000)
    ]
    yield Found(node, "P-Rep ports", "ok", "; ".join(told))
    held = one.get("udp", "")
    if held and held != "corosync":
        yield Found(
            node, "Corosync's port", "bad", f"udp {ctx.spec.corosync.port} is held by {held}",
            "End it, or choose another port in the corosync stage.",
        )  # fmt: skip
    else:
        yield Found(
            node, "Corosync's port", "ok", f"udp {ctx.spec.corosync.port} is {'corosync’s' if held else 'free'}"
        )


def _cluster(ctx: Context, node: str, one: Mapping[str, str], record: str) -> Found:
    runs = "active" in one.get("running", "").split()
    members = one.get("members", "").split()
    strangers = [name for name in members if name not in ctx.spec.names and one.get("default") != "1"]
    digest = one.get("conf", "")
    if strangers:
        return Found(
            node, "A cluster that is there", "bad", f"it has the nodes {', '.join(members)}",
            "Name the nodes of the spec as they are called there, or take that cluster down first.",
        )  # fmt: skip
    if digest and one.get("default") != "1" and writer_of(record, digest) != ctx.spec.tagged:
        allowed = digest[:16] in ctx.spec.corosync.replace.split("+")
        return Found(
            node, "A cluster that is there", "warning" if allowed else "bad",
            f"its corosync.conf (SHA-256 {digest[:16]}…) is not this cluster's",
            "It is replaced as you allow, and kept as a backup." if allowed
            else f'A run stops there. To allow it: [corosync] replace = "{digest[:16]}", or the choice in the corosync stage.',
        )  # fmt: skip
    return Found(node, "A cluster that is there", "ok", "this one, and running" if runs and digest else "none")
