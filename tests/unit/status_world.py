"""A pair to look at: what its nodes, AWS and ports would answer, and eyes that see it. The answers are real ones, shortened."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from iconha_tui.errors import Trouble
from iconha_tui.spec import Spec
from iconha_tui.status.eyes import CUT, PLACES, Answer
from iconha_tui.status.watcher import Watcher

ONE, TWO = "PRep-01", "PRep-02"
NOW = 1795442110.0
"""When the answers were given: 2026-11-23 13:55:10 UTC."""

JOURNAL = """\
1795439812.281966 node-1 corosync[2137]:   [TOTEM ] A new membership (1.9) was formed. Members joined: 1 2
1795439812.283575 node-1 corosync[2137]:   [QUORUM] This node is within the primary component and will provide service.
1795439813.880122 node-1 pacemaker-attrd[2212]:  notice: Node PRep-01 state is now member
1795439813.911844 node-1 pacemaker-attrd[2212]:  notice: Node PRep-02 state is now member
1795439845.890236 node-1 pacemaker-controld[2500]:  notice: Result of probe operation for elastic-ip on PRep-01: not running
1795439846.494703 node-1 pacemaker-controld[2500]:  notice: Result of start operation for elastic-ip on PRep-01: ok
1795440215.968529 node-1 pacemaker-controld[2500]:  notice: Result of monitor operation for elastic-ip on PRep-01: not running
1795440215.971893 node-1 pacemaker-attrd[2498]:  notice: Setting fail-count-elastic-ip#monitor_10000[PRep-01]: (unset) -> 1
1795440216.669558 node-1 pacemaker-controld[2500]:  notice: Result of stop operation for elastic-ip on PRep-01: ok
"""
"""PRep-01's journal: it begins, and the address is taken from it."""

JOURNAL_TWO = """\
1795439812.277207 node-2 corosync[2136]:   [TOTEM ] A new membership (2.5) was formed. Members joined: 2
1795439812.280469 node-2 corosync[2136]:   [TOTEM ] A new membership (1.9) was formed. Members joined: 1
1795439812.282402 node-2 corosync[2136]:   [QUORUM] This node is within the primary component and will provide service.
1795440215.971154 node-2 pacemaker-attrd[2442]:  notice: Setting fail-count-elastic-ip#monitor_10000[PRep-01]: (unset) -> 1
1795440218.227719 node-2 pacemaker-controld[2444]:  notice: Result of start operation for elastic-ip on PRep-02: ok
"""
"""PRep-02's: the address moves to it."""

MACHINE = "16346.50 20137.45\n0.21 0.14 0.09 1/212 7134\n{at:.3f}\n"

VERSIONS = """\
"Ubuntu 22.04.5 LTS"
Corosync Cluster Engine, version '3.1.6'
Copyright (c) 2006-2021 Red Hat, Inc.
Pacemaker 2.1.2
Written by Andrew Beekhof and the Pacemaker project contributors
"""

MEMBERS = """\
runtime.members.{number}.ip (str) = r(0) ip(10.0.0.1{number}){space}
runtime.members.{number}.status (str) = {status}
"""

LINKS = """\
Local node ID {local}, transport udpu
LINK ID 0{space}
	addr	= 10.0.0.1{local}
	status:
		nodeid:          1:	{one}
		nodeid:          2:	{two}
"""

QUORUM = """\
Quorum information
------------------
Quorum provider:  corosync_votequorum
Nodes:            {votes}
Quorate:          Yes

Votequorum information
----------------------
Expected votes:   2
Total votes:      {votes}
Flags:            2Node Quorate WaitForAll{space}

Membership information
----------------------
    Nodeid      Votes Name
         1          1 PRep-01 (local)
"""

CRM_MON = """\
<crm_mon version="2.1.2">
  <summary>
    <stack type="corosync"/>
    <current_dc present="true" version="2.1.2" name="{dc}" id="1" with_quorum="true"/>
    <cluster_options stonith-enabled="false" no-quorum-policy="ignore" {options}/>
  </summary>
  <nodes>
    <node name="PRep-01" id="1" online="{one}" standby="{standby}" maintenance="false" pending="false" unclean="false"/>
    <node name="PRep-02" id="2" online="{two}" standby="false" maintenance="false" pending="false" unclean="false"/>
  </nodes>
  <resources>
    <resource id="elastic-ip" resource_agent="ocf:heartbeat:awseip" role="{role}" active="{active}" managed="true" failed="false">
      {where}
    </resource>
  </resources>
  <node_history>
    <node name="{holder}">
      <resource_history id="elastic-ip" orphan="false" migration-threshold="2" fail-count="{fails}">
        <operation_history call="5" task="start" rc="0"
          rc_text="ok" last-rc-change="Mon Nov 23 13:23:36 2026" exec-time="2300ms"/>
        <operation_history call="5" task="start" rc="0"
          rc_text="ok" last-rc-change="Mon Nov 23 13:23:36 2026" exec-time="2300ms"/>
        <operation_history call="6" task="monitor" rc="0"
          rc_text="ok" last-rc-change="Mon Nov 23 13:23:39 2026" exec-time="729ms"/>
      </resource_history>
    </node>
  </node_history>
</crm_mon>
"""


HEARTBEAT = """\
stats.srp.continuous_gather (u32) = {gather}
stats.srp.firewall_enabled_or_nic_failure (u8) = {firewall}
stats.srp.time_since_token_last_received (u64) = {age}
"""

CIB = """\
<cib crm_feature_set="3.13.0" validate-with="pacemaker-3.7" epoch="{epoch}" num_updates="4" admin_epoch="0" have-quorum="1"/>
"""

TAKEOVER = """\
Current cluster status:
  * Node List:
    * Online: [ PRep-01 PRep-02 ]

  * Full List of Resources:
    * elastic-ip\t(ocf:heartbeat:awseip):\t Started {holder}

Performing Requested Modifications:
  * Taking node {other} offline

Transition Summary:
  * Move       elastic-ip     ( PRep-01 -> PRep-02 )

Revised Cluster Status:
  * Node List:
    * Online: [ {name} ]
    * OFFLINE: [ {other} ]

  * Full List of Resources:
    * elastic-ip\t(ocf:heartbeat:awseip):\t {place}
"""

AGENT = """\
agent
path /usr/bin/aws
awscli
"""

ROOM = """\
overlay 263174212 88 {free} 21% {place}
overlay 16777216 88 16000000 21% {place}
"""

CALLS = """
{cut}calls
pid {pid}
allocation eipalloc-00000000000000001
instance i-0000000000000000{number}
DescribeAddresses: {told}
DescribeInstances: {told}
AssociateAddress: {told}
DisassociateAddress: {told}
"""

UNDER_WAY = """\
<operation_history call="-1" task="monitor" rc="193" rc_text="unknown" last-rc-change="Mon Nov 23 13:23:39 2026" exec-time="0ms"/>
"""
"""A monitor that has begun, as crm_mon 2.1.5 tells it; rc_text is "No exit status available" in 3.0."""


@dataclass
class Pair:
    """The pair as it is; a test changes it. away: what does not answer, and why. fails: failures of the address's resource.

    no_place: by the scheduler nothing would be taken over. refused: what AWS says to awseip's calls. token_ms: since when the
    token is missing; cut_off: the nodes that find that they can form no membership. cut: each node has the other as lost, and
    the address. hangs: the nodes whose controller does not answer. unfenced: fencing is on, and by the scheduler the active
    node could not be fenced. fail_counts: by node, as crm_failcount says. lacks: by node, what of "agent" and "awscli" is not
    there. options: attributes of crm_mon's cluster_options. monitor: crm_mon's XML, instead. takeover: by node, crm_simulate's
    text, instead.
    """

    holder: str = ONE
    by_ec2: str = ONE
    dc: str = ONE
    offline: set[str] = field(default_factory=set)
    standby: bool = False
    stopped: set[str] = field(default_factory=set)
    states: dict[str, str] = field(default_factory=lambda: {ONE: "running", TWO: "running"})
    fails: int = 0
    under_way: bool = False
    closed: set[int] = field(default_factory=set)
    chain: str = "started"
    away: dict[str, str] = field(default_factory=dict)
    no_place: bool = False
    refused: str = ""
    token_ms: int = 12
    cut: bool = False
    cut_off: set[str] = field(default_factory=set)
    epochs: dict[str, int] = field(default_factory=lambda: {ONE: 12, TWO: 12})
    not_at_boot: set[str] = field(default_factory=set)
    hangs: set[str] = field(default_factory=set)
    unfenced: bool = False
    fail_counts: dict[str, str] = field(default_factory=dict)
    lacks: dict[str, set[str]] = field(default_factory=dict)
    unsaid: dict[str, set[str]] = field(default_factory=dict)
    full: str = ""
    options: str = ""
    monitor: str = ""
    takeover: dict[str, str] = field(default_factory=dict)
    ahead: float = 0.0
    at: Callable[[], float] = time.time

    def aws(self) -> Answer:
        number = {ONE: 1, TWO: 2}
        facts: Answer = {
            "elastic_ip": "203.0.113.10",
            "allocation_id": "eipalloc-00000000000000001",
            "holder": f"i-0000000000000000{number[self.by_ec2]}" if self.by_ec2 else None,
        }
        for name, n in number.items():
            public = "203.0.113.10" if name == self.by_ec2 else f"198.51.100.1{n}"
            facts |= {
                f"{name}.instance_id": f"i-0000000000000000{n}",
                f"{name}.state": self.states[name],
                f"{name}.private_ip": f"10.0.0.1{n}",
                f"{name}.public_ip": public,
                f"{name}.zone": f"eu-west-1{'ab'[n - 1]}",
            }
        return facts

    def look(self, name: str) -> str:
        """What LOOK says on a node."""
        at = self.at() + self.ahead
        local = 1 if name == ONE else 2
        runs = name not in self.stopped
        other = TWO if name == ONE else ONE
        up = {each: each not in self.offline and not (self.cut and each == other) for each in (ONE, TWO)}
        holder = name if self.cut else self.holder
        words = {each: str(good).lower() for each, good in up.items()}
        links = {
            n: "localhost" if n == local else "connected" if up[each] else "disconnected"
            for n, each in ((1, ONE), (2, TWO))
        }
        members = "".join(
            MEMBERS.format(number=n, status="joined" if up[each] else "left", space=" ")
            for n, each in ((1, ONE), (2, TWO))
        )
        place = "Stopped" if self.no_place else f"Started {other} (UNCLEAN)" if self.unfenced else f"Started {name}"
        monitor = CRM_MON.format(
            dc=name if self.cut else self.dc,
            options=self.options,
            one=words[ONE],
            two=words[TWO],
            standby=str(self.standby).lower(),
            role="Started" if holder else "Stopped",
            active=str(bool(holder)).lower(),
            where=f'<node name="{holder}" id="1" cached="true"/>' if holder else "",
            holder=holder or ONE,
            fails=self.fails,
        )
        if self.unfenced:
            monitor = monitor.replace('stonith-enabled="false"', 'stonith-enabled="true"')
        if self.under_way:
            monitor = monitor.replace("      </resource_history>", UNDER_WAY + "      </resource_history>")
        parts = {
            "machine": MACHINE.format(at=at),
            "versions": VERSIONS,
            "boot": "enabled\ndisabled\n" if name in self.not_at_boot else "enabled\nenabled\n",
            "heartbeat": HEARTBEAT.format(
                gather=7 if name in self.cut_off else 0, firewall=int(name in self.cut_off), age=self.token_ms
            ),
            "cib": CIB.format(epoch=self.epochs[name]) if runs else "",
            "controller": ("124\n" if name in self.hangs else f"Controller on {name} in state S_IDLE: ok\n\n0\n")
            if runs
            else "102\n",
            "failcount": f"scope=status  name=fail-count-elastic-ip value={self.fail_counts.get(name, 0)}\n",
            "takeover": self.takeover.get(name) or TAKEOVER.format(name=name, other=other, holder=holder, place=place)
            if runs
            else "",
            "configured": "yes\n",
            "agent": "\n".join(line for line in AGENT.splitlines() if line not in self.lacks.get(name, ())),
            "room": "".join(ROOM.format(place=each, free=0 if each == self.full else 12345678) for each in PLACES),
            "services": "active\nactive\n" if runs else "inactive\ninactive\n",
            "members": members if runs else "",
            "links": LINKS.format(local=local, one=links[1], two=links[2], space=" ") if runs else "",
            "quorum": QUORUM.format(votes=sum(up.values()), space=" ") if runs else "",
            "monitor": (self.monitor or monitor) if runs else "",
            "events": JOURNAL if name == ONE else JOURNAL_TWO,
            "end": f"{at:.3f}\n",
        }
        silent = self.unsaid.get(name, ())
        return "".join(f"\n{CUT}{part}\n{'' if part in silent else text}" for part, text in parts.items())


class PairEyes:
    """Eyes that see a Pair. asked: what they have been asked for."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.asked: list[str] = []
        self.remembered: list[Answer] = []
        self.closed = False

    def _see(self, what: str) -> None:
        self.asked.append(what)
        if what in self.pair.away:
            raise Trouble(self.pair.away[what], where=what if what in (ONE, TWO) else "")

    def aws(self) -> Answer:
        self._see("aws")
        return self.pair.aws()

    def node(self, name: str) -> Answer:
        self._see(name)
        at = self.pair.at()
        return {"said": self.pair.look(name), "began": at, "ended": at}

    def calls(self, name: str) -> Answer:
        self._see(f"calls {name}")
        if name in self.pair.away:
            raise Trouble(self.pair.away[name], where=name)
        at = self.pair.at()
        told = f"refused: {self.pair.refused}" if self.pair.refused else "allowed"
        pid = 0 if name in self.pair.stopped else 1700
        said = CALLS.format(cut=CUT, pid=pid, number=1 if name == ONE else 2, told=told)
        return {"said": said if pid else said.partition("Describe")[0], "began": at, "ended": at}

    def ports(self, address: str) -> Answer:
        self._see("ports")
        chain: dict[str, Any] = {
            "nid": "0x1",
            "channel": "icon_dex",
            "state": self.pair.chain,
            "height": 47721051,
            "last_error": "",
        }
        found: Answer = {"address": address, **{str(port): port not in self.pair.closed for port in (7100, 9000)}}
        return found | ({"chains": [chain], "chain_trouble": ""} if found["9000"] else {})

    def remember(self, aws: Answer) -> None:
        self.remembered.append(aws)

    def close(self) -> None:
        self.closed = True


def watcher(pair: Pair, spec: Spec | None = None, **how: Any) -> Watcher:
    """A watcher of a pair."""
    return Watcher(spec or Spec(name="icon"), PairEyes(pair), **how)
