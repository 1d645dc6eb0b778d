"""A session: one opened cluster with its spec, secrets and connections. The wizard and the line-by-line run share it."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from iconha_tui import __version__
from iconha_tui.cloud.stoppable import StoppableCloud
from iconha_tui.engine import runner
from iconha_tui.engine.actions import Disruptive
from iconha_tui.engine.cancel import Cancel
from iconha_tui.engine.events import (
    Event,
    OnEvent,
    RunFinished,
    RunStarted,
    StageFinished,
    StageStarted,
    StepFinished,
    StepStarted,
)
from iconha_tui.engine.foresight import HOW_TO_ALLOW, disruptive_actions, look_at_all, refusal
from iconha_tui.engine.journal import Journal
from iconha_tui.engine.ports import Cloud, Node
from iconha_tui.engine.step import Context, Stage, Vault
from iconha_tui.errors import Cancelled, Trouble
from iconha_tui.spec import Spec
from iconha_tui.stages import SERVES, STAGES
from iconha_tui.store import Store

if TYPE_CHECKING:
    from iconha_tui.remote.pool import Pool

ConfirmHostKey = Callable[[str, str, str], bool]
"""Asks the operator about an unknown host key: node, key type, SHA-256 fingerprint. Called from a worker thread."""

OPERATOR_KEYS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
"""Vault names of the operator's own keys, where they are typed in."""
NODE_KEYS = ("node_access_key_id", "node_secret_access_key")
"""Vault names of the keys that the nodes get."""
KEY_PASSPHRASE = "key_passphrase"  # noqa: S105  a name in the vault, no secret
"""Vault name of the SSH key's passphrase."""


class Session:
    """Everything that a run of one cluster needs. boto3 and paramiko are imported when first used.

    confirm_host_key: asked about unknown host keys; a changed key is never asked about, it always stops.
    allow: asked, from the run's thread, before a run disrupts a pair that serves; by default nothing disruptive is allowed.
    """

    def __init__(
        self, store: Store, spec: Spec, *, confirm_host_key: ConfirmHostKey, vault: Vault | None = None
    ) -> None:
        self.store = store
        self.allow: Callable[[Sequence[Disruptive]], bool] = _allow_nothing
        self._confirm = confirm_host_key
        self._clouds: dict[str, Cloud] = {}
        self._pool: Pool | None = None
        self._opening = Lock()
        """Guards the pool, for moments: nothing is connected or closed while it is held."""
        self.ctx = Context(
            spec,
            StoppableCloud(self._operator_cloud, lambda: self.ctx.cancel),
            self._node,
            self._node_cloud,
            why_not_reachable,
            vault or Vault(),
        )

    @property
    def spec(self) -> Spec:
        return self.ctx.spec

    def use(self, spec: Spec) -> None:
        """Goes on with an edited spec, and saves it. Connections that it changes are made anew."""
        old = self.ctx.spec
        self.store.save(spec)
        self.ctx.spec = spec
        if spec.machines != old.machines:
            self.ctx.facts.clear()  # they may be of other machines
        if spec.aws != old.aws or spec.awscli != old.awscli:
            self._clouds = {}
        if spec.ssh != old.ssh or spec.names != old.names:
            self.close()

    def keep_secret(self, name: str, value: str) -> None:
        """Keeps a typed secret in memory, and drops the clients made without it."""
        self.ctx.vault.put(name, value)
        self._clouds = {}

    def run(self, stages: Sequence[Stage], on_event: OnEvent, skip: Collection[str] = ()) -> RunFinished:
        """Carries stages out but for the steps in `skip`, journalled, with the cluster's lock held. Raises Locked, Trouble."""
        return self._journalled(self._run_guarded, stages, on_event, skip)

    def survey(self, stages: Sequence[Stage], on_event: OnEvent) -> RunFinished:
        """Probes stages up to the first that is not done; changes nothing. Raises Locked, Trouble.

        What was skipped in an earlier run does not hold it up.
        """
        return self._journalled(runner.survey, stages, on_event, self.store.progress(self.spec.name).skipped)

    def _run_guarded(self, stages: Sequence[Stage], ctx: Context, emit: OnEvent, skip: Collection[str]) -> RunFinished:
        """A run that never leaves a pair that serves without a word.

        Where the pair serves, what may disrupt it is asked about before anything is changed; and whatever the run's end, it ends
        with a look at the pair.
        """
        served = self._serves(stages)
        if served:
            due = disruptive_actions(stages, ctx, look_at_all(stages, ctx), skip)
            if due and not self.allow(due):
                return self._refused(stages, due, emit)
            # What turns up only during the run is asked about when it is due.
            ctx.permit = lambda more: set(more) <= set(due) or self.allow(more)
        try:
            return runner.run(stages, ctx, emit, skip, SERVES if served else None)
        finally:
            ctx.permit = _permit_all

    def _serves(self, stages: Sequence[Stage]) -> bool:
        """Whether a node holds the address now. Only a cluster whose address was once started is looked at."""
        if not stages or self.store.progress(self.spec.name).steps.get("elastic_ip.started") != "done":
            return False
        known = self.ctx.view.facts
        if any(f"{name}.instance_id" not in known for name in self.spec.names):
            look_at_all([stage for stage in STAGES if stage.name in ("credentials", "instances")], self.ctx)
        self.ctx.learn({"serves": False})
        try:
            self.ctx.learn(SERVES.probe(self.ctx, self.spec.names[0]).facts)
        except Cancelled:
            raise
        except Trouble:  # the run itself meets it, and says it
            return False
        return bool(self.ctx.view.facts["serves"])

    def _refused(self, stages: Sequence[Stage], due: Sequence[Disruptive], emit: OnEvent) -> RunFinished:
        stage = stages[0].name
        emit(RunStarted([each.name for each in stages], "run", __version__))
        emit(StageStarted(stage))
        emit(StepStarted(stage, SERVES.id, SERVES.title))
        why = f"{refusal(due)}\nNothing was changed."
        emit(StepFinished(stage, SERVES.id, "blocked", False, 0.0, why, where=due[0].target, remedy=HOW_TO_ALLOW))
        emit(StageFinished(stage, "blocked", False, 0.0))
        end = RunFinished("blocked", False, 0.0)
        emit(end)
        return end

    def _journalled(
        self,
        work: Callable[[Sequence[Stage], Context, OnEvent, Collection[str]], RunFinished],
        stages: Sequence[Stage],
        on_event: OnEvent,
        skip: Collection[str],
    ) -> RunFinished:
        with self.store.lock(self.spec.name):
            self.store.save(self.spec)
            journal = Journal(self.store.folder(self.spec.name))
            try:

                def emit(event: Event) -> None:
                    journal(event)
                    on_event(event)

                return work(stages, self.ctx, emit, skip)
            finally:
                journal.close()
                self.ctx.cancel = Cancel()  # a run that was stopped stops nothing that comes after it

    def read(self, node: str, path: str) -> bytes | None:
        """A file on a node as it is now, None where there is none; nothing is changed. Raises Trouble."""
        return self.ctx.node(node).read(path)

    def cancel(self, *, stop_long: bool | None = False) -> None:
        """Asks the run to stop. A long command on a node is left running there, and found again by the next run.

        stop_long: it is stopped there too; None: it is followed until another call decides.
        """
        if stop_long is None:
            self.ctx.cancel.set()
        else:
            self.ctx.cancel.decide(stop_long=stop_long)

    def close(self) -> None:
        """Closes the connections to the nodes, without waiting for that."""
        with self._opening:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()

    def forget(self, node: str) -> None:
        """Closes the connection to a node whose address has changed, without waiting; the next command connects anew."""
        with self._opening:
            pool = self._pool
        if pool is not None:
            pool.forget(node)

    def _operator_cloud(self) -> Cloud:
        return self._cloud("operator", OPERATOR_KEYS)

    def _node_cloud(self) -> Cloud:
        self.load_node_keys()
        return StoppableCloud(lambda: self._cloud("node", NODE_KEYS), lambda: self.ctx.cancel)

    def _cloud(self, whose: str, keys: tuple[str, ...]) -> Cloud:
        from iconha_tui.cloud.client import Client

        clouds = self._clouds  # a client of keys that change meanwhile ends in a dict that nobody looks into any more
        if whose not in clouds:
            clouds.setdefault(whose, Client(self.spec.aws, [self.ctx.vault.get(key) for key in keys]))
        return clouds[whose]

    def load_node_keys(self) -> None:
        """Brings the nodes' AWS keys into the vault: from the named profile, or the environment. Typed ones stay."""
        vault = self.ctx.vault
        if self.spec.awscli.credentials != "keys" or all(vault.has(name) for name in NODE_KEYS):
            return
        if self.spec.awscli.profile:
            from iconha_tui.cloud.client import profile_keys

            found = profile_keys(self.spec.aws, self.spec.awscli.profile)
        else:
            found = (
                os.environ.get("ICONHA_NODE_ACCESS_KEY_ID", ""),
                os.environ.get("ICONHA_NODE_SECRET_ACCESS_KEY", ""),
            )
        for name, value in zip(NODE_KEYS, found, strict=True):
            vault.put(name, value)

    def _node(self, name: str) -> Node:
        import iconha_tui.remote.pool  # noqa: F401  outside the lock: the first time it takes a while

        with self._opening:
            if self._pool is None:
                self._pool = self._new_pool()
            return self._pool.node(name)

    def _new_pool(self) -> Pool:
        from iconha_tui.remote.connection import Endpoint, Unreachable
        from iconha_tui.remote.host_keys import HostKeys
        from iconha_tui.remote.identity import Identity
        from iconha_tui.remote.pool import Pool
        from iconha_tui.stages.instances import instance_lookups
        from iconha_tui.stages.lookup import look_up

        met: set[str] = set()

        def locate(node: str) -> Endpoint:
            kind = f"{self.spec.ssh.address}_ip"
            if (
                node in met
            ):  # the connection broke, perhaps because the Elastic IP has moved: it is asked where the node is now
                with suppress(Trouble):
                    self.ctx.learn(look_up(self.ctx, instance_lookups(self.ctx.view, node)))
            met.add(node)
            host = self.ctx.facts.get(f"{node}.{kind}")
            if not host:
                raise Unreachable(
                    f"It has no {self.spec.ssh.address} address.",
                    where=node,
                    remedy="Give it one, or choose the other kind of address in the credentials stage.",
                )
            # Keys are kept per instance: an Elastic IP moves from one machine to the other.
            return Endpoint(str(host), self.spec.ssh.port, self.ctx.fact(f"{node}.instance_id"))

        key_file = Path(self.spec.ssh.key_file) if self.spec.ssh.key_file else None
        folder = self.store.make(self.spec.name)
        return Pool(
            locate,
            user=self.spec.ssh.user,
            identity=Identity(key_file, lambda _: self.ctx.vault.get(KEY_PASSPHRASE) or None),
            host_keys=HostKeys(folder / "known_hosts", self._confirm),
            cancel=lambda: self.ctx.cancel,
            positions=folder,
        )


def _permit_all(_due: Sequence[Disruptive]) -> bool:
    return True


def _allow_nothing(_due: Sequence[Disruptive]) -> bool:
    return False


def warm_up() -> None:
    """Imports what the first call and the first connection need (most of a second), while nobody waits for it."""
    import iconha_tui.cloud.client
    import iconha_tui.remote.pool  # noqa: F401


def why_not_reachable(host: str, port: int) -> str:
    """Why a TCP connection to host:port does not come about within 5 s; "" when it does."""
    try:
        with socket.create_connection((host, port), timeout=5):
            return ""
    except OSError as error:
        return error.strerror or str(error) or type(error).__name__
