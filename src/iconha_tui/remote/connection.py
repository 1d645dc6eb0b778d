"""One authenticated SSH connection: how it is made, what it may negotiate, and the sentence for each way it can fail."""

from __future__ import annotations

import errno
import logging
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, InvalidStateError
from contextlib import suppress
from typing import NamedTuple

import paramiko
from paramiko.ssh_exception import IncompatiblePeer

from iconha_tui.engine.cancel import ended
from iconha_tui.error_codes import Code
from iconha_tui.errors import Cancelled, Trouble
from iconha_tui.remote.host_keys import HostKey, HostKeys
from iconha_tui.remote.identity import Identity
from iconha_tui.text import clean

# Without a handler Python prints paramiko's errors to stderr, over the wizard's screen; they reach the operator as Trouble.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

CONNECT_TIMEOUT = 15.0
AUTH_TIMEOUT = 30.0
CHANNEL_TIMEOUT = 15.0
KEEPALIVE = 10
"""Seconds between keepalives: keeps NAT entries alive, and gives TCP something to find a dead peer with."""
PEER_TIMEOUT = 30.0
"""Seconds after which TCP gives up on a peer that acknowledges nothing."""

WEAK_ALGORITHMS = {
    "macs": ["hmac-sha1", "hmac-sha1-96", "hmac-md5", "hmac-md5-96"],
    "keys": ["ssh-rsa", "ssh-dss"],
    "pubkeys": ["ssh-rsa", "ssh-dss"],
    "kex": ["diffie-hellman-group1-sha1", "diffie-hellman-group14-sha1", "diffie-hellman-group-exchange-sha1"],
    "ciphers": ["aes128-cbc", "aes192-cbc", "aes256-cbc", "3des-cbc"],
}
"""Never negotiated: SHA-1, MD5, CBC. paramiko 5 still offers the MACs and the ciphers."""

_FULL_RETRIES = (0.3, 0.7, 1.5)
"""Seconds between tries at an sshd that closes the connection before it says anything (MaxStartups)."""


class Endpoint(NamedTuple):
    """Where a node's sshd is. alias: what its host key is filed under, the EC2 instance id."""

    host: str
    port: int
    alias: str


class Unreachable(Trouble):
    """No connection could be made; another try may do better."""

    code = Code.NODE_UNREACHABLE
    transient = True


class LoginRefused(Trouble):
    """The node answered, and did not let the operator in."""

    code = Code.SSH_LOGIN_REFUSED


class Attempt:
    """A connection in the making, in a thread of its own: sockets and paramiko wait without looking up, who waits here does not.

    Any number of commands may wait for it. Once it is abandoned it asks the operator nothing any more, and closes what it still
    brings about.

    name: the node's. endpoint: asked in that thread, as it may have to ask AWS.
    """

    def __init__(
        self,
        name: str,
        endpoint: Callable[[], Endpoint],
        user: str,
        identity: Identity,
        host_keys: HostKeys,
        timeout: float = CONNECT_TIMEOUT,
    ) -> None:
        self._name = name
        self._made: Future[paramiko.Transport] = Future()
        self.waiting = 0
        """How many commands wait for it; counted by whoever shares it out."""

        def make() -> None:
            try:
                transport = _connect(name, endpoint(), user, identity, host_keys, timeout, self._made)
            except BaseException as error:
                with suppress(InvalidStateError):
                    self._made.set_exception(error)
                return
            try:
                self._made.set_result(transport)
            except InvalidStateError:
                transport.close()

        threading.Thread(target=make, name=f"connect-{name}", daemon=True).start()

    @property
    def done(self) -> bool:
        """Whether it has come to an end, whatever that is."""
        return self._made.done()

    @property
    def transport(self) -> paramiko.Transport | None:
        """The connection, where it has brought one about."""
        ended_well = self._made.done() and not self._made.cancelled() and self._made.exception() is None
        return self._made.result() if ended_well else None

    def wait(self, cancel: threading.Event) -> paramiko.Transport:
        """The connection. Raises Unreachable, HostKeyRejected or LoginRefused, each naming the node; Cancelled."""
        if not ended(self._made, cancel):
            raise Cancelled("Stopped while connecting.", where=self._name)
        try:
            return self._made.result()
        except CancelledError:
            raise Unreachable(
                "The connection was closed while it was being made.", where=self._name, remedy="Try again."
            ) from None

    def abandon(self) -> None:
        """Ends it, for everybody who waits. What it has brought about already is closed; nothing is waited for."""
        if not self._made.cancel() and (transport := self.transport) is not None:
            hang_up(transport)


def hang_up(transport: paramiko.Transport) -> None:
    """Closes a connection in a thread of its own: paramiko waits for its thread, which may be busy with a peer that hangs."""
    threading.Thread(target=transport.close, name="hang-up", daemon=True).start()


def _connect(
    name: str,
    endpoint: Endpoint,
    user: str,
    identity: Identity,
    host_keys: HostKeys,
    timeout: float,
    made: Future[paramiko.Transport],
) -> paramiko.Transport:
    """An unknown host key is asked about while no connection is open: the operator may take longer than sshd's patience."""
    transport = _negotiate(name, endpoint, host_keys, timeout)
    try:
        key = _offered(transport)
        if not host_keys.accepts(name, endpoint.alias, key):
            transport.close()
            if made.cancelled():
                raise Cancelled("Stopped while connecting.", where=name)
            host_keys.ask(name, endpoint.alias, key)
            transport = _negotiate(name, endpoint, host_keys, timeout)
            key = _offered(transport)
            if not host_keys.accepts(name, endpoint.alias, key):
                raise Unreachable("The host key was forgotten while connecting.", where=name, remedy="Connect again.")
        _log_in(name, transport, user, identity)
    except BaseException:
        transport.close()
        raise
    transport.set_keepalive(KEEPALIVE)
    return transport


def answers(transport: paramiko.Transport, timeout: float | None = None) -> bool:
    """Whether the sshd at the other end still answers. TCP alone cannot tell, where a forwarder stands between."""
    try:
        transport.open_session(timeout=timeout or CHANNEL_TIMEOUT).close()
    except (paramiko.SSHException, OSError, EOFError) as error:
        return was_refused(transport, error)
    return True


def was_refused(transport: paramiko.Transport, error: Exception) -> bool:
    """Whether `error`, of opening a channel, is the server's refusal and not a dead connection.

    Of two refusals at the same time paramiko raises a ChannelException for one and a plain SSHException for the other.
    """
    return isinstance(error, paramiko.SSHException) and transport.is_active() and "timeout" not in str(error).lower()


def _negotiate(name: str, endpoint: Endpoint, host_keys: HostKeys, timeout: float) -> paramiko.Transport:
    for pause in (*_FULL_RETRIES, None):
        transport = _transport(_dial(name, endpoint, timeout), endpoint, host_keys)
        started = threading.Event()
        transport.start_client(event=started)
        in_time = started.wait(timeout)
        if in_time and transport.is_active():
            return transport
        error = transport.get_exception()
        spoke = bool(transport.remote_version)
        transport.close()
        closed_at_once = (
            in_time and not spoke and (error is None or isinstance(error, EOFError | OSError) or "banner" in str(error))
        )
        if not closed_at_once or "timed out" in str(error).lower() or pause is None:
            raise _negotiation_trouble(name, endpoint, error if in_time else TimeoutError(), timeout)
        time.sleep(pause)
    raise AssertionError("unreachable")


def _dial(name: str, endpoint: Endpoint, timeout: float) -> socket.socket:
    try:
        sock = socket.create_connection((endpoint.host, endpoint.port), timeout)
    except OSError as error:
        raise _dial_trouble(name, endpoint, error, timeout) from error
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(PEER_TIMEOUT * 1000))
    return sock


def _transport(sock: socket.socket, endpoint: Endpoint, host_keys: HostKeys) -> paramiko.Transport:
    """A transport that asks first for the kinds of host key that are known, as a server with several may offer any."""
    try:
        transport = paramiko.Transport(sock, disabled_algorithms=WEAK_ALGORITHMS)
        transport.daemon = True
        transport.banner_timeout = transport.handshake_timeout = CONNECT_TIMEOUT
        transport.auth_timeout = AUTH_TIMEOUT
        transport.channel_timeout = CHANNEL_TIMEOUT
        known = {key.kind for key in host_keys.known(endpoint.alias)}
        options = transport.get_security_options()
        options.key_types = sorted(options.key_types, key=lambda kind: _key_kind(kind) not in known)
    except BaseException:
        sock.close()
        raise
    return transport


def _key_kind(algorithm: str) -> str:
    """The kind of key that a signature algorithm uses: the RSA ones all sign with an ssh-rsa key."""
    return "ssh-rsa" if algorithm.startswith("rsa-sha2-") else algorithm


def _offered(transport: paramiko.Transport) -> HostKey:
    key = transport.get_remote_server_key()
    return HostKey(key.get_name(), key.asbytes())


def _log_in(name: str, transport: paramiko.Transport, user: str, identity: Identity) -> None:
    refusal: Exception | None = None
    for key in identity.offers():
        try:
            also = transport.auth_publickey(user, key)
        except paramiko.BadAuthenticationType as error:
            refusal = error
            break
        except paramiko.AuthenticationException as error:
            refusal = error
            if not transport.is_active():
                break
            continue
        except (paramiko.SSHException, EOFError, OSError) as error:
            refusal = error
            break
        if not also:
            return
        refusal = paramiko.AuthenticationException(f"It also wants {', '.join(also)}.")
        break
    raise _login_trouble(name, user, identity, refusal)


def _dial_trouble(name: str, endpoint: Endpoint, error: OSError, timeout: float) -> Unreachable:
    at = f"{endpoint.host} port {endpoint.port}"
    if isinstance(error, socket.gaierror):
        return Unreachable(
            f"The address {endpoint.host} cannot be resolved.",
            code=Code.ADDRESS_UNRESOLVED,
            where=name,
            remedy="Check the address and the DNS.",
        )
    if isinstance(error, TimeoutError):
        return Unreachable(
            f"{at} did not answer within {timeout:.0f} s.",
            code=Code.SSH_TIMEOUT,
            where=name,
            remedy="Check that the instance is running, and that its security group lets tcp 22 in from here.",
        )
    if isinstance(error, ConnectionRefusedError):
        return Unreachable(
            f"{at} refused the connection.",
            code=Code.SSH_REFUSED,
            where=name,
            remedy="Is the instance still booting? Try again; else check its sshd and port.",
        )
    if error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH):
        return Unreachable(
            f"There is no route to {endpoint.host}.",
            where=name,
            remedy="Check your network or VPN; a private address is reached from inside the VPC only.",
        )
    return Unreachable(
        f"{at} cannot be reached: {error.strerror or error}.", where=name, remedy="Check the address and your network."
    )


def _negotiation_trouble(name: str, endpoint: Endpoint, error: Exception | None, timeout: float) -> Unreachable:
    at = f"{endpoint.host} port {endpoint.port}"
    if isinstance(error, TimeoutError) or "timed out" in str(error).lower():
        return Unreachable(
            f"{at} takes connections, but no SSH server answered within {timeout:.0f} s.",
            code=Code.SSH_HANDSHAKE,
            where=name,
            remedy="The instance may be overloaded or still booting: try again, or look at its console output.",
        )
    if isinstance(error, IncompatiblePeer):
        return Unreachable(
            "Its SSH server offers only algorithms that are no longer safe.",
            code=Code.SSH_HANDSHAKE,
            where=name,
            remedy="Update openssh-server on the node, or remove SHA-1-only settings from its sshd_config.",
            detail=clean(str(error)),
        )
    if (
        error is None
        or isinstance(error, EOFError | OSError)
        or "banner" in str(error)
        or "protocol version" in str(error)
    ):
        return Unreachable(
            f"What answers at {at} closed the connection or is no SSH server.",
            code=Code.SSH_HANDSHAKE,
            where=name,
            remedy="Check the port; if it is right, sshd may be limiting connections (MaxStartups): try again in a minute.",
            detail=clean(str(error or "")),
        )
    return Unreachable(
        "The SSH connection could not be set up.",
        code=Code.SSH_HANDSHAKE,
        where=name,
        remedy="Try again.",
        detail=clean(str(error)),
    )


def _login_trouble(name: str, user: str, identity: Identity, error: Exception | None) -> Trouble:
    if isinstance(error, paramiko.AuthenticationException) and "timeout" not in str(error).lower():
        return LoginRefused(
            f"The login as {user} with {identity.describe()} was refused.",
            where=name,
            remedy="Check the user (`ubuntu` on Ubuntu, `admin` on Debian) and that the key is the instance's key pair.",
            detail=clean(str(error)),
        )
    if isinstance(error, paramiko.SSHException | EOFError | OSError) and "key" not in str(error).lower():
        return Unreachable(
            "The connection broke during the login.",
            where=name,
            remedy="Try again; if an SSH agent holds many keys, name the key file: sshd closes after six wrong ones.",
            detail=clean(str(error)),
        )
    return LoginRefused(
        f"{identity.describe()} cannot be used to log in.",
        code=Code.SSH_KEY_UNUSABLE,
        where=name,
        remedy="Use an ed25519 or RSA key.",
        detail=clean(str(error)),
    )


def guarded_exec(transport: paramiko.Transport, channel: paramiko.Channel, command: str) -> None:
    """Ask for `command` on `channel`. paramiko waits for the answer without limit; here the connection is given up instead."""
    watchdog = threading.Timer(CHANNEL_TIMEOUT, _closer(transport))
    watchdog.daemon = True
    watchdog.start()
    try:
        channel.exec_command(command)
    finally:
        watchdog.cancel()


def _closer(transport: paramiko.Transport) -> Callable[[], None]:
    def close() -> None:
        with suppress(Exception):
            transport.close()

    return close
