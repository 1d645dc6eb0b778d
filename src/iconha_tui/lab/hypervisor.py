"""Podman as the hypervisor: one network a lab, one container an instance."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from iconha_tui.error_codes import Code
from iconha_tui.errors import Trouble
from iconha_tui.lab import host
from iconha_tui.lab.shell import as_root, run

LABEL = "iconha.lab"
CAPABILITIES = "SYS_NICE,NET_ADMIN,NET_RAW,IPC_LOCK"
"""Corosync raises its priority, locks its memory and binds to interfaces; ping needs raw sockets."""
SHARED_MEMORY = "256m"
"""Of /dev/shm. Corosync and Pacemaker take 33 MiB, more than half of what Podman gives by itself; machines have far more."""

STOP_SECONDS = 20
"""How long a node may take to shut down before it is cut off."""


@dataclass(frozen=True)
class Network:
    """The lab's bridge. `vpc` is the /16 that nothing else on this host uses, `subnet` the part that has nodes."""

    name: str
    vpc: ipaddress.IPv4Network
    subnet: ipaddress.IPv4Network


class Hypervisor:
    """The containers and the network of one lab, recognised by its label."""

    def __init__(self, lab_id: str, network: str) -> None:
        self.lab_id = lab_id
        self.network_name = network

    def container(self, instance_id: str) -> str:
        return f"iconha-{self.lab_id}-{instance_id}"

    def make_network(self) -> Network:
        """A bridge with NAT, on addresses that are free on this host. Raises Trouble where none is."""
        used = host.used_networks()
        used += _podman_networks()
        for second in range(64, 128):
            vpc = ipaddress.IPv4Network(f"10.{second}.0.0/16")
            if any(vpc.overlaps(one) for one in used):
                continue
            subnet = ipaddress.IPv4Network(f"10.{second}.1.0/24")
            argv = ["podman", "network", "create", "--disable-dns", "--label", f"{LABEL}={self.lab_id}"]
            argv += ["--opt", f"mtu={host.mtu()}", "--subnet", str(subnet), "--gateway", str(subnet[1])]
            # Another lab may have taken these addresses a moment ago: then Podman refuses, and the next are tried.
            with contextlib.suppress(Trouble):
                run([*argv, self.network_name])
                return Network(self.network_name, vpc, subnet)
        raise Trouble(
            "No network of 10.64.0.0/10 is free on this machine.", code=Code.LAB_FAILED, remedy="Take another lab down."
        )

    def create(self, instance_id: str, *, image: str, ip: str, mac: str, hostname: str) -> Path:
        """Make an instance's container, stopped, and return the folder in which its root file system is mounted."""
        name = self.container(instance_id)
        argv = ["podman", *self._runtime(), "create", "--name", name, "--label", f"{LABEL}={self.lab_id}"]
        argv += ["--systemd=always", "--network", self.network_name, "--ip", ip, "--mac-address", mac]
        argv += ["--shm-size", SHARED_MEMORY]
        argv += [
            "--hostname",
            hostname,
            "--no-hosts",
            "--cap-add",
            CAPABILITIES,
            "--log-driver",
            "none",
            *host.ulimits(),
        ]
        run([*argv, image, "/sbin/init"])
        return Path(run(["podman", "mount", name]).strip())

    def prepare_start(self, instance_id: str) -> int:
        """Make the namespaces of a stopped container; returns the process that holds them. Nothing runs in it yet."""
        name = self.container(instance_id)
        self._wait_cleaned_up(name)
        run(["podman", *self._runtime(), "init", name])
        return int(run(["podman", "inspect", "--format", "{{.State.Pid}}", name]))

    def start(self, instance_id: str) -> None:
        run(["podman", *self._runtime(), "start", self.container(instance_id)])

    def _wait_cleaned_up(self, name: str, timeout: float = 60) -> None:
        """Wait until Podman has cleared away what a container's last run has left. timeout in seconds; raises Trouble.

        The container's monitor does that, also after `podman stop` has returned: it would take the namespaces of a run that has
        begun by then.
        """
        container, file = run(["podman", "inspect", "--format", "{{.Id}} {{.ConmonPidFile}}", name]).split()
        monitor = run(["cat", file], check=False).strip()
        if not monitor:  # it has never run
            return
        deadline = time.monotonic() + timeout
        while container in run(["cat", f"/proc/{monitor}/cmdline"], check=False):
            if time.monotonic() > deadline:
                raise Trouble(
                    f"Podman does not end with the last run of {name}.",
                    code=Code.LAB_FAILED,
                    remedy="See `podman ps --all`.",
                )
            time.sleep(0.05)

    def stop(self, instance_id: str, *, force: bool = False) -> None:
        """Shut a node down in order; `force` pulls its plug."""
        seconds = "0" if force else str(STOP_SECONDS)
        run(["podman", "stop", "--time", seconds, self.container(instance_id)], timeout=STOP_SECONDS + 60)

    def remove(self, instance_id: str) -> None:
        run(["podman", "rm", "--force", "--time", "0", self.container(instance_id)])

    def wait_booted(self, instance_id: str, pid: int, timeout: float = 180) -> None:
        """Wait until systemd has a verdict on the boot, and sshd listens. timeout in seconds; raises Trouble.

        pid: of the node's init.
        """
        script = (
            "s=$(systemctl is-system-running 2>/dev/null); "
            'case "$s" in running|degraded) ;; *) exit 1 ;; esac; '
            'grep -qi ":0016 00000000.*:0000 0A" /proc/net/tcp /proc/net/tcp6'
        )
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            with contextlib.suppress(subprocess.TimeoutExpired):  # so busy is the machine: it is looked at again
                if execute(pid, ["sh", "-c", script], timeout=30).returncode == 0:
                    return
            time.sleep(0.3)
        raise Trouble(
            f"{instance_id} has not booted within {timeout:.0f} s.",
            code=Code.LAB_FAILED,
            remedy="The image needs systemd and sshd; see the node's journal.",
        )

    def containers(self) -> list[str]:
        return run(["podman", "ps", "--all", "--quiet", "--filter", f"label={LABEL}={self.lab_id}"]).split()

    def remove_everything(self) -> None:
        """Remove every container of this lab and its network, whatever state they were left in."""
        for _ in range(3):
            if ids := self.containers():
                run(["podman", "rm", "--force", "--time", "0", *ids], check=False)
            else:
                break
        run(["podman", "network", "rm", "--force", self.network_name], check=False)
        if left := self.containers():
            raise Trouble(
                f"Podman did not remove {len(left)} container(s) of this lab.",
                code=Code.LAB_FAILED,
                remedy=f"Look with: podman ps --all --filter label={LABEL}={self.lab_id}",
            )

    def _runtime(self) -> list[str]:
        return ["--runtime", "runc"] if host.needs_runc() else []


def _podman_networks() -> list[ipaddress.IPv4Network]:
    """The addresses that Podman's networks have claimed, routed at the moment or not."""
    names = run(["podman", "network", "ls", "--quiet"]).split()
    found = []
    for network in json.loads(run(["podman", "network", "inspect", *names])) if names else []:
        for subnet in network.get("subnets") or []:
            with contextlib.suppress(ipaddress.AddressValueError):
                found.append(ipaddress.IPv4Network(subnet["subnet"]))
    return found


ENVIRONMENT = (
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME=/root",
    "TERM=xterm",
    "container=podman",
)


def execute(
    pid: int, argv: Sequence[str], *, feed: str | None = None, timeout: float | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command as root in the namespaces of a node. `podman exec` does the same for ten times the CPU time.

    pid: of the node's init; 0 where it does not run: the exit code is 125 then. Raises TimeoutExpired.
    """
    if not pid:
        return subprocess.CompletedProcess(list(argv), 125, "", "The machine does not run.")
    spaces = ["--mount", "--uts", "--ipc", "--net", "--pid"]
    return subprocess.run(
        as_root(["nsenter", "--target", str(pid), *spaces, "--", "env", "-i", *ENVIRONMENT, *argv]),
        input=feed if feed is not None else "",
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=timeout,
    )
