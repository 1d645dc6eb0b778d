"""Signing in where a profile has more than keys: nothing is asked on the terminal behind the program's back, and every wait
has an end.

botocore asks for an MFA code by `getpass`; a credential_process it runs with the terminal as its input, for as long as it takes.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.credentials import (
    AssumeRoleProvider,
    CanonicalNameCredentialSourcer,
    CredentialProvider,
    EnvProvider,
    ProcessProvider,
    ProfileProviderBuilder,
    create_credential_resolver,
)

from iconha_tui.cloud.sentences import ask_nobody
from iconha_tui.cloud.stoppable import cancel_of_this_call
from iconha_tui.engine.cancel import TICK
from iconha_tui.engine.ports import AskCode
from iconha_tui.error_codes import Code
from iconha_tui.errors import Cancelled, Trouble

# botocore waits 60 s to connect and 60 s to read: too long for a person at a screen.
CONFIG = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "max_attempts": 4})

PATIENCE = 60.0
"""Seconds that a credential_process may take."""

# What fails is raised as well; a status that is watched would fill the log file with its traceback, at each look.
logging.getLogger("botocore.credentials").setLevel(logging.ERROR)

_WHERE = "credentials"
_PROMPT = "Enter MFA code for "
"""How botocore's own question begins; the device follows."""


class SignIn:
    """Makes botocore sign in as this program wants it.

    ask: asked for the code of an MFA device. roles: the temporary credentials of the roles that were assumed, in memory, by
    botocore's own keys; clients that share them ask once.
    """

    def __init__(self, ask: AskCode = ask_nobody, roles: dict[str, Any] | None = None) -> None:
        self._ask = ask
        self._roles = {} if roles is None else roles

    def teach(self, core: botocore.session.Session, learn: Callable[[Iterable[str]], None]) -> None:
        """learn: takes the keys with which a role is assumed, so that no text shows them."""
        chain = create_credential_resolver(core, self._roles)
        profile = core.get_config_variable("profile") or "default"
        sources = CanonicalNameCredentialSourcer([EnvProvider(), *chain.providers])

        def client(service: str, **keys: Any) -> Any:
            learn(value for value in keys.values() if isinstance(value, str))
            return core.create_client(service, config=CONFIG, **keys)

        def ours(provider: CredentialProvider) -> CredentialProvider:
            if not isinstance(provider, AssumeRoleProvider):
                return _bounded(provider, core, profile)
            return AssumeRoleProvider(
                load_config=lambda: core.full_config,
                client_creator=client,
                cache=self._roles,
                profile_name=profile,
                prompter=self._code,
                credential_sourcer=sources,
                profile_provider_builder=_Profiles(core, self._roles),
            )

        chain.providers = [ours(provider) for provider in chain.providers]
        core.register_component("credential_provider", chain)

    def _code(self, prompt: str) -> str:
        cancel = cancel_of_this_call()
        if cancel.is_set():
            raise Cancelled("Stopped before the MFA code was asked for.", where=_WHERE)
        return self._ask(prompt.removeprefix(_PROMPT).rstrip(": "), cancel)


class _Profiles:
    """The chain of a profile that another one builds on (source_profile), as `ProfileProviderBuilder` makes it."""

    def __init__(self, core: botocore.session.Session, roles: dict[str, Any]) -> None:
        self._core = core
        self._built = ProfileProviderBuilder(core, cache=roles)

    def providers(self, profile_name: str, disable_env_vars: bool = False) -> list[CredentialProvider]:
        made = self._built.providers(profile_name, disable_env_vars)
        return [_bounded(provider, self._core, profile_name) for provider in made]


def _bounded(provider: CredentialProvider, core: botocore.session.Session, profile: str) -> CredentialProvider:
    if not isinstance(provider, ProcessProvider):
        return provider
    return _Process(profile_name=profile, load_config=lambda: core.full_config, popen=CredentialProcess)


class _Process(ProcessProvider):
    def load(self) -> Any:
        """As botocore's; a command that is no shell line is a sentence."""
        try:
            return super().load()
        except ValueError as error:
            raise Trouble(
                f"The credential_process of the AWS profile cannot be read: {error}.",
                code=Code.AWS_PROFILE_UNUSABLE,
                where=_WHERE,
                remedy="Correct it in the AWS config file.",
            ) from error


class CredentialProcess:
    """What `ProcessProvider` needs of a Popen. The process has no terminal and no input, and ends with the call that needs it.

    Raises Trouble where it cannot be started, fails, or takes longer than PATIENCE; Cancelled.
    """

    def __init__(self, argv: Sequence[str], **_streams: object) -> None:
        self._name = os.path.basename(argv[0]) if argv else ""  # noqa: PTH119  it may be no path
        self._cancel = cancel_of_this_call()
        if self._cancel.is_set():
            raise Cancelled(f"Stopped before {self._name} was started.", where=_WHERE)
        try:
            # A session of its own has no terminal that it could open, and is ended as a whole.
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except (OSError, IndexError) as error:
            raise self._trouble(f"cannot be started: {getattr(error, 'strerror', None) or error}.") from error
        self.returncode = 0

    def communicate(self) -> tuple[bytes, bytes]:
        atexit.register(self._end)  # else it would outlive a program that does not wait for the call
        try:
            out, err = self._wait()
        finally:
            self._end()
            atexit.unregister(self._end)
        said, self.returncode = err.decode("utf-8", "replace"), self._process.returncode
        if self._process.returncode:
            raise self._trouble(f"ended with exit code {self._process.returncode}.", said)
        try:
            if isinstance(json.loads(out), dict):
                return out, said.encode()
        except ValueError:
            pass
        raise self._trouble("did not answer with credentials.", said)

    def _wait(self) -> tuple[bytes, bytes]:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return self._process.communicate(timeout=TICK)
            except subprocess.TimeoutExpired:
                if self._cancel.is_set():
                    raise Cancelled(f"Stopped while {self._name} was asked for credentials.", where=_WHERE) from None
                if time.monotonic() > end:
                    raise self._trouble(f"did not answer within {PATIENCE:.0f} s, and was ended.") from None

    def _end(self) -> None:
        """Ends it with all that it has started, where it has not ended by itself."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()

    def _trouble(self, what: str, said: str = "") -> Trouble:
        return Trouble(
            f"The credential_process {self._name} of the AWS profile {what}",
            code=Code.AWS_PROFILE_UNUSABLE,
            where=_WHERE,
            remedy="It runs without a terminal and can ask nothing there: sign in by hand first, so that it answers by itself; "
            "or name another profile.",
            detail=said,
        )
