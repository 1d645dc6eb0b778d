"""What the program tells the operator to type does what the sentence says: in the state in which it is told, as who signs in."""

from __future__ import annotations

import json
import re
import subprocess

from pairs import FIRST, SECOND, Pair, on_pairs
from waiting import BOUND, wait_until

pytestmark = on_pairs(("bookworm", "crm"), ("trixie", "crm"), ("bookworm", "pcs"))


def told(pair: Pair, heading: str) -> list[str]:
    """The command lines under a heading of the summary that the build has left."""
    text = (pair.state / "clusters" / pair.name / "summary.md").read_text()
    section = re.split(r"^#+ ", text.split(f"# {heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    blocks = re.findall(r"^```\w*\n(.*?)^```|((?:^ {4}.*\n)+)", section, re.MULTILINE | re.DOTALL)
    lines = "\n".join(fenced or indented for fenced, indented in blocks).replace("\\\n", " ").splitlines()
    return [line.strip() for line in lines if line.strip()]


def typed(pair: Pair, node: str, command: str) -> None:
    """A command typed by who signs in to a node."""
    done = subprocess.run(
        pair.lab.ssh_command(node, [command]), capture_output=True, text=True, timeout=BOUND, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"


def status(pair: Pair) -> tuple[str, str]:
    """The verdict, and who has the address by both words; "" where they differ."""
    found = json.loads(pair.program("status", pair.name, "--once", "--json", check=False).stdout)
    return found["verdict"], found["holder_by_cluster"] if found["agree"] else ""


def test_the_failover_test_of_the_summary_moves_the_address_and_lets_the_node_hold_it_again(built_pair: Pair) -> None:
    out, back = [line for line in told(built_pair, "Test a failover") if line.startswith("sudo ")]
    typed(built_pair, SECOND, out)
    wait_until(
        lambda: status(built_pair) == ("not_ready", SECOND), what=f"the address on {SECOND}, and {FIRST} on standby"
    )
    typed(built_pair, SECOND, back)
    wait_until(lambda: status(built_pair) == ("ready", SECOND), what=f"a pair that is ready, the address on {SECOND}")


def test_the_way_in_that_the_summary_tells_leads_to_the_active_machine(built_pair: Pair) -> None:
    (way,) = [line for line in told(built_pair, "Test a failover") if line.startswith("ssh ")]
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


def test_what_a_monitor_is_told_to_ask_ends_with_0(built_pair: Pair) -> None:
    (asks,) = [line for line in told(built_pair, "Watch it") if line.startswith("iconha-tui ")]
    done = built_pair.program(*asks.split()[-3:])
    assert done.stdout.startswith(f"{built_pair.name}: READY")
