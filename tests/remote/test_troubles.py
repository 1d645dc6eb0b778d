"""Each way that a connection can fail ends in a sentence that names the node and the remedy."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from waiting import BOUND, wait_until

from iconha_tui.errors import Cancelled, Trouble
from iconha_tui.remote import connection
from iconha_tui.remote.connection import Endpoint, LoginRefused, Unreachable
from iconha_tui.remote.host_keys import HostKeys
from iconha_tui.remote.identity import Identity
from iconha_tui.remote.ssh import SshNode

from .conftest import USER, Operator, Sshd, free_port, keygen


def trouble_of(node: SshNode) -> Trouble:
    with pytest.raises(Trouble) as caught:
        node.run(("true",))
    trouble = caught.value
    assert trouble.what.endswith(".")
    assert trouble.remedy
    assert trouble.where
    return trouble


@pytest.fixture
def listener() -> Iterator[Callable[[bytes | None], int]]:
    """A port that says something and closes; None: says nothing and stays."""
    servers: list[socket.socket] = []

    def listen(says: bytes | None) -> int:
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)
        held = []

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                held.append(connection)
                if says is not None:
                    connection.sendall(says)
                    connection.shutdown(socket.SHUT_WR)

        threading.Thread(target=serve, daemon=True).start()
        return int(server.getsockname()[1])

    yield listen
    for server in servers:
        server.close()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_FULL_RETRIES", (0.01, 0.01))


def test_nobody_listens(sshd: Sshd, make_node: Callable[..., SshNode]) -> None:
    trouble = trouble_of(make_node(sshd, port=free_port()))
    assert isinstance(trouble, Unreachable)
    assert "refused the connection" in trouble.what
    assert "booting" in trouble.remedy


@pytest.mark.parametrize(
    ("error", "what", "remedy"),
    [
        (TimeoutError(), "did not answer within 60 s", "security group"),
        (OSError(113, "No route to host"), "no route", "VPN"),
        (OSError(101, "Network is unreachable"), "no route", "VPN"),
        (socket.gaierror(-2, "Name or service not known"), "cannot be resolved", "DNS"),
        (OSError(99, "Cannot assign requested address"), "Cannot assign", "network"),
    ],
)
def test_the_network_does_not_lead_there(
    error: OSError,
    what: str,
    remedy: str,
    sshd: Sshd,
    make_node: Callable[..., SshNode],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_args: object) -> None:
        raise error

    monkeypatch.setattr(connection.socket, "create_connection", fail)
    trouble = trouble_of(make_node(sshd))
    assert what in trouble.what
    assert remedy in trouble.remedy


def test_the_server_never_says_a_word(
    sshd: Sshd, make_node: Callable[..., SshNode], listener: Callable[[bytes | None], int]
) -> None:
    trouble = trouble_of(make_node(sshd, port=listener(None), timeout=0.5))
    assert isinstance(trouble, Unreachable)
    assert "no SSH server answered" in trouble.what


@pytest.mark.parametrize(
    "says", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x1b]0;x\x07Exceeded MaxStartups\r\n", b"\x00" * 4096]
)
def test_something_else_answers(
    says: bytes, sshd: Sshd, make_node: Callable[..., SshNode], listener: Callable[[bytes | None], int]
) -> None:
    trouble = trouble_of(make_node(sshd, port=listener(says), timeout=BOUND))
    assert isinstance(trouble, Unreachable)
    assert "is no SSH server" in trouble.what
    assert "MaxStartups" in trouble.remedy
    assert "\x1b" not in trouble.detail


def test_an_old_server_with_weak_algorithms_only(
    make_sshd: Callable[..., Sshd], make_node: Callable[..., SshNode]
) -> None:
    sshd = make_sshd(extra="MACs hmac-sha1\nCiphers aes128-ctr\n")
    assert "no longer safe" in trouble_of(make_node(sshd)).what


def test_the_wrong_key(sshd: Sshd, make_node: Callable[..., SshNode], tmp_path: Path) -> None:
    trouble = trouble_of(make_node(sshd, key=keygen(tmp_path / "other")))
    assert isinstance(trouble, LoginRefused)
    assert str(tmp_path / "other") in trouble.what
    assert "ubuntu" in trouble.remedy


def test_the_wrong_user(sshd: Sshd, make_node: Callable[..., SshNode]) -> None:
    assert "login as nobody-here" in trouble_of(make_node(sshd, user="nobody-here")).what


def test_a_key_file_that_is_missing(sshd: Sshd, make_node: Callable[..., SshNode], tmp_path: Path) -> None:
    trouble = trouble_of(make_node(sshd, key=tmp_path / "gone"))
    assert trouble.where == str(tmp_path / "gone")
    assert "does not exist" in trouble.what


def test_a_key_file_that_is_a_folder(sshd: Sshd, make_node: Callable[..., SshNode], tmp_path: Path) -> None:
    assert "cannot be read" in trouble_of(make_node(sshd, key=tmp_path)).what


def test_a_key_file_that_others_can_read(sshd: Sshd, make_node: Callable[..., SshNode]) -> None:
    sshd.client_key.chmod(0o644)
    trouble = trouble_of(make_node(sshd))
    assert "open to others (mode 0644)" in trouble.what
    assert f"chmod 600 {sshd.client_key}" in trouble.remedy


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"ssh-ed25519 AAAA me@here\n", "public key"),
        (b"PuTTY-User-Key-File-3: ssh-ed25519\n", "PuTTY"),
        (b"", "no private key"),
        (
            b"\xff\xfe\x00-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
            "no private key",
        ),
        (b"-----BEGIN RSA PRIVATE KEY-----\n", "no private key"),
    ],
)
def test_a_key_file_that_is_something_else(
    content: bytes, what: str, sshd: Sshd, make_node: Callable[..., SshNode], tmp_path: Path
) -> None:
    path = tmp_path / "odd"
    path.write_bytes(content)
    path.chmod(0o600)
    assert what in trouble_of(make_node(sshd, key=path)).what


@pytest.mark.parametrize(("kind", "pem"), [("ed25519", False), ("rsa", False), ("rsa", True), ("ecdsa", True)])
def test_a_protected_key_is_opened_once_for_all_nodes(
    kind: str, pem: bool, make_sshd: Callable[..., Sshd], host_keys: HostKeys, tmp_path: Path
) -> None:
    key = keygen(tmp_path / "protected", kind=kind, passphrase="open sésame", pem=pem)
    sshd = make_sshd(extra=f"AuthorizedKeysFile {key}.pub\n")
    config = sshd.folder / "sshd_config"
    assert config.exists()
    sshd.client_key.with_suffix(".pub").write_text(key.with_suffix(".pub").read_text())
    said = iter(["wrong", "open sésame"])
    asked: list[str] = []

    def ask(path: str) -> str:
        asked.append(path)
        return next(said)

    identity = Identity(key, ask)
    with pytest.raises(Trouble, match="does not open"):  # told at once: asked again, the same word would come
        next(identity.offers())
    assert asked == [str(key)]
    for alias in ("i-01", "i-02"):
        node = SshNode(
            "PRep-01",
            Endpoint("127.0.0.1", sshd.port, alias),
            user=USER,
            identity=identity,
            host_keys=host_keys,
            runs_dir=sshd.runs,
        )
        assert node.run(("true",)).code == 0
        node.close()
    assert asked == [str(key)] * 2


def test_a_protected_key_without_its_passphrase(sshd: Sshd, make_node: Callable[..., SshNode], tmp_path: Path) -> None:
    key = keygen(tmp_path / "protected", passphrase="secret words")
    trouble = trouble_of(make_node(sshd, key=key))
    assert "passphrase" in trouble.what
    assert "ssh-add" in trouble.remedy
    with pytest.raises(Trouble, match="does not open"):
        next(Identity(key, lambda _path: "wrong").offers())


def test_no_agent_and_no_default_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    with pytest.raises(Trouble, match="no SSH agent"):
        next(Identity().offers())


def test_the_default_keys_are_used_without_a_key_file(
    sshd: Sshd, host_keys: HostKeys, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    (tmp_path / ".ssh").mkdir()
    keygen(tmp_path / ".ssh" / "id_ed25519", passphrase="never asked for")
    (tmp_path / ".ssh" / "id_rsa").write_bytes(sshd.client_key.read_bytes())
    (tmp_path / ".ssh" / "id_rsa").chmod(0o600)
    node = SshNode(
        "PRep-01", Endpoint("127.0.0.1", sshd.port, "i-01"), user=USER, identity=Identity(), host_keys=host_keys
    )
    assert node.run(("true",)).code == 0
    node.close()


def test_sudo_wants_a_password(sshd: Sshd, node: SshNode) -> None:
    sshd.flag("sudo-refuses")
    trouble = trouble_of(node)
    assert "sudo refused" in trouble.what
    assert "NOPASSWD" in trouble.remedy
    assert trouble.detail == "sudo: a password is required"
    assert node.run(("true",), root=False).code == 0


def test_there_is_no_sudo(sshd: Sshd, node: SshNode) -> None:
    (sshd.folder / "bin" / "sudo").unlink()
    (sshd.folder / "bin" / "sudo").symlink_to("/nonexistent/sudo")
    (sshd.folder / "bin" / "env").write_text(
        "#!/bin/sh\necho \"env: 'sudo': No such file or directory\" >&2; exit 127\n"
    )
    (sshd.folder / "bin" / "env").chmod(0o755)
    assert "no sudo" in trouble_of(node).what


def test_a_login_that_runs_no_commands(make_sshd: Callable[..., Sshd], make_node: Callable[..., SshNode]) -> None:
    sshd = make_sshd(extra='ForceCommand echo Please login as the user "ubuntu" rather than the user "root".\n')
    trouble = trouble_of(make_node(sshd))
    assert "login shell" in trouble.what
    assert "Please login as the user" in trouble.detail


def test_the_server_takes_no_more_sessions(make_sshd: Callable[..., Sshd], make_node: Callable[..., SshNode]) -> None:
    trouble = trouble_of(make_node(make_sshd(extra="MaxSessions 0\n")))
    assert "MaxSessions" in trouble.remedy


def test_a_busy_server_is_tried_again(sshd: Sshd, make_node: Callable[..., SshNode]) -> None:
    """sshd at its MaxStartups limit closes the connection before it says a word."""
    server = socket.create_server(("127.0.0.1", 0))
    dropped = threading.Event()

    def serve() -> None:
        server.accept()[0].close()
        dropped.set()
        for _ in ("to learn the host key", "to log in"):
            near, _ = server.accept()
            far = socket.create_connection(("127.0.0.1", sshd.port))
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=carry, args=(source, sink), daemon=True).start()

    def carry(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)

    threading.Thread(target=serve, daemon=True).start()
    assert make_node(sshd, port=server.getsockname()[1]).run(("true",)).code == 0
    assert dropped.is_set()
    server.close()


def test_waiting_for_a_machine_that_boots(sshd: Sshd, make_node: Callable[..., SshNode], operator: Operator) -> None:
    port = free_port()
    node = make_node(sshd, port=port)
    with pytest.raises(Unreachable):
        node.wait(0.1)
    node._endpoint = lambda: Endpoint("127.0.0.1", sshd.port, "i-02")
    node.wait(BOUND)
    assert len(operator.asked) == 1


def test_an_attempt_to_connect_is_given_up_at_once_when_it_is_cancelled(
    sshd: Sshd, make_node: Callable[..., SshNode], listener: Callable[[bytes | None], int]
) -> None:
    """Something takes the connection and says nothing: without a cancellation that would take the whole timeout."""
    node = make_node(sshd, port=listener(None), timeout=3600)
    cancel = threading.Event()
    threading.Timer(0.2, cancel.set).start()
    with pytest.raises(Cancelled, match="while connecting"):
        node.run(("true",), cancel=cancel)


def test_a_connection_that_hangs_is_closed_without_waiting_for_it_and_holds_up_nobody(
    sshd: Sshd, make_node: Callable[..., SshNode], listener: Callable[[bytes | None], int]
) -> None:
    """The wizard's own thread closes. Two commands wait for a peer that says nothing: each can be stopped for itself."""
    node = make_node(sshd, port=listener(None), timeout=3600)
    stop, ended = threading.Event(), dict[str, BaseException]()

    def use(name: str, cancel: threading.Event) -> threading.Thread:
        def run() -> None:
            try:
                node.run(("true",), cancel=cancel)
            except Trouble as trouble:
                ended[name] = trouble

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    first, second = use("first", stop), use("second", threading.Event())
    wait_until(lambda: node._attempt is not None and node._attempt.waiting == 2)
    stop.set()
    first.join(BOUND)
    assert isinstance(ended["first"], Cancelled)
    assert second.is_alive()
    node.close()
    second.join(BOUND)
    assert isinstance(ended["second"], Unreachable)
    assert "closed while it was being made" in str(ended["second"])
    node._endpoint = Endpoint("127.0.0.1", sshd.port, "i-03")
    assert node.run(("true",)).code == 0


def test_a_connection_is_closed_while_the_operator_is_asked_about_its_key(
    sshd: Sshd, make_node: Callable[..., SshNode], operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, answered = threading.Event(), threading.Event()

    def confirm(*_: str) -> bool:
        asked.set()
        return answered.wait(BOUND)

    node = make_node(sshd)
    monkeypatch.setattr(node._host_keys, "_confirm", confirm)
    ended = list[BaseException]()

    def run() -> None:
        try:
            node.run(("true",))
        except Trouble as trouble:
            ended.append(trouble)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert asked.wait(BOUND)
    node.close()
    thread.join(BOUND)
    assert isinstance(ended[0], Unreachable)
    answered.set()


def test_an_attempt_that_was_given_up_asks_nobody_about_a_host_key(
    sshd: Sshd, make_node: Callable[..., SshNode], operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    dial, released, done = connection._dial, threading.Event(), threading.Event()
    offered = connection._offered

    def held(*arguments: Any) -> socket.socket:
        released.wait(BOUND)
        return dial(*arguments)

    def seen(transport: Any) -> Any:
        done.set()
        return offered(transport)

    monkeypatch.setattr(connection, "_dial", held)
    monkeypatch.setattr(connection, "_offered", seen)
    node = make_node(sshd)
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        node.connect(cancel)
    released.set()
    assert done.wait(BOUND)
    for thread in threading.enumerate():
        if thread.name == "connect-PRep-01":
            thread.join(BOUND)
    assert operator.asked == []
