"""What cloud-init and the operator's own P-Rep would have put on an instance: done to a node before its first boot.

It is written into the container's file system by chroot, so that any image with systemd and sshd will do.
"""

from __future__ import annotations

import io
import secrets
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from iconha_tui.error_codes import Code
from iconha_tui.errors import Trouble
from iconha_tui.lab import host
from iconha_tui.lab.ca import api_names

API_ADDRESS = "169.254.169.200"
"""Where a node finds the EC2 API: a link-local address of its own loopback interface."""

BUNDLE = "/etc/ssl/certs/ca-certificates.crt"

# awscli 2 brings certificates of its own: AWS_CA_BUNDLE must reach it through sudo too, so that it trusts the lab.
_SUDOERS = "ubuntu ALL=(ALL) NOPASSWD:ALL\nDefaults env_keep += AWS_CA_BUNDLE\n"

RPC = r"""#!/bin/sh
# A stand-in for the P-Rep's JSON-RPC: says which node answers, so that a client sees where an address leads.
read -r method path _ || exit 0
length=0
while read -r name value; do
    case "$name" in
        [Cc]ontent-[Ll]ength:) length=$(printf %s "$value" | tr -cd 0-9) ;;
        "$(printf '\r')"|"") break ;;
    esac
done
[ "${length:-0}" -eq 0 ] || head -c "$length" >/dev/null
host=$(hostname)
instance=$(cat /var/lib/cloud/data/instance-id)
height=$(( ($(date +%s) - 1700000000) / 2 ))
case "$path" in
    /admin/chain*)
        body='[{"cid":"0x1","nid":"0x1","channel":"icon_dex","state":"started","height":'$height',"lastError":""}]' ;;
    *)
        body='{"jsonrpc":"2.0","id":1,"result":'
        body="$body{\"hostname\":\"$host\",\"instance_id\":\"$instance\",\"height\":$height}}" ;;
esac
printf 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s' "${#body}" "$body"
"""

P2P = "#!/bin/sh\n# A stand-in for the P-Rep's peer-to-peer port.\nhostname\n"

SCRIPT = r"""
set -eu
for program in sshd sudo systemctl; do
    command -v "$program" >/dev/null || { echo "the image has no $program" >&2; exit 1; }
done
id ubuntu >/dev/null 2>&1 || useradd --create-home --shell /bin/bash --user-group ubuntu
home=$(getent passwd ubuntu | cut -d: -f6)
mkdir -p "$home/.ssh" /root/.ssh
cp /var/lib/iconha-lab/authorized_keys "$home/.ssh/authorized_keys"
chmod 700 "$home/.ssh" /root/.ssh
chmod 600 "$home/.ssh/authorized_keys" /root/.ssh/authorized_keys
chown -R ubuntu:ubuntu "$home/.ssh"
rm -f /etc/ssh/ssh_host_*
ssh-keygen -A >/dev/null
mkdir -p /etc/ssl/certs
cat /var/lib/iconha-lab/bundle.pem > /etc/ssl/certs/ca-certificates.crt
grep -qs '^AWS_CA_BUNDLE=' /etc/environment || echo 'AWS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt' >> /etc/environment
systemctl enable prep-rpc.socket prep-p2p.socket >/dev/null 2>&1
systemctl enable ssh.service >/dev/null 2>&1 || systemctl enable sshd.service >/dev/null 2>&1
"""


@dataclass(frozen=True)
class Seed:
    """What is particular to one instance."""

    instance_id: str
    hostname: str
    private_ip: str
    region: str
    public_key: str
    """The key pair's public line; "" where the instance was launched without one."""
    ca: str
    """The lab CA's certificate, PEM."""


def plant(root: Path, seed: Seed) -> None:
    """Write the instance's part into the file system at `root`. Raises Trouble."""
    _chroot(root, ["tar", "--extract", "--no-same-owner", "--directory=/"], _archive(seed))
    _chroot(root, ["/bin/sh", "-s"], SCRIPT.encode())


def _chroot(root: Path, argv: list[str], feed: bytes) -> None:
    path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    command = ["chroot", str(root), "/usr/bin/env", "-i", path, "LC_ALL=C.UTF-8", *argv]
    done = subprocess.run(command, input=feed, capture_output=True, check=False, timeout=60)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).decode(errors="replace").strip()
        raise Trouble(
            f"A node's file system could not be prepared: {said}",
            code=Code.LAB_FAILED,
            remedy="Use an image with systemd, sshd and sudo.",
        )


def _archive(seed: Seed) -> bytes:
    bundle, added = host.authorities()
    files: dict[str, tuple[str, int]] = {
        "etc/hosts": (_hosts(seed), 0o644),
        "etc/machine-id": (secrets.token_hex(16) + "\n", 0o444),
        "etc/sudoers.d/90-cloud-init-users": (_SUDOERS, 0o440),
        # Debian 13's awscli has a trust store of its own, which AWS_CA_BUNDLE overrides; sudo forgets the variable.
        "etc/sudoers.d/91-iconha-lab": ("Defaults env_file=/etc/environment\n", 0o440),
        "etc/ssh/sshd_config.d/60-cloudimg-settings.conf": ("PasswordAuthentication no\n", 0o644),
        "root/.ssh/authorized_keys": (_refuse_root(seed.public_key), 0o600),
        "var/lib/cloud/data/instance-id": (seed.instance_id + "\n", 0o644),
        "var/lib/iconha-lab/authorized_keys": (seed.public_key.strip() + "\n", 0o600),
        "var/lib/iconha-lab/bundle.pem": (f"{bundle}\n{seed.ca}", 0o644),
        "usr/local/share/ca-certificates/iconha-lab.crt": (seed.ca, 0o644),
        # Services do not read /etc/environment; an awscli in a virtual environment knows no system trust store.
        "etc/systemd/system.conf.d/60-iconha-lab.conf": (
            f"[Manager]\nDefaultEnvironment=AWS_CA_BUNDLE={BUNDLE}\n",
            0o644,
        ),
        # On a host with v1 cgroups systemd is not told when a login's last process has gone, and waits for the timeout.
        "etc/systemd/system/session-.scope.d/60-iconha-lab.conf": ("[Scope]\nTimeoutStopSec=2s\n", 0o644),
        "etc/systemd/system/user@.service.d/60-iconha-lab.conf": ("[Service]\nTimeoutStopSec=2s\n", 0o644),
        "usr/local/lib/iconha-lab/prep-rpc": (RPC, 0o755),
        "usr/local/lib/iconha-lab/prep-p2p": (P2P, 0o755),
    }
    for name, port in (("prep-rpc", 9000), ("prep-p2p", 7100)):
        files[f"etc/systemd/system/{name}.socket"] = (
            f"[Unit]\nDescription=Stand-in for a P-Rep, port {port}\n\n"
            f"[Socket]\nListenStream={port}\nAccept=yes\n\n[Install]\nWantedBy=sockets.target\n",
            0o644,
        )
        files[f"etc/systemd/system/{name}@.service"] = (
            f"[Unit]\nDescription=Stand-in for a P-Rep, port {port}\nCollectMode=inactive-or-failed\n\n"
            f"[Service]\nExecStart=-/usr/local/lib/iconha-lab/{name}\nStandardInput=socket\nStandardOutput=socket\n"
            "StandardError=journal\nTimeoutStopSec=2\nRuntimeMaxSec=30\n",
            0o644,
        )
    for name, text in added.items():
        files[f"usr/local/share/ca-certificates/{name}"] = (text, 0o644)
    if settings := host.apt_settings():
        files["etc/apt/apt.conf.d/90iconha-lab"] = (settings, 0o644)
    if settings := host.pip_settings():
        files["etc/pip.conf"] = (settings, 0o644)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for path, (text, mode) in files.items():
            content = text.encode()
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(content), mode
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def _hosts(seed: Seed) -> str:
    lines = ["127.0.0.1 localhost", "::1 ip6-localhost ip6-loopback", f"{seed.private_ip} {seed.hostname}"]
    lines += [f"{API_ADDRESS} {name}" for name in api_names(seed.region)]
    return "\n".join(lines) + "\n"


def _refuse_root(public_key: str) -> str:
    """What cloud-init gives root on Ubuntu: the same key, good for one sentence."""
    if not public_key:
        return ""
    command = 'echo \'Please login as the user \\"ubuntu\\" rather than the user \\"root\\".\';echo;sleep 10;exit 142'
    return f'no-port-forwarding,no-agent-forwarding,no-X11-forwarding,command="{command}" {public_key.strip()}\n'
