"""All that a status can do to the world. The rest of this package has nothing else to act with, so it can change nothing."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from iconha_tui.cluster.cib import CIB_VERSION
from iconha_tui.cluster.heartbeat import COROSYNC_2, COROSYNC_3
from iconha_tui.cluster.log_events import IDENTIFIERS, PATTERN
from iconha_tui.cluster.scheduler import simulate_loss
from iconha_tui.engine.ports import Cloud
from iconha_tui.engine.step import Context
from iconha_tui.error_codes import Code
from iconha_tui.errors import Trouble
from iconha_tui.session import Session
from iconha_tui.spec import Spec
from iconha_tui.stages import awscli
from iconha_tui.stages.instances import address_lookups, instance_lookups
from iconha_tui.stages.lookup import look_up
from iconha_tui.stages.packages import AWSEIP
from iconha_tui.status.chains import fetch_chains

Answer = dict[str, Any]
"""What a look brought, as JSON can hold it."""

PORTS = (7100, 9000)
"""The P-Rep's: peer to peer, and JSON-RPC."""

READS = frozenset({("ec2", "describe_addresses"), ("ec2", "describe_instances")})
"""The calls of AWS that a status makes."""

CUT = "@@iconha "

SHARED_MEMORY = "/dev/shm"  # noqa: S108  looked at, not written to
"""Of it every connection to a daemon of the cluster takes some."""
PLACES = ("/var/lib/pacemaker/cib", "/var/log", "/tmp", SHARED_MEMORY)  # noqa: S108  looked at, not written to
"""Where the cluster has to have room: on the disk, and in memory."""


def look(spec: Spec, node: str) -> str:
    """The one command that a node is given to tell of itself and of the cluster. It only reads."""
    other = next(name for name in spec.names if name != node)
    resource = shlex.quote(spec.elastic_ip.id)
    lost, fenced = (shlex.join(simulate_loss(other, fencing=fencing)) for fencing in (False, True))
    parts = {
        # The date at both ends: the clock's offset is then known to within the time that the connection took.
        "machine": "cat /proc/uptime /proc/loadavg; date +%s.%N",
        "versions": "sed -n 's/^PRETTY_NAME=//p' /etc/os-release; timeout 5 corosync -v; timeout 5 pacemakerd --version",
        "services": "systemctl is-active corosync pacemaker",
        "boot": "systemctl is-enabled corosync pacemaker",
        "members": "timeout 5 corosync-cmapctl | grep members",
        "links": "timeout 5 corosync-cfgtool -s",
        "quorum": "timeout 5 corosync-quorumtool -s",
        "heartbeat": f"timeout 5 {shlex.join(COROSYNC_3)} || timeout 5 {shlex.join(COROSYNC_2)}",
        "monitor": "monitor=$(timeout 10 crm_mon -X); printf '%s\\n' \"$monitor\"",
        "cib": f"timeout 5 {shlex.join(CIB_VERSION)}",
        # crm_mon does not tell: it asks other daemons, and to them a controller that hangs is a member like any other.
        "controller": f"timeout 5 crmadmin -t 3000 -S {shlex.quote(node)}; echo $?",
        # crm_mon tells it with the operations alone: a node that has none there yet can have failed too often all the same.
        "failcount": f"timeout 5 crm_failcount --query -r {resource} -N {shlex.quote(node)}",
        # With fencing the node is failed, not stopped: the answer then includes whether it can be fenced.
        # The scheduler works on a copy, a file of the moment: beside the cluster's configuration it would stay if it is killed.
        "takeover": "export CIB_shadow_dir=/run; "
        f"case $monitor in *'stonith-enabled=\"true\"'*) timeout 10 {fenced};; *) timeout 10 {lost};; esac",
        # What is on the disk tells of a cluster that is stopped, too.
        "configured": f"grep -q -F ' id={_double(spec.elastic_ip.id)}' /var/lib/pacemaker/cib/cib.xml && echo yes || echo no",
        "agent": f"test -x {AWSEIP} && echo agent; aws=$(timeout 5 crm_resource -r {resource} -g awscli); "
        'echo "path ${aws:=/usr/bin/aws}"; test -x "$aws" && echo awscli',
        "room": f"for at in {' '.join(PLACES)}; do df -Pk $at | tail -n 1; df -Pi $at | tail -n 1; done",
        "events": f"timeout 5 journalctl -q --no-pager -o short-unix {' '.join(f'-t {each}' for each in IDENTIFIERS)} -n 3000"
        f" | grep -E '{PATTERN}' | tail -n 150 | cut -c 1-500",
        "end": "date +%s.%N",
    }
    return "export LC_ALL=C TZ=UTC; exec 2>/dev/null; " + "; ".join(
        f"echo; echo '{CUT}{name}'; {command}" for name, command in parts.items()
    )


def _double(word: str) -> str:
    return f'"{word}"'


def calls(spec: Spec) -> str:
    """The one command that a node is given to try awseip's calls of AWS: as root, in Pacemaker's own environment, with the
    parameters that count for the cluster. It changes nothing: AWS is told so, and what it allows is a dry run."""
    resource = shlex.quote(spec.elastic_ip.id)
    get = f"timeout 5 crm_resource -r {resource} -g"
    imds = "http://169.254.169.254/latest"
    tries = awscli.trials_in_one_process("$aws", "$profile", "$instance", "$allocation")
    return "; ".join(
        [
            "export LC_ALL=C; exec 2>/dev/null",
            "pid=$(systemctl show -p MainPID pacemaker | cut -d= -f2)",
            f"aws=$({get} awscli)",
            f"profile=$({get} profile)",
            f"allocation=$({get} allocation_id)",
            f'token=$(curl -sfm 5 -X PUT {imds}/api/token -H "X-aws-ec2-metadata-token-ttl-seconds: 60")',
            f'instance=$(curl -sfm 5 {imds}/meta-data/instance-id -H "X-aws-ec2-metadata-token: $token")',
            f"echo '{CUT}calls'",
            'echo "pid $pid"; echo "allocation $allocation"; echo "instance $instance"',
            '[ "${pid:-0}" != 0 ] && [ -n "$allocation" ] && [ -n "$instance" ] && '
            'xargs -0 -a /proc/$pid/environ sh -c \'exec env -i "$@" sh -c "$0"\' '
            f"{shlex.quote(tries)} "
            '"aws=${aws:-/usr/bin/aws}" "profile=${profile:-default}" "allocation=$allocation" "instance=$instance"',
        ]
    )


ROOM = 1 << 20
"""Characters of an answer. That of a healthy pair has some 30,000, with every event of a bad day 150,000."""

_PATIENCE = 30.0
_PATIENCE_OF_CALLS = 60.0
"""AWS's own limits end a call that hangs before that."""


class Eyes(Protocol):
    """What a watcher looks with. Every method raises Trouble where it sees nothing."""

    def aws(self) -> Answer:
        """EC2's word on the machines and the address."""

    def node(self, name: str) -> Answer:
        """What a node says of itself and of the cluster."""

    def calls(self, name: str) -> Answer:
        """What comes of awseip's calls of AWS on a node."""

    def ports(self, address: str) -> Answer:
        """Which of the P-Rep's ports answer at an address, and what its API tells."""

    def remember(self, aws: Answer) -> None:
        """Takes an earlier answer of AWS as true, to find the nodes by."""

    def close(self) -> None:
        """Ends every connection."""


class SessionEyes:
    """Looks through a session, whose AWS client it narrows to READS, and whose nodes to `look` and `calls`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._ctx = read_only(session.ctx)
        self._addresses: dict[str, str | None] = {}

    def aws(self) -> Answer:
        view = self._ctx.view
        lookups = [*address_lookups(view), *(each for name in view.spec.names for each in instance_lookups(view, name))]
        facts = {name: value for name, value in look_up(self._ctx, lookups).items() if isinstance(value, str | None)}
        self.remember(facts)
        return facts

    def remember(self, aws: Answer) -> None:
        self._ctx.learn(aws)
        for name in self._ctx.spec.names:
            address = aws.get(f"{name}.public_ip")
            if address != self._addresses.setdefault(name, address):
                # What is connected through an address that has moved hangs, or would reach the other machine.
                self._addresses[name] = address
                self._session.forget(name)

    def node(self, name: str) -> Answer:
        return self._ask(name, look(self._ctx.spec, name), _PATIENCE)

    def calls(self, name: str) -> Answer:
        return self._ask(name, calls(self._ctx.spec), _PATIENCE_OF_CALLS)

    def _ask(self, name: str, script: str, patience: float) -> Answer:
        began = time.time()
        said = self._ctx.node(name).run(("sh", "-c", script), timeout=patience)
        if CUT not in said.stdout:
            raise Trouble(
                "The command that looks at it gave no answer.",
                code=Code.NODE_ANSWER,
                where=name,
                remedy="Log in there and see whether `sudo -n true` works.",
                detail=said.tail,
            )
        if len(said.stdout) > ROOM:
            raise Trouble(
                f"It says more than {ROOM >> 20} MiB of itself: none of it is read.",
                code=Code.OUTPUT_TOO_LONG,
                where=name,
                remedy="Log in there and see what its tools say.",
            )
        return {"said": self._ctx.vault.mask(said.stdout), "began": began, "ended": time.time()}

    def ports(self, address: str) -> Answer:
        found: Answer = {"address": address, **{str(port): not self._ctx.reach(address, port) for port in PORTS}}
        if found["9000"]:
            found["chains"], found["chain_trouble"] = fetch_chains(address, 9000)
        return found

    def close(self) -> None:
        self._session.cancel()
        self._session.close()


def read_only(ctx: Context) -> Context:
    """The same context, unable to change anything: it refuses what is neither in READS nor `look` nor `calls`, whoever asks."""
    return replace(
        ctx, cloud=ReadOnlyCloud(ctx.cloud), node=lambda name: ReadOnlyNode(name, ctx), node_cloud=_refuse_node_cloud
    )


class ReadOnlyCloud:
    """`engine.ports.Cloud` for READS alone."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def call(self, service: str, operation: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        if (service, operation) not in READS:
            raise Refused(f"{service}:{operation}")
        return self._cloud.call(service, operation, params)


class ReadOnlyNode:
    """`engine.ports.Node` for `look` and `calls` alone."""

    def __init__(self, name: str, ctx: Context) -> None:
        self.name = name
        self._node = ctx.node
        self._allowed = (look(ctx.spec, name), calls(ctx.spec))

    def run(self, argv: tuple[str, ...], *, timeout: float = _PATIENCE, **more: Any) -> Any:
        if argv[:2] != ("sh", "-c") or argv[2:] not in [(script,) for script in self._allowed] or more:
            raise Refused(f"a command on {self.name}")
        return self._node(self.name).run(argv, timeout=timeout)

    def run_long(self, key: str, argv: tuple[str, ...], **more: Any) -> Any:
        raise Refused(f"a command on {self.name}")

    def read(self, path: str) -> bytes | None:
        raise Refused(f"a file of {self.name}")

    def write(self, path: str, content: bytes, **more: Any) -> None:
        raise Refused(f"a file of {self.name}")


class Refused(RuntimeError):
    """A status tried what it has no business with: a mistake in this program, never an operator's trouble."""

    def __init__(self, what: str) -> None:
        super().__init__(f"A status does not touch this: {what}.")


def _refuse_node_cloud() -> Cloud:
    raise Refused("the nodes' keys")


def reject_host_key(node: str, kind: str, fingerprint: str) -> bool:
    """A status never makes a new acquaintance: an unknown host key is not accepted."""
    return False
