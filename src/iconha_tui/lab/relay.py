"""TCP relays: what makes a loopback address an Elastic IP, and the API reachable inside a node.

One asyncio loop in a thread of its own carries all of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

log = logging.getLogger(__name__)
T = TypeVar("T")
CHUNK = 65536
CONNECT_TIMEOUT = 10.0
"""Seconds to reach the far end."""

Target = tuple[str, int]


class Connection:
    """One relayed connection. A frozen one swallows what it is sent and never answers, as a path that is gone does."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.frozen = False


class Relays:
    """A set of listening addresses, each leading to wherever `lead(address)` says at the moment of the connection."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="relays", daemon=True)
        self._servers: dict[Target, asyncio.Server] = {}
        self._connections: dict[Target, set[Connection]] = {}
        self._writers: set[asyncio.StreamWriter] = set()
        self._lead: Callable[[Target], Target | None] = lambda _: None
        self._thread.start()

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def addresses(self) -> list[Target]:
        return sorted(self._servers)

    def set_listeners(self, wanted: Iterable[Target], lead: Callable[[Target], Target | None]) -> None:
        """Listen on exactly `wanted`. New connections ask `lead` where to; None closes them at once.

        Connections whose address now leads elsewhere are frozen: on EC2 they hang, and so they do here.
        """
        self._call(self._set_listeners(set(wanted), lead))

    async def _set_listeners(self, wanted: set[Target], lead: Callable[[Target], Target | None]) -> None:
        self._lead = lead
        for address in self._servers.keys() - wanted:
            self._servers.pop(address).close()
        for address in wanted - self._servers.keys():

            async def accept(
                reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: Target = address
            ) -> None:
                await self._carry(reader, writer, address, self._lead(address))

            try:
                self._servers[address] = await asyncio.start_server(accept, *address)
            except OSError as error:
                log.error("cannot listen on %s:%d: %s", *address, error)
        for address, connections in self._connections.items():
            target = lead(address)
            for connection in connections:
                connection.frozen = connection.frozen or connection.target != target

    def serve(self, listening: socket.socket, target: Target, tls: ssl.SSLContext | None = None) -> asyncio.Server:
        """Relay a socket that is bound already (perhaps in another network namespace), ending TLS where asked."""

        async def start() -> asyncio.Server:
            async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                await self._carry(reader, writer, None, target)

            return await asyncio.start_server(accept, sock=listening, ssl=tls)

        return self._call(start())

    def stop_serving(self, server: asyncio.Server) -> None:
        self._loop.call_soon_threadsafe(server.close)

    async def _carry(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        address: Target | None,
        target: Target | None,
    ) -> None:
        if target is None:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.wait_for(asyncio.open_connection(*target), CONNECT_TIMEOUT)
        except (OSError, TimeoutError):
            writer.transport.abort()
            return
        connection = Connection(target)
        self._writers |= {writer, far_writer}
        if address is not None:
            self._connections.setdefault(address, set()).add(connection)
        try:
            await asyncio.gather(
                _pump(reader, far_writer, connection), _pump(far_reader, writer, connection), return_exceptions=True
            )
        finally:
            if address is not None:
                self._connections[address].discard(connection)
            self._writers -= {writer, far_writer}
            for one in (writer, far_writer):
                one.close()

    def close(self) -> None:
        """Close every listener and connection."""

        async def close_all() -> None:
            for server in self._servers.values():
                server.close()
            self._servers.clear()
            for writer in list(self._writers):
                writer.transport.abort()
            await asyncio.sleep(0)

        with contextlib.suppress(Exception):
            self._call(close_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: Connection) -> None:
    """Copy one direction until its end, and pass the end on."""
    with contextlib.suppress(OSError, ssl.SSLError):
        while data := await reader.read(CHUNK):
            if connection.frozen:
                continue
            writer.write(data)
            await writer.drain()
    if connection.frozen:
        writer.transport.abort()
    elif writer.can_write_eof():
        with contextlib.suppress(OSError):
            writer.write_eof()
    else:
        writer.close()
