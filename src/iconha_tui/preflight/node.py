"""What a node says before a run: the login, then one script that only reads; and what its words mean."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Iterator, Mapping, Sequence

from iconha_tui.causes import NO_PACKAGE, NO_WAY_TO_API, cause_of
from iconha_tui.engine.step import Blocked, Context, Needed
from iconha_tui.error_codes import Code
from iconha_tui.errors import Cancelled, Trouble
from iconha_tui.preflight.found import Found, State, bad
from iconha_tui.stages import instances, packages, records, security_group
from iconha_tui.stages.apt import wait as wait_for_apt
from iconha_tui.stages.corosync import wanted_conf
from iconha_tui.stages.records import standing
from iconha_tui.text import clean, whole_number

_LOOK = r"""
command -v apt-get >/dev/null || exit 0
port=$1 api=$2
shift 2
put() { printf '%s\t%s\n' "$1" "$2"; }
put clock "$(date +%s)"
put hostname "$(cat /proc/sys/kernel/hostname)"
put own "$(getent ahosts "$(cat /proc/sys/kernel/hostname)" | awk '{ print $1 }' | sort -u | tr '\n' ' ')"
for place in / /var /var/lib /var/cache/apt/archives; do
  [ -d "$place" ] && df -Pk "$place" | awk -v place="$place" 'NR == 2 { print "disk\t" place " " $4 " " $6 }'
done
holds() { ss "$1" "sport = :$2" | grep -o '"[^"]*"' | sort -u | tr -d '"' | tr '\n' ' '; }
for tcp in 7100 9000; do put "tcp $tcp" "$(holds -Hltnp $tcp)"; done
put udp "$(holds -Hlunp "$port")"
@LOCK@
put lock "$(holder || :)"
[ -z "$(dpkg --audit 2>/dev/null)$(ls /var/lib/dpkg/updates 2>/dev/null)" ] || put dpkg broken
put running "$(systemctl is-active corosync pacemaker 2>/dev/null | tr '\n' ' ')"
put members "$(crm_node -l 2>/dev/null | awk '{ print $2 }' | tr '\n' ' ')"
put locale "$(sed -n 's/^\(LC_ALL\|LANG\)=//p' /etc/default/locale 2>/dev/null | tail -n 1)"
case ",$(findmnt -no OPTIONS -T /tmp 2>/dev/null)," in *,noexec,*) put tmp noexec ;; esac
if timeout 8 bash -c ': <"/dev/tcp/$0/443"' "$api" 2>/dev/null; then put api ok; else put api no; fi
lists=$(ls /var/lib/apt/lists 2>/dev/null | grep -c _Packages)
put lists "$lists"
wanted=
for name in "$@"; do
  case "$(dpkg-query -W -f '${db:Status-Abbrev}' "$name" 2>/dev/null)" in ii*) continue ;; esac
  wanted="$wanted $name"
  [ "$lists" -eq 0 ] || apt-cache policy "$name" | grep -q '^  Candidate: [^(]' || put unknown "$name"
done
put wanted "$wanted"
[ -n "$wanted" ] || exit 0
folder=$(mktemp -d)
trap 'rm -rf -- "$folder"' EXIT
apt-get -o Debug::NoLocking=1 --print-uris update 2>/dev/null | sed -n "s/^'\([^']*\/InRelease\)'.*/\1/p" | sort -u | head -n 6 |
while read -r uri; do
  if timeout 25 /usr/lib/apt/apt-helper -o Acquire::Retries=0 -o Acquire::http::Timeout=10 -o Acquire::https::Timeout=10 \
    download-file "$uri" "$folder/file" >/dev/null 2>&1; then put archive "ok $uri"; else put archive "no $uri"; fi
  rm -f "$folder/file"
done
"""

ROOM = {"/": 1000, "/var": 800, "/var/lib": 800, "/var/cache/apt/archives": 300}
"""MiB that each place must have free: the packages are 150 MB to fetch and 600 MB installed (measured on Debian 12)."""

CLOCK_WARN, CLOCK_BAD = 5, 240
"""Seconds that a node's clock may be off. AWS refuses requests beyond five minutes."""


def api_host(region: str) -> str:
    """The EC2 API that the nodes' AWS CLI calls."""
    return f"ec2.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}"


def why_not_yet(ctx: Context, node: str) -> Found | None:
    """What is told of a node that cannot be looked at before the run; None where it can."""
    what = "The machine"
    if f"{node}.state" not in ctx.facts:
        return Found(node, what, "not_known", "AWS has not told of it")
    state = ctx.facts[f"{node}.state"]
    if state is None:
        text = "it does not exist yet; what it will be like is looked at once it runs"
        return Found(node, what, "will_be_made", text)
    if state == "running":
        return None
    return Found(node, what, "will_be_changed", f"it is {state}; it is looked at once it runs")


def look(ctx: Context, node: str) -> Iterator[Found]:
    """All that is found on a node."""
    what = "SSH and sudo"
    try:
        verdict = instances.Signin().probe(ctx, node)
        ctx.learn(verdict.facts)
        if isinstance(verdict, Needed):
            yield _silent(ctx, node, verdict)
            return
        script = _LOOK.replace("@LOCK@", wait_for_apt().partition("waited=")[0])
        names = packages.apt_packages(ctx.view, node)
        argv = ("sh", "-c", script, "iconha-look", str(ctx.spec.corosync.port), api_host(ctx.spec.aws.region), *names)
        asked = time.time()
        answer = ctx.node(node).run(argv, timeout=200)
    except Cancelled:
        raise
    except Trouble as trouble:
        yield bad(node, what, trouble, "credentials")
        return
    if isinstance(verdict, Blocked):
        yield bad(node, "The machine", Trouble(verdict.why, code=verdict.code, remedy=verdict.remedy), "instances")
    else:
        yield Found(node, what, "done", verdict.evidence)
    if answer.stdout:
        yield from judge(ctx, node, answer.stdout, asked)


def _silent(ctx: Context, node: str, silent: Needed) -> Found:
    """A node that does not answer: it may be booting, or the run itself may have to open its port first."""
    what, view, why = "SSH and sudo", ctx.view, silent.why
    inside = ctx.facts.get("group_id") in (ctx.facts.get(f"{node}.groups") or [])
    if not inside or security_group.missing_rules(view):
        return Found(
            node, what, "will_be_changed", f"{why} A run opens port 22 to {ctx.spec.instances.ssh_cidr} first."
        )
    patience = instances.Signin().patience_for(view)
    if patience > instances.UP:
        return Found(
            node,
            what,
            "warning",
            why,
            f"It has just been started: a run waits for it, {patience:.0f} s at most.",
            code=silent.code,
        )
    cause = cause_of(silent.code, why)
    remedy = (cause and cause.remedy) or "See in the EC2 console whether it runs, and who may reach its port 22."
    return Found(node, what, "stands_in_the_way", why, remedy, "instances", "instances.ssh_cidr", silent.code)


def judge(ctx: Context, node: str, said: str, asked: float) -> Iterator[Found]:
    """What the script's words mean. asked: this machine's time when it was started."""
    rows = [line.partition("\t")[::2] for line in said.splitlines()]
    one = {key: clean(value).strip() for key, value in rows}
    fetches = bool(one.get("wanted"))
    yield _clock(node, one.get("clock", ""), asked)
    yield _host(node, one)
    yield _surroundings(node, one)
    yield _room(node, [value.split() for key, value in rows if key == "disk"], fetches)
    yield _apt(node, one)
    if fetches:
        yield _archive(node, [clean(value).partition(" ")[::2] for key, value in rows if key == "archive"])
        unknown = [clean(value).strip() for key, value in rows if key == "unknown"]
        yield _packages(node, one["wanted"], unknown, one.get("lists", ""))
    else:
        yield Found(node, "Packages", "done", "all are installed")
    yield _api(ctx, node, one.get("api", ""))
    yield from _ports(ctx, node, one)
    yield _cluster(ctx, node, one)


def _clock(node: str, said: str, asked: float) -> Found:
    seconds = whole_number(said)
    off = abs(seconds - asked) if seconds is not None else 0.0
    if off <= CLOCK_WARN:
        return Found(node, "Clock", "done", "as this machine's")
    text = f"{off:.0f} s from this machine's"
    remedy = "Set whichever is wrong right: `timedatectl` shows it, `sudo timedatectl set-ntp true` has it set over the network."
    return Found(
        node, "Clock", "stands_in_the_way" if off > CLOCK_BAD else "warning", text, remedy, code=Code.NODE_CLOCK
    )


def _host(node: str, one: Mapping[str, str]) -> Found:
    name, own = one.get("hostname", ""), one.get("own", "").split()
    if any(_is_loopback(each) for each in own):
        text = f"{name} is {' and '.join(own)} in its /etc/hosts; corosync.conf names addresses"
        return Found(node, "Host name", "done", text)
    return Found(node, "Host name", "done", name)


def _surroundings(node: str, one: Mapping[str, str]) -> Found:
    """What looks odd and is none of ours: commands run in the C.UTF-8 locale, and nothing is executed from /tmp."""
    foreign = one.get("locale", "").partition(".")[0] not in ("", "C", "POSIX", "en_US")
    odd = [f"it speaks {one['locale']}"] if foreign else []
    odd += ["its /tmp is noexec"] if one.get("tmp") else []
    return Found(node, "Language and /tmp", "done", f"{', '.join(odd)}: no obstacle" if odd else "nothing unusual")


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _room(node: str, rows: Sequence[Sequence[str]], fetches: bool) -> Found:
    free = {row[0]: kib // 1024 for row in rows if len(row) >= 2 and (kib := whole_number(row[1])) is not None}
    short = [
        f"{place} has {mib} MiB free, {ROOM[place]} are needed"
        for place, mib in free.items()
        if mib < ROOM.get(place, 0)
    ]
    if short and fetches:
        remedy = "Free some space (`df -h`, `sudo apt-get clean`), or enlarge the volume."
        return Found(
            node,
            "Disk",
            "stands_in_the_way",
            "; ".join(short),
            remedy,
            "instances",
            "instances.volume_gib",
            Code.NODE_DISK,
        )
    text = ", ".join(f"{place} {free[place]} MiB free" for place in ("/", "/var") if place in free)
    return Found(node, "Disk", "done", text)


def _archive(node: str, tried: Sequence[Sequence[str]]) -> Found:
    dead = [uri for word, uri in tried if word == "no"]
    remedy = "Check the node's way out (gateway, NAT, proxy), its DNS, and its /etc/apt/sources.list."
    if not tried:
        return Found(node, "Package archive", "stands_in_the_way", "apt names none", remedy, code=Code.PACKAGE_ARCHIVE)
    if dead:
        state: State = "stands_in_the_way" if len(dead) == len(tried) else "warning"
        return Found(
            node, "Package archive", state, f"does not answer: {', '.join(dead)}", remedy, code=Code.PACKAGE_ARCHIVE
        )
    return Found(node, "Package archive", "done", f"{len(tried)} lists can be fetched")


def _packages(node: str, wanted: str, unknown: Sequence[str], lists: str) -> Found:
    """unknown: those that the lists which apt has now do not have; they may be old, and a run fetches them anew."""
    if unknown:
        remedy = f"A run fetches the lists anew, and stops where they lack it still. {NO_PACKAGE.remedy}"
        return Found(
            node,
            "Packages",
            "warning",
            f"apt knows no {', '.join(unknown)}",
            remedy,
            "packages",
            "packages.shell",
            Code.PACKAGE_UNKNOWN,
        )
    names = ", ".join(wanted.split())
    if lists == "0":
        return Found(node, "Packages", "will_be_made", f"apt has no lists yet; a run fetches them and installs {names}")
    return Found(node, "Packages", "will_be_made", f"apt has {names}; a run installs them")


def _api(ctx: Context, node: str, said: str) -> Found:
    """The node's way to EC2, without which it could not take the address over."""
    what, host = "The way to EC2", api_host(ctx.spec.aws.region)
    if said != "no":
        return Found(node, what, "done", f"{host} answers")
    comes = node == ctx.spec.names[0] and not ctx.facts.get(f"{node}.public_ip")
    text = f"{host} port 443 does not answer" + (
        "; the Elastic IP, once it has it, may be its way out" if comes else ""
    )
    return Found(
        node, what, "warning" if comes else "stands_in_the_way", text, NO_WAY_TO_API.remedy, code=Code.API_UNREACHABLE
    )


def _apt(node: str, one: Mapping[str, str]) -> Found:
    if one.get("lock"):
        return Found(
            node, "apt", "warning", f"{one['lock']}", "A run waits for it, five minutes at most.", code=Code.APT_BUSY
        )
    if one.get("dpkg"):
        return Found(
            node, "apt", "warning", "an installation was interrupted", "A run finishes it first.", code=Code.APT_BUSY
        )
    return Found(node, "apt", "done", "free")


def _ports(ctx: Context, node: str, one: Mapping[str, str]) -> Iterator[Found]:
    told = [
        f"{port} {f'is open: {held}' if (held := one.get(f'tcp {port}', '')) else 'is free'}" for port in (7100, 9000)
    ]
    yield Found(node, "P-Rep ports", "done", "; ".join(told))
    held = one.get("udp", "")
    if held and held != "corosync":
        yield Found(
            node, "Corosync's port", "stands_in_the_way", f"udp {ctx.spec.corosync.port} is held by {held}",
            "End it, or choose another port in the corosync stage.", "corosync", "corosync.port", Code.PORT_TAKEN,
        )  # fmt: skip
    else:
        yield Found(
            node, "Corosync's port", "done", f"udp {ctx.spec.corosync.port} is {'corosync’s' if held else 'free'}"
        )


def _cluster(ctx: Context, node: str, one: Mapping[str, str]) -> Found:
    """What the corosync stage would say of the node's file; which other nodes Pacemaker knows."""
    what = "A cluster that is there"
    try:
        there = standing(ctx, node, wanted_conf(ctx.view, node))
    except Cancelled:
        raise
    except (Trouble, ValueError) as error:
        code = error.code if isinstance(error, Trouble) else Code.SPEC_INVALID
        remedy = "See what is in the place of corosync.conf, or correct the corosync stage."
        return Found(node, what, "stands_in_the_way", str(error), remedy, "corosync", code=code)
    if there.foreign:
        ctx.learn({f"{node}.conf_foreign": there.digest[: records.DIGITS]})  # the form offers to replace it
        return Found(
            node,
            what,
            "stands_in_the_way",
            there.foreign,
            there.remedy,
            "corosync",
            "corosync.replace",
            Code.CLUSTER_FOREIGN,
        )
    if there.whose == "allowed":
        text = f"its corosync.conf (SHA-256 {there.digest[:16]}…) is not this cluster's"
        return Found(
            node, what, "warning", text, "It is replaced as you allow, and kept as a backup.", code=Code.CLUSTER_FOREIGN
        )
    members = one.get("members", "").split()
    if there.whose != "the package's" and any(name not in ctx.spec.names for name in members):
        return Found(
            node, what, "stands_in_the_way", f"it has the nodes {', '.join(members)}",
            "Name the nodes of the spec as they are called there, or take that cluster down first.",
            "instances", "nodes.0.name", Code.CLUSTER_FOREIGN,
        )  # fmt: skip
    runs = "active" in one.get("running", "").split()
    return Found(node, what, "done", "this one, and running" if runs and there.whose in ("wanted", "ours") else "none")
