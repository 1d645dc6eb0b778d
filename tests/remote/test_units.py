"""A long command goes on without us, is never started twice, and loses no line of its output."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from waiting import wait_until

from iconha_tui.engine.cancel import Cancel
from iconha_tui.errors import Cancelled, Trouble
from iconha_tui.remote import units
from iconha_tui.remote.connection import Unreachable
from iconha_tui.remote.ssh import SshNode
from iconha_tui.remote.units import Unit

from .conftest import Cable, Sshd, free_port


def left_behind(sshd: Sshd) -> list[str]:
    return [path.name for path in Path(sshd.runs).iterdir() if not path.name.startswith(".")]


def stopped_at(
    node: SshNode, command: tuple[str, ...], line: str, *, stop: bool = False, first: Callable[[], object] | None = None
) -> None:
    """Follows a command until it says a line; then the run is stopped, after `first`."""
    cancel = Cancel()

    def said(lines: list[str]) -> None:
        if line in lines:
            if first:
                first()
            cancel.decide(stop_long=stop)

    node.run_long("demo", command, cancel=cancel, on_lines=said)


@pytest.mark.parametrize(
    ("key", "slug"),
    [("packages", "packages"), ("apt-get-2", "apt-get-2")],
)
def test_a_key_that_can_name_a_unit_does(key: str, slug: str) -> None:
    assert Unit(key).slug == slug
    assert Unit(key).name == f"iconha-{slug}.service"
    assert Unit(key).folder == f"/var/lib/iconha-tui/runs/{slug}"


def test_other_keys_become_names_that_do_not_meet() -> None:
    keys = [
        "a/b",
        "a b",
        "A-B",
        "../../etc",
        "$(id)",
        "x" * 300,
        "x" * 301,
        "한국",
        "한글",
        "",
        "-a",
        "a--b",
        "%n",
        "a\nb",
    ]
    slugs = [Unit(key).slug for key in keys]
    assert len(set(slugs)) == len(keys)
    assert all(
        len(slug) < 64 and set(slug) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") and slug[0] != "-"
        for slug in slugs
    )


def test_output_and_exit_code_come_back_and_the_folder_goes(node: SshNode, sshd: Sshd) -> None:
    seen: list[str] = []
    done = node.run_long("demo", ("sh", "-c", "echo out; echo err >&2; exit 42"), on_lines=seen.extend)
    assert (done.code, done.stdout, done.stderr) == (42, "out\nerr\n", "")
    assert seen == ["out", "err"]
    assert left_behind(sshd) == []
    assert sshd.units_started() == ["iconha-demo.service"]


@pytest.mark.parametrize("hostile", ["$HOME ${PATH} $$", "%n %i", "'\"\\", "a\nb", "; exit 9", ""])
def test_arguments_arrive_as_they_are(node: SshNode, hostile: str) -> None:
    assert node.run_long("demo", ("printf", "[%s]", hostile)).stdout == f"[{hostile}]"


def test_the_folder_is_private_while_it_runs(node: SshNode, sshd: Sshd) -> None:
    done = node.run_long(
        "demo", ("sh", "-c", f"stat -c %a {sshd.runs} {sshd.runs}/demo {sshd.runs}/demo/out; umask; pwd; echo $LC_ALL")
    )
    assert done.stdout == "700\n700\n600\n0022\n/\nC.UTF-8\n"


def test_the_same_key_twice_in_a_row_runs_twice(node: SshNode, sshd: Sshd) -> None:
    for number in range(5):
        assert node.run_long("demo", ("echo", str(number))).stdout == f"{number}\n"
    assert len(sshd.units_started()) == 5


def test_a_running_unit_is_followed_from_its_start_and_not_started_twice(
    sshd: Sshd, make_node: Callable[..., SshNode], tmp_path: Path
) -> None:
    command = ("sh", "-c", f"echo first; while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; echo last; exit 5")
    with pytest.raises(Cancelled, match=r"iconha-demo.service is left running on the node") as cancelled:
        stopped_at(make_node(sshd), command, "first")
    assert cancelled.value.left == "running"
    seen: list[str] = []

    def go(lines: list[str]) -> None:
        seen.extend(lines)
        (tmp_path / "go").touch()

    done = make_node(sshd).run_long("demo", command, on_lines=go)
    assert (done.code, done.stdout) == (5, "first\nlast\n")
    assert seen == ["first", "last"]
    assert len(sshd.units_started()) == 1


def test_what_was_shown_before_a_restart_is_not_shown_again(
    sshd: Sshd, make_node: Callable[..., SshNode], tmp_path: Path
) -> None:
    """A line that was cut is shown again, whole; the answer has all of it."""
    say = "printf 'one\\ntwo\\nthr'; while [ ! -e {0}/go ]; do sleep 0.05; done; printf 'ee\\nfour\\n'"
    command = ("sh", "-c", say.format(tmp_path))
    before: list[str] = []
    cancel = Cancel()

    def until_two(lines: list[str]) -> None:
        before.extend(lines)
        if "two" in lines:
            cancel.decide(stop_long=False)

    with pytest.raises(Cancelled):
        make_node(sshd, positions=tmp_path).run_long("demo", command, cancel=cancel, on_lines=until_two)
    after: list[str] = []
    release = threading.Timer(1.0, (tmp_path / "go").touch)
    release.start()
    done = make_node(sshd, positions=tmp_path).run_long("demo", command, on_lines=after.extend)
    assert done.stdout == "one\ntwo\nthree\nfour\n"
    assert before == ["one", "two"]
    if len(sshd.units_started()) == 1:  # on a machine so slow that it ended before it was joined, there is a second
        assert after == [
            "(iconha-demo.service has gone on meanwhile: 2 lines of it were shown before)",
            "three",
            "four",
        ]
    assert [path for path in tmp_path.iterdir() if path.name.startswith("shown-")] == []


def test_one_that_ended_while_nobody_looked_is_replaced(sshd: Sshd, make_node: Callable[..., SshNode]) -> None:
    with pytest.raises(Cancelled):
        stopped_at(make_node(sshd), ("sh", "-c", "echo old; sleep 0.5"), "old")
    wait_until((Path(sshd.runs) / "demo" / "rc").exists, what="the unit's end")
    assert make_node(sshd).run_long("demo", ("echo", "new")).stdout == "new\n"


def test_what_ended_long_ago_is_cleared_away_with_the_next_start(node: SshNode, sshd: Sshd) -> None:
    for name, age in (("old", 3600), ("new", 60)):
        folder = Path(sshd.runs) / name
        folder.mkdir(parents=True)
        (folder / "rc").write_text("0\n")
        os.utime(folder / "rc", (time.time() - age,) * 2)
    (Path(sshd.runs) / "running").mkdir()
    assert node.run_long("demo", ("echo", "said")).stdout == "said\n"
    assert sorted(left_behind(sshd)) == ["new", "running"]


def test_lost_connections_lose_and_repeat_no_line(sshd: Sshd, cable: Cable, make_node: Callable[..., SshNode]) -> None:
    node = make_node(sshd, port=cable.port)
    node.connect()
    seen: list[str] = []
    cuts = 0

    def cut_now_and_then(lines: list[str]) -> None:
        nonlocal cuts
        seen.extend(lines)
        if len(seen) // 4000 > cuts:
            cuts += 1
            cable.cut_after = cable.down_bytes + 7

    script = 'i=0; while [ $i -lt 20000 ]; do echo "line $i 한국어"; i=$((i+1)); case $i in *000) sleep 0.02;; esac; done; exit 3'
    done = node.run_long("demo", ("sh", "-c", script), on_lines=cut_now_and_then)
    assert done.code == 3
    assert seen == [f"line {i} 한국어" for i in range(20000)]
    assert done.stdout.splitlines() == seen
    assert cuts >= 2
    assert cable.connections >= 3
    assert len(sshd.units_started()) == 1


def test_a_node_that_is_away_for_a_while_is_waited_for(
    sshd: Sshd, cable: Cable, make_node: Callable[..., SshNode], tmp_path: Path
) -> None:
    node = make_node(sshd, port=cable.port)
    away: list[threading.Timer] = []

    def vanish(lines: list[str]) -> None:
        if "up" in lines:
            cable.target = free_port()
            cable.cut()
            timer = threading.Timer(1.0, come_back)
            timer.start()
            away.append(timer)

    def come_back() -> None:
        cable.target = sshd.port
        (tmp_path / "go").touch()

    done = node.run_long(
        "demo", ("sh", "-c", f"echo up; while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; echo down"), on_lines=vanish
    )
    assert (done.code, done.stdout) == (0, "up\ndown\n")
    assert len(away) == 1


def test_a_start_whose_answer_was_lost_is_not_repeated(
    sshd: Sshd, cable: Cable, make_node: Callable[..., SshNode], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The command has even ended by the time the start is asked for again."""
    monkeypatch.setattr(units, "_START", units._START.replace("echo started\n", "sleep 1; echo started\n"))
    node = make_node(sshd, port=cable.port)
    node.connect()

    def cut_when_ended() -> None:
        wait_until((Path(sshd.runs) / "demo" / "rc").exists, what="the unit's end", every=0.02)
        cable.cut()

    cutter = threading.Thread(target=cut_when_ended)
    cutter.start()
    done = node.run_long("demo", ("sh", "-c", f"echo once >>{tmp_path}/count; echo said"))
    cutter.join()
    assert done.stdout == "said\n"
    assert (tmp_path / "count").read_text() == "once\n"
    assert cable.connections >= 3


def test_a_unit_that_vanished_is_told(node: SshNode, sshd: Sshd) -> None:
    def kill(lines: list[str]) -> None:
        if "up" in lines:
            node.run(("systemctl", "stop", "iconha-demo.service"))

    with pytest.raises(Trouble, match="restarted, or it was stopped") as vanished:
        node.run_long("demo", ("sh", "-c", "echo up; sleep 86400.75"), on_lines=kill)
    assert vanished.value.where == "PRep-01"


def test_a_timeout_stops_following_and_leaves_it_running(node: SshNode, sshd: Sshd) -> None:
    with pytest.raises(Trouble, match="still running"):
        node.run_long("demo", ("sleep", "86400.875"), timeout=1)
    assert node.run(("systemctl", "is-active", "iconha-demo.service")).code == 0
    node.run(("systemctl", "stop", "iconha-demo.service"))


def test_a_node_without_systemd_is_told(node: SshNode, sshd: Sshd) -> None:
    fake = sshd.folder / "bin" / "systemd-run"
    fake.write_text("#!/bin/sh\necho 'System has not been booted with systemd as init system' >&2\nexit 1\n")
    with pytest.raises(Trouble, match="could not be started") as refused:
        node.run_long("demo", ("true",))
    assert "systemd" in refused.value.remedy
    assert "not been booted" in refused.value.detail


def test_a_node_that_cannot_be_reached_at_all_is_told_at_once(sshd: Sshd, make_node: Callable[..., SshNode]) -> None:
    with pytest.raises(Unreachable):
        make_node(sshd, port=free_port()).run_long("demo", ("true",))


def test_ten_megabytes_come_through(node: SshNode) -> None:
    done = node.run_long("demo", ("sh", "-c", "yes 123456789 | head -n 1000000"))
    assert done.stdout == "123456789\n" * 1_000_000


SLEEP = f"sleep 86400.{os.getpid()}"
"""Of this process: other workers run tests with it at the same time."""
UP = ("sh", "-c", f"echo up; {SLEEP} & {SLEEP}; echo down")


def test_a_command_that_is_to_be_stopped_is_gone_with_all_that_it_started(node: SshNode, sshd: Sshd) -> None:
    with pytest.raises(Cancelled, match=r"iconha-demo.service was stopped on the node") as cancelled:
        stopped_at(node, UP, "up", stop=True)
    assert (cancelled.value.left, cancelled.value.where) == ("stopped", "PRep-01")
    assert node.run(("systemctl", "is-active", "iconha-demo.service")).code == 3
    assert node.run(("pgrep", "-f", f"^{SLEEP}$")).code == 1
    assert left_behind(sshd) == []
    assert node.run_long("demo", ("echo", "anew")).stdout == "anew\n"


def test_one_that_has_ended_by_itself_meanwhile_is_told_as_such(node: SshNode, sshd: Sshd, tmp_path: Path) -> None:
    def end() -> None:
        (tmp_path / "go").touch()
        wait_until((Path(sshd.runs) / "demo" / "rc").exists, what="the unit's end", every=0.02)

    command = ("sh", "-c", f"echo up; while [ ! -e {tmp_path}/go ]; do sleep 0.05; done")
    with pytest.raises(Cancelled, match="had come to its end by itself") as cancelled:
        stopped_at(node, command, "up", stop=True, first=end)
    assert cancelled.value.left == "stopped"


def test_over_a_line_that_is_cut_it_cannot_be_stopped_and_is_said_to_go_on(
    sshd: Sshd, cable: Cable, make_node: Callable[..., SshNode]
) -> None:
    def cut() -> None:
        cable.target = free_port()
        cable.cut()

    with pytest.raises(
        Cancelled, match=r"iconha-demo.service goes on running on the node: it could not be stopped"
    ) as cancelled:
        stopped_at(make_node(sshd, port=cable.port), UP, "up", stop=True, first=cut)
    assert cancelled.value.left == "running"
    assert "systemctl stop iconha-demo.service" in cancelled.value.remedy
    node = make_node(sshd)
    assert node.run(("systemctl", "is-active", "iconha-demo.service")).code == 0
    node.run(("systemctl", "stop", "iconha-demo.service"))


def test_over_a_line_that_is_cut_once_it_is_stopped_over_the_next(
    sshd: Sshd, cable: Cable, make_node: Callable[..., SshNode]
) -> None:
    with pytest.raises(Cancelled) as cancelled:
        stopped_at(make_node(sshd, port=cable.port), UP, "up", stop=True, first=cable.cut)
    assert cancelled.value.left == "stopped"
    assert make_node(sshd).run(("systemctl", "is-active", "iconha-demo.service")).code == 3


def test_systemd_that_does_not_stop_it_is_believed(node: SshNode, sshd: Sshd) -> None:
    systemctl = sshd.folder / "bin" / "systemctl"
    real = systemctl.read_text()

    def deaf() -> None:
        systemctl.write_text(real.replace("stop)", "stop) exit 1;; never)"))

    with pytest.raises(Cancelled, match=r"goes on running on the node.*systemd did not stop it.") as cancelled:
        stopped_at(node, UP, "up", stop=True, first=deaf)
    assert cancelled.value.left == "running"
    systemctl.write_text(real)
    node.run(("systemctl", "stop", "iconha-demo.service"))


@pytest.mark.parametrize("stop", [True, False], ids=["stop", "leave"])
def test_until_it_is_decided_a_command_is_followed(node: SshNode, tmp_path: Path, stop: bool) -> None:
    """The run is stopped already: the output comes all the same, until somebody says what is to become of it."""
    cancel = Cancel()
    seen: list[str] = []

    def said(lines: list[str]) -> None:
        seen.extend(lines)
        if "up" in lines:
            cancel.set()
            (tmp_path / "go").touch()
        if "more" in lines:
            cancel.decide(stop_long=stop)

    script = f"echo up; while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; echo more; sleep 86400.5"
    with pytest.raises(Cancelled) as cancelled:
        node.run_long("demo", ("sh", "-c", script), cancel=cancel, on_lines=said)
    assert seen == ["up", "more"]
    assert cancelled.value.left == ("stopped" if stop else "running")
    node.run(("systemctl", "stop", "iconha-demo.service"))


def test_one_that_ends_before_it_is_decided_has_ended(node: SshNode, sshd: Sshd) -> None:
    cancel = Cancel()
    done = node.run_long("demo", ("echo", "all"), cancel=cancel, on_lines=lambda _lines: cancel.set())
    assert (done.code, done.stdout) == (0, "all\n")
    assert left_behind(sshd) == []


def test_a_run_that_is_stopped_while_connecting_has_started_nothing(
    sshd: Sshd, make_node: Callable[..., SshNode]
) -> None:
    cancel = Cancel()
    cancel.decide(stop_long=True)
    with pytest.raises(Cancelled, match="Stopped while connecting") as cancelled:
        make_node(sshd).run_long("demo", ("true",), cancel=cancel)
    assert cancelled.value.left == ""
    assert sshd.units_started() == []


@pytest.mark.parametrize(("stop", "left"), [(True, "stopped"), (False, "unknown")], ids=["stop", "leave"])
def test_a_start_that_was_cut_off_is_not_guessed_at(
    node: SshNode, sshd: Sshd, monkeypatch: pytest.MonkeyPatch, stop: bool, left: str
) -> None:
    """The run is stopped after the node was asked to start it, and before it has answered."""
    monkeypatch.setattr(units, "_START", f"touch {sshd.state}/asked; sleep 86400.5")
    cancel = Cancel()

    def decide() -> None:
        wait_until((sshd.state / "asked").exists, what="the question", every=0.02)
        cancel.decide(stop_long=stop)

    decider = threading.Thread(target=decide)
    decider.start()
    with pytest.raises(Cancelled) as cancelled:
        node.run_long("demo", ("true",), cancel=cancel)
    decider.join()
    assert cancelled.value.left == left


def test_a_node_that_stays_away_is_told_with_the_command_that_goes_on_there(
    sshd: Sshd, cable: Cable, make_node: Callable[..., SshNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(units, "RECONNECT", 0.5)

    def vanish(lines: list[str]) -> None:
        if "up" in lines:
            cable.target = free_port()
            cable.cut()

    with pytest.raises(Unreachable, match=r"iconha-demo.service is no longer followed; it goes on on the node") as away:
        make_node(sshd, port=cable.port).run_long("demo", UP, on_lines=vanish)
    assert away.value.remedy.endswith("Run again to follow it on.")
    node = make_node(sshd)
    assert node.run(("systemctl", "is-active", "iconha-demo.service")).code == 0
    node.run(("systemctl", "stop", "iconha-demo.service"))
