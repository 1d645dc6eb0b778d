"""Elastic IP (guide steps 8 and 9): the address becomes a resource of the cluster."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from iconha_tui.cluster.primitive import GUIDE_AGENT, Operation, Primitive, differences, guide_primitive
from iconha_tui.cluster.shells import GUIDE_SHELL, SHELLS
from iconha_tui.cluster.shells.protocol import ClusterShell
from iconha_tui.engine.actions import Action, Disruption, Run, Upload, unknown_facts
from iconha_tui.engine.step import AWS, Blocked, CheckStep, Context, Done, Needed, Stage, Verdict, View
from iconha_tui.stages import records
from iconha_tui.stages.instances import address_lookups, instance_lookups
from iconha_tui.stages.lookup import look_up
from iconha_tui.stages.pacemaker import OnFirst, is_changing, read_cib, read_status
from iconha_tui.text import clean


def wanted_primitive(view: View) -> Primitive:
    """The guide's primitive with the spec's values."""
    wanted = view.spec.elastic_ip
    params = {
        "elastic_ip": view.fact("elastic_ip"),
        "awscli": view.fact(f"{view.spec.names[0]}.aws"),
        "allocation_id": view.fact("allocation_id"),
    }
    if wanted.api_delay:
        params["api_delay"] = str(wanted.api_delay)
    operations = tuple(
        Operation(name, {"timeout": each.timeout, "interval": each.interval, "on-fail": each.on_fail})
        for name, each in (("start", wanted.start), ("monitor", wanted.monitor), ("stop", wanted.stop))
    )
    return Primitive(wanted.id, GUIDE_AGENT, params, operations, dict(wanted.meta))


def creation(view: View) -> tuple[str, ...]:
    """The command that creates the primitive."""
    return _creation(SHELLS[view.spec.packages.shell], wanted_primitive(view))


def guide_creation(view: View) -> tuple[str, ...]:
    """The guide's own command, with this cluster's address."""
    return _creation(GUIDE_SHELL, _of_guide(view))


def is_as_in_guide(view: View) -> bool:
    """Whether the wanted resource is the guide's own, with this cluster's address."""
    return wanted_primitive(view) == _of_guide(view)


def _of_guide(view: View) -> Primitive:
    address, allocation = view.fact("elastic_ip"), view.fact("allocation_id")
    aws = view.fact(f"{view.spec.names[0]}.aws")
    return guide_primitive(elastic_ip=address, allocation_id=allocation, awscli=aws)


def _creation(shell: ClusterShell, wanted: Primitive) -> tuple[str, ...]:
    """The cluster shells' check takes no markers: a plain word stands in for them."""
    unread = {name: value for name, value in wanted.params.items() if unknown_facts(value)}
    checked = replace(wanted, params=dict(wanted.params) | dict.fromkeys(unread, "unread"))
    markers = {f"{name}=unread": f"{name}={value}" for name, value in unread.items()}
    return tuple(markers.get(word, word) for word in shell.create(checked))


class Configured(OnFirst):
    id = "elastic_ip.primitive"
    title = "The Elastic IP is a resource of the cluster"
    foreseen = True
    vital = "It is what makes the address move."
    usual = 0.6
    guide = (
        'crm configure primitive elastic-ip ocf:heartbeat:awseip params elastic_ip="…" awscli="$(which aws)" '
        'allocation_id="…" op start timeout=60s interval=0s on-fail=restart op monitor timeout=60s interval=10s '
        "on-fail=restart op stop timeout=60s interval=0s on-fail=block meta migration-threshold=2 failure-timeout=60s "
        "resource-stickiness=100"
    )
    departs = "A resource that is there already is updated in place, without stopping it where the change does not ask for it."

    def probe(self, ctx: Context, target: str) -> Verdict:
        first, second = ctx.spec.names
        if ctx.fact(f"{first}.aws") != ctx.fact(f"{second}.aws"):
            return Blocked(
                f"The AWS CLI is at {ctx.fact(f'{first}.aws')} on {first} and at {ctx.fact(f'{second}.aws')} on {second}.",
                "The resource can name one path only: link one to the other's place, then retry.",
            )
        wanted = wanted_primitive(ctx.view)
        primitives = read_cib(ctx, target).primitives
        status = read_status(ctx, target)
        actual = primitives.get(wanted.id)
        if actual is not None:
            actual = _that_counts(ctx, target, actual)
        facts: dict[str, Any] = {"primitive": actual, "primitive_looked_at": True, "primitive_foreign": None}
        rivals = [
            each.id
            for each in primitives.values()
            if each.id != wanted.id
            and each.agent == wanted.agent
            and _that_counts(ctx, target, each).params.get("allocation_id") == wanted.params["allocation_id"]
        ]
        if rivals and actual is None:
            return Blocked(
                f"The resource {rivals[0]} has this Elastic IP already.",
                f'Use its name (in a spec: [elastic_ip] id = "{rivals[0]}"), or remove it.',
                facts,
            )
        if rivals:
            return Blocked(
                f"The resource {rivals[0]} moves this Elastic IP too: each would take it from the other.",
                f"Remove {rivals[0]}, then retry.",
                facts,
            )
        if actual is None:
            return Needed("It is not configured.", facts)
        if status and len(instances := status.instances(wanted.id)) > 1:
            clone = clean(", ".join(instances[0].enclosing))
            return Blocked(
                f"{wanted.id} is cloned ({clone}): it is active on both nodes, and each takes the address from the other.",
                "Take it out of the clone, then retry.",
                facts,
            )
        if actual.agent != wanted.agent:
            return Blocked(
                f"There is a resource {wanted.id} already, of {clean(actual.agent)}.",
                "Choose another name in the elastic_ip stage (in a spec: [elastic_ip] id), or remove that one.",
                facts,
            )
        found = differences(wanted, actual)
        written = facts["primitive_noted"] = records.remembered(ctx, target, RECORD)
        if found and not _is(written, actual):
            digest = facts["primitive_foreign"] = records.digest_of(_plain(actual))
            if digest != ctx.spec.elastic_ip.replace:
                return Blocked(
                    f"Somebody has made or changed the resource {wanted.id}, not this program: {clean(' '.join(found))}",
                    "Set what is to stay as it is in the elastic_ip stage. To have the rest made as wanted, allow it there (in a "
                    f'spec: [elastic_ip] replace = "{digest}").',
                    facts,
                )
        if found:
            return Needed(clean(" ".join(found)), facts)
        if written != json.loads(json.dumps(_plain(wanted))):
            return Needed("It is as wanted, and to be remembered as this program's.", facts)
        return Done(f"{wanted.id}: {wanted.agent}, {wanted.params['elastic_ip']}", facts)

    def plan(self, view: View, target: str) -> list[Action]:
        wanted = wanted_primitive(view)
        actual = view.facts.get("primitive")
        note = records.remember(view, target, RECORD, _plain(wanted))
        if actual is not None and not differences(wanted, actual):
            noted = view.facts.get("primitive_noted") == json.loads(json.dumps(_plain(wanted)))
            return [] if noted else [note]
        if actual is None:
            return [Run(target, creation(view), "awseip moves the address", timeout=180), note]
        change = SHELLS[view.spec.packages.shell].update(wanted, actual)
        actions: list[Action] = []
        if change.file and change.content:
            actions.append(Upload(target, change.file, (change.content,), "read by the next command", mode=0o600))
        restarts = RESTARTS if dict(wanted.params) != dict(actual.params) else None
        for argv in change.commands:
            command = _removing(change.file, argv) if change.file else tuple(argv)
            actions.append(Run(target, command, timeout=180, disruption=restarts))
        return [*actions, note]


def _that_counts(ctx: Context, node: str, primitive: Primitive) -> Primitive:
    """A primitive with the values that count of what is written in it, by the cluster's own word: several sets, scores, rules,
    templates and references are its business. What it does not tell stands as it is written."""
    asked = [("", name) for name in primitive.params] + [("--meta ", name) for name in primitive.meta]
    name = shlex.quote(primitive.id)
    script = "; ".join(
        f"echo '@'; timeout 10 crm_resource --resource {name} {kind}--get-parameter {shlex.quote(each)} 2>/dev/null"
        for kind, each in asked
    )
    said = ctx.node(node).run(("sh", "-c", script), timeout=60).stdout if asked else ""
    answers = [part.strip("\n") for part in f"\n{said}".split("\n@\n")[1:]]
    if len(answers) != len(asked):
        return primitive
    counts = {key: answer for key, answer in zip(asked, answers, strict=True) if answer}
    return replace(
        primitive,
        params={name: counts.get(("", name), value) for name, value in primitive.params.items()},
        meta={name: counts.get(("--meta ", name), value) for name, value in primitive.meta.items()},
    )


RECORD = "resource"

RESTARTS = Disruption(
    "Pacemaker restarts the resource with its new parameters: nobody holds the Elastic IP meanwhile.", 8
)


def _plain(primitive: Primitive) -> dict[str, Any]:
    """A primitive as a record holds it."""
    return {
        "id": primitive.id,
        "agent": primitive.agent,
        "params": dict(primitive.params),
        "operations": [[each.name, dict(each.options)] for each in primitive.operations],
        "meta": dict(primitive.meta),
    }


def _is(record: dict[str, Any], actual: Primitive) -> bool:
    """Whether the resource is still what this program has made, by a record of it."""
    try:
        operations = tuple(Operation(name, options) for name, options in record["operations"])
        made = Primitive(record["id"], record["agent"], record["params"], operations, record["meta"])
        return not differences(made, actual)
    except (KeyError, TypeError, ValueError, AttributeError):
        return False


def _removing(file: str, argv: Sequence[str]) -> tuple[str, ...]:
    """A command that reads a file, which is removed however it ends."""
    return ("sh", "-c", f"trap 'rm -f {file}' EXIT; trap 'exit 143' HUP INT TERM; {shlex.join(argv)}")


class Started(OnFirst):
    id = "elastic_ip.started"
    title = "The resource is started"
    vital = "An address that no node holds serves nobody; what comes after it asks which node does."
    usual = 2.2
    guide = "crm status"
    patience = 120.0

    def probe(self, ctx: Context, target: str) -> Verdict:
        name = ctx.spec.elastic_ip.id
        status = read_status(ctx, target)
        if status is None:
            return Blocked("Pacemaker does not run.", "Run the pacemaker stage.")
        resource = status.resource(name)
        where = resource.started_on if resource else None
        if where is None:
            said = [
                f"{each.task} on {each.node}: {each.reason or each.status}"
                for each in status.failures
                if each.resource == name
            ]
            why = f"{name} is not started. {'; '.join(said)}".strip()
            return Needed(why, {"failed": bool(said)}, under_way=bool(said) and is_changing(ctx, target, status))
        if where not in ctx.spec.names:
            return Blocked(f"{name} runs on {where}, which is not one of the two nodes.", "Check the nodes' names.")
        return Done(f"{name} is started on {where}", {"active": where, "failed": False})

    def plan(self, view: View, target: str) -> list[Action]:
        """Only looked at, again and again: as the address comes, the node's public address goes, and with it every
        connection to that; no command that waits on the node would live to tell."""
        if not view.facts.get("failed"):
            return []
        clean_up = SHELLS[view.spec.packages.shell].clean_up(view.spec.elastic_ip.id)
        return [Run(target, tuple(clean_up), "forgets the failures")]

    def condition(self, view: View, target: str) -> Run:
        return Run(target, ("sh", "-c", f"crm_mon -1 | grep -q '{view.spec.elastic_ip.id}.*Started '"))

    def remedy(self, view: View) -> str:
        return (
            "Look at the agent's words in `sudo journalctl -u pacemaker` on both nodes; the AWS CLI stage proves each node's "
            "permissions. Mend the cause, then retry."
        )


class Agreed(CheckStep):
    id = "elastic_ip.ec2"
    title = "EC2 says the same"
    skip = "Whether the address really leads to the active machine is then not proven; `status` shows both words side by side."
    usual = 0.3
    patience = 120.0
    """Pacemaker sees at its next look that somebody has moved the address, and gets it back: the agent's own retries at the
    metadata service alone take half a minute of that."""

    def targets(self, view: View) -> Sequence[str]:
        return [AWS]

    def probe(self, ctx: Context, target: str) -> Verdict:
        active = ctx.fact("active")
        facts = look_up(ctx, [*address_lookups(ctx.view), *instance_lookups(ctx.view, active)])
        if facts["holder"] == facts[f"{active}.instance_id"]:
            return Done(f"{facts['elastic_ip']} is {active}'s", facts)
        return Needed(
            f"EC2 gives {facts['elastic_ip']} to {facts['holder'] or 'no machine'}, the cluster says {active}.", facts
        )


class Answers(CheckStep):
    id = "elastic_ip.answers"
    title = "The address answers"
    skip = (
        "Whether the world reaches the address is then not proven: a security group or a firewall may still be closed."
    )
    usual = 0.5
    patience = 60.0

    def targets(self, view: View) -> Sequence[str]:
        return ["ssh"]

    def probe(self, ctx: Context, target: str) -> Verdict:
        if ctx.spec.ssh.address == "private":
            return Done("not asked: this machine is to use private addresses")
        address, port = ctx.fact("elastic_ip"), ctx.spec.ssh.port
        trouble = ctx.reach(address, port)
        if trouble:
            return Needed(f"{address} port {port}: {trouble}.")
        ports = [str(each) for each in (7100, 9000) if not ctx.reach(address, each)]
        open_ports = (
            f"; P-Rep ports that answer: {', '.join(ports)}" if ports else "; no P-Rep answers on 7100 and 9000 yet"
        )
        return Done(f"{address} port {port} answers{open_ports}")

    def remedy(self, view: View) -> str:
        return f"Check that the security group lets you in from here ({view.spec.instances.ssh_cidr}), then retry."


STAGE = Stage(
    name="elastic_ip",
    title="Elastic IP",
    summary=(
        "The Elastic IP becomes a resource of the cluster: from now on Pacemaker keeps it on a living machine, and moves it to "
        "the other one when the first fails. EC2 and the cluster must then agree on who holds it."
    ),
    steps=(Configured(), Started(), Agreed(), Answers()),
)
