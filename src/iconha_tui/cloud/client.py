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
from botocore.credentials import RefreshableCredentials
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
    RefreshWithMFAUnsupportedError,
    SSLError,
)
from botocore.parsers import ResponseParserError

from iconha_tui import log
from iconha_tui.cloud.credentials import CONFIG, SignIn
from iconha_tui.cloud.sentences import iam_action, role_refused, trouble
from iconha_tui.error_codes import Code
from iconha_tui.errors import Trouble
from iconha_tui.masking import Masks
from iconha_tui.spec import Aws
from iconha_tui.text import clean


class Client:
    """AWS with one set of credentials.

    keys: access key, secret and optionally session token that were typed in; empty strings: botocore's own chain
    (profile, environment, SSO, instance role). sign_in: how that chain asks; by default nobody is asked.
    Raises Trouble when the profile does not exist.
    """

    def __init__(self, aws: Aws, keys: Sequence[str] = (), sign_in: SignIn | None = None) -> None:
        self._aws, self._keys, self._sign_in = aws, keys, sign_in or SignIn()
        self._region = aws.region
        self._lock = Lock()
        self._clients: dict[str, Any] = {}
        self._masks = Masks()
        self._masks.learn(keys)
        log.hide(self._masks)
        self._session = self._new_session()

    def _new_session(self) -> Session:
        access, secret, token = (*self._keys, "", "", "")[:3]
        return Session(
            botocore_session=_session(self._aws, self._sign_in, self._masks),
            region_name=self._region,
            aws_access_key_id=access or None,
            aws_secret_access_key=secret or None,
            aws_session_token=token or None,
        )

    def call(self, service: str, operation: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """One API call, all pages merged. Raises Trouble with a sentence and a remedy, Cancelled."""
        where = iam_action(service, operation)
        try:
            return self._signed_in(service, operation, dict(params or {}))
        except ClientError as error:
            fault = error.response.get("Error", {})
            if (
                error.operation_name == "AssumeRole"
            ):  # never called by itself: it stands before the first call of a role
                raise role_refused(fault.get("Code", ""), self._masks.hide(fault.get("Message", ""))) from error
            raise trouble(service, operation, fault.get("Code", ""), self._said(fault.get("Message", ""))) from error
        except ResponseParserError as error:  # no BotoCoreError; its words are what was answered, a page of HTML
            raise Trouble(
                f"What answers as the API of region {self._region} is not AWS.",
                code=Code.AWS_IMPOSTOR,
                where=where,
                remedy="Check the region's name, and whether a proxy or DNS of this network answers in its place.",
                detail=self._said(str(error)),
            ) from error
        except BotoCoreError as error:
            found = _unreached(where, self._region, error)
            raise Trouble(
                self._said(found.what),
                code=found.code,
                where=found.where,
                remedy=found.remedy,
                detail=self._said(found.detail),
            ) from error

    def _signed_in(self, service: str, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        for is_last in (False, False, True):
            session = self._session
            try:
                return self._ask(service, operation, params)
            except RefreshWithMFAUnsupportedError:
                if is_last:  # the role would hold for minutes only, or this machine's clock is wrong
                    raise
                # A session of botocore asks for one code, be it wrong. After that, and once the role has expired, a new one asks.
                with self._lock:
                    if self._session is session:
                        self._session, self._clients = self._new_session(), {}
        raise AssertionError("unreachable")

    def _ask(self, service: str, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        client = self._client(service)
        if client.can_paginate(operation):
            answer: dict[str, Any] = client.get_paginator(operation).paginate(**params).build_full_result()
        else:
            answer = getattr(client, operation)(**params)
            answer.pop("ResponseMetadata", None)
        return {name: cleaned(value) for name, value in answer.items()}

    def _said(self, text: str) -> str:
        """What AWS or botocore says, masked: a refused signature is told with the session token, a broken header whole."""
        with suppress(BotoCoreError, ClientError, Trouble):  # there are none: that is what failed
            if credentials := self._session.get_credentials():
                self._masks.learn(each for each in credentials.get_frozen_credentials() if each)
        return self._masks.hide(text)

    def _client(self, service: str) -> Any:
        with self._lock:  # making a client is not thread-safe, using one is
            if service not in self._clients:
                self._clients[service] = self._session.client(service, config=CONFIG)  # type: ignore[call-overload]
            return self._clients[service]


def cleaned(answer: Any) -> Any:
    """An answer whose texts move no terminal: anybody who may write tags in the account may have written them."""
    if isinstance(answer, dict):
        return {name: cleaned(value) for name, value in answer.items()}
    if isinstance(answer, list):
        return [cleaned(value) for value in answer]
    return clean(answer) if isinstance(answer, str) else answer


def _session(aws: Aws, sign_in: SignIn, masks: Masks, whose: str = "") -> botocore.session.Session:
    """masks: learn the keys that it signs in with on the way. whose: " for the nodes" where it is not the operator's own; the
    sentence says so."""
    core = botocore.session.Session(profile=aws.profile or None)
    if aws.config_file:
        path = os.path.expanduser(aws.config_file)  # noqa: PTH111  botocore takes a string
        core.set_config_variable("config_file", path)
        core.set_config_variable("credentials_file", path)
    try:
        core.get_scoped_config()
        sign_in.teach(core, masks.learn)
    except ProfileNotFound as error:
        raise Trouble(
            f"There is no AWS profile {aws.profile!r}{whose}.",
            code=Code.AWS_PROFILE_UNKNOWN,
            where=aws.config_file or "~/.aws/config",
            remedy=f"Choose another profile{whose} in the credentials stage, or make it with "
            f"`{aws.command('configure')}`.",
        ) from error
    except BotoCoreError as error:
        raise Trouble(
            f"{str(error).rstrip('.')}.",
            code=Code.AWS_PROFILE_UNUSABLE,
            where=aws.config_file or "~/.aws/config",
            remedy="Correct the AWS config file, or name another.",
        ) from error
    return core


def profile_keys(aws: Aws, profile: str) -> tuple[str, str]:
    """The access key and secret of a profile, for the nodes. Raises Trouble where it has none, or only temporary ones."""
    try:
        core = _session(aws.model_copy(update={"profile": profile}), SignIn(), Masks(), " for the nodes")
        credentials = core.get_credentials()
    except BotoCoreError as error:
        raise _unreached("credentials", aws.region, error) from error
    remedy = "Name a profile with an access key of an IAM user, type the keys in, or choose the instances' role."
    if credentials is None:
        raise Trouble(
            f"The AWS profile {profile!r} has no keys.",
            code=Code.AWS_PROFILE_UNUSABLE,
            where="credentials",
            remedy=remedy,
        )
    if isinstance(credentials, RefreshableCredentials) or credentials.token:  # the former are not even signed in with
        raise Trouble(
            f"The AWS profile {profile!r} has temporary keys; on the nodes they would expire.",
            code=Code.AWS_PROFILE_UNUSABLE,
            where="credentials",
            remedy=remedy,
        )
    return credentials.access_key or "", credentials.secret_key or ""


def secrets_of(aws: Aws) -> list[str]:
    """What of the operator's own credentials must stand in no file. Raises Trouble."""
    try:
        credentials = _session(aws, SignIn(), Masks()).get_credentials()
    except BotoCoreError as error:
        raise _unreached("credentials", aws.region, error) from error
    frozen = credentials.get_frozen_credentials() if credentials else None
    return [each for each in frozen or () if each]


def profiles(aws: Aws) -> list[str]:
    """The names of the profiles that the operator's AWS config files have."""
    found = _session(aws.model_copy(update={"profile": ""}), SignIn(), Masks()).available_profiles
    # A config file of one's own is read as a credentials file too, where sections have no such prefix.
    return [name for name in found if not (aws.config_file and name.startswith("profile "))]


def _unreached(where: str, region: str, error: BotoCoreError) -> Trouble:
    match error:
        case NoCredentialsError() | PartialCredentialsError():
            return Trouble(
                "No AWS credentials were found.",
                code=Code.AWS_KEYS_MISSING,
                where=where,
                remedy="Name a profile or type keys in the credentials stage, or set AWS_PROFILE.",
            )
        case EndpointConnectionError() | ConnectTimeoutError() | ReadTimeoutError() | ConnectionClosedError():
            return Trouble(
                f"The API of region {region} does not answer.",
                code=Code.AWS_UNREACHABLE,
                where=where,
                remedy="Check the region's name and this machine's network, then retry.",
                detail=str(error),
            )
        case SSLError() if re.search("not yet valid|has expired", str(error)):
            return Trouble(
                "The certificate of the API is not of this time.",
                code=Code.AWS_CERTIFICATE_DATE,
                where=where,
                remedy="Set this machine's clock right, or mend the proxy in between; then retry.",
                detail=str(error),
            )
        case SSLError():
            return Trouble(
                "The certificate of the API is not trusted.",
                code=Code.AWS_CERTIFICATE_UNTRUSTED,
                where=where,
                remedy="Check this machine's CA certificates (AWS_CA_BUNDLE) and any proxy in between, then retry.",
                detail=str(error),
            )
        case NoRegionError():
            return Trouble(
                "No region is set.",
                code=Code.AWS_REGION_MISSING,
                where=where,
                remedy="Choose one in the credentials stage.",
            )
        case _:
            text = str(error).rstrip(".")
            return Trouble(
                f"{text}.",
                code=Code.AWS_ERROR,
                where=where,
                remedy="Check the credentials stage (for SSO: `aws sso login --profile NAME`), then retry.",
            )
