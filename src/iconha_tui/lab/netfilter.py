"""The packet filter before and after a lab.

Podman adds rules for each network and takes them away with it, except when everything was killed; and chains of its
own, empty but for fixed rules, it leaves for ever. What serves no other container goes with the lab.
"""

from __future__ import annotations

import ipaddress
import re
import shlex

from iconha_tui.lab.shell import run

CHAIN = re.compile(r"^:(NETAVARK\S*)", re.M)
TABLES = ("filter", "nat")


def chains() -> list[str]:
    """The chains of Podman's network layer that exist now."""
    return sorted({name for table in TABLES for name in CHAIN.findall(_save(table))})


def remove_network_rules(network: ipaddress.IPv4Network) -> None:
    """Remove rules that name this network, and the chains that only they led to."""
    for table in TABLES:
        emptied: set[str] = set()
        for line in _save(table).splitlines():
            if line.startswith("-A ") and str(network) in line:
                words = shlex.split(line)
                if words[1].startswith("NETAVARK-") and not words[1].startswith("NETAVARK-HOSTPORT"):
                    emptied.add(words[1])
                target = words[words.index("-j") + 1] if "-j" in words else ""
                if target.startswith("NETAVARK-"):
                    emptied.add(target)
                run(["iptables", "-t", table, "-D", *words[1:]], check=False)
        for chain in emptied:
            run(["iptables", "-t", table, "-F", chain], check=False)
            run(["iptables", "-t", table, "-X", chain], check=False)


def remove_idle_chains() -> None:
    """Remove Podman's shared chains where no container is left on this host. Podman makes them again on demand."""
    idle = not run(["podman", "ps", "--all", "--quiet"]).strip()
    if not idle or any(re.fullmatch(r"NETAVARK-[0-9A-F]{13}", name) for name in chains()):
        return
    for table in TABLES:
        text = _save(table)
        if table == "filter" and re.search(r"^-A NETAVARK_FORWARD .*-[sd] ", text, re.M):
            return
        own = CHAIN.findall(text)
        for line in text.splitlines():
            words = shlex.split(line) if line.startswith("-A ") else []
            if words and (words[1] in own or any(w in own for w in words[2:])):
                run(["iptables", "-t", table, "-D", *words[1:]], check=False)
        for chain in own:
            run(["iptables", "-t", table, "-X", chain], check=False)


def _save(table: str) -> str:
    return run(["iptables-save", "-t", table], check=False)
