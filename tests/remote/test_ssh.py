"""Commands on a node: what comes back, what is stopped, and what is never run twice."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from waiting import wait_until

from iconha_tui.engine.ports import Node
from iconha_tui.errors import Cancelled, Lost, Trouble
from iconha_tui.remote import connection, pump
from iconha_tui.remote import ssh as ssh_module
from iconha_tui.remote.connection import Endpoint
from iconha_tui.remote.pool import Pool
from iconha_tui.remote.ssh import SshNode

from .conftest import ALIAS, USER, Cable, Sshd, python


def alive(marker: str) -> bool:
    return subprocess.run(["pgrep", "-f", marker], stdout=subprocess.DEVNULL).returncode == 0


def test_it_is_the_node_that_the_engine_knows(node: SshNode) -> None:
    one: Node = node
    done = one.run(("sh", "-c", "echo out; echo err >&2; exit 3"))
    assert (done.code, done.stdout, done.stderr) == (3, "out\n", "err\n")


@pytest.mark.parametrize(
    "hostile", ["a; touch /tmp/x", "$(id)", "`id`", "'\"\\", "a\nb", "*", "--", "-n", "", "é\u202e", "!!", "%s$HOME"]
)
def test_arguments_arrive_as_they_are(node: SshNode, hostile: str) -> None:
    out: list[bytes] = []
    node.execute(
        python("import sys; sys.stdout.buffer.write(sys.argv[1].encode())", hostile),
        lambda data, _err: out.append(data),
    )
    assert b"".join(out).decode() == hostile


def test_a_nul_is_refused_before_anything_runs(node: SshNode) -> None:
    with pytest.raises(Trouble, match="NUL"):
        node.run(("echo", "a\0b"))


def test_the_environment_is_the_same_everywhere(node: SshNode) -> None:
    done = node.run(("sh", "-c", "echo $LC_ALL $PWD; umask; locale 2>&1 | head -0"))
    assert done.stdout == "C.UTF-8 /\n0022\n"


def test_stdin_reaches_the_command_and_ends(node: SshNode) -> None:
    content = os.urandom(5_000_000)
    out: list[bytes] = []
    node.execute(("cat",), lambda data, _err: out.append(data), stdin=content)
    assert b"".join(out) == content
    assert node.run(("cat",)).stdout == ""


def test_a_command_that_ignores_its_input_is_no_error(node: SshNode) -> None:
    assert node.run(("true",), stdin=b"x" * 5_000_000).code == 0


def test_both_streams_are_drained_however_much_either_says(node: SshNode) -> None:
    script = "import sys\nfor s in (sys.stderr, sys.stdout):\n  s.write(('y' * 79 + '\\n') * 100001); s.flush()"
    done = node.run(python(script))
    assert (len(done.stdout), len(done.stderr)) == (8_000_080, 8_000_080)


def test_lines_come_while_the_command_runs(node: SshNode, tmp_path: Path) -> None:
    seen: list[str] = []

    def answer(lines: list[str]) -> None:
        seen.extend(lines)
        if "ready?" in seen:
            (tmp_path / "go").touch()

    script = f"echo ready?; while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; printf '\\033[1mdone'"
    done = node.run(("sh", "-c", script), on_lines=answer)
    assert seen == ["ready?", "done"]
    assert done.stdout == "ready?\ndone"


def test_hostile_output_is_stripped(node: SshNode) -> None:
    done = node.run(("printf", r"\033]52;c;eA==\007a\tb\033[2J\n"), on_lines=(seen := []).extend)
    assert done.stdout == "a\tb\n"
    assert seen == ["a       b"]


def test_shell_noise_and_sudos_warning_are_no_part_of_the_output(
    sshd: Sshd, make_sshd: Callable[..., Sshd], make_node: Callable[..., SshNode]
) -> None:
    noisy = make_sshd(
        "noisy", extra='ForceCommand echo "welcome!"; printf "no newline" >&2; eval "$SSH_ORIGINAL_COMMAND"\n'
    )
    noisy.flag("sudo-warns")
    done = make_node_at(noisy, make_node).run(("sh", "-c", "echo out; echo err >&2"))
    assert (done.stdout, done.stderr) == ("out\n", "err\n")


def make_node_at(sshd: Sshd, make_node: Callable[..., SshNode]) -> SshNode:
    return make_node(sshd)


def test_a_timeout_stops_the_command_on_the_node(node: SshNode) -> None:
    marker = "86400.125"
    with pytest.raises(Trouble, match=r"did not end within 1 s and was stopped on the node") as overdue:
        node.run(("setsid", "-w", "sleep", marker), timeout=1)
    assert overdue.value.where == "PRep-01"
    assert not alive(marker)


def test_a_cancellation_stops_the_command_and_all_it_started(node: SshNode) -> None:
    marker, cancel = "86400.25", threading.Event()

    def cancel_it(lines: list[str]) -> None:
        cancel.set()

    with pytest.raises(Cancelled, match="stopped on the node"):
        node.run(
            ("sh", "-c", f"trap '' INT TERM; setsid sleep {marker} & echo up; sleep {marker} | cat"),
            cancel=cancel,
            on_lines=cancel_it,
        )
    assert not alive(marker)
    assert node.run(("true",)).code == 0


def test_a_command_that_is_stopped_removes_its_temporary_files(node: SshNode, tmp_path: Path) -> None:
    """As crm makes and removes its own, which SIGTERM would leave behind."""
    cancel = threading.Event()
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    program = (
        "import atexit, os, subprocess, tempfile\n"
        f"atexit.register(os.remove, tempfile.mkstemp(dir={str(temporary)!r})[1])\n"
        "print('up', flush=True)\n"
        "subprocess.run(['sleep', '86400.4375'])\n"
    )
    with pytest.raises(Cancelled, match="stopped on the node"):
        node.run((sys.executable, "-c", program), cancel=cancel, on_lines=lambda lines: cancel.set())
    assert not alive("86400.4375")
    assert list(temporary.iterdir()) == []


def test_a_reader_that_fails_stops_the_command(node: SshNode) -> None:
    def fail(lines: list[str]) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        node.run(("sh", "-c", "echo up; sleep 86400.375"), on_lines=fail)
    assert not alive("86400.375")


def test_a_flood_is_stopped_before_it_fills_the_memory(node: SshNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh_module, "OUTPUT_LIMIT", 1 << 20)
    with pytest.raises(Trouble, match="more than 1 MiB"):
        node.run(("yes", "86400.5"))
    assert not alive("86400.5")


def test_a_daemon_that_keeps_the_streams_open_does_not_hold_the_command(
    node: SshNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pump, "_LINGER", 0.5)
    try:
        done = node.run(("sh", "-c", "echo started; setsid sleep 86400.625 &"), timeout=60)
        assert (done.code, done.stdout) == (0, "started\n")
        assert alive("86400.625")
    finally:
        subprocess.run(["pkill", "-xf", "sleep 86400.625"])


def test_a_command_that_closes_its_streams_is_waited_for(node: SshNode) -> None:
    assert node.run(("sh", "-c", "exec >&- 2>&-; sleep 0.5; exit 7")).code == 7


def test_a_command_that_is_not_there_is_127(node: SshNode) -> None:
    done = node.run(("iconha-no-such-command",))
    assert done.code == 127
    assert "No such file" in done.stderr


def test_many_threads_share_one_connection(sshd: Sshd, cable: Cable, make_node: Callable[..., SshNode]) -> None:
    node = make_node(sshd, port=cable.port)
    answers: dict[int, str] = {}

    def ask(number: int) -> None:
        answers[number] = node.run(("sh", "-c", f"sleep 0.1; echo {number}")).stdout

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {number: f"{number}\n" for number in range(30)}
    assert cable.connections == 2, "one to learn the host key, one for all commands"


def test_a_dead_connection_is_replaced_before_a_command_begins(
    sshd: Sshd, cable: Cable, make_node: Callable[..., SshNode]
) -> None:
    node = make_node(sshd, port=cable.port)
    node.run(("true",))
    cable.cut()
    assert node.run(("echo", "again")).stdout == "again\n"
    assert cable.connections == 3


def test_a_silently_dead_connection_is_replaced_too(
    sshd: Sshd, cable: Cable, make_node: Callable[..., SshNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "CHANNEL_TIMEOUT", 0.5)
    node = make_node(sshd, port=cable.port)
    node.run(("true",))
    cable.frozen.set()
    other = Cable(sshd.port)
    node._endpoint = Endpoint("127.0.0.1", other.port, ALIAS)
    assert node.run(("echo", "again")).stdout == "again\n"
    other.close()


def test_a_command_that_may_have_run_is_never_repeated(
    sshd: Sshd, cable: Cable, make_node: Callable[..., SshNode], tmp_path: Path
) -> None:
    node = make_node(sshd, port=cable.port)
    count = tmp_path / "count"

    def cut(lines: list[str]) -> None:
        cable.cut()

    with pytest.raises(Lost, match="may have run to its end") as lost:
        node.run(("sh", "-c", f"echo once >>{count}; echo up; sleep 1"), on_lines=cut)
    assert "PRep-01" in str(lost.value)
    assert "recognised" in lost.value.remedy
    assert node.run(("cat", str(count))).stdout == "once\n"


def test_silence_of_a_dead_peer_is_told_from_that_of_a_slow_command(
    sshd: Sshd, cable: Cable, make_node: Callable[..., SshNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pump, "SILENCE", 0.3)
    node = make_node(sshd, port=cable.port)
    assert node.run(("sleep", "1.5")).code == 0
    monkeypatch.setattr(ssh_module, "answers", lambda transport: connection.answers(transport, 0.5))
    with pytest.raises(Lost):
        node.run(("sh", "-c", "echo up; sleep 30"), on_lines=lambda _lines: cable.frozen.set())


def test_a_command_killed_by_a_signal_has_a_code_that_is_not_zero(node: SshNode) -> None:
    assert node.run(("sh", "-c", "kill -9 $$")).code not in (0, 1)


def test_the_pool_keeps_one_connection_per_node_and_looks_a_forgotten_one_up_anew(
    sshd: Sshd, host_keys: object, make_node: Callable[..., SshNode]
) -> None:
    where = {"PRep-01": Endpoint("127.0.0.1", sshd.port, "i-01"), "PRep-02": Endpoint("127.0.0.1", 1, "i-02")}
    template = make_node(sshd)
    pool = Pool(where.__getitem__, user=USER, identity=template._identity, host_keys=template._host_keys)
    first = pool.node("PRep-01")
    assert pool.node("PRep-01") is first
    assert first.run(("true",)).code == 0
    with pytest.raises(Trouble, match="refused the connection"):
        pool.node("PRep-02").run(("true",))
    where["PRep-02"] = Endpoint("127.0.0.1", sshd.port, "i-02")
    pool.forget("PRep-02")
    assert pool.node("PRep-02").run(("true",)).code == 0
    pool.close()


def test_nothing_weak_is_offered(node: SshNode) -> None:
    node.connect()
    transport = node._transport
    assert transport is not None
    offered = [
        *transport.preferred_ciphers,
        *transport.preferred_macs,
        *transport.preferred_keys,
        *transport.preferred_kex,
        *transport.preferred_pubkeys,
    ]
    assert len(offered) > 15
    assert [
        name for name in offered if "sha1" in name or "md5" in name or "cbc" in name or name in ("ssh-rsa", "ssh-dss")
    ] == []


def test_the_agent_is_not_forwarded(node: SshNode) -> None:
    assert "SSH_AUTH_SOCK" not in node.run(("env",), root=False).stdout


def test_paramiko_says_nothing_on_the_screen(
    sshd: Sshd, cable: Cable, make_node: Callable[..., SshNode], capfd: pytest.CaptureFixture[str]
) -> None:
    node = make_node(sshd, port=cable.port)
    node.run(("true",))
    cable.cut()
    wait_until(lambda: node._transport is None or not node._transport.is_active(), what="a look that sees the cut")
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")
