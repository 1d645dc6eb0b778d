"""What a preview shows is what a run does: over random settings, changes of them, and states of the pair."""

from __future__ import annotations

import json
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import pytest

from iconha_tui.engine import runner
from iconha_tui.engine.events import ActionStarted, Probed
from iconha_tui.engine.foresight import look_at_all
from iconha_tui.engine.plan import Look, LookedAt, plan_of
from iconha_tui.engine.step import View
from iconha_tui.lines import show_plan
from iconha_tui.session import Session
from iconha_tui.spec import Spec
from iconha_tui.stages import STAGES, corosync
from iconha_tui.stages.pacemaker import REWEIGHED
from iconha_tui.stages.pacemaker import STAGE as PACEMAKER
from iconha_tui.widgets.preview import _rows

from .living_pair import FACTS, LivingPair

OF_THE_CLUSTER = [stage for stage in STAGES if stage.name in ("corosync", "pacemaker", "awscli", "elastic_ip")]
SEEDS = 150


def random_spec(choose: Random) -> dict[str, Any]:
    maybe = choose.choice
    return {
        "aws": {"region": maybe(("us-east-1", "us-east-1", "us-east-1", "eu-west-1"))},
        "awscli": {"credentials": maybe(("keys", "keys", "role"))},
        "packages": {"shell": maybe(("crm", "pcs"))},
        "corosync": {
            "token_ms": maybe((0, 1000, 3000, 5000)),
            "port": maybe((5405, 5405, 5505)),
            "transport": maybe(("udpu", "udpu", "knet")),
            "settle": 5,
        },
        "pacemaker": {
            "properties": {
                "stonith-enabled": maybe(("false", "true")),
                "no-quorum-policy": maybe(("ignore", "stop")),
                **({"cluster-delay": "60s"} if choose.random() < 0.3 else {}),
            },
            "settle": 5,
        },
        "elastic_ip": {
            "api_delay": maybe((0, 0, 5)),
            "meta": {"migration-threshold": maybe(("2", "3")), "resource-stickiness": maybe(("100", "200"))},
        },
    }


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not true at once in this world never will be."""
    monkeypatch.setattr(runner, "POLL", 0.0)
    monkeypatch.setattr("iconha_tui.engine.step.Step.patience_for", lambda self, view: 0.0)
    for step in (step for stage in STAGES for step in stage.steps):
        if "patience_for" in type(step).__dict__ or any(
            "patience_for" in kind.__dict__ for kind in type(step).__mro__[:-1]
        ):
            monkeypatch.setattr(type(step), "patience_for", lambda self, view: 0.0, raising=False)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_run_does_nothing_that_its_preview_has_not_shown(seed: int) -> None:
    choose = Random(seed)
    pair = LivingPair(Spec.model_validate(random_spec(choose)), choose)
    ctx = pair.world.ctx
    seen = set(look_at_all(OF_THE_CLUSTER, ctx))
    if choose.random() < 0.9:
        ctx.spec = Spec.model_validate(random_spec(choose))
    for stage in OF_THE_CLUSTER:
        shown = {
            (action.target, action.shown())
            for planned in plan_of([stage], View(ctx.spec, ctx.view.facts))
            for action in planned.actions
        }
        pair.world.events.clear()
        finished = runner.run([stage], ctx, pair.world.on_event)
        # Of a step that could not be looked at, as of a cluster that did not run, the preview says just that.
        ran = {
            (each.target, each.shown)
            for each in pair.world.events
            if isinstance(each, ActionStarted) and (each.step, each.target) in seen
        }
        assert ran <= shown, (stage.name, sorted(ran - shown))
        if finished.outcome != "done":
            break
        seen |= {(each.step, each.target) for each in pair.world.events if isinstance(each, Probed)}


def test_these_runs_change_living_pairs_and_end_well() -> None:
    """The test above says something only where its runs act on their nodes, restart them and come to their end."""
    acted, done = set(), 0
    for seed in range(60):
        choose = Random(seed)
        pair = LivingPair(Spec.model_validate(random_spec(choose)), choose)
        ctx = pair.world.ctx
        look_at_all(OF_THE_CLUSTER, ctx)
        ctx.spec = Spec.model_validate(random_spec(choose))
        done += runner.run(OF_THE_CLUSTER, ctx, pair.world.on_event).outcome == "done"
        acted |= {each.step for each in pair.world.events if isinstance(each, ActionStarted)}
    assert acted >= {
        "corosync.conf", "corosync.pause", "corosync.reload", "corosync.restart_standby", "corosync.restart_active",
        "corosync.members", "corosync.resume", "pacemaker.properties", "elastic_ip.primitive", "awscli.config",
        "awscli.region", "awscli.pause", "awscli.reread_passive", "awscli.reread_active", "awscli.resume", "awscli.proof",
    }, acted  # fmt: skip
    assert done > 40, done


@pytest.mark.parametrize("until", [1, None], ids=["corosync", "all"])
def test_a_new_machine_in_the_place_of_a_lost_one_holds_up_no_stage(until: int | None) -> None:
    """It is in the cluster only once the pacemaker stage has begun: until then nobody waits for it, and failover goes on."""
    pair = LivingPair(Spec(), Random(3), "replaced")
    ctx = pair.world.ctx
    look_at_all(OF_THE_CLUSTER, ctx)
    assert runner.run(OF_THE_CLUSTER[:until], ctx, pair.world.on_event).outcome == "done"
    assert "corosync.pause" in {each.step for each in pair.world.events if isinstance(each, ActionStarted)}
    assert not pair.paused
    assert pair.nodes[pair.holder].pacemaker
    assert all(node.pacemaker for node in pair.nodes.values()) == (until is None)


def test_the_preview_is_reckoned_from_what_is_typed_and_not_from_what_was_looked_for() -> None:
    """A property that is typed after the look is shown, with what it may do to the pair."""
    choose = Random(1)
    pair = LivingPair(Spec(), choose)
    ctx = pair.world.ctx
    for node in pair.nodes.values():
        node.corosync = node.pacemaker = True
    look_at_all(OF_THE_CLUSTER, ctx)
    typed = Spec.model_validate(
        {"pacemaker": {"properties": {"stonith-enabled": "true", "no-quorum-policy": "ignore"}}}
    )
    planned = [plan for plan in plan_of(STAGES, View(typed, ctx.view.facts)) if plan.step.id == "pacemaker.properties"]
    shown = [action.shown() for plan in planned for action in plan.actions]
    assert "crm configure property stonith-enabled=true" in shown
    assert any(getattr(action, "disruption", None) for plan in planned for action in plan.actions)


def test_what_an_action_may_disrupt_is_told_with_its_seconds_wherever_a_plan_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pair = LivingPair(Spec(), Random(1))
    for node in pair.nodes.values():
        node.corosync = node.pacemaker = True
    typed = Spec.model_validate(
        {"pacemaker": {"properties": {"stonith-enabled": "true", "no-quorum-policy": "ignore"}}}
    )
    pair.world.ctx.spec = typed
    session = cast(Session, SimpleNamespace(spec=typed, ctx=pair.world.ctx))
    told = str(REWEIGHED)
    assert told.endswith("about 10 s.")
    show_plan(typed, "text", [PACEMAKER], session)
    said = capsys.readouterr().out
    assert told in said
    assert "what was seen just now" in said
    show_plan(typed, "script", [PACEMAKER], session)
    assert f"# {told}" in capsys.readouterr().out
    show_plan(typed, "json", [PACEMAKER], session)
    actions = [action for each in json.loads(capsys.readouterr().out) for action in each["actions"]]
    assert [each["disruption"]["seconds"] for each in actions if each.get("disruption")] == [10]
    planned = list(plan_of([PACEMAKER], pair.world.ctx.view))
    assert told in "\n".join(f"{lead}{body}" for lead, body in _rows(PACEMAKER, planned, typed, 0.0))


def test_a_plan_of_the_spec_alone_does_not_say_what_depends_on_the_pair(capsys: pytest.CaptureFixture[str]) -> None:
    show_plan(Spec(), "text")
    said = " ".join(capsys.readouterr().out.split())
    assert "runs with the new file (acts or not by what is there)" in said
    assert "Reckoned from the spec alone" in said


def test_a_preview_says_what_it_rests_on_and_how_old_that_is() -> None:
    view = View(Spec(), FACTS)

    def said(looks: LookedAt) -> str:
        planned = list(plan_of([corosync.STAGE], view, looks))
        return "\n".join(f"{lead}{body}" for lead, body in _rows(corosync.STAGE, planned, Spec(), 1000.0))

    assert "nothing of this stage has been looked at yet" in said({})
    assert "acts or not by what is there, which nobody has looked at yet" in said({})
    everything = {
        (step.id, target): Look(700.0, "done", Spec().settings_digest("corosync"))
        for step in corosync.STAGE.steps
        for target in step.targets(view)
    }
    assert "from what was seen 5 min ago" in said(everything)
    assert "nothing to do, with these settings and by what was seen" in said(everything)
    part = {place: look for place, look in everything.items() if place[0] != "corosync.members"}
    assert f"1 of its {len(corosync.STAGE.steps)} steps have not been looked at yet" in said(part)
