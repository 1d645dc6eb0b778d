"""apt on a node: as it is called, so that it waits for others and never asks. What its failures mean is in `causes`."""

from __future__ import annotations

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


def update(names: Sequence[str], patience: int = PATIENCE) -> str:
    """A shell script that fetches the package lists, once nobody else is at it, and fails where they lack one of `names`.

    apt itself calls it a success when no archive could be reached, and the next command would then blame the packages.
    """
    return (
        f"{_wait(patience)}"
        "said=$(mktemp); trap 'rm -f \"$said\"' EXIT\n"
        f'{shlex.join((*_APT, "update"))} 2>&1 | tee "$said"\n'
        "missing=\n"
        f"for name in {shlex.join(names)}; do\n"
        '  apt-cache show "$name" >/dev/null 2>&1 || missing="$missing $name"\n'
        "done\n"
        '[ -n "$missing" ] || exit 0\n'
        'grep -q "Failed to fetch" "$said" || echo "E: Unable to locate package$missing"\n'
        "exit 100"
    )


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
