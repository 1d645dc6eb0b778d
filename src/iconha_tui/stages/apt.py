"""apt on a node: as it is called, so that it waits for others and never asks. What its failures mean is in `causes`."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

PATIENCE = 300
"""Seconds for which another apt or dpkg is waited for: unattended upgrades of a fresh machine take a minute or two."""

_APT = ("env", "DEBIAN_FRONTEND=noninteractive", "NEEDRESTART_MODE=a", "apt-get", "-q")

# apt reads the file that APT_CONFIG names before all others (apt.conf(5)): what the node's own settings say, counts.
_SETTINGS = f"""\
APT_CONFIG=$(mktemp) && export APT_CONFIG
cat >"$APT_CONFIG" <<'END'
DPkg::Lock::Timeout "{PATIENCE}";
Acquire::Retries "2";
Acquire::http::Timeout "15";
Acquire::https::Timeout "15";
END
"""

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
waited=0
eval "$(apt-config shell patience DPkg::Lock::Timeout)"
case "${patience:-no}" in *[!0-9]*) patience=PATIENCE ;; esac
while by=$(holder); do
  if [ "$waited" -ge "$patience" ]; then echo "apt is in use still: $by."; exit 75; fi
  [ $((waited % 30)) -ne 0 ] || echo "apt is in use: $by. Waiting, $((patience - waited)) s at most."
  sleep 1
  waited=$((waited + 1))
done
"""


def wait() -> str:
    """Shell lines that wait until nobody else is at apt, and say who is; exit code 75 where that takes too long.

    The node's own DPkg::Lock::Timeout is how long, where it is a limit at all.
    """
    return _WAIT.replace("PATIENCE", str(PATIENCE))


def install(names: Sequence[str], services: Sequence[str]) -> str:
    """A shell script that fetches the package lists and installs, with `services` masked meanwhile.

    One script, so that a program that was restarted finds it again as a whole; its first line says it in short, for a list of
    steps has room for no more. It fails where the lists lack one of `names`: apt itself calls it a success when no archive
    could be reached, and blames the packages then. What an interrupted installation has left half configured is finished
    first, since apt refuses to work before. Where it is stopped (SIGTERM), the services are unmasked all the same.
    """
    masked = " ".join(services)
    get = (*_APT, "-y", "-o", "Dpkg::Options::=--force-confold", "install", "--no-install-recommends", *names)
    return f"""\
# apt-get update, then apt-get install {shlex.join(names)}
said=$(mktemp)
trap 'trap "" TERM; systemctl unmask --runtime {masked}; rm -f "$said" "$APT_CONFIG"' EXIT
trap 'exit 143' TERM
systemctl mask --runtime {masked}
{_SETTINGS}{wait()}{shlex.join((*_APT, "update"))} 2>&1 | tee "$said"
missing=
for name in {shlex.join(names)}; do apt-cache show "$name" >/dev/null 2>&1 || missing="$missing $name"; done
if [ -n "$missing" ]; then
  grep -q 'Failed to fetch' "$said" || echo "E: Unable to locate package$missing"
  exit 100
fi
if [ -n "$(dpkg --audit)" ] || [ -n "$(ls /var/lib/dpkg/updates)" ]; then
  echo 'An installation was interrupted on this machine: finishing it first.'
  DEBIAN_FRONTEND=noninteractive dpkg --force-confold --configure -a || exit
fi
{shlex.join(get)}"""
