"""A pair that lives in this process: two nodes that answer the stages' looks as Corosync and Pacemaker do, and act."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from random import Random
from typing import Any
from xml.sax.saxutils import quoteattr

from iconha_tui.cluster.primitive import Primitive
from iconha_tui.engine.cancel import Cancel
from iconha_tui.engine.ports import Completed, OnLines
from iconha_tui.spec import Spec
from iconha_tui.stages import awscli, corosync, elastic_ip, maintenance, records

from .fakes import ONE, TWO, FakeNode, World

FACTS: dict[str, Any] = {
    **{f"{node}.{name}": value for number, node in enumerate((ONE, TWO), start=1) for name, value in {
        "instance_id": f"i-0000000000000000{number}", "private_ip": f"10.0.0.1{number}", "corosync": "3.1.6",
        "public_ip": f"198.51.100.1{number}", "aws": "/usr/bin/aws", "os": "ubuntu 22.04",
    }.items()},
    "allocation_id": "eipalloc-1",
    "elastic_ip": "203.0.113.10",
}  # fmt: skip
"""What the stages before have read."""
KEYS = {"node_access_key_id": "AKIANODEKEYNODEKEY01", "node_secret_access_key": "secretsecretsecret"}


class LivingNode(FakeNode):
    """One of the pair. started, written: on a clock that counts what happens. told, region: that of which systemd knows, and
    that with which Pacemaker was started. proof: what awseip's calls were tried with."""

    def __init__(self, name: str, pair: LivingPair) -> None:
        super().__init__(name)
        self.pair = pair
        self.corosync = self.pacemaker = True
        self.member = True
        self.started = self.written = 0
        self.loaded = "-"
        self.told = self.region = self.proof = ""

    def run(
        self,
        argv: tuple[str, ...],
        *,
        root: bool = True,
        stdin: bytes | None = None,
        timeout: float = 120.0,
        on_lines: OnLines | None = None,
        cancel: Any = None,
    ) -> Completed:
        said = self._answer(argv)
        return said if isinstance(said, Completed) else Completed(0, said, "")

    def run_long(
        self,
        key: str,
        argv: tuple[str, ...],
        *,
        timeout: float = 3600.0,
        on_lines: OnLines | None = None,
        cancel: Cancel | None = None,
    ) -> Completed:
        return self.run(argv)

    def write(self, path: str, content: bytes, *, note: tuple[str, str] | None = None, **how: Any) -> None:
        self.files[path] = content
        self.modes[path] = (how.get("mode", 0o644), "root:root", False)
        if path == corosync.PATH:
            self.written = self.pair.tick()
        if note:
            self._note(f"{hashlib.sha256(content).hexdigest()} {note[1]}")

    def _note(self, line: str) -> None:
        self.files[records.NOTES] = self.files.get(records.NOTES, b"") + f"{line}\n".encode()

    @property
    def digest(self) -> str:
        there = self.files.get(corosync.PATH)
        return "-" if there is None else hashlib.sha256(there).hexdigest()

    def _answer(self, argv: tuple[str, ...]) -> str | Completed:
        match argv:
            case ("crm_mon", "-X"):
                return (
                    self.pair.crm_mon()
                    if self.pacemaker
                    else Completed(102, "", "crm_mon: Connection to cluster failed")
                )
            case ("cibadmin", "-Q"):
                return self.pair.cib() if self.pacemaker else Completed(107, "", "not connected")
            case ("cibadmin", "--delete", *_):
                self.pair.sets.pop(maintenance.SET, None)
            case ("crm_attribute", *words) if "maintenance-mode" in words:
                self.pair.sets[maintenance.SET] = {"maintenance-mode": words[words.index("--update") + 1]}
            case ("systemctl", "show", *_):
                return f"Environment=AWS_DEFAULT_REGION={self.told}\n" if self.told else "Environment=\n"
            case ("systemctl", "daemon-reload"):
                self.told = self.files.get(awscli.DROP_IN, b"").decode().rpartition("=")[2].strip()
            case ("systemctl", "start" | "restart" | "stop" as verb, *units):
                self._systemctl(verb, units)
            case ("crm", "configure", "property", pair) | ("pcs", "property", "set", pair):
                name, _, value = pair.partition("=")
                self.pair.sets["cib-bootstrap-options"][name] = value
            case ("crm" | "pcs", *words) if "primitive" in words or "create" in words or "update" in words:
                self.pair.make_primitive()
            case ("sh", "-c", script):
                return self._script(script)
            case _:
                pass
        return ""

    def _systemctl(self, verb: str, units: list[str]) -> None:
        """Pacemaker needs Corosync: it stops with it, where it is not started in the same transaction."""
        up = verb != "stop"
        if "corosync" in units and not (verb == "start" and self.corosync):
            self.corosync = up
            self.pacemaker = False
            self.started, self.loaded = self.pair.tick(), "-"
        if "pacemaker" in units:
            self.pacemaker = up
            self.region = self.told
            self.member = self.member or up

    def _script(self, script: str) -> str:
        if script.startswith("systemctl is-active corosync;"):
            return "\n".join(self._state())
        if "corosync-cfgtool -R" in script:
            self.loaded = self.digest
        elif "load update" in script:
            self.pair.make_primitive()
        elif f">>{records.NOTES}" in script:
            self._note(f"{self.digest} {self.pair.spec.tagged}")
        else:
            return self._of_awscli(script)
        return ""

    def _of_awscli(self, script: str) -> str:
        if script.startswith("for f in /root/.aws"):
            there = [path for path in (awscli.CONFIG, awscli.CREDENTIALS) if path in self.files]
            lines = [f"root {self.modes[path][0]:o} {path}" for path in there]
            lines += [f"{hashlib.sha256(self.files[path]).hexdigest()}  {path}" for path in there]
            return "\n".join(lines + ["@keys"] * (awscli.CREDENTIALS in there))
        if script.startswith("if grep"):
            self.files.pop(awscli.CREDENTIALS, None)
        elif script.startswith("p=$(systemctl show -p MainPID pacemaker"):
            return f"AWS_DEFAULT_REGION={self.region}" * bool(self.region) if self.pacemaker else "stopped"
        elif about := re.search(r"\{ cat .* \| sha256sum", script):
            made = about[0] + str([self.files.get(path) for path in (awscli.CONFIG, awscli.CREDENTIALS)])
            if "try() {" not in script:
                return "60" if self.proof == made else ""
            self.proof = made
        return ""

    def _state(self) -> list[str]:
        yes = {True: "active", False: "inactive"}
        lines = [
            yes[self.corosync],
            str(self.written) if self.written else "-",
            "-",
            str(self.started) if self.corosync else "-",
            self.digest,
            yes[self.pacemaker],
            "member" if self.member else "new",
            self.loaded,
        ]
        for number, node in enumerate(self.pair.nodes.values(), start=1):
            if node.corosync and self.corosync:
                lines.append(f"runtime.members.{number}.ip (str) = r(0) ip(10.0.0.1{number})")
                lines.append(f"runtime.members.{number}.status (str) = joined")
        return lines


STATES = ("lives", "lives", "lives", "fresh", "stopped", "one down", "stale", "paused", "replaced")


class LivingPair:
    """Two nodes, a configuration, a resource and who holds it. state: what has become of it, one of `STATES`; "" one of them."""

    def __init__(self, spec: Spec, choose: Random, state: str = "") -> None:
        self.now = 100
        self.nodes = {name: LivingNode(name, self) for name in (ONE, TWO)}
        self.sets: dict[str, dict[str, str]] = {"cib-bootstrap-options": {}}
        self.primitive: Primitive | None = None
        self.holder = choose.choice((ONE, TWO))
        self.world = World(spec, KEYS)
        self.world.nodes.update(self.nodes)
        self.world.ctx.cloud = self  # type: ignore[assignment]
        self.world.ctx.learn(FACTS)
        self._build(choose, state)

    @property
    def spec(self) -> Spec:
        return self.world.ctx.spec

    def tick(self) -> int:
        self.now += 1
        return self.now

    def make_primitive(self) -> None:
        self.primitive = elastic_ip.wanted_primitive(self.world.ctx.view)

    def _build(self, choose: Random, state: str) -> None:
        """The pair as a run under its spec has left it, and as the world has gone on since."""
        spec = self.spec
        self.sets["cib-bootstrap-options"] = dict(spec.pacemaker.properties)
        view = self.world.ctx.view
        for node in self.nodes.values():
            node.write(corosync.PATH, corosync.wanted_conf(view, node.name).encode(), note=("", spec.tagged))
            node.started = self.tick()
            for path, (content, mode) in awscli.files(view).items():
                node.write(path, self.world.ctx.vault.reveal(content).encode(), mode=mode)
            node.write(awscli.DROP_IN, awscli._drop_in(spec.aws.region).encode())
            node.told = node.region = spec.aws.region
        self._remember(records._place("properties"), spec.pacemaker.properties)
        if choose.random() < 0.8:
            self.make_primitive()
            assert self.primitive
            self._remember(records._place("resource"), elastic_ip._plain(self.primitive))
        state = state or choose.choice(STATES)
        for node in self.nodes.values():
            if state in ("fresh", "stopped") or (state == "one down" and node.name == TWO):
                node.corosync = choose.random() < 0.5
                node.pacemaker = False
                node.member = state != "fresh"
            if state == "stale" or (state == "replaced" and node.name == self.holder):
                node.written = self.tick()
            if state == "replaced" and node.name != self.holder:
                node.corosync = node.pacemaker = node.member = False
                node.told = node.region = ""
                for path in (corosync.PATH, awscli.CONFIG, awscli.CREDENTIALS, awscli.DROP_IN):
                    node.files.pop(path, None)
        if state == "fresh":
            self.primitive = None
        if state == "paused":
            self.sets[maintenance.SET] = {"maintenance-mode": "true"}
        for node in self.nodes.values():
            node.region = choose.choice((node.region, node.region, node.region, ""))  # started before it was told

    def _remember(self, path: str, value: Mapping[str, Any]) -> None:
        self.nodes[ONE].files[path] = json.dumps({"cluster": self.spec.tagged, **value}).encode()

    # What the daemons and EC2 say

    @property
    def paused(self) -> bool:
        return any(each.get("maintenance-mode") == "true" for each in self.sets.values())

    def crm_mon(self) -> str:
        nodes = "".join(
            f'<node name="{node.name}" id="{number}" online="{_(node.pacemaker)}" pending="false" unclean="false"/>'
            for number, node in enumerate(self.nodes.values(), start=1)
        )
        dc = next(name for name, node in self.nodes.items() if node.pacemaker)
        holder = self.holder if self.nodes[self.holder].pacemaker else dc
        resource = (
            f'<resource id="{self.primitive.id}" resource_agent="ocf:heartbeat:awseip" role="Started" active="true" '
            f'managed="{_(not self.paused)}" failed="false"><node name="{holder}" id="1"/></resource>'
            if self.primitive
            else ""
        )
        return (
            f'<crm_mon version="2.1.2"><summary><current_dc present="true" name="{dc}" with_quorum="true"/>'
            f'<cluster_options maintenance-mode="{_(self.paused)}"/></summary><nodes>{nodes}</nodes>'
            f"<resources>{resource}</resources></crm_mon>"
        )

    def cib(self) -> str:
        sets = "".join(
            f"<cluster_property_set id={quoteattr(name)}>{_pairs(pairs)}</cluster_property_set>"
            for name, pairs in self.sets.items()
        )
        nodes = "".join(f'<node id="{number}" uname="{name}"/>' for number, name in enumerate(self.nodes, start=1))
        made = self.primitive
        primitive = ""
        if made:
            operations = "".join(
                f"<op id={quoteattr(f'{each.name}-op')} name={quoteattr(each.name)} "
                + " ".join(f"{name}={quoteattr(value)}" for name, value in each.options.items())
                + "/>"
                for each in made.operations
            )
            primitive = (
                f'<primitive id={quoteattr(made.id)} class="ocf" provider="heartbeat" type="awseip">'
                f'<instance_attributes id="i">{_pairs(made.params)}</instance_attributes>'
                f'<meta_attributes id="m">{_pairs(made.meta)}</meta_attributes>'
                f"<operations>{operations}</operations></primitive>"
            )
        return (
            f'<cib validate-with="pacemaker-3.7"><configuration><crm_config>{sets}</crm_config><nodes>{nodes}</nodes>'
            f"<resources>{primitive}</resources></configuration></cib>"
        )

    def call(self, service: str, operation: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        number = 2 if TWO in json.dumps(params or {}) else 1
        if operation == "describe_addresses":
            holder = FACTS[f"{self.holder}.instance_id"]
            return {"Addresses": [{"AllocationId": "eipalloc-1", "PublicIp": "203.0.113.10", "InstanceId": holder}]}
        instance = {
            "InstanceId": f"i-0000000000000000{number}",
            "State": {"Name": "running"},
            "PrivateIpAddress": f"10.0.0.1{number}",
            "PublicIpAddress": f"198.51.100.1{number}",
        }
        return {"Reservations": [{"Instances": [instance]}]}


def _(value: bool) -> str:
    return "true" if value else "false"


def _pairs(values: Mapping[str, str]) -> str:
    return "".join(
        f"<nvpair id={quoteattr(name)} name={quoteattr(name)} value={quoteattr(value)}/>"
        for name, value in values.items()
    )
