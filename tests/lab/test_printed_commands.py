"""What the program tells the operator to type does what the sentence says: in the state in which it is told, as who signs in."""

from __future__ import annotations

import json
import re
import subprocess

from lab_aws import aws
from pairs import FIRST, SECOND, Pair, as_who_signs_in, on_pairs
from printed import ON_A_NODE, told
from waiting import BOUND, wait_until

from iconha_tui.spec import loads
from iconha_tui.stages import STAGES
from iconha_tui.store import Store
from iconha_tui.summary import _Told

EVERYWHERE = on_pairs(("bookworm", "crm"), ("trixie", "crm"), ("bookworm", "pcs"))
ALIKE = on_pairs(("bookworm", "crm"), slow=[("trixie", "crm"), ("bookworm", "pcs")])
"""What is told in the same words whatever the suite and the shell are."""


def typed(pair: Pair, node: str, command: str) -> None:
    """A command typed by who signs in to a node."""
    done = as_who_signs_in(pair, node, command)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"


def status(pair: Pair) -> tuple[str, str]:
    """The verdict, and who has the address by both words; "" where they differ."""
    found = json.loads(pair.program("status", pair.name, "--once", "--json", check=False).stdout)
    return found["verdict"], found["holder_by_cluster"] if found["agree"] else ""


@EVERYWHERE
def test_the_failover_test_of_the_summary_moves_the_address_and_lets_the_node_hold_it_again(built_pair: Pair) -> None:
    out, back = [
        line for line in told(built_pair.state, built_pair.name, "Test a failover") if line.startswith("sudo ")
    ]
    typed(built_pair, SECOND, out)
    built_pair.settled(SECOND)
    wait_until(
        lambda: status(built_pair) == ("not_ready", SECOND),
        what=f"the address on {SECOND}, and {FIRST} on standby",
        every=5,
    )
    typed(built_pair, SECOND, back)
    built_pair.settled(SECOND)
    wait_until(
        lambda: status(built_pair) == ("ready", SECOND), what=f"a pair that is ready, the address on {SECOND}", every=5
    )


@ALIKE
def test_the_way_in_that_the_summary_tells_leads_to_the_active_machine(built_pair: Pair) -> None:
    (way,) = [line for line in told(built_pair.state, built_pair.name, "Test a failover") if line.startswith("ssh ")]
    known = built_pair.state / "known_hosts"
    options = f"-o BatchMode=yes -o StrictHostKeyChecking=accept-new -o UserKnownHostsFile={known}"
    done = subprocess.run(
        ["sh", "-c", f"{way.replace('ssh ', f'ssh {options} ', 1)} hostname"],
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    own = built_pair.sh(FIRST, "hostname").strip()
    assert done.stdout.strip() == own


@EVERYWHERE
def test_what_sentences_tell_to_type_on_a_node_does_what_they_say(built_pair: Pair) -> None:
    failed = []
    for printed, told_as in ON_A_NODE.items():
        if told_as.shell not in ("", built_pair.shell):
            continue
        if told_as.state:
            made = built_pair.lab.exec(SECOND, ["sh", "-c", told_as.state])
            assert made.returncode == 0, f"{printed}: {made.stdout}{made.stderr}"
        done = as_who_signs_in(built_pair, SECOND, told_as.command or printed, told_as.answer)
        holds = built_pair.lab.exec(SECOND, ["sh", "-c", told_as.holds or "true"])
        if done.returncode or told_as.shows not in done.stdout or holds.returncode:
            failed.append(
                f"{printed}: {done.returncode}, {done.stdout[-500:]}{done.stderr[-500:]}; {holds.stdout}{holds.stderr}"
            )
    assert not failed, "\n".join(failed)


@EVERYWHERE
def test_the_address_is_let_go(built_pair: Pair) -> None:
    """What a summary tells of machines that were there before, whom nobody terminates."""
    spec, store = loads(built_pair.spec.read_text()), Store(built_pair.state)
    there_before = spec.model_copy(update={"instances": spec.instances.model_copy(update={"mode": "existing"})})
    summary = _Told(there_before, {}, store.progress(spec.name), STAGES, store)
    text = " ".join(" ".join(summary._costs()).split())
    (stop,) = re.findall("First `([^`]+)` on either machine", text)
    typed(built_pair, SECOND, stop)
    wait_until(
        lambda: "AssociationId" not in aws(built_pair.lab, "ec2").describe_addresses()["Addresses"][0],
        what="an Elastic IP that nobody holds",
    )


@ALIKE
def test_what_a_monitor_is_told_to_ask_ends_with_0(built_pair: Pair) -> None:
    (asks,) = [line for line in told(built_pair.state, built_pair.name, "Watch it") if line.startswith("iconha-tui ")]
    done = built_pair.program(*asks.split()[-3:])
    assert done.stdout.startswith(f"{built_pair.name}: READY")
