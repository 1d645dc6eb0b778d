"""The summary of a cluster, as Markdown: what was built and where, how long it took, and what to do next.

It is one text for the screen, for summary.md and for the terminal after exit, so its lines are as short as a terminal is wide.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iconha_tui import __version__, disk
from iconha_tui.cluster import standby
from iconha_tui.cluster.shells import SHELLS
from iconha_tui.cluster.shells.protocol import ClusterShell
from iconha_tui.engine.actions import Copy, Upload
from iconha_tui.engine.events import PASSED
from iconha_tui.engine.journal import Progress
from iconha_tui.engine.plan import plan_of
from iconha_tui.engine.step import Context, Stage, View
from iconha_tui.markdown import code, heading, item, plain, prose, table
from iconha_tui.spec import Spec
from iconha_tui.stages import STAGES
from iconha_tui.stages.packages import AWSCLI_VERSION
from iconha_tui.stages.tags import CLUSTER
from iconha_tui.store import Store
from iconha_tui.text import shell_path, strip_controls
from iconha_tui.when import duration, moment


def summary_markdown(ctx: Context, store: Store, stages: Sequence[Stage] = STAGES) -> str:
    """Of the facts that the probes have read, and of the journal. What is not known is left out."""
    view = ctx.view
    progress = store.progress(view.spec.name)
    told = _Told(view.spec, view.facts, progress, stages, store)
    return strip_controls("\n".join(told.lines()) + "\n")  # the folder has a name that somebody chose


def finished(progress: Progress, stages: Sequence[Stage], spec: Spec) -> bool:
    """Whether every stage is done with the settings of this spec, or was skipped in part."""
    return all(progress.state_under(stage.name, spec) in PASSED for stage in stages)


def file_of(store: Store, name: str) -> Path:
    """Where a cluster's summary is kept."""
    return store.folder(name) / "summary.md"


def keep(store: Store, name: str, text: str) -> None:
    """Keeps the summary in the cluster's folder. Raises Trouble."""
    store.make(name)
    disk.write(file_of(store, name), text.encode())


@dataclass(frozen=True)
class _Told:
    """What the text is made of."""

    spec: Spec
    facts: Mapping[str, Any]
    progress: Progress
    stages: Sequence[Stage]
    store: Store

    def lines(self) -> Iterator[str]:
        whole = finished(self.progress, self.stages, self.spec)
        yield f"# {self.spec.name}: {'the pair is up' if whole else 'not finished yet'}"
        yield from self._head(whole)
        yield from self._machines()
        yield from self._times()
        if whole:
            yield from self._changes()
        yield from self._files()
        if whole:
            yield from heading("What to do next")
            yield from self._failover()
            yield from self._keystore()
            yield from self._monitor()
            yield from self._fencing()
            yield from self._costs()

    # What there is

    @property
    def _shell(self) -> ClusterShell:
        return SHELLS[self.spec.packages.shell]

    @property
    def _active(self) -> str:
        """The node that holds the address; the first of the spec, where nobody has asked."""
        active = self.facts.get("active")
        return active if active in self.spec.names else self.spec.names[0]

    @property
    def _passive(self) -> str:
        first, second = self.spec.names
        return second if self._active == first else first

    def _head(self, whole: bool) -> Iterator[str]:
        if not whole:
            yield from prose("What is done stays, and is found again. One of these goes on with it:")
            yield from code(self._iconha("--cluster", self.spec.name), self._iconha("run", self.spec.name))
        address = plain(self.facts.get("elastic_ip"))
        if address and self.facts.get("active"):
            yield from prose(f"The Elastic IP **{address}** is now on **{self._active}**. {self._passive} stands by.")
        elif address:
            yield from prose(f"The Elastic IP is **{address}**.")
        account = plain(self.facts.get("account"))
        where = f"Region {self.spec.aws.region}{f', account {account}' if account else ''}."
        yield from prose(f"{where} Worked on last {moment(self.progress.last)}, with iconha-tui {__version__}.")
        skipped = {step.id: step for stage in self.stages for step in stage.steps}
        for name in self.progress.skipped:
            if step := skipped.get(name):
                yield from prose(f"**Skipped: {step.title}.** {step.skip}")

    def _machines(self) -> Iterator[str]:
        rows = [
            (title, *(self._of(node, fact) for node in self.spec.names))
            for title, fact in (
                ("role", "role"), ("instance", "instance_id"), ("zone", "zone"), ("private", "private_ip"),
                ("public", "public_ip"), ("system", "os"), ("corosync", "corosync"), ("pacemaker", "pacemaker"),
                (self._shell.name, "shell"), ("AWS CLI", "awscli"),
            )
        ]  # fmt: skip
        rows = [row for row in rows if any(row[1:])]
        if rows:
            yield from heading("Machines")
            yield from table(("", *self.spec.names), rows)

    def _of(self, node: str, fact: str) -> str:
        if fact == "role":
            return "" if not self.facts.get("active") else "active" if node == self._active else "passive"
        versions = self.facts.get(f"{node}.versions")
        if fact in ("shell", "awscli") and isinstance(versions, Mapping):
            package = fact if fact == "awscli" else self._shell.package
            return plain(versions.get(package)) or (f"{AWSCLI_VERSION} (PyPI)" if fact == "awscli" else "")
        value = plain(self.facts.get(f"{node}.{fact}"))
        return value.capitalize() if fact == "os" else value

    def _times(self) -> Iterator[str]:
        yield from heading("Stages")
        rows = []
        total = 0.0
        for number, stage in enumerate(self.stages, start=1):
            entry = self.progress.stage(stage.name)
            total += entry.seconds
            how = "done" if entry.changed else "nothing to do"
            state = (
                how
                if entry.state == "done"
                else {"todo": "to do", "cancelled": "stopped"}.get(entry.state, entry.state)
            )
            rows.append((f"{number} {stage.title}", state, duration(entry.seconds) if entry.seconds else ""))
        yield from table(("stage", "result", "time"), [*rows, ("together", "", duration(total))])

    def _changes(self) -> Iterator[str]:
        spec, facts = self.spec, self.facts
        yield from heading("What was made")
        yield from prose(f"On AWS, tagged `{CLUSTER}={spec.tagged}`:")
        ids = [plain(facts.get(f"{node}.instance_id")) for node in spec.names]
        wanted = spec.instances
        if all(ids) and wanted.mode == "launch":
            yield from item(
                f"the machines {ids[0]} and {ids[1]} ({wanted.instance_type}, {wanted.volume_gib} GiB each)"
            )
        if group := plain(facts.get("group_id")):
            yield from item(
                f"the security group {group}: tcp 22 from {wanted.ssh_cidr}, tcp 7100 and 9000 from anywhere, Corosync's "
                "ports within the group"
            )
        if allocation := plain(facts.get("allocation_id")):
            whose = " (it was there already)" if wanted.allocation_id else ""
            yield from item(f"the Elastic IP {plain(facts.get('elastic_ip'))}, {allocation}{whose}")
        yield from prose(
            "On both machines the packages, and these files; one that it replaced is kept as NAME.iconha-TIME:"
        )
        for path in self._paths():
            yield from item(f"`{path}`")
        properties = [f"`{name}={value}`" for name, value in spec.pacemaker.properties.items()]
        yield from prose(f"In the cluster {', '.join([*properties, f'and the resource `{spec.elastic_ip.id}`'])}.")

    def _paths(self) -> list[str]:
        """The files that a run puts on the machines, from the plan."""
        actions = (action for planned in plan_of(self.stages, View(self.spec)) for action in planned.actions)
        return sorted({action.path for action in actions if isinstance(action, Upload | Copy)})

    def _files(self) -> Iterator[str]:
        yield from heading("Files here")
        yield from prose("Spec, journal, transcript and this summary are in")
        yield from code(str(self.store.folder(self.spec.name)))

    # What to do next

    def _iconha(self, *words: str) -> str:
        """A command line of this program, which finds this cluster."""
        home = [f"{shlex.join(self.store.option)} \\\n "] if self.store.option else []
        return " ".join(["iconha-tui", *home, shlex.join(words)])

    def _failover(self) -> Iterator[str]:
        active, passive = self._active, self._passive
        yield from heading("Test a failover", 3)
        yield from prose("Do it before the P-Rep relies on the pair. Watch from here:")
        yield from code(self._iconha("status", self.spec.name, "--watch"))
        if address := self._sign_in():
            yield from prose(
                "Sign in; the alias is there because the address leads to either machine, and each has a host key of its own:"
            )
            yield from code(address)
        yield from prose(f"Then, while {active} is active, on either machine:")
        out, back = (shlex.join(["sudo", *command(active)]) for command in (standby.stand_by, standby.come_back))
        yield from code(out, back)
        yield from prose(
            f"The first command moves the address to {passive}, in less than a minute. The second lets {active} hold it again; "
            f"it stays on {passive} until that one fails or stands by. A session through an address that moves hangs: sign in "
            "anew."
        )

    def _sign_in(self) -> str:
        ssh, node = self.spec.ssh, self._active
        host = plain(self.facts.get("elastic_ip" if ssh.address == "public" else f"{node}.private_ip"))
        if not host:
            return ""
        words = ["ssh", *(["-p", str(ssh.port)] if ssh.port != 22 else [])]
        key = [f"-i {shell_path(ssh.key_file)} \\\n "] if ssh.key_file else []
        return " ".join([*words, *key, f"-o HostKeyAlias={node} {ssh.user}@{host}"])

    def _keystore(self) -> Iterator[str]:
        yield from heading("Keep the P-Rep's keystore on one machine", 3)
        yield from prose(
            "Two machines that sign blocks with the same key at once can be slashed. Keep the keystore off "
            f"{self._passive} until it is the active node, and {self._active} is known to be down."
        )

    def _monitor(self) -> Iterator[str]:
        yield from heading("Watch it", 3)
        yield from prose("A monitor, or cron, can ask with")
        yield from code(self._iconha("status", self.spec.name, "--once"))
        yield from prose(
            "whose exit code is 0 only where the standby would take over now, 1 where it would not, 5 where nobody has the "
            "address, 6 where the nodes contradict each other, and 3 where too little could be found out. 660 blocks "
            "missed in a row, about 22 minutes, bring the P-Rep a penalty."
        )

    def _fencing(self) -> Iterator[str]:
        properties = self.spec.pacemaker.properties
        if properties.get("stonith-enabled") != "false":
            return
        yield from heading("Know what it does not do", 3)
        lone = ", and a machine that boots alone takes it" if properties.get("no-quorum-policy") == "ignore" else ""
        yield from prose(
            "There is no fencing: two machines that cannot see each other can take the address from one another in turn"
            f"{lone}. The address moves; the P-Rep itself does not: starting it on the other machine is left to you."
        )

    def _costs(self) -> Iterator[str]:
        spec, facts = self.spec, self.facts
        launched = spec.instances.mode == "launch"
        yield from heading("When you need it no more", 3)
        what = "The machines, their disks and the Elastic IP" if launched else "The Elastic IP, as the machines,"
        yield from prose(
            f"{what} cost money for as long as they exist; deleting the cluster here deletes nothing of it."
        )
        commands = []
        ids = " ".join(plain(facts.get(f"{node}.instance_id")) for node in spec.names)
        if launched and len(ids.split()) == 2:
            verbs = ("terminate-instances", "wait instance-terminated")
            commands += [f"aws ec2 {verb} --instance-ids \\\n  {ids}" for verb in verbs]
        else:
            stop = shlex.join(["sudo", *self._shell.stop(spec.elastic_ip.id)])
            yield from prose(
                f"First `{stop}` on either machine, so that Pacemaker lets the address go; and take both machines "
                "out of the security group."
            )
        if (allocation := plain(facts.get("allocation_id"))) and not spec.instances.allocation_id:
            commands.append(f"aws ec2 release-address --allocation-id \\\n  {allocation}")
        if group := plain(facts.get("group_id")):
            commands.append(f"aws ec2 delete-security-group --group-id \\\n  {group}")
        if commands:
            yield from prose("With the AWS CLI:")
            yield from code(self._environment(), *commands)
        if spec.awscli.credentials == "keys":
            yield from prose("Then delete the machines' access key in IAM.")

    def _environment(self) -> str:
        return "export " + " \\\n  ".join(f"{name}={value}" for name, value in self.spec.aws.environment().items())
