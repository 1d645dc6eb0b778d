"""The world in the pictures: a pair as the guide builds it, its run told by hand, and clocks that stand still.

Nothing is reached. Addresses are those that RFC 5737 keeps for documentation; what nodes say is from a real run, shortened.
"""

from __future__ import annotations

import calendar
import pkgutil
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from threading import Event as Gate
from typing import Any

import iconha_tui
from iconha_tui.control import run_controller
from iconha_tui.engine.actions import Run
from iconha_tui.engine.events import (
    ActionFinished,
    ActionStarted,
    OnEvent,
    Outcome,
    Output,
    Probed,
    RunFinished,
    RunStarted,
    StageFinished,
    StageStarted,
    StepFinished,
    StepStarted,
)
from iconha_tui.engine.step import AWS, Context, Stage, Step
from iconha_tui.preflight import Found
from iconha_tui.session import ConfirmHostKey, Session
from iconha_tui.spec import Spec
from iconha_tui.store import Store

ONE, TWO = "PRep-01", "PRep-02"

FACTS: dict[str, Any] = {
    "account": "123456789012",
    "active": ONE,
    "elastic_ip": "203.0.113.10",
    "allocation_id": "eipalloc-0c1f6a52d9b3e8470",
    "group_id": "sg-0b7d1e94c2a86f350",
    "vpc_id": "vpc-0a93c5e7f1d2b4680",
    "image_id": "ami-0d7c3f2b1a9e8d654",
}
for _n, _name, _id in ((1, ONE, "i-0a1b2c3d4e5f60718"), (2, TWO, "i-08192a3b4c5d6e7f0")):
    FACTS |= {
        f"{_name}.instance_id": _id,
        f"{_name}.private_ip": f"10.0.0.1{_n}",
        f"{_name}.public_ip": "203.0.113.10" if _n == 1 else "198.51.100.12",
        f"{_name}.zone": f"us-east-1{'ab'[_n - 1]}",
        f"{_name}.os": "Ubuntu 22.04.5 LTS",
        f"{_name}.aws": "/usr/bin/aws",
        f"{_name}.corosync": "3.1.6",
        f"{_name}.pacemaker": "2.1.2",
        f"{_name}.versions": {"crmsh": "4.3.1-1ubuntu2", "awscli": "1.22.34-1"},
    }

Told = tuple[float, bool, str]
"""Of a step: how long it took, whether it changed something, and its evidence."""

STEPS: dict[str, Told] = {
    "credentials.identity": (0.3, False, "account 123456789012, arn:aws:iam::123456789012:user/operator"),
    "credentials.region": (0.4, False, "us-east-1: us-east-1a, us-east-1b, us-east-1c, us-east-1d, us-east-1f"),
    "credentials.ssh": (0.0, False, "~/.ssh/icon.pem"),
    "credentials.nodes": (0.3, False, "keys of arn:aws:iam::123456789012:user/icon-nodes"),
    "instances.image": (0.5, False, "ami-0d7c3f2b1a9e8d654 ubuntu-jammy-22.04-amd64-server-20261015"),
    "instances.network": (0.3, False, "VPC vpc-0a93c5e7f1d2b4680"),
    "instances.group": (0.6, True, "sg-0b7d1e94c2a86f350"),
    "instances.rules": (0.5, True, "tcp 22, 7100, 9000 and Corosync's udp ports are open"),
    "instances.machine": (
        34.0,
        True,
        f"{ONE}: i-0a1b2c3d4e5f60718 in us-east-1a, 10.0.0.11; {TWO}: i-08192a3b4c5d6e7f0 in us-east-1b, 10.0.0.12",
    ),
    "instances.attach_group": (0.4, False, "in the group"),
    "instances.allocate": (0.7, True, "203.0.113.10 (eipalloc-0c1f6a52d9b3e8470)"),
    "instances.associate": (1.1, True, f"203.0.113.10 leads to {ONE}"),
    "instances.signin": (12.0, False, "Ubuntu 22.04.5 LTS, x86_64"),
    "instances.free": (0.3, False, "none"),
    "packages.install": (
        58.0,
        True,
        "corosync 3.1.6-1ubuntu1, pacemaker 2.1.2-1ubuntu3, crmsh 4.3.1-1ubuntu2, awscli 1.22.34-1",
    ),
    "packages.versions": (0.6, False, "corosync 3.1.6, Pacemaker 2.1.2"),
    "packages.clean": (0.2, False, "clean"),
    "authkey.generate": (0.4, True, f"{ONE} has one, SHA-256 0bebff6986dc2289…"),
    "authkey.copy": (0.5, True, "SHA-256 0bebff6986dc2289ac5dd303f89feb22df7891766fb2151bf1df84f250fe4434"),
    "authkey.private": (0.1, False, "root:root 0400"),
    "corosync.conf": (
        0.5,
        True,
        f"{ONE}: as wanted, SHA-256 72fc70684ade5a61…; {TWO}: as wanted, SHA-256 da49f355c8380988…",
    ),
    "corosync.pause": (0.3, False, "Pacemaker does not run: there is nothing to leave alone"),
    "corosync.reload": (0.2, False, "nothing to reload"),
    "corosync.restart_standby": (0.2, False, "nothing to restart"),
    "corosync.restart_active": (0.2, False, "nothing to restart"),
    "corosync.members": (1.6, True, "both joined"),
    "corosync.online": (0.0, False, "the cluster was not restarted"),
    "corosync.resume": (0.3, False, "Pacemaker does not run"),
    "pacemaker.online": (23.0, True, f"{ONE} and {TWO} online, DC {TWO}"),
    "pacemaker.phantom": (0.2, False, f"only {ONE} and {TWO}"),
    "pacemaker.properties": (1.2, True, "stonith-enabled=false, no-quorum-policy=ignore"),
    "awscli.config": (0.4, True, "/root/.aws/config, /root/.aws/credentials"),
    "awscli.region": (0.5, True, "/etc/systemd/system/pacemaker.service.d/50-iconha.conf"),
    "awscli.pause": (0.3, False, "no node holds the address: there is nothing to leave alone"),
    "awscli.reread_passive": (2.4, True, "AWS_DEFAULT_REGION=us-east-1"),
    "awscli.reread_active": (2.5, True, "AWS_DEFAULT_REGION=us-east-1"),
    "awscli.resume": (0.6, False, "failover is not paused by this program"),
    "awscli.proof": (6.3, True, "proven 0 min ago: describe-instances, describe-addresses, associate, disassociate"),
    "elastic_ip.primitive": (1.1, True, "elastic-ip: ocf:heartbeat:awseip, 203.0.113.10"),
    "elastic_ip.started": (4.2, True, f"elastic-ip is started on {ONE}"),
    "elastic_ip.ec2": (0.3, False, f"203.0.113.10 is {ONE}'s"),
    "elastic_ip.answers": (0.1, False, "203.0.113.10 port 22 answers; P-Rep ports that answer: 7100, 9000"),
}

LINES = {
    "packages.install": """\
Get:1 https://ubuntu.example/ubuntu jammy InRelease [270 kB]
Get:2 https://ubuntu.example/ubuntu jammy-updates InRelease [128 kB]
Get:3 https://ubuntu.example/ubuntu jammy/universe amd64 Packages [14.1 MB]
Fetched 28.4 MB in 4s (7,012 kB/s)
Reading package lists...
Building dependency tree...
Reading state information...
The following NEW packages will be installed:
  awscli cluster-glue corosync crmsh libknet1 pacemaker pacemaker-cli-utils resource-agents
Selecting previously unselected package libknet1:amd64.
Unpacking libknet1:amd64 (1.22-1) ...
Unpacking corosync (3.1.6-1ubuntu1) ...
Unpacking pacemaker (2.1.2-1ubuntu3) ...
Setting up libknet1:amd64 (1.22-1) ...
Setting up corosync (3.1.6-1ubuntu1) ...""".splitlines(),
}
"""What a step that takes long says on each node."""

FOUND = [
    Found("AWS", "AWS knows you", "done", STEPS["credentials.identity"][2]),
    Found("AWS", "The region exists", "done", STEPS["credentials.region"][2]),
    Found("AWS", "Ubuntu's image is there", "done", STEPS["instances.image"][2]),
    Found("AWS", "A network is there", "done", STEPS["instances.network"][2]),
    Found("AWS", "The security group exists", "will_be_made", "There is none yet. ec2:CreateSecurityGroup is allowed."),
    Found("AWS", "The Elastic IP is yours", "will_be_made", "There is none yet. ec2:AllocateAddress is allowed."),
    Found(
        "AWS",
        "Addresses",
        "warning",
        "4 of the 5 Elastic IPs that the account may have in us-east-1 are taken",
        "One is left, which this cluster takes. Release others, or ask AWS for a higher quota.",
    ),
    Found("here", "Your SSH key is there", "done", "~/.ssh/icon.pem"),
    Found(ONE, "The machine", "will_be_made", "it does not exist yet"),
    Found(TWO, "The machine", "will_be_made", "it does not exist yet"),
]
"""What the check before the run finds."""

LOCK = "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 1412 (unattended-upgr)"


class Clock:
    """A time module that stands still, and moves on when it is told to."""

    def __init__(self) -> None:
        self.now = float(calendar.timegm((2026, 11, 23, 13, 55, 10)))
        self.strftime, self.gmtime, self.localtime, self.sleep = time.strftime, time.gmtime, time.gmtime, time.sleep

    def time(self) -> float:
        return self.now

    monotonic = time


@contextmanager
def stopped_clocks() -> Iterator[Clock]:
    """Every module of the program sees the same moment, and no other."""
    clock = Clock()
    rooms = pkgutil.walk_packages(iconha_tui.__path__, "iconha_tui.")
    modules = [import_module(room.name) for room in rooms if ".lab" not in room.name and "__main__" not in room.name]
    real = run_controller.runner
    held = [module for module in modules if getattr(module, "time", None) is time]
    for module in held:
        module.time = clock  # type: ignore[attr-defined]
    try:
        yield clock
    finally:
        run_controller.runner = real
        for module in held:
            module.time = time  # type: ignore[attr-defined]


class Cloud:
    """An AWS with the two machines, for the live lists."""

    def call(self, service: str, operation: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        machines = [
            {
                "InstanceId": FACTS[f"{name}.instance_id"],
                "State": {"Name": "running"},
                "Placement": {"AvailabilityZone": FACTS[f"{name}.zone"]},
                "PrivateIpAddress": FACTS[f"{name}.private_ip"],
                "PublicIpAddress": FACTS[f"{name}.public_ip"],
                "Tags": [{"Key": "Name", "Value": name}],
            }
            for name in (ONE, TWO)
        ]
        return {"Reservations": [{"Instances": machines}]} if operation == "describe_instances" else {}


class Pictured:
    """What its sessions tell. hold: the step that waits for the gate, in the middle of it; fails: the step that does not pass."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.hold = self.fails = ""
        self.gate = Gate()
        self.waiting = False

    def session(self, store: Store, spec: Spec, confirm: ConfirmHostKey) -> Session:
        run_controller.runner = ToldRunner(self, store)  # type: ignore[assignment]
        return PicturedSession(store, spec, confirm_host_key=confirm)


class PicturedSession(Session):
    """A session of machines that are not there."""

    def __init__(self, *what: Any, **how: Any) -> None:
        super().__init__(*what, **how)
        self.ctx.cloud = Cloud()

    def read(self, node: str, path: str) -> bytes | None:
        return None


class ToldRunner:
    """In the place of the runner: what a run does is told. All of it is journalled, as a real one's would be."""

    def __init__(self, world: Pictured, store: Store) -> None:
        self._world, self._store = world, store

    def run(self, stages: Sequence[Stage], ctx: Context, emit: OnEvent, *_: object) -> RunFinished:
        return self._tell(stages, ctx, emit, ())

    def survey(self, stages: Sequence[Stage], ctx: Context, emit: OnEvent, _skip: Collection[str]) -> RunFinished:
        steps = self._store.progress(ctx.spec.name).steps
        return self._tell(stages, ctx, emit, {step for step, outcome in steps.items() if outcome == "done"})

    def _tell(self, stages: Sequence[Stage], ctx: Context, emit: OnEvent, known: Collection[str]) -> RunFinished:
        """known: the steps that a survey finds done; none where the steps are carried out."""
        clock = self._world.clock
        began = clock.now
        emit(RunStarted([stage.name for stage in stages], "survey" if known else "run"))
        outcome: Outcome = "done"
        for stage in stages:
            started = clock.now
            emit(StageStarted(stage.name))
            for step in stage.steps:
                emit(StepStarted(stage.name, step.id, step.title))
                outcome = self._found(stage, step, emit, known) if known else self._step(stage, step, ctx, emit)
                if outcome != "done":
                    break
            changed = not known and any(STEPS[step.id][1] for step in stage.steps)
            emit(StageFinished(stage.name, outcome, changed, round(clock.now - started, 3)))
            if stage.name == "instances":
                ctx.learn(FACTS)
            if outcome != "done":
                break
        end = RunFinished(outcome, True, round(clock.now - began, 3))
        emit(end)
        return end

    def _found(self, stage: Stage, step: Step, emit: OnEvent, known: Collection[str]) -> Outcome:
        outcome: Outcome = "done" if step.id in known else "todo"
        text = STEPS[step.id][2] if step.id in known else "not there yet"
        emit(StepFinished(stage.name, step.id, outcome, False, 0.2, text))
        return outcome

    def _step(self, stage: Stage, step: Step, ctx: Context, emit: OnEvent) -> Outcome:
        seconds, changed, text = STEPS[step.id]
        command = ""
        for target in step.targets(ctx.view) if changed else ():
            emit(Probed(stage.name, step.id, target, "probe", "needed", "not there yet"))
            lines = LINES.get(step.id, [])
            for index, action in enumerate(actions := step.plan(ctx.view, target), start=1):
                shown = action.shown()
                command = next((line for line in shown.splitlines() if "apt-get" in line), command)
                long = isinstance(action, Run) and action.long
                emit(ActionStarted(stage.name, step.id, target, index, len(actions), shown, action.why, long))
                if lines and target != AWS:
                    emit(Output(stage.name, step.id, target, lines))
                    break
                emit(ActionFinished(stage.name, step.id, target, index, 0.2, 0))
        if step.id == self._world.hold:
            self._world.waiting = True
            self._world.gate.wait(60)
            self._world.clock.now -= seconds / 2  # the walk has let the first half pass
        self._world.clock.now += seconds
        if step.id == self._world.fails:
            emit(Output(stage.name, step.id, ONE, [LOCK]))
            said = "The command ended with exit code 100."
            emit(
                StepFinished(
                    stage.name, step.id, "failed", True, seconds, said, ONE, command, LOCK, "Retry this stage."
                )
            )
            return "failed"
        emit(StepFinished(stage.name, step.id, "done", changed, seconds, text))
        return "done"
