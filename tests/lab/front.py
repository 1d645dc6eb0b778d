"""What stands between a client and an EC2 API: passes requests on, or answers them with an error of EC2's."""

from __future__ import annotations

import datetime
import socket
import ssl
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from waiting import BOUND

from iconha_tui.lab import ca


class Front:
    """A server before the API at `behind`.

    fault(action, count): (status, code) or (status, code, message) to answer with instead; count: how often the action was asked
    for before. listening: a socket that is bound already, as in a node's network; tls: how it is to be spoken to.
    """

    def __init__(self, behind: str, tls: ssl.SSLContext | None = None, listening: socket.socket | None = None) -> None:
        self.asked: list[str] = []
        self.fault: Callable[[str, int], tuple[Any, ...] | None] = lambda _action, _count: None
        front = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                action = parse_qs(body.decode())["Action"][0]
                count = front.asked.count(action)
                front.asked.append(action)
                if answer := front.fault(action, count):
                    status, content = answer[0], error(*answer[1:])
                else:
                    status, content = front.forward(behind, body, dict(self.headers))
                self.send_response(status)
                self.send_header("Content-Type", "text/xml")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=listening is None)
        if listening:
            self._server.socket.close()
            self._server.socket = listening
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._server.socket.getsockname()[1]}"
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @staticmethod
    def forward(url: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        request = urllib.request.Request(url, data=body, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=BOUND) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


HOUR = datetime.timedelta(hours=1)
CLOCKS = {"not yet valid": HOUR, "expired": -ca.LIFETIME - HOUR}
"""When a certificate begins, from now on, that a clock an hour slow or fast takes for ..."""


def tls(names: list[str], begins: datetime.timedelta = -HOUR) -> tuple[ssl.SSLContext, str]:
    """A server's side of TLS for `names`, and the certificate of the authority behind it. begins: of both, from now on."""
    authority, server = ca.make_authority("front", names, datetime.datetime.now(datetime.UTC) + begins)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(server)
        file.flush()
        context.load_cert_chain(file.name)
    return context, authority


def error(code: str, message: str = "in words of AWS") -> bytes:
    """EC2's XML for an error."""
    said = f"<Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
    return f"<Response>{said}<RequestID>x</RequestID></Response>".encode()
