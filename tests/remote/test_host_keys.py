"""A host key is asked about once, and a changed one always stops."""

import base64
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from iconha_tui.errors import Trouble
from iconha_tui.remote.host_keys import HostKey, HostKeyRejected, HostKeys
from iconha_tui.remote.ssh import SshNode

from .conftest import ALIAS, Operator, Sshd, keygen


def public(path: Path) -> HostKey:
    kind, blob = path.with_suffix(".pub").read_text().split()[:2]
    return HostKey(kind, base64.b64decode(blob))


def test_the_fingerprint_is_that_of_ssh_keygen(tmp_path: Path) -> None:
    for kind in ("ed25519", "rsa", "ecdsa"):
        path = keygen(tmp_path / kind, kind=kind)
        said = subprocess.run(["ssh-keygen", "-l", "-f", str(path)], check=True, capture_output=True, text=True).stdout
        assert public(path).fingerprint == said.split()[1]


def test_an_accepted_key_is_kept_for_openssh_to_read_and_never_asked_about_again(
    node: SshNode, sshd: Sshd, operator: Operator, tmp_path: Path
) -> None:
    node.run(("true",))
    node.close()
    node.run(("true",))
    key = public(sshd.folder / "host_key")
    assert operator.asked == [("PRep-01", "ssh-ed25519", key.fingerprint)]
    path = tmp_path / "known_hosts"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    found = subprocess.run(["ssh-keygen", "-F", ALIAS, "-f", str(path)], check=True, capture_output=True, text=True)
    assert key.kind in found.stdout


def test_a_key_that_the_operator_does_not_accept_stops_and_is_not_kept(
    node: SshNode, operator: Operator, host_keys: HostKeys
) -> None:
    operator.answer = False
    with pytest.raises(HostKeyRejected, match="not accepted"):
        node.run(("true",))
    assert host_keys.known(ALIAS) == []


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_a_changed_key_stops_whatever_the_operator_would_say(
    kind: str, make_sshd: Callable[..., Sshd], make_node: Callable[..., SshNode], operator: Operator
) -> None:
    first, second = make_sshd("first"), make_sshd("second", host_key_kind=kind)
    make_node(first).run(("true",))
    operator.asked.clear()
    with pytest.raises(HostKeyRejected) as stopped:
        make_node(second).run(("true",))
    assert public(first.folder / "host_key").fingerprint in str(stopped.value)
    assert public(second.folder / "host_key").fingerprint in str(stopped.value)
    assert f"ssh-keygen -R {ALIAS}" in stopped.value.remedy
    assert stopped.value.where == "PRep-01"
    assert operator.asked == []


def test_a_server_with_several_keys_is_asked_for_the_one_that_is_known(
    make_sshd: Callable[..., Sshd],
    make_node: Callable[..., SshNode],
    host_keys: HostKeys,
    operator: Operator,
    tmp_path: Path,
) -> None:
    rsa = keygen(tmp_path / "extra_rsa", kind="rsa")
    sshd = make_sshd(extra=f"HostKey {rsa}\n")
    host_keys.ask("PRep-01", ALIAS, public(rsa))
    operator.asked.clear()
    assert make_node(sshd).run(("true",)).code == 0
    assert operator.asked == []


def test_a_damaged_line_is_named_and_nothing_is_guessed(tmp_path: Path) -> None:
    path = tmp_path / "known_hosts"
    path.write_text(f"# kept\nother ssh-ed25519 ????\n{ALIAS} ssh-ed25519 AAAA\n")
    store = HostKeys(path, lambda *_: True)
    with pytest.raises(Trouble, match="Line 3"):
        store.known(ALIAS)
    store.forget(ALIAS)
    assert path.read_text() == "# kept\nother ssh-ed25519 ????\n"


def test_a_hostile_alias_cannot_write_another_line(host_keys: HostKeys, tmp_path: Path) -> None:
    key = public(keygen(tmp_path / "key"))
    for alias in ("a b", "a\nother", "*", "a,b", ""):
        with pytest.raises(Trouble):
            host_keys.ask("PRep-01", alias, key)
    assert not (tmp_path / "known_hosts").exists()
