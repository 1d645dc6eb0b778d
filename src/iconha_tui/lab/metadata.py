"""The metadata service of an instance: http://169.254.169.254, versions 1 and 2."""

from __future__ import annotations

import json
import secrets
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ADDRESS = "169.254.169.254"
PORT = 80
LONGEST_TOKEN = 21600
"""Seconds; as on EC2."""


@dataclass(frozen=True)
class Facts:
    """What EC2 says of an instance at this moment."""

    tokens_required: bool
    tree: dict[str, str]
    """Path below /latest/ -> content, the leaves of the service's tree."""


class Metadata:
    """One instance's service on a socket that is bound inside its network namespace."""

    def __init__(self, listening: socket.socket, facts: Callable[[], Facts]) -> None:
        self._tokens: dict[str, float] = {}
        service = self

        class Handler(BaseHTTPRequestHandler):
            server_version = "EC2ws"
            sys_version = ""
            timeout = 10

            def do_PUT(self) -> None:
                service._issue(self)

            def do_GET(self) -> None:
                service._answer(self, facts())

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer((ADDRESS, PORT), Handler, bind_and_activate=False)
        self._server.socket.close()
        self._server.socket = listening
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, name="metadata", daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _issue(self, request: BaseHTTPRequestHandler) -> None:
        lifetime = request.headers.get("X-aws-ec2-metadata-token-ttl-seconds", "")
        if request.path != "/latest/api/token":
            _reply(request, HTTPStatus.NOT_FOUND)
        elif not lifetime.isdecimal() or not 1 <= int(lifetime) <= LONGEST_TOKEN:
            _reply(request, HTTPStatus.BAD_REQUEST)
        elif "X-Forwarded-For" in request.headers:
            _reply(request, HTTPStatus.FORBIDDEN)
        else:
            token = secrets.token_urlsafe(40)
            now = time.monotonic()
            self._tokens = {known: end for known, end in self._tokens.items() if end > now}
            self._tokens[token] = now + int(lifetime)
            _reply(request, HTTPStatus.OK, token, {"X-Aws-Ec2-Metadata-Token-Ttl-Seconds": lifetime})

    def _answer(self, request: BaseHTTPRequestHandler, facts: Facts) -> None:
        token = request.headers.get("X-aws-ec2-metadata-token")
        if (token is None and facts.tokens_required) or (
            token is not None and self._tokens.get(token, 0) <= time.monotonic()
        ):
            _reply(request, HTTPStatus.UNAUTHORIZED)
        else:
            content = look_up(facts.tree, request.path.partition("?")[0])
            _reply(request, HTTPStatus.NOT_FOUND if content is None else HTTPStatus.OK, content or "")


def look_up(tree: dict[str, str], path: str) -> str | None:
    """The content at a path: a leaf, or the list of a folder (folders in it end with a slash)."""
    for version in ("/latest/", "/2021-07-15/", "/2016-09-02/", "/1.0/"):
        if path.startswith(version):
            path = path.removeprefix(version)
            break
    else:
        return "latest" if path in ("", "/") else None
    if path in tree:
        return tree[path]
    folder = f"{path.rstrip('/')}/" if path else ""
    names: dict[str, None] = {}
    for leaf in tree:
        if leaf.startswith(folder):
            first, slash, _ = leaf[len(folder) :].partition("/")
            names[first + slash] = None
    return "\n".join(sorted(names)) if names else None


def credentials(access_key: str, secret_key: str, token: str, issued: str, expires: str) -> str:
    """The document of a role's temporary keys, as the SDKs read it."""
    return json.dumps(
        {
            "Code": "Success",
            "LastUpdated": issued,
            "Type": "AWS-HMAC",
            "AccessKeyId": access_key,
            "SecretAccessKey": secret_key,
            "Token": token,
            "Expiration": expires,
        },
        indent=1,
    )


def _reply(
    request: BaseHTTPRequestHandler, status: HTTPStatus, content: str = "", headers: dict[str, str] | None = None
) -> None:
    body = content.encode() if status == HTTPStatus.OK else f"{status.value} - {status.phrase}".encode()
    request.send_response(status)
    request.send_header("Content-Type", "text/plain")
    request.send_header("Content-Length", str(len(body)))
    for name, value in (headers or {}).items():
        request.send_header(name, value)
    request.end_headers()
    request.wfile.write(body)
