"""An account of the lab without machines, in a process of its own: what moto sets for itself stays in it.

Prints one line of JSON when it answers, and ends when its standard input does.
"""

from __future__ import annotations

import ipaddress
import json
import sys
from typing import Any

from iconha_tui.lab.control import Control
from iconha_tui.lab.hypervisor import Network


class Paper:
    """Machines that do at once what they are told."""

    control: Control

    def launch(self, instance: Any) -> None:
        pass  # stays pending, until it is started

    def start(self, instance: Any) -> None:
        self.control.ec2.set_state(instance, "running")

    def stop(self, instance: Any, *, force: bool) -> None:
        self.control.ec2.set_state(instance, "stopped", f"force={force}", "Test")

    def reboot(self, instance: Any) -> None:
        self.control.ec2.set_state(instance, "running")

    def terminate(self, instance: Any) -> None:
        self.control.ec2.finish_termination(instance)


def main() -> None:
    network = Network("paper", ipaddress.IPv4Network("10.99.0.0/16"), ipaddress.IPv4Network("10.99.1.0/24"))
    machines = Paper()
    control = machines.control = Control("paper", network, machines)
    public = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFFIzuRuVaxMK2iRoN4ooWGRoc7gyNMI+Ewa3VTfpmOB test"
    operator, nodes = control.fill(public)

    def extra(environ: Any, start_response: Any) -> list[bytes]:
        """/_lab/run/ID: a pending machine has booted."""
        instance = control.ec2.get_instance(environ["PATH_INFO"].rpartition("/")[2])
        control.ec2.set_state(instance, "running")
        start_response("200 OK", [("Content-Length", "0")])
        return [b""]

    server = control.serve(extra)
    known = {"port": server.port, "subnet": control.subnet_id, "key_pair": control.key_pair}
    for name, keys in (("operator", operator), ("nodes", nodes)):
        known[name] = {"aws_access_key_id": keys.access_key, "aws_secret_access_key": keys.secret_key}
    print(json.dumps(known), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
