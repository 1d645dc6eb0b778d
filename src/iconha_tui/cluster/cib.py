"""The cluster's configuration, from its CIB (`cibadmin -Q`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple
from xml.etree.ElementTree import Element

from iconha_tui.cluster.primitive import Operation, Primitive
from iconha_tui.cluster.untrusted_xml import ClusterXMLError, boolean, number, read_xml


class CibVersion(NamedTuple):
    """Which of two copies of the CIB is the newer: the greater. Two nodes that agree have the same, but for the moment in which
    a change is on its way."""

    admin_epoch: int
    epoch: int
    num_updates: int

    def __str__(self) -> str:
        return f"{self.admin_epoch}.{self.epoch}.{self.num_updates}"


@dataclass(frozen=True, slots=True)
class Cib:
    """What is configured: cluster properties, the nodes by name (with Corosync's id), and the primitives by id.

    A name in `nodes` that the cluster should not have is a phantom: Pacemaker wrote it while it ran with the one-node
    configuration that the packages install.
    """

    schema: str | None
    have_quorum: bool | None
    properties: dict[str, str]
    nodes: dict[str, str]
    primitives: dict[str, Primitive]
    property_sets: tuple[str, ...] = ()

    def phantoms(self, expected: set[str]) -> list[str]:
        """Configured nodes that are none of `expected`."""
        return sorted(set(self.nodes) - expected)


def parse_cib(xml: bytes | str) -> Cib:
    """Read a CIB. Raises ClusterXMLError, with a sentence, where it is none."""
    root = read_xml(xml, "cibadmin")
    if root.tag != "cib":
        raise ClusterXMLError(f"cibadmin answered with <{root.tag[:40]}>, which is not a CIB.")
    configuration = root.find("configuration")
    if configuration is None:
        raise ClusterXMLError("The CIB has no configuration.")
    resources = configuration.find("resources")
    found = [_primitive(each) for each in resources.iter("primitive")] if resources is not None else []
    return Cib(
        schema=root.get("validate-with"),
        have_quorum=boolean(root, "have-quorum"),
        properties=_nvpairs(configuration, "crm_config/cluster_property_set"),
        nodes={
            node.get("uname", ""): node.get("id", "")
            for node in configuration.iterfind("nodes/node")
            if node.get("type", "member") == "member"
        },
        primitives={primitive.id: primitive for primitive in found},
        property_sets=tuple(group.get("id", "") for group in configuration.iterfind("crm_config/cluster_property_set")),
    )


CIB_VERSION = ("cibadmin", "--query", "--local", "--no-children")
"""The command for the version of a node's own copy alone, whether or not the cluster has a DC."""


def parse_cib_version(xml: bytes | str) -> CibVersion:
    """Read the version of a CIB, whole or as CIB_VERSION prints it. Raises ClusterXMLError where it is none."""
    root = read_xml(xml, "cibadmin")
    found = [number(root, name) for name in CibVersion._fields]
    if root.tag != "cib" or None in found:
        raise ClusterXMLError(f"cibadmin answered with <{root.tag[:40]}> without the version of a CIB.")
    return CibVersion(*(each for each in found if each is not None))


def _nvpairs(parent: Element, path: str) -> dict[str, str]:
    """Names and values of every set at `path`; of a name that occurs twice, the first counts for Pacemaker."""
    values: dict[str, str] = {}
    for group in parent.iterfind(path):
        for pair in group.iterfind("nvpair"):
            values.setdefault(pair.get("name", ""), pair.get("value", ""))
    return values


def _primitive(element: Element) -> Primitive:
    parts = (element.get("class"), element.get("provider"), element.get("type"))
    operations = [
        Operation(
            each.get("name", ""),
            {name: value for name, value in each.attrib.items() if name not in ("id", "name")},
            each.get("id", ""),
        )
        for each in element.iterfind("operations/op")
    ]
    return Primitive(
        id=element.get("id", ""),
        agent=":".join(filter(None, parts)),
        params=_nvpairs(element, "instance_attributes"),
        operations=tuple(operations),
        meta=_nvpairs(element, "meta_attributes"),
    )
