"""The CIB: properties, nodes and the primitive, and how it differs from what is wanted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from iconha_tui.cluster.cib import parse_cib
from iconha_tui.cluster.primitive import Operation, differences, guide_primitive
from iconha_tui.cluster.untrusted_xml import ClusterXMLError

WANTED = guide_primitive(elastic_ip="203.0.113.10", allocation_id="eipalloc-1", awscli="/usr/bin/aws")

# As crmsh 4.4.1 wrote it from the guide's command line (measured), with one phantom node.
CIB = """\
<cib crm_feature_set="3.16.1" validate-with="pacemaker-3.9" epoch="3" num_updates="0" admin_epoch="0" have-quorum="1">
  <configuration>
    <crm_config>
      <cluster_property_set id="cib-bootstrap-options">
        <nvpair id="cib-bootstrap-options-stonith-enabled" name="stonith-enabled" value="false"/>
        <nvpair name="no-quorum-policy" value="ignore" id="cib-bootstrap-options-no-quorum-policy"/>
      </cluster_property_set>
    </crm_config>
    <nodes>
      <node id="1" uname="PRep-01"/>
      <node id="2" uname="PRep-02"/>
      <node id="1084777482" uname="node1"/>
    </nodes>
    <resources>
      <primitive id="elastic-ip" class="ocf" provider="heartbeat" type="awseip">
        <instance_attributes id="elastic-ip-instance_attributes">
          <nvpair name="elastic_ip" value="203.0.113.10" id="elastic-ip-instance_attributes-elastic_ip"/>
          <nvpair name="awscli" value="/usr/bin/aws" id="elastic-ip-instance_attributes-awscli"/>
          <nvpair name="allocation_id" value="eipalloc-1" id="elastic-ip-instance_attributes-allocation_id"/>
        </instance_attributes>
        <operations>
          <op name="start" timeout="60s" interval="0s" on-fail="restart" id="elastic-ip-start-0s"/>
          <op name="monitor" timeout="60s" interval="10s" on-fail="restart" id="elastic-ip-monitor-10s"/>
          <op name="stop" timeout="60s" interval="0s" on-fail="block" id="elastic-ip-stop-0s"/>
        </operations>
        <meta_attributes id="elastic-ip-meta_attributes">
          <nvpair name="migration-threshold" value="2" id="elastic-ip-meta_attributes-migration-threshold"/>
          <nvpair name="failure-timeout" value="60s" id="elastic-ip-meta_attributes-failure-timeout"/>
          <nvpair name="resource-stickiness" value="100" id="elastic-ip-meta_attributes-resource-stickiness"/>
        </meta_attributes>
      </primitive>
    </resources>
    <constraints/>
  </configuration>
  <status/>
</cib>
"""


def test_properties_nodes_and_the_primitive_are_read() -> None:
    cib = parse_cib(CIB)
    assert cib.properties == {"stonith-enabled": "false", "no-quorum-policy": "ignore"}
    assert cib.have_quorum is True
    assert cib.primitives["elastic-ip"] == WANTED
    assert [each.cib_id for each in cib.primitives["elastic-ip"].operations][1] == "elastic-ip-monitor-10s"


def test_the_phantom_of_the_package_default_is_told() -> None:
    assert parse_cib(CIB).phantoms({"PRep-01", "PRep-02"}) == ["node1"]


def test_what_the_guide_wants_and_crm_wrote_does_not_differ() -> None:
    assert differences(WANTED, parse_cib(CIB).primitives["elastic-ip"]) == []


CHANGES = [
    ('value="203.0.113.10"', 'value="203.0.113.11"', ["elastic_ip is 203.0.113.11; it should be 203.0.113.10."]),
    ('name="allocation_id"', 'name="profile"', [
        "allocation_id is not set; it should be eipalloc-1.", "profile is eipalloc-1; it should not be set."]),
    ('interval="10s"', 'interval="20s"', ["monitor interval is 20s; it should be 10s."]),
    ('interval="10s"', 'interval="10000ms"', []),
    ('value="60s"', 'value="1min"', []),
    ('value="60s"', 'value="60"', []),
    ('<op name="stop"', '<op name="promote"', ["The operation stop is missing."]),
    ("</operations>", '<op name="validate" interval="0s" id="v"/></operations>', []),  # as pcs adds
    ("</operations>", '<op name="monitor" interval="33s" id="m"/></operations>', ["There are 2 monitor operations."]),
    ('name="migration-threshold"', 'name="target-role"', [
        "meta migration-threshold is not set; it should be 2.", "meta target-role is 2; it should not be set."]),
    ('type="awseip"', 'type="awsvip"', ["The agent is ocf:heartbeat:awsvip, not ocf:heartbeat:awseip."]),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "sentences"), CHANGES)
def test_each_difference_is_a_sentence(old: str, new: str, sentences: list[str]) -> None:
    assert old in CIB
    assert differences(WANTED, parse_cib(CIB.replace(old, new, 1)).primitives["elastic-ip"]) == sentences


def test_the_order_of_values_is_no_difference() -> None:
    backwards = replace(
        WANTED,
        params=dict(list(WANTED.params.items())[::-1]),
        operations=tuple(
            Operation(each.name, dict(list(each.options.items())[::-1])) for each in WANTED.operations[::-1]
        ),
    )
    assert differences(WANTED, backwards) == []


@pytest.mark.parametrize(
    ("xml", "sentence"),
    [
        ("", "nothing"),
        ("<crm_mon/>", "not a CIB"),
        ("<cib/>", "no configuration"),
        ("<!DOCTYPE cib><cib/>", "document"),
    ],
)
def test_what_is_no_cib_is_refused_with_a_sentence(xml: str, sentence: str) -> None:
    with pytest.raises(ClusterXMLError, match=sentence):
        parse_cib(xml)


def test_an_empty_configuration_has_no_primitive() -> None:
    cib = parse_cib("<cib><configuration/></cib>")
    assert (cib.properties, cib.nodes, cib.primitives, cib.have_quorum) == ({}, {}, {}, None)
