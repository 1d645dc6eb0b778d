"""AWS CLI on the nodes (guide step 7): root's credentials and region, proven by the calls that awseip makes."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Sequence

from iconha_tui.engine.actions import Action, Disruption, Run, SecretRef, Text, Upload
from iconha_tui.engine.step import Context, Done, Facts, Needed, Stage, Step, Verdict, View
from iconha_tui.stages import maintenance
from iconha_tui.stages.pacemaker import read_status
from iconha_tui.text import whole_number

CREDENTIALS = "/root/.aws/credentials"
CONFIG = "/root/.aws/config"
DROP_IN = "/etc/systemd/system/pacemaker.service.d/50-iconha.conf"


def files(view: View) -> dict[str, tuple[Text, int]]:
    """What root gets: path -> (content, mode). With a role the [default] section holds the region alone: awseip before
    4.14 always passes `--profile default`, and fails without one."""
    region = view.spec.aws.region
    wanted: dict[str, tuple[Text, int]] = {CONFIG: ((f"[default]\nregion = {region}\noutput = json\n",), 0o600)}
    if view.spec.awscli.credentials == "keys":
        wanted[CREDENTIALS] = (
            (
                "[default]\naws_access_key_id = ",
                SecretRef("node_access_key_id"),
                "\naws_secret_access_key = ",
                SecretRef("node_secret_access_key"),
                "\n",
            ),
            0o600,
        )
    return wanted


_HAS_KEYS = f"grep -qs '^ *\\[ *default *\\]' {CREDENTIALS}"
_SET_ASIDE = f"if {_HAS_KEYS}; then mv {CREDENTIALS} {CREDENTIALS}.iconha-$(date -u +%Y%m%dT%H%M%SZ); fi"
"""Keys of an earlier choice, or of somebody else, are kept beside their place."""


class Configured(Step):
    id = "awscli.config"
    title = "Root has credentials and region"
    vital = "The agent cannot move the address without credentials."
    usual = 0.3
    guide = "aws configure"
    departs = (
        "Arguments and prompts show a secret to `ps` and to logs: the files are uploaded instead, root's alone (0600)."
    )

    def probe(self, ctx: Context, target: str) -> Verdict:
        wanted = files(ctx.view)
        look = f"for f in {' '.join(wanted)}; do stat -c '%U %a %n' $f; sha256sum $f; done 2>&1"
        said = ctx.node(target).run(("sh", "-c", f"{look}; if {_HAS_KEYS}; then echo @keys; fi")).stdout
        lines = said.splitlines()
        missing = []
        for path, (content, mode) in wanted.items():
            digest = hashlib.sha256(ctx.vault.reveal(content).encode()).hexdigest()
            if f"{digest}  {path}" not in lines:
                missing.append(path)
            elif f"root {mode:o} {path}" not in lines:
                missing.append(f"{path} (mode)")
        if missing:
            return Needed(f"Not as wanted: {', '.join(missing)}.")
        if ctx.spec.awscli.credentials == "role" and "@keys" in lines:
            return Needed(f"{CREDENTIALS} has keys, which the AWS CLI takes before the role.")
        return Done(", ".join(wanted))

    def plan(self, view: View, target: str) -> list[Action]:
        by_role = view.spec.awscli.credentials == "role"
        return [
            Run(target, ("install", "-d", "-m", "0700", "-o", "root", "-g", "root", "/root/.aws")),
            *(
                Upload(target, path, content, "a file that it replaces is kept beside it", mode=mode, backup=True)
                for path, (content, mode) in files(view).items()
            ),
            *([Run(target, ("sh", "-c", _SET_ASIDE), "the CLI takes keys before a role")] if by_role else []),
        ]


class Region(Step):
    id = "awscli.region"
    title = "Pacemaker is told the region"
    vital = "The agent would not know which region's API to call."
    usual = 0.3
    guide = 'echo "AWS_DEFAULT_REGION=<region>" >> /lib/systemd/system/pacemaker.service'
    departs = "Appended there it lands in [Install] and has no effect: a systemd drop-in is what Pacemaker reads."

    def probe(self, ctx: Context, target: str) -> Verdict:
        facts = {f"{target}.region_given": ctx.spec.aws.region, f"{target}.region_used": _region_used(ctx, target)}
        there = ctx.node(target).read(DROP_IN)
        if there is None or there.decode(errors="replace") != _drop_in(ctx.spec.aws.region):
            return Needed("The drop-in is not there.", facts)
        known = ctx.node(target).run(("systemctl", "show", "-p", "Environment", "pacemaker")).stdout
        if f"AWS_DEFAULT_REGION={ctx.spec.aws.region}" not in known.strip().removeprefix("Environment=").split():
            return Needed("systemd has not read the drop-in yet.", facts)
        return Done(DROP_IN, facts)

    def plan(self, view: View, target: str) -> list[Action]:
        return [
            Upload(target, DROP_IN, (_drop_in(view.spec.aws.region),)),
            Run(target, ("systemctl", "daemon-reload")),
        ]


_USED = (
    "p=$(systemctl show -p MainPID pacemaker | cut -d= -f2); "
    'if [ "$p" = 0 ]; then echo stopped; '
    "else tr '\\0' '\\n' <\"/proc/$p/environ\" | grep ^AWS_DEFAULT_REGION=; fi"
)


def _region_used(ctx: Context, node: str) -> str:
    """The region with which Pacemaker runs on a node: "" where it has none, "stopped" where it does not run."""
    said = ctx.node(node).run(("sh", "-c", _USED)).stdout.strip()
    return said.removeprefix("AWS_DEFAULT_REGION=")


def _due(view: View, node: str) -> bool:
    """Whether Pacemaker on a node runs without the region, by the last look."""
    used = view.facts.get(f"{node}.region_used")
    return used is not None and used != view.spec.aws.region


class Paused(maintenance.Paused):
    def __init__(self) -> None:
        super().__init__("awscli")

    def due(self, view: View) -> bool:
        return any(_due(view, node) for node in view.spec.names)

    def look(self, ctx: Context) -> Facts:
        return {f"{node}.region_used": _region_used(ctx, node) for node in ctx.spec.names}


class Reread(Step):
    """One node after the other, the standby first: the other keeps the cluster, and no election is waited for."""

    vital = "It also waits until the node is back in the cluster: without it the pair may be no pair."
    usual = 2.5
    departs = "Pacemaker reads its environment when it starts; one node at a time, so that the other keeps the cluster."

    def __init__(self, which: int) -> None:
        self._which = which
        self.id = f"awscli.reread_{('active', 'passive')[which]}"
        self.title = f"Pacemaker on the {('active', 'passive')[which]} node knows the region"

    def targets(self, view: View) -> Sequence[str]:
        return [maintenance.standby(view) if self._which else maintenance.active(view)]

    def probe(self, ctx: Context, target: str) -> Verdict:
        used = _region_used(ctx, target)
        facts = {f"{target}.region_used": used}
        if used == "stopped":
            return Needed("Pacemaker does not run.", facts)
        if used != ctx.spec.aws.region:
            return Needed("Pacemaker runs without it yet.", facts)
        status = read_status(ctx, target)
        node = status.node(target) if status else None
        if not (status and status.dc and node and node.online and not node.pending):
            return Needed(f"{target} is not back in the cluster yet.", facts)
        return Done(f"AWS_DEFAULT_REGION={used}", facts)

    def plan(self, view: View, target: str) -> list[Action]:
        if view.facts.get(f"{target}.region_used") == view.spec.aws.region:
            return []  # it is only waited for
        held = bool(view.facts.get("held"))
        what = "Pacemaker restarts on this node. It is in maintenance mode, so the Elastic IP stays where it is."
        return [
            Run(
                target,
                ("systemctl", "restart", "pacemaker"),
                "the other node keeps the cluster meanwhile",
                long=True,
                timeout=300,
                disruption=Disruption(what, 10) if held else None,
            )
        ]

    def condition(self, view: View, target: str) -> Run:
        return Run(target, ("sh", "-c", f"crm_mon -1 | grep -q 'Online:.* {target} '"))

    def patience_for(self, view: View) -> float:
        return float(view.spec.pacemaker.settle)


PAUSED = Paused()


def _drop_in(region: str) -> str:
    return f"[Service]\nEnvironment=AWS_DEFAULT_REGION={region}\n"


class Proven(Step):
    """Wrong credentials on the standby stay hidden until the failover: awseip reads every API failure as "not running".

    A proof is remembered on the node for an hour, by a digest of all that it depends on.
    """

    id = "awscli.proof"
    title = "Each node makes awseip's calls itself"
    skip = (
        "What is missing on the standby, a key or a permission, then stays hidden until the failover, and the address would stay "
        "on the dead machine. Run this stage again before you rely on the pair."
    )
    usual = 3.6
    guide = "aws ec2 describe-instances"
    departs = "All four calls of awseip are tried, those that change something as a dry run."

    def probe(self, ctx: Context, target: str) -> Verdict:
        said = ctx.node(target).run(("sh", "-c", _remembered(ctx.view, target))).stdout.split()
        if len(said) == 1 and (seconds := whole_number(said[0])) is not None:
            return Done(
                f"proven {seconds // 60} min ago: describe-instances, describe-addresses, associate, disassociate"
            )
        return Needed("Not proven yet, or more than an hour ago.")

    def plan(self, view: View, target: str) -> list[Action]:
        return [
            Run(
                target, ("sh", "-c", _proof(view, target)), "awseip's own calls; associate and disassociate as dry runs"
            )
        ]

    def remedy(self, view: View) -> str:
        return (
            "awseip needs ec2:DescribeInstances, DescribeAddresses, AssociateAddress and DisassociateAddress, a route from "
            "the node to the EC2 API, and valid credentials. Mend what is named, then retry."
        )


PROOF = "/var/lib/iconha-tui/awscli.proof"


def _digest(view: View, node: str) -> str:
    """A shell command that prints a digest of all that the proof depends on."""
    about = f"{view.fact(f'{node}.aws')} {view.spec.aws.region} {view.fact(f'{node}.instance_id')} {view.fact('allocation_id')}"
    return f"{{ cat {CONFIG} {CREDENTIALS} 2>/dev/null; echo {about}; }} | sha256sum"


def _remembered(view: View, node: str) -> str:
    """Prints the age of a proof that still holds, in seconds; nothing where there is none."""
    return (
        f'[ "$({_digest(view, node)})" = "$(cat {PROOF} 2>/dev/null)" ] && [ -n "$(find {PROOF} -mmin -60)" ] && '
        f"echo $(($(date +%s) - $(stat -c %Y {PROOF})))"
    )


LIMITS = "--cli-connect-timeout 8 --cli-read-timeout 20"
CALLS = ("DescribeInstances", "DescribeAddresses", "AssociateAddress", "DisassociateAddress")
"""What awseip calls, as EC2 names it."""


def trials(aws: str, instance: str, allocation: str) -> list[str]:
    """Shell lines that try awseip's calls, all at once; those that change something as a dry run. Each says "NAME: allowed" or
    "NAME: refused: REASON"; $failed holds the refused ones afterwards. The options are awseip's own (resource-agents,
    heartbeat/awseip).

    EC2 answers a dry run that would be allowed with the error DryRunOperation (EC2 API Reference, "DryRun").
    """
    options = _options(instance, allocation)
    return [
        "try() {",
        "  name=$1; shift",
        f'  out=$({aws} "$@" 2>&1) && echo "$name: allowed" && return',
        '  case "$out" in *DryRunOperation*|*InvalidAssociationID*) echo "$name: allowed"; return ;; esac',
        '  echo "$name: refused: $out"; return 1',
        "}",
        "failed=",
        *(f"try {name} {call} & p{number}=$!" for number, (name, call) in enumerate(zip(CALLS, options, strict=True))),
        *(f'wait $p{number} || failed="$failed ec2:{name}"' for number, name in enumerate(CALLS)),
    ]


def _options(instance: str, allocation: str) -> tuple[str, ...]:
    return (
        f"describe-instances --instance-ids {instance}",
        f"describe-addresses --allocation-ids {allocation}",
        f"associate-address --dry-run --allocation-id {allocation} --instance-id {instance}",
        "disassociate-address --dry-run --association-id eipassoc-00000000000000000",
    )


_IN_ONE_PROCESS = """\
import io, os, sys
from contextlib import redirect_stderr, redirect_stdout
from awscli.clidriver import create_clidriver
driver = create_clidriver()
silent = ""  # an API that cannot be reached by one call is not waited for by the next
for line in sys.argv[1:]:
    name, *words = line.split()
    if silent:
        print(name + ": refused: " + silent, flush=True)
        continue
    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(out):
        try:
            code = driver.main(words)
        except SystemExit as end:
            code = end.code
    said = out.getvalue()
    silent = said.strip() if code and "endpoint URL" in said else ""
    allowed = not code or "DryRunOperation" in said or "InvalidAssociationID" in said
    print(name + (": allowed" if allowed else ": refused: " + said.strip()), flush=True)
os._exit(0)  # all is said: taking the CLI's modules apart would last as long as two calls
"""


def trials_in_one_process(aws: str, profile: str, instance: str, allocation: str) -> str:
    """A shell script that says the same as `trials`, for a third of the CPU time: most of what a call costs is the start of the
    CLI, which where it is a Python program can make all four in one process. Its own interpreter runs it."""
    lines = " ".join(
        f'"{name} --profile {profile} {LIMITS} ec2 {call}"'
        for name, call in zip(CALLS, _options(instance, allocation), strict=True)
    )
    fallback = "\n".join(trials(f'"{aws}" --profile "{profile}" {LIMITS} ec2', f'"{instance}"', f'"{allocation}"'))
    return (
        "export AWS_MAX_ATTEMPTS=2\n"
        f'python=$(head -c 200 "{aws}" | grep -a -m 1 "^#!.*python" | cut -c 3-)\n'
        f'if [ -n "$python" ] && $python -B -c {shlex.quote(_IN_ONE_PROCESS)} {lines}; then :; else\n{fallback}\nfi'
    )


def _proof(view: View, node: str) -> str:
    """Tries awseip's calls, and remembers where all are allowed."""
    tries = "AWS_MAX_ATTEMPTS=2"  # an API that cannot be reached would take five minutes by default
    aws = f"{tries} {view.fact(f'{node}.aws')} --profile default --region {view.spec.aws.region} {LIMITS} ec2"
    lines = trials(aws, view.fact(f"{node}.instance_id"), view.fact("allocation_id"))
    lines += [
        '[ -z "$failed" ] || { echo "Refused:$failed"; exit 1; }',
        f"install -d -m 0700 {PROOF.rpartition('/')[0]} && {_digest(view, node)} > {PROOF}",
    ]
    return "\n".join(lines)


STAGE = Stage(
    name="awscli",
    title="AWS CLI on the machines",
    summary=(
        "Root on both machines gets what awseip needs to speak to AWS: keys or the instance's role, and the region. Then each "
        "machine proves it by the very calls that awseip makes, so that nothing is left to be found out at the failover."
    ),
    steps=(Configured(), Region(), PAUSED, Reread(1), Reread(0), maintenance.Resumed(PAUSED), Proven()),
)
