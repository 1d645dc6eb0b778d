"""The plan: all that a run would do, from the spec alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import product
from typing import Any

import pytest

from iconha_tui.engine import plan as plans
from iconha_tui.engine.actions import (
    Call,
    Copy,
    Disruption,
    Run,
    SecretRef,
    Upload,
    replace_unknown,
    unknown,
    unknown_facts,
    waits_for,
)
from iconha_tui.engine.step import View
from iconha_tui.masking import MASK
from iconha_tui.spec import Spec
from iconha_tui.stages import STAGES

from .fakes import ONE, TWO, Wants, stage

KINDS = list(product(("crm", "pcs"), ("udpu", "knet"), ("launch", "existing"), ("keys", "role")))


def spec_of(shell: str, transport: str, mode: str, credentials: str, **more: Mapping[str, Any]) -> Spec:
    return Spec.model_validate(
        {
            "nodes": [
                {"name": ONE, "instance_id": "i-00000000000000001"},
                {"name": TWO, "instance_id": "i-00000000000000002"},
            ],
            "packages": {"shell": shell},
            "corosync": {"transport": transport},
            "instances": {"mode": mode},
            "awscli": {"credentials": credentials},
            **more,
        }
    )


@pytest.mark.parametrize("kind", KINDS, ids="-".join)
def test_every_kind_of_spec_has_a_plan_before_anything_is_known(kind: tuple[str, str, str, str]) -> None:
    planned = list(plans.plan_of(STAGES, View(spec_of(*kind))))
    assert {each.stage.name for each in planned} == {stage.name for stage in STAGES}
    assert json.loads(json.dumps([plans.to_dict(each) for each in planned])) == [plans.to_dict(p) for p in planned]
    for each in planned:
        assert each.target in (ONE, TWO, "aws", "ssh")
        for action in each.actions:
            assert action.target == each.target or isinstance(action, Call)
            assert action.shown()


@pytest.mark.parametrize("kind", KINDS, ids="-".join)
def test_the_facts_that_a_plan_waits_for_are_all_brought_by_a_step(kind: tuple[str, str, str, str]) -> None:
    view = View(spec_of(*kind))
    steps = [step for each in STAGES for step in each.steps]
    brought = {lookup.fact for step in steps for lookup in step.lookups(view)}
    brought |= {lookup.fact for step in steps for lookup in step.node_lookups(view)}
    planned = plans.plan_of(STAGES, view)
    assert {fact for each in planned for action in each.actions for fact in waits_for(action)} <= brought


@pytest.mark.parametrize("kind", KINDS, ids="-".join)
def test_a_plan_made_twice_is_the_same(kind: tuple[str, str, str, str]) -> None:
    view = View(spec_of(*kind))
    once, twice = (list(plans.plan_of(STAGES, view)) for _ in range(2))
    assert once == twice


def test_every_step_has_a_stable_id_of_its_stage_and_a_title() -> None:
    ids = [step.id for stage in STAGES for step in stage.steps]
    assert len(ids) == len(set(ids))
    for each in STAGES:
        assert all(step.id.startswith(f"{each.name}.") and step.title for step in each.steps)


def test_where_a_step_departs_from_the_guide_it_says_so_in_a_sentence() -> None:
    for each in STAGES:
        for step in each.steps:
            assert not step.departs or step.departs.endswith("."), step.id


def test_the_json_form_tells_each_kind_of_action_whole_with_secrets_masked() -> None:
    secret = SecretRef("node_key")
    step = Wants(
        targets=[ONE],
        plan=lambda view, target: [
            Run(
                target, ("passwd", "x y"), "why", stdin=("a:", secret), long=True, disruption=Disruption("It stops.", 8)
            ),
            Upload(target, "/x", ("k=", secret, "\n"), mode=0o600, check=("true", "{}"), backup=True),
            Copy(TWO, target, "/k"),
            Call("ec2", "allocate_address", {"Domain": "vpc"}),
        ],
    )
    (planned,) = plans.plan_of([stage(step)], View(Spec()))
    assert plans.to_dict(planned) == {
        "stage": "corosync",
        "step": "corosync.a",
        "title": "/etc/a is there",
        "target": ONE,
        "depends_on_what_is_there": False,
        "actions": [
            {
                "kind": "run", "node": ONE, "argv": ["passwd", "x y"], "root": True, "outlives_connection": True,
                "stdin": f"a:{MASK}", "why": "why", "disruption": {"what": "It stops.", "seconds": 8},
            },
            {
                "kind": "upload", "node": ONE, "path": "/x", "owner": "root:root", "mode": "0600",
                "content": f"k={MASK}\n", "check": ["true", "{}"], "backup": True, "noted_in": None, "why": "",
            },
            {"kind": "copy", "from": TWO, "node": ONE, "path": "/k", "owner": "root:root", "mode": "0400", "why": ""},
            {"kind": "call", "service": "ec2", "operation": "allocate_address", "params": {"Domain": "vpc"}, "why": ""},
        ],
    }  # fmt: skip


def test_a_marker_names_its_fact_and_is_replaced_by_it() -> None:
    text = f"a {unknown('vpc_id')} b {unknown('PRep-01.private_ip')}"
    assert unknown_facts(text) == ["vpc_id", "PRep-01.private_ip"]
    assert replace_unknown(text, str.upper) == "a VPC_ID b PREP-01.PRIVATE_IP"
    view = View(Spec(), {"vpc_id": "vpc-1", "gone": None})
    assert (view.fact("vpc_id"), view.fact("gone")) == ("vpc-1", unknown("gone"))
