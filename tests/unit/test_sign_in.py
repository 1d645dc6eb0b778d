"""A profile that wants more than keys: an MFA code is asked once and where the operator is; a credential_process asks nobody."""

from __future__ import annotations

import datetime
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from waiting import BOUND, wait_until

from iconha_tui.cloud import credentials
from iconha_tui.cloud.client import Client, profile_keys, secrets_of
from iconha_tui.cloud.credentials import SignIn
from iconha_tui.cloud.stoppable import StoppableCloud
from iconha_tui.engine.cancel import Cancel
from iconha_tui.errors import Cancelled, Trouble
from iconha_tui.session import Session
from iconha_tui.spec import Aws, Spec, save
from iconha_tui.store import Store

DEVICE = "arn:aws:iam::123456789012:mfa/operator"
RIGHT, WRONG = "491827", "000000"

CONFIG = f"""[profile base]
aws_access_key_id = AKIABASEBASEBASE0001
aws_secret_access_key = basesecretbasesecret
[profile mfa]
role_arn = arn:aws:iam::123456789012:role/admin
source_profile = base
mfa_serial = {DEVICE}
[profile chained]
role_arn = arn:aws:iam::123456789012:role/other
source_profile = mfa
[profile process]
credential_process = PROCESS
[profile on-process]
role_arn = arn:aws:iam::123456789012:role/admin
source_profile = process
mfa_serial = {DEVICE}
[profile no-line]
credential_process = sh -c "never closed
"""

ARN = "arn:aws:sts::123456789012:assumed-role/admin/x"
IDENTITY = f"<GetCallerIdentityResult><Arn>{ARN}</Arn><Account>123456789012</Account></GetCallerIdentityResult>"
ROLE = """<AssumeRoleResult><Credentials>
<AccessKeyId>ASIAROLEROLEROLE0001</AccessKeyId><SecretAccessKey>rolesecret</SecretAccessKey><SessionToken>roletoken</SessionToken>
<Expiration>{}</Expiration></Credentials></AssumeRoleResult>"""
REFUSED = """<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>
<Message>MultiFactorAuthentication failed with invalid MFA one time pass code. </Message></Error></ErrorResponse>"""


class Sts:
    """What answers as AWS on the loopback. calls: the fields of each that came. holds: seconds for which a role does."""

    def __init__(self) -> None:
        self.calls: list[dict[str, str]] = []
        self.holds = 3600
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                fields = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                status, text = owner.answer({name: values[0] for name, values in fields.items()})
                self.send_response(status)
                self.send_header("Content-Type", "text/xml")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, fields: dict[str, str]) -> tuple[int, str]:
        self.calls.append(fields)
        if fields["Action"] == "AssumeRole":
            if "SerialNumber" in fields and fields.get("TokenCode") != RIGHT:
                return 403, REFUSED
            end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=self.holds)
            return 200, f"<AssumeRoleResponse>{ROLE.format(end.isoformat())}</AssumeRoleResponse>"
        return 200, f"<GetCallerIdentityResponse>{IDENTITY}</GetCallerIdentityResponse>"

    def asked(self, action: str) -> int:
        return sum(call["Action"] == action for call in self.calls)


@pytest.fixture
def sts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sts]:
    sts = Sts()
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{sts.server.server_port}")
    yield sts
    sts.server.shutdown()
    sts.server.server_close()


Profile = Callable[..., Aws]


@pytest.fixture
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Profile:
    def named(name: str, process: str = "") -> Aws:
        (tmp_path / "config").write_text(CONFIG.replace("PROCESS", process))
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
        return Aws(profile=name)

    return named


class Operator:
    """Types codes, one for each question."""

    def __init__(self, *codes: str) -> None:
        self.codes = list(codes)
        self.asked: list[str] = []

    def code(self, device: str, cancel: Cancel) -> str:
        self.asked.append(device)
        return self.codes.pop(0)


def identity(client: Client) -> str:
    return str(client.call("sts", "get_caller_identity")["Account"])


# An MFA code


@pytest.mark.parametrize("name", ["mfa", "chained"])
def test_the_code_is_asked_once_for_all_clients_that_share_what_it_brought(
    sts: Sts, profile: Profile, name: str
) -> None:
    operator, roles = Operator(RIGHT), dict[str, Any]()
    aws = profile(name)
    first, second = (Client(aws, (), SignIn(operator.code, roles)) for _ in range(2))
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda _: identity(first), range(8))) == {"123456789012"}
    assert identity(second) == "123456789012"
    assert operator.asked == [DEVICE]
    assert sts.calls[0] | {"SerialNumber": DEVICE, "TokenCode": RIGHT} == sts.calls[0]


def test_a_session_asks_once_whatever_becomes_of_its_clients(sts: Sts, profile: Profile, tmp_path: Path) -> None:
    operator = Operator(RIGHT)
    spec = Spec(aws=profile("mfa"))
    session = Session(Store(tmp_path / "state"), spec, confirm_host_key=lambda *_: False)
    session.ask_code = operator.code
    session.ctx.cloud.call("sts", "get_caller_identity")
    session.use(spec.model_copy(update={"aws": spec.aws.model_copy(update={"region": "eu-west-1"})}))
    session.ctx.cloud.call("sts", "get_caller_identity")
    assert operator.asked == [DEVICE]
    session.save()
    kept = [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
    assert kept
    assert not [path for path in kept if RIGHT.encode() in path.read_bytes() or b"rolesecret" in path.read_bytes()]


def test_a_code_that_is_not_accepted_is_said_and_asked_for_again(sts: Sts, profile: Profile) -> None:
    operator = Operator(WRONG, RIGHT)
    client = Client(profile("mfa"), (), SignIn(operator.code))
    with pytest.raises(Trouble, match="AWS does not accept this MFA code") as caught:
        identity(client)
    assert "wait for the next one" in caught.value.remedy
    assert WRONG not in f"{caught.value} {caught.value.detail}"
    assert identity(client) == "123456789012"
    assert operator.asked == [DEVICE, DEVICE]


def test_a_role_that_expires_is_signed_in_to_again(sts: Sts, profile: Profile) -> None:
    operator = Operator(RIGHT, RIGHT)
    client = Client(profile("mfa"), (), SignIn(operator.code))
    sts.holds = 300  # botocore takes a role that holds for less than ten minutes as expired
    assert identity(client) == "123456789012"
    sts.holds = 3600
    assert identity(client) == "123456789012"
    assert operator.asked == [DEVICE, DEVICE]


def test_where_nobody_can_be_asked_that_is_a_sentence(sts: Sts, profile: Profile) -> None:
    aws = profile("mfa")
    for look in (lambda: identity(Client(aws)), lambda: secrets_of(aws)):
        with pytest.raises(Trouble, match=f"wants the code of the MFA device {DEVICE}") as caught:
            look()
        assert "temporary keys into the environment" in caught.value.remedy
    assert sts.calls == []


def test_a_role_that_may_not_be_assumed_is_named_as_such(sts: Sts, profile: Profile) -> None:
    def refuse(fields: dict[str, str]) -> tuple[int, str]:
        said = "User: x is not authorized to perform: sts:AssumeRole on resource: role/admin"
        return 403, f"<ErrorResponse><Error><Code>AccessDenied</Code><Message>{said}</Message></Error></ErrorResponse>"

    sts.answer = refuse  # type: ignore[method-assign]
    with pytest.raises(Trouble, match="may not call sts:AssumeRole"):
        identity(Client(profile("mfa"), (), SignIn(Operator(RIGHT).code)))


def test_the_nodes_do_not_get_a_role_and_nobody_is_asked_for_its_code(sts: Sts, profile: Profile) -> None:
    with pytest.raises(Trouble, match="has temporary keys"):
        profile_keys(profile("mfa"), "mfa")
    assert sts.calls == []


# A credential_process

KEYS = '{"Version": 1, "AccessKeyId": "AKIAPROCESSPROCESS01", "SecretAccessKey": "processsecret"}'


def shell(script: str, folder: Path) -> str:
    (folder / "helper").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "helper").chmod(0o755)
    return str(folder / "helper")


def test_what_a_process_prints_signs_in_also_below_a_role(sts: Sts, profile: Profile, tmp_path: Path) -> None:
    operator = Operator(RIGHT)
    helper = shell(f"echo '{KEYS}'", tmp_path)
    assert identity(Client(profile("process", helper))) == "123456789012"
    assert identity(Client(profile("on-process", helper), (), SignIn(operator.code))) == "123456789012"
    assert profile_keys(profile("process", helper), "process") == ("AKIAPROCESSPROCESS01", "processsecret")


def gone(folder: Path) -> Callable[[], bool]:
    """Whether what the helper has started has ended."""
    return lambda: not Path(f"/proc/{int((folder / 'pid').read_text())}").exists()


HANGS = "echo nothing >&2; sleep 86400 & echo $! >{0}/pid.new; mv {0}/pid.new {0}/pid; sleep 86400"


@pytest.mark.parametrize("name", ["process", "on-process"])
def test_a_process_that_hangs_ends_with_the_run_that_is_stopped(
    sts: Sts, profile: Profile, tmp_path: Path, name: str
) -> None:
    cancel = Cancel()
    aws = profile(name, shell(HANGS.format(tmp_path), tmp_path))
    cloud = StoppableCloud(lambda: Client(aws), lambda: cancel)
    with ThreadPoolExecutor() as pool:
        call = pool.submit(cloud.call, "sts", "get_caller_identity")
        wait_until((tmp_path / "pid").exists, what="the process", every=0.02)
        cancel.decide(stop_long=False)
        with pytest.raises(Cancelled):
            call.result(BOUND)
    wait_until(gone(tmp_path), what="the end of all that the process had started", every=0.02)


def test_a_process_that_hangs_is_not_waited_for_without_end(
    sts: Sts, profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert credentials.PATIENCE == 60
    monkeypatch.setattr(credentials, "PATIENCE", 0.5)
    aws = profile("process", shell(HANGS.format(tmp_path), tmp_path))
    with pytest.raises(Trouble, match="did not answer within") as caught:
        identity(Client(aws))
    assert "sign in by hand first" in caught.value.remedy
    if (tmp_path / "pid").exists():
        wait_until(gone(tmp_path), what="the end of all that the process had started", every=0.02)


@pytest.mark.parametrize(
    ("script", "what"),
    [
        ("read -r code || { echo no code >&2; exit 3; }", "ended with exit code 3"),
        ("read -r code </dev/tty || exit 4", "ended with exit code"),
        ("echo 'Enter your password:'", "did not answer with credentials"),
        ("echo '[1]'", "did not answer with credentials"),
    ],
    ids=["input", "terminal", "words", "list"],
)
def test_a_process_that_asks_gets_no_answer_and_is_told(
    sts: Sts, profile: Profile, tmp_path: Path, script: str, what: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Trouble, match=what) as caught:
        identity(Client(profile("process", shell(script, tmp_path))))
    assert caught.value.where == "credentials"
    assert "helper" in caught.value.what
    assert capfd.readouterr() == ("", ""), "nothing is painted over the wizard"


def test_a_process_that_cannot_be_run_is_told(sts: Sts, profile: Profile, tmp_path: Path) -> None:
    with pytest.raises(Trouble, match="cannot be started: No such file or directory"):
        identity(Client(profile("process", f"{tmp_path}/absent")))
    with pytest.raises(Trouble, match="cannot be read: No closing quotation"):
        identity(Client(profile("no-line")))


# The commands

TAKES_THE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(int(sys.argv[1]), termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "iconha_tui", *sys.argv[2:]])
"""


class Typed:
    """A command on a terminal of its own, with neither its input nor its output there."""

    def __init__(self, *argv: str) -> None:
        self.here, there = os.openpty()
        taking = [sys.executable, "-c", TAKES_THE_TERMINAL, str(there), *argv]
        self.process = subprocess.Popen(
            taking,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[there],
            start_new_session=True,
        )
        os.close(there)

    def wait(self, words: str) -> None:
        seen = ""
        while words not in seen:
            seen += os.read(self.here, 1024).decode()

    def type(self, keys: str) -> None:
        os.write(self.here, keys.encode())

    def end(self) -> tuple[int, str]:
        said = self.process.communicate(timeout=BOUND)[0].decode()
        os.close(self.here)
        return self.process.returncode, said


@pytest.fixture
def spec_file(tmp_path: Path, profile: Profile, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("ICONHA_STATE_DIR", str(tmp_path / "state"))
    save(Spec(aws=profile("mfa")), tmp_path / "spec.toml")
    return str(tmp_path / "spec.toml")


def test_on_a_terminal_the_code_is_asked_there(sts: Sts, spec_file: str) -> None:
    typed = Typed("run", spec_file, "--yes", "--until", "credentials", "--no-check")
    typed.wait("Code: ")
    typed.type("12345\n")
    typed.wait("An MFA code has six digits.")
    typed.type(f"{RIGHT}\n")
    _, said = typed.end()
    assert "assumed-role/admin" in said
    assert sts.asked("AssumeRole") == 1
    assert RIGHT not in said


@pytest.mark.parametrize("command", [["run", "--yes"], ["check"], ["plan", "--look"]], ids=" ".join)
@pytest.mark.parametrize("answer", ["\x03", "\n"], ids=["Ctrl+C", "nothing"])
def test_who_gives_no_code_has_stopped_the_command(sts: Sts, spec_file: str, command: list[str], answer: str) -> None:
    typed = Typed(*command, spec_file)
    typed.wait("Code: ")
    typed.type(answer)
    code, said = typed.end()
    assert code == 130, said
    assert sts.calls == []


@pytest.mark.parametrize("command", [["run", "--yes"], ["check"]], ids=" ".join)
def test_without_a_terminal_it_is_said_that_a_code_is_wanted(sts: Sts, spec_file: str, command: list[str]) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "iconha_tui", *command, spec_file],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=BOUND,
        start_new_session=True,
    )
    assert ended.returncode == 3, ended
    assert f"AWS wants the code of the MFA device {DEVICE}" in " ".join(ended.stdout.split())
    assert "name a profile that needs no MFA code" in " ".join(ended.stdout.split())
