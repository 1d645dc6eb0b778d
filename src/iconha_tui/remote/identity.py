"""The operator's own keys: one key file, or else the SSH agent and the default keys of ~/.ssh."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Lock

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    load_ssh_private_key,
)

from iconha_tui.error_codes import Code
from iconha_tui.errors import Trouble

AskPassphrase = Callable[[str], str | None]
"""ask(key file) -> its passphrase; None when the operator would not say."""

_DEFAULT_KEYS = ("id_ed25519", "id_ecdsa", "id_rsa")
_NAME_THE_KEY = "Name the private key that belongs to the instance's key pair."
_NO_KEYS = Trouble(
    "There is no SSH agent with a key in it, and no default key in ~/.ssh.",
    code=Code.SSH_KEY_MISSING,
    where="ssh",
    remedy="Name a key file, or load the key with `ssh-add`.",
)


class Identity:
    """What the operator logs in with. Shared by the nodes, so that a passphrase is asked for once.

    key_file: a private key; None: the agent's keys, then the default keys. ask: for the passphrase of an encrypted key;
    None: such a key is Trouble. The opened key stays in memory, the passphrase does not.
    """

    def __init__(self, key_file: Path | None = None, ask: AskPassphrase | None = None) -> None:
        self.key_file = key_file
        self._ask = ask
        self._opened: dict[Path, paramiko.PKey] = {}
        self._opening = Lock()

    def offers(self) -> Iterator[paramiko.PKey]:
        """The keys to try, in order. Raises Trouble where the key file cannot be used, or where there is no key at all."""
        if self.key_file is not None:
            yield self._open(self.key_file.expanduser())
            return
        found, unusable = False, _NO_KEYS
        for key in _agent_keys():
            found = True
            yield key
        for name in _DEFAULT_KEYS:
            path = Path("~/.ssh").expanduser() / name
            if path.is_file():
                try:
                    key = self._open(path)
                except Trouble as trouble:
                    unusable = trouble
                    continue
                found = True
                yield key
        if not found:
            raise unusable

    def describe(self) -> str:
        """What is tried, for a message about a refused login."""
        return str(self.key_file) if self.key_file is not None else "the agent's keys and the default keys of ~/.ssh"

    def _open(self, path: Path) -> paramiko.PKey:
        with self._opening:
            if path not in self._opened:
                self._opened[path] = _with_certificate(path, self._unlock(path, _read(path)))
            return self._opened[path]

    def _unlock(self, path: Path, data: bytes) -> paramiko.PKey:
        try:
            return _parse(path, data, None)
        except _Encrypted:
            pass
        passphrase = self._ask(str(path)) if self._ask else None
        if passphrase is None:
            raise Trouble(
                "The key file is protected by a passphrase.",
                code=Code.SSH_PASSPHRASE,
                where=str(path),
                remedy=f"Give the passphrase, or load the key with `ssh-add {path}` and leave the key file empty.",
            )
        try:
            return _parse(path, data, passphrase.encode())
        except _Encrypted:
            raise Trouble(
                "The passphrase does not open the key file.",
                code=Code.SSH_PASSPHRASE,
                where=str(path),
                remedy="Try again with the right passphrase.",
            ) from None


class _Encrypted(Exception):
    """The key needs a passphrase, or another one."""


def _agent_keys() -> tuple[paramiko.PKey, ...]:
    try:
        return tuple(paramiko.Agent().get_keys())
    except (paramiko.SSHException, OSError):
        return ()


def _read(path: Path) -> bytes:
    try:
        data = path.read_bytes()
        mode = stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        raise Trouble(
            "The key file does not exist.", code=Code.SSH_KEY_UNUSABLE, where=str(path), remedy=_NAME_THE_KEY
        ) from None
    except OSError as error:
        raise Trouble(
            f"The key file cannot be read: {error.strerror}.",
            code=Code.SSH_KEY_UNUSABLE,
            where=str(path),
            remedy="Make it readable for you, and only for you.",
        ) from error
    if os.name == "posix" and mode & 0o077:
        raise Trouble(
            f"The key file is open to others (mode {mode:04o}).",
            code=Code.SSH_KEY_UNUSABLE,
            where=str(path),
            remedy=f"Close it with `chmod 600 {path}`.",
        )
    return data


def _parse(path: Path, data: bytes, passphrase: bytes | None) -> paramiko.PKey:
    """The key in `data`. Raises _Encrypted where the passphrase is missing or wrong, Trouble where it is no usable key."""
    load = load_ssh_private_key if b"BEGIN OPENSSH PRIVATE KEY" in data else load_pem_private_key
    try:
        loaded = load(data, passphrase)
    except TypeError:
        raise _Encrypted from None
    except (ValueError, UnsupportedAlgorithm) as error:
        if passphrase is not None:
            raise _Encrypted from None
        raise Trouble(
            _what_it_is_instead(data), code=Code.SSH_KEY_UNUSABLE, where=str(path), remedy=_NAME_THE_KEY
        ) from error
    plain = io.StringIO(loaded.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode())
    match loaded:
        case rsa.RSAPrivateKey():
            return paramiko.RSAKey.from_private_key(plain)
        case ed25519.Ed25519PrivateKey():
            return paramiko.Ed25519Key.from_private_key(plain)
        case ec.EllipticCurvePrivateKey():
            return paramiko.ECDSAKey.from_private_key(plain)
    raise Trouble(
        "The key is of a type that SSH no longer takes.",
        code=Code.SSH_KEY_UNUSABLE,
        where=str(path),
        remedy="Use an ed25519 or RSA key.",
    )


def _what_it_is_instead(data: bytes) -> str:
    if data.startswith((b"ssh-", b"ecdsa-")):
        return "That is a public key; the private one is needed."
    if data.startswith(b"PuTTY-User-Key-File"):
        return "That is a PuTTY key; convert it with `puttygen KEY.ppk -O private-openssh -o KEY.pem`."
    return "That is no private key that SSH can use."


def _with_certificate(path: Path, key: paramiko.PKey) -> paramiko.PKey:
    certificate = Path(f"{path}-cert.pub")
    if certificate.is_file():
        key.load_certificate(str(certificate))
    return key
