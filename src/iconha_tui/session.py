"""A session: one opened cluster with its spec, secrets and connections. The wizard and the line-by-line run share it."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from iconha_tui.cloud.sentences import ask_nobody
from iconha_tui.cloud.stoppable import StoppableCloud, stoppable
from iconha_tui.engine.ports import AskCode, Cloud, Node
from iconha_tui.engine.step import Context, Vault
from iconha_tui.error_codes import Code
from iconha_tui.errors import Trouble
from iconha_tui.spec import Spec
from iconha_tui.store import Editing, Store

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
    editing: held where this process alone may change the cluster's spec, as while a wizard has it open.
    ask_code: asked for an MFA code where the AWS profile needs one; by default nobody is.
    """

    def __init__(
        self, store: Store, spec: Spec, *, confirm_host_key: ConfirmHostKey, vault: Vault | None = None
    ) -> None:
        self.store = store
        self.editing: Editing | None = None
        self.ask_code: AskCode = ask_nobody
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
        """Goes on with an edited spec; `save` writes it. Connections that it changes are made anew, without waiting for any."""
        old = self.ctx.spec
        self.ctx.spec = spec
        if spec.machines != old.machines:
            self.ctx.facts.clear()  # they may be of other machines
        if spec.aws != old.aws or spec.awscli != old.awscli:
            self._clouds = {}
        if spec.ssh != old.ssh or spec.names != old.names:
            self.close()

    def save(self) -> None:
        """Writes the spec, where it is not saved so already. Raises Locked where another wizard has the cluster open; Trouble."""
        spec = self.spec
        if self.editing is not None:
            self.store.save(spec)
        elif not self.store.holds(spec):
            with self.store.editing(spec.name):
                self.store.save(spec)

    def keep_secret(self, name: str, value: str) -> None:
        """Keeps a typed secret in memory, and drops the clients made without it."""
        self.ctx.vault.put(name, value)
        self._clouds = {}

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
        from iconha_tui.cloud.credentials import SignIn

        clouds = self._clouds  # a client of keys that change meanwhile ends in a dict that nobody looks into any more
        if whose not in clouds:
            sign_in = SignIn(self.ask_code, self.ctx.vault.roles)
            clouds.setdefault(whose, Client(self.spec.aws, [self.ctx.vault.get(key) for key in keys], sign_in))
        return clouds[whose]

    def load_node_keys(self) -> None:
        """Brings the nodes' AWS keys into the vault: from the named profile, or the environment. Typed ones stay."""
        vault = self.ctx.vault
        if self.spec.awscli.credentials != "keys" or all(vault.has(name) for name in NODE_KEYS):
            return
        if self.spec.awscli.profile:
            from iconha_tui.cloud.client import profile_keys

            found = stoppable(
                lambda: profile_keys(self.spec.aws, self.spec.awscli.profile),
                self.ctx.cancel,
                name="profile-keys",
                where="credentials",
            )
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
                    code=Code.ADDRESS_UNKNOWN,
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


def why_not_reachable(host: str, port: int) -> str:
    """Why a TCP connection to host:port does not come about within 5 s; "" when it does."""
    try:
        with socket.create_connection((host, port), timeout=5):
            return ""
    except OSError as error:
        return error.strerror or str(error) or type(error).__name__
