"""States of a pair as the cluster's own tools tell them: each in crm_mon's XML and text, in the scheduler's, and its CIB.

The files in cases/status are of Pacemaker 2.1.5: `crm_mon -X`, crm_mon's text, `crm_simulate -s` without its headings (.sim), and
`crm_simulate --simulate --node-down PRep-01` (.down).
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from iconha_tui.cluster.cib import CibVersion, parse_cib, parse_cib_version
from iconha_tui.cluster.crm_mon import ClusterStatus, NodeState, ResourceStatus, parse_crm_mon
from iconha_tui.cluster.scheduler import PlacedInstance, parse_simulation

ONE, TWO = "PRep-01", "PRep-02"
CASES = Path(__file__).with_name("cases") / "status"
NAMES = sorted(path.name.removesuffix(".cib.xml") for path in CASES.glob("*.cib.xml"))


def read(name: str, kind: str) -> str:
    return (CASES / f"{name}.{kind}").read_text()


def status(name: str) -> ClusterStatus:
    return parse_crm_mon(read(name, "crm_mon-X.xml"))


def test_every_case_is_there() -> None:
    assert len(NAMES) == 14


def of_text(instance: PlacedInstance) -> set[tuple[str, str, str | None, frozenset[str]]]:
    """What the text says of an instance: id, role, node, flags."""
    return {(instance.id, instance.role, node, instance.flags) for node in instance.nodes or (None,)}


def of_xml(resource: ResourceStatus) -> set[tuple[str, str, str | None, frozenset[str]]]:
    """The same of the XML, in the words of crm_mon's text."""
    flags = {
        "ORPHANED": resource.orphaned,
        "blocked": resource.blocked,
        "unmanaged": resource.managed is False and not resource.blocked,
        "disabled": resource.target_role == "Stopped",
    }
    role = "FAILED" if resource.failed else resource.role or ""
    told = frozenset(flag for flag, is_so in flags.items() if is_so)
    return {(resource.primitive, role, node, told) for node in resource.nodes or (None,)}


@pytest.mark.parametrize("name", NAMES)
def test_every_instance_stands_where_the_text_of_crm_mon_has_it(name: str) -> None:
    text = parse_simulation(f"Revised Cluster Status:\n{read(name, 'txt')}")
    assert text is not None
    shown = [said for instance in text.instances for said in of_text(instance)]
    assert sorted(shown, key=str) == sorted((said for each in status(name).resources for said in of_xml(each)), key=str)


@pytest.mark.parametrize("name", NAMES)
def test_nodes_are_as_the_text_of_crm_mon_has_them(name: str) -> None:
    text = read(name, "txt")
    shown = {node: "online" for names in re.findall(r"Online: \[ (.*) \]", text) for node in names.split()}
    red = set(re.findall(r"Node (\S+): online \(health is RED\)", text))
    nodes = status(name).nodes
    assert {node.name: node.state for node in nodes} == shown | dict.fromkeys(red, "online")
    assert {node.name for node in nodes if node.health != "green"} == red
    assert (status(name).dc is None) == ("Current DC: NONE" in text)


@pytest.mark.parametrize("name", NAMES)
def test_what_has_failed_is_what_the_text_of_crm_mon_shows_as_failed(name: str) -> None:
    shown = re.findall(r"\* (\S+) (?:\S+-interval )?(\S+) on (\S+) returned '(.*)'", read(name, "txt"))
    failures = status(name).failures
    assert [(each.resource, each.task, each.node, each.status) for each in failures] == shown


AFTER_THE_LOSS_OF_ONE: dict[str, tuple[str, tuple[str, ...]]] = {
    "a1-group-fine": ("elastic-ip", (TWO,)),
    "b1-clone-both": ("elastic-ip", (TWO,)),
    "b3-unique-clone": ("elastic-ip", (TWO,)),
    "e1-other-probe-not-installed": ("elastic-ip", ()),
    "f2-stop-failed-blocked": ("elastic-ip", (TWO,)),
    "g1-no-dc": ("elastic-ip", (TWO,)),
    "g9-asymmetric-one-node-only": ("elastic-ip", ()),
    "k1-renamed-old-orphan-running-first": ("new-ip", (TWO,)),
    "l1-health-red-migrate": ("elastic-ip", ()),
    "m1-ban-by-pingd-rule": ("elastic-ip", ()),
    "p1-disabled-but-still-running": ("elastic-ip", ()),
    "p16-failed-only-second-anon-clone-nofailcount": ("elastic-ip", (TWO,)),
    "q1-two-awseip-first-on-1-ours-on-2": ("elastic-ip", (TWO,)),
    "q2-two-awseip-first-on-1-ours-stopped": ("elastic-ip", ()),
}


@pytest.mark.parametrize("name", NAMES)
def test_where_the_address_goes_when_the_first_node_is_lost(name: str) -> None:
    resource, nodes = AFTER_THE_LOSS_OF_ONE[name]
    simulation = parse_simulation(read(name, "down"))
    assert simulation is not None
    assert simulation.runs_on(resource) == nodes


@pytest.mark.parametrize("name", [path.name.removesuffix(".sim") for path in sorted(CASES.glob("*.sim"))])
def test_it_goes_nowhere_exactly_where_the_scheduler_scores_the_other_node_as_never(name: str) -> None:
    """Of a score that is missing, symmetric-cluster=false, the node is no candidate at all."""
    resource, nodes = AFTER_THE_LOSS_OF_ONE[name]
    scores = re.findall(rf"primitive_assign: {resource}(?::1)? allocation score on {TWO}: (\S+)", read(name, "sim"))
    assert bool(nodes) == (set(scores) - {"-INFINITY"} != set())


def test_every_instance_of_a_clone_is_found_by_the_primitives_id() -> None:
    for name in ("b1-clone-both", "b3-unique-clone"):
        assert [each.nodes for each in status(name).instances("elastic-ip")] == [(ONE,), (TWO,)], name
        assert status(name).started_on("elastic-ip") == (ONE, TWO), name
        assert {each.enclosing for each in status(name).instances("elastic-ip")} == {("c",)}, name
        assert [each.node for each in status(name).histories("elastic-ip")] == [ONE, TWO], name


def test_a_second_resource_of_the_same_agent_does_not_stand_for_ours() -> None:
    first = status("q1-two-awseip-first-on-1-ours-on-2")
    assert (first.resources[0].id, first.started_on("elastic-ip")) == ("backup-ip", (TWO,))
    assert status("q2-two-awseip-first-on-1-ours-stopped").started_on("elastic-ip") == ()


def test_a_resource_that_is_no_longer_configured_is_an_orphan() -> None:
    found = status("k1-renamed-old-orphan-running-first")
    assert {each.id for each in found.resources if each.orphaned} == {"old-ip"}
    assert not parse_cib(read("k1-renamed-old-orphan-running-first", "cib.xml")).primitives.keys() & {"old-ip"}


def test_a_failed_instance_does_not_count_as_running() -> None:
    assert status("p16-failed-only-second-anon-clone-nofailcount").started_on("elastic-ip") == (ONE,)
    blocked = status("f2-stop-failed-blocked").resource("elastic-ip")
    assert blocked is not None
    assert (blocked.blocked, blocked.failed, blocked.managed) == (True, True, False)
    assert status("f2-stop-failed-blocked").started_on("elastic-ip") == ()


def test_a_probe_that_found_the_agent_missing_is_a_hard_error_of_its_node() -> None:
    errors = {each.node: each.hard_error for each in status("e1-other-probe-not-installed").histories("elastic-ip")}
    assert errors[ONE] is None
    assert errors[TWO] is not None
    assert (errors[TWO].task, errors[TWO].code, errors[TWO].code_text) == ("probe", 5, "not installed")


def test_a_ban_names_its_node_and_score_and_holds_for_a_group_as_a_whole() -> None:
    (ban,) = status("m1-ban-by-pingd-rule").bans_of("elastic-ip")
    assert (ban.id, ban.node, ban.weight, ban.promoted_only) == ("lr", TWO, -1_000_000, False)
    of_the_group = read("a1-group-fine", "crm_mon-X.xml").replace(
        "</crm_mon>", f'<bans><ban id="b" resource="g" node="{TWO}" weight="-1000000"/></bans></crm_mon>'
    )
    assert [each.resource for each in parse_crm_mon(of_the_group).bans_of("elastic-ip")] == ["g"]


def test_a_resource_that_is_told_to_stop_says_so() -> None:
    resource = status("p1-disabled-but-still-running").resource("elastic-ip")
    assert resource is not None
    assert (resource.role, resource.target_role) == ("Started", "Stopped")


def test_options_are_those_that_count() -> None:
    assert status("g9-asymmetric-one-node-only").option("symmetric-cluster") is False
    assert status("g9-asymmetric-one-node-only").option("maintenance-mode") is False
    assert status("a1-group-fine").option("no-such-option") is None


@pytest.mark.parametrize(
    ("attributes", "state"),
    [
        ('online="true" unclean="true"', "UNCLEAN"),
        ('online="false" unclean="true"', "UNCLEAN"),
        ('online="true" pending="true" standby="true"', "pending"),
        ('online="true" standby="true" maintenance="true"', "standby"),
        ('online="true" standby="false" standby_onfail="true"', "standby"),
        ('online="true" maintenance="true"', "maintenance"),
        ('online="true"', "online"),
        ('online="false" standby="true"', "OFFLINE"),
        ("", None),
    ],
)
def test_of_two_states_of_a_node_the_one_counts_that_crm_mon_shows(attributes: str, state: NodeState | None) -> None:
    node = parse_crm_mon(f'<crm_mon><nodes><node name="a" {attributes}/></nodes></crm_mon>').node("a")
    assert node is not None
    assert node.state == state


def test_the_fencing_history_is_read_with_its_reasons() -> None:
    # Pacemaker 2.1, after xml/api/fence-event-2.15.rng
    xml = """<pacemaker-result><fence_history status="0">
      <fence_event status="failed" extended-status="No such device" action="reboot" target="PRep-02" client="c.1"
        origin="PRep-01" completed="2026-11-23 13:23:35.123Z"/>
      <fence_event status="success" delegate="PRep-01" action="reboot" target="PRep-02" client="c.1" origin="PRep-01"/>
    </fence_history></pacemaker-result>"""
    failed, done = parse_crm_mon(xml).fencing
    assert (failed.target, failed.status, failed.reason, failed.delegate) == (TWO, "failed", "No such device", None)
    assert (done.status, done.reason, done.delegate) == ("success", None, ONE)


def test_what_3_0_calls_removed_is_orphaned() -> None:
    xml = '<crm_mon><resources><resource id="r" orphaned="false" removed="true"/></resources></crm_mon>'
    assert parse_crm_mon(xml).resources[0].orphaned is True


@pytest.mark.parametrize("name", NAMES)
def test_the_version_of_a_cib_is_read(name: str) -> None:
    assert parse_cib_version(read(name, "cib.xml")) == CibVersion(0, 10, 0)


def test_the_version_tells_which_cib_is_newer() -> None:
    assert CibVersion(0, 10, 0) > CibVersion(0, 9, 99)
    assert CibVersion(1, 0, 0) > CibVersion(0, 10, 0)
    assert str(CibVersion(0, 10, 3)) == "0.10.3"
