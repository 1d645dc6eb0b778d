"""What a connection is made of, and what becomes of hostile words on their way through it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from waiting import BOUND

from iconha_tui.errors import Trouble
from iconha_tui.remote.connection import LoginRefused, Unreachable
from iconha_tui.remote.host_keys import HostKeyRejected
from iconha_tui.remote.shell import AfterTag, command_line, new_tag
from iconha_tui.remote.ssh import SshNode

from .conftest import ALIAS, OWNER, Cable, Sshd, keygen

WEAK = ("sha1", "md5", "-cbc", "ssh-rsa", "ssh-dss", "arcfour", "3des")

SHELL = st.sampled_from("\n'\"\\$`;&|<>(){}*?!~#\x1b\x9b\u202e ")
HOSTILE = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]) | SHELL)
NAMES = HOSTILE.filter(lambda name: "/" not in name and name not in (".", "..") and 0 < len(name.encode()) < 60)
NASTY = b"\x1b]52;c;ZXZpbA==\x07\x1b[2J\x1bP+q\x1b\\\xff\xfe\xe2\x80\xae\xc2\x9b31m\x00[red]markup[/]"


def test_what_is_negotiated_has_no_sha1_and_nothing_weaker(node: SshNode) -> None:
    node.run(("true",))
    transport = node._transport
    assert transport is not None
    agreed = [transport.host_key_type, transport.local_cipher, transport.remote_cipher]
    agreed += [
        transport.local_mac,
        transport.remote_mac,
        *transport.preferred_kex,
    ]  # which of them, paramiko does not keep
    assert [name for name in agreed if any(weak in name for weak in WEAK)] == []


@pytest.mark.parametrize(
    "wanted",
    ["MACs hmac-sha1", "KexAlgorithms diffie-hellman-group14-sha1", "Ciphers aes128-cbc"],
)
def test_a_server_that_has_weak_algorithms_only_is_not_spoken_to(
    wanted: str, make_sshd: Callable[..., Sshd], make_node: Callable[..., SshNode]
) -> None:
    # A cipher that authenticates by itself needs no MAC, so those go where the MAC is the weak part.
    extra = f"{wanted}\n" + ("Ciphers aes128-ctr\n" if wanted.startswith("MACs") else "")
    with pytest.raises(Unreachable, match="only algorithms that are no longer safe"):
        make_node(make_sshd(extra=extra)).run(("true",))


def test_an_rsa_key_signs_with_sha2_alone(
    make_sshd: Callable[..., Sshd], make_node: Callable[..., SshNode], tmp_path: Path
) -> None:
    rsa = keygen(tmp_path / "rsa", kind="rsa")
    for accepted, taken in (("rsa-sha2-256,rsa-sha2-512", True), ("ssh-rsa", False)):
        sshd = make_sshd(accepted.split(",")[0], extra=f"PubkeyAcceptedAlgorithms {accepted}\n")
        shutil.copy(f"{rsa}.pub", f"{sshd.client_key}.pub")
        connecting = make_node(sshd, key=rsa)
        connecting._host_keys.forget(ALIAS)
        if taken:
            assert connecting.run(("true",)).code == 0
        else:
            with pytest.raises(LoginRefused):
                connecting.run(("true",))


def test_a_key_is_checked_at_every_connection_not_at_the_first_alone(
    make_sshd: Callable[..., Sshd], make_node: Callable[..., SshNode]
) -> None:
    first, second = make_sshd("first"), make_sshd("second")
    shutil.copy(f"{first.client_key}.pub", f"{second.client_key}.pub")
    cable = Cable(first.port)
    try:
        node = make_node(first, port=cable.port)
        node.run(("true",))
        cable.target = second.port
        cable.cut()
        with pytest.raises(HostKeyRejected, match="has changed"):
            node.run(("touch", str(second.folder / "was-here")))
        assert not (second.folder / "was-here").exists()
    finally:
        cable.close()


def test_no_agent_is_asked_for_on_the_node(make_sshd: Callable[..., Sshd], make_node: Callable[..., SshNode]) -> None:
    said = make_node(make_sshd(extra="AllowAgentForwarding yes\n")).run(("sh", "-c", "echo ${SSH_AUTH_SOCK-none}"))
    assert said.stdout == "none\n"


@settings(max_examples=150, deadline=None)
@given(st.lists(HOSTILE, max_size=4))
@example(["; touch x", "$(touch x)", "`touch x`", "'\n\"", "-n", "", "\\"])
def test_a_login_shell_makes_of_a_command_line_the_words_that_went_in(words: list[str]) -> None:
    tag = new_tag()
    line = command_line(("printf", "%s\\0", *words), tag=tag, root=False, timeout=30)
    done = subprocess.run(["sh", "-c", line], capture_output=True, timeout=BOUND, check=False)
    assert AfterTag(tag).feed(done.stdout) == b"".join(f"{word}\0".encode() for word in words or [""])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(HOSTILE, max_size=4), st.booleans())
@example(["; touch x", "$(touch x)", "`touch x`", "'\n\"", "-n", "", "\\", "\x1b]52;c;x\x07", "%s", "~", "*"], True)
def test_a_command_on_a_node_has_the_very_words_that_went_in(node: SshNode, words: list[str], root: bool) -> None:
    """Over a real sshd and a login shell, as the user and through sudo: each word in hexadecimal, as the command has it."""
    script = 'for word in "$@"; do printf %s "$word" | od -An -v -tx1 | tr -d " \\n"; echo; done'
    said = node.run(("sh", "-c", script, "x", *words), root=root)
    assert said.stdout.split("\n")[:-1] == [word.encode().hex() for word in words]
    assert (said.code, said.stderr) == (0, "")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    HOSTILE.filter(lambda name: "/" not in name and name not in (".", "..") and 0 < len(name.encode()) < 60),
    st.binary(max_size=200),
)
def test_a_file_of_any_name_and_content_is_written_and_nothing_else(
    node: SshNode, tmp_path: Path, name: str, content: bytes
) -> None:
    folder = tmp_path / "files"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    if "\n" in name:
        with pytest.raises(Trouble, match="is no absolute path of a file") as caught:
            node.write(f"{folder}/{name}", content, owner=OWNER)
        assert str(caught.value).isprintable()
        assert list(folder.iterdir()) == []
        return
    node.write(f"{folder}/{name}", content, owner=OWNER)
    assert [path.name for path in folder.iterdir()] == [name]
    assert (folder / name).read_bytes() == content == node.read(f"{folder}/{name}")


def test_every_line_that_a_node_can_say_is_shown_as_text_alone(node: SshNode) -> None:
    lines: list[str] = []
    done = node.run(
        ("sh", "-c", "cat; cat >&2 <<'E'\n\x1b[2J\u202ebad\nE"),
        stdin=(NASTY + b"x" * 100_000 + b"\n") * 3,
        on_lines=lines.extend,
    )
    for text in (*lines, done.stdout.replace("\n", ""), done.stderr.replace("\n", "")):
        assert not [c for c in text if not c.isprintable()]
    assert "[red]markup[/]" in lines[0]
    assert max(map(len, lines)) <= 8192
