"""What two nodes and their networks can do to a run: each fault is named with its remedy, and nothing is lost by it."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext

import picture
import pytest
from faults import Table, sentence
from front import CLOCKS, Front, tls
from lab_aws import aws
from mischief import FIRST, SECOND, Bench, Victim
from program import Event
from waiting import wait_until

from iconha_tui.lab import netns
from iconha_tui.lab.ca import api_names
from iconha_tui.lab.seed import API_ADDRESS, BUNDLE
from iconha_tui.remote.units import RUNS_DIR
from iconha_tui.stages.awscli import CREDENTIALS, PROOF

SECTION = "Nodes and their networks"
THOROUGH = "ICONHA_FAULTS_TABLE" in os.environ


def says(words: str, target: str = "") -> Says:
    return Says(words, target)


class Says:
    """Matches output that holds some words."""

    def __init__(self, words: str, target: str) -> None:
        self._words = words
        self._target = target
        self.line = ""

    def __call__(self, event: Event) -> bool:
        if event["event"] != "Output" or self._target not in ("", event["target"]):
            return False
        self.line = next((line for line in event["lines"] if self._words in line), "")
        return bool(self.line)


@contextmanager
def apt_settings(node: Victim, *lines: str) -> Iterator[None]:
    """Settings of the node's own for apt, which count before the program's."""
    node.sh("cat >/etc/apt/apt.conf.d/99-faults <<'END'\n" + "\n".join(lines) + "\nEND")
    try:
        yield
    finally:
        node.sh("rm /etc/apt/apt.conf.d/99-faults")


NO_ARCHIVE = "mv /etc/apt/sources.list.d /root/sources.kept; rm -rf /var/lib/apt/lists/*; mv /var/cache/apt/archives /root/debs; "
NO_ARCHIVE += "mkdir -p /var/cache/apt/archives/partial /etc/apt/sources.list.d; "
ARCHIVE_BACK = "rm -rf /etc/apt/sources.list.d /var/cache/apt/archives; mv /root/sources.kept /etc/apt/sources.list.d; "
ARCHIVE_BACK += "mv /root/debs /var/cache/apt/archives; apt-get -q update"
WITHOUT_CRMSH = "dpkg --remove --force-depends crmsh >/dev/null 2>&1"
LOGINS = "journalctl -u ssh -o cat | grep -c 'Accepted publickey'"


@pytest.mark.parametrize(
    ("fault", "source", "why"),
    [
        (
            "the archive refuses connections",
            "deb http://127.0.0.1:9/debian bookworm main",
            "refuses connections",
        ),
        (
            "the archive's name is not resolved",
            "deb http://nowhere.invalid/debian bookworm main",
            "DNS does not answer",
        ),
        ("the archive lacks the packages", "", "no package of that name"),
    ],
)
def test_an_archive_that_fails_is_told_with_the_node_and_the_way_out(
    bench: Bench, table: Table, fault: str, source: str, why: str
) -> None:
    bench.first.sh(f"{NO_ARCHIVE} echo '{source}' >/etc/apt/sources.list.d/x.list")
    try:
        failed = bench.program.run("--until", "packages").failure
    finally:
        bench.first.sh(ARCHIVE_BACK)
    assert (failed["step"], failed["where"]) == ("packages.install", FIRST)
    assert why in failed["why"]
    assert "masked" not in bench.first.sh("systemctl is-enabled corosync pacemaker || true")
    table.row(
        fault=f"Packages: {fault}",
        how="sources.list changed on one node",
        sees=sentence(failed),
        result="nothing installed, services unmasked; the other node's installation ends",
    )


IMPATIENT = ('Acquire::http::Timeout "2";', 'Acquire::Retries "0";')


@pytest.mark.parametrize(
    "settings", [IMPATIENT, ()] if THOROUGH else [IMPATIENT], ids=lambda lines: f"{len(lines)} settings"
)
def test_an_archive_that_answers_nothing_is_given_up(bench: Bench, table: Table, settings: tuple[str, ...]) -> None:
    """It takes connections and is silent: apt is told to try for seconds, not for minutes."""
    with bench.first.listening(8099), apt_settings(bench.first, *settings):
        bench.first.sh(
            f"{NO_ARCHIVE} echo 'deb http://127.0.0.1:8099/debian bookworm main' >/etc/apt/sources.list.d/x.list"
        )
        try:
            failed = bench.program.run("--until", "packages").failure
        finally:
            bench.first.sh(ARCHIVE_BACK)
    assert failed["where"] == FIRST
    assert "does not reach its package archive" in failed["why"]
    table.row(
        fault="Packages: the archive is half dead (takes connections, answers nothing)",
        how="a socket that listens and is silent",
        sees=sentence(failed),
        result="given up after three tries of 15 s a file, or what apt's settings on the node say; nothing installed",
    )


@pytest.mark.parametrize(("place", "size"), [("/var/cache/apt/archives", "2m"), (RUNS_DIR, "4k")])
def test_a_full_disk_is_told_as_such(bench: Bench, table: Table, place: str, size: str) -> None:
    """Packages do not fit; or the script that is to install them does not."""
    with bench.first.mounted(place, f"size={size},mode=755"):
        bench.first.sh(f"mkdir -p {place}/partial")
        failed = bench.program.run("--until", "packages").failure
    assert (failed["step"], failed["where"]) == ("packages.install", FIRST)
    assert "is full" in failed["why"]
    table.row(
        fault="The node's disk is full",
        how=f"2 MB for /var/cache/apt/archives; 4 kB for {RUNS_DIR}",
        sees=sentence(failed),
        result="failed; the next run goes on",
    )


def test_a_package_that_cannot_be_configured_is_finished_once_it_can(bench: Bench, table: Table) -> None:
    make = r"""
    set -e; rm -rf /root/bad; mkdir -p /root/bad/DEBIAN
    printf 'Package: bad\nVersion: 1\nArchitecture: all\nMaintainer: x <x@x>\nDescription: x\n' >/root/bad/DEBIAN/control
    printf '#!/bin/sh\n[ -e /root/good ]\n' >/root/bad/DEBIAN/postinst; chmod 755 /root/bad/DEBIAN/postinst
    dpkg-deb -b /root/bad /root/bad.deb >/dev/null; dpkg -i /root/bad.deb >/dev/null 2>&1 || true
    dpkg -s bad | grep Status
    """
    assert "half-configured" in bench.first.sh(make)
    failed = bench.program.run("--until", "packages").failure
    assert (failed["step"], failed["where"]) == ("packages.install", FIRST)
    assert "bad" in failed["tail"]
    assert "dpkg --configure -a" in failed["remedy"]
    bench.first.sh("touch /root/good")
    table.row(
        fault="dpkg was left half configured",
        how="a package whose script fails; then the script is mended",
        sees=sentence(failed),
        result="failed with the package's name; once mended, the next run finishes it first, and goes on",
    )


def test_whoever_holds_apt_is_waited_for_and_named_and_no_cut_starts_the_installation_twice(
    bench: Bench, table: Table
) -> None:
    """One installation: another apt first, then a kill, a reset, a silent cut; its output is told once, to the last line."""
    program, first, second = bench.program, bench.first, bench.second
    with first.locked_apt():
        going = program.start("--until", "packages")
        waiting = says("apt is in use: process", FIRST)
        assert going.until(waiting)
        assert "unattended-upgrade" in waiting.line
        assert "/var/lib/dpkg/lock-frontend" in waiting.line
    table.row(
        fault="The apt lock is held by unattended upgrades",
        how="a process holds /var/lib/dpkg/lock-frontend",
        sees=waiting.line,
        result="waited for, 300 s at most; goes on when it is free",
    )
    assert going.until(says("finishing it first", FIRST)), "the package that the test before has left half configured"
    assert going.until(says("Unpacking", FIRST))
    assert going.kill() == -9
    assert "iconha-" in first.sh("systemctl list-units --plain --no-legend 'iconha-*'")

    going = program.start("--until", "packages")
    resumed = says("has gone on meanwhile", FIRST)
    assert going.until(resumed)
    with first.firewall("OUTPUT", "-p", "tcp", "--sport", "22", "-j", "REJECT", "--reject-with", "tcp-reset"):
        time.sleep(1.5)
    with first.firewall("INPUT", "-p", "tcp", "--dport", "22", "-j", "DROP"):
        time.sleep(4)
    assert going.end() == 0, going.events[-3:]

    transcript = (program.folder / "transcript.log").read_text().splitlines()
    for name, node in ((FIRST, first), (SECOND, second)):
        history = node.sh("cat /var/log/apt/history.log")
        assert len(re.findall(r"^Commandline: .* install .*pacemaker", history, re.M)) == 1, history
        set_up = [
            line.partition("Setting up ")[2].split()[0] for line in transcript if f" {name} | Setting up " in line
        ]
        configured = node.sh(
            "grep -E ' status installed (corosync|pacemaker|crmsh|awscli):' /var/log/dpkg.log"
        ).splitlines()
        for package in ("corosync", "pacemaker", "crmsh", "awscli"):
            assert set_up.count(package) == 1, f"{name}: {package} in {set_up}"
            assert len([line for line in configured if f" {package}:" in line]) == 1
    table.row(
        fault="The program dies while packages are being installed",
        how="kill -9 in the middle; started again",
        sees=resumed.line,
        result="the installation went on on the node, was found again and not started twice; each line told once",
    )
    table.row(
        fault="The connection is cut during the installation",
        how="iptables on the node: tcp-reset for 1.5 s, DROP for 4 s",
        sees="nothing: the output goes on",
        result="followed over a new connection (reset) or the same (drop); each line told once",
    )


def test_apt_that_stays_locked_is_given_up_politely(bench: Bench, table: Table) -> None:
    """The patience is the node's own setting of apt; 300 s where it has none."""
    bench.first.sh(WITHOUT_CRMSH)
    with bench.first.locked_apt("/var/lib/apt/lists/lock"), apt_settings(bench.first, 'DPkg::Lock::Timeout "2";'):
        going = bench.program.run("--until", "packages")
    failed = going.failure
    assert (failed["step"], failed["where"]) == ("packages.install", FIRST)
    assert "unattended-upgrade) holds /var/lib/apt/lists/lock." in failed["why"]
    assert "masked" not in bench.first.sh("systemctl is-enabled corosync pacemaker || true")
    table.row(
        fault="The apt lock is never released",
        how="the lists' lock held for longer than the patience (DPkg::Lock::Timeout on the node, 2 s; else 300 s)",
        sees=sentence(failed),
        result="failed, nothing changed",
    )


IMPATIENT_PROGRAM = (
    "from iconha_tui.remote import connection, pump; from iconha_tui.cli import main; import sys; "
    "pump.SILENCE = 2.0; connection.CHANNEL_TIMEOUT = 5.0; sys.exit(main())"
)
"""The program that notices a dead line after 7 s: it takes 30 s else."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seconds", "how"), [(10, ("-c", IMPATIENT_PROGRAM)), *([(45, ()), (180, ())] if THOROUGH else [])]
)
def test_a_line_that_is_dead_for_long_is_noticed_and_made_anew(
    bench: Bench, table: Table, seconds: int, how: tuple[str, ...]
) -> None:
    """No packet while a unit runs: the connection is given up by the program, and the unit is found again."""
    program, node = bench.program, bench.first
    node.sh(WITHOUT_CRMSH)
    going = program.start("--until", "packages", how=how)
    assert going.until(lambda event: event["event"] == "ActionStarted")
    with node.firewall("INPUT", "-p", "tcp", "--dport", "22", "-j", "DROP"):
        logins = node.sh(LOGINS)
        time.sleep(seconds)
    assert going.end() == 0, going.events[-2:]
    assert int(node.sh(LOGINS)) > int(logins), "over a new connection"
    table.row(
        fault="The connection stalls",
        how=f"DROP for {seconds} s while apt runs",
        sees="nothing: the output goes on",
        result="the dead line is given up after 30 s and made anew; the unit is followed to its end",
    )


PATIENT_PROGRAM = (
    "from iconha_tui.remote.ssh import SshNode; from iconha_tui.cli import main; import sys; "
    "SshNode.__init__.__kwdefaults__['connect_timeout'] = 3600.0; sys.exit(main())"
)
"""The program that would wait an hour for a line: it waits 15 s else."""
CANCEL_WITHIN = 60.0
"""Seconds in which that has ended after Ctrl+C, on a busy machine too: the line itself would end it after 127, TCP's own."""


def test_cancel_over_a_dead_line_says_what_goes_on(bench: Bench, table: Table) -> None:
    program = bench.program
    bench.first.sh(WITHOUT_CRMSH)
    with bench.first.firewall("INPUT", "-p", "tcp", "--dport", "22", "-j", "DROP"):
        going = program.start("--until", "packages", how=("-c", PATIENT_PROGRAM))
        assert going.until(lambda event: event["event"] == "StepStarted" and event["step"] == "instances.signin")
        wait_until(bench.first.stopped, what="a try to connect, to a port that says nothing")
        began = time.time()
        assert going.kill(signal.SIGINT) == 130
    took = going.events[-1]["at"] - began
    assert took < CANCEL_WITHIN
    assert program.run("--until", "packages").process.returncode == 0
    table.row(
        fault="Ctrl+C while a node does not answer",
        how="DROP, then SIGINT while connecting",
        sees=going.failure["text"],
        result=f"ended after {took:.1f} s, exit code 130",
    )


GERMAN = """apt-get -qq -y install locales >/dev/null; localedef -i de_DE -f UTF-8 de_DE.UTF-8
for file in /etc/default/locale /etc/environment; do printf 'LANG=de_DE.UTF-8\\nLC_ALL=de_DE.UTF-8\\n' >>$file; done"""
ODD = {
    "noise in .bashrc": "sed -i '1i echo welcome to this machine; echo and to its errors >&2; alias ls=\"ls --color=always\"' "
    "/home/ubuntu/.bashrc",
    "a login banner": "echo 'Unauthorised use is prohibited' >/etc/banner; "
    "printf 'Banner /etc/banner\\nMaxStartups 1:30:2\\nAcceptEnv *\\n' >/etc/ssh/sshd_config.d/10-odd.conf; systemctl reload ssh",
    "a German locale": GERMAN,
    "/tmp noexec": "",
    "`127.0.1.1 hostname`": "printf '127.0.1.1 %s\\n' \"$(hostname)\" >>/etc/hosts",
    "both nodes with one host name": "hostname prep; echo prep >/etc/hostname; printf '127.0.1.1 prep\\n' >>/etc/hosts",
}
"""What makes a node odd, and the script that does it."""
UNDONE = {
    "/home/ubuntu/.bashrc", "/etc/ssh/sshd_config.d", "/etc/default/locale", "/etc/environment", "/etc/hosts", "/etc/hostname"
}  # fmt: skip


@contextmanager
def odd(node: Victim, ways: tuple[str, ...]) -> Iterator[None]:
    host = node.sh("hostname").strip()
    node.sh(f"rm -f /root/odd.tar; tar -cPf /root/odd.tar --ignore-failed-read {' '.join(UNDONE)} 2>/dev/null")
    try:
        for way in ways:
            node.sh(ODD[way])
        with node.mounted("/tmp", "noexec,mode=1777") if "/tmp noexec" in ways else nullcontext():
            yield
    finally:
        node.sh(
            f"rm -f /etc/ssh/sshd_config.d/10-odd.conf; tar -xPf /root/odd.tar; hostname {host}; systemctl reload ssh"
        )


@pytest.mark.slow
@pytest.mark.parametrize("ways", [*([(way,) for way in ODD] if THOROUGH else []), tuple(ODD)], ids=", ".join)
def test_an_odd_node_is_no_obstacle(bench: Bench, table: Table, ways: tuple[str, ...]) -> None:
    """A package is missing on both, so that apt too runs on odd nodes."""
    program = bench.program
    with ExitStack() as stack:
        for node in (bench.first, bench.second):
            node.sh(WITHOUT_CRMSH)
            stack.enter_context(odd(node, ways))
        if "a German locale" in ways:
            assert "Paketlisten" in bench.first.sh("LC_ALL=de_DE.UTF-8 apt-get -s install crmsh"), (
                "it does speak German"
            )
        going = program.run()
        assert going.process.returncode == 0, going.events[-2:]
    assert not [
        line for event in going.events if event["event"] == "Output" for line in event["lines"] if "welcome to" in line
    ]
    found = picture.take(program.lab, program.spec)
    assert found.account["addresses"] == [f"<{FIRST}>"]
    nodes = [line for line in found.cib if "uname" in line]
    assert len(nodes) == 2
    assert all(name in "".join(nodes) for name in (FIRST, SECOND))
    table.row(
        fault=f"A node with {', '.join(ways)}",
        how="on both nodes, and a package missing; then the whole guide",
        sees="nothing",
        result="the cluster is built; Pacemaker has PRep-01 and PRep-02",
    )


def test_an_sshd_that_is_full_or_slow_is_waited_for(bench: Bench, table: Table) -> None:
    program = bench.program
    full = (
        "printf 'MaxStartups 1:100:1\\nLoginGraceTime 60\\n' >/etc/ssh/sshd_config.d/05-full.conf; systemctl reload ssh"
    )
    with ExitStack() as stack:
        bench.first.sh(full)
        stack.callback(bench.first.sh, "rm -f /etc/ssh/sshd_config.d/05-full.conf; systemctl reload ssh")
        stack.enter_context(bench.first.silent_client(22))
        release = threading.Timer(3.0, stack.close)
        release.start()
        going = program.run("--until", "packages")
        release.join()
    assert going.process.returncode == 0, going.events[-2:]
    table.row(
        fault="sshd is limited (MaxStartups)",
        how="one start-up allowed, and taken for 3 s",
        sees="waiting: PRep-01: What answers … closed the connection … sshd may be limiting connections (MaxStartups)",
        result="waited for; the run goes on",
    )
    bench.first.sh("kill -STOP $(systemctl show -p MainPID --value ssh)")
    release = threading.Timer(3.0, bench.first.sh, ["kill -CONT $(systemctl show -p MainPID --value ssh)"])
    release.start()
    going = program.run("--until", "packages")
    release.join()
    assert going.process.returncode == 0, going.events[-2:]
    table.row(
        fault="sshd is slow",
        how="its process is stopped for 3 s",
        sees="nothing",
        result="waited for, 15 s at most a try",
    )


def test_the_standby_without_a_way_to_ec2_is_found_before_the_failover(bench: Bench, table: Table) -> None:
    bench.second.sh(f"rm -f {PROOF}")
    with bench.second.firewall("OUTPUT", "-p", "tcp", "--dport", "443", "-j", "DROP"):
        failed = bench.program.run("--until", "awscli").failure
    assert (failed["step"], failed["where"]) == ("awscli.proof", SECOND)
    assert "does not reach the EC2 API" in failed["why"]
    table.row(
        fault="The standby has no way to the EC2 API",
        how="DROP of tcp 443 on PRep-02",
        sees=sentence(failed),
        result="failed in the AWS CLI stage, before the address depends on it",
    )


@contextmanager
def before_the_api(node: Victim, begins: str = "") -> Iterator[Front]:
    """What the node takes for the EC2 API is a front of ours. begins: of CLOCKS, where its certificate is not of this time."""
    context, authority = tls(api_names("us-east-1"), *([CLOCKS[begins]] if begins else []))
    pid = node.pid
    front = Front(node.lab.endpoint, context, netns.listen(pid, "127.0.0.1", 8443))
    node.sh(f"cp {BUNDLE} /root/bundle; cat >>{BUNDLE} <<'END'\n{authority}END")
    try:
        redirect = ("-d", API_ADDRESS, "-p", "tcp", "--dport", "443", "-j", "REDIRECT", "--to-ports", "8443")
        with node.firewall("OUTPUT", "-t", "nat", *redirect):
            yield front
    finally:
        node.sh(f"cat /root/bundle >{BUNDLE}")
        front.close()


REFUSALS = {
    "its clock is off by an hour": ("", "RequestExpired", "The node's clock is more than five minutes off"),
    "its keys are wrong, or its clock is off": ("", "AuthFailure", "AWS does not know the keys on the node"),
    "its keys have expired": ("", "ExpiredToken", "were temporary ones, and have expired"),
    "AWS throttles it without end": ("", "RequestLimitExceeded", "AWS is throttling"),
    "a certificate is not yet valid by its clock": ("not yet valid", "", "The node's clock is wrong"),
    "a certificate has expired by its clock": ("expired", "", "The node's clock is wrong"),
}
"""What happens when the standby asks AWS: its certificate's time, the answer to DescribeInstances, and what is said of it."""


@pytest.mark.parametrize("fault", REFUSALS if THOROUGH else list(REFUSALS)[:1])
def test_what_aws_refuses_the_standby_is_found_before_the_failover(bench: Bench, table: Table, fault: str) -> None:
    begins, code, why = REFUSALS[fault]
    with before_the_api(bench.second, begins) as front:
        front.fault = lambda action, _count: (400, code) if action == "DescribeInstances" else None
        bench.second.sh(f"rm -f {PROOF}")
        failed = bench.program.run("--until", "awscli").failure
    assert (failed["step"], failed["where"]) == ("awscli.proof", SECOND)
    assert why in failed["why"]
    assert failed["remedy"]
    assert bool(front.asked) == bool(code), "nothing is sent to who has no valid certificate"
    table.row(
        fault=f"The standby asks AWS: {fault}",
        how=f"what it takes for EC2 answers {code}"
        if code
        else f"what it takes for EC2 has a certificate that is {begins}",
        sees=sentence(failed),
        result="failed in the AWS CLI stage, before the address depends on it",
    )


AWSEIP_CALLS = ("AssociateAddress", "DescribeInstances", "DescribeAddresses", "DisassociateAddress")


@pytest.mark.slow
@pytest.mark.parametrize("call", AWSEIP_CALLS)
def test_each_call_of_the_agent_that_is_denied_alone_is_named(bench: Bench, table: Table, call: str) -> None:
    iam = aws(bench.program.lab, "iam")
    deny = f'{{"Version": "2012-10-17", "Statement": [{{"Effect": "Deny", "Action": "ec2:{call}", "Resource": "*"}}]}}'
    iam.put_user_policy(UserName="lab-nodes", PolicyName="deny", PolicyDocument=deny)
    try:
        bench.second.sh(f"rm -f {PROOF}")
        failed = bench.program.run("--until", "awscli").failure
    finally:
        iam.delete_user_policy(UserName="lab-nodes", PolicyName="deny")
    assert (failed["step"], failed["where"]) == ("awscli.proof", SECOND)
    assert failed["why"].endswith(f"does not allow ec2:{call}.")
    assert failed["remedy"].startswith(f"Allow ec2:{call} in the policy")
    table.row(
        fault="The nodes' keys lack one permission",
        how="an IAM policy that denies one of awseip's four calls, each in turn",
        sees=sentence(failed),
        result="failed in the AWS CLI stage, before the address depends on it",
    )


@pytest.mark.slow
def test_machines_that_require_tokens_of_the_metadata_service_and_have_a_role(bench: Bench, table: Table) -> None:
    """First without the role; then with it, and no keys: the AWS CLI and awseip fetch a token before they ask (IMDSv2)."""
    program = bench.program
    ec2 = aws(program.lab, "ec2")
    machines = [one["InstanceId"] for one in picture.machines(program.lab, program.spec).values()]
    program.spec.awscli.credentials = "role"
    for node in (bench.first, bench.second):
        ec2.modify_instance_metadata_options(InstanceId=node.id, HttpTokens="required")
    asked = "curl -s -o /dev/null -w '%{http_code}' http://169.254.169.254/latest/meta-data/instance-id"
    assert bench.first.sh(asked) == "401"
    failed = program.run("--until", "awscli").failure
    assert failed["step"] == "awscli.proof"
    assert "neither keys nor a role" in failed["why"]
    for node in (bench.first, bench.second):
        assert "aws_access_key_id" in node.sh(f"test ! -e {CREDENTIALS} && cat {CREDENTIALS}.iconha-*"), "kept beside"
    table.row(
        fault="The nodes are to use a role that they do not have",
        how="credentials = role, and no instance profile",
        sees=sentence(failed),
        result="failed in the AWS CLI stage, before the address depends on it",
    )
    roles = [
        ec2.associate_iam_instance_profile(InstanceId=each, IamInstanceProfile={"Name": "lab-nodes"})
        for each in machines
    ]
    going = program.run()
    assert going.process.returncode == 0, going.failure
    table.row(
        fault="The metadata service requires tokens (IMDSv2)",
        how="HttpTokens = required on both machines, which have a role and no keys",
        sees="nothing; with a role on Ubuntu 18.04 or 20.04, whose awseip asks without, it is said after the sign-in",
        result="the cluster is built",
    )
    program.spec.awscli.credentials = "keys"
    for role in roles:
        ec2.disassociate_iam_instance_profile(AssociationId=role["IamInstanceProfileAssociation"]["AssociationId"])
    for node in (bench.first, bench.second):
        ec2.modify_instance_metadata_options(InstanceId=node.id, HttpTokens="optional")
