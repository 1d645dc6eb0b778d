"""The interpreter: where secrets meet the wire, and nowhere else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from iconha_tui.engine.actions import Action, Call, Copy, Run, SecretRef, Upload, unknown, waits_for
from iconha_tui.engine.events import ActionFinished, ActionStarted, to_dict
from iconha_tui.engine.interpreter import ActionFailed, carry_out
from iconha_tui.engine.journal import Journal
from iconha_tui.engine.ports import Completed
from iconha_tui.engine.step import Blocked, Done, Needed, Vault
from iconha_tui.errors import Trouble
from iconha_tui.masking import MASK

from .fakes import ONE, TWO, Wants, World

SECRET = "wJalrXUtnFEMI/K7MDENG"
SHORTER = SECRET[:10]


def do(world: World, *actions: Action, target: str = ONE) -> None:
    carry_out(actions, world.ctx, world.on_event, stage="corosync", step="corosync.a", target=target)


def test_a_secret_reaches_the_node_by_standard_input_and_by_file() -> None:
    world = World(secrets={"key": SECRET})
    do(world, Run(ONE, ("passwd",), stdin=("a:", SecretRef("key"))), Upload(ONE, "/root/x", ("k=", SecretRef("key"))))
    assert world.nodes[ONE].stdin == [f"a:{SECRET}".encode()]
    assert world.nodes[ONE].files["/root/x"] == f"k={SECRET}".encode()


def test_no_event_journal_transcript_or_failure_tells_a_secret(tmp_path: Path) -> None:
    world = World(secrets={"short": SHORTER, "key": SECRET})
    loose = f"key is {SECRET}, {SHORTER}!"
    world.nodes[ONE].answer = lambda node, argv: Completed(1, loose, f"err {SECRET}")
    journal = Journal(tmp_path)
    step = Wants(
        targets=[ONE],
        probe=lambda ctx, target: Needed(loose),
        plan=lambda view, target: [
            Upload(target, "/root/x", (SecretRef("key"),)),
            Run(target, ("echo", SECRET), stdin=(SecretRef("key"),)),
        ],
    )
    events = world.events
    blocked = Wants("/b", probe=lambda ctx, target: Blocked(loose, f"Do not use {SECRET}."))
    done = Wants("/c", probe=lambda ctx, target: Done(loose))
    waits = Wants("/d", targets=[ONE], verify=lambda ctx, target: Needed(loose))
    crash = Wants("/e", probe=lambda ctx, target: Done(ctx.spec.model_dump()[SECRET]))
    for each in (step, blocked, done, waits, crash):
        world.run(each)
    for event in events:
        journal(event)
    journal.close()
    told = (tmp_path / "journal.jsonl").read_text() + (tmp_path / "transcript.log").read_text()
    told += "\n".join(json.dumps(to_dict(event, 0), ensure_ascii=False) for event in events)
    assert MASK in told
    assert SHORTER not in told
    assert SECRET[-8:] not in told, "a secret that begins with another one is masked whole"
    assert f"echo {MASK}" in world.finished()[0].command.replace("'", "")
    assert MASK in world.finished()[0].tail


def test_a_secret_prints_as_a_mask_wherever_it_is_printed() -> None:
    ref = SecretRef("key")
    assert f"{ref}" == MASK
    vault = Vault({"key": SECRET})
    assert vault.reveal(("a", ref, "b")) == f"a{SECRET}b"
    assert SECRET not in f"{ref!r} {Upload(ONE, '/x', (ref,))!r}"


def test_a_secret_that_nobody_has_entered_is_named_and_nothing_is_written() -> None:
    world = World()
    with pytest.raises(ActionFailed, match="The secret node_key is not known"):
        do(world, Upload(ONE, "/root/x", (SecretRef("node_key"),)))
    assert world.nodes[ONE].files == {}


WAITING: list[tuple[Action, list[str]]] = [
    (Run(ONE, ("ping", unknown("b"), unknown("a"), unknown("b"))), ["b", "a"]),
    (Run(ONE, ("cat",), stdin=(f"x{unknown('a')}",)), ["a"]),
    (Upload(ONE, "/x", ("ip ", f"{unknown('PRep-01.private_ip')}\n")), ["PRep-01.private_ip"]),
    (Copy(ONE, TWO, f"/{unknown('a')}"), ["a"]),
    (Call("ec2", "x", {"Filters": [{"Values": [unknown("vpc_id")]}]}), ["vpc_id"]),
    (Run(ONE, ("true",)), []),
]


@pytest.mark.parametrize(("action", "facts"), WAITING, ids=lambda each: type(each).__name__)
def test_an_action_that_waits_for_a_fact_is_refused_by_its_name(action: Action, facts: list[str]) -> None:
    assert waits_for(action) == facts
    world = World()
    if not facts:
        return do(world, action)
    with pytest.raises(Trouble, match="is not known yet") as caught:
        do(world, action)
    assert all(fact in caught.value.what for fact in facts)
    assert world.ran == []
    assert world.cloud.calls == []
    assert not world.events
    return None


def test_a_copy_passes_through_memory_with_owner_mode_and_backup() -> None:
    world = World()
    world.nodes[ONE].files["/etc/corosync/authkey"] = b"\x00key\xff"
    do(world, Copy(ONE, TWO, "/etc/corosync/authkey"), target=TWO)
    assert world.nodes[TWO].files["/etc/corosync/authkey"] == b"\x00key\xff"
    assert world.nodes[TWO].modes["/etc/corosync/authkey"] == (0o400, "root:root", True)
    assert world.ran == []


def test_a_copy_of_what_is_not_there_names_the_source() -> None:
    world = World()
    with pytest.raises(ActionFailed) as caught:
        do(world, Copy(ONE, TWO, "/etc/corosync/authkey"), target=TWO)
    assert caught.value.where == ONE


def test_a_long_command_is_found_again_by_the_same_key() -> None:
    world = World()
    for _ in range(2):
        do(world, Run(ONE, ("true",)), Run(ONE, ("apt-get", "update"), long=True))
    assert world.nodes[ONE].keys == ["icon.corosync.a.PRep-01.2"] * 2


def test_what_a_command_says_is_told_line_by_line_and_its_exit_code_after_it() -> None:
    world = World()
    world.nodes[ONE].answer = lambda node, argv: Completed(0, "one\ntwo\n", "")
    do(world, Run(ONE, ("true",)))
    assert world.output() == ["one", "two"]
    started, *_, finished = world.events
    assert isinstance(started, ActionStarted)
    assert isinstance(finished, ActionFinished)
    assert (started.index, started.of, finished.code) == (1, 1, 0)


@pytest.mark.parametrize(
    ("action", "shown"),
    [
        (Run(ONE, ("echo", "a; rm -rf /")), "echo 'a; rm -rf /'"),
        (Run(ONE, ("sh", "-c", " a | b ")), "a | b"),
        (Upload(ONE, "/etc/x", (SecretRef("k"),), mode=0o600), "write /etc/x (root:root 0600)"),
        (Copy(ONE, TWO, "/k"), "copy /k from PRep-01 through memory (root:root 0400)"),
        (Call("ec2", "stop_instances", {"InstanceIds": ["i-1"]}), "ec2:stop_instances InstanceIds=['i-1']"),
    ],
)
def test_an_action_is_shown_as_an_operator_would_type_it(action: Action, shown: str) -> None:
    assert action.shown() == shown
