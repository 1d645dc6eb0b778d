"""The exported script, run by bash with an `ssh` and an `aws` that note what they are given.

The fake ssh hands its command to /bin/sh as a login shell would, with a `sudo` alone on its PATH: so a word that is split
or expanded on the way is seen, and nothing is run. The fake aws answers from a small EC2 by evaluating --query as the
AWS CLI does.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from waiting import BOUND

from iconha_tui.engine.actions import Action, Call, Copy, Run, SecretRef, Upload
from iconha_tui.engine.plan import plan_of
from iconha_tui.engine.script import script_of
from iconha_tui.engine.step import Stage, Vault, View
from iconha_tui.spec import Spec
from iconha_tui.stages import STAGES

from .fakes import ONE, TWO, Wants, stage
from .test_plan import KINDS, spec_of

SECRETS = {"node_access_key_id": "AKIANODEKEYNODEKEY01", "node_secret_access_key": 'se"cr$(e)t`/\\K7MDENG'}
KEY = b"authkey \x00\xff\n"

SSH = """#!/bin/bash
[[ " $* " == *" -O exit "* ]] && exit 0
export CALL; CALL=$(mktemp -d "$RECORD/ssh.XXXXXX")
printf '%s\\0' "$@" >"$CALL/argv"
echo "$CALL" >>"$RECORD/order"
PATH=$REMOTE exec /bin/sh -c "${@: -1}"
"""

# What follows on a node: `sudo -n sh -c COMMAND`.
SUDO = """#!/bin/bash
printf '%s\\0' "$@" >"$CALL/sudo"
/bin/cat >"$CALL/stdin"
case $4 in
  'command -v aws') echo /usr/bin/aws ;;
  'cat /etc/corosync/authkey') printf 'authkey \\0\\377\\n' ;;
  *${FAIL:-no such command}*) exit 1 ;;
esac
"""

AWS = """#!{python}
import json, os, sys, tempfile
import jmespath
argv = sys.argv[1:]
folder = tempfile.mkdtemp(prefix="aws.", dir=os.environ["RECORD"])
with open(folder + "/argv", "w") as file:
    file.write("\\0".join(argv) + "\\0")
with open(os.environ["RECORD"] + "/order", "a") as file:
    file.write(folder + "\\n")
params = json.loads(argv[argv.index("--cli-input-json") + 1])
if "--query" in argv:
    with open(os.environ["EC2"]) as file:
        answer = json.load(file)[argv[1]]
    if argv[1] == "describe-instances":
        wanted = json.dumps(params)
        answer = {{"Reservations": [r for r in answer["Reservations"] if any(
            word in wanted for word in (r["Instances"][0]["InstanceId"], r["Instances"][0]["Tags"][0]["Value"]))]}}
    found = jmespath.search(argv[argv.index("--query") + 1], answer)
    assert argv[argv.index("--output") + 1] == "text"
    print("\\t".join(str(each) for each in (found if isinstance(found, list) else [found])))
"""

MACHINES = [
    {
        "InstanceId": f"i-0000000000000000{number}",
        "State": {"Name": "running"},
        "PrivateIpAddress": f"10.0.0.1{number}",
        "PublicIpAddress": f"198.51.100.1{number}",
        "VpcId": "vpc-1",
        "Placement": {"AvailabilityZone": "us-east-1a"},
        "NetworkInterfaces": [
            {"Attachment": {"DeviceIndex": 1}, "Groups": [{"GroupId": "sg-other"}]},
            {"Attachment": {"DeviceIndex": 0}, "Groups": [{"GroupId": f"sg-a{number}"}, {"GroupId": f"sg-b{number}"}]},
        ],
        "Tags": [{"Key": "iconha:node", "Value": name}],
    }
    for number, name in ((1, ONE), (2, TWO))
]
EC2 = {
    "describe-images": {
        "Images": [
            {"ImageId": "ami-new", "Name": "ubuntu new", "RootDeviceName": "/dev/sda1", "CreationDate": "2026-02"},
            {"ImageId": "ami-old", "Name": "ubuntu old", "RootDeviceName": "/dev/xvda", "CreationDate": "2025-01"},
        ]
    },
    "describe-subnets": {"Subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-1"}]},
    "describe-security-groups": {"SecurityGroups": [{"GroupId": "sg-1", "IpPermissions": []}]},
    "describe-addresses": {
        "Addresses": [
            {"AllocationId": "eipalloc-1", "PublicIp": "203.0.113.10", "InstanceId": MACHINES[0]["InstanceId"]}
        ]
    },
    "describe-instances": {"Reservations": [{"Instances": [each]} for each in MACHINES]},
}
FACTS: dict[str, Any] = {
    "vpc_id": "vpc-1", "image_id": "ami-new", "group_id": "sg-1", "allocation_id": "eipalloc-1",
    "elastic_ip": "203.0.113.10",
    **{
        f"{name}.{fact}": value
        for number, name in ((1, ONE), (2, TWO))
        for fact, value in {
            "subnet_id": "subnet-1", "instance_id": f"i-0000000000000000{number}", "private_ip": f"10.0.0.1{number}",
            "public_ip": f"198.51.100.1{number}", "groups": [f"sg-a{number}", f"sg-b{number}"], "aws": "/usr/bin/aws",
        }.items()
    },
}  # fmt: skip


@dataclass
class Seen:
    """One call of ssh (node, command, stdin) or of aws (argv)."""

    program: str
    argv: list[str]
    node: str = ""
    command: str = ""
    stdin: bytes = b""


class Outside:
    """A folder of fake programs, and what they have noted."""

    def __init__(self, folder: Path) -> None:
        self.record, self.remote, self.bin = (folder / name for name in ("record", "remote", "bin"))
        for each in (self.record, self.remote, self.bin):
            each.mkdir()
        (folder / "ec2.json").write_text(json.dumps(EC2))
        for path, text in (
            (self.bin / "ssh", SSH),
            (self.bin / "aws", AWS.format(python=sys.executable)),
            (self.remote / "sudo", SUDO),
        ):
            path.write_text(text)
            path.chmod(0o755)
        self.env = {
            "PATH": f"{self.bin}:/usr/bin:/bin",
            "HOME": str(folder),
            "RECORD": str(self.record),
            "REMOTE": str(self.remote),
            "EC2": str(folder / "ec2.json"),
            "TMPDIR": str(folder),
            **{f"ICONHA_{name.upper()}": value for name, value in SECRETS.items()},
        }

    def run(self, script: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-s"], input=script, env={**self.env, **env}, capture_output=True, text=True, timeout=BOUND
        )

    def seen(self) -> list[Seen]:
        found = []
        order = self.record / "order"
        for folder in (Path(line) for line in order.read_text().splitlines()) if order.exists() else ():
            argv = _words(folder / "argv")
            if folder.name.startswith("aws."):
                found.append(Seen("aws", argv))
                continue
            sudo = _words(folder / "sudo")
            assert sudo[:3] == ["-n", "sh", "-c"], sudo
            assert len(sudo) == 4, "the command is one word"
            node = {"198.51.100.11": ONE, "198.51.100.12": TWO}[argv[-2]]
            found.append(Seen("ssh", argv, node, sudo[3], (folder / "stdin").read_bytes()))
        return found


def _words(path: Path) -> list[str]:
    return path.read_text().split("\0")[:-1]


@pytest.fixture
def outside(tmp_path: Path) -> Outside:
    return Outside(tmp_path)


def planned(stages: tuple[Stage, ...], spec: Spec) -> list[Action]:
    return [action for each in plan_of(stages, View(spec, FACTS)) for action in each.actions]


@pytest.mark.parametrize("kind", KINDS, ids="-".join)
def test_every_kind_of_spec_gives_a_script_that_bash_can_read(kind: tuple[str, str, str, str]) -> None:
    script = script_of(STAGES, View(spec_of(*kind)))
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "⟪" not in script


@pytest.mark.parametrize("kind", [KINDS[0], KINDS[-2], KINDS[-1]], ids="-".join)
def test_the_script_does_what_the_plan_shows(outside: Outside, kind: tuple[str, str, str, str]) -> None:
    spec = spec_of(*kind)
    done = outside.run(script_of(STAGES, View(spec)))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "done"
    seen, actions = outside.seen(), planned(STAGES, spec)

    for node in (ONE, TWO):
        wanted = [words_of(action) for action in actions if isinstance(action, Run) and action.target == node]
        commands = [each.command for each in seen if each.node == node]
        ran = [[command] if [command] in wanted else words_of(command) for command in commands]
        assert [words for words in ran if words in wanted] == wanted, "each command, in the plan's order"

        uploads = [action for action in actions if isinstance(action, Upload) and action.target == node]
        contents = [each.stdin.decode() for each in seen if each.node == node and each.stdin and each.stdin != KEY]
        assert contents == [Vault(SECRETS).reveal(upload.content) for upload in uploads]

    (copy,) = [action for action in actions if isinstance(action, Copy)]
    assert [each.node for each in seen if each.stdin == KEY] == [copy.target]

    calls = [each.argv for each in seen if each.program == "aws" and "--query" not in each.argv]
    assert sorted(
        json.dumps([argv[0], argv[1], _without_token(json.loads(argv[argv.index("--cli-input-json") + 1]))])
        for argv in calls
    ) == sorted(
        json.dumps([action.service, action.operation.replace("_", "-"), _without_token(dict(action.params))])
        for action in actions
        if isinstance(action, Call)
    )


def words_of(command: Run | str) -> list[str]:
    """The words of a command; a shell's script is one."""
    if isinstance(command, Run):
        return [command.argv[2].strip()] if command.argv[:2] == ("sh", "-c") else list(command.argv)
    try:
        return shlex.split(command)
    except ValueError:
        return []


def _without_token(params: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if name != "ClientToken"}


def test_secrets_travel_by_standard_input_and_are_in_no_command_line(outside: Outside) -> None:
    script = script_of(STAGES, View(spec_of("crm", "udpu", "launch", "keys")))
    assert not any(value in script for value in SECRETS.values())
    done = outside.run(script)
    assert done.returncode == 0, done.stderr
    seen = outside.seen()
    for value in SECRETS.values():
        assert not [each for each in seen if value in "\0".join([*each.argv, each.command])]
        assert value not in done.stdout + done.stderr
        assert [each.node for each in seen if value.encode() in each.stdin].count(ONE) == 1


def test_without_the_secrets_the_script_says_which_and_begins_nothing(outside: Outside) -> None:
    del outside.env["ICONHA_NODE_SECRET_ACCESS_KEY"]
    done = outside.run(script_of(STAGES, View(spec_of("crm", "udpu", "launch", "keys"))))
    assert done.returncode != 0
    assert "ICONHA_NODE_SECRET_ACCESS_KEY" in done.stderr
    assert outside.seen() == []


@pytest.mark.parametrize("failing", ["apt-get", "corosync-keygen", "systemctl restart corosync"])
def test_a_command_that_fails_on_a_node_ends_the_script_there(outside: Outside, failing: str) -> None:
    done = outside.run(script_of(STAGES, View(spec_of("crm", "udpu", "launch", "keys"))), FAIL=failing)
    assert done.returncode != 0
    assert "done" not in done.stdout.splitlines()
    last = outside.seen()[-1]
    assert failing in " ".join(each.command for each in outside.seen())
    assert "crm configure primitive" not in last.command


HOSTILE_CONF = "totem {\n  # $HOME `reboot` $(reboot) \\$x \\\\ 'quo\"te' !! %s\n}\nEND_OF_FILE\nreboot\nEND_OF_FILE_\n"


def test_values_with_shell_characters_stay_what_they_are(outside: Outside) -> None:
    spec = spec_of(
        "crm", "udpu", "launch", "role",
        ssh={"key_file": "/home/a b/it's $(reboot);key", "port": 2222},
        corosync={"conf": {ONE: HOSTILE_CONF}},
        instances={"key_pair": "it's `reboot` $(x) \"y\"; #"},
    )  # fmt: skip
    done = outside.run(script_of(STAGES, View(spec)))
    assert done.returncode == 0, done.stderr
    seen = outside.seen()
    for each in (each for each in seen if each.program == "ssh"):
        assert each.argv[each.argv.index("-i") + 1] == "/home/a b/it's $(reboot);key"
        assert each.argv[each.argv.index("-p") + 1] == "2222"
    assert [each.node for each in seen if each.stdin.decode(errors="replace") == HOSTILE_CONF] == [ONE]
    launches = [each.argv for each in seen if each.program == "aws" and each.argv[1] == "run-instances"]
    assert {json.loads(argv[argv.index("--cli-input-json") + 1])["KeyName"] for argv in launches} == {
        spec.instances.key_pair
    }
    assert not [each for each in seen if each.command.strip() == "reboot"]


def test_a_path_of_the_operators_home_is_the_home_of_whoever_runs_the_script(outside: Outside) -> None:
    spec = spec_of("crm", "udpu", "launch", "role", ssh={"key_file": "~/.ssh/my key"})
    outside.run(script_of(STAGES, View(spec)))
    first = next(each for each in outside.seen() if each.program == "ssh")
    assert first.argv[first.argv.index("-i") + 1] == f"{outside.env['HOME']}/.ssh/my key"


def test_node_names_that_begin_with_a_digit_are_fine(outside: Outside) -> None:
    spec = Spec.model_validate({**spec_of("crm", "udpu", "existing", "role").model_dump(), "nodes": [
        {"name": "1st", "instance_id": MACHINES[0]["InstanceId"]}, {"name": "2nd", "instance_id": MACHINES[1]["InstanceId"]},
    ]})  # fmt: skip
    done = outside.run(script_of(STAGES, View(spec)))
    assert done.returncode == 0, done.stderr
    conf = next(each.stdin.decode() for each in outside.seen() if b"nodelist" in each.stdin)
    assert "ring0_addr: 10.0.0.11\n        name: 1st\n" in conf


def test_what_aws_does_not_tell_ends_the_script_by_its_name(outside: Outside) -> None:
    ec2 = {**EC2, "describe-images": {"Images": []}}
    Path(outside.env["EC2"]).write_text(json.dumps(ec2))
    done = outside.run(script_of(STAGES, View(spec_of("crm", "udpu", "launch", "role"))))
    assert done.returncode != 0
    assert "nobody tells IMAGE_ID" in done.stderr
    assert not [each for each in outside.seen() if each.argv[1] == "run-instances"]


@pytest.mark.parametrize(
    "hostile", ["x; reboot", "$(reboot)", "`reboot`", "a'b", "-rf", "\x1b]52;c;x\x07", "|reboot", "&&reboot"]
)
@pytest.mark.parametrize("teller", ["AWS", "a node"])
def test_a_fact_that_is_more_than_a_word_ends_the_script(outside: Outside, teller: str, hostile: str) -> None:
    if teller == "AWS":
        changed = json.loads(json.dumps(EC2).replace("eipalloc-1", json.dumps(hostile)[1:-1]))
        Path(outside.env["EC2"]).write_text(json.dumps(changed))
        name = "ALLOCATION_ID"
    else:
        path = outside.remote / "sudo"
        path.write_text(path.read_text().replace("echo /usr/bin/aws", f"printf %s {shlex.quote(hostile)}"))
        name = "PREP_01_AWS"
    done = outside.run(script_of(STAGES, View(spec_of("crm", "udpu", "launch", "role"))))
    assert done.returncode != 0
    assert f"{name} is not what such a value looks like" in done.stderr
    assert "\x1b" not in done.stderr
    assert not [each for each in outside.seen() if hostile in each.command]


def test_a_file_that_the_script_replaces_is_kept_as_a_run_keeps_it(outside: Outside, tmp_path: Path) -> None:
    (outside.remote / "sudo").write_text('#!/bin/bash\nPATH=/usr/bin:/bin; shift; exec "$@"\n')
    place = tmp_path / "it's a folder" / "file"
    place.parent.mkdir()
    me = f"{os.getuid()}:{os.getgid()}"
    instances = next(each for each in STAGES if each.name == "instances")
    spec = spec_of("crm", "udpu", "existing", "keys")
    for content in ("old", "old", "new"):
        upload = Upload(ONE, str(place), (content, "\n"), owner=me, backup=True)
        script = script_of(
            [instances, stage(Wants(targets=[ONE], plan=lambda view, target, it=upload: [it]))], View(spec)
        )
        done = outside.run(script)
        assert done.returncode == 0, done.stderr
    kept = [path for path in place.parent.iterdir() if path != place]
    assert [re.sub(r"\d{8}T\d{6}Z$", "<time>", path.name) for path in kept] == ["file.iconha-<time>"]
    assert (kept[0].read_text(), place.read_text()) == ("old\n", "new\n")


@pytest.mark.parametrize("accepts", [True, False])
def test_an_uploaded_file_replaces_the_old_one_whole_or_not_at_all(
    outside: Outside, tmp_path: Path, accepts: bool
) -> None:
    """The only test that lets `sudo` do what it is told: inside a folder of its own."""
    (outside.remote / "sudo").write_text('#!/bin/bash\nPATH=/usr/bin:/bin; shift; exec "$@"\n')
    place = tmp_path / "it's a folder" / "file"
    place.parent.mkdir()
    place.write_text("old")
    judge = ("grep", "-q", "secret" if accepts else "nowhere", "{}")
    me = f"{os.getuid()}:{os.getgid()}"
    upload = Upload(
        ONE, str(place), ("a $HOME secret: ", SecretRef("node_secret_access_key"), "\n"),
        mode=0o640, owner=me, check=judge,
    )  # fmt: skip
    instances = next(each for each in STAGES if each.name == "instances")
    spec = spec_of("crm", "udpu", "existing", "keys")
    script = script_of([instances, stage(Wants(targets=[ONE], plan=lambda view, target: [upload]))], View(spec))
    done = outside.run(script)
    assert (done.returncode == 0) == accepts, done.stderr
    if accepts:
        assert place.read_text() == f"a $HOME secret: {SECRETS['node_secret_access_key']}\n"
        assert place.stat().st_mode & 0o777 == 0o640
    else:
        assert place.read_text() == "old"
    assert [path.name for path in place.parent.iterdir()] == ["file"]
