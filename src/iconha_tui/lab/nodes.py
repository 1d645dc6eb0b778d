"""The instances' machines: what happens in the hypervisor when EC2 says launch, start, stop, reboot or terminate."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any

from iconha_tui.error_codes import Code
from iconha_tui.errors import Trouble
from iconha_tui.lab import metadata, netns, seed
from iconha_tui.lab.hypervisor import Hypervisor
from iconha_tui.lab.metadata import Facts, Metadata
from iconha_tui.lab.relay import Relays, Target

log = logging.getLogger(__name__)


class Nodes:
    """One worker thread for each thing that happens to a node; what happens to one node happens in order.

    `settle(instance, state, reason)` tells the control plane that a machine has reached a state.
    """

    def __init__(self, hypervisor: Hypervisor, image: str, relays: Relays) -> None:
        self._hypervisor = hypervisor
        self._image = image
        self._relays = relays
        self._turns: dict[str, threading.Lock] = {}
        self._services: dict[str, tuple[Metadata, asyncio.Server]] = {}
        self._pids: dict[str, int] = {}
        self._closing = False
        self.api: Target = ("127.0.0.1", 0)
        self.tls: ssl.SSLContext
        self.ca = ""
        self.region = ""
        self.public_key: Callable[[Any], str]
        self.facts: Callable[[str], Facts]
        self.settle: Callable[[Any, str, str], None]

    # What EC2 says

    def launch(self, instance: Any) -> None:
        planted = seed.Seed(
            instance_id=instance.id,
            hostname=instance.private_dns_name.split(".")[0],
            private_ip=instance.private_ip,
            region=self.region,
            public_key=self.public_key(instance),
            ca=self.ca,
        )

        # The address that EC2 gave the interface: metadata and machine agree, and it outlives a restart, as the
        # neighbours' ARP tables expect.
        mac = instance.nics[0].mac_address

        def work() -> None:
            root = self._hypervisor.create(
                instance.id, image=self._image, ip=planted.private_ip, mac=mac, hostname=planted.hostname
            )
            seed.plant(root, planted)
            self._boot(instance)

        self._begin(instance, work, on_failure="terminated")

    def start(self, instance: Any) -> None:
        self._begin(instance, lambda: self._boot(instance), on_failure="stopped")

    def stop(self, instance: Any, *, force: bool) -> None:
        def work() -> None:
            self._halt(instance, force=force)
            self.settle(instance, "stopped", "")

        self._begin(instance, work, on_failure="stopped")

    def reboot(self, instance: Any) -> None:
        def work() -> None:
            self._halt(instance, force=False)
            self._boot(instance)

        self._begin(instance, work, on_failure="stopped")

    def terminate(self, instance: Any) -> None:
        def work() -> None:
            self._close_services(instance.id)
            self._hypervisor.remove(instance.id)
            self.settle(instance, "terminated", "")

        self._begin(instance, work, on_failure="terminated")

    def pid(self, instance: Any) -> int:
        """The process on this host that is the init of a machine that runs; 0 where it does not."""
        return self._pids.get(instance.id, 0) if instance.state == "running" else 0

    def close(self) -> None:
        """Stop the services of all nodes; what is still at work ends at its next step."""
        self._closing = True
        for instance_id in list(self._services):
            self._close_services(instance_id)

    # How it is done

    def _begin(self, instance: Any, work: Callable[[], None], on_failure: str) -> None:
        turn = self._turns.setdefault(instance.id, threading.Lock())

        def worker() -> None:
            with turn:
                if self._closing:
                    return
                try:
                    work()
                except Exception as error:
                    if self._closing:
                        return
                    log.exception("%s", instance.id)
                    self._close_services(instance.id)
                    said = str(error) if isinstance(error, Trouble) else repr(error)
                    self.settle(instance, on_failure, said)

        threading.Thread(target=worker, name=instance.id, daemon=True).start()

    def _boot(self, instance: Any) -> None:
        pid = self._hypervisor.prepare_start(instance.id)
        # The services are there before the first process of the node is: nothing in it can miss them.
        netns.add_address(pid, metadata.ADDRESS)
        netns.add_address(pid, seed.API_ADDRESS)
        service = Metadata(netns.listen(pid, metadata.ADDRESS, metadata.PORT), lambda: self.facts(instance.id))
        api = self._relays.serve(netns.listen(pid, seed.API_ADDRESS, 443), self.api, self.tls)
        self._services[instance.id] = (service, api)
        self._pids[instance.id] = pid
        watched = os.pidfd_open(pid)
        self._hypervisor.start(instance.id)
        threading.Thread(
            target=self._watch, args=(instance, pid, watched), name=f"watch-{instance.id}", daemon=True
        ).start()
        self._hypervisor.wait_booted(instance.id, pid)
        _wait_reachable(instance.private_ip)
        if instance.id in self._services and instance.state == "pending":
            self.settle(instance, "running", "")

    def _watch(self, instance: Any, pid: int, descriptor: int) -> None:
        """Wait for the node's init to end. If nobody asked for it, the machine has died."""
        try:
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            poll.poll()
        finally:
            os.close(descriptor)
        turn = self._turns[instance.id]
        # A stop or reboot that is under way holds the turn, and takes the services away before it lets go.
        if not turn.acquire(blocking=False):
            return
        try:
            if self._closing or instance.state != "running" or self._pids.get(instance.id) != pid:
                return
            self._close_services(instance.id)
            log.info("%s has died", instance.id)
            self.settle(instance, "stopped", "Client.InstanceInitiatedShutdown: Instance initiated shutdown")
        finally:
            turn.release()

    def _halt(self, instance: Any, *, force: bool) -> None:
        self._hypervisor.stop(instance.id, force=force)
        self._close_services(instance.id)

    def _close_services(self, instance_id: str) -> None:
        service, api = self._services.pop(instance_id, (None, None))
        with contextlib.suppress(OSError):
            if service is not None:
                service.close()
        if api is not None:
            self._relays.stop_serving(api)


def _wait_reachable(address: str, timeout: float = 20) -> None:
    """Wait until the node's sshd answers over the network, not only inside. timeout in seconds; raises Trouble."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection((address, 22), timeout=1):
            return
        time.sleep(0.1)
    raise Trouble(
        f"sshd at {address} does not answer from the host.",
        code=Code.LAB_FAILED,
        remedy="A packet filter may drop the traffic.",
    )
