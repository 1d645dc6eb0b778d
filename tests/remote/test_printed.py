"""What a trouble of the connection tells the operator to type, typed: afterwards it is none."""

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from iconha_tui.errors import Trouble
from iconha_tui.remote.host_keys import HostKeys
from iconha_tui.remote.identity import Identity
from iconha_tui.remote.ssh import Endpoint, SshNode

from .conftest import USER, Sshd, keygen


def told(node: SshNode) -> str:
    """The command in the remedy of the trouble that a connection meets."""
    with pytest.raises(Trouble) as stopped:
        node.run(("true",))
    return re.findall("`([^`]+)`", stopped.value.remedy + stopped.value.what)[0]


def typed(command: str, **how: object) -> None:
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False, **how)  # type: ignore[call-overload]
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"


def test_a_key_file_that_others_can_read_is_closed(sshd: Sshd, make_node: Callable[..., SshNode]) -> None:
    sshd.client_key.chmod(0o644)
    typed(told(make_node(sshd)))
    assert make_node(sshd).run(("true",)).code == 0


def test_a_host_key_that_has_changed_is_forgotten(
    make_sshd: Callable[..., Sshd], make_node: Callable[..., SshNode]
) -> None:
    first, second = make_sshd("first"), make_sshd("second")
    make_node(first).run(("true",))
    typed(told(make_node(second)))
    assert make_node(second).run(("true",)).code == 0


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An SSH agent without a key, and somebody who types a passphrase."""
    asks = tmp_path / "askpass"
    asks.write_text("#!/bin/sh\necho 'secret words'\n")
    asks.chmod(0o700)
    socket = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL)
    for name, value in {"SSH_AUTH_SOCK": socket, "SSH_ASKPASS": asks, "SSH_ASKPASS_REQUIRE": "force"}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("HOME", str(tmp_path))
    try:
        while not socket.exists():
            assert process.poll() is None
        yield
    finally:
        process.terminate()
        process.wait()


def test_a_protected_key_is_loaded_into_the_agent(
    agent: None, sshd: Sshd, make_node: Callable[..., SshNode], host_keys: HostKeys, tmp_path: Path
) -> None:
    key = keygen(tmp_path / "protected", passphrase="secret words")
    sshd.client_key.with_suffix(".pub").write_text(key.with_suffix(".pub").read_text())
    typed(told(make_node(sshd, key=key)), env=dict(os.environ))
    where = Endpoint("127.0.0.1", sshd.port, "i-01")
    node = SshNode("PRep-01", where, user=USER, identity=Identity(), host_keys=host_keys, runs_dir=sshd.runs)
    assert node.run(("true",)).code == 0
    node.close()


def test_a_puttys_key_is_converted(sshd: Sshd, make_node: Callable[..., SshNode], tmp_path: Path) -> None:
    ppk = tmp_path / "KEY.ppk"
    typed(f"puttygen {sshd.client_key} -O private -o {ppk}")
    typed(told(make_node(sshd, key=ppk)), cwd=tmp_path)
    assert make_node(sshd, key=tmp_path / "KEY.pem").run(("true",)).code == 0
