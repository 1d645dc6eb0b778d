"""corosync.conf: judged as corosync judges it, written as the guide has it, compared for the preview."""

from __future__ import annotations

import pytest
from corosync_corpus import HOST, KNET, NODES, PACKAGE, UDPU, cases, passes
from corosync_verdicts import CASES, Case
from hypothesis import given, settings
from hypothesis import strategies as st

from iconha_tui.cluster.corosync_conf import (
    CorosyncSettings,
    Finding,
    Host,
    NodeAddress,
    check,
    departures,
    diff,
    differing_lines,
    has_errors,
    is_package_default,
    parse,
    render,
)
from iconha_tui.cluster.corosync_syntax import MAX_FINDINGS, Comment

GUIDE_AS_PRINTED = """\
totem {
  version: 2
  cluster_name: nodecluster
  transport: udpu
  interface {
    ringnumber: 0
    bindnetaddr: 10.0.0.11
    broadcast: yes
    mcastport: 5405
  }
}
quorum {
  provider: corosync_votequorum
  two_node: 1
}
nodelist {
  node {
    ring0_addr: 10.0.0.11
    name: PRep-01
    nodeid: 1
  }
  node {
    ring0_addr: 10.0.0.12
    name: PRep-02
    nodeid: 2
  }
logging {
  to_logfile: yes
  logfile: /var/log/corosync/corosync.log
  to_syslog: yes
  timestamp: on
}
service {
  name: pacemaker
  ver: 1
}
"""


def errors(text: str, **expected: object) -> list[str]:
    return [found.message for found in check(text, **expected) if found.severity == "error"]  # type: ignore[arg-type]


def warnings(text: str, **expected: object) -> list[str]:
    return [found.message for found in check(text, **expected) if found.severity == "warning"]  # type: ignore[arg-type]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_check_says_what_corosync_said(case: Case) -> None:
    assert passes(case.text) == case.accepted


def test_a_finding_names_line_column_and_reason() -> None:
    text = KNET.replace("two_node: 1", "two_node: yes")
    line = text.split("\n").index("    two_node: yes") + 1
    found = [finding for finding in check(text) if finding.severity == "error"]
    assert found == [Finding(line, 15, "error", "'two_node' must be a whole number from 0 to 255, not 'yes'.")]


def test_the_guide_as_printed_is_refused_where_its_brace_is_missing() -> None:
    found = check(GUIDE_AS_PRINTED)
    assert any(each.severity == "error" and "'nodelist' opened here is never closed" in each.message for each in found)
    assert any("'logging' stands inside 'nodelist'" in each.message and each.line == 27 for each in found)


def test_lines_keep_their_place_comments_and_order() -> None:
    document = parse("# top\ntotem {\n\tversion:  2\n\t# why\n\ttoken: 1\n}\n")
    totem = next(document.root.sections)
    assert (totem.line, totem.end_line) == (2, 6)
    assert [(item.line, item.column, item.key, item.value_column, item.value) for item in totem.items] == [
        (3, 2, "version", 12, "2"),
        (5, 2, "token", 9, "1"),
    ]
    assert [child.text for child in totem.children if isinstance(child, Comment)] == ["# why"]


WARNINGS = [
    ("duplicate addresses", KNET.replace("10.0.0.12", "10.0.0.11"), "Two nodes have the address '10.0.0.11'"),
    ("the same address written twice", KNET.replace("10.0.0.12", "10.0.0.11"), "each needs its own"),
    ("duplicate names", KNET.replace("PRep-02", "PRep-01"), "Two nodes have the name 'PRep-01'"),
    (
        "three nodes",
        KNET.replace("nodelist {", "nodelist {\nnode {\nring0_addr: 10.0.0.13\nname: c\nnodeid: 3\n}"),
        "'two_node' is for two nodes, and there are 3",
    ),
    ("no ring0_addr", UDPU.replace("        ring0_addr: 10.0.0.12\n", ""), "no 'ring0_addr'"),
    ("no name", KNET.replace("        name: PRep-02\n", ""), "no 'name'"),
    ("a typo", KNET.replace("token:", "tokn:"), "Corosync ignores 'tokn' in 'totem': 'token'?"),
    ("a key in the wrong section", KNET.replace("token: 5000", "two_node: 1"), "it belongs in 'quorum'"),
    ("a key outside", KNET + "token: 1000\n", "outside every section"),
    ("a key twice", KNET.replace("token: 5000", "token: 5000\ntoken: 6000"), "stands again further down"),
    ("service", UDPU, "ignore 'service'"),
    ("broadcast", UDPU, "'broadcast' is ignored with transport udpu"),
    ("bindnetaddr", UDPU, "ignores 'bindnetaddr'"),
    ("cleartext", UDPU, "never reads the authkey"),
    ("knet in the clear", PACKAGE, "Neither encrypted nor authenticated"),
    ("no two_node", KNET.replace("two_node: 1", "expected_votes: 2"), "'two_node: 1' is missing"),
    ("no provider", KNET.replace("    provider: corosync_votequorum\n", ""), "never has quorum"),
    ("wait_for_all off", KNET.replace("two_node: 1", "two_node: 1\nwait_for_all: 0"), "boots alone takes the address"),
    ("loopback", KNET.replace("10.0.0.12", "127.0.0.1"), "is this machine itself"),
    ("a public address", KNET.replace("10.0.0.12", "52.1.2.3"), "public address"),
    ("another port", KNET.replace("5405", "6000"), "open this port"),
    ("a hasty token", KNET.replace("token: 5000", "token: 300"), "short stall"),
    ("multicast", UDPU.replace("udpu", "udp"), "a VPC does not carry"),
    ("no log file", KNET.replace("    logfile: /var/log/corosync/corosync.log\n", ""), "needs a 'logfile'"),
]


@pytest.mark.parametrize(("text", "sentence"), [case[1:] for case in WARNINGS], ids=[case[0] for case in WARNINGS])
def test_what_corosync_takes_but_a_pair_must_not_have_is_warned_of(text: str, sentence: str) -> None:
    assert not errors(text)
    assert any(sentence in message for message in warnings(text))


def test_a_nodelist_without_this_host_is_refused_by_corosync_3() -> None:
    assert not errors(KNET, host=Host("ip-10-0-0-11", frozenset({"10.0.0.11"})))
    assert not errors(KNET, host=Host("PRep-01.eu-west-1.compute.internal"))
    assert errors(KNET, host=Host("PRep-03", frozenset({"10.0.0.13"}))) == [
        "This file is for PRep-03, but no node has its name or its address."
    ]


def test_nodes_that_are_not_the_clusters_own_are_named() -> None:
    other = (NODES[0], NodeAddress("PRep-02", "10.0.0.99", 2))
    found = warnings(KNET, nodes=other)
    assert "No node is listed as PRep-02 with the address 10.0.0.99." in found
    assert "'PRep-02' with the address '10.0.0.12' is none of this cluster's nodes." in found


def test_a_name_that_is_known_to_resolve_may_stand_for_an_address() -> None:
    text = KNET.replace("10.0.0.12", "prep-02.internal")
    assert errors(text)
    assert not errors(text, resolvable={"prep-02.internal"})


def test_corosync_2_encrypts_udpu_and_has_no_knet() -> None:
    encrypted = UDPU.replace("transport: udpu", "transport: udpu\n    crypto_cipher: aes256\n    crypto_hash: sha256")
    assert not errors(encrypted, version=(2, 4))
    assert errors(encrypted, version=(3, 1))
    assert "Transport knet needs corosync 3: corosync 2.4 has udpu and udp." in errors(KNET, version=(2, 4))


def test_only_the_packages_own_file_may_be_replaced_without_asking() -> None:
    package = PACKAGE.replace("PRep-01", "node1").replace("10.0.0.11", "127.0.0.1")
    assert is_package_default(package)
    assert not is_package_default(PACKAGE)
    assert not is_package_default(UDPU)
    assert not is_package_default("")


names = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9-]{0,20}[A-Za-z0-9])?", fullmatch=True).filter(lambda n: n != "localhost")
privates = st.integers(0x0A000001, 0x0AFFFFFE).map(lambda n: f"{n >> 24}.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}")


@st.composite
def pairs(draw: st.DrawFn) -> CorosyncSettings:
    name = draw(st.lists(names, min_size=2, max_size=2, unique=True))
    address = draw(st.lists(privates, min_size=2, max_size=2, unique=True))
    nodeid = draw(st.lists(st.integers(1, 65535), min_size=2, max_size=2, unique=True))
    return CorosyncSettings(
        cluster_name=draw(st.from_regex(r"[A-Za-z0-9_.-]{1,32}", fullmatch=True)),
        nodes=(NodeAddress(name[0], address[0], nodeid[0]), NodeAddress(name[1], address[1], nodeid[1])),
        transport=draw(st.sampled_from(["udpu", "knet"])),
        token_ms=draw(st.none() | st.integers(1000, 30000)),
    )


@given(pairs())
def test_whatever_is_rendered_passes_and_with_knet_without_a_warning(pair: CorosyncSettings) -> None:
    for node in pair.nodes:
        text = render(pair, node)
        host = Host(node.name, frozenset({node.ring0_addr}))
        found = check(text, nodes=pair.nodes, host=host)
        assert not has_errors(found)
        if pair.transport == "knet":
            assert found == []


@given(pairs())
def test_the_two_files_differ_in_bindnetaddr_alone(pair: CorosyncSettings) -> None:
    first, second = (render(pair, node) for node in pair.nodes)
    ours, theirs = differing_lines(first, second)
    assert ours == theirs
    differing = [first.splitlines()[number - 1].strip().partition(":")[0] for number in ours]
    assert differing == (["bindnetaddr"] if pair.transport == "udpu" else [])


def test_the_guides_lines_are_all_there_with_udpu() -> None:
    printed = {line.strip() for line in GUIDE_AS_PRINTED.splitlines()}
    assert {line.strip() for line in UDPU.splitlines() if line} == printed


def test_every_departure_from_the_guide_has_a_reason() -> None:
    knet = CorosyncSettings("nodecluster", NODES, "knet")
    udpu = CorosyncSettings("nodecluster", NODES)
    assert [each.guide for each in departures(udpu)] == ["interface { …"]
    assert {"transport: udpu", "broadcast: yes"} <= {each.guide for each in departures(knet)}
    assert all(each.reason for each in departures(knet))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"cluster_name": "a\n}"}, "A cluster's name has"),
        ({"cluster_name": "x" * 33}, "A cluster's name has"),
        ({"port": 80}, "port"),
        ({"token_ms": 10}, "token timeout"),
        ({"transport": "udp"}, "transport"),
        ({"nodes": (NODES[0], NODES[0])}, "different names"),
        ({"nodes": (NODES[0], NodeAddress("b", "10.0.0.11", 2))}, "Both nodes have the address"),
        ({"nodes": (NODES[0], NodeAddress("b", "fd00::2", 2))}, "same kind"),
    ],
)
def test_settings_that_would_not_make_a_pair_are_refused_with_a_sentence(
    change: dict[str, object], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        CorosyncSettings(**{"cluster_name": "c", "nodes": NODES, **change})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["a; rm -rf /", "a\nb", "", "-a", "a b", "localhost", "é", "x" * 65])
def test_a_node_name_that_could_be_read_as_something_else_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be a node's name"):
        NodeAddress(name, "10.0.0.1", 1)


@pytest.mark.parametrize("address", ["", "10.0.0.256", "127.0.0.1", "0.0.0.0", "224.0.0.1", "PRep-01", "fe80::1%eth0"])
def test_an_address_that_the_other_node_cannot_reach_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match=r"IP address|another machine"):
        NodeAddress("a", address, 1)


def test_a_diff_shows_what_goes_and_what_comes() -> None:
    assert diff(KNET, KNET) == []
    changed = diff(KNET, KNET.replace("token: 5000", "token: 6000"), context=0)
    assert [(tag, line.strip()) for tag, line in changed if tag != "@"] == [("-", "token: 5000"), ("+", "token: 6000")]


@given(st.text() | st.binary().map(lambda raw: raw.decode("utf-8", "surrogateescape")))
def test_no_text_makes_the_checker_fail(text: str) -> None:
    assert has_errors(check(text))  # nothing random has a nodelist


@given(st.integers(0, 10**9))
@settings(max_examples=200)
def test_no_mutation_of_a_valid_file_makes_the_checker_fail(seed: int) -> None:
    (text,) = cases(1, seed)
    for found in check(text, host=HOST):
        assert 1 <= found.line <= text.count("\n") + 1
        assert found.column >= 1
        assert found.message.endswith((".", "?"))


LARGE = [
    "}\n" * 350_000,
    "a {\n" * 250_000,
    "a {\n}\n" * 150_000,
    "totem {\n" + "tokn: 1\n" * 120_000 + "}\n",
    "totem {\n" + "token: 1000\n" * 80_000 + "}\n",
    "nodelist {\n" + "node {\n}\n" * 110_000 + "}\n",
    "logging {\n" + "debug: x\n" * 110_000 + "}\n",
    "totem {\n" + "interface {\nttl: 9\n}\n" * 40_000 + "}\n",
    "token: " + "9" * 1_000_000,
    "\n" * 1_000_000,
    "{" * 1_000_000,
    "totem {\n" + "token: " + "9" * 490 + "\n" * 900_000,
]


@pytest.mark.parametrize("text", LARGE, ids=range(len(LARGE)))
def test_a_file_of_a_megabyte_is_judged_with_a_bounded_answer(text: str) -> None:
    found = check(text)  # quadratic work on any of these takes minutes
    assert has_errors(found)
    assert len(found) <= MAX_FINDINGS


def test_ten_megabytes_are_parsed_but_not_taken_for_a_corosync_conf() -> None:
    text = "totem {\n" * 1_300_000
    assert len(parse(text).findings) == MAX_FINDINGS
    assert errors(text) == [f"This file has {len(text)} characters: it is no corosync.conf."]


def test_errors_are_shown_even_where_there_are_too_many_warnings() -> None:
    text = "foo {\n}\n" * 5000 + KNET.replace("two_node: 1", "two_node: yes")
    assert "'two_node' must be a whole number from 0 to 255, not 'yes'." in errors(text)
