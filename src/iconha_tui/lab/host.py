"""What the lab needs of this machine, and what it takes over from it: apt sources, DNS, authorities, pip settings."""

from __future__ import annotations

import ipaddress
import json
import os
import re
import resource
import shutil
import subprocess
from pathlib import Path

from iconha_tui.lab.shell import run
from iconha_tui.lab.state import CannotRun

PACKAGES = {
    "podman": "podman",
    "mmdebstrap": "mmdebstrap",
    "nsenter": "util-linux",
    "ip": "iproute2",
    "iptables-save": "iptables",
}
"""Program -> the Debian package that has it."""

HOST_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
APT_KEEP = re.compile(r"^Acquire::(?!IndexTargets|Languages|Compression|Changelogs)")
"""The apt settings that decide how archives are reached; the others are the host's own taste."""


def require(programs: tuple[str, ...] = tuple(PACKAGES)) -> None:
    """Raise CannotRun, naming the packages, where this machine cannot run a lab."""
    if not Path("/proc/self/ns/net").exists():
        raise CannotRun(
            "The lab runs on Linux only.", remedy="Run it on a Debian 12 machine, a virtual one for example."
        )
    search = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"
    missing = sorted({PACKAGES[program] for program in programs if shutil.which(program, path=search) is None})
    if needs_runc() and shutil.which("runc", path=search) is None:
        missing.append("runc")
    if missing:
        raise CannotRun(
            f"The lab needs {' and '.join(missing)}, which this machine does not have.",
            remedy=f"Install with: apt-get install {' '.join(missing)}",
        )
    if os.geteuid() != 0:
        if shutil.which("sudo") is None:
            raise CannotRun(
                "The lab needs root, and there is no sudo here.", remedy="Run it as root, or: apt-get install sudo"
            )
        if subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode != 0 and (
            subprocess.run(["sudo", "-v"], check=False).returncode != 0
        ):
            raise CannotRun("The lab needs root, and sudo refused.", remedy="Run it as root, or as a user of sudo.")


def needs_runc() -> bool:
    """Whether the cgroups are hybrid (v1 controllers beside a unified tree): crun refuses those, runc does not."""
    return Path("/sys/fs/cgroup/unified").is_dir() and not Path("/sys/fs/cgroup/cgroup.controllers").exists()


def ulimits() -> list[str]:
    """Podman's options for limits that this host's own hard limits allow."""
    options = []
    for name, which, wanted in (("nofile", resource.RLIMIT_NOFILE, 65536), ("nproc", resource.RLIMIT_NPROC, 16384)):
        hard = resource.getrlimit(which)[1]
        value = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        options += ["--ulimit", f"{name}={value}:{value}"]
    return options


def used_networks() -> list[ipaddress.IPv4Network]:
    """Every IPv4 network that this host routes already."""
    networks = []
    for route in json.loads(run(["ip", "-json", "-4", "route", "show", "table", "all"])):
        if route["dst"] != "default":
            networks.append(ipaddress.IPv4Network(route["dst"], strict=False))
    return networks


def mtu() -> int:
    """The MTU of the way out, so that packets of the nodes fit through it."""
    routes = json.loads(run(["ip", "-json", "-4", "route", "show", "default"]))
    if not routes:
        return 1500
    return int(Path(f"/sys/class/net/{routes[0]['dev']}/mtu").read_text())


def codename() -> str:
    """The suite that this host runs, "bookworm" for instance; "" where it does not say."""
    match = re.search(r'^VERSION_CODENAME="?(\w+)', Path("/etc/os-release").read_text(), re.M)
    return match[1] if match else ""


def debian_sources(suite: str, root: Path = Path("/etc/apt")) -> str:
    """The host's own Debian archives, as deb822 text, for `suite`.

    Third-party archives are left out: only what has the host's own suite (or its -updates, -security) counts.
    Raises CannotRun where the host has no Debian archive configured.
    """
    own = codename()
    if not own:
        raise CannotRun(
            "/etc/os-release does not name this system's suite.", remedy="Use `iconha-tui lab up --image NAME`."
        )
    stanzas = []
    for file in sorted([root / "sources.list", *(root / "sources.list.d").glob("*")]):
        if not file.is_file():
            continue
        if file.suffix == ".sources":
            stanzas += _deb822(file.read_text())
        elif file.suffix == ".list":
            stanzas += _one_line(file.read_text())
    wanted = re.compile(rf"{re.escape(own)}(-(updates|security)|/updates)?")
    kept = []
    for stanza in stanzas:
        suites = [s.replace(own, suite, 1) for s in stanza.get("suites", "").split() if wanted.fullmatch(s)]
        components = [c for c in stanza.get("components", "").split() if c == "main"]
        if "deb" in stanza.get("types", "").split() and suites and components and stanza.get("enabled") != "no":
            text = f"Types: deb\nURIs: {stanza['uris']}\nSuites: {' '.join(suites)}\nComponents: main\n"
            # A key written out in the file itself comes along; a key file is named, and the node has it too.
            signed = stanza.get("signed-by", "/usr/share/keyrings/debian-archive-keyring.gpg")
            kept.append(f"{text}Signed-By: {signed}\n")
    if not kept:
        raise CannotRun(
            f"apt on this machine has no archive with the suite {own}.",
            remedy="Configure the Debian archive, or use `iconha-tui lab up --image NAME`.",
        )
    return "\n".join(kept)


def _deb822(text: str) -> list[dict[str, str]]:
    stanzas: list[dict[str, str]] = []
    fields: dict[str, str] = {}
    name = ""
    for line in [*text.splitlines(), ""]:
        if line.startswith("#"):
            continue
        if not line.strip():
            if fields:
                stanzas.append(fields)
            fields, name = {}, ""
        elif line[0] in " \t" and name:
            fields[name] += f"\n{line}"
        elif ":" in line:
            name, value = line.split(":", 1)
            name = name.strip().lower()
            fields[name] = value.strip()
    return stanzas


def _one_line(text: str) -> list[dict[str, str]]:
    stanzas = []
    for line in text.splitlines():
        match = re.match(r"(deb)\s+(?:\[([^]]*)\]\s+)?(\S+)\s+(\S+)\s+([^#]*)", line.strip())
        if match:
            fields = {"types": "deb", "uris": match[3], "suites": match[4], "components": match[5]}
            for option in (match[2] or "").split():
                if option.startswith("signed-by="):
                    fields["signed-by"] = option.partition("=")[2]
            stanzas.append(fields)
    return stanzas


def apt_settings() -> str:
    """The host's apt settings that bear on reaching the archives (proxy, timeouts, checks)."""
    lines = run(["apt-config", "dump"], check=False).splitlines()
    return "".join(f"{line}\n" for line in lines if APT_KEEP.match(line) and not line.endswith('"";'))


def pip_settings() -> str:
    """The host's pip settings as a pip.conf for the nodes: its file, and its PIP_* variables that name no local path."""
    lines = []
    for key, value in sorted(os.environ.items()):
        if key in {"PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "PIP_PROXY", "PIP_DEFAULT_TIMEOUT"}:
            name = key.removeprefix("PIP_").removeprefix("DEFAULT_").lower().replace("_", "-")
            lines.append(f"{name} = {value}\n")
    file = Path("/etc/pip.conf")
    own = file.read_text() if file.is_file() else ""
    names = {line.split("=")[0].strip() for line in own.splitlines()}
    lines = [line for line in lines if line.split(" =")[0] not in names]
    if "[global]" in own:
        return own.replace("[global]\n", "[global]\n" + "".join(lines), 1)
    return "[global]\n" + "".join(lines) + own if lines or own else ""


def authorities() -> tuple[str, dict[str, str]]:
    """The host's bundle of certificate authorities, and those that were added to it locally by file name."""
    bundle = HOST_BUNDLE.read_text() if HOST_BUNDLE.is_file() else ""
    added = {}
    local = Path("/usr/local/share/ca-certificates")
    for file in sorted(local.glob("**/*.crt")) if local.is_dir() else []:
        added[file.name] = file.read_text()
    return bundle, added
