"""The stages that work on the nodes: what a node says, the verdict on it, and the exact commands and files that follow."""

from __future__ import annotations

import hashlib
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from stage_world import KNOWN, ONE, TWO, World, lines, living_pair, only, planned, rules, spec_with

from iconha_tui.cluster import corosync_conf
from iconha_tui.engine.actions import Copy, Run, Upload
from iconha_tui.engine.foresight import disruptive_actions, look_at_all
from iconha_tui.engine.ports import Completed
from iconha_tui.engine.step import Blocked, Done, Needed, Vault, View
from iconha_tui.spec import Spec
from iconha_tui.stages import authkey, awscli, corosync, pacemaker, packages, records

KEYS = {"node_access_key_id": "AKIANODEKEYNODEKEY01", "node_secret_access_key": "secretsecretsecret"}
SYSTEMS = ["ubuntu 18.04", "ubuntu 20.04", "ubuntu 22.04", "ubuntu 24.04", "debian 12", "debian 13"]
BASE = ["corosync", "pacemaker", "pacemaker-cli-utils"]


# packages


@pytest.mark.parametrize(
    ("system", "rest"),
    [
        ("ubuntu 18.04", ["resource-agents", "awscli", "haveged"]),
        ("ubuntu 20.04", ["resource-agents", "awscli", "haveged"]),
        ("ubuntu 22.04", ["resource-agents-extra", "awscli"]),
        ("ubuntu 24.04", ["resource-agents-extra", "python3-venv"]),
        ("debian 12", ["resource-agents", "awscli"]),
        ("debian 13", ["resource-agents", "awscli"]),
    ],
)
@pytest.mark.parametrize(("shell", "package"), [("crm", "crmsh"), ("pcs", "pcs")])
def test_each_release_gets_the_packages_that_its_archive_has(
    system: str, rest: list[str], shell: str, package: str
) -> None:
    view = View(spec_with(packages={"shell": shell}), {f"{ONE}.os": system})
    assert packages.apt_packages(view, ONE) == [*BASE, package, *rest]


@pytest.mark.parametrize("system", SYSTEMS)
def test_packages_are_installed_without_a_question_and_outlive_the_connection(system: str) -> None:
    actions = packages.Installed().plan(View(Spec(), {f"{ONE}.os": system}), ONE)
    names = " ".join(packages.apt_packages(View(Spec(), {f"{ONE}.os": system}), ONE))
    install = only(actions, Run)[0]
    script = install.shown()
    fetch = r"^env DEBIAN_FRONTEND=noninteractive .*apt-get -q update 2>&1 \| tee"
    assert re.search(fetch, script, re.M)
    assert 'DPkg::Lock::Timeout "300";' in script
    assert script.endswith(f"-y -o Dpkg::Options::=--force-confold install --no-install-recommends {names}")
    assert "systemctl unmask --runtime corosync pacemaker; rm -f" in script, "whatever becomes of it"
    assert "\nsystemctl mask --runtime corosync pacemaker\n" in script
    assert "apt is in use" in script
    assert subprocess.run(["sh", "-n"], input=script, text=True, check=False).returncode == 0
    assert install.long
    assert actions[-1].shown() == "pacemakerd --version; corosync -v; crm --version"
    venv = [action for action in actions if "venv" in action.shown() and "pip" in action.shown()]
    assert bool(venv) == (system == "ubuntu 24.04")
    for action in venv:
        assert f"awscli=={packages.AWSCLI_VERSION}" in action.shown()
        assert "/opt/iconha/awscli" in action.shown()


def dpkg(*names: str, awseip: bool = True, aws: str | None = "/usr/bin/aws") -> str:
    said = [f"{name} ii  1.2-3" for name in names]
    return "\n".join([*said, *(["@awseip"] if awseip else []), *([f"@aws:{aws}"] if aws else [])]) + "\n"


ALL = [*BASE, "crmsh", "resource-agents-extra", "awscli"]


@pytest.mark.parametrize(
    ("said", "missing"),
    [
        (dpkg(*ALL), None),
        (dpkg(*ALL[:-1]), "Missing: awscli."),
        (dpkg(*ALL, awseip=False), "Missing: the agent awseip."),
        (dpkg(*ALL, aws=None), "Missing: the AWS CLI."),
        (dpkg(*ALL).replace("crmsh ii ", "crmsh rc "), "Missing: crmsh."),
        (dpkg(*ALL).replace("pacemaker ii ", "pacemaker iU"), "Missing: pacemaker."),
        (dpkg(*ALL) + "masked-runtime\nmasked-runtime\n", "Missing: an end to an interrupted installation."),
        (dpkg(*ALL) + "enabled\nenabled\n", None),
        ("", f"Missing: {', '.join(ALL)}, the agent awseip, the AWS CLI."),
    ],
    ids=["all", "one", "no agent", "no aws", "removed", "half configured", "interrupted", "enabled", "none"],
)
def test_what_is_missing_is_named(said: str, missing: str | None) -> None:
    world = World()
    world.nodes[ONE].says["dpkg-query"] = said
    verdict = world.probe(packages.Installed(), ONE)
    if missing is None:
        assert isinstance(verdict, Done)
        assert world.ctx.facts[f"{ONE}.aws"] == "/usr/bin/aws"
    else:
        assert isinstance(verdict, Needed)
        assert verdict.why == missing


PACKAGE_DEFAULT = """totem {
    version: 2
    cluster_name: debian
    crypto_cipher: none
    crypto_hash: none
}
nodelist {
    node {
        name: node1
        nodeid: 1
        ring0_addr: 127.0.0.1
    }
}
"""


@pytest.mark.parametrize(
    ("conf", "said", "verdict"),
    [
        (PACKAGE_DEFAULT, "active\nactive\n@cib.xml\n", Needed),
        (PACKAGE_DEFAULT, "inactive\ninactive\n@cib.xml\n", Needed),
        (PACKAGE_DEFAULT, "inactive\nactivating\n", Needed),
        (PACKAGE_DEFAULT, "inactive\nfailed\n", Done),
        (None, "inactive\ninactive\n", Done),
        (None, "active\nactive\n@cib.xml\n", Needed),
        (None, "active\nactive\n@cib.xml\n#\n", Done),
        (corosync.rendered_conf(View(Spec(), KNOWN), ONE), "active\nactive\n@cib.xml\n", Done),
        ("totem {\n  version: 2\n  cluster_name: theirs\n}\n", "active\nactive\n@cib.xml\n", Done),
    ],
    ids=["running", "its CIB", "starting", "clean", "none", "none, running", "none, resources", "ours", "somebody's"],
)
def test_only_the_packages_own_one_node_cluster_is_cleared_away(conf: str | None, said: str, verdict: type) -> None:
    world = World()
    if conf is not None:
        world.nodes[ONE].files["/etc/corosync/corosync.conf"] = conf.encode()
    world.nodes[ONE].says["is-active"] = said
    assert isinstance(world.probe(packages.CleanStart(), ONE), verdict)


def test_clearing_away_stops_the_services_first() -> None:
    assert planned(packages.CleanStart(), ONE) == [
        "systemctl stop pacemaker corosync",
        "find /var/lib/pacemaker/cib -mindepth 1 -delete",
    ]


def test_the_versions_are_read_and_a_program_that_is_silent_is_said() -> None:
    world = World()
    world.nodes[ONE].says["corosync -v"] = "Corosync Cluster Engine, version '3.1.6'\nPacemaker 2.1.2\n/usr/sbin/crm\n"
    assert isinstance(world.probe(packages.Versions(), ONE), Done)
    assert (world.ctx.facts[f"{ONE}.corosync"], world.ctx.facts[f"{ONE}.pacemaker"]) == ("3.1.6", "2.1.2")
    world.nodes[ONE].says["corosync -v"] = "Corosync Cluster Engine, version '3.1.6'\n"
    assert isinstance(world.probe(packages.Versions(), ONE), Blocked)


# authkey

A, B = "a" * 64, "b" * 64


def has(digest: str | None, mode: str = "root:root:400:256") -> str:
    return f"{digest}\n{mode}\n" if digest else ""


@pytest.mark.parametrize(
    ("one", "two", "keep", "verdict", "source", "copied_to"),
    [
        (None, None, "", Needed, ONE, None),
        (A, None, "", Done, ONE, TWO),
        (None, B, "", Done, TWO, ONE),
        (A, A, "", Done, ONE, None),
        (A, B, "", Blocked, None, None),
        (A, B, ONE, Done, ONE, TWO),
        (A, B, TWO, Done, TWO, ONE),
        (None, B, ONE, Done, TWO, ONE),
    ],
    ids=[
        "none",
        "first has one",
        "second has one",
        "equal",
        "different",
        "keep first",
        "keep second",
        "keep the absent",
    ],
)
def test_a_key_is_made_kept_or_chosen(
    one: str | None, two: str | None, keep: str, verdict: type, source: str | None, copied_to: str | None
) -> None:
    world = World(spec_with(authkey={"keep": keep}))
    world.nodes[ONE].says["sha256sum"], world.nodes[TWO].says["sha256sum"] = has(one), has(two)
    found = world.probe(authkey.Generated(), ONE)
    assert isinstance(found, verdict)
    assert world.ctx.facts.get("authkey_source") == source
    if isinstance(found, Blocked):
        assert f'keep = "{ONE}"' in found.remedy
        assert A[:16] in found.why
        assert B[:16] in found.why
    if copied_to:
        (target,) = authkey.Shared().targets(world.ctx.view)
        assert target == copied_to
        assert isinstance(world.probe(authkey.Shared(), target), Needed)
        (copy,) = only(authkey.Shared().plan(world.ctx.view, target), Copy)
        assert (copy.source, copy.target, copy.mode, copy.owner) == (source, target, 0o400, "root:root")


def test_the_key_is_made_on_the_first_node_alone() -> None:
    assert list(authkey.Generated().targets(View(Spec()))) == [ONE]
    assert planned(authkey.Generated(), ONE) == ["corosync-keygen"]


def test_equal_keys_are_not_copied() -> None:
    world = World()
    for node in world.nodes.values():
        node.says["sha256sum"] = has(A)
    assert isinstance(world.probe(authkey.Shared(), TWO), Done)


@pytest.mark.parametrize(
    ("mode", "verdict"),
    [
        ("root:root:400:256", Done),
        ("root:root:400:128", Done),
        ("root:root:644:256", Needed),
        ("ubuntu:root:400:256", Needed),
        ("root:adm:400:256", Needed),
        ("root:root:400:127", Blocked),
        ("root:root:400:0", Blocked),
    ],
)
def test_the_key_is_roots_alone_and_long_enough(mode: str, verdict: type) -> None:
    world = World()
    world.nodes[ONE].says["sha256sum"] = has(A, mode)
    assert isinstance(world.probe(authkey.Private(), ONE), verdict)
    assert planned(authkey.Private(), ONE) == [
        "chown root:root /etc/corosync/authkey",
        "chmod 0400 /etc/corosync/authkey",
    ]


# corosync


@pytest.mark.parametrize("transport", ["udpu", "knet"])
def test_the_file_is_the_guides_with_the_addresses_that_were_read(transport: str) -> None:
    view = View(spec_with(corosync={"transport": transport, "token_ms": 3000, "port": 5407}), KNOWN)
    text = corosync.rendered_conf(view, TWO)
    assert "ring0_addr: 10.0.0.11" in text
    assert "ring0_addr: 10.0.0.12" in text
    assert ("bindnetaddr: 10.0.0.12" in text) == (transport == "udpu")
    assert ("crypto_cipher: aes256" in text) == (transport == "knet")
    assert "token: 3000" in text
    assert "mcastport: 5407" in text
    assert not corosync_conf.has_errors(corosync_conf.check(text, nodes=corosync.addresses(view)))


def test_addresses_that_nobody_has_read_yet_stand_as_markers_and_stop_the_step() -> None:
    text = corosync.rendered_conf(View(Spec()), ONE)
    assert text.count("⟪PRep-01.private_ip⟫") == 2
    assert "192.0.2" not in text
    world = World(facts={f"{ONE}.private_ip": None})
    verdict = world.probe(corosync.Configured(), ONE)
    assert isinstance(verdict, Blocked)
    assert verdict.why == "PRep-01.private_ip is not known."


@pytest.mark.parametrize(
    ("opened", "verdict"),
    [
        ([("udp", 5404, 5406, [], [], ["sg-1"])], Blocked),
        ([("udp", 5404, 5406, [], [], ["sg-1"]), ("udp", 5404, 5413, [], [], ["sg-1"])], Needed),
        ([], Needed),  # the rules were skipped: other groups open the ports
    ],
    ids=["the old port alone", "the new one too", "none"],
)
def test_a_port_that_the_security_group_has_not_opened_yet_is_not_changed_to(opened: list[Any], verdict: type) -> None:
    world = World(spec_with(corosync={"port": 5412}))
    old = corosync.wanted_conf(World().ctx.view, ONE)
    world.nodes[ONE].files[corosync.PATH] = old.encode()
    note = f"{hashlib.sha256(old.encode()).hexdigest()} {world.ctx.spec.tagged}"
    world.nodes[ONE].files[records.NOTES] = note.encode()
    world.cloud.says = {"describe_security_groups": rules(*opened)}
    found = world.probe(corosync.Configured(), ONE)
    assert isinstance(found, verdict)
    assert not isinstance(found, Blocked) or "on port 5412 yet" in found.why


@pytest.mark.parametrize(
    ("there", "ours", "allowed", "verdict", "words", "writes"),
    [
        (None, "", "", Needed, "There is no corosync.conf.", True),
        ("default", "", "", Needed, "It is the package's own.", True),
        ("wanted", "wanted", "", Done, "as wanted", None),
        ("wanted", "", "", Needed, "remembered as this program's", False),
        ("wanted ", "wanted ", "", Needed, "backup", True),
        ("wanted ", "wanted  then another", "", Blocked, "edited by somebody", None),
        ("another", "another", "", Needed, "backup", True),
        ("another", "wanted", "", Blocked, "edited by somebody", None),
        ("another", "", "", Blocked, "has not written", None),
        ("another", "", "another", Needed, "as you allow", True),
        ("another", "", "default", Blocked, "has not written", None),
        ("another", "another of other", "", Blocked, "another cluster of this program, other", None),
    ],
)
def test_a_file_is_replaced_only_where_it_is_ours_the_package_s_or_allowed(
    there: str | None, ours: str, allowed: str, verdict: type, words: str, writes: bool | None
) -> None:
    text = corosync.wanted_conf(World().ctx.view, ONE)
    found = {"default": PACKAGE_DEFAULT, "wanted": text, "wanted ": text + " ", "another": "totem {\n}\n"}
    digests = {name: hashlib.sha256(each.encode()).hexdigest() for name, each in found.items()}
    world = World(spec_with(corosync={"replace": digests[allowed][:16] if allowed else ""}))
    if ours:
        whose = "other" if ours.endswith("of other") else world.ctx.spec.tagged
        remembered = [f"{digests[name]} {whose}" for name in found if name in ours]
        world.nodes[ONE].files[records.NOTES] = "\n".join(remembered).encode()
    if there is not None:
        world.nodes[ONE].files[corosync.PATH] = found[there].encode()
    said = world.probe(corosync.Configured(), ONE)
    assert isinstance(said, verdict)
    assert words in (said.evidence if isinstance(said, Done) else said.why)
    if writes is not None:
        actions = corosync.Configured().plan(world.ctx.view, ONE)
        assert (bool(only(actions, Upload)), bool(only(actions, Run))) == (writes, not writes)
        for upload in only(actions, Upload):
            assert upload.over == (digests[there] if there else "")
            assert upload.note == (records.NOTES, world.ctx.spec.tagged)
    if isinstance(said, Blocked):
        assert digests[there or ""][:16] in said.remedy


def test_an_edited_file_that_the_checker_refuses_goes_nowhere_and_its_line_is_named() -> None:
    world = World(spec_with(corosync={"conf": {ONE: "totem {\n  version: 2\n"}}))
    verdict = world.probe(corosync.Configured(), ONE)
    assert isinstance(verdict, Blocked)
    assert "line " in verdict.why
    assert world.nodes[ONE].ran == []


@pytest.mark.parametrize(
    ("version", "judge"),
    [
        ("3.1.6", "corosync -t -c '{}'"),
        ("2.4.3", "env 'COROSYNC_MAIN_CONFIG_FILE={}' corosync -t"),
        (None, "corosync -t -c '{}'"),
    ],
)
def test_corosync_itself_judges_the_new_file_before_the_old_one_goes(version: str | None, judge: str) -> None:
    view = View(Spec(), {**KNOWN, f"{ONE}.corosync": version})
    (upload,) = only(corosync.Configured().plan(view, ONE), Upload)
    assert shlex.join(upload.check) == judge
    assert (upload.path, upload.mode, upload.owner, upload.backup) == (corosync.PATH, 0o644, "root:root", True)
    assert "".join(upload.content) == corosync.wanted_conf(view, ONE)


MEMBERS_3 = """runtime.members.1.config_version (u64) = 0
runtime.members.1.ip (str) = r(0) ip(10.0.0.11)
runtime.members.1.join_count (u32) = 1
runtime.members.1.status (str) = joined
runtime.members.2.ip (str) = r(0) ip(10.0.0.12)
runtime.members.2.status (str) = {status}
"""
MEMBERS_2 = MEMBERS_3.replace("runtime.members", "runtime.totem.pg.mrp.srp.members")
ENABLED = "systemctl enable corosync pacemaker"
RUNNING = ["systemctl enable corosync", "systemctl restart corosync"]
TOGETHER = "systemctl {} corosync pacemaker"
SUM = hashlib.sha256(corosync.wanted_conf(View(Spec(), KNOWN), ONE).encode()).hexdigest()


def daemons(
    service: str = "active",
    written: str = "100",
    key: str = "-",
    started: str = "200",
    digest: str = SUM,
    pacemaker: str = "inactive",
    member: bool = False,
    loaded: str = "-",
    members: str = MEMBERS_3.format(status="joined"),
) -> str:
    """What a node says of its daemons; the times are those of the file, the key and the start."""
    was = "member" if member else "new"
    return "\n".join((service, written, key, started, digest, pacemaker, was, loaded, members))


@pytest.mark.parametrize(
    ("said", "why", "plan"),
    [
        (daemons(), None, []),
        (daemons(members=MEMBERS_2.format(status="joined")), None, []),
        (daemons(members=MEMBERS_3.format(status="left")), "PRep-02 has not joined.", []),
        (daemons(members=""), "PRep-01 and PRep-02 have not joined.", []),
        (daemons(written="300"), "Corosync runs with an older corosync.conf.", RUNNING),
        (daemons(key="300"), "Corosync runs with an older corosync.conf.", RUNNING),
        (daemons(written="300", loaded=SUM), None, []),
        (daemons("inactive", "300", started="-"), "Corosync does not run.", RUNNING),
        ("failed\n", "Corosync does not run.", RUNNING),
        ("", "Corosync does not run.", RUNNING),
        (daemons(pacemaker="active", member=True), None, []),
        (
            daemons(member=True),
            "Corosync runs, and Pacemaker does not, though this node is part of a cluster.",
            [ENABLED, TOGETHER.format("start")],
        ),
        (daemons("inactive", member=True), "Corosync does not run.", [ENABLED, TOGETHER.format("restart")]),
        (
            daemons(written="300", member=True),
            "Corosync runs with an older corosync.conf.",
            [ENABLED, TOGETHER.format("restart")],
        ),
    ],
    ids=[
        "joined",
        "joined, corosync 2.4",
        "the other left",
        "alone",
        "older file",
        "older key",
        "reloaded",
        "stopped",
        "failed",
        "silent",
        "in the cluster",
        "member without Pacemaker",
        "member with nothing",
        "member with an older file",
    ],
)
def test_corosync_is_started_restarted_or_only_waited_for(said: str, why: str | None, plan: list[str]) -> None:
    world = World()
    world.nodes[ONE].says["is-active"] = said
    verdict = world.probe(corosync.Joined(), ONE)
    assert isinstance(verdict, Done if why is None else Needed)
    if isinstance(verdict, Needed):
        assert verdict.why == why
    assert world.plan(corosync.Joined(), ONE) == plan


CHANGES = [
    ({"token_ms": 3500}, "reload"),
    ({"port": 5410}, "restart"),
    ({"transport": "knet"}, "restart"),
    ({"cluster_name": "another"}, "restart"),
    ({}, ""),
]


def living(change: dict[str, Any], holder: str = ONE) -> World:
    """A pair that serves, looked at with a spec in which `change` was typed since."""
    world = World(spec_with(corosync=change))
    for name, node in world.nodes.items():
        text = corosync.wanted_conf(View(Spec(), KNOWN), name)
        digest = hashlib.sha256(text.encode()).hexdigest()
        node.files[corosync.PATH] = text.encode()
        node.files[records.NOTES] = f"{digest} {world.ctx.spec.tagged}\n".encode()
        node.says["is-active"] = daemons(digest=digest, pacemaker="active", member=True)
        node.says["crm_mon"] = living_pair(holder)
        node.says["cibadmin"] = "<cib><configuration/></cib>"
    return world


@pytest.mark.parametrize(("change", "how"), CHANGES, ids=[how or "nothing" for _, how in CHANGES[:1]] + [
    "port", "transport", "name", "nothing"
])  # fmt: skip
@pytest.mark.parametrize("holder", [ONE, TWO])
def test_what_a_typed_value_means_for_a_pair_that_serves_is_told_before_anything_is_written(
    change: dict[str, Any], how: str, holder: str
) -> None:
    world = living(change, holder)
    needed = look_at_all([corosync.STAGE], world.ctx)
    due = disruptive_actions([corosync.STAGE], world.ctx, needed)
    standby = TWO if holder == ONE else ONE
    if how != "restart":
        assert due == []
    else:
        assert [(each.step, each.target) for each in due] == [
            ("corosync.pause", holder),
            ("corosync.restart_standby", standby),
            ("corosync.restart_active", holder),
        ]
        assert all("stays where it is" in each.disruption.what for each in due)
    told = [
        line
        for step in corosync.STAGE.steps
        for target in step.targets(world.ctx.view)
        for line in world.plan(step, target)
    ]
    assert any("corosync-cfgtool -R" in line for line in told) == (how == "reload")
    assert not any("stop" in line.split() for line in told)


@pytest.mark.parametrize("written", [False, True])
def test_failover_is_paused_before_a_restart_also_where_the_file_was_written_just_before(written: bool) -> None:
    """As in a run, in which the file is in place by now, and Corosync older than it."""
    world = living({"port": 5410})
    look_at_all([corosync.STAGE], world.ctx)
    if written:
        for name, node in world.nodes.items():
            text = corosync.wanted_conf(world.ctx.view, name)
            digest = hashlib.sha256(text.encode()).hexdigest()
            node.files[corosync.PATH] = text.encode()
            node.says["is-active"] = daemons(written="300", digest=digest, pacemaker="active", member=True)
            world.probe(corosync.Configured(), name)
    assert isinstance(world.probe(corosync.PAUSED, ONE), Needed)
    (pause,) = world.plan(corosync.PAUSED, ONE)
    assert "maintenance-mode --update true" in pause


def test_a_file_that_somebody_has_saved_since_it_was_written_is_not_started_with() -> None:
    world = World()
    text = corosync.wanted_conf(world.ctx.view, ONE)
    node = world.nodes[ONE]
    node.files[records.NOTES] = f"{hashlib.sha256(text.encode()).hexdigest()} {world.ctx.spec.tagged}\n".encode()
    node.files[corosync.PATH] = text.replace("version: 2", "version: 2\n    token: 99").encode()
    node.says["members"] = daemons(digest="0" * 64)
    found = world.probe(corosync.Joined(), ONE)
    assert isinstance(found, Blocked)
    assert "edited by somebody" in found.why
    assert "'token: 99'" in found.why


@pytest.mark.parametrize(
    ("transport", "version", "looked"), [("udpu", "3.1.7", False), ("knet", "3.1.7", True), ("udpu", "2.4.3", True)]
)
def test_a_key_that_is_newer_than_corosync_counts_where_it_is_read(transport: str, version: str, looked: bool) -> None:
    world = World(spec_with(corosync={"transport": transport}), {f"{ONE}.corosync": version})
    world.probe(corosync.Joined(), ONE)
    assert (f"stat -c %Y {authkey.PATH}" in world.nodes[ONE].ran[0][-1]) == looked


def test_the_time_to_join_is_the_specs_and_the_remedy_names_the_ports() -> None:
    view = View(spec_with(corosync={"settle": 33, "port": 5410}))
    assert corosync.Joined().patience_for(view) == 33
    assert "udp 5409-5411" in corosync.Joined().remedy(view)


# pacemaker


def crm_mon(one: str = "true", two: str = "true", dc: str = "true", resources: str = "", failures: str = "") -> str:
    head = '<current_dc present="true" name="PRep-01" id="1" with_quorum="true"/>'
    return f"""<pacemaker-result api-version="2.25" request="crm_mon -X"><summary>
    <stack type="corosync"/>{head if dc == "true" else '<current_dc present="false"/>'}</summary><nodes>
    <node name="PRep-01" id="1" online="{one}" standby="false" pending="false" unclean="false" type="member"/>
    <node name="PRep-02" id="2" online="{two}" standby="false" pending="false" unclean="false" type="member"/>
    </nodes><resources>{resources}</resources><failures>{failures}</failures>
    <status code="0" message="OK"/></pacemaker-result>"""


@pytest.mark.parametrize(
    ("said", "why", "plan"),
    [
        (crm_mon(), None, []),
        (crm_mon(two="false"), "PRep-02 is not online yet.", []),
        (crm_mon(one="false", two="false"), "PRep-01 and PRep-02 are not online yet.", []),
        (crm_mon(dc="false"), "No coordinator (DC) is elected yet.", []),
        (
            Completed(102, "", "crm_mon: Error: cluster is not available on this node"),
            "Pacemaker does not run.",
            ["systemctl enable pacemaker", "systemctl start pacemaker"],
        ),
    ],
    ids=["online", "one offline", "both offline", "no DC", "stopped"],
)
def test_pacemaker_is_started_where_it_is_stopped_and_else_waited_for(
    said: str | Completed, why: str | None, plan: list[str]
) -> None:
    world = World()
    world.nodes[ONE].says["crm_mon"] = said
    verdict = world.probe(pacemaker.Online(), ONE)
    assert (verdict.why if isinstance(verdict, Needed) else None) == why
    assert world.plan(pacemaker.Online(), ONE) == plan


def cib(properties: str = "", nodes: tuple[str, ...] = (ONE, TWO), resources: str = "") -> str:
    listed = "".join(f'<node id="{number}" uname="{name}"/>' for number, name in enumerate(nodes, start=1))
    return f"""<cib validate-with="pacemaker-3.9" have-quorum="1"><configuration><crm_config>
    <cluster_property_set id="cib-bootstrap-options">{properties}</cluster_property_set></crm_config>
    <nodes>{listed}</nodes><resources>{resources}</resources><constraints/></configuration><status/></cib>"""


def nvpair(name: str, value: str) -> str:
    return f'<nvpair id="x-{name}" name="{name}" value="{value}"/>'


STRANGER = '<node name="node1" id="9" online="{online}" standby="false" pending="false" type="member"/></nodes>'


@pytest.mark.parametrize(
    ("nodes", "online", "verdict", "plan"),
    [
        ((ONE, TWO), None, Done, None),
        ((ONE, TWO, "node1"), "false", Needed, ["crm_node --force --remove node1"]),
        ((ONE, TWO, "node1"), None, Needed, ["crm_node --force --remove node1"]),
        ((ONE, TWO, "node1"), "true", Blocked, None),
        (
            (ONE, TWO, "node1", "ip-10-0-0-12"),
            None,
            Needed,
            ["crm_node --force --remove node1", "crm_node --force --remove ip-10-0-0-12"],
        ),
        ((ONE, TWO, "node1", "PRep-03"), None, Blocked, None),
        ((ONE, TWO, "--all", "a b"), None, Blocked, None),
    ],
    ids=["none", "offline", "unheard of", "a living third", "a machine's own name", "a third that is off", "odd names"],
)
def test_a_phantom_node_is_removed_and_a_living_one_is_not(
    nodes: tuple[str, ...], online: str | None, verdict: type, plan: list[str] | None
) -> None:
    world = World(facts={f"{TWO}.hostname": "ip-10-0-0-12"})
    world.nodes[ONE].says["cibadmin"] = cib(nodes=nodes)
    monitor = crm_mon().replace("</nodes>", STRANGER.format(online=online)) if online else crm_mon()
    world.nodes[ONE].says["crm_mon"] = monitor
    assert isinstance(world.probe(pacemaker.NoPhantom(), ONE), verdict)
    if plan is not None:
        assert sorted(world.plan(pacemaker.NoPhantom(), ONE)) == sorted(plan)


GUIDE = nvpair("stonith-enabled", "false") + nvpair("no-quorum-policy", "ignore")
FENCED = nvpair("stonith-enabled", "true") + nvpair("no-quorum-policy", "ignore")
NOTED = "write /var/lib/iconha-tui/properties.json (root:root 0600)"
SET = {
    "crm": ["crm configure property stonith-enabled=false", "crm configure property no-quorum-policy=ignore", NOTED],
    "pcs": ["pcs property set stonith-enabled=false", "pcs property set no-quorum-policy=ignore", NOTED],
}
THE_GUIDES = {"stonith-enabled": "false", "no-quorum-policy": "ignore"}


@pytest.mark.parametrize(
    ("shell", "there", "ours", "wanted", "why", "plan"),
    [
        ("crm", GUIDE, THE_GUIDES, None, None, None),
        ("crm", GUIDE, {}, None, "They are as wanted, and to be remembered as this program's.", [NOTED]),
        (
            "crm",
            "",
            {},
            None,
            "stonith-enabled is not set; no-quorum-policy is not set.",
            [*SET["crm"], "crm configure show"],
        ),
        ("pcs", FENCED, {"stonith-enabled": "true"}, None, "stonith-enabled is true.", [*SET["pcs"], "pcs config"]),
        ("crm", "", {}, {}, None, None),
        (
            "pcs",
            GUIDE,
            THE_GUIDES,
            {"cluster-delay": "30s"},
            "cluster-delay is not set.",
            ["pcs property set cluster-delay=30s", NOTED, "pcs config"],
        ),
    ],
    ids=["as the guide has them", "by hand, the guide's", "crm", "ours of before, pcs", "none wanted", "another"],
)
def test_the_clusters_properties_are_set_where_they_differ(
    shell: str,
    there: str,
    ours: dict[str, str],
    wanted: dict[str, str] | None,
    why: str | None,
    plan: list[str] | None,
) -> None:
    tables: dict[str, Any] = {"packages": {"shell": shell}}
    if wanted is not None:
        tables["pacemaker"] = {"properties": wanted}
    world = World(spec_with(**tables))
    world.nodes[ONE].says["cibadmin"] = cib(there)
    remember(world, "properties", ours)
    verdict = world.probe(pacemaker.Properties(), ONE)
    assert (verdict.why if isinstance(verdict, Needed) else None) == why
    if plan is not None:
        assert world.plan(pacemaker.Properties(), ONE) == plan


def remember(world: World, what: str, value: Any) -> None:
    """What a run of before has set, by its own record on the first node."""
    note = records.remember(world.ctx.view, ONE, what, value)
    world.nodes[ONE].files[note.path] = "".join(str(part) for part in note.content).encode()


@pytest.mark.parametrize("ours", [{}, THE_GUIDES], ids=["never ours", "changed since"])
def test_a_property_that_somebody_has_set_is_not_set_anew_without_a_yes(ours: dict[str, str]) -> None:
    world = World()
    world.nodes[ONE].says["cibadmin"] = cib(FENCED)
    if ours:
        remember(world, "properties", ours)
    found = world.probe(pacemaker.Properties(), ONE)
    assert isinstance(found, Blocked)
    assert "stonith-enabled is true, and false is wanted" in found.why
    world.ctx.spec.pacemaker.replace = found.remedy.partition('replace = "')[2].partition('"')[0]
    assert isinstance(world.probe(pacemaker.Properties(), ONE), Needed)
    assert world.plan(pacemaker.Properties(), ONE) == [*SET["crm"], "crm configure show"]
    world.nodes[ONE].says["cibadmin"] = cib(FENCED.replace("ignore", "freeze"))
    assert isinstance(world.probe(pacemaker.Properties(), ONE), Blocked), "the yes was for another value"


def test_a_record_that_is_another_clusters_or_damaged_counts_for_nothing() -> None:
    world = World()
    world.nodes[ONE].says["cibadmin"] = cib(FENCED)
    for text in (b"", b"{", b"[]", b'{"cluster": "other", "stonith-enabled": "true"}'):
        world.nodes[ONE].files["/var/lib/iconha-tui/properties.json"] = text
        assert isinstance(world.probe(pacemaker.Properties(), ONE), Blocked)


def test_a_second_set_of_properties_that_counts_is_seen() -> None:
    """Which of two sets counts only the cluster knows: it is asked."""
    world = World()
    written = nvpair("stonith-enabled", "false") + nvpair("no-quorum-policy", "ignore")
    world.nodes[ONE].says["cibadmin"] = cib(written)
    remember(world, "properties", {"stonith-enabled": "false", "no-quorum-policy": "ignore"})
    options = '<crm_mon><summary><cluster_options stonith-enabled="false" no-quorum-policy="{}"/></summary></crm_mon>'
    world.nodes[ONE].says["crm_mon"] = options.format("stop")
    found = world.probe(pacemaker.Properties(), ONE)
    assert isinstance(found, Blocked)
    assert "no-quorum-policy is stop, and ignore is wanted" in found.why
    world.nodes[ONE].says["crm_mon"] = options.format("ignore")
    assert isinstance(world.probe(pacemaker.Properties(), ONE), Done)


def test_the_guides_two_properties_say_what_they_mean() -> None:
    actions = pacemaker.Properties().plan(View(Spec()), ONE)
    assert all(action.why for action in actions)
    assert "unfit for production" in actions[0].why


# awscli


@pytest.mark.parametrize(("credentials", "paths"), [("keys", 2), ("role", 1)])
def test_root_gets_its_files_by_upload_and_for_itself_alone(credentials: str, paths: int) -> None:
    view = View(spec_with(awscli={"credentials": credentials}, aws={"region": "ap-northeast-2"}), KNOWN)
    actions = awscli.Configured().plan(view, ONE)
    uploads = only(actions, Upload)
    assert [(upload.path, upload.mode, upload.owner, upload.backup) for upload in uploads] == [
        (path, 0o600, "root:root", True) for path in (awscli.CONFIG, awscli.CREDENTIALS)[:paths]
    ]
    vault = Vault(KEYS)
    assert vault.reveal(uploads[0].content) == "[default]\nregion = ap-northeast-2\noutput = json\n"
    if paths == 2:
        assert vault.reveal(uploads[1].content) == (
            "[default]\naws_access_key_id = AKIANODEKEYNODEKEY01\naws_secret_access_key = secretsecretsecret\n"
        )
    assert not any(value in line for line in lines(actions) for value in KEYS.values())
    assert actions[0].shown() == "install -d -m 0700 -o root -g root /root/.aws"


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        (lambda text: text, None),
        (lambda text: "", "Not as wanted: /root/.aws/config, /root/.aws/credentials."),
        (lambda text: text.replace("600 /root/.aws/credentials", "644 /root/.aws/credentials"), "(mode)"),
        (lambda text: text.replace("root 600 /root/.aws/config", "ubuntu 600 /root/.aws/config"), "(mode)"),
        (lambda text: text[:-80] + "0" * 10 + text[-70:], "/root/.aws/credentials"),
    ],
    ids=["as wanted", "nothing there", "credentials for all", "config of another", "other keys"],
)
def test_roots_files_are_judged_each_by_content_owner_and_mode(changed: Any, why: str | None) -> None:
    world = World(secrets=KEYS)
    said = ""
    for path, (content, mode) in awscli.files(world.ctx.view).items():
        digest = hashlib.sha256(world.ctx.vault.reveal(content).encode()).hexdigest()
        said += f"root {mode:o} {path}\n{digest}  {path}\n"
    world.nodes[ONE].says["sha256sum"] = changed(said)
    verdict = world.probe(awscli.Configured(), ONE)
    assert isinstance(verdict, Done if why is None else Needed)
    if isinstance(verdict, Needed):
        assert (why or "") in verdict.why


@pytest.mark.parametrize("there", ["[default]\naws_access_key_id = X\n", "[other]\nx = 1\n", None])
def test_keys_that_would_go_before_the_role_are_kept_beside_their_place(there: str | None, tmp_path: Path) -> None:
    world = World(spec_with(awscli={"credentials": "role"}))
    file = tmp_path / "credentials"
    if there is not None:
        file.write_text(there)
    aside = awscli.Configured().plan(world.ctx.view, ONE)[-1]
    script = aside.shown().replace(awscli.CREDENTIALS, str(file))
    subprocess.run(["sh", "-ec", script], check=True)
    kept = [path.read_text() for path in tmp_path.glob("credentials.iconha-*")]
    by_default = bool(there and "[default]" in there)
    assert kept == ([there] if by_default else [])
    assert file.exists() == (there is not None and not by_default)
    config, (content, mode) = next(iter(awscli.files(world.ctx.view).items()))
    digest = hashlib.sha256(world.ctx.vault.reveal(content).encode()).hexdigest()
    world.nodes[ONE].says["sha256sum"] = f"root {mode:o} {config}\n{digest}  {config}\n" + "@keys\n" * by_default
    assert isinstance(world.probe(awscli.Configured(), ONE), Needed if by_default else Done)


DROP_IN = "[Service]\nEnvironment=AWS_DEFAULT_REGION=us-east-1\n"


@pytest.mark.parametrize(
    ("there", "known", "verdict"),
    [
        (DROP_IN, "X=1 AWS_DEFAULT_REGION=us-east-1", Done),
        (DROP_IN, "", Needed),
        (DROP_IN, "AWS_DEFAULT_REGION=us-east-12", Needed),
        (DROP_IN.replace("east-1", "east-12"), "AWS_DEFAULT_REGION=us-east-1", Needed),
        (None, "", Needed),
    ],
)
def test_pacemaker_is_told_the_region_by_a_drop_in_that_systemd_has_read(
    there: str | None, known: str, verdict: type
) -> None:
    """A program that was killed before `daemon-reload` has left the file, and a Pacemaker that would never know of it."""
    world = World()
    world.nodes[ONE].says["Environment"] = f"Environment={known}\n"
    if there is not None:
        world.nodes[ONE].files[awscli.DROP_IN] = there.encode()
    assert isinstance(world.probe(awscli.Region(), ONE), verdict)
    assert world.plan(awscli.Region(), ONE) == [f"write {awscli.DROP_IN} (root:root 0644)", "systemctl daemon-reload"]


@pytest.mark.parametrize(
    ("said", "monitor", "why"),
    [
        ("AWS_DEFAULT_REGION=us-east-1\n", crm_mon(), None),
        ("AWS_DEFAULT_REGION=us-east-11\n", crm_mon(), "Pacemaker runs without it yet."),
        ("", crm_mon(), "Pacemaker runs without it yet."),
        ("stopped\n", crm_mon(), "Pacemaker does not run."),
        ("AWS_DEFAULT_REGION=us-east-1\n", crm_mon(one="false"), "PRep-01 is not back in the cluster yet."),
        ("AWS_DEFAULT_REGION=us-east-1\n", crm_mon(dc="false"), "PRep-01 is not back in the cluster yet."),
    ],
)
def test_pacemaker_knows_the_region_once_it_runs_with_it(said: str, monitor: str, why: str | None) -> None:
    world = World()
    world.nodes[ONE].says["MainPID"] = said
    world.nodes[ONE].says["crm_mon"] = monitor
    verdict = world.probe(awscli.Reread(0), ONE)
    assert (verdict.why if isinstance(verdict, Needed) else None) == why


def test_the_nodes_are_restarted_one_after_the_other_the_passive_one_first() -> None:
    restarts = [step for step in awscli.STAGE.steps if isinstance(step, awscli.Reread)]
    assert [list(step.targets(View(Spec()))) for step in restarts] == [["PRep-02"], ["PRep-01"]]
    assert planned(restarts[0], "PRep-02") == ["systemctl restart pacemaker"]


FAKE_AWS = """#!/bin/sh
echo "$*" >>"$ASKED"
case "$*" in
  *"$DENY"*) echo "An error occurred (UnauthorizedOperation) when calling: You are not authorized" >&2; exit 254 ;;
  *--dry-run*disassociate*|*disassociate*) echo "An error occurred ($LAST) when calling" >&2; exit 254 ;;
  *--dry-run*) echo "An error occurred (DryRunOperation): Request would have succeeded" >&2; exit 254 ;;
esac
echo '{}'
"""


@pytest.mark.parametrize(
    ("deny", "last", "refused"),
    [
        ("nothing", "DryRunOperation", ""),
        ("nothing", "InvalidAssociationID.NotFound", ""),
        ("describe-instances", "DryRunOperation", "DescribeInstances"),
        ("describe-addresses", "DryRunOperation", "DescribeAddresses"),
        (" associate-address", "DryRunOperation", "AssociateAddress"),
        ("disassociate-address", "DryRunOperation", "DisassociateAddress"),
        ("nothing", "AuthFailure", "DisassociateAddress"),
    ],
)
def test_the_proof_tries_awseips_four_calls_in_a_real_shell(
    tmp_path: Path, deny: str, last: str, refused: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws, proof = tmp_path / "aws", tmp_path / "state" / "proof"
    aws.write_text(FAKE_AWS)
    aws.chmod(0o755)
    for name, path in (("PROOF", proof), ("CONFIG", tmp_path / "config"), ("CREDENTIALS", tmp_path / "credentials")):
        monkeypatch.setattr(awscli, name, str(path))
    (tmp_path / "config").write_text("[default]\n")
    world = World(facts={f"{ONE}.aws": str(aws)})
    (prove,) = only(awscli.Proven().plan(world.ctx.view, ONE), Run)
    env = {"PATH": "/usr/bin:/bin", "DENY": deny, "LAST": last, "ASKED": str(tmp_path / "asked")}

    done = subprocess.run(prove.argv, env=env, capture_output=True, text=True)
    assert (done.returncode == 0) == (not refused)
    said = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    assert {name for name, text in said.items() if text != "allowed" and name != "Refused"} == (
        {refused} if refused else set()
    )
    assert said.pop("Refused", "") == (f"ec2:{refused}" if refused else "")
    assert len(said) == 4
    asked = sorted((tmp_path / "asked").read_text().splitlines())
    start = "--profile default --region us-east-1 --cli-connect-timeout 8 --cli-read-timeout 20 ec2"
    assert asked == [
        f"{start} associate-address --dry-run --allocation-id eipalloc-1 --instance-id i-00000000000000001",
        f"{start} describe-addresses --allocation-ids eipalloc-1",
        f"{start} describe-instances --instance-ids i-00000000000000001",
        f"{start} disassociate-address --dry-run --association-id eipassoc-00000000000000000",
    ]
    assert proof.exists() == (not refused)
    if not refused:
        remembers_until_something_changes(world, tmp_path, env)


def remembers_until_something_changes(world: World, folder: Path, env: dict[str, str]) -> None:
    def remembered() -> str:
        world.nodes[ONE].ran.clear()
        world.probe(awscli.Proven(), ONE)
        (look,) = world.nodes[ONE].ran
        return subprocess.run(look, env=env, capture_output=True, text=True).stdout.strip()

    assert remembered().isdigit()
    (folder / "config").write_text("[default]\nregion = elsewhere\n")
    assert remembered() == ""
    (folder / "config").write_text("[default]\n")
    assert remembered().isdigit()
    world.ctx.learn({"allocation_id": "eipalloc-2"})
    assert remembered() == ""


def test_a_proof_that_is_remembered_is_not_made_again() -> None:
    world = World()
    world.nodes[ONE].says["proof"] = "185\n"
    verdict = world.probe(awscli.Proven(), ONE)
    assert isinstance(verdict, Done)
    assert verdict.evidence.startswith("proven 3 min ago")
    world.nodes[ONE].says["proof"] = ""
    assert isinstance(world.probe(awscli.Proven(), ONE), Needed)
