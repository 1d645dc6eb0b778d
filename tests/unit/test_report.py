"""The report: everything that tells what is wrong, and nothing that a stranger must not have."""

from __future__ import annotations

import io
import os
import re
import stat
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from iconha_tui import cli, report
from iconha_tui.cluster.corosync_conf import check, has_errors
from iconha_tui.engine.events import Output, RunStarted
from iconha_tui.engine.journal import Journal
from iconha_tui.engine.ports import Completed
from iconha_tui.errors import Trouble, UsageTrouble
from iconha_tui.redact import REMOVED, Redactor
from iconha_tui.session import Session
from iconha_tui.spec import Spec
from iconha_tui.store import Store

TYPED = "typed/in+SECRET0123456789abcdefghijklmnop"
PROFILE = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
ENVIRONMENT = "hunter2hunter2"
ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"
AUTHKEY = "the-authkey-of-the-pair"
ADDRESSES = ("10.0.7.11", "10.0.7.12", "54.180.3.9", "2600:1f18::77")
IDS = (
    "i-0abc1234567890def",
    "i-0abc1234567890dee",
    "eipalloc-0aa1234567890dead",
    "vpc-0aa1234567890beef",
    "123456789012",
)
SECRETS = (TYPED, PROFILE, ENVIRONMENT, ACCESS_KEY, AUTHKEY)

CONF = """totem {
    version: 2
    cluster_name: nodecluster
    transport: udpu
    token: 3000
    interface {
        ringnumber: 0
        bindnetaddr: 10.0.7.11
        mcastport: 5405
    }
}
quorum {
    provider: corosync_votequorum
    two_node: 1
}
nodelist {
    node {
        ring0_addr: 10.0.7.11
        name: PRep-01
        nodeid: 1
    }
    node {
        ring0_addr: 10.0.7.12
        name: PRep-02
        nodeid: 2
    }
}
"""
LOG = (
    f"Nov 23 10:00:00 awseip: ERROR: \x1b]52;c;x\x07aws_secret_access_key = {PROFILE} for {ACCESS_KEY} failed on "
    "ip-10-0-7-11.ec2.internal (54.180.3.9, 2600:1f18::77), arn:aws:iam::123456789012:user/alice\n"
    "Nov 23 10:00:01 corosync[812]: [TOTEM ] token: 3000, members 10.0.7.11 10.0.7.12 127.0.0.1 of PRep-01\n"
    '<nvpair id="x" name="secret_key" value="not-like-a-secret"/> <nvpair value="hidden" id="y" name="passwd"/>\n'
    "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk=\n-----END OPENSSH PRIVATE KEY-----\n"
)


class FakeNode:
    def __init__(self, name: str, asked: list[str], broken: str = "") -> None:
        self.name, self._asked, self._broken = name, asked, broken

    def run(self, argv: tuple[str, ...], **more: Any) -> Completed:
        self._asked.append(argv[-1])
        if self._broken:
            raise Trouble(self._broken, where=self.name, remedy="Look there.")
        conf = "corosync.conf" in argv[-1]
        return Completed(0, CONF if conf else LOG if argv != ("true",) else "", "")


class FakeCloud:
    def call(self, service: str, operation: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        if operation == "describe_addresses":
            return {"Addresses": [{"AllocationId": IDS[2], "PublicIp": ADDRESSES[2], "InstanceId": IDS[0]}]}
        number = str(params).count("PRep-02")
        instance = {"InstanceId": IDS[number], "PrivateIpAddress": ADDRESSES[number], "VpcId": IDS[3]}
        return {"Reservations": [{"OwnerId": IDS[4], "Instances": [{**instance, "PublicIpAddress": ADDRESSES[2]}]}]}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("ICONHA_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("SOME_APP_SECRET", ENVIRONMENT)
    monkeypatch.setenv("ICONHA_NODE_ACCESS_KEY_ID", "AKIAOFTHENODES000001")
    monkeypatch.setenv("ICONHA_NODE_SECRET_ACCESS_KEY", TYPED)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", PROFILE)
    monkeypatch.chdir(tmp_path)
    store = Store()
    store.save(Spec(name="mainnet"))
    journal = Journal(store.folder("mainnet"))
    journal(RunStarted(["corosync"]))
    journal(Output("corosync", "corosync.conf", "PRep-01", [f"said {TYPED} and {ENVIRONMENT}", *LOG.splitlines()]))
    journal.close()
    return store


Fill = Callable[..., list[str]]


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> Fill:
    """Puts fakes in the place of AWS and of the nodes; returns what the nodes were asked."""

    def fill(**broken: str) -> list[str]:
        asked: list[str] = []
        monkeypatch.setattr(Session, "_operator_cloud", lambda self: FakeCloud())
        monkeypatch.setattr(
            Session, "_node", lambda self, name: FakeNode(name, asked, broken.get(name.replace("-", "_"), ""))
        )
        return asked

    return fill


def unpacked(path: Path) -> dict[str, str]:
    with tarfile.open(path) as archive:
        members = archive.getmembers()
        assert all(member.isfile() and member.mode == 0o600 and member.uid == 0 for member in members)
        assert len({member.name.split("/")[0] for member in members}) == 1
        found = {}
        for member in members:
            file = archive.extractfile(member)
            assert file is not None
            found[member.name.partition("/")[2]] = file.read().decode()
    return found


def test_the_archive_holds_what_tells_and_nothing_that_must_not_leave(
    store: Store, outside: Fill, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = outside()
    old = os.umask(0)
    try:
        assert cli.main(["report", "mainnet", "-o", "mine.tar.gz"]) == 0
    finally:
        os.umask(old)
    said = capsys.readouterr()
    assert stat.S_IMODE((tmp_path / "mine.tar.gz").stat().st_mode) == 0o600
    files = unpacked(tmp_path / "mine.tar.gz")
    assert {"spec.toml", "journal.jsonl", "transcript-tail.log", "versions.txt", "aws.txt", "MANIFEST.txt"} <= set(
        files
    )
    for node in ("PRep-01", "PRep-02"):
        assert {name.partition("/")[2] for name in files if name.startswith(node)} == set(report.ASKED)
    everything = "\n".join([*files.values(), said.out, said.err])
    assert [secret for secret in SECRETS if secret in everything] == []
    assert [each for each in (*ADDRESSES, *IDS, "alice", "hidden", "not-like", "b3BlbnNz") if each in everything] == []
    assert re.findall("[\x00-\x08\x0b-\x1f\x7f-\x9f]", everything) == []
    assert str(tmp_path / "mine.tar.gz") in said.out
    for name in files:
        assert name in said.out, "the terminal says what is in it"
    assert not [command for command in asked if "authkey" in command or "cat /root" in command]


def test_the_same_thing_has_the_same_stand_in_everywhere_and_a_conf_stays_a_conf(
    store: Store, outside: Fill, tmp_path: Path
) -> None:
    outside()
    report.make(store, "mainnet", tmp_path / "x.tar.gz")
    files = unpacked(tmp_path / "x.tar.gz")
    conf = files["PRep-01/corosync.conf"]
    first, second = re.findall(r"ring0_addr: (\S+)", conf)
    assert first != second
    assert f"members {first} {second} 127.0.0.1 of PRep-01" in files["PRep-02/corosync.log"]
    assert f"ip-{first.replace('.', '-')}.ec2.internal" in files["PRep-01/corosync.log"]
    assert f"PRep-01.private_ip = {first}" in files["aws.txt"]
    assert "token: 3000" in conf
    assert not has_errors(check(conf))


@pytest.mark.parametrize("broken", [{"PRep_01": "It does not answer."}, {"PRep_01": "No.", "PRep_02": "No."}])
def test_a_node_that_cannot_be_reached_is_said_and_stops_nothing(
    store: Store, outside: Fill, tmp_path: Path, broken: dict[str, str]
) -> None:
    outside(**broken)
    _, manifest = report.make(store, "mainnet", tmp_path / "x.tar.gz")
    files = unpacked(tmp_path / "x.tar.gz")
    assert files["MANIFEST.txt"] == manifest
    for name, why in broken.items():
        assert f"{name.replace('_', '-')}: {name.replace('_', '-')}: {why}" in manifest or f": {why}" in manifest
        assert not [each for each in files if each.startswith(name.replace("_", "-"))]
    assert "spec.toml" in files


def test_without_aws_and_with_a_damaged_spec_what_is_here_is_packed(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = store.folder("mainnet") / "spec.toml"
    path.write_text(path.read_text()[:200])
    _, manifest = report.make(store, "mainnet", tmp_path / "x.tar.gz")
    assert "cut short" in manifest
    assert {"spec.toml", "journal.jsonl", "versions.txt"} <= set(unpacked(tmp_path / "x.tar.gz"))


def test_names_of_keys_profiles_and_roles_have_stand_ins(store: Store, outside: Fill, tmp_path: Path) -> None:
    outside()
    spec = store.spec("mainnet")
    spec.aws.profile, spec.awscli.profile, spec.instances.key_pair = "acme-prod", "default", "acme-key"
    spec.ssh.key_file, spec.ssh.user = "~/.ssh/acme.pem", "ubuntu"
    store.save(spec)
    report.make(store, "mainnet", tmp_path / "x.tar.gz")
    files = unpacked(tmp_path / "x.tar.gz")
    assert "acme" not in "".join(files.values())
    told = files["spec.toml"]
    for words in (
        'profile = "profile"',
        'profile = "default"',
        'key_pair = "key-pair"',
        'key_file = "key-file"',
        "ubuntu",
    ):
        assert words in told
    assert "names of yours: in" in files["MANIFEST.txt"]


def test_a_traceback_does_not_say_where_the_program_is(store: Store, outside: Fill, tmp_path: Path) -> None:
    outside()
    code = Path(report.__file__)
    store.log_file.write_text(f'File "{code}", line 1\nFile "{store.folder("mainnet")}/journal.jsonl"\n')
    report.make(store, "mainnet", tmp_path / "x.tar.gz")
    told = unpacked(tmp_path / "x.tar.gz")["iconha-tui-tail.log"]
    assert told == 'File "iconha_tui/report.py", line 1\nFile "state-folder/clusters/mainnet/journal.jsonl"\n'


def test_a_log_that_there_is_not_is_no_trouble(store: Store, outside: Fill, tmp_path: Path) -> None:
    outside()
    (store.folder("mainnet") / "journal.jsonl").unlink()
    _, manifest = report.make(store, "mainnet", tmp_path / "x.tar.gz")
    assert "iconha-tui-tail.log: there is none. Nothing has gone wrong" in manifest
    assert "journal.jsonl: there is none. No run has begun." in manifest


def test_no_file_is_overwritten_and_no_link_is_followed(store: Store, outside: Fill, tmp_path: Path) -> None:
    outside()
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("mine", "link"):
        with pytest.raises(UsageTrouble, match="There is a file of that name"):
            report.make(store, "mainnet", tmp_path / name)
    assert (tmp_path / "mine").read_text() == "mine"
    secret = tmp_path / "id_ed25519"
    secret.write_text("PRIVATE")
    transcript = store.folder("mainnet") / "transcript.log"
    transcript.unlink()
    transcript.symlink_to(secret)
    _, manifest = report.make(store, "mainnet", tmp_path / "x.tar.gz")
    assert "transcript-tail.log: Cannot be read: it is a symbolic link." in manifest
    assert "PRIVATE" not in "".join(unpacked(tmp_path / "x.tar.gz").values())


def plain(text: str) -> str:
    return text


AROUND = st.text(
    st.sampled_from(" \n\t:=\"'{}()<>,;|") | st.characters(codec="utf-8", categories=["Po", "Zs"]), max_size=8
)
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/+"
KEYS = st.text(st.sampled_from(LETTERS), min_size=40, max_size=40).filter(
    lambda key: re.search("[a-z]", key) and re.search("[A-Z]", key) and re.search("[0-9]", key)
)


@settings(max_examples=300, deadline=None)
@given(AROUND, KEYS, AROUND)
@example("aws_secret_access_key=", PROFILE, "\n")
@example('"SecretAccessKey": "', PROFILE, '",')
def test_what_looks_like_an_aws_secret_goes_even_where_nobody_knows_it(before: str, key: str, after: str) -> None:
    if not re.search("[A-Za-z0-9/+_-]$", before) and not re.match("[A-Za-z0-9/+_-]", after):
        assert key not in Redactor(plain).clean(f"{before}{key}{after}")


@pytest.mark.parametrize(
    "text",
    [
        "password: {}",
        "passwd={}",
        'passphrase="{}"',
        "secret = {}",
        '{{"aws_session_token": "{}"}}',
        "--secret-key={} --x",
        '<nvpair name="secret_key" id="a" value="{}"/>',
        '<nvpair value="{}" id="a" name="aws_access_key_id"/>',
        "totem {{\n  key: {}\n}}",
        "totem.key (str) = {}",
        "https://x/?X-Amz-Signature={}&y=1",
        "Authorization: AWS4 {}",
        "https://me:{}@example.org/",
        '{{\\"SecretAccessKey\\": \\"{}\\"}}',
    ],
)
def test_what_stands_where_secrets_stand_goes(text: str) -> None:
    cleaned = Redactor(plain).clean(text.format("short1"))
    assert "short1" not in cleaned
    assert REMOVED in cleaned


@pytest.mark.parametrize(
    "text",
    [
        "token: 3000",
        "totem.token (u32) = 3000",
        "secauth: on",
        "crypto_hash: sha256",
        "Nov 23 10:11:12 PRep-01 corosync[1]",
        "corosync 3.1.7-1 pacemaker 2.1.5-1+b1",
        "SHA-1 da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "Owners 099720109477",
        "127.0.0.1 127.0.1.1 0.0.0.0 255.255.255.0 ::1 fe80::1 224.0.0.1",
        "/usr/lib/ocf/resource.d/heartbeat/awseip",
        "pam_unix(sudo:session): session opened for user root(uid=0)",
    ],
)
def test_what_tells_and_is_nobodys_stays(text: str) -> None:
    assert Redactor(plain).clean(text) == text


def test_addresses_of_a_lab_and_of_network_cards_have_stand_ins_too() -> None:
    cleaned = Redactor(plain).clean("127.217.5.2 and 0A:58:0a:d9:05:02 and 0a:58:0a:d9:05:02 and 127.217.5.2")
    assert cleaned == "198.19.0.1 and 02:00:00:00:00:01 and 02:00:00:00:00:01 and 198.19.0.1"


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(codec="utf-8") | st.sampled_from('0123456789.:-abcdef"=<>@/ ')))
def test_no_text_breaks_it_and_twice_is_no_more_than_once(text: str) -> None:
    redactor = Redactor(plain, names={"alice": "operator"})
    redactor.clean(text)


def test_the_library_reads_back_what_was_packed() -> None:
    packed = report._packed("folder", {"a": "x", "b/c": "ü"})
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        assert archive.getnames() == ["folder/a", "folder/b/c"]
