"""Packages (guide step 2): Corosync, Pacemaker, a cluster shell, awseip, the AWS CLI; then a clean start."""

from __future__ import annotations

import shlex

from iconha_tui.cluster.corosync_conf import is_package_default
from iconha_tui.cluster.shells import SHELLS
from iconha_tui.engine.actions import Action, NodeLookup, Run
from iconha_tui.engine.step import Blocked, CheckStep, Context, Done, Needed, Stage, Step, Verdict, View
from iconha_tui.spec import Spec
from iconha_tui.stages import apt

AWSCLI_VERSION = "1.44.5"
"""The awscli of PyPI that is installed where apt has none. Pinned, so that two nodes get the same."""

AWSCLI_VENV = "/opt/iconha/awscli"

AWSEIP = "/usr/lib/ocf/resource.d/heartbeat/awseip"

SERVICES = ("corosync", "pacemaker")

_AWSEIP_IN = {"ubuntu 22.04": "resource-agents-extra", "ubuntu 24.04": "resource-agents-extra"}
"""awseip is in resource-agents, but here (read off the archives' indexes)."""

_NO_AWSCLI = {"ubuntu 24.04"}
"""Their apt has no awscli."""

_SLOW_RANDOM = {"ubuntu 18.04", "ubuntu 20.04"}
"""Kernels before 5.6, whose /dev/random blocks: corosync-keygen waits for minutes without haveged."""


def system_of(view: View, node: str) -> str:
    """ "ubuntu 22.04" and the like: as the node says, or as the spec wishes while there is no node."""
    return str(view.facts.get(f"{node}.os") or f"ubuntu {view.spec.instances.ubuntu}")


def apt_packages(view: View, node: str) -> list[str]:
    """The apt packages that a node needs."""
    system = system_of(view, node)
    shell = SHELLS[view.spec.packages.shell].package
    names = ["corosync", "pacemaker", "pacemaker-cli-utils", shell, _AWSEIP_IN.get(system, "resource-agents")]
    names.append("python3-venv" if system in _NO_AWSCLI else "awscli")
    if system in _SLOW_RANDOM:
        names.append("haveged")
    return names


class Installed(Step):
    id = "packages.install"
    title = "The packages are installed"
    usual = 20.0
    guide = "apt-get -y update; apt-get install pacemaker; apt install crmsh; apt-get install haveged; apt-get install aws-cli"
    departs = (
        "There is no package aws-cli: it is awscli. awseip is in a package of its own on newer releases. haveged is needed only "
        "where the kernel's /dev/random still blocks. Recommended extras are left out. The services are masked meanwhile, as "
        "apt would start them with a one-node configuration."
    )

    def probe(self, ctx: Context, target: str) -> Verdict:
        names = apt_packages(ctx.view, target)
        script = (
            f"dpkg-query -W -f '${{Package}} ${{db:Status-Abbrev}} ${{Version}}\\n' {' '.join(names)} 2>/dev/null; "
            f"test -x {AWSEIP} && echo @awseip; command -v aws | sed s/^/@aws:/; "
            f"systemctl is-enabled {' '.join(SERVICES)} 2>/dev/null"
        )
        said = ctx.node(target).run(("sh", "-c", script)).stdout.split("\n")
        versions = {words[0]: words[2] for line in said if len(words := line.split()) == 3 and words[1] == "ii"}
        missing = [name for name in names if name not in versions]
        if "@awseip" not in said:
            missing.append("the agent awseip")
        aws = next((line.removeprefix("@aws:") for line in said if line.startswith("@aws:")), None)
        if aws is None:
            missing.append("the AWS CLI")
        if "masked-runtime" in said:
            missing.append("an end to an interrupted installation")
        facts = {f"{target}.aws": aws, f"{target}.versions": versions}
        if missing:
            return Needed(f"Missing: {', '.join(dict.fromkeys(missing))}.", facts)
        return Done(", ".join(f"{name} {versions[name]}" for name in names), facts)

    def plan(self, view: View, target: str) -> list[Action]:
        names = apt_packages(view, target)
        version = shlex.join(SHELLS[view.spec.packages.shell].show_version())
        actions: list[Action] = [
            Run(
                target,
                ("sh", "-c", apt.install(names, SERVICES)),
                "in a systemd unit on the node, which a lost connection does not stop; "
                "the services are masked so that apt does not start a one-node cluster",
                long=True,
                timeout=3000,
            ),
        ]
        if system_of(view, target) in _NO_AWSCLI:
            venv = f"python3 -m venv {AWSCLI_VENV} && {AWSCLI_VENV}/bin/pip install -q awscli=={AWSCLI_VERSION}"
            actions.append(
                Run(
                    target,
                    ("sh", "-c", f"{venv} && ln -sf {AWSCLI_VENV}/bin/aws /usr/local/bin/aws"),
                    "the AWS CLI in a virtual environment of its own, since apt has none here",
                    long=True,
                    timeout=900,
                )
            )
        actions.append(
            Run(
                target,
                ("sh", "-c", f"pacemakerd --version; corosync -v; {version}"),
                "the versions, as the guide asks",
            )
        )
        return actions

    def node_lookups(self, view: View) -> list[NodeLookup]:
        return [NodeLookup(f"{node}.aws", node, "command -v aws") for node in view.spec.names]

    def remedy(self, view: View) -> str:
        return "Read the last lines above; check that the node reaches its package archive; then retry this stage."


_CIB = "/var/lib/pacemaker/cib"

_XML = f"{_CIB}/cib.xml"
_OTHERS = (
    f"""grep -qs '<primitive' {_XML} && echo '#'; [ "$(grep -s '<node .*uname=' {_XML} | wc -l)" -lt 2 ] || echo '#'"""
)
"""Prints # where the configuration is more than what Pacemaker writes by itself for the packages' one node."""


class CleanStart(Step):
    """apt starts corosync and pacemaker with the package's one-node configuration, and Pacemaker writes a CIB with the
    phantom node `node1` (measured on Debian 12)."""

    id = "packages.clean"
    title = "Nothing is left of the packages' one-node cluster"
    vital = "A phantom node would stay in the cluster for good."
    usual = 1.5
    departs = "The guide does not say so, but a phantom node would stay in the cluster for good."

    def probe(self, ctx: Context, target: str) -> Verdict:
        node = ctx.node(target)
        conf = node.read("/etc/corosync/corosync.conf")
        if conf is not None and not is_package_default(conf.decode(errors="replace")):
            return Done("corosync.conf is not the package's: nothing is touched")
        said = node.run(
            ("sh", "-c", f"systemctl is-active {' '.join(SERVICES)}; ls {_CIB} 2>/dev/null | sed s/^/@/; {_OTHERS}")
        ).stdout.split()
        if "#" in said:
            return Done(
                "the configuration there has resources or several nodes, so it is not the packages': nothing is touched"
            )
        active = [word for word in said if word in ("active", "activating", "deactivating")]
        leftovers = [word for word in said if word.startswith("@")]
        if active or leftovers:
            return Needed("The package's one-node cluster is there.")
        return Done("clean")

    def plan(self, view: View, target: str) -> list[Action]:
        return [
            Run(
                target, ("systemctl", "stop", "pacemaker", "corosync"), "they run with the package's node1 at 127.0.0.1"
            ),
            Run(
                target,
                ("find", _CIB, "-mindepth", "1", "-delete"),
                "the CIB with the phantom node1",
            ),
        ]


class Versions(CheckStep):
    id = "packages.versions"
    title = "The programs answer"
    vital = "A node whose programs do not answer cannot join, and corosync.conf is judged by its version of corosync."
    usual = 0.3
    guide = "pacemakerd --version; corosync -v; crm --version"

    def probe(self, ctx: Context, target: str) -> Verdict:
        shell = SHELLS[ctx.spec.packages.shell].name
        script = f"corosync -v | sed -n 1p; pacemakerd --version | sed -n 1p; command -v {shell}"
        said = ctx.node(target).run(("sh", "-c", script)).stdout.splitlines()
        if len(said) < 3:
            return Blocked(
                f"One of corosync, pacemakerd and {shell} does not answer.",
                "Run `sudo dpkg --configure -a` on the node, then retry.",
            )
        corosync = said[0].partition("'")[2].partition("'")[0]
        return Done(
            f"corosync {corosync}, {said[1]}",
            {f"{target}.corosync": corosync, f"{target}.pacemaker": said[1].removeprefix("Pacemaker").strip()},
        )


STAGE = Stage(
    name="packages",
    title="Packages",
    summary=(
        "Both machines get Corosync, Pacemaker, a cluster shell, the awseip resource agent and the AWS CLI, from their own "
        "package archive. The one-node cluster that the packages start by themselves is stopped and cleared away; a machine "
        "that is part of a working cluster is left alone."
    ),
    steps=(Installed(), Versions(), CleanStart()),
)


def why_another_shell(spec: Spec) -> str:
    """Why the commands are those of another cluster shell than the guide's; "" where the guide's own is used."""
    shell = SHELLS[spec.packages.shell]
    return f"You chose {shell.name} in the stage “{STAGE.title}”. {shell.beside_guide}" if shell.beside_guide else ""
