"""The P-Rep's chains, as goloop tells them: GET /admin/chain, on the port of its JSON-RPC (doc/goloop_admin_api.md there).

What answers on that port is not trusted: it gets one request, a few seconds and little room.
"""

from __future__ import annotations

import http.client
import io
import json
import socket
import time
from typing import Any

from iconha_tui.text import clean

SECONDS = 5.0
ROOM = 256 * 1024
CHAINS = 8
"""Chains that are shown; a P-Rep of ICON has one."""


def fetch_chains(address: str, port: int) -> tuple[list[dict[str, Any]], str]:
    """The chains with nid, channel, state, height and last_error; and why there are none, "" where there are."""
    try:
        status, body = _get(address, port)
    except (OSError, http.client.HTTPException) as error:
        return [], f"its API gives no answer ({_reason(error)})"
    if status in (401, 403):
        return [], "its API tells only its own users"
    if status != 200:
        return [], f"it has no such API (HTTP {status})"
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return [], "its API answers with something other than JSON"
    if not isinstance(told, list):
        return [], "its API answers with no list of chains"
    found = [_chain(each) for each in told[:CHAINS] if isinstance(each, dict)]
    return found, "" if found else "it runs no chain"


def _get(address: str, port: int) -> tuple[int, bytes]:
    until = time.monotonic() + SECONDS
    with socket.create_connection((address, port), timeout=SECONDS) as connection:
        host = f"[{address}]" if ":" in address else address
        connection.sendall(
            f"GET /admin/chain HTTP/1.0\r\nHost: {host}:{port}\r\nAccept: application/json\r\n\r\n".encode("ascii")
        )
        held = bytearray()
        while len(held) <= ROOM:
            connection.settimeout(max(until - time.monotonic(), 0.001))
            piece = connection.recv(16384)
            if not piece:
                break
            held += piece
    if len(held) > ROOM:
        raise http.client.HTTPException("too long")
    answer = http.client.HTTPResponse(_Held(bytes(held)))  # type: ignore[arg-type]
    answer.begin()
    return answer.status, answer.read()


class _Held:
    """What has been received, as http.client reads a socket."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, mode: str) -> io.BytesIO:
        return io.BytesIO(self._data)


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"none within {SECONDS:.0f} s"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return "not HTTP"


def _chain(told: dict[str, Any]) -> dict[str, Any]:
    height = told.get("height")
    return {
        "nid": _text(told.get("nid"), 20),
        "channel": _text(told.get("channel"), 40),
        "state": _text(told.get("state"), 60),
        "height": height if type(height) is int and 0 <= height < 2**63 else None,
        "last_error": _text(told.get("lastError"), 200),
    }


def _text(value: Any, limit: int) -> str:
    return clean(value[: 4 * limit])[:limit] if isinstance(value, str) else ""
