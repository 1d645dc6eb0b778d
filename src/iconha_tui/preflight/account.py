"""What AWS and this machine say before a run: the verdicts of the run's own probes, and its calls as dry runs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from iconha_tui.cloud.sentences import DENIED, AwsTrouble, iam_action
from iconha_tui.cloud.sentences import trouble as aws_trouble
from iconha_tui.engine.actions import Call, replace_unknown, unknown_facts, waits_for
from iconha_tui.engine.step import AWS, Blocked, Context, Done, Stage, Step
from iconha_tui.error_codes import Code
from iconha_tui.errors import Cancelled, Trouble
from iconha_tui.preflight.found import Found, State, bad
from iconha_tui.stages import credentials, instances

FIRST = ("credentials.identity", "credentials.region")
"""Where one of these is bad, AWS has no other answer to any call after it."""

_STAND_INS = {
    "group_id": "sg-00000000000000000",
    "allocation_id": "eipalloc-00000000000000000",
    "instance_id": "i-00000000000000000",
}
"""What stands in a dry run for things that do not exist yet: AWS may name a missing permission all the same."""


ON_NODES = {"instances.signin", "instances.free"}
"""The steps of these stages that ask the machines themselves: `node` does that."""


def look(ctx: Context, skip: Collection[str]) -> Iterator[Found]:
    """The Credentials and the Instances stage, but for the sign-in to the nodes."""
    deaf = False
    for stage in (credentials.STAGE, instances.STAGE):
        for step in stage.steps:
            if step.id in ON_NODES or step.id in skip:
                continue
            if deaf and (stage is instances.STAGE or step.id in FIRST):
                continue
            for found in judge(ctx, stage, step):
                deaf = deaf or (step.id in FIRST and found.state == "stands_in_the_way")
                yield found
    if deaf:
        yield Found("AWS", "All else on AWS", "not_known", "it can be asked once AWS lets you in")


def judge(ctx: Context, stage: Stage, step: Step) -> Iterator[Found]:
    """A step's own verdict on each target; what it would call on AWS, as a dry run."""
    for target in step.targets(ctx.view):
        where = target if target in ctx.spec.names else "AWS" if target == AWS else "here"
        try:
            verdict = step.probe(ctx, target)
        except Cancelled:
            raise
        except Trouble as trouble:
            if trouble.code is Code.FACT_UNKNOWN:
                later = "It can be told once the steps before it are done."
                yield from _calls(ctx, where, step, target, later) or [Found(where, step.title, "not_known", later)]
            else:
                yield bad(where, step.title, trouble, stage.name)
            continue
        ctx.learn(verdict.facts)
        if isinstance(verdict, Done):
            yield Found(where, step.title, "done", verdict.evidence)
        elif isinstance(verdict, Blocked):
            yield bad(where, step.title, Trouble(verdict.why, code=verdict.code, remedy=verdict.remedy), stage.name)
        else:
            waited_for = Found(where, step.title, "will_be_changed", f"{verdict.why} It is waited for.")
            yield from _calls(ctx, where, step, target, verdict.why) or [waited_for]


def _calls(ctx: Context, where: str, step: Step, target: str, why: str) -> list[Found]:
    """What a step would call on AWS, tried."""
    found = []
    for call in step.plan(ctx.view, target):
        if isinstance(call, Call):
            found.append(dry_run(ctx, where, step, call, why))
            if call.operation == "allocate_address":
                found.append(addresses_left(ctx))
    return found


def dry_run(ctx: Context, where: str, step: Step, call: Call, why: str) -> Found:
    """Whether AWS would let us. EC2 answers a dry run that it would carry out with the error DryRunOperation."""
    name = iam_action(call.service, call.operation)
    params: Mapping[str, Any] = call.params
    if call.operation == "run_instances":  # the group may not exist yet, and is not needed to ask
        card = {key: value for key, value in params["NetworkInterfaces"][0].items() if key != "Groups"}
        params = {**params, "NetworkInterfaces": [card]}
    missing = waits_for(Call(call.service, call.operation, params))
    makes = call.operation.partition("_")[0] in ("allocate", "create", "run") and call.operation != "create_tags"
    state: State = "will_be_made" if makes else "will_be_changed"
    later = Found(where, step.title, state, f"{why} {name} can be tried once there is something to try it on.")
    if any(_kind(fact) not in _STAND_INS for fact in missing):
        return later
    try:
        ctx.cloud.call(call.service, call.operation, {**_standing_in(params), "DryRun": True})
    except AwsTrouble as trouble:
        if trouble.aws_code != "DryRunOperation":
            if not missing:
                return bad(where, step.title, trouble, "instances", lead=why)
            if trouble.aws_code not in DENIED:
                return later
            refused = bad(where, step.title, trouble, lead=why, state="warning")
            return Found(
                where, step.title, "warning", refused.text,
                f"{refused.remedy} A policy that asks for the cluster's tag may still allow it.",
                code=refused.code,
            )  # fmt: skip
    except Cancelled:
        raise
    except Trouble as trouble:
        return bad(where, step.title, trouble, "instances", lead=why)
    return Found(where, step.title, state, f"{why} {name} is allowed.")


def _kind(fact: str) -> str:
    return fact.rpartition(".")[2]


def _standing_in(value: Any) -> Any:
    """The parameters of a call with stand-ins for what is not known yet."""
    if isinstance(value, str):
        return replace_unknown(value, lambda fact: _STAND_INS[_kind(fact)]) if unknown_facts(value) else value
    if isinstance(value, Mapping):
        return {key: _standing_in(each) for key, each in value.items()}
    return [_standing_in(each) for each in value] if isinstance(value, list | tuple) else value


def addresses_left(ctx: Context) -> Found:
    """Whether the quota has room for an Elastic IP, which no dry run tells. Addresses that were brought along do not count."""
    what, name = "Elastic IPs left", "vpc-max-elastic-ips"
    try:
        told = ctx.cloud.call("ec2", "describe_account_attributes", {"AttributeNames": [name]})["AccountAttributes"]
        held = ctx.cloud.call("ec2", "describe_addresses")["Addresses"]
    except Cancelled:
        raise
    except Trouble:
        return Found("AWS", what, "not_known", "the quota is told by the allocation itself: it may not be asked for")
    values = [
        value["AttributeValue"] for each in told for value in each["AttributeValues"] if each["AttributeName"] == name
    ]
    if not values or not values[0].isdigit():
        return Found("AWS", what, "not_known", "the quota is told by the allocation itself")
    used = sum(each.get("PublicIpv4Pool", "amazon") == "amazon" for each in held)
    if used < int(values[0]):
        return Found("AWS", what, "done", f"{used} of {values[0]} are in use")
    full = aws_trouble("ec2", "allocate_address", "AddressLimitExceeded", "")
    return bad("AWS", what, full, "instances", lead=f"{used} of {values[0]} are in use.")
