"""The nodes of a run, by name: one connection each."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Lock

from iconha_tui.engine.cancel import Cancel
from iconha_tui.remote.connection import Endpoint
from iconha_tui.remote.host_keys import HostKeys
from iconha_tui.remote.identity import Identity
from iconha_tui.remote.ssh import SshNode


class Pool:
    """Makes and keeps one SshNode per name.

    locate(name): where that node is at present; asked at every connection. It may raise Trouble. cancel: the event that stops
    the run which is going on. positions: as SshNode has it.
    """

    def __init__(
        self,
        locate: Callable[[str], Endpoint],
        *,
        user: str,
        identity: Identity,
        host_keys: HostKeys,
        cancel: Callable[[], Cancel] = Cancel,
        positions: Path | None = None,
    ) -> None:
        self._locate = locate
        self._user = user
        self._identity = identity
        self._host_keys = host_keys
        self._cancel = cancel
        self._positions = positions
        self._nodes: dict[str, SshNode] = {}
        self._lock = Lock()

    def node(self, name: str) -> SshNode:
        """The node of that name; nothing is connected until it is used."""
        with self._lock:
            if name not in self._nodes:
                self._nodes[name] = SshNode(
                    name,
                    partial(self._locate, name),
                    user=self._user,
                    identity=self._identity,
                    host_keys=self._host_keys,
                    cancel=self._cancel,
                    positions=self._positions,
                )
            return self._nodes[name]

    def forget(self, name: str) -> None:
        """Drop the connection of a node whose address has changed: the next command looks it up anew."""
        with self._lock:
            node = self._nodes.get(name)
        if node is not None:
            node.close()

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            nodes = list(self._nodes.values())
            self._nodes.clear()
        for node in nodes:
            node.close()
