"""What the P-Rep's API tells, and what is made of answers that are none."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from threading import Thread

import pytest

from iconha_tui.status import chains

CHAIN = {"cid": "0x1", "nid": "0x1", "channel": "icon_dex", "state": "started", "height": 47721051, "lastError": ""}


class Server:
    """Answers every connection with `answer`, in pieces with `pause` seconds between them; keeps what it was asked."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.answer: list[bytes] = []
        self.pause = 0.0
        self.asked: list[bytes] = []
        Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection:
                self.asked.append(connection.recv(4096))
                try:
                    for piece in self.answer:
                        connection.sendall(piece)
                        time.sleep(self.pause)
                except OSError:
                    pass

    def says(self, body: object, status: str = "200 OK") -> None:
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.answer = [f"HTTP/1.1 {status}\r\nContent-Length: {len(text)}\r\nConnection: close\r\n\r\n".encode() + text]


@pytest.fixture
def server() -> Iterator[Server]:
    one = Server()
    yield one
    one.socket.close()


def fetch(server: Server) -> tuple[list[dict[str, object]], str]:
    return chains.fetch_chains("127.0.0.1", server.port)


def test_the_chains_are_read_with_one_get(server: Server) -> None:
    server.says([CHAIN])
    found, trouble = fetch(server)
    assert trouble == ""
    assert found == [{"nid": "0x1", "channel": "icon_dex", "state": "started", "height": 47721051, "last_error": ""}]
    assert server.asked[0].startswith(b"GET /admin/chain HTTP/1.0\r\n")


def test_a_chunked_answer_is_read_too(server: Server) -> None:
    body = json.dumps([CHAIN]).encode()
    server.answer = [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body),
    ]
    assert fetch(server)[0][0]["state"] == "started"


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        (b"", "401 Unauthorized", "only its own users"),
        (b"", "403 Forbidden", "only its own users"),
        (b"", "404 Not Found", "it has no such API (HTTP 404)"),
        (b"", "302 Found", "it has no such API (HTTP 302)"),
        (b"<html>", "200 OK", "something other than JSON"),
        (b"[" * 100_000, "200 OK", "something other than JSON"),
        ({"jsonrpc": "2.0"}, "200 OK", "no list of chains"),
        ([], "200 OK", "it runs no chain"),
        (["started"], "200 OK", "it runs no chain"),
    ],
)
def test_what_is_no_answer_is_a_sentence(body: object, status: str, sentence: str, server: Server) -> None:
    server.says(body, status)
    found, trouble = fetch(server)
    assert found == []
    assert sentence in trouble


def test_what_is_told_is_cut_and_cleaned(server: Server) -> None:
    odd = {"channel": "\x1b[31m" + "x" * 500, "state": 7, "height": True, "lastError": "\u202e" + "y" * 5000}
    server.says([odd] * 20)
    found, _ = fetch(server)
    assert len(found) == chains.CHAINS
    assert found[0]["channel"] == "x" * 40
    assert (found[0]["state"], found[0]["height"]) == ("", None)
    assert found[0]["last_error"] == "y" * 200


def test_an_endless_answer_is_cut_off(server: Server) -> None:
    server.answer = [b"HTTP/1.1 200 OK\r\n\r\n"] + [b"x" * 65536] * 64
    assert "gives no answer" in fetch(server)[1]


def test_an_answer_that_drips_has_its_time_and_no_more(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chains, "SECONDS", 0.3)
    server.answer, server.pause = [b"H"] * 6000, 0.1
    began = time.monotonic()
    assert "gives no answer" in fetch(server)[1]
    assert time.monotonic() - began < 60, "the whole answer takes ten minutes"


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"\x00\xff" * 100])
def test_what_speaks_no_http_is_told(answer: bytes, server: Server) -> None:
    server.answer = [answer]
    assert "gives no answer" in fetch(server)[1]


def test_a_port_that_has_closed_meanwhile_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert "Connection refused" in chains.fetch_chains("127.0.0.1", port)[1]
