"""Known secrets are planted, the whole job is done with its failures, and everything that is left is searched for them."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import leaks
import pytest
from faults import Table
from mischief import Bench, Victim
from program import Event, Program
from textual.pilot import Pilot
from textual.widgets import Input
from waiting import BOUND

from iconha_tui.app import IconhaApp
from iconha_tui.control.run_controller import RunRequest
from iconha_tui.lab.lab import Lab
from iconha_tui.lab.shell import run
from iconha_tui.screens.dialogs import HostKey
from iconha_tui.session import KEY_PASSPHRASE, NODE_KEYS, OPERATOR_KEYS
from iconha_tui.spec import Spec
from iconha_tui.store import Store
from iconha_tui.widgets.fields import SecretField

SECTION = "Secrets"
pytestmark = pytest.mark.slow
THOROUGH = "ICONHA_FAULTS_TABLE" in os.environ

KILLED = ("authkey.generate", "authkey.copy", "awscli.config") if THOROUGH else ("authkey.copy",)
"""The steps in which the program is killed, and once more where it replaces the credentials."""


def _planted(middle: str) -> str:
    """A secret whose beginning and end nothing else on this machine has."""
    return f"{token_urlsafe(9)}{middle}{token_urlsafe(9)}"


PLANTED = {
    "operator's wrong secret": _planted("'$(touch /tmp/elsewhere)\"`id`;|&<>\\ "),
    "operator's wrong token": _planted("^tok[e]n.*(\\d+)|$" * 4),
    "nodes' wrong secret": _planted("/+%2F&x=1"),
    "typed secret": _planted("+/0123456789"),
    "typed token": _planted("typedSessionToken/+" * 30),
    "typed secret of the nodes": _planted("typed"),
    "passphrase": f"{token_urlsafe(4)} %",
}
"""Secrets that are ours to choose. The lab's own keys and the authkey join them."""

KEPT = {
    r"/root/\.aws/credentials(\.iconha-\d{8}T\d{6}Z)?": ("root:root 600", "nodes"),
    r"/etc/corosync/authkey(\.iconha-\d{8}T\d{6}Z)?": ("root:root 400", "authkey"),
}
"""The places on the nodes that must hold a secret: owner and mode, and whose secret."""

UMASK = "/etc/sudoers.d/zz-umask"
"""Makes sudo give every command of the program the umask 000."""

CRASH = """
import sys
from iconha_tui import cli, lines
from iconha_tui.session import Session
from iconha_tui.stages import awscli

def planned(self, view, target):
    raise RuntimeError(f"planned for {target}: {keys()}")

def probed(self, ctx, target):
    keys.vault = ctx.vault
    ctx.vault and self.plan(ctx.view, target)

def keys():
    return repr(keys.vault.get("node_secret_access_key"))

class Late(lines.Lines):
    def __call__(self, event):
        if type(event).__name__ == "StageFinished" and event.stage == "credentials":
            raise RuntimeError(f"late: {keys.vault.get('node_secret_access_key')}")

made = Session.load_node_keys
def load_node_keys(self):
    keys.vault = self.ctx.vault
    made(self)

Session.load_node_keys = load_node_keys
if sys.argv.pop(1) == "step":
    awscli.Configured.plan, awscli.Configured.probe = planned, probed
else:
    lines.JsonLines = lines.Lines = Late
sys.exit(cli.main())
"""
"""The program, with a defect that puts a secret into an exception: in a step, or where nobody catches it."""


@dataclass
class Job:
    """What was done and what is left of it. given: the operator's own files; state, home, out: where the program writes."""

    lab: Lab
    folder: Path
    bench: Bench
    secrets: dict[str, bytes]
    ends: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Of the runs: exit code, and what was said."""
    kills: int = 0
    watched: dict[str, Any] = field(default_factory=dict)

    @property
    def given(self) -> Path:
        return self.folder / "given"

    @property
    def left(self) -> Path:
        return self.folder / "left"

    def program(self, spec: Spec, **environment: str) -> Program:
        home = {"HOME": str(self.left / "home"), "TMPDIR": str(self.left / "tmp")}
        return Program(self.lab, self.left / "state", spec, home | environment)

    def call(self, name: str, *words: str, code: int | None = 0, argv: tuple[str, ...] = ("-m", "iconha_tui")) -> str:
        """Another command of the program; what it says is kept among what is left."""
        program = self.program(self.bench.program.spec)
        done = subprocess.run(
            [sys.executable, *argv, *words],
            env=os.environ | program.environment | {"ICONHA_STATE_DIR": str(self.left / "state")},
            capture_output=True,
            text=True,
            timeout=BOUND,
            check=False,
            umask=0,
        )
        (self.left / "out" / name).write_text(done.stdout + done.stderr)
        assert code is None or done.returncode == code, f"{name}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        return done.stdout + done.stderr

    def keep(self, name: str, program: Program, *options: str) -> None:
        """A run to its end; its events are kept among what is left."""
        going = program.run(*options)
        said = "\n".join(json.dumps(each, ensure_ascii=False) for each in going.events)
        self.ends[name] = going.process.returncode, said
        (self.left / "out" / f"{name}.jsonl").write_text(said)

    def kill_at(self, name: str, program: Program, matches: Callable[[Event], bool], *options: str) -> None:
        going = program.start(*options)
        assert going.until(matches), f"{going.events[-2:]}\n{going.said}"
        going.kill()
        self.kills += 1
        (self.left / "out" / f"{name}.jsonl").write_text("\n".join(json.dumps(each) for each in going.events))

    @property
    def nodes(self) -> list[Victim]:
        return [self.bench.first, self.bench.second]


def profile(config: Path, name: str) -> dict[str, str]:
    section = config.read_text().partition(f"[profile {name}]")[2] or config.read_text().partition(f"[{name}]")[2]
    return dict(re.findall(r"(?m)^(\w+) *= *(\S+)$", section.partition("\n[")[0]))


def prepared(lab: Lab, bench: Bench, folder: Path) -> Job:
    """The operator's files, and machines on which the stages with secrets have everything to do."""
    job = Job(lab, folder, bench, {name: value.encode() for name, value in PLANTED.items()})
    for each in (job.given, job.left / "state", job.left / "home", job.left / "tmp", job.left / "out"):
        each.mkdir(parents=True)
    for name in ("lab", "lab-nodes"):
        job.secrets[name] = profile(lab.aws_config_file, name)["aws_secret_access_key"].encode()
    key = job.given / "id_locked"
    shutil.copy(lab.key_file, key)
    run(["ssh-keygen", "-q", "-p", "-P", "", "-N", PLANTED["passphrase"], "-f", str(key)])
    for number, line in enumerate(lab.key_file.read_text().splitlines()):
        if number > 2 and "-----" not in line:  # all keys begin alike
            job.secrets[f"private key, line {number}"] = line.encode()
    for node in job.nodes:
        node.sh("systemctl stop pacemaker corosync; rm -rf /etc/corosync/authkey* /root/.aws; touch /run/began")
        node.sh(f"echo 'Defaults umask=0000, umask_override' >{UMASK}; chmod 440 {UMASK}")
    return job


def begins(step: str) -> Callable[[Event], bool]:
    return lambda event: event["event"] == "ActionStarted" and event["step"] == step


def done(job: Job) -> None:
    """The whole job, with what goes wrong on the way."""
    spec = job.bench.program.spec
    wrong = {
        "AWS_ACCESS_KEY_ID": "AKIAWRONGWRONG000001",
        "AWS_SECRET_ACCESS_KEY": PLANTED["operator's wrong secret"],
        "AWS_SESSION_TOKEN": PLANTED["operator's wrong token"],
        "AWS_ENDPOINT_URL": job.lab.endpoint,
    }
    stranger = spec.model_copy(update={"aws": spec.aws.model_copy(update={"profile": "", "config_file": ""})})
    denied = spec.model_copy(update={"aws": spec.aws.model_copy(update={"profile": "lab-nodes"})})
    job.keep("wrong-keys", job.program(stranger, **wrong))
    job.keep("denied", job.program(denied))

    environment = {
        "ICONHA_NODE_ACCESS_KEY_ID": "AKIAWRONGWRONG000002",
        "ICONHA_NODE_SECRET_ACCESS_KEY": PLANTED["nodes' wrong secret"],
    }
    typed = spec.model_copy(update={"awscli": spec.awscli.model_copy(update={"profile": ""})})
    unproven = job.program(typed, **environment)
    skip = ("--no-check", "--skip", "credentials.nodes")
    for step in KILLED:
        job.kill_at(f"killed-at-{step}", unproven, begins(step), *skip)
    job.keep("unproven", unproven, *skip)

    program = job.program(spec)
    for node in job.nodes:
        node.sh("umask 077; echo left >/root/.aws/.credentials.iconha-0123456789ab; touch -d -1hour /root/.aws/.cred*")
    job.kill_at("killed-at-replacing", program, begins("awscli.config"), "--no-check")
    job.keep("whole", program, "--no-check")
    rule = "/etc/sudoers.d/taken"
    job.bench.second.sh(f"mkdir {rule}.d; mv /etc/sudoers.d/[0-9]* {rule}.d/")
    try:
        job.keep("sudo-refused", program, "--no-check")
    finally:
        job.bench.second.sh(f"mv {rule}.d/* /etc/sudoers.d/; rmdir {rule}.d")

    node = job.bench.first
    node.sh("mv /root/.aws/credentials /root/.aws/aside; ln -s /tmp/elsewhere /root/.aws/credentials")
    job.keep("planted-link", program, "--no-check")
    node.sh("mv -T /root/.aws/aside /root/.aws/credentials")

    path = job.left / "state" / "spec.toml"
    crash = job.given / "crash.py"
    crash.write_text(CRASH)
    job.call("crash-in-a-step", "step", "run", str(path), "--yes", "--json", "--no-check", code=1, argv=(str(crash),))
    job.call("crash", "late", "run", str(path), "--yes", "--json", "--no-check", code=1, argv=(str(crash),))
    job.call("check", "check", str(path), code=None)
    job.call("plan", "plan", str(path))
    job.call("plan-json", "plan", str(path), "--json")
    job.call("plan-script", "plan", str(path), "--script")
    job.call("status", "status", spec.name, "--json", code=None)
    job.call("report", "report", spec.name, "-o", str(job.left / "report.tar.gz"))
    with tarfile.open(job.left / "report.tar.gz") as archive:
        archive.extractall(job.left / "report", filter="data")


async def by_hand(job: Job) -> None:
    """The wizard: secrets typed into its fields, wrong ones and then right ones; a picture of every screen is kept."""
    spec = job.bench.program.spec.model_copy(deep=True)
    spec.ssh.key_file, spec.awscli.profile = str(job.given / "id_locked"), ""
    app = IconhaApp(Store(job.left / "wizard"), spec=spec)
    typed = {
        OPERATOR_KEYS[0]: "AKIATYPEDTYPED000001",
        OPERATOR_KEYS[1]: PLANTED["typed secret"],
        OPERATOR_KEYS[2]: PLANTED["typed token"],
        NODE_KEYS[0]: "AKIATYPEDTYPED000002",
        NODE_KEYS[1]: PLANTED["typed secret of the nodes"],
        KEY_PASSPHRASE: PLANTED["passphrase"],
    }
    keys = profile(job.lab.aws_config_file, "lab-nodes")
    right = dict.fromkeys(OPERATOR_KEYS, "") | {
        NODE_KEYS[0]: keys["aws_access_key_id"],
        NODE_KEYS[1]: keys["aws_secret_access_key"],
    }
    async with app.run_test(size=(120, 40)) as pilot:
        for values, state in ((typed, "failed"), (right, "done")):
            await until(pilot, lambda: app.screen.query(SecretField))
            for each in app.screen.query(SecretField):
                each.query_one(Input).value = values.get(each.secret, each.query_one(Input).value)
            await shot(job, pilot, f"{state}-typed")
            await pilot.press("f5")
            await until(pilot, lambda state=state: app.cluster.runs.progress.stage("credentials").state == state)  # type: ignore[misc]
            await shot(job, pilot, state)
            await pilot.press("f3")
            await shot(job, pilot, f"{state}-output")
            await pilot.press("f2")
        app.work.run(RunRequest(tuple(stage for stage in app.stages if stage.name == "instances")))
        for _ in job.nodes:
            await until(pilot, lambda: isinstance(app.screen, HostKey))
            await shot(job, pilot, "host-key")
            await pilot.press("y")
            await pilot.pause()
        await until(pilot, lambda: app.cluster.runs.progress.stage("instances").state == "done")
        await shot(job, pilot, "instances")


async def until(pilot: Pilot[Any], true: Callable[[], Any]) -> None:
    deadline = time.monotonic() + BOUND
    await pilot.pause(0.05)
    while not true():
        assert time.monotonic() < deadline, "it does not come true"
        await pilot.pause(0.05)


async def shot(job: Job, pilot: Pilot[Any], name: str) -> None:
    await pilot.pause()
    (job.left / "out" / f"{name}.svg").write_text(pilot.app.export_screenshot())


@pytest.fixture(scope="module")
def job(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Job]:
    one = prepared(bench.program.lab, bench, tmp_path_factory.mktemp("secrets"))
    old = os.umask(0)
    watch = leaks.Watch()
    try:
        done(one)
        asyncio.run(by_hand(one))
        for node in one.nodes:
            for number, key in enumerate(
                node.sh("for f in /etc/corosync/authkey*; do base64 -w0 $f; echo; done").split()
            ):
                one.secrets[f"authkey {number}"] = base64.b64decode(key)
        one.watched = watch.end(leaks.needles(one.secrets))
        yield one
    finally:
        os.umask(old)
        watch.stop()
        for node in one.nodes:
            node.sh(f"rm -f {UMASK}")


def test_everything_that_was_to_go_wrong_has_gone_wrong(job: Job) -> None:
    for name, words in {
        "wrong-keys": "AWS does not know this access key",
        "denied": "may not call",
        "unproven": "awscli.proof",
        "sudo-refused": "sudo refused",
        "planted-link": "/root/.aws/credentials is a symbolic link",
    }.items():
        code, said = job.ends[name]
        assert code != 0, name
        assert words in said, f"{name}: {said[-3000:]}"
    assert job.ends["whole"][0] == 0, job.ends["whole"][1][-3000:]
    assert job.kills == len(KILLED) + 1
    log = (job.left / "state" / "iconha-tui.log").read_text()
    assert "RuntimeError: planned for" in log
    assert "RuntimeError: late" in log
    assert log.count("••••••••") == 2, "the secret was there, and is masked"


def test_no_process_shows_a_secret_in_its_arguments_or_environment(job: Job, table: Table) -> None:
    """What the operator hands over in the environment stands in the environment of the program: there is no other way."""
    handed_over = ("operator's wrong", "nodes' wrong")
    found = [
        [part, command, name]
        for part, command, name in job.watched["hits"]
        if not (part == "environ" and "iconha_tui" in command and name.startswith(handed_over))
    ]
    assert found == []
    started, read = job.watched["started"], job.watched["read"]
    assert read > 100
    table.row(
        fault="Somebody reads the processes' arguments and environments, here and on the nodes",
        how=f"the kernel tells of every program that is started: {started}, of which {read} lived until they were read",
        sees="nothing",
        result="no secret in any; but in the program's own environment, where the operator hands one over in it",
    )


def test_no_file_that_the_program_leaves_here_holds_a_secret(job: Job, table: Table) -> None:
    wanted = leaks.needles(job.secrets)
    assert leaks.in_files(Path("/"), [job.left], wanted) == {}
    assert leaks.in_files(Path("/"), [job.lab.key_file.parent], wanted) != {}, "the search finds what is there"
    kept = [path for name in ("state", "wizard") for path in (job.left / name / "clusters").rglob("*")]
    kept += [job.left / "state" / "iconha-tui.log", job.left / "report.tar.gz"]
    assert {(path.is_dir(), oct(path.stat().st_mode & 0o777)) for path in kept} == {(True, "0o700"), (False, "0o600")}
    assert not [path for path in kept if path.is_symlink() or re.fullmatch(r"\..*\.[0-9a-f]{12}", path.name)]
    assert list((job.left / "tmp").iterdir()) == []
    files = sum(1 for path in job.left.rglob("*") if path.is_file())
    table.row(
        fault="Somebody reads every file that the program leaves here",
        how=f"{len(PLANTED)} secrets planted, wrong and right ones, {job.kills} kills, 2 crashes with a secret in the exception, "
        f"refusals; then {files} files: state, log, home, what was printed, the report unpacked, pictures of the wizard",
        sees="nothing",
        result="no piece of 12 characters of any secret, as it is, in base64, hexadecimal, URLs, JSON; umask 000, files 0600",
    )


def test_on_the_nodes_secrets_are_only_where_they_must_be_and_root_alone_reads_them(job: Job, table: Table) -> None:
    wanted = leaks.needles(job.secrets)
    places = set()
    for node in job.nodes:
        pid = node.pid
        root = Path(f"/proc/{pid}/root")
        found = leaks.in_files(root, list(leaks.file_systems(pid)), wanted)
        for place in found:
            kept = [rule for pattern, rule in KEPT.items() if re.fullmatch(pattern, place)]
            assert kept, f"{place}: {found[place]}"
            mode, whose = kept[0]
            assert all(whose in name or (whose == "nodes" and name.startswith("lab-nodes")) for name in found[place])
            assert node.sh(f"stat -c '%U:%G %a' {place}").strip() == mode
            places.add(place)
        assert {"/root/.aws/credentials", "/etc/corosync/authkey"} <= set(found)
        journal = node.sh("journalctl -a --no-pager -o export").encode()
        assert len(journal) > 10_000
        assert leaks.hits(journal, wanted) == set()
        assert node.sh("stat -c '%U %a' /root/.aws /var/lib/iconha-tui").splitlines() == ["root 700", "root 700"]
        ours = "/etc/corosync /root /var/lib/iconha-tui /run/iconha* /tmp /etc/systemd/system/pacemaker.service.d"
        assert node.sh(f"find {ours} -newer /run/began -perm /022 ! -type l ! -perm -1000 2>/dev/null") == ""
        assert node.sh("find / -xdev -name '.*.iconha-*'; ls -d /run/iconha-primitive* /tmp/elsewhere") == ""
    assert any(".iconha-" in place for place in places), "a file that was replaced is kept"
    table.row(
        fault="Somebody reads the nodes' whole file systems and journals",
        how="all files of both nodes after the job, packed logs unpacked, and `journalctl -a`; sudo gave every command umask 000",
        sees="nothing",
        result="secrets in /root/.aws/credentials (0600) and /etc/corosync/authkey (0400) and their backups alone, root's",
    )


def test_a_link_in_the_place_of_a_file_with_secrets_is_not_written_through(job: Job, table: Table) -> None:
    said = job.ends["planted-link"][1].splitlines()
    (end,) = [each for each in map(json.loads, said) if each["event"] == "StepFinished" and each["outcome"] == "failed"]
    table.row(
        fault="A link stands in the place of root's AWS credentials",
        how="/root/.aws/credentials leads to /tmp",
        sees=f"{end['where']}: {end['text']} {end['remedy']}",
        result="nothing was written, there or behind the link",
    )


def test_a_report_tells_no_stranger_whose_machines_these_are(job: Job, table: Table) -> None:
    (folder,) = (job.left / "report").iterdir()
    told = {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}
    instances = [job.lab.instance(node.id) for node in job.nodes]
    whose = [one[key] for one in instances for key in ("id", "private_ip", "public_ip")]
    whose += [
        job.lab.record.key_pair,
        job.lab.record.subnet_id,
        "123456789012",
        str(job.lab.key_file),
        str(job.left / "state"),
    ]
    assert {(name, each) for name, text in told.items() for each in whose if each and each in text} == set()
    manifest = told["MANIFEST.txt"]
    assert [name for name in told if name not in manifest] == []
    for node in ("PRep-01", "PRep-02"):
        assert "elastic-ip" in told[f"{node}/cib.xml"]
        assert "ring0_addr" in told[f"{node}/corosync.conf"]
    table.row(
        fault="A report is sent to a stranger",
        how=f"`iconha-tui report` after all of it; {len(told)} files",
        sees="MANIFEST.txt: what is in it, what is not, how much was replaced",
        result="no secret; no address, AWS id, account, key name, path or user of the operator's",
    )
