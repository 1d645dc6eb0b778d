"""apt on a node: as it is called, so that it waits for others and never asks; and what to do where it fails."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

PATIENCE = 300
"""Seconds for which another apt or dpkg is waited for: unattended upgrades of a fresh machine take a minute or two."""

_APT = (
    "env", "DEBIAN_FRONTEND=noninteractive", "NEEDRESTART_MODE=a", "apt-get", "-q",
    "-o", f"DPkg::Lock::Timeout={PATIENCE}",
    "-o", "Acquire::Retries=3", "-o", "Acquire::http::Timeout=20", "-o", "Acquire::https::Timeout=20",
)  # fmt: skip

# apt itself waits for one of its locks only, and before 2.0 for none; nor does it always say who holds it.
_WAIT = """\
locks='/var/(lib/dpkg/lock(-frontend)?|lib/apt/lists/lock|cache/apt/archives/lock)$'
holder() {
  for pid in $(awk '$2 == "POSIX" { print $5 }' /proc/locks | sort -un); do
    held=$(ls -l "/proc/$pid/fd" 2>/dev/null | grep -oE "$locks") || continue
    command=$(tr '\\0' ' ' <"/proc/$pid/cmdline" | cut -c 1-120 | sed 's/ $//')
    echo "process $pid ($command) holds $(echo $held)"
    return
  done
  return 1
}
waited=0 patience=PATIENCE
while by=$(holder); do
  if [ "$waited" -ge "$patience" ]; then echo "apt is in use still: $by."; exit 75; fi
  [ $((waited % 30)) -ne 0 ] || echo "apt is in use: $by. Waiting, $((patience - waited)) s at most."
  sleep 1
  waited=$((waited + 1))
done
"""


def _wait(patience: int) -> str:
    return _WAIT.replace("PATIENCE", str(patience))


def update(patience: int = PATIENCE) -> str:
    """A shell script that fetches the package lists, once nobody else is at it."""
    return f"{_wait(patience)}{shlex.join((*_APT, 'update'))}"


def install(names: Sequence[str], services: Sequence[str]) -> str:
    """A shell script that installs with `services` masked, and unmasks them whatever becomes of it.

    What an interrupted installation has left half configured is finished first: apt refuses to work before.
    """
    masked = " ".join(services)
    get = (*_APT, "-y", "-o", "Dpkg::Options::=--force-confold", "install", "--no-install-recommends", *names)
    return (
        f"trap 'systemctl unmask --runtime {masked}' EXIT\n"
        f"systemctl mask --runtime {masked}\n"
        f"{_wait(PATIENCE)}"
        'if [ -n "$(dpkg --audit)" ] || [ -n "$(ls /var/lib/dpkg/updates)" ]; then\n'
        "  echo 'An installation was interrupted on this machine: finishing it first.'\n"
        "  DEBIAN_FRONTEND=noninteractive dpkg --force-confold --configure -a || exit\n"
        "fi\n"
        f"{shlex.join(get)}"
    )


_ARCHIVE = (
    "The node does not reach its package archive: check its way out (gateway, NAT, proxy) and its DNS, then retry."
)

REMEDIES: tuple[tuple[str, str], ...] = (
    (
        r"apt is in use still|Could not get lock|Unable to (acquire|lock)",
        "Another program is installing on the node; it is named above. Wait until it has ended, then retry.",
    ),
    (
        r"No space left on device|don't have enough free space",
        "The node's disk is full: free some space (`df -h`, `sudo apt-get clean`), then retry.",
    ),
    (
        r"is not valid yet|Release file .* (is )?expired|certificate is not yet valid",
        "The node's clock is wrong: set it right (`timedatectl`), then retry.",
    ),
    (
        r"Temporary failure resolving|Could not resolve|Could not connect|Unable to connect|Connection (timed out|failed|refused)"
        r"|Network is unreachable|Failed to fetch|timed out",
        _ARCHIVE,
    ),
    (
        r"Unable to locate package|no installation candidate",
        "The node's package lists lack it. Where `apt-get update` above could not fetch them, "
        f"{_ARCHIVE[0].lower()}{_ARCHIVE[1:]} Else enable the archive's main and universe components.",
    ),
    (
        r"unmet dependencies|held broken packages|pkgProblemResolver",
        "Other packages on the node stand in the way: `sudo apt-get install -f` on it says which. Mend that, then retry.",
    ),
    (
        r"dpkg was interrupted|Errors were encountered while processing|returned an error code|post-installation script",
        "A package could not be configured: see what it says, mend it on the node (`sudo dpkg --configure -a`), then retry.",
    ),
    (r"Read-only file system", "The node's file system is mounted read-only: look at its disk, then retry."),
)
"""What apt or dpkg says (regular expression) -> what to do. The first that is found counts."""


def remedy(said: str) -> str | None:
    """What to do where apt's last words were these; None where they tell nothing."""
    return next((todo for pattern, todo in REMEDIES if re.search(pattern, said)), None)
