"""The first stage and the last: who the operator and the nodes are to AWS, and the address as a resource."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from stage_world import KNOWN, ONE, TWO, World, only, reservation, spec_with
from test_stage_nodes import cib, crm_mon, nvpair, remember

from iconha_tui.engine.actions import Run, Upload
from iconha_tui.engine.ports import Completed
from iconha_tui.engine.step import AWS, Blocked, Done, Needed, View
from iconha_tui.errors import Trouble
from iconha_tui.spec import Spec
from iconha_tui.stages import credentials, elastic_ip

IDENTITY = {"Account": "123456789012", "Arn": "arn:aws:iam::123456789012:user/op"}
KEYS = {"node_access_key_id": "AKIANODEKEYNODEKEY01", "node_secret_access_key": "secretsecretsecret"}


def test_aws_says_who_the_operator_is() -> None:
    world = World()
    world.cloud.says["get_caller_identity"] = IDENTITY
    assert isinstance(world.probe(credentials.Identity(), AWS), Done)
    assert world.ctx.facts["identity"] == IDENTITY["Arn"]


@pytest.mark.parametrize(
    ("zones", "verdict"),
    [
        ([{"ZoneName": "us-east-1a", "State": "available"}], Done),
        ([{"ZoneName": "us-east-1a"}], Done),
        ([{"ZoneName": "us-east-1a", "State": "impaired"}], Blocked),
        ([], Blocked),
    ],
)
def test_a_region_has_a_zone_that_can_be_used(zones: list[dict[str, str]], verdict: type) -> None:
    world = World()
    world.cloud.says["describe_availability_zones"] = {"AvailabilityZones": zones}
    assert isinstance(world.probe(credentials.Region(), AWS), verdict)


@pytest.mark.parametrize(("name", "verdict"), [("", Done), ("key", Done), ("folder", Blocked), ("absent", Blocked)])
def test_the_ssh_key_is_there_and_can_be_read(tmp_path: Path, name: str, verdict: type) -> None:
    (tmp_path / "key").write_text("x")
    (tmp_path / "folder").mkdir()
    world = World(spec_with(ssh={"key_file": str(tmp_path / name) if name else ""}))
    found = world.probe(credentials.SshKey(), "ssh")
    assert isinstance(found, verdict)
    if isinstance(found, Blocked):
        assert str(tmp_path / name) in found.why


def test_the_nodes_keys_are_tried_before_anything_is_built() -> None:
    world = World(secrets=KEYS)
    world.node_cloud.says["get_caller_identity"] = IDENTITY
    assert isinstance(world.probe(credentials.NodeCredentials(), AWS), Done)
    world.node_cloud.says["get_caller_identity"] = Trouble("AWS does not know this access key.", remedy="Check it.")
    with pytest.raises(Trouble, match="With the nodes' keys: AWS does not know this access key") as caught:
        world.probe(credentials.NodeCredentials(), AWS)
    assert caught.value.remedy == "Check it."


@pytest.mark.parametrize("missing", KEYS)
def test_the_nodes_keys_are_asked_for_where_one_is_missing(missing: str) -> None:
    world = World(secrets={**KEYS, missing: ""})
    found = world.probe(credentials.NodeCredentials(), AWS)
    assert isinstance(found, Blocked)
    assert "ICONHA_NODE_ACCESS_KEY_ID" in found.remedy


def test_with_a_role_the_nodes_need_no_keys() -> None:
    assert isinstance(World(spec_with(awscli={"credentials": "role"})).probe(credentials.NodeCredentials(), AWS), Done)


# elastic_ip

OPERATIONS = """<operations>
<op name="start" timeout="60s" interval="0s" on-fail="restart" id="s"/>
<op name="monitor" timeout="60s" interval="10s" on-fail="restart" id="m"/>
<op name="stop" timeout="60s" interval="0s" on-fail="block" id="t"/></operations>"""
META = nvpair("migration-threshold", "2") + nvpair("failure-timeout", "60s") + nvpair("resource-stickiness", "100")


def primitive(id: str = "elastic-ip", ip: str = "203.0.113.10", allocation: str = "eipalloc-1", more: str = "") -> str:
    params = nvpair("elastic_ip", ip) + nvpair("awscli", "/usr/bin/aws") + nvpair("allocation_id", allocation) + more
    return f"""<primitive id="{id}" class="ocf" provider="heartbeat" type="awseip">
    <instance_attributes id="a">{params}</instance_attributes>{OPERATIONS}
    <meta_attributes id="b">{META}</meta_attributes></primitive>"""


WORDS = (
    "elastic_ip=203.0.113.10 awscli=/usr/bin/aws allocation_id=eipalloc-1 "
    "op start timeout=60s interval=0s on-fail=restart op monitor timeout=60s interval=10s on-fail=restart "
    "op stop timeout=60s interval=0s on-fail=block "
    "meta migration-threshold=2 failure-timeout=60s resource-stickiness=100"
)


NOTED = "write /var/lib/iconha-tui/resource.json (root:root 0600)"
MOVED = primitive(ip="203.0.113.99")


def made(world: World, shell: str = "crm", **facts: str) -> None:
    """What a run of before has made, by its record: the same, but for these facts."""
    before = View(world.ctx.spec, {**KNOWN, **facts})
    remember(world, "resource", elastic_ip._plain(elastic_ip.wanted_primitive(before)))


@pytest.mark.parametrize(
    ("shell", "resources", "ours", "verdict", "plan"),
    [
        ("crm", "", None, Needed, [f"crm configure primitive elastic-ip ocf:heartbeat:awseip params {WORDS}", NOTED]),
        ("pcs", "", None, Needed, [f"pcs resource create elastic-ip ocf:heartbeat:awseip {WORDS}", NOTED]),
        ("crm", primitive(), {}, Done, None),
        ("pcs", primitive(), {}, Done, None),
        ("crm", primitive(), None, Needed, [NOTED]),
        ("pcs", MOVED, {"elastic_ip": "203.0.113.99"}, Needed, [f"pcs resource update elastic-ip {WORDS}", NOTED]),
        ("crm", MOVED, None, Blocked, None),
        ("crm", MOVED, {}, Blocked, None),
        ("pcs", primitive(more=nvpair("api_delay", "9")), {}, Blocked, None),
    ],
    ids=[
        "create, crm",
        "create, pcs",
        "there, crm",
        "there, pcs",
        "by hand, as wanted",
        "ours of before, pcs",
        "by hand, other",
        "changed since",
        "changed since, pcs",
    ],
)
def test_the_resource_is_made_left_or_updated_in_place(
    shell: str, resources: str, ours: dict[str, str] | None, verdict: type, plan: list[str] | None
) -> None:
    world = World(spec_with(packages={"shell": shell}))
    world.nodes[ONE].says["cibadmin"] = cib(resources=resources)
    if ours is not None:
        made(world, **ours)
    found = world.probe(elastic_ip.Configured(), ONE)
    assert isinstance(found, verdict)
    if plan is not None:
        assert world.plan(elastic_ip.Configured(), ONE) == plan
    if isinstance(found, Blocked):
        world.ctx.spec.elastic_ip.replace = found.remedy.partition('replace = "')[2].partition('"')[0]
        assert isinstance(world.probe(elastic_ip.Configured(), ONE), Needed), "the operator has allowed it"


CLONED = """<crm_mon><resources><clone id="twice"><resource id="elastic-ip" active="true"/>
<resource id="elastic-ip" active="true"/></clone></resources></crm_mon>"""


@pytest.mark.parametrize(
    ("resources", "says", "why"),
    [
        (primitive(), {"crm_mon": CLONED}, "elastic-ip is cloned (twice)"),
        (primitive(id="a-rival") + primitive(), {}, "The resource a-rival moves this Elastic IP too"),
        (
            primitive(id="a-rival", allocation="eipalloc-2") + primitive(),
            {"a-rival": "@\n203.0.113.10\n@\n\n@\neipalloc-1\n" + "@\n\n" * META.count("nvpair")},
            "The resource a-rival moves this Elastic IP too",
        ),
        (
            primitive(),
            {"crm_resource": "@\n203.0.113.10\n@\n/usr/bin/aws\n@\neipalloc-2\n" + "@\n\n" * META.count("nvpair")},
            "allocation_id is eipalloc-2; it should be eipalloc-1.",
        ),
    ],
    ids=["clone", "rival", "rival by what counts", "what counts is another"],
)
def test_what_would_not_move_the_address_is_not_done(resources: str, says: dict[str, str], why: str) -> None:
    world = World()
    world.nodes[ONE].says |= {"cibadmin": cib(resources=resources), **says}
    made(world)
    found = world.probe(elastic_ip.Configured(), ONE)
    assert isinstance(found, Blocked), found
    assert why in found.why


def test_what_an_update_writes_is_the_whole_primitive() -> None:
    world = World()
    world.nodes[ONE].says["cibadmin"] = cib(resources=MOVED)
    made(world, elastic_ip="203.0.113.99")
    world.probe(elastic_ip.Configured(), ONE)
    upload = only(elastic_ip.Configured().plan(world.ctx.view, ONE), Upload)[0]
    text = "".join(upload.content)
    assert text.startswith("primitive elastic-ip ocf:heartbeat:awseip")
    assert 'elastic_ip="203.0.113.10"' in text


def test_a_resource_of_that_name_that_is_no_awseip_is_left_alone() -> None:
    world = World()
    world.nodes[ONE].says["cibadmin"] = cib(resources=primitive().replace('type="awseip"', 'type="IPaddr2"'))
    found = world.probe(elastic_ip.Configured(), ONE)
    assert isinstance(found, Blocked)
    assert "ocf:heartbeat:IPaddr2" in found.why


def test_a_resource_of_another_name_that_has_the_address_is_no_reason_to_make_a_second() -> None:
    world = World()
    world.nodes[ONE].says["cibadmin"] = cib(resources=primitive(id="vip"))
    found = world.probe(elastic_ip.Configured(), ONE)
    assert isinstance(found, Blocked)
    assert 'id = "vip"' in found.remedy
    world.nodes[ONE].says["cibadmin"] = cib(resources=primitive(id="vip", allocation="eipalloc-2"))
    assert isinstance(world.probe(elastic_ip.Configured(), ONE), Needed)


def test_the_aws_cli_is_in_the_same_place_on_both_nodes() -> None:
    world = World(facts={f"{TWO}.aws": "/usr/local/bin/aws"})
    assert isinstance(world.probe(elastic_ip.Configured(), ONE), Blocked)


def test_a_node_that_names_an_odd_place_for_its_aws_cli_gets_no_command_line() -> None:
    for path in ("/usr/bin/aws'; reboot", '/a"b', "/a\\b", "/a\nb"):
        with pytest.raises(Trouble, match=r"PRep-01\.aws is not what such a value looks like"):
            elastic_ip.Configured().plan(View(Spec(), {**KNOWN, f"{ONE}.aws": path, f"{TWO}.aws": path}), ONE)


def test_every_value_of_the_resource_can_be_chosen() -> None:
    spec = spec_with(
        elastic_ip={
            "id": "vip",
            "start": {"timeout": "2m"},
            "stop": {"on_fail": "fence"},
            "meta": {"priority": "5"},
            "api_delay": 1,
        }
    )
    (create,) = only(elastic_ip.Configured().plan(View(spec, KNOWN), ONE), Run)
    line = create.shown()
    for words in (
        "primitive vip ",
        "api_delay=1",
        "op start timeout=2m",
        "interval=0s on-fail=fence",
        "meta priority=5",
    ):
        assert words in line
    assert "migration-threshold" not in line


def started(on: str | None) -> str:
    where = f'<node name="{on}" id="1" cached="true"/>' if on else ""
    return (
        f'<resource id="elastic-ip" resource_agent="ocf:heartbeat:awseip" role="{"Started" if on else "Stopped"}" '
        f'active="true" orphaned="false" managed="true" failed="false" nodes_running_on="{int(bool(on))}">{where}</resource>'
    )


FAILURE = (
    '<failure op_key="elastic-ip_start_0" node="PRep-01" exitstatus="error" exitreason="no route" exitcode="1" call="1" '
    'status="complete" last-rc-change="x" queued="0" exec="1" interval="0" task="start"/>'
)


@pytest.mark.parametrize(
    ("said", "verdict", "plan"),
    [
        (crm_mon(resources=started(ONE)), Done, None),
        (crm_mon(resources=started(TWO)), Done, None),
        (crm_mon(resources=started("node1")), Blocked, None),
        (crm_mon(resources=started(None)), Needed, []),
        (crm_mon(), Needed, []),
        (crm_mon(resources=started(None), failures=FAILURE), Needed, ["crm resource cleanup elastic-ip"]),
        (Completed(102, "", ""), Blocked, None),
    ],
    ids=["on the first", "on the second", "on a stranger", "stopped", "absent", "failed", "no cluster"],
)
def test_the_resource_is_waited_for_and_failures_are_forgotten_first(
    said: str | Completed, verdict: type, plan: list[str] | None
) -> None:
    world = World()
    world.nodes[ONE].says["crm_mon"] = said
    found = world.probe(elastic_ip.Started(), ONE)
    assert isinstance(found, verdict)
    if plan is not None:
        assert world.plan(elastic_ip.Started(), ONE) == plan
    if plan:
        assert isinstance(found, Needed)
        assert "start on PRep-01: no route" in found.why


@pytest.mark.parametrize(
    ("state", "under_way"), [("S_TRANSITION_ENGINE", True), ("S_POLICY_ENGINE", True), ("S_IDLE", False)]
)
def test_while_the_cluster_recovers_by_itself_failures_are_left_alone(state: str, under_way: bool) -> None:
    world = World()
    world.nodes[ONE].says |= {
        "crm_mon": crm_mon(resources=started(None), failures=FAILURE),
        "crmadmin": f"Controller on {TWO} in state {state}: ok\n",
    }
    found = world.probe(elastic_ip.Started(), ONE)
    assert isinstance(found, Needed)
    assert found.under_way is under_way


@pytest.mark.parametrize(
    ("holder", "verdict"),
    [("i-00000000000000001", Done), ("i-00000000000000002", Needed), (None, Needed)],
    ids=["the same", "another", "nobody"],
)
def test_ec2_and_the_cluster_must_name_the_same_holder(holder: str | None, verdict: type) -> None:
    world = World(facts={"active": ONE})
    address: dict[str, Any] = {"AllocationId": "eipalloc-1", "PublicIp": "203.0.113.10", "InstanceId": holder}
    world.cloud.says = {
        "describe_addresses": {"Addresses": [address]},
        "describe_instances": {"Reservations": [reservation(1)]},
    }
    assert isinstance(world.probe(elastic_ip.Agreed(), AWS), verdict)


def test_the_address_answers_from_here_or_the_security_group_is_named() -> None:
    world = World()
    world.unreachable = {("203.0.113.10", 7100): "refused", ("203.0.113.10", 9000): "refused"}
    found = world.probe(elastic_ip.Answers(), "ssh")
    assert isinstance(found, Done)
    assert "no P-Rep answers" in found.evidence
    world.unreachable = {("203.0.113.10", 22): "timed out"}
    assert isinstance(world.probe(elastic_ip.Answers(), "ssh"), Needed)
    assert "0.0.0.0/0" in elastic_ip.Answers().remedy(world.ctx.view)
    assert isinstance(World(spec_with(ssh={"address": "private"})).probe(elastic_ip.Answers(), "ssh"), Done)
