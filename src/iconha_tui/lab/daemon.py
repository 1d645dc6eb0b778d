"""The lab's process: control plane, metadata services, forwarders. Runs as root, in a session of its own.

python -m iconha_tui.lab.daemon serve|clean NAME --state-dir DIR --owner UID:GID [--suite S --image I]
"""

from __future__ import annotations

import argparse
import contextlib
import ipaddress
import json
import logging
import os
import secrets
import shutil
import signal
import ssl
import sys
import threading
from collections.abc import Iterable
from http import HTTPStatus
from pathlib import Path
from typing import Any

from iconha_tui.errors import Trouble
from iconha_tui.lab import ca, netfilter
from iconha_tui.lab.hypervisor import Hypervisor
from iconha_tui.lab.relay import Relays, Target
from iconha_tui.lab.state import LabPaths, Record, hold

log = logging.getLogger(__name__)

FORWARDED = {2222: 22, 7100: 7100, 9000: 9000}
"""Port on a public address -> port of the node. 22 is the host's own, on every loopback address."""


def serve(paths: LabPaths, owner: tuple[int, int], suite: str, image: str) -> int:
    """Bring the lab up, run until told to stop, and leave nothing behind."""
    with contextlib.suppress(PermissionError):
        os.setsid()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with hold(paths.lock, owner) as held:
        if not held:
            log.error("The lab %s is already running.", paths.name)
            return 1
        clean(paths)
        try:
            Daemon(paths, owner, suite, image).run()
        finally:
            clean(paths)
            paths.record.unlink(missing_ok=True)
    return 0


def clean(paths: LabPaths) -> None:
    """Remove what a lab of this name has left in Podman and in the packet filter."""
    Hypervisor(paths.lab_id, paths.network).remove_everything()
    for path in (paths.record, paths.stale_record):
        if record := Record.read(path):
            netfilter.remove_network_rules(ipaddress.IPv4Network(record.cidr))
    netfilter.remove_idle_chains()


class Daemon:
    """The parts of a running lab, put together."""

    def __init__(self, paths: LabPaths, owner: tuple[int, int], suite: str, image: str) -> None:
        # moto takes a second to import, and `clean` needs none of it.
        from iconha_tui.lab.control import REGION, Control
        from iconha_tui.lab.nodes import Nodes

        self._paths, self._owner, self._suite, self._image = paths, owner, suite, image
        self._region = REGION
        self._stop = threading.Event()
        self._token = secrets.token_urlsafe(32)
        self._hypervisor = Hypervisor(paths.lab_id, paths.network)
        self._network = self._hypervisor.make_network()
        self._relays = Relays()
        self._nodes = Nodes(self._hypervisor, image, self._relays)
        self._control = Control(paths.name, self._network, self._nodes)
        self._leads: dict[str, str] = {}

    def run(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop.set())
        private, public = ca.make_ssh_key(f"lab-{self._paths.name}")
        authority, server = ca.make_authority(self._paths.name, ca.api_names(self._region))
        operator, nodes = self._control.fill(public)
        api = self._control.serve(self._answer)
        port = int(api.port)
        self._write(self._paths.key_file, private)
        self._write(self._paths.ca_file, authority)
        self._write(self._paths.server_file, server)
        self._write(self._paths.aws_config, aws_config(self._region, port, {"lab": operator, "lab-nodes": nodes}))
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(self._paths.server_file)
        wiring = self._nodes
        wiring.api, wiring.tls, wiring.ca, wiring.region = ("127.0.0.1", port), tls, authority, self._region
        wiring.public_key, wiring.facts, wiring.settle = self._control.public_key, self._control.facts, self._settle
        self._control.on_change = self._follow_addresses
        record = Record(
            pid=os.getpid(),
            token=self._token,
            port=port,
            region=self._region,
            suite=self._suite,
            image=self._image,
            cidr=str(self._network.subnet),
            subnet_id=self._control.subnet_id,
            key_pair=self._control.key_pair,
        )
        self._write(self._paths.record, record.to_json())
        log.info("up: %s, nodes in %s", record.endpoint, record.cidr)
        self._stop.wait()
        log.info("going down")
        api.shutdown()
        self._nodes.close()
        self._relays.close()
        log.info("services are closed")

    def _write(self, path: Path, text: str) -> None:
        self._paths.write(path, text, self._owner)

    def _settle(self, instance: Any, state: str, reason: str) -> None:
        """A machine has reached a state: the control plane takes note, and the addresses follow."""
        with self._control.lock:
            ec2 = self._control.ec2
            if state == "terminated":
                if instance.state == "pending":
                    ec2.terminate_addresses(instance)
                    reason = reason and f"Server.InternalError: {reason}"
                    ec2.set_state(instance, "shutting-down", reason, "Server.InternalError")
                ec2.finish_termination(instance)
            else:
                if state == "stopped":
                    ec2.release_own_addresses(instance)
                    reason = reason or instance._reason
                ec2.set_state(instance, state, reason, reason.partition(":")[0])
        log.info("%s is %s %s", instance.id, state, reason)
        self._follow_addresses()

    def _follow_addresses(self) -> None:
        """Listen on every address that a running instance holds, and on no other."""
        leads = self._control.leads()
        if leads == self._leads:
            return
        self._leads = leads
        wanted = [(address, port) for address in leads for port in FORWARDED]
        self._relays.set_listeners(wanted, self._lead)

    def _lead(self, address: Target) -> Target | None:
        private = self._leads.get(address[0])
        return (private, FORWARDED[address[1]]) if private else None

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """The lab's own two requests, for the owner of the state folder: /_lab/status and /_lab/down."""
        status, body = HTTPStatus.OK, b"{}"
        if not secrets.compare_digest(environ.get("HTTP_X_LAB_TOKEN", ""), self._token):
            status = HTTPStatus.FORBIDDEN
        elif environ["PATH_INFO"] == "/_lab/status":
            body = json.dumps(self._status()).encode()
        elif environ["PATH_INFO"] == "/_lab/down" and environ["REQUEST_METHOD"] == "POST":
            self._stop.set()
        else:
            status = HTTPStatus.NOT_FOUND
        start_response(
            f"{status.value} {status.phrase}",
            [("Content-Type", "application/json"), ("Content-Length", str(len(body)))],
        )
        return [body]

    def _status(self) -> dict[str, Any]:
        with self._control.lock:
            instances = [
                {
                    "id": instance.id,
                    "name": next((tag["value"] for tag in instance.get_tags() if tag["key"] == "Name"), ""),
                    "state": instance.state,
                    "reason": instance._reason,
                    "private_ip": instance.private_ip,
                    "public_ip": instance.public_ip or "",
                    "container": self._hypervisor.container(instance.id),
                    "pid": self._nodes.pid(instance),
                }
                for instance in self._control.instances()
            ]
            elastic = [
                {"address": one.public_ip, "allocation_id": one.allocation_id, "instance_id": one.instance_id}
                for one in self._control.ec2.addresses
            ]
        return {"instances": instances, "elastic_ips": elastic}


def aws_config(region: str, port: int, profiles: dict[str, Any]) -> str:
    """An AWS config file with these profiles, all led to the lab.

    Plain HTTP on loopback: an AWS_CA_BUNDLE of the operator's would win over a `ca_bundle` written here.
    """
    parts = []
    for name, keys in profiles.items():
        parts.append(
            f"[profile {name}]\nregion = {region}\nendpoint_url = http://127.0.0.1:{port}\n"
            f"aws_access_key_id = {keys.access_key}\naws_secret_access_key = {keys.secret_key}\n"
        )
    return "\n".join(parts)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m iconha_tui.lab.daemon")
    parser.add_argument("command", choices=["serve", "clean"])
    parser.add_argument("name")
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--owner", required=True)
    parser.add_argument("--suite", default="")
    parser.add_argument("--image", default="")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    # The tools of the lab are in the sbin folders, which an ordinary user's PATH does not have.
    os.environ["PATH"] = os.environ.get("PATH", os.defpath) + ":/usr/local/sbin:/usr/sbin:/sbin"
    os.umask(0o022)  # what is made for the nodes is theirs to read; the lab's own files are written 0600
    uid, _, gid = args.owner.partition(":")
    try:
        paths = LabPaths.of(args.name, args.state_dir)
        if args.command == "serve":
            return serve(paths, (int(uid), int(gid)), args.suite, args.image)
        with hold(paths.lock) as held:
            if not held:
                log.error("The lab %s is running.", paths.name)
                return 1
            clean(paths)
            shutil.rmtree(paths.folder, ignore_errors=True)
    except Trouble as trouble:
        log.error("%s", trouble)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
