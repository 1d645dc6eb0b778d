"""Parts of the lab that need no machine."""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from waiting import BOUND, wait_until

from iconha_tui import spec
from iconha_tui.errors import Trouble
from iconha_tui.lab import ca, host, state
from iconha_tui.lab.cli import add_parser
from iconha_tui.lab.lab import Lab
from iconha_tui.lab.metadata import look_up
from iconha_tui.lab.relay import Relays, Target
from iconha_tui.lab.state import CannotRun, LabPaths, Record


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a; rm -rf /", "-a", "a-", "A", "a" * 33, "a\n"])
def test_a_name_that_could_escape_its_folder_or_a_command_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(Trouble, match="cannot be a lab's name"):
        LabPaths.of(name, tmp_path)


def test_labs_of_one_name_in_two_state_folders_are_two_labs(tmp_path: Path) -> None:
    assert LabPaths.of("demo", tmp_path / "a").lab_id != LabPaths.of("demo", tmp_path / "b").lab_id


def test_what_the_lab_writes_is_private(tmp_path: Path) -> None:
    os.umask(0o022)
    paths = LabPaths.of("demo", tmp_path / "deep")
    paths.prepare()
    paths.write(paths.aws_config, "secret")
    assert [oct(p.stat().st_mode & 0o777) for p in (tmp_path / "deep", paths.folder, paths.aws_config.parent)] == [
        "0o700"
    ] * 3
    assert oct(paths.aws_config.stat().st_mode & 0o777) == "0o600"


def test_the_spec_of_a_lab_is_one_the_program_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = Record(1, "t", 4566, "us-east-1", "bookworm", "image", "10.64.1.0/24", "subnet-0123456789abcdef0", "lab-x")
    lab = Lab("x", tmp_path)
    monkeypatch.setattr(Lab, "record", record)
    for shell in ("crm", "pcs"):
        for credentials in ("keys", "role"):
            made = spec.loads(lab.spec(shell=shell, credentials=credentials))
            assert made.packages.shell == shell
            assert made.awscli.credentials == credentials
            assert made.ssh.port == 2222
            assert [node.name for node in made.nodes] == ["PRep-01", "PRep-02"]


def test_a_lab_that_is_not_running_says_how_to_start_it(tmp_path: Path) -> None:
    lab = Lab("none", tmp_path)
    assert not lab.running
    with pytest.raises(Trouble, match="lab up --name none"):
        lab.status()
    assert lab.down() is False


def test_a_missing_program_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda program, **_: None if program == "podman" else "/bin/x")
    with pytest.raises(CannotRun, match="needs podman") as error:
        host.require()
    assert error.value.remedy == "Install with: apt-get install podman"


def test_the_commands_exit_3_where_the_lab_cannot_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("ICONHA_STATE_DIR", str(tmp_path))
    monkeypatch.setattr(shutil, "which", lambda program, **_: None)
    args = _parse("up")
    assert args.func(args) == 3
    assert "apt-get install" in capsys.readouterr().err


def test_a_bad_name_is_a_sentence_not_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    args = _parse("status", "--name", "a; rm -rf /")
    assert args.func(args) == 2
    assert "cannot be a lab's name" in capsys.readouterr().err


def test_the_commands_import_nothing_heavy() -> None:
    script = (
        "import sys, argparse; from iconha_tui.lab.cli import add_parser;"
        "add_parser(argparse.ArgumentParser().add_subparsers());"
        "print([m for m in ('moto', 'boto3', 'paramiko', 'cryptography', 'pydantic', 'subprocess') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def _parse(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())
    return parser.parse_args(["lab", *words])


# apt sources


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "sources.list.d").mkdir()
    monkeypatch.setattr(host, "codename", lambda: "bookworm")
    return tmp_path


DEB822 = """\
# a comment
Types: deb deb-src
URIs: http://mirror.test/debian
Suites: bookworm bookworm-updates bookworm-backports
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.test/debian-security
Suites: bookworm-security
Components: main
"""


def test_the_hosts_own_archives_are_used_for_its_own_suite(apt: Path) -> None:
    (apt / "sources.list.d" / "debian.sources").write_text(DEB822)
    text = host.debian_sources("bookworm", apt)
    assert "URIs: http://mirror.test/debian\nSuites: bookworm bookworm-updates\nComponents: main\n" in text
    assert "URIs: http://mirror.test/debian-security\nSuites: bookworm-security\n" in text
    assert "deb-src" not in text
    assert "backports" not in text


def test_another_suite_comes_from_the_same_mirror(apt: Path) -> None:
    (apt / "sources.list.d" / "debian.sources").write_text(DEB822)
    text = host.debian_sources("trixie", apt)
    assert "Suites: trixie trixie-updates\n" in text
    assert "Suites: trixie-security\n" in text
    assert "bookworm" not in text


def test_archives_of_others_are_left_out(apt: Path) -> None:
    (apt / "sources.list").write_text(
        "deb [arch=amd64 signed-by=/usr/share/keyrings/x.gpg] http://one.test/debian bookworm main non-free # main\n"
        "deb http://other.test/apt stable main\ndeb http://third.test/apt cloud-sdk-bookworm main\n"
    )
    (apt / "sources.list.d" / "old.sources").write_text(DEB822.replace("# a comment", "Enabled: no"))
    text = host.debian_sources("bookworm", apt)
    assert "http://one.test/debian" in text
    assert "Signed-By: /usr/share/keyrings/x.gpg" in text
    assert "other.test" not in text
    assert "third.test" not in text
    assert "URIs: http://mirror.test/debian\n" not in text


def test_no_archive_at_all_is_a_sentence(apt: Path) -> None:
    with pytest.raises(CannotRun, match="no archive with the suite bookworm"):
        host.debian_sources("bookworm", apt)


# The metadata service's tree


TREE = {"meta-data/instance-id": "i-1", "meta-data/placement/region": "r", "meta-data/placement/availability-zone": "z"}


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/latest/meta-data/instance-id", "i-1"),
        ("/latest/meta-data/placement/region", "r"),
        ("/latest/meta-data/", "instance-id\nplacement/"),
        ("/latest/meta-data", "instance-id\nplacement/"),
        ("/latest/meta-data/placement/", "availability-zone\nregion"),
        ("/latest/meta-data/public-ipv4", None),
        ("/latest/meta-data/placement/regio", None),
        ("/other", None),
    ],
)
def test_metadata_paths(path: str, content: str | None) -> None:
    assert look_up(TREE, path) == content


# Relays


class Echo:
    """A server that greets with its name and then echoes."""

    def __init__(self, name: str) -> None:
        self.name = name.encode()
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.target: Target = self.listening.getsockname()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self.listening.accept()
            except OSError:
                return
            threading.Thread(target=self._echo, args=(client,), daemon=True).start()

    def _echo(self, client: socket.socket) -> None:
        with client:
            client.sendall(self.name)
            while data := client.recv(65536):
                client.sendall(data)


@pytest.fixture
def relays() -> Iterator[Relays]:
    made = Relays()
    yield made
    made.close()


@pytest.fixture
def echoes() -> Iterator[tuple[Echo, Echo]]:
    pair = Echo("one"), Echo("two")
    yield pair
    for echo in pair:
        echo.listening.close()


ADDRESS: Target = ("127.98.76.54", 22222)


def test_an_address_follows_its_holder_and_an_open_connection_hangs(relays: Relays, echoes: tuple[Echo, Echo]) -> None:
    relays.set_listeners([ADDRESS], lambda _: echoes[0].target)
    old = socket.create_connection(ADDRESS, timeout=BOUND)
    assert old.recv(3) == b"one"
    relays.set_listeners([ADDRESS], lambda _: echoes[1].target)
    with socket.create_connection(ADDRESS, timeout=BOUND) as new:
        assert new.recv(3) == b"two"
    with old:
        old.settimeout(0.3)
        old.sendall(b"anyone?")
        with pytest.raises(TimeoutError):
            old.recv(1)


def refused() -> bool:
    try:
        socket.create_connection(ADDRESS, timeout=BOUND).close()
    except ConnectionRefusedError:
        return True
    return False


def test_an_address_that_nobody_holds_refuses(relays: Relays, echoes: tuple[Echo, Echo]) -> None:
    relays.set_listeners([ADDRESS], lambda _: echoes[0].target)
    socket.create_connection(ADDRESS, timeout=BOUND).close()
    relays.set_listeners([], lambda _: None)
    wait_until(refused, what="a refusal", every=0.01)


def test_much_data_passes_whole_and_a_half_closed_connection_goes_on(relays: Relays, echoes: tuple[Echo, Echo]) -> None:
    relays.set_listeners([ADDRESS], lambda _: echoes[0].target)
    sent = os.urandom(3_000_000)
    got = b""
    with socket.create_connection(ADDRESS, timeout=BOUND) as client:

        def send() -> None:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)

        threading.Thread(target=send, daemon=True).start()
        while data := client.recv(65536):
            got += data
    assert got == b"one" + sent


def test_the_lab_ca_vouches_for_the_api_and_for_nothing_else(
    relays: Relays, echoes: tuple[Echo, Echo], tmp_path: Path
) -> None:
    authority, server = ca.make_authority("test", ca.api_names("eu-west-1"))
    (tmp_path / "server.pem").write_text(server)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    listening = socket.create_server(("127.0.0.1", 0))
    address = listening.getsockname()
    served = relays.serve(listening, echoes[0].target, context)
    client = ssl.create_default_context(cadata=authority)
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    with (
        socket.create_connection(address, timeout=BOUND) as raw,
        client.wrap_socket(raw, server_hostname="ec2.eu-west-1.amazonaws.com") as tls,
    ):
        assert tls.recv(3) == b"one"
    with (
        socket.create_connection(address, timeout=BOUND) as raw,
        pytest.raises(ssl.SSLCertVerificationError),
        client.wrap_socket(raw, server_hostname="example.com"),
    ):
        pass
    relays.stop_serving(served)


def test_the_lock_tells_a_running_lab_from_a_dead_one(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    assert not state.is_locked(lock)
    with state.hold(lock) as first:
        assert first
        assert state.is_locked(lock)
        with state.hold(lock) as second:
            assert not second
    assert not state.is_locked(lock)
