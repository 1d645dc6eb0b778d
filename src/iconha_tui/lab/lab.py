"""The lab as its users see it: up, down, spec, and a hand on the machines."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from iconha_tui.cluster.shells import GUIDE_SHELL
from iconha_tui.error_codes import Code
from iconha_tui.errors import Trouble
from iconha_tui.lab import host, image
from iconha_tui.lab.hypervisor import execute
from iconha_tui.lab.image import Progress
from iconha_tui.lab.shell import as_root, run
from iconha_tui.lab.state import LabPaths, Record, is_locked

UP_SECONDS = 60
DOWN_SECONDS = 90
SSH_PORT = 2222
NODES = ("PRep-01", "PRep-02")


def _silent(_: str) -> None:
    pass


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _is_daemon(pid: int) -> bool:
    """Whether this process is a lab's daemon still; a zombie has no command line any more."""
    try:
        return b"iconha_tui.lab.daemon" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


class Lab:
    """One lab by its name, running or not.

    name: small letters, digits and hyphens. state_dir: the program's state folder; None for the usual one.
    """

    def __init__(self, name: str = "demo", state_dir: Path | None = None) -> None:
        self.paths = LabPaths.of(name, state_dir)
        self.name = name

    @property
    def running(self) -> bool:
        return is_locked(self.paths.lock) and self.paths.record.exists()

    @property
    def record(self) -> Record:
        """Raises Trouble where the lab is not running."""
        record = Record.read(self.paths.record) if self.running else None
        if record is None:
            raise Trouble(
                f"The lab {self.name} is not running.",
                code=Code.LAB_FAILED,
                remedy=f"Start it: iconha-tui lab up --name {self.name}",
            )
        return record

    @property
    def endpoint(self) -> str:
        return self.record.endpoint

    @property
    def aws_config_file(self) -> Path:
        return self.paths.aws_config

    @property
    def key_file(self) -> Path:
        return self.paths.key_file

    def up(
        self, *, suite: str = image.DEFAULT_SUITE, image_name: str | None = None, progress: Progress = _silent
    ) -> bool:
        """Start the lab, empty; returns when its API answers. False: it was running already and is left as it is.

        Raises CannotRun where this machine lacks something, Trouble where the start fails.
        """
        host.require()
        if self.running:
            return False
        booted = image.ensure(suite, image_name, progress)
        self.paths.prepare()
        with contextlib.suppress(FileNotFoundError):
            self.paths.record.rename(self.paths.stale_record)
        progress(f"Starting the lab {self.name}")
        with open(self.paths.log, "ab", opener=_private) as log:
            daemon = subprocess.Popen(
                self._daemon("serve", "--suite", suite, "--image", booted),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # sudo knows an operator who gave the password by the terminal: it stays in this session, and the
                # daemon behind it makes one of its own. The group keeps Ctrl+C away from both.
                start_new_session=os.geteuid() == 0,
                process_group=None if os.geteuid() == 0 else 0,
                cwd="/",
            )
        deadline = time.monotonic() + UP_SECONDS
        while time.monotonic() < deadline:
            if self.paths.record.exists():
                return True
            if daemon.poll() is not None:
                break
            time.sleep(0.05)
        tail = self.paths.log.read_text(errors="replace").splitlines()[-12:]
        raise Trouble(
            f"The lab {self.name} did not come up: {tail[-1] if tail else 'its log is empty'}",
            code=Code.LAB_FAILED,
            remedy=f"The whole log is in {self.paths.log}.",
            detail="\n".join(tail),
        )

    def down(self) -> bool:
        """Take the lab down and remove all of it, also after a crash. False: there was nothing."""
        if not self.paths.folder.exists():
            return False
        host.require()
        record = Record.read(self.paths.record)
        if self.running:
            with contextlib.suppress(Trouble):
                self._ask("/_lab/down", b"")
        deadline = time.monotonic() + DOWN_SECONDS
        while is_locked(self.paths.lock) or (record is not None and _is_daemon(record.pid)):
            if time.monotonic() > deadline:
                raise Trouble(
                    f"The lab {self.name} does not go down.",
                    code=Code.LAB_FAILED,
                    remedy=f"See {self.paths.log}, and try again.",
                )
            time.sleep(0.05)
        run(self._daemon("clean", root=False), timeout=DOWN_SECONDS)
        shutil.rmtree(self.paths.folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            self.paths.folder.parent.rmdir()
        return True

    def status(self) -> dict[str, Any]:
        """Instances and Elastic IPs as the control plane has them. Raises Trouble where the lab is not running."""
        answer: dict[str, Any] = json.loads(self._ask("/_lab/status"))
        return answer

    def instances(self) -> list[dict[str, Any]]:
        """The instances that are not terminated: id, name, state, private_ip, public_ip, container, pid (of its init, or 0)."""
        return [one for one in self.status()["instances"] if one["state"] != "terminated"]

    def instance(self, node: str) -> dict[str, Any]:
        """The instance with this Name tag or id. Raises Trouble where there is none, or several."""
        found = [one for one in self.instances() if node in (one["name"], one["id"])]
        if len(found) != 1:
            names = ", ".join(one["name"] or one["id"] for one in self.instances()) or "none"
            raise Trouble(
                f"The lab {self.name} has {'no' if not found else 'more than one'} instance {node!r}.",
                code=Code.LAB_FAILED,
                remedy=f"Its instances: {names}.",
            )
        return found[0]

    def exec(self, node: str, argv: Sequence[str], *, feed: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command as root in a node, past SSH and the wizard."""
        return execute(self.instance(node)["pid"], argv, feed=feed)

    def kill_node(self, node: str) -> None:
        """Pull a node's plug: its processes die at once, as in a crash."""
        run(["podman", "kill", "--signal", "KILL", self.instance(node)["container"]])

    def ssh_command(self, node: str, command: Sequence[str] = ()) -> list[str]:
        """The ssh command line that reaches a node as the operator would. Host keys of a lab are not remembered."""
        instance = self.instance(node)
        if not instance["public_ip"]:
            raise Trouble(
                f"{node} has no public address: it is {instance['state']}.",
                code=Code.LAB_FAILED,
                remedy="Start it first.",
            )
        argv = ["ssh", "-p", str(SSH_PORT), "-i", str(self.key_file), "-o", "IdentitiesOnly=yes"]
        argv += ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
        # An address that moves away takes its open connections with it, without a word: so end them.
        argv += ["-o", "ConnectTimeout=10", "-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3"]
        return [*argv, f"ubuntu@{instance['public_ip']}", *command]

    def spec(self, *, shell: str | None = None, name: str | None = None, credentials: str = "keys") -> str:
        """A complete spec for this lab, TOML: two instances to launch, the rest as the program's defaults have it.

        shell: None: that of the guide.
        """
        record = self.record
        nodes = "\n\n".join(f'[[nodes]]\nname = "{node}"' for node in NODES)
        profile = '\nprofile = "lab-nodes"' if credentials == "keys" else ""
        role = '\ninstance_profile = "lab-nodes"' if credentials == "role" else ""
        return f"""\
version = 1
name = "{name or self.name}"

[aws]
region = "{record.region}"
profile = "lab"
config_file = "{self.paths.aws_config}"

[ssh]
user = "ubuntu"
key_file = "{self.paths.key_file}"
port = {SSH_PORT}

[instances]
mode = "launch"
instance_type = "t3.small"
key_pair = "{record.key_pair}"
subnet_ids = ["{record.subnet_id}"]
ssh_cidr = "127.0.0.0/8"{role}

{nodes}

[packages]
shell = "{shell or GUIDE_SHELL.name}"

[awscli]
credentials = "{credentials}"{profile}
"""

    def _daemon(self, command: str, *options: str, root: bool = True) -> list[str]:
        argv = [sys.executable, "-m", "iconha_tui.lab.daemon", command, self.name, *options]
        argv += ["--state-dir", str(self.paths.folder.parent.parent), "--owner", f"{os.getuid()}:{os.getgid()}"]
        return as_root(argv) if root else argv

    def _ask(self, path: str, body: bytes | None = None) -> bytes:
        record = self.record
        request = urllib.request.Request(  # noqa: S310 - the record's own http address
            record.endpoint + path, data=body, headers={"X-Lab-Token": record.token}
        )
        # Never through a proxy: the lab is on this machine's loopback.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=15) as response:
                return bytes(response.read())
        except (urllib.error.URLError, OSError) as error:
            raise Trouble(
                f"The lab {self.name} does not answer: {error}",
                code=Code.LAB_FAILED,
                remedy="Take it down and up again.",
            ) from None
