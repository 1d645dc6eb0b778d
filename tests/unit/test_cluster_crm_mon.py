"""crm_mon's XML of Pacemaker 1.1 to 3.0, read into one shape."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iconha_tui.cluster.crm_mon import CrmMonError, parse_crm_mon, seconds_since_1970
from iconha_tui.cluster.untrusted_xml import INFINITY, MAX_BYTES, ClusterXMLError

# Pacemaker 1.1.18, `crm_mon -X` (after the printf calls of tools/crm_mon.c of that release)
PACEMAKER_1_1 = """<?xml version="1.0"?>
<crm_mon version="1.1.18">
    <summary>
        <stack type="corosync" />
        <current_dc present="true" version="1.1.18-2b07d5c5a9" name="PRep-01" id="1" with_quorum="true" />
        <last_update time="Mon Nov 23 09:51:48 2026" />
        <nodes_configured number="2" expected_votes="unknown" />
        <resources_configured number="1" disabled="0" blocked="0" />
        <cluster_options stonith-enabled="false" symmetric-cluster="true" no-quorum-policy="ignore" />
    </summary>
    <nodes>
        <node name="PRep-01" id="1" online="true" standby="false" standby_onfail="false" maintenance="false"
            pending="false" unclean="false" shutdown="false" expected_up="true" is_dc="true" resources_running="1"
            type="member" />
        <node name="PRep-02" id="2" online="false" standby="false" standby_onfail="false" maintenance="false"
            pending="false" unclean="true" shutdown="false" expected_up="true" is_dc="false" resources_running="0"
            type="member" />
    </nodes>
    <resources>
        <resource id="elastic-ip" resource_agent="ocf::heartbeat:awseip" role="Started" active="true" orphaned="false"
            managed="true" failed="false" failure_ignored="false" nodes_running_on="1" >
            <node name="PRep-01" id="1" cached="false"/>
        </resource>
    </resources>
    <node_history>
        <node name="PRep-01">
            <resource_history id="elastic-ip" orphan="false" migration-threshold="2" fail-count="INFINITY"
                last-failure="Mon Nov 23 09:40:00 2026">
                <operation_history call="11" task="start" rc="1" rc_text="unknown error" exit-reason="no route"
                    last-rc-change="Mon Nov 23 09:40:00 2026" exec-time="2312ms" queue-time="0ms" />
            </resource_history>
        </node>
    </node_history>
    <failures>
        <failure op_key="elastic-ip_start_0" node="PRep-01" exitstatus="unknown error" exitreason="no route"
            exitcode="1" call="11" status="complete" last-rc-change="Mon Nov 23 09:40:00 2026" queued="0" exec="2312"
            interval="0" task="start" />
    </failures>
</crm_mon>
"""

# Pacemaker 2.1.5, `crm_mon --output-as=xml` on a CIB file (measured)
PACEMAKER_2_1 = """\
<pacemaker-result api-version="2.25" request="crm_mon --output-as=xml -1">
  <summary>
    <stack type="corosync"/>
    <current_dc present="true" version="2.1.5-a3f44794f94" name="PRep-01" id="1" with_quorum="true"
      mixed_version="false"/>
    <last_update time="Mon Nov 23 09:51:48 2026"/>
    <nodes_configured number="2"/>
    <resources_configured number="1" disabled="0" blocked="0"/>
    <cluster_options stonith-enabled="false" symmetric-cluster="true" no-quorum-policy="stop" maintenance-mode="false"/>
  </summary>
  <nodes>
    <node name="PRep-01" id="1" online="true" standby="false" standby_onfail="false" maintenance="false"
      pending="false" unclean="false" health="green" feature_set="3.16.2" shutdown="false" expected_up="true"
      is_dc="true" resources_running="1" type="member"/>
    <node name="PRep-02" id="2" online="true" standby="true" standby_onfail="false" maintenance="false"
      pending="false" unclean="false" health="green" feature_set="3.16.2" shutdown="false" expected_up="true"
      is_dc="false" resources_running="0" type="member"/>
  </nodes>
  <resources>
    <resource id="elastic-ip" resource_agent="ocf:heartbeat:awseip" role="Started" active="true" orphaned="false"
      blocked="false" managed="true" failed="false" failure_ignored="false" nodes_running_on="1">
      <node name="PRep-01" id="1" cached="true"/>
    </resource>
  </resources>
  <node_attributes>
    <node name="PRep-02">
      <attribute name="azone" value="b"/>
    </node>
  </node_attributes>
  <node_history>
    <node name="PRep-01">
      <resource_history id="elastic-ip" orphan="false" migration-threshold="2" fail-count="1"
        last-failure="Tue Nov 14 22:13:20 2023">
        <operation_history call="9" task="monitor" rc="7" rc_text="not running" interval="10000ms"
          last-rc-change="Tue Nov 14 22:13:20 2023" exec-time="2312ms" queue-time="0ms"/>
        <operation_history call="11" task="start" rc="0" rc_text="ok" last-rc-change="Tue Nov 14 22:13:20 2023"
          exec-time="2312ms" queue-time="0ms"/>
      </resource_history>
    </node>
  </node_history>
  <status code="0" message="OK"/>
</pacemaker-result>
"""

# Pacemaker 3.0: pacemakerd's state is an attribute of the stack (measured)
PACEMAKER_3_0 = PACEMAKER_2_1.replace('<stack type="corosync"/>', '<stack type="corosync" pacemakerd-state="running"/>')

NOT_RUNNING = """\
<pacemaker-result api-version="2.25" request="crm_mon --output-as=xml">
  <status code="102" message="Not connected">
    <errors>
      <error>error: Could not connect to launcher: Connection refused</error>
      <error>crm_mon: Connection to cluster failed: Connection refused</error>
    </errors>
  </status>
</pacemaker-result>
"""

RELEASES = {"1.1": PACEMAKER_1_1, "2.1": PACEMAKER_2_1, "3.0": PACEMAKER_3_0}


@pytest.mark.parametrize("xml", RELEASES.values(), ids=RELEASES)
def test_every_release_tells_where_the_address_is(xml: str) -> None:
    status = parse_crm_mon(xml.encode())
    resource = status.resource("elastic-ip")
    assert resource is not None
    assert resource.agent == "ocf:heartbeat:awseip"
    assert resource.started_on == "PRep-01"
    assert status.dc == "PRep-01"
    assert status.with_quorum is True
    assert status.options["stonith-enabled"] == "false"
    assert [(node.name, node.id, node.is_dc) for node in status.nodes] == [
        ("PRep-01", "1", True),
        ("PRep-02", "2", False),
    ]


def test_a_node_that_is_gone_is_offline_and_unclean() -> None:
    node = parse_crm_mon(PACEMAKER_1_1).node("PRep-02")
    assert node is not None
    assert (node.online, node.unclean, node.standby) == (False, True, False)


def test_a_node_on_standby_is_online() -> None:
    node = parse_crm_mon(PACEMAKER_2_1).node("PRep-02")
    assert node is not None
    assert (node.online, node.standby) == (True, True)


def test_failures_name_operation_node_and_reason() -> None:
    (failure,) = parse_crm_mon(PACEMAKER_1_1).failures
    assert (failure.resource, failure.task, failure.node, failure.code) == ("elastic-ip", "start", "PRep-01", 1)
    assert failure.reason == "no route"


@pytest.mark.parametrize(
    ("key", "task", "resource"),
    [
        ("elastic-ip_monitor_10000", "monitor", "elastic-ip"),
        ("my_ip_start_0", "start", "my_ip"),
        ("ip_migrate_to_0", "migrate_to", "ip"),
        ("odd", "start", None),
    ],
)
def test_the_resource_of_a_failure_may_have_underscores(key: str, task: str, resource: str | None) -> None:
    xml = f'<crm_mon><failures><failure op_key="{key}" task="{task}" node="a"/></failures></crm_mon>'
    assert parse_crm_mon(xml).failures[0].resource == resource


def test_fail_counts_and_history_are_kept_per_node() -> None:
    status = parse_crm_mon(PACEMAKER_2_1)
    (history,) = status.history
    assert (history.resource, history.node, history.fail_count) == ("elastic-ip", "PRep-01", 1)
    assert history.migration_threshold == 2
    assert [(each.task, each.code, each.code_text) for each in history.operations] == [
        ("monitor", 7, "not running"),
        ("start", 0, "ok"),
    ]
    assert [each.fail_count for each in parse_crm_mon(PACEMAKER_1_1).history if each.node == "PRep-01"] == [INFINITY]
    assert status.attributes == {"PRep-02": {"azone": "b"}}


def test_pacemakerd_is_told_in_the_stack_since_3_0_and_beside_it_before() -> None:
    assert parse_crm_mon(PACEMAKER_3_0).pacemakerd == "running"
    beside = PACEMAKER_2_1.replace("  <summary>", '  <pacemakerd sys_from="a" state="shutting_down"/>\n  <summary>')
    assert parse_crm_mon(beside).pacemakerd == "shutting_down"
    assert parse_crm_mon(PACEMAKER_1_1).pacemakerd is None


def test_a_cluster_that_does_not_run_is_an_error_of_its_own() -> None:
    with pytest.raises(CrmMonError, match="Connection to cluster failed") as caught:
        parse_crm_mon(NOT_RUNNING)
    assert caught.value.not_running


def test_an_error_under_code_0_is_an_error() -> None:
    with pytest.raises(CrmMonError, match="Not connected") as caught:
        parse_crm_mon(NOT_RUNNING.replace('code="102"', 'code="0"').replace("error>error", "error>Not connected"))
    assert not caught.value.not_running


def test_without_a_dc_nothing_is_guessed() -> None:
    status = parse_crm_mon('<crm_mon version="2.1.5"><summary><current_dc present="false"/></summary></crm_mon>')
    assert (status.dc, status.with_quorum, status.nodes, status.resources) == (None, None, (), ())
    assert status.version == "2.1.5"


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (('role="Started"', 'role="Stopped"'), None),
        (('failed="false"', 'failed="true"'), None),
        (('<node name="PRep-01" id="1" cached="true"/>', '<node name="a"/><node name="b"/>'), None),
        (('<node name="PRep-01" id="1" cached="true"/>', '<node name="PRep-02"/>'), "PRep-02"),
    ],
)
def test_started_means_started_whole_and_on_one_node(change: tuple[str, str], where: str | None) -> None:
    resource = parse_crm_mon(PACEMAKER_2_1.replace(*change)).resource("elastic-ip")
    assert resource is not None
    assert resource.started_on == where


def test_resources_listed_below_their_nodes_or_in_groups_are_found() -> None:
    below = '<crm_mon><nodes><node name="a"><resource id="r" role="Started"/></node></nodes></crm_mon>'
    group = '<crm_mon><resources><group id="g"><resource id="r" role="Started"/></group></resources></crm_mon>'
    assert [resource.id for resource in parse_crm_mon(below).resources] == ["r"]
    assert [resource.id for resource in parse_crm_mon(group).resources] == ["r"]


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9))
    + "]><crm_mon>&j;</crm_mon>"
)
UNUSABLE = {
    "nothing": (b"", "with nothing"),
    "text": (b"Connection to cluster failed", "cannot be read"),
    "cut off": (PACEMAKER_2_1[:400].encode(), "cannot be read"),
    "another root": (b"<cib/>", "not a status"),
    "no text": (b"\xff\xfe<", "other than UTF-8"),
    "entities that grow": (BOMB.encode(), "document type"),
    "entities that grow, in another encoding": (BOMB.encode("utf-16"), "other than UTF-8"),
    "an external entity": (
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><crm_mon>&x;</crm_mon>',
        "document type",
    ),
    "too much": (b" " * (MAX_BYTES + 1), "more than 8 MiB"),
}


@pytest.mark.parametrize(("xml", "sentence"), UNUSABLE.values(), ids=UNUSABLE)
def test_what_is_no_status_is_refused_with_a_sentence(xml: bytes, sentence: str) -> None:
    with pytest.raises(ClusterXMLError, match=sentence):
        parse_crm_mon(xml)


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(ClusterXMLError, match="deep"):
        parse_crm_mon("<crm_mon>" + "<resources>" * 300_000 + "</resources>" * 300_000 + "</crm_mon>")


@given(st.binary() | st.text())
def test_no_answer_raises_anything_else(xml: bytes | str) -> None:
    with pytest.raises(ClusterXMLError):
        parse_crm_mon(xml)


@given(st.integers(0, len(PACEMAKER_2_1)), st.integers(0, 40), st.text(max_size=8))
def test_no_damage_raises_anything_else(at: int, cut: int, put: str) -> None:
    damaged = PACEMAKER_2_1[:at] + put + PACEMAKER_2_1[at + cut :]
    with contextlib.suppress(ClusterXMLError):
        parse_crm_mon(damaged)


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("Mon Nov 23 13:23:35 2026", 1795440215.0),
        ("2026-11-23 13:23:35Z", 1795440215.0),
        ("2026-11-23 15:23:35 +02:00", 1795440215.0),
        ("2026-11-23 13:23:35", None),
        ("yesterday", None),
        (None, None),
    ],
)
def test_times_of_every_release_are_read(when: str | None, expected: float | None) -> None:
    assert seconds_since_1970(when) == expected
