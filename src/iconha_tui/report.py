"""`iconha-tui report`: what somebody needs to find out what is wrong, in one archive that can be sent to a stranger.

Nodes and AWS are only read. What cannot be read is said in the archive's MANIFEST.txt, and stops nothing.
"""

from __future__ import annotations

import getpass
import io
import os
import platform
import re
import shlex
import socket
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from iconha_tui import __version__, disk
from iconha_tui.cluster.shells import SHELLS
from iconha_tui.engine.step import Vault
from iconha_tui.error_codes import Code
from iconha_tui.errors import SpecTrouble, Trouble, UsageTrouble
from iconha_tui.redact import Redactor
from iconha_tui.session import Session
from iconha_tui.spec import Spec
from iconha_tui.stages.instances import address_lookups, instance_lookups
from iconha_tui.stages.lookup import look_up
from iconha_tui.store import Store
from iconha_tui.text import strip_controls

TAIL = 1 << 20
"""Bytes of a long file that are taken: its end."""
SLOW = 30.0
"""Seconds that one command on a node may take."""

_TAIL = f"tail -c {TAIL}"

_SHELL_VERSIONS = "; ".join(shlex.join(shell.show_version()) for shell in SHELLS.values())
_SHELL_PACKAGES = " ".join(shell.package for shell in SHELLS.values())

ASKED = {
    "versions.txt": (
        "uname -srm; grep -E '^(PRETTY_NAME|VERSION_ID)=' /etc/os-release; corosync -v; pacemakerd --version; "
        f"{_SHELL_VERSIONS}; aws --version; systemctl --version; dpkg-query -W 'corosync*' 'pacemaker*' 'libknet*' 'libqb*' "
        f"'resource-agents*' 'fence-agents*' {_SHELL_PACKAGES} awscli haveged"
    ),
    "system.txt": (
        "date -u +%Y-%m-%dT%H:%M:%SZ; uptime; df -P /; free -m; ls -ln /etc/corosync /var/lib/pacemaker/cib /root/.aws"
    ),
    "corosync.conf": "cat /etc/corosync/corosync.conf",
    "corosync-cmapctl.txt": "corosync-cmapctl",
    "corosync-quorumtool.txt": "corosync-quorumtool -s",
    "corosync-cfgtool.txt": "corosync-cfgtool -s",
    "corosync.log": f"{_TAIL} /var/log/corosync/corosync.log",
    "pacemaker.log": f"{_TAIL} /var/log/pacemaker/pacemaker.log 2>/dev/null || {_TAIL} /var/log/pacemaker.log",
    "journal.log": "journalctl --no-pager -q -o short-iso -n 4000 -u corosync -u pacemaker",
    "systemctl.txt": (
        "systemctl status --no-pager -l -n 30 corosync pacemaker; systemctl cat --no-pager pacemaker | grep -v '^#'; "
        "systemctl list-units --no-pager --all 'iconha-*'"
    ),
    "cib.xml": "cibadmin -Q",
    "crm_mon.txt": "crm_mon -1rfA",
    "crm_mon.xml": "crm_mon -X",
}
"""File of the archive -> the command that fills it. None of them changes anything; none reads the authkey or root's keys."""


_NONE = {
    "spec.toml": "The cluster was deleted meanwhile.",
    "iconha-tui-tail.log": "Nothing has gone wrong that this program did not foresee.",
}
"""Why a file of ours may not be there."""


@dataclass
class Report:
    """What was collected. files: by their names in the archive. missing: sentences on what could not be had."""

    files: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    def take(self, name: str, text: str) -> None:
        self.files[name] = strip_controls(text)


def make(store: Store, name: str, to: Path | None) -> tuple[Path, str]:
    """Writes the archive (0600). Returns where it is and its manifest. Raises UsageTrouble, Trouble."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    path = (to or Path(f"iconha-report-{name}-{stamp}.tar.gz")).absolute()
    if os.path.lexists(path):
        raise UsageTrouble(
            "There is a file of that name.", code=Code.NAME_TAKEN, where=str(path), remedy="Name another with -o."
        )
    report = Report()
    report.take("versions.txt", _versions())
    _take_files(store, name, report)
    vault, secrets, names = Vault(), _environment(), _names_here(store)
    try:
        session = Session(store, store.spec(name), confirm_host_key=_reject)
    except SpecTrouble as trouble:
        report.missing.append(f"AWS, nodes: the spec does not tell which. {trouble}")
    else:
        vault = session.ctx.vault
        secrets += _profile(session)
        names |= _names_of(session.spec)
        try:
            ask(session, report)
        finally:
            session.close()
    redactor = Redactor(vault.mask, secrets, {each: word for each, word in names.items() if len(each) > 2})
    files = {each: redactor.clean(text) for each, text in report.files.items()}
    missing = [redactor.clean(each) for each in report.missing]
    files["MANIFEST.txt"] = manifest = _manifest(name, files, missing, redactor)
    disk.write(path, _packed(f"iconha-report-{name}-{stamp}", files))
    return path, manifest


def _reject(node: str, kind: str, fingerprint: str) -> bool:
    """A report makes no new acquaintance."""
    return False


def _take_files(store: Store, name: str, report: Report) -> None:
    folder = store.folder(name)
    for file, path in (
        ("spec.toml", folder / "spec.toml"),
        ("journal.jsonl", folder / "journal.jsonl"),
        ("transcript-tail.log", folder / "transcript.log"),
        ("iconha-tui-tail.log", store.log_file),
    ):
        try:
            report.take(file, _end_of(path))
        except FileNotFoundError:
            report.missing.append(f"{file}: there is none. {_NONE.get(file, 'No run has begun.')}")
        except OSError as error:
            report.missing.append(f"{file}: {disk.trouble('Cannot be read', path, error).what}")


def ask(session: Session, report: Report) -> None:
    """Takes what AWS and the nodes say, as they say it."""
    try:
        view = session.ctx.view
        lookups = [*address_lookups(view), *(each for node in view.spec.names for each in instance_lookups(view, node))]
        facts = look_up(session.ctx, lookups)
        session.ctx.learn(facts)
        report.take("aws.txt", "".join(f"{name} = {value}\n" for name, value in facts.items()))
    except Trouble as trouble:
        report.missing.append(f"aws.txt: {trouble}")
        report.missing += [f"{node}: AWS alone tells where it is." for node in session.spec.names]
        return
    with ThreadPoolExecutor(max_workers=2, thread_name_prefix="report") as pool:
        list(pool.map(lambda node: _ask_node(session, node, report), session.spec.names))


def _ask_node(session: Session, name: str, report: Report) -> None:
    node = session.ctx.node(name)
    try:
        node.run(("true",), timeout=SLOW)
    except Trouble as trouble:
        report.missing.append(str(trouble) if trouble.where == name else f"{name}: {trouble}")
        return
    for file, command in ASKED.items():
        script = f"export LC_ALL=C.UTF-8 TZ=UTC; {{ {command}; }} 2>&1 | {_TAIL}"
        try:
            report.take(f"{name}/{file}", node.run(("sh", "-c", script), timeout=SLOW).stdout)
        except Trouble as trouble:
            report.missing.append(f"{name}/{file}: {trouble}")


def _end_of(path: Path) -> str:
    """The last TAIL bytes of one of our files, from the start of a line."""
    with os.fdopen(disk.open_private(path, os.O_RDONLY), "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - TAIL))
        content = file.read(TAIL)
    if size > TAIL:
        content = content.partition(b"\n")[2]
    return content.decode(errors="replace")


def _versions() -> str:
    lines = [
        f"iconha-tui {__version__}",
        f"Python {platform.python_version()}",
        f"{platform.system()} {platform.release()}",
    ]
    for each in metadata.requires("iconha-tui") or []:
        library = re.split(r"[^A-Za-z0-9_.-]", each, maxsplit=1)[0]
        if "extra ==" not in each:
            with suppress(metadata.PackageNotFoundError):
                lines.append(f"{library} {metadata.version(library)}")
    return "\n".join([*lines, ""])


def _environment() -> list[str]:
    """Secrets that stand in this process's environment, whatever they are for."""
    telling = re.compile("SECRET|TOKEN|PASSW|PASSPHRASE|ACCESS_KEY")
    return [value for name, value in os.environ.items() if telling.search(name) and len(value) >= 8]


def _profile(session: Session) -> list[str]:
    """The keys that the operator's AWS profiles have, so that they are known where they should not stand."""
    found: list[str] = []
    with suppress(Trouble):
        session.load_node_keys()
    with suppress(Trouble):
        from iconha_tui.cloud.client import secrets_of

        found += secrets_of(session.spec.aws)
    return found


def _names_here(store: Store) -> dict[str, str]:
    """The operator's user, machine and folders, as they stand in tracebacks and error messages."""
    names = {str(Path.home()): "~", socket.gethostname(): "this-machine"}
    names |= {str(store.root): "state-folder", str(Path(__file__).parent): "iconha_tui"}
    with suppress(OSError, KeyError):
        names[getpass.getuser()] = "operator"
    return {name: stand_in for name, stand_in in names.items() if name not in ("root", "/root", "localhost")}


def _names_of(spec: Spec) -> dict[str, str]:
    """What the operator calls keys, profiles and roles: often themselves or their company."""
    names = {
        spec.aws.profile: "profile",
        spec.awscli.profile: "profile-of-the-nodes",
        spec.aws.config_file: "config-file",
        spec.ssh.key_file: "key-file",
        spec.ssh.user: "ssh-user",
        spec.instances.key_pair: "key-pair",
        spec.instances.instance_profile: "instance-profile",
    }
    names |= {str(Path(file).expanduser()): names[file] for file in (spec.aws.config_file, spec.ssh.key_file) if file}
    return {name: stand_in for name, stand_in in names.items() if name not in ("default", "ubuntu", "admin", "root")}


def _manifest(name: str, files: dict[str, str], missing: list[str], redactor: Redactor) -> str:
    width = max(len(each) for each in files)
    lines = [
        f"Report on the cluster {name} by iconha-tui {__version__}, {time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC",
        "",
        "In it:",
        *(f"  {each:<{width}}  {len(text.encode()):>9,} bytes" for each, text in sorted(files.items())),
        f"  {'MANIFEST.txt':<{width}}  this list",
        "",
        "Not in it:",
        *(f"  {each}" for each in missing or ["nothing is missing"]),
        "",
        "Never read: the content of /etc/corosync/authkey and /root/.aws, private keys, known host keys.",
        "Replaced, each by the same stand-in everywhere:",
        *(
            [f"  {kind}: in {count} places" for kind, count in sorted(redactor.counts.items()) if count]
            or ["  nothing"]
        ),
        "",
        "As they are: the names of the cluster, of the nodes and of resources, regions, versions, times, and what the logs",
        "say in words. Look through it before you send it, should one of those tell more than you want.",
        "",
    ]
    return "\n".join(lines)


def _packed(folder: str, files: dict[str, str]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, text in sorted(files.items()):
            content = text.encode(errors="replace")
            info = tarfile.TarInfo(f"{folder}/{name}")
            info.size, info.mode, info.mtime = len(content), 0o600, int(time.time())
            archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()
