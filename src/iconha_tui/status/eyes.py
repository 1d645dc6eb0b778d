"""All that a status can do to the world. The rest of this package has nothing else to act with, so it can change nothing."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from iconha_tui.cluster.log_events import IDENTIFIERS, PATTERN
from iconha_tui.engine.ports import Cloud
from iconha_tui.engine.step import Context
from iconha_tui.errors import Trouble
from iconha_tui.session import Session
from iconha_tui.stages.instances import address_lookups, instance_lookups
from iconha_tui.stages.lookup import look_up
from iconha_tui.status.chains import fetch_chains

Answer = dict[str, Any]
"""What a look brought, as JSON can hold it."""

PORTS = (7100, 9000)
"""The P-Rep's: peer to peer, and JSON-RPC."""

READS = frozenset({("ec2", "describe_addresses"), ("ec2", "describe_instances")})
"""The calls of AWS that a status makes."""

CUT = "@@iconha "

_PARTS = {
    # The date at both ends: the clock's offset is then known to within the time that the connection took.
    "machine": "cat /proc/uptime /proc/loadavg; date +%s.%N",
    "versions": "sed -n 's/^PRETTY_NAME=//p' /etc/os-release; timeout 5 corosync -v; timeout 5 pacemakerd --version",
    "services": "systemctl is-active corosync pacemaker",
    "members": "timeout 5 corosync-cmapctl | grep members",
    "links": "timeout 5 corosync-cfgtool -s",
    "quorum": "timeout 5 corosync-quorumtool -s",
    "monitor": "timeout 10 crm_mon -X",
    "events": f"timeout 5 journalctl -q --no-pager -o short-unix {' '.join(f'-t {each}' for each in IDENTIFIERS)} -n 3000"
    f" | grep -E '{PATTERN}' | tail -n 150 | cut -c 1-500",
    "end": "date +%s.%N",
}

LOOK = "export LC_ALL=C TZ=UTC; exec 2>/dev/null; " + "; ".join(
    f"echo; echo '{CUT}{name}'; {command}" for name, command in _PARTS.items()
)
"""The one command that a node is given. It only reads."""

ROOM = 1 << 20
"""Characters of an answer. That of a healthy pair has some 30,000, with every event of a bad day 150,000."""

_PATIENCE = 30.0


class Eyes(Protocol):
    """What a watcher looks with. Every method raises Trouble where it sees nothing."""

    def aws(self) -> Answer:
        """EC2's word on the machines and the address."""

    def node(self, name: str) -> Answer:
        """What a node says of itself and of the cluster."""

    def ports(self, address: str) -> Answer:
        """Which of the P-Rep's ports answer at an address, and what its API tells."""

    def remember(self, aws: Answer) -> None:
        """Takes an earlier answer of AWS as true, to find the nodes by."""

    def close(self) -> None:
        """Ends every connection."""


class SessionEyes:
    """Looks through a session, whose AWS client it narrows to READS, and whose nodes to LOOK."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._ctx = read_only(session.ctx)
        self._addresses: dict[str, str | None] = {}

    def aws(self) -> Answer:
        view = self._ctx.view
        lookups = [*address_lookups(view), *(each for name in view.spec.names for each in instance_lookups(view, name))]
        facts = {name: value for name, value in look_up(self._ctx, lookups).items() if isinstance(value, str | None)}
        self.remember(facts)
        return facts

    def remember(self, aws: Answer) -> None:
        self._ctx.learn(aws)
        for name in self._ctx.spec.names:
            address = aws.get(f"{name}.public_ip")
            if address != self._addresses.setdefault(name, address):
                # What is connected through an address that has moved hangs, or would reach the other machine.
                self._addresses[name] = address
                self._session.forget(name)

    def node(self, name: str) -> Answer:
        began = time.time()
        said = self._ctx.node(name).run(("sh", "-c", LOOK), timeout=_PATIENCE)
        if CUT not in said.stdout:
            raise Trouble(
                "The command that looks at it gave no answer.",
                where=name,
                remedy="Log in there and see whether `sudo -n true` works.",
                detail=said.tail,
            )
        if len(said.stdout) > ROOM:
            raise Trouble(
                f"It says more than {ROOM >> 20} MiB of itself: none of it is read.",
                where=name,
                remedy="Log in there and see what its tools say.",
            )
        return {"said": self._ctx.vault.mask(said.stdout), "began": began, "ended": time.time()}

    def ports(self, address: str) -> Answer:
        found: Answer = {"address": address, **{str(port): not self._ctx.reach(address, port) for port in PORTS}}
        if found["9000"]:
            found["chains"], found["chain_trouble"] = fetch_chains(address, 9000)
        return found

    def close(self) -> None:
        self._session.cancel()
        self._session.close()


def read_only(ctx: Context) -> Context:
    """The same context, unable to change anything: it refuses what is neither in READS nor LOOK, whoever asks."""
    return replace(
        ctx, cloud=ReadOnlyCloud(ctx.cloud), node=lambda name: ReadOnlyNode(name, ctx), node_cloud=_refuse_node_cloud
    )


class ReadOnlyCloud:
    """`engine.ports.Cloud` for READS alone."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def call(self, service: str, operation: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        if (service, operation) not in READS:
            raise Refused(f"{service}:{operation}")
        return self._cloud.call(service, operation, params)


class ReadOnlyNode:
    """`engine.ports.Node` for LOOK alone."""

    def __init__(self, name: str, ctx: Context) -> None:
        self.name = name
        self._node = ctx.node

    def run(self, argv: tuple[str, ...], *, timeout: float = _PATIENCE, **more: Any) -> Any:
        if argv != ("sh", "-c", LOOK) or more:
            raise Refused(f"a command on {self.name}")
        return self._node(self.name).run(argv, timeout=timeout)

    def run_long(self, key: str, argv: tuple[str, ...], **more: Any) -> Any:
        raise Refused(f"a command on {self.name}")

    def read(self, path: str) -> bytes | None:
        raise Refused(f"a file of {self.name}")

    def write(self, path: str, content: bytes, **more: Any) -> None:
        raise Refused(f"a file of {self.name}")


class Refused(RuntimeError):
    """A status tried what it has no business with: a mistake in this program, never an operator's trouble."""

    def __init__(self, what: str) -> None:
        super().__init__(f"A status does not touch this: {what}.")


def _refuse_node_cloud() -> Cloud:
    raise Refused("the nodes' keys")


def reject_host_key(node: str, kind: str, fingerprint: str) -> bool:
    """A status never makes a new acquaintance: an unknown host key is not accepted."""
    return False
