"""The preflight on a node: what its words mean, and what is told of one that does not answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from stage_world import ONE, TWO, World, rules, spec_with
from test_stage_nodes import PACKAGE_DEFAULT

from iconha_tui.error_codes import Code
from iconha_tui.errors import Trouble
from iconha_tui.preflight import Found, node
from iconha_tui.spec import Spec
from iconha_tui.stages.corosync import PATH, wanted_conf
from iconha_tui.stages.records import NOTES

GOOD = {
    "clock": "1000",
    "hostname": "ip-10-0-0-11",
    "own": "10.0.0.11",
    "tcp 7100": "docker-proxy",
    "tcp 9000": "",
    "udp": "corosync",
    "lock": "",
    "running": "active active",
    "members": "PRep-01 PRep-02",
    "locale": "C.UTF-8",
    "api": "ok",
    "lists": "12",
    "wanted": "corosync pacemaker",
}
THEIRS = """totem {
  version: 2
  cluster_name: theirs
}
nodelist {
  node {
    name: alpha
    ring0_addr: 10.0.0.5
  }
  node {
    name: beta
    ring0_addr: 10.0.0.6
  }
}
"""
THEIR_DIGEST = sha256(THEIRS.encode()).hexdigest()
LISTS = {"disk": ["/ 9000000 /", "/var 9000000 /"], "archive": ["ok http://archive/InRelease"], "unknown": []}


def judged(world: World | None = None, **other: Any) -> dict[str, Found]:
    """The findings on a node in good order, but for what a test says; _ for the space in a key. conf, ours: its files."""
    world = world or World()
    wanted = wanted_conf(world.ctx.view, ONE)
    conf = str(other.pop("conf", wanted))
    ours = other.pop("ours", f"{sha256(wanted.encode()).hexdigest()} {Spec().tagged}")
    if conf:
        world.nodes[ONE].files[PATH] = conf.encode()
    world.nodes[ONE].files[NOTES] = ours.encode()
    said = GOOD | {key.replace("_", " "): value for key, value in other.items() if key not in LISTS}
    lines = [f"{key}\t{value}" for key, value in said.items()]
    lines += [f"{key}\t{value}" for key, values in (LISTS | other).items() if key in LISTS for value in values]
    found = node.judge(world.ctx, ONE, "\n".join(lines) + "\n", 1000.0)
    return {each.what: each for each in found}


def test_a_node_in_good_order_has_nothing_against_it() -> None:
    assert {each.what: each.state for each in judged().values() if each.state != "done"} == {"Packages": "will_be_made"}


@pytest.mark.parametrize(
    ("said", "what", "state", "words"),
    [
        ({"clock": "1100"}, "Clock", "warning", "100 s from this machine's"),
        ({"clock": "4600"}, "Clock", "stands_in_the_way", "3600 s"),
        ({"own": "127.0.1.1"}, "Host name", "done", "127.0.1.1 in its /etc/hosts"),
        ({"disk": ["/ 9000000 /", "/var 100000 /var"]}, "Disk", "stands_in_the_way", "/var has 97 MiB free"),
        ({"archive": []}, "Package archive", "stands_in_the_way", "apt names none"),
        ({"archive": ["no http://dead/InRelease"]}, "Package archive", "stands_in_the_way", "http://dead"),
        (
            {"archive": ["no http://dead/InRelease", "ok http://a/InRelease"]},
            "Package archive",
            "warning",
            "http://dead",
        ),
        ({"unknown": ["crmsh"]}, "Packages", "warning", "apt knows no crmsh"),
        ({"wanted": ""}, "Packages", "done", "all are installed"),
        ({"wanted": "", "disk": ["/ 1000 /"]}, "Disk", "done", "0 MiB free"),
        (
            {"locale": "de_DE.UTF-8", "tmp": "noexec"},
            "Language and /tmp",
            "done",
            "de_DE.UTF-8, its /tmp is noexec: no",
        ),
        ({"api": "no"}, "The way to EC2", "stands_in_the_way", "ec2.us-east-1.amazonaws.com port 443 does not answer"),
        ({"lock": "process 7 (unattended-upgrade) holds /var/lib/dpkg/lock"}, "apt", "warning", "unattended-upgrade"),
        ({"dpkg": "broken"}, "apt", "warning", "interrupted"),
        ({"udp": "named"}, "Corosync's port", "stands_in_the_way", "held by named"),
        ({"tcp_9000": "goloop"}, "P-Rep ports", "done", "9000 is open: goloop"),
        ({"members": "alpha beta"}, "A cluster that is there", "stands_in_the_way", "alpha, beta"),
        (
            {"conf": THEIRS, "ours": ""},
            "A cluster that is there",
            "stands_in_the_way",
            "the cluster theirs with alpha and beta",
        ),
        (
            {"conf": THEIRS, "ours": f"{THEIR_DIGEST} other"},
            "A cluster that is there",
            "stands_in_the_way",
            "of this program, other",
        ),
        ({"conf": THEIRS}, "A cluster that is there", "stands_in_the_way", "edited by somebody"),
        ({"ours": "", "members": ""}, "A cluster that is there", "done", "this one"),
        ({"conf": PACKAGE_DEFAULT, "members": "node1"}, "A cluster that is there", "done", "none"),
        ({"conf": "", "members": "", "running": "inactive inactive"}, "A cluster that is there", "done", "none"),
    ],
)
def test_what_stands_in_the_way_is_told_with_a_remedy(said: dict[str, Any], what: str, state: str, words: str) -> None:
    found = judged(**said)[what]
    assert (found.state, bool(found.remedy)) == (state, state != "done")
    assert words in found.text


def test_a_foreign_file_that_may_be_replaced_stands_not_in_the_way() -> None:
    found = judged(World(spec_with(corosync={"replace": THEIR_DIGEST[:16]})), conf=THEIRS)["A cluster that is there"]
    assert found.state == "warning"


def test_apt_without_lists_tells_its_packages_later() -> None:
    assert judged(lists="0")["Packages"].state == "will_be_made"


def test_the_active_node_without_an_address_may_have_no_way_out_yet() -> None:
    """The Elastic IP that the run gives it is one; the standby gets none."""
    world = World(facts={f"{ONE}.public_ip": None, f"{TWO}.public_ip": None})
    assert judged(world, api="no")["The way to EC2"].state == "warning"


def test_what_stands_in_the_way_names_the_setting_that_mends_it() -> None:
    assert (judged(udp="named")["Corosync's port"].stage, judged(udp="named")["Corosync's port"].field) == (
        "corosync",
        "corosync.port",
    )
    foreign = judged(conf=THEIRS)["A cluster that is there"]
    assert (foreign.stage, foreign.field) == ("corosync", "corosync.replace")


def test_the_form_may_offer_to_replace_what_was_found() -> None:
    world = World()
    judged(world, conf=THEIRS)
    assert world.ctx.facts[f"{ONE}.conf_foreign"] == THEIR_DIGEST[:16]


def machine(**more: Any) -> dict[str, Any]:
    """What EC2 tells of a machine that has run for long."""
    return {
        "Reservations": [
            {
                "Instances": [
                    {
                        "InstanceId": "i-00000000000000001",
                        "State": {"Name": "running"},
                        "PrivateIpAddress": "10.0.0.11",
                        "PublicIpAddress": "198.51.100.11",
                        "LaunchTime": datetime.now(UTC) - timedelta(days=1),
                        "NetworkInterfaces": [{"Attachment": {"DeviceIndex": 0}, "Groups": [{"GroupId": "sg-1"}]}],
                        **more,
                    }
                ]
            }
        ]
    }


OPEN = rules(
    ("tcp", 22, 22, ["0.0.0.0/0"], [], []),
    ("tcp", 7100, 7100, ["0.0.0.0/0"], ["::/0"], []),
    ("tcp", 9000, 9000, ["0.0.0.0/0"], ["::/0"], []),
    ("udp", 5404, 5406, [], [], ["sg-1"]),
)["SecurityGroups"][0]["IpPermissions"]


def looked(trouble: Trouble | str, *, groups: Any = OPEN, **more: Any) -> list[Found]:
    """What is told of a node whose sign-in ends so."""
    world = World(facts={"group_rules": groups})
    world.cloud.says["describe_instances"] = machine(**more)
    world.nodes[ONE].says["os-release"] = trouble
    return list(node.look(world.ctx, ONE))


class Silence(Trouble):
    transient = True


@pytest.mark.parametrize(
    ("given", "state", "words"),
    [
        ({}, "stands_in_the_way", "It did not answer within 15 s."),
        ({"LaunchTime": "just now"}, "warning", "It did not answer"),
        ({"groups": []}, "will_be_changed", "A run opens port 22"),
        ({"NetworkInterfaces": []}, "will_be_changed", "A run opens port 22"),
    ],
)
def test_a_node_that_does_not_answer_may_be_booting_or_behind_a_port_that_a_run_opens(
    given: dict[str, Any], state: str, words: str
) -> None:
    if "LaunchTime" in given:  # not when tests are collected, which may be a quarter of an hour before
        given = {"LaunchTime": datetime.now(UTC)}
    (found,) = looked(Silence("It did not answer within 15 s."), **given)
    assert (found.state, bool(found.remedy)) == (state, state != "will_be_changed")
    assert words in found.text
    assert found.stage == ("instances" if state == "stands_in_the_way" else "")


@pytest.mark.parametrize(
    ("code", "field"),
    [
        (Code.SUDO_REFUSED, "ssh.user"),
        (Code.SSH_LOGIN_REFUSED, "ssh.key_file"),
        (Code.HOST_KEY_CHANGED, ""),
    ],
)
def test_a_login_that_fails_is_told_with_its_code_and_remedy(code: Code, field: str) -> None:
    (found,) = looked(Trouble("It is so.", code=code, where=ONE, remedy="Do this."))
    assert (found.state, found.code, found.field) == ("stands_in_the_way", code, field)
    assert found.remedy


def test_an_old_agent_on_a_machine_that_wants_tokens_is_told() -> None:
    said = "x86_64\nubuntu 20.04\nUbuntu 20.04 LTS\nsystemd 245\n9000000\nip-10-0-0-11\n"
    found, *_ = looked(said, MetadataOptions={"HttpTokens": "required"})
    assert found.state == "stands_in_the_way"
    assert "IMDSv2" in found.text
    assert "modify-instance-metadata-options" in found.remedy


def test_what_else_there_is_on_a_machine_that_will_not_do_is_told_all_the_same() -> None:
    world = World(facts={"group_rules": OPEN})
    world.cloud.says["describe_instances"] = machine()
    world.nodes[ONE].says = {
        "os-release": "x86_64\nubuntu 22.04\nUbuntu 22.04 LTS\nsystemd 249\n500000\nip-10-0-0-11\n",
        "iconha-look": "clock\t1000\nhostname\tip-10-0-0-11\nudp\tnamed\n",
    }
    bad = [each.what for each in node.look(world.ctx, ONE) if each.state == "stands_in_the_way"]
    assert bad == ["The machine", "Clock", "Corosync's port"]


def test_a_node_in_good_order_is_looked_at_by_one_script() -> None:
    world = World(facts={"group_rules": OPEN})
    world.cloud.says["describe_instances"] = machine()
    world.nodes[ONE].says = {
        "os-release": "x86_64\nubuntu 22.04\nUbuntu 22.04 LTS\nsystemd 249\n9000000\nip-10-0-0-11\n",
        "iconha-look": "hostname\tip-10-0-0-11\nwanted\t corosync\nlists\t3\narchive\tok http://a/InRelease\n",
    }
    found = list(node.look(world.ctx, ONE))
    assert {each.state for each in found} == {"done", "will_be_made"}
    assert found[0].text == "Ubuntu 22.04 LTS, x86_64"
    asked = world.nodes[ONE].ran[-1]
    assert asked[4:6] == ("5405", "ec2.us-east-1.amazonaws.com")
    assert "resource-agents-extra" in asked
    assert len(world.nodes[ONE].ran) == 2


@pytest.mark.parametrize(
    ("facts", "state", "words"),
    [
        ({}, "not_known", "has not told"),
        ({"state": None}, "will_be_made", "does not exist yet"),
        ({"state": "stopped"}, "will_be_changed", "it is stopped"),
    ],
)
def test_a_node_that_does_not_run_is_looked_at_later(facts: dict[str, Any], state: str, words: str) -> None:
    world = World(facts={f"{ONE}.{key}": value for key, value in facts.items()})
    found = node.why_not_yet(world.ctx, ONE)
    assert found is not None
    assert found.state == state
    assert words in found.text


def test_a_node_that_runs_is_looked_at() -> None:
    assert node.why_not_yet(World(facts={f"{ONE}.state": "running"}).ctx, ONE) is None
