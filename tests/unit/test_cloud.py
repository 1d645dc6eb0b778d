"""AWS: the sentence and the remedy for what it answers, or for its silence. Nothing here leaves the machine."""

from __future__ import annotations

import gc
import logging
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import exceptions as boto
from botocore.stub import Stubber
from printed import typed_here

from iconha_tui import log
from iconha_tui.cloud import client as clients
from iconha_tui.cloud.client import Client, profile_keys, profiles
from iconha_tui.cloud.sentences import SENTENCES, iam_action, trouble
from iconha_tui.control.run_controller import RunController, RunRequest
from iconha_tui.engine.step import Vault
from iconha_tui.errors import Trouble
from iconha_tui.session import Session
from iconha_tui.spec import Aws, Spec
from iconha_tui.store import Store

KEYS = ("AKIAOPERATORKEY00001", "operatorsecretoperatorsecret")


@pytest.fixture(autouse=True)
def _no_aws_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (
        "AWS_PROFILE",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_DEFAULT_REGION",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))


@pytest.fixture
def client() -> Client:
    return Client(Aws(), KEYS)


@pytest.fixture
def ec2(client: Client) -> Iterator[Stubber]:
    with Stubber(client._client("ec2")) as stubber:
        yield stubber


def test_an_answer_comes_without_its_metadata(client: Client, ec2: Stubber) -> None:
    ec2.add_response("describe_availability_zones", {"AvailabilityZones": [{"ZoneName": "us-east-1a"}]})
    assert client.call("ec2", "describe_availability_zones") == {"AvailabilityZones": [{"ZoneName": "us-east-1a"}]}


def test_an_answer_of_several_pages_comes_as_one(client: Client, ec2: Stubber) -> None:
    pages: list[dict[str, Any]] = [
        {"Reservations": [{"Instances": [{"InstanceId": "i-1"}]}], "NextToken": "more"},
        {"Reservations": [{"Instances": [{"InstanceId": "i-2"}]}]},
    ]
    for page in pages:
        ec2.add_response("describe_instances", page)
    found = client.call("ec2", "describe_instances", {"Filters": []})
    assert [each["Instances"][0]["InstanceId"] for each in found["Reservations"]] == ["i-1", "i-2"]


@pytest.mark.parametrize("code", SENTENCES)
def test_an_error_that_is_known_is_a_sentence_with_a_remedy_and_names_the_call(
    code: str, client: Client, ec2: Stubber
) -> None:
    ec2.add_client_error("describe_addresses", code, "raw words of AWS", http_status_code=400)
    with pytest.raises(Trouble) as caught:
        client.call("ec2", "describe_addresses")
    assert (caught.value.what, caught.value.remedy) == SENTENCES[code]
    assert caught.value.where == "ec2:DescribeAddresses"
    assert caught.value.detail == "raw words of AWS"
    assert all(sentence.endswith(".") for sentence in SENTENCES[code])


@pytest.mark.parametrize("code", ["UnauthorizedOperation", "AccessDenied", "AccessDeniedException"])
def test_a_denied_call_names_the_iam_action_to_allow(code: str) -> None:
    found = trouble("ec2", "allocate_address", code, "Encoded authorization failure message: abc")
    assert "ec2:AllocateAddress" in found.what
    assert found.remedy.startswith("Allow ec2:AllocateAddress in the IAM policy")
    assert found.detail.startswith("Encoded")


def test_a_denied_call_that_lacks_another_permission_than_its_own_names_that_one() -> None:
    said = (
        "You are not authorized to perform this operation. User: arn:aws:iam::1:user/x is not authorized to perform: "
    )
    said += "ec2:CreateTags on resource: arn:aws:ec2:us-east-1:1:instance/* because no identity-based policy allows it"
    found = trouble("ec2", "run_instances", "UnauthorizedOperation", said)
    assert found.what == "These credentials may not call ec2:RunInstances: it needs ec2:CreateTags."
    assert found.remedy.startswith("Allow ec2:CreateTags in the IAM policy")


def test_what_aws_says_holds_no_secret_that_was_signed_with(client: Client, ec2: Stubber) -> None:
    """A refused signature is answered with the canonical request, and that has the session token in it."""
    told = "The Canonical String should have been 'POST / x-amz-security-token:token-of-the-test host:ec2'; secret-of-the-test"
    ec2.add_client_error("describe_vpcs", "SomethingElse", told)
    client._session = boto3.Session("access-of-the-test", "secret-of-the-test", "token-of-the-test")
    with ec2, pytest.raises(Trouble) as caught:
        client.call("ec2", "describe_vpcs")
    assert "of-the-test" not in f"{caught.value} {caught.value.detail}"
    assert "The Canonical String" in caught.value.detail
    assert "of-the-test" not in log.fit(told), "nor does the log"


def test_a_secret_with_a_line_break_is_not_told_with_the_header_that_it_breaks(aws: Aws) -> None:
    with pytest.raises(Trouble) as caught:
        Client(aws, ("AKIA0000000000000000", "secret", "a-token-that-was\nwrapped-by-a-terminal")).call(
            "ec2", "describe_vpcs"
        )
    assert "wrapped-by" not in f"{caught.value} {caught.value.detail}"
    assert "a-token-that" not in f"{caught.value} {caught.value.detail}"


@pytest.mark.parametrize("status", [200, 404])
def test_a_page_that_answers_in_the_place_of_aws_is_no_answer(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    """As where a region's name is mistyped, and the network's DNS knows every name."""

    class Page(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><html><body>Welcome</br></body></html>")

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        with pytest.raises(Trouble) as caught:
            Client(Aws(region="eu-north-9"), KEYS).call("ec2", "describe_vpcs")
        server.shutdown()
    assert caught.value.what == "What answers as the API of region eu-north-9 is not AWS."
    assert "region's name" in caught.value.remedy
    assert "<html>" not in str(caught.value)


def test_the_log_has_no_secret_of_a_cluster_that_is_closed() -> None:
    vault = Vault({"key_passphrase": "a word of a closed cluster"})
    del vault
    gc.collect()
    Vault({"key_passphrase": "word"})  # of another cluster, and a part of it
    assert "closed cluster" not in log.fit("ValueError: a word of a closed cluster")


def test_what_is_not_found_is_named() -> None:
    said = "The instance ID 'i-0123456789abcdef0' does not exist"
    found = trouble("ec2", "describe_instances", "InvalidInstanceID.NotFound", said)
    assert found.what == "There is no such instance in this region: i-0123456789abcdef0."


@pytest.mark.parametrize(
    ("service", "operation", "action"),
    [
        ("ec2", "describe_instances", "ec2:DescribeInstances"),
        ("sts", "get_caller_identity", "sts:GetCallerIdentity"),
        ("ec2", "authorize_security_group_ingress", "ec2:AuthorizeSecurityGroupIngress"),
    ],
)
def test_calls_are_named_as_iam_names_them(service: str, operation: str, action: str) -> None:
    assert iam_action(service, operation) == action


def test_an_error_that_nobody_foresaw_is_told_in_one_line_with_its_code() -> None:
    found = trouble("ec2", "run_instances", "BrandNew", "first\n  second\tthird" + "x" * 500)
    assert found.what.startswith("AWS answered BrandNew: first second third")
    assert "\n" not in found.what
    assert len(found.what) < 350
    assert found.remedy


URL = "https://ec2.us-east-1.invalid"
SILENCES = [
    (boto.NoCredentialsError(), "No AWS credentials were found."),
    (boto.PartialCredentialsError(provider="env", cred_var="secret"), "No AWS credentials were found."),
    (boto.EndpointConnectionError(endpoint_url=URL), "The API of region us-east-1 does not answer."),
    (boto.ConnectTimeoutError(endpoint_url=URL), "The API of region us-east-1 does not answer."),
    (boto.ReadTimeoutError(endpoint_url=URL), "The API of region us-east-1 does not answer."),
    (boto.ConnectionClosedError(endpoint_url=URL), "The API of region us-east-1 does not answer."),
    (boto.SSLError(endpoint_url=URL, error=OSError("self-signed")), "The certificate of the API is not trusted."),
    (
        boto.SSLError(endpoint_url=URL, error=OSError("certificate verify failed: certificate is not yet valid")),
        "The certificate of the API is not of this time.",
    ),
    (boto.NoRegionError(), "No region is set."),
    (boto.SSOTokenLoadError(error_msg="no token"), "Error loading SSO Token: no token."),
    (boto.ProxyConnectionError(proxy_url="http://proxy"), "Failed to connect to proxy URL"),
    (boto.ParamValidationError(report="Missing x"), "Parameter validation failed"),
]


@pytest.mark.parametrize(("error", "what"), SILENCES, ids=lambda each: type(each).__name__)
def test_what_keeps_the_api_from_answering_is_a_sentence_with_a_remedy(
    error: boto.BotoCoreError, what: str, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(client._client("sts"), "_make_api_call", fail)
    with pytest.raises(Trouble) as caught:
        client.call("sts", "get_caller_identity")
    assert caught.value.what.startswith(what)
    assert caught.value.where == "sts:GetCallerIdentity"
    assert caught.value.remedy


def test_nobody_waits_a_minute_for_a_silent_api() -> None:
    settings: Any = Client(Aws(), KEYS)._client("ec2").meta.config
    assert settings.connect_timeout <= 5
    assert settings.read_timeout <= 20


def test_without_any_credentials_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Trouble, match="No AWS credentials were found"):
        Client(Aws()).call("sts", "get_caller_identity")


CONFIG = """[default]
region = us-east-1
[profile op]
aws_access_key_id = AKIAPROFILEKEY000001
aws_secret_access_key = profilesecretprofilesecret
[profile temporary]
aws_access_key_id = ASIATEMPORARYKEY0001
aws_secret_access_key = temporarysecret
aws_session_token = token
[profile empty]
region = us-east-1
"""


@pytest.fixture
def aws(tmp_path: Path) -> Aws:
    (tmp_path / "config").write_text(CONFIG)
    return Aws(config_file=str(tmp_path / "config"))


def test_the_profiles_of_the_config_file_are_listed(aws: Aws) -> None:
    assert sorted(profiles(aws)) == ["default", "empty", "op", "temporary"]


def test_the_nodes_get_the_keys_of_the_profile_that_was_named(aws: Aws) -> None:
    assert profile_keys(aws, "op") == ("AKIAPROFILEKEY000001", "profilesecretprofilesecret")


@pytest.mark.parametrize(
    ("profile", "what"),
    [("empty", "has no keys"), ("temporary", "has temporary keys"), ("absent", "There is no AWS profile 'absent'")],
)
def test_a_profile_that_the_nodes_cannot_use_is_refused_with_the_reason(aws: Aws, profile: str, what: str) -> None:
    with pytest.raises(Trouble, match=what) as caught:
        profile_keys(aws, profile)
    assert caught.value.remedy


@pytest.mark.parametrize("file", ["", "another config"])
def test_a_profile_that_is_not_there_is_made_as_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    monkeypatch.delenv("AWS_CONFIG_FILE")
    monkeypatch.delenv("AWS_SHARED_CREDENTIALS_FILE")
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = Aws(profile="its-own", config_file=file and f"~/{file}", region="eu-west-1")
    with pytest.raises(Trouble, match="There is no AWS profile 'its-own'") as told:
        Client(settings)
    (command,) = re.findall("`(.+)`", told.value.remedy)
    typed_here(command, answers="\n".join([*KEYS, "", "", ""]))
    client: Any = Client(settings)
    assert client._session.get_credentials().get_frozen_credentials()[:2] == KEYS


def test_a_config_file_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("[default\nregion")
    aws = Aws(config_file=str(tmp_path / "config"))
    for make in (Client, lambda aws: profile_keys(aws, "default")):
        with pytest.raises(Trouble, match="Unable to parse config file") as caught:
            make(aws)
        assert caught.value.where == str(tmp_path / "config")


def test_typed_keys_win_over_the_profile(aws: Aws) -> None:
    client: Any = Client(aws.model_copy(update={"profile": "op"}), KEYS)
    assert client._session.get_credentials().access_key == KEYS[0]


def test_against_a_whole_ec2_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    moto = pytest.importorskip("moto")
    logging.getLogger("botocore").setLevel(logging.WARNING)
    with moto.mock_aws():
        client = Client(Aws(region="eu-west-1"), KEYS)
        assert client.call("sts", "get_caller_identity")["Account"]
        made = client.call("ec2", "allocate_address", {"Domain": "vpc"})
        (found,) = client.call("ec2", "describe_addresses", {"AllocationIds": [made["AllocationId"]]})["Addresses"]
        assert found["PublicIp"] == made["PublicIp"]
        with pytest.raises(Trouble, match="There is no such Elastic IP in this region"):
            client.call("ec2", "describe_addresses", {"AllocationIds": ["eipalloc-00000000"]})
        assert boto3.client("ec2", region_name="us-east-1").describe_addresses()["Addresses"] == []


# The session: who is asked with which keys.


def session(tmp_path: Path, **tables: Any) -> Session:
    spec = Spec.model_validate(tables)
    return Session(Store(tmp_path / "state"), spec, confirm_host_key=lambda node, kind, fingerprint: False)


def test_the_nodes_keys_come_from_the_environment_and_typed_ones_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ICONHA_NODE_ACCESS_KEY_ID", "AKIAENVIRONMENT00001")
    monkeypatch.setenv("ICONHA_NODE_SECRET_ACCESS_KEY", "environmentsecret")
    first = session(tmp_path)
    first.load_node_keys()
    assert first.ctx.vault.get("node_secret_access_key") == "environmentsecret"
    typed = session(tmp_path)
    typed.keep_secret("node_access_key_id", "AKIATYPED00000000001")
    typed.keep_secret("node_secret_access_key", "typedsecrettyped")
    typed.load_node_keys()
    assert typed.ctx.vault.get("node_secret_access_key") == "typedsecrettyped"


def test_the_nodes_keys_come_from_the_profile_that_is_named(tmp_path: Path, aws: Aws) -> None:
    named = session(tmp_path, aws={"config_file": aws.config_file}, awscli={"profile": "op"})
    named.load_node_keys()
    assert named.ctx.vault.get("node_access_key_id") == "AKIAPROFILEKEY000001"


def test_the_operators_client_is_made_when_it_is_first_used_and_anew_for_another_region(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    class Fake:
        def __init__(self, aws: Aws, keys: list[str], sign_in: object) -> None:
            made.append(f"{aws.region} {keys[0]}")

        def call(self, *_: object) -> dict[str, Any]:
            return {}

    monkeypatch.setattr(clients, "Client", Fake)
    one = session(tmp_path)
    assert made == []
    one.ctx.cloud.call("sts", "get_caller_identity")
    one.ctx.cloud.call("sts", "get_caller_identity")
    one.use(Spec.model_validate({"aws": {"region": "eu-west-1"}}))
    one.ctx.cloud.call("sts", "get_caller_identity")
    one.keep_secret("aws_access_key_id", "AKIATYPED00000000001")
    one.ctx.cloud.call("sts", "get_caller_identity")
    assert made == ["us-east-1 ", "eu-west-1 ", "eu-west-1 AKIATYPED00000000001"]
    one.save()
    assert one.store.spec("icon").aws.region == "eu-west-1"


def test_a_secret_is_in_no_file_of_the_cluster(tmp_path: Path) -> None:
    one = session(tmp_path)
    one.keep_secret("node_secret_access_key", "typedsecrettyped")
    one.use(one.spec.model_copy(update={"name": "icon"}))
    RunController(one, look=None).run(RunRequest(()), lambda update: None)
    files = [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if b"typedsecrettyped" in path.read_bytes()]
