"""What a stage carries out is in its digest of the settings: else a change would stand there as done."""

from __future__ import annotations

from typing import Any

import pytest

from iconha_tui.engine.plan import plan_of, to_dict
from iconha_tui.engine.step import View
from iconha_tui.spec import Spec
from iconha_tui.stages import STAGES

from .living_pair import FACTS

CHANGES: list[dict[str, Any]] = [
    {"aws": {"region": "eu-west-3"}},
    {"nodes": [{"name": "alpha"}, {"name": "PRep-02"}]},
    {"instances": {"instance_type": "m6i.large"}},
    {"instances": {"volume_gib": 200}},
    {"instances": {"ssh_cidr": "203.0.113.0/24"}},
    {"instances": {"key_pair": "mine"}},
    {"instances": {"instance_profile": "role"}},
    {"packages": {"shell": "pcs"}},
    {"corosync": {"cluster_name": "other"}},
    {"corosync": {"transport": "knet"}},
    {"corosync": {"port": 5505}},
    {"corosync": {"token_ms": 3000}},
    {"corosync": {"conf": {"PRep-01": "totem {\n}\n"}}},
    {"pacemaker": {"properties": {"stonith-enabled": "true", "no-quorum-policy": "ignore"}}},
    {"pacemaker": {"properties": {}}},
    {"awscli": {"credentials": "role"}},
    {"elastic_ip": {"id": "address"}},
    {"elastic_ip": {"api_delay": 5}},
    {"elastic_ip": {"meta": {"migration-threshold": "3"}}},
    {"elastic_ip": {"monitor": {"interval": "20s"}}},
]
OTHER_TOOL = {("packages.shell", "pacemaker"), ("packages.shell", "elastic_ip")}
"""The same is set, by another command."""


def name_of(change: dict[str, Any]) -> str:
    ((table, values),) = change.items()
    return f"{table}.{next(iter(values))}" if isinstance(values, dict) else table


@pytest.mark.parametrize("change", CHANGES, ids=name_of)
def test_a_setting_that_changes_what_a_stage_does_changes_its_digest(change: dict[str, Any]) -> None:
    before, after = Spec(), Spec.model_validate(change)
    seen = []
    for stage in STAGES:
        facts = {} if stage.name == "instances" else FACTS
        plans = [[to_dict(each) for each in plan_of([stage], View(spec, facts))] for spec in (before, after)]
        if plans[0] != plans[1] and (name_of(change), stage.name) not in OTHER_TOOL:
            seen.append(stage.name)
            assert before.settings_digest(stage.name) != after.settings_digest(stage.name), stage.name
    assert seen, "it changes something"


def test_the_port_of_corosync_is_a_rule_of_the_security_group_too() -> None:
    after = Spec.model_validate({"corosync": {"port": 5505}})
    assert Spec().settings_digest("instances") != after.settings_digest("instances")


def test_a_setting_of_one_stage_leaves_the_others_done() -> None:
    before, after = Spec(), Spec.model_validate({"corosync": {"token_ms": 3000}})
    changed = [
        stage.name for stage in STAGES if before.settings_digest(stage.name) != after.settings_digest(stage.name)
    ]
    assert changed == ["corosync"]
