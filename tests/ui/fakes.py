"""A world for the wizard's tests: stages whose steps work on nodes and an AWS that live in this process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from threading import Event
from typing import Any

from waiting import BOUND

from iconha_tui.cloud.stoppable import StoppableCloud, cancel_of_this_call
from iconha_tui.engine.actions import Action, Call, Run, Upload
from iconha_tui.engine.cancel import Cancel
from iconha_tui.engine.ports import Completed, OnLines
from iconha_tui.engine.step import AWS, Blocked, Context, Done, Needed, Stage, Step, Verdict, View
from iconha_tui.errors import Cancelled, Left, Trouble
from iconha_tui.session import ConfirmHostKey, Session
from iconha_tui.spec import Spec
from iconha_tui.store import Store

TITLES = {
    "credentials": "Credentials",
    "instances": "Instances and ports",
    "packages": "Packages",
    "authkey": "Authentication key",
    "corosync": "Corosync",
    "pacemaker": "Pacemaker",
    "awscli": "AWS CLI on the machines",
    "elastic_ip": "Elastic IP",
}


class World:
    """What the fakes share.

    files: what each node has been given. lines: what each command says. broken: commands that end with exit code 100, saying
    `said`. gate: commands wait for it. long: they outlive a run. ask_key: nodes whose host key is not known
    yet. left: what has become of commands at which a run was stopped, by node. device: the MFA device without whose code AWS
    answers nothing; codes: what was typed.
    """

    def __init__(self) -> None:
        self.files: dict[str, set[str]] = {}
        self.lines: Sequence[str] = ("Reading package lists...", "", "Setting up corosync (3.1.7-1) ...")
        self.broken: set[str] = set()
        self.said = "E: Unable to locate package aws-cli\n"
        self.gate = Event()
        self.gate.set()
        self.aws_answers = Event()
        self.aws_answers.set()
        self.long = True
        self.left: dict[str, Left] = {}
        self.ask_key: set[str] = set()
        self.refused: set[str] = set()
        self.device = ""
        self.codes: list[str] = []
        self.commands: list[tuple[str, str]] = []
        self.cloud_trouble: Trouble | None = None
        self.answers: dict[str, dict[str, Any]] = {
            "describe_instances": {
                "Reservations": [
                    {
                        "Instances": [
                            {
                                "InstanceId": f"i-0000000000000000{number}",
                                "State": {"Name": "running"},
                                "Placement": {"AvailabilityZone": f"us-east-1{zone}"},
                                "PrivateIpAddress": f"10.0.0.1{number}",
                                "PublicIpAddress": f"198.51.100.1{number}",
                                "Tags": [{"Key": "Name", "Value": f"machine-{number}"}],
                            }
                        ]
                    }
                    for number, zone in ((1, "a"), (2, "b"))
                ]
            }
        }

    def session(self, store: Store, spec: Spec, confirm: ConfirmHostKey) -> Session:
        session = Session(store, spec, confirm_host_key=confirm)
        session.ctx.node = lambda name: FakeNode(self, name, session, confirm)
        session.ctx.cloud = StoppableCloud(lambda: FakeCloud(self, session), lambda: session.ctx.cancel)
        return session


SAID: dict[Left, str] = {
    "stopped": "iconha-{}.service was stopped on the node.",
    "running": "iconha-{}.service is left running on the node.",
}


class FakeCloud:
    def __init__(self, world: World, session: Session) -> None:
        self.world, self.session = world, session

    def call(self, service: str, operation: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        if self.world.device and not self.world.codes:
            self.world.codes.append(self.session.ask_code(self.world.device, cancel_of_this_call()))
        self.world.aws_answers.wait(BOUND)
        if self.world.cloud_trouble:
            raise self.world.cloud_trouble
        return self.world.answers.get(operation, {})


class FakeNode:
    def __init__(self, world: World, name: str, session: Session, confirm: ConfirmHostKey) -> None:
        self.world, self.name, self.session, self.confirm = world, name, session, confirm

    def run(
        self,
        argv: tuple[str, ...],
        *,
        root: bool = True,
        stdin: bytes | None = None,
        timeout: float = 120.0,
        on_lines: OnLines | None = None,
        cancel: Event | None = None,
    ) -> Completed:
        return self._carry_out(argv, on_lines, cancel, lambda: "stopped")

    def _carry_out(
        self, argv: tuple[str, ...], on_lines: OnLines | None, cancel: Event | None, left: Callable[[], Left]
    ) -> Completed:
        """left: what becomes of it once `cancel` is set."""
        world = self.world
        if self.name in world.ask_key:
            if not self.confirm(self.name, "ssh-ed25519", "SHA256:0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"):
                raise Trouble("Its host key was refused.", where=self.name, remedy="Compare the fingerprint; retry.")
            world.ask_key.discard(self.name)
        command = " ".join(argv)
        world.commands.append((self.name, command))
        if on_lines:
            on_lines([f"{self.name}: {line}" if line else "" for line in world.lines])
        while not world.gate.wait(0.02):
            if cancel is not None and cancel.is_set():
                cancelled = Cancelled(SAID[left()].format(self.name.lower()), where=self.name, remedy="Run again.")
                cancelled.left = world.left[self.name] = left()
                raise cancelled
        if any(broken in command for broken in world.broken):
            return Completed(100, world.said, "")
        world.files.setdefault(self.name, set()).add(argv[-1])
        return Completed(0, "", "")

    def run_long(
        self,
        key: str,
        argv: tuple[str, ...],
        *,
        timeout: float = 3600.0,
        on_lines: OnLines | None = None,
        cancel: Cancel | None = None,
    ) -> Completed:
        assert cancel is not None
        return self._carry_out(argv, on_lines, cancel.decided, lambda: "stopped" if cancel.stop_long else "running")

    def read(self, path: str) -> bytes | None:
        return None

    def write(
        self,
        path: str,
        content: bytes,
        *,
        mode: int = 0o644,
        owner: str = "root:root",
        check: tuple[str, ...] | None = None,
        backup: bool = False,
        over: str | None = None,
        note: tuple[str, str] | None = None,
    ) -> None:
        self.world.files.setdefault(self.name, set()).add(path)


class Make(Step):
    """Runs one command on both nodes and uploads one file; done where the node has them."""

    def __init__(self, world: World, stage: str, word: str, *, upload: bool = False) -> None:
        self.world, self.word, self.upload = world, word, upload
        self.id = f"{stage}.{word}"
        self.title = f"{word.capitalize()} on both machines"
        self.guide = f"apt-get install {word}"
        self.departs = "The guide's line asks a question; this one does not." if upload else ""

    def probe(self, ctx: Context, target: str) -> Verdict:
        if self.word in self.world.files.get(target, set()):
            return Done(f"{self.word} is there", {f"{target}.{self.word}": "1.0"})
        return Needed(f"{self.word} is missing")

    def plan(self, view: View, target: str) -> list[Action]:
        install = ("apt-get", "-y", "install", self.word)
        actions: list[Action] = [Run(target, install, why=f"installs {self.word}", long=self.world.long)]
        if self.upload:
            content = (f"[Service]\nEnvironment=ADDRESS={view.fact(f'{target}.address')}\n",)
            actions.insert(0, Upload(target, "/etc/systemd/system/x.conf", content, why="gives Pacemaker the region"))
        return actions


class Ask(Step):
    """Looks at AWS."""

    def __init__(self, world: World, stage: str) -> None:
        self.world = world
        self.id, self.title = f"{stage}.identity", "Who is signed in"

    def targets(self, view: View) -> Sequence[str]:
        return (AWS,)

    def probe(self, ctx: Context, target: str) -> Verdict:
        if self.world.cloud_trouble:
            return Blocked("The access key is not valid.", "Enter another one in the settings.")
        addresses = {f"{name}.address": f"10.0.0.1{n}" for n, name in enumerate(ctx.spec.names, start=1)}
        return Done("arn:aws:iam::123456789012:user/operator", addresses)

    def plan(self, view: View, target: str) -> list[Action]:
        return []


class Allocate(Step):
    """Calls AWS once."""

    def __init__(self, world: World, stage: str) -> None:
        self.world = world
        self.id, self.title = f"{stage}.address", "An Elastic IP"

    def targets(self, view: View) -> Sequence[str]:
        return (AWS,)

    def probe(self, ctx: Context, target: str) -> Verdict:
        done = "address" in self.world.files.get(AWS, set())
        self.world.files.setdefault(AWS, set()).add("address")
        return Done("203.0.113.10") if done else Needed("no address is tagged with the cluster's name")

    def plan(self, view: View, target: str) -> list[Action]:
        return [Call("ec2", "allocate_address", {"Domain": "vpc"}, why="the address that follows the active node")]


def stages(world: World) -> tuple[Stage, ...]:
    """The guide's stages by name, with steps of this world."""
    found = []
    for name, title in TITLES.items():
        steps: tuple[Step, ...] = (Make(world, name, f"{name}-a", upload=True), Make(world, name, f"{name}-b"))
        if name == "credentials":
            steps = (Ask(world, name),)
        elif name == "instances":
            steps = (Allocate(world, name), *steps)
        summary = (
            f"This is what the stage “{title}” does, in plain words, and why it does it before the stages after it."
        )
        found.append(Stage(name, title, summary, steps))
    return tuple(found)
