"""A real sshd on the loopback, with a fake sudo and a fake systemd, and a cable to it that can be cut."""

from __future__ import annotations

import os
import pwd
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from iconha_tui.remote.connection import Endpoint
from iconha_tui.remote.host_keys import HostKeys
from iconha_tui.remote.identity import Identity
from iconha_tui.remote.ssh import SshNode

SSHD = Path("/usr/sbin/sshd")
USER = pwd.getpwuid(os.getuid()).pw_name
OWNER = f"{USER}:{USER}"

SUDO = """#!/bin/sh
[ "$1" = -n ] || exit 9
shift
if [ -e "{state}/sudo-refuses" ]; then echo "sudo: a password is required" >&2; exit 1; fi
[ ! -e "{state}/sudo-warns" ] || echo "sudo: unable to resolve host prep-01: Name or service not known" >&2
exec "$@"
"""

# A unit is a background process whose pid stands in a file named after it.
SYSTEMD_RUN = """#!/bin/sh
for argument; do case $argument in
  --unit=*) unit=${{argument#--unit=}}; shift;;
  --quiet|--collect|--description=*) shift;;
  --*) echo "systemd-run: unrecognized option '$argument'" >&2; exit 1;;
  *) break;;
esac; done
echo "$unit" >>"{state}/started"
setsid "$@" </dev/null >/dev/null 2>&1 9>&- &
echo $! >"{state}/$unit"
"""

SYSTEMCTL = """#!/bin/sh
verb=$1
shift
[ "$1" = --quiet ] && {{ quiet=1; shift; }}
pid=$(cat "{state}/$1" 2>/dev/null)
case $verb in
  is-active)
    if [ -n "$pid" ] && grep -qs '^State:[^Z]*$' "/proc/$pid/status"; then [ -n "$quiet" ] || echo active; exit 0; fi
    [ -n "$quiet" ] || echo inactive
    exit 3;;
  stop)
    [ -n "$pid" ] && kill -- "-$pid" && while pgrep -g "$pid" >/dev/null; do sleep 0.05; done
    rm -f "{state}/$1";;
  reset-failed) ;;
  *) exit 1;;
esac
"""


@dataclass
class Sshd:
    """A running sshd and the folder that its fakes keep their state in."""

    port: int
    folder: Path
    state: Path
    client_key: Path
    log: Path

    @property
    def runs(self) -> str:
        return str(self.folder / "runs")

    def flag(self, name: str) -> None:
        (self.state / name).touch()

    def units_started(self) -> list[str]:
        path = self.state / "started"
        return path.read_text().split() if path.exists() else []


def keygen(path: Path, *, kind: str = "ed25519", passphrase: str = "", pem: bool = False) -> Path:
    form = ["-m", "PEM"] if pem else []
    subprocess.run(["ssh-keygen", "-q", "-t", kind, *form, "-N", passphrase, "-C", "test", "-f", str(path)], check=True)
    return path


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def start_sshd(
    folder: Path, *, host_key_kind: str = "ed25519", extra: str = ""
) -> tuple[Sshd, subprocess.Popen[bytes]]:
    if not SSHD.exists():
        pytest.fail("tests/remote need a real sshd: install openssh-server")
    folder.mkdir(parents=True, exist_ok=True)
    state, fakes, port = folder / "state", folder / "bin", free_port()
    for made in (state, fakes):
        made.mkdir(exist_ok=True)
    for name, script in (("sudo", SUDO), ("systemd-run", SYSTEMD_RUN), ("systemctl", SYSTEMCTL)):
        (fakes / name).write_text(script.format(state=state))
        (fakes / name).chmod(0o755)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    host_key = keygen(folder / "host_key", kind=host_key_kind)
    client_key = keygen(folder / "client_key")
    # SHLVL keeps bash from reading this machine's own ~/.bashrc.
    config = folder / "sshd_config"
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {host_key}\nPidFile none\nUsePAM no\nStrictModes no\n"
        f"PermitRootLogin prohibit-password\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
        f"AuthorizedKeysFile {client_key}.pub\nSetEnv PATH={fakes}:{os.environ['PATH']} LANG=de_DE.UTF-8 SHLVL=5\n"
        f"LogLevel VERBOSE\n{extra}"
    )
    log = folder / "sshd.log"
    process = subprocess.Popen([str(SSHD), "-D", "-e", "-f", str(config)], stderr=log.open("wb"))
    while process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        except ConnectionRefusedError:
            pass
    else:
        pytest.fail(f"sshd did not start: {log.read_text()}")
    return Sshd(port, folder, state, client_key, log), process


@pytest.fixture
def make_sshd(tmp_path: Path) -> Iterator[Callable[..., Sshd]]:
    running: list[subprocess.Popen[bytes]] = []

    def make(name: str = "sshd", **options: str) -> Sshd:
        sshd, process = start_sshd(tmp_path / name, **options)
        running.append(process)
        return sshd

    yield make
    for process in running:
        process.terminate()
        process.wait()


@pytest.fixture
def sshd(make_sshd: Callable[..., Sshd]) -> Sshd:
    return make_sshd()


class Cable:
    """A forwarder to a port, which can be cut, frozen or led elsewhere, as a network can."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.frozen = threading.Event()
        self.down_bytes = 0
        self.cut_after: int | None = None
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def connections(self) -> int:
        return len(self._pairs)

    def cut(self) -> None:
        for pair in list(self._pairs):
            for end in pair:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue

    def close(self) -> None:
        self._server.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                near.close()
                continue
            self._pairs.append((near, far))
            threading.Thread(target=self._carry, args=(near, far, False), daemon=True).start()
            threading.Thread(target=self._carry, args=(far, near, True), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket, down: bool) -> None:
        try:
            while data := source.recv(65536):
                if self.frozen.is_set():
                    continue  # as a firewall that drops: the packets are gone, the connections stay
                if down:
                    self.down_bytes += len(data)
                    if self.cut_after is not None and self.down_bytes >= self.cut_after:
                        self.cut_after = None
                        break
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue


@pytest.fixture
def cable(sshd: Sshd) -> Iterator[Cable]:
    cable = Cable(sshd.port)
    yield cable
    cable.close()


@dataclass
class Operator:
    """Answers the questions about host keys, and remembers them."""

    answer: bool = True
    asked: list[tuple[str, str, str]] = field(default_factory=list)

    def confirm(self, node: str, kind: str, fingerprint: str) -> bool:
        self.asked.append((node, kind, fingerprint))
        return self.answer


@pytest.fixture
def operator() -> Operator:
    return Operator()


@pytest.fixture
def host_keys(tmp_path: Path, operator: Operator) -> HostKeys:
    return HostKeys(tmp_path / "known_hosts", operator.confirm)


ALIAS = "i-0123456789abcdef0"


@pytest.fixture
def make_node(host_keys: HostKeys) -> Iterator[Callable[..., SshNode]]:
    made: list[SshNode] = []

    def make(
        sshd: Sshd,
        *,
        port: int | None = None,
        key: Path | None = None,
        timeout: float = 60.0,
        user: str = USER,
        positions: Path | None = None,
    ) -> SshNode:
        node = SshNode(
            "PRep-01",
            Endpoint("127.0.0.1", port or sshd.port, ALIAS),
            user=user,
            identity=Identity(key or sshd.client_key),
            host_keys=host_keys,
            connect_timeout=timeout,
            runs_dir=sshd.runs,
            positions=positions,
        )
        made.append(node)
        return node

    yield make
    for node in made:
        node.close()


@pytest.fixture
def node(sshd: Sshd, make_node: Callable[..., SshNode]) -> SshNode:
    return make_node(sshd)


def python(script: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-c", script, *arguments)
