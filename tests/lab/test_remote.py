"""SSH to a real machine: real sudo, real systemd, a real reboot."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import aws, launch, terminate, wait_state
from waiting import BOUND, wait_until

from iconha_tui.engine.cancel import Cancel
from iconha_tui.errors import Cancelled, Trouble
from iconha_tui.lab.lab import SSH_PORT, Lab
from iconha_tui.remote.connection import Endpoint
from iconha_tui.remote.host_keys import HostKeys
from iconha_tui.remote.identity import Identity
from iconha_tui.remote.ssh import SshNode

pytestmark = pytest.mark.lab

NAME = "remote-1"


@pytest.fixture(scope="module")
def instance_id(lab: Lab) -> Iterator[str]:
    one = launch(lab, NAME)
    wait_state(lab, one, "running")
    yield one
    terminate(lab, one)


@pytest.fixture
def make_node(lab: Lab, instance_id: str, tmp_path: Path) -> Iterator[Callable[[], SshNode]]:
    made: list[SshNode] = []
    host_keys = HostKeys(tmp_path / "known_hosts", lambda *_: True)

    def make() -> SshNode:
        def endpoint() -> Endpoint:
            return Endpoint(str(lab.instance(NAME)["public_ip"]), SSH_PORT, instance_id)

        node = SshNode(NAME, endpoint, user="ubuntu", identity=Identity(lab.key_file), host_keys=host_keys)
        made.append(node)
        node.wait(BOUND)
        return node

    yield make
    for node in made:
        node.close()


@pytest.fixture
def node(make_node: Callable[[], SshNode]) -> SshNode:
    return make_node()


def units_of(lab: Lab) -> str:
    return lab.exec(NAME, ["systemctl", "list-units", "--all", "--plain", "--no-legend", "iconha-*"]).stdout


def drop_connections(lab: Lab) -> None:
    lab.exec(NAME, ["pkill", "-f", "^sshd: ubuntu"])


def test_commands_run_as_root_and_as_the_user(node: SshNode) -> None:
    assert node.run(("id", "-un")).stdout == "root\n"
    assert node.run(("id", "-un"), root=False).stdout == "ubuntu\n"


def test_a_file_is_root_s_and_private(node: SshNode) -> None:
    node.write("/etc/iconha-test/key", b"\x00\xff" * 64, mode=0o400)
    assert node.run(("stat", "-c", "%U:%G %a", "/etc/iconha-test/key")).stdout == "root:root 400\n"
    assert node.read("/etc/iconha-test/key") == b"\x00\xff" * 64
    assert node.run(("ls", "-A", "/etc/iconha-test")).stdout == "key\n"


def test_a_cancelled_command_is_gone_from_the_node(node: SshNode) -> None:
    cancel = threading.Event()
    with pytest.raises(Cancelled, match="stopped on the node"):
        node.run(("sh", "-c", "echo up; sleep 86400.5 | cat"), cancel=cancel, on_lines=lambda _lines: cancel.set())
    assert node.run(("pgrep", "-x", "sleep")).code == 1


def test_sudo_that_wants_a_password(lab: Lab, node: SshNode) -> None:
    """The last word of sudoers wins, so the user's own rule is set aside by a later file."""
    rule = "/etc/sudoers.d/zz-iconha-test"
    lab.exec(NAME, ["sh", "-c", f"echo 'ubuntu ALL=(ALL) PASSWD: ALL' >{rule}; chmod 440 {rule}"])
    try:
        with pytest.raises(Trouble, match="sudo refused ubuntu") as refused:
            node.run(("true",))
        assert "NOPASSWD" in refused.value.remedy
    finally:
        lab.exec(NAME, ["rm", "-f", rule])


@pytest.mark.parametrize("hostile", ["$HOME ${PATH} $$", "%n %i %%", "'\"\\", "a\nb", "; exit 9", ""])
def test_systemd_leaves_arguments_as_they_are(node: SshNode, hostile: str) -> None:
    assert node.run_long("hostile", ("printf", "[%s]", hostile)).stdout == f"[{hostile}]"


def test_a_long_command_leaves_nothing_behind(lab: Lab, node: SshNode) -> None:
    seen: list[str] = []
    done = node.run_long(
        "demo", ("sh", "-c", "id -un; umask; echo $HOME $PWD; echo err >&2; exit 42"), on_lines=seen.extend
    )
    assert (done.code, done.stdout) == (42, "root\n0022\n/root /\nerr\n")
    assert seen == done.stdout.splitlines()
    assert node.run(("ls", "/var/lib/iconha-tui/runs")).stdout == ""
    assert node.run(("stat", "-c", "%a", "/var/lib/iconha-tui/runs")).stdout == "700\n"
    wait_until(lambda: units_of(lab) == "", what=lambda: f"nothing left behind: {units_of(lab)}")


def test_the_same_key_again_and_again(node: SshNode) -> None:
    for number in range(10):
        assert node.run_long("again", ("echo", str(number))).stdout == f"{number}\n"


def test_lost_connections_lose_and_repeat_no_line(lab: Lab, node: SshNode) -> None:
    seen: list[str] = []
    drops = 0

    def drop_now_and_then(lines: list[str]) -> None:
        nonlocal drops
        seen.extend(lines)
        if len(seen) // 3000 > drops:
            drops += 1
            drop_connections(lab)

    script = (
        'i=0; while [ $i -lt 10000 ]; do echo "line $i"; i=$((i+1)); case $i in *00) sleep 0.02;; esac; done; exit 3'
    )
    done = node.run_long("drops", ("sh", "-c", script), on_lines=drop_now_and_then)
    assert done.code == 3
    assert seen == [f"line {i}" for i in range(10000)]
    assert drops >= 2


def test_a_command_goes_on_without_us_and_is_joined(make_node: Callable[[], SshNode], lab: Lab) -> None:
    lab.exec(NAME, ["rm", "-f", "/tmp/go", "/tmp/count"])
    command = (
        "sh",
        "-c",
        "echo once >>/tmp/count; echo first; while [ ! -e /tmp/go ]; do sleep 0.05; done; echo last; exit 5",
    )
    cancel = Cancel()
    with pytest.raises(Cancelled, match="is left running"):
        make_node().run_long("joined", command, cancel=cancel, on_lines=lambda _lines: cancel.decide(stop_long=False))
    assert "iconha-joined.service" in units_of(lab)

    def go(lines: list[str]) -> None:
        lab.exec(NAME, ["touch", "/tmp/go"])

    done = make_node().run_long("joined", command, on_lines=go)
    assert (done.code, done.stdout) == (5, "first\nlast\n")
    assert make_node().run(("cat", "/tmp/count")).stdout == "once\n"


def test_a_long_command_can_be_stopped(node: SshNode, lab: Lab) -> None:
    cancel = Cancel()
    with pytest.raises(Cancelled, match="was stopped on the node"):
        node.run_long(
            "stopped",
            ("sh", "-c", "echo up; sleep 86400.25"),
            cancel=cancel,
            on_lines=lambda _lines: cancel.decide(stop_long=True),
        )
    assert node.run(("pgrep", "-x", "sleep")).code == 1
    assert "iconha-stopped" not in units_of(lab)


def test_a_reboot_in_the_middle_is_told_as_such(node: SshNode, lab: Lab, instance_id: str) -> None:
    def reboot(lines: list[str]) -> None:
        if "up" in lines:
            aws(lab, "ec2").reboot_instances(InstanceIds=[instance_id])

    with pytest.raises(Trouble, match="the node was restarted, or it was stopped there"):
        node.run_long("rebooted", ("sh", "-c", "echo up; sleep 86400.125"), on_lines=reboot)
    assert node.run_long("rebooted", ("echo", "again")).stdout == "again\n"
