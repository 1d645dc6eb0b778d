"""A node reboots in the middle of each stage of a build, again and again: the same cluster comes out of it."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import picture
import pytest
from conftest import take_down
from faults import Table, sentence
from lab_aws import aws
from mischief import FIRST, SECOND, Bench
from program import Program, until_done
from specs import spec_of

from iconha_tui.stages import STAGES

SECTION = "Built, half built, changed by others"
pytestmark = pytest.mark.slow
STAGES_ON_NODES = [each.name for each in STAGES[2:]]


@pytest.fixture
def fresh(built: Bench, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Two machines that are launched by the first run."""
    lab = built.program.lab
    program = Program(lab, tmp_path_factory.mktemp("reboots"), spec_of(lab, "reboots"))
    yield Bench(program)
    take_down(program)


@pytest.mark.parametrize("name", [FIRST, SECOND])
def test_a_node_that_reboots_amid_the_actions_of_each_stage(
    built: Bench, fresh: Bench, table: Table, name: str
) -> None:
    program = fresh.program
    seed = random.randrange(1 << 30)
    dice = random.Random(seed)
    left = list(STAGES_ON_NODES)
    reboots, said = 0, []
    going = program.start()
    while left:
        # the address becomes a resource by one node's command, whichever node reboots
        event = going.until(
            lambda event: (
                event["event"] == "ActionStarted"
                and event["stage"] in left
                and event["target"] in (name, FIRST if event["stage"] == "elastic_ip" else name)
            )
        )
        if event is not None:  # the run goes on: it waits for the node, or ends with a sentence
            del left[: left.index(event["stage"]) + 1]
            time.sleep(dice.uniform(0.0, 5.0 if event["stage"] == "packages" else 1.5))
            aws(program.lab, "ec2").reboot_instances(InstanceIds=[fresh.victim(name).id])
            reboots += 1
        elif going.end() == 0:
            break
        else:
            said.append(sentence(going.failure))
            assert len(said) < 10, said
            going = program.start()
    if going.end():
        said.append(sentence(going.failure))
    failures = until_done(program)
    assert reboots >= len(STAGES_ON_NODES) - 1, (seed, reboots)
    found, expected = picture.take(program.lab, program.spec), picture.take(built.program.lab, built.program.spec)
    assert found.account == expected.account | {"addresses": found.account["addresses"]}, seed
    assert found.cib == expected.cib, seed
    unlike = [each for each in picture.differences(found.nodes, expected.nodes) if ".iconha-<time>" not in each]
    assert unlike == [], seed
    table.row(
        fault=f"{name} reboots amid the actions of each stage of a build",
        how=f"RebootInstances up to 5 s after an action has begun: {', '.join(STAGES_ON_NODES)}",
        sees="; ".join(dict.fromkeys([*said, *map(sentence, failures)])) or "it is waited for",
        result="the cluster of an undisturbed build: same files, CIB, key, rules",
        runs=reboots,
    )
