"""The boto3 client of `engine.ports.Cloud`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from threading import Lock
from typing import Any

import botocore.session
from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    ReadTimeoutError,
    SSLError,
)
from botocore.parsers import ResponseParserError

from iconha_tui import log
from iconha_tui.cloud.sentences import iam_action, trouble
from iconha_tui.errors import Trouble
from iconha_tui.masking import Masks
from iconha_tui.spec import Aws
from iconha_tui.text import clean

# botocore waits 60 s to connect and 60 s to read: too long for a person at a screen.
_CONFIG = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "max_attempts": 4})


class Client:
    """AWS with one set of credentials.

    keys: access key, secret and optionally session token that were typed in; empty strings: botocore's own chain
    (profile, environment, SSO, instance role). Raises Trouble when the profile does not exist.
    """

    def __init__(self, aws: Aws, keys: Sequence[str] = ()) -> None:
        access, secret, token = (*keys, "", "", "")[:3]
        self._region = aws.region
        self._lock = Lock()
        self._clients: dict[str, Any] = {}
        self._masks = Masks()
        self._masks.learn(keys)
        log.hide(self._masks)
        self._session = Session(
            botocore_session=_session(aws),
            region_name=aws.region,
            aws_access_key_id=access or None,
            aws_secret_access_key=secret or None,
            aws_session_token=token or None,
        )

    def call(self, service: str, operation: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """One API call, all pages merged. Raises Trouble with a sentence and a remedy."""
        where = iam_action(service, operation)
        try:
            client = self._client(service)
            if client.can_paginate(operation):
                merged: dict[str, Any] = (
                    client.get_paginator(operation).paginate(**dict(params or {})).build_full_result()
                )
                return {name: cleaned(value) for name, value in merged.items()}
            answer: dict[str, Any] = getattr(client, operation)(**dict(params or {}))
            answer.pop("ResponseMetadata", None)
            return {name: cleaned(value) for name, value in answer.items()}
        except ClientError as error:
            fault = error.response.get("Error", {})
            raise trouble(service, operation, fault.get("Code", ""), self._said(fault.get("Message", ""))) from error
        except ResponseParserError as error:  # no BotoCoreError; its words are what was answered, a page of HTML
            raise Trouble(
                f"What answers as the API of region {self._region} is not AWS.",
                where=where,
                remedy="Check the region's name, and whether a proxy or DNS of this network answers in its place.",
                detail=self._said(str(error)),
            ) from error
        except BotoCoreError as error:
            found = _unreached(where, self._region, error)
            raise Trouble(
                self._said(found.what), where=found.where, remedy=found.remedy, detail=self._said(found.detail)
            ) from error

    def _said(self, text: str) -> str:
        """What AWS or botocore says, masked: a refused signature is told with the session token, a broken header whole."""
        with suppress(BotoCoreError):
            if credentials := self._session.get_credentials():
                self._masks.learn(each for each in credentials.get_frozen_credentials() if each)
        return self._masks.hide(text)

    def _client(self, service: str) -> Any:
        with self._lock:  # making a client is not thread-safe, using one is
            if service not in self._clients:
                self._clients[service] = self._session.client(service, config=_CONFIG)  # type: ignore[call-overload]
            return self._clients[service]


def cleaned(answer: Any) -> Any:
    """An answer whose texts move no terminal: anybody who may write tags in the account may have written them."""
    if isinstance(answer, dict):
        return {name: cleaned(value) for name, value in answer.items()}
    if isinstance(answer, list):
        return [cleaned(value) for value in answer]
    return clean(answer) if isinstance(answer, str) else answer


def _session(aws: Aws, whose: str = "") -> botocore.session.Session:
    """whose: " for the nodes" where it is not the operator's own; the sentence says so."""
    core = botocore.session.Session(profile=aws.profile or None)
    if aws.config_file:
        path = os.path.expanduser(aws.config_file)  # noqa: PTH111  botocore takes a string
        core.set_config_variable("config_file", path)
        core.set_config_variable("credentials_file", path)
    try:
        core.get_scoped_config()
    except ProfileNotFound as error:
        raise Trouble(
            f"There is no AWS profile {aws.profile!r}{whose}.",
            where=aws.config_file or "~/.aws/config",
            remedy=f"Choose another profile{whose} in the credentials stage, or make it with "
            f"`{aws.command('configure')}`.",
        ) from error
    except BotoCoreError as error:
        raise Trouble(
            f"{str(error).rstrip('.')}.",
            where=aws.config_file or "~/.aws/config",
            remedy="Correct the AWS config file, or name another.",
        ) from error
    return core


def profile_keys(aws: Aws, profile: str) -> tuple[str, str]:
    """The access key and secret of a profile, for the nodes. Raises Trouble where it has none, or only temporary ones."""
    core = _session(aws.model_copy(update={"profile": profile}), " for the nodes")
    try:
        credentials = core.get_credentials()
    except BotoCoreError as error:
        raise _unreached("credentials", aws.region, error) from error
    remedy = "Name a profile with an access key of an IAM user, type the keys in, or choose the instances' role."
    if credentials is None:
        raise Trouble(f"The AWS profile {profile!r} has no keys.", where="credentials", remedy=remedy)
    frozen = credentials.get_frozen_credentials()
    if frozen.token:
        raise Trouble(
            f"The AWS profile {profile!r} has temporary keys; on the nodes they would expire.",
            where="credentials",
            remedy=remedy,
        )
    return frozen.access_key or "", frozen.secret_key or ""


def secrets_of(aws: Aws) -> list[str]:
    """What of the operator's own credentials must stand in no file. Raises Trouble."""
    try:
        credentials = _session(aws).get_credentials()
    except BotoCoreError as error:
        raise _unreached("credentials", aws.region, error) from error
    frozen = credentials.get_frozen_credentials() if credentials else None
    return [each for each in frozen or () if each]


def profiles(aws: Aws) -> list[str]:
    """The names of the profiles that the operator's AWS config files have."""
    found = _session(aws.model_copy(update={"profile": ""})).available_profiles
    # A config file of one's own is read as a credentials file too, where sections have no such prefix.
    return [name for name in found if not (aws.config_file and name.startswith("profile "))]


def _unreached(where: str, region: str, error: BotoCoreError) -> Trouble:
    match error:
        case NoCredentialsError() | PartialCredentialsError():
            return Trouble(
                "No AWS credentials were found.",
                where=where,
                remedy="Name a profile or type keys in the credentials stage, or set AWS_PROFILE.",
            )
        case EndpointConnectionError() | ConnectTimeoutError() | ReadTimeoutError() | ConnectionClosedError():
            return Trouble(
                f"The API of region {region} does not answer.",
                where=where,
                remedy="Check the region's name and this machine's network, then retry.",
                detail=str(error),
            )
        case SSLError() if re.search("not yet valid|has expired", str(error)):
            return Trouble(
                "The certificate of the API is not of this time.",
                where=where,
                remedy="Set this machine's clock right, or mend the proxy in between; then retry.",
                detail=str(error),
            )
        case SSLError():
            return Trouble(
                "The certificate of the API is not trusted.",
                where=where,
                remedy="Check this machine's CA certificates (AWS_CA_BUNDLE) and any proxy in between, then retry.",
                detail=str(error),
            )
        case NoRegionError():
            return Trouble("No region is set.", where=where, remedy="Choose one in the credentials stage.")
        case _:
            text = str(error).rstrip(".")
            return Trouble(
                f"{text}.",
                where=where,
                remedy="Check the credentials stage (for SSO: `aws sso login --profile NAME`), then retry.",
            )
