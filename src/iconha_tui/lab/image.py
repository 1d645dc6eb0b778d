"""The node image: a Debian system made by mmdebstrap from the host's own apt sources, imported into Podman."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from iconha_tui.cluster.shells import SHELLS
from iconha_tui.error_codes import Code
from iconha_tui.errors import Trouble
from iconha_tui.lab import host
from iconha_tui.lab.shell import as_root, run

SUITES = ("bookworm", "trixie")
DEFAULT_SUITE = "bookworm"
REPOSITORY = "localhost/iconha-lab"
FORMAT = "2"
"""Raise it when the recipe changes in a way that an older image must not be taken for."""

INCLUDE = (
    "systemd,systemd-sysv,dbus,libpam-systemd,openssh-server,sudo,ca-certificates,"
    "curl,iproute2,iputils-ping,procps,less,nano,debian-archive-keyring,python3,python3-yaml,zstd"
)
"""What Ubuntu's cloud image has and the guide takes for granted; Python is cloud-init's there. zstd: Podman's build cache
compresses with it."""

_SHELL_PACKAGES = " ".join(shell.package for shell in SHELLS.values())
PREFETCH = f"pacemaker corosync {_SHELL_PACKAGES} resource-agents haveged fence-agents awscli"
"""Downloaded into the image's apt cache, not installed: a node installs them as ever, without the wait."""

DPKG = (
    r"force-unsafe-io\npath-exclude=/usr/share/doc/*\npath-exclude=/usr/share/man/*\n"
    r"path-exclude=/usr/lib/python3/dist-packages/awscli/examples/*\n"
)
"""A node lives for minutes: dpkg need not wait for the disk, and nobody reads manuals there: those of the AWS CLI alone are
six thousand files."""

APT = 'Acquire::Languages "none";\nAcquire::GzipIndexes "false";\n'
"""Translations are read by nobody, and lists that are not packed are read faster, whatever the host does with its own."""

GENERATORS = (
    "cryptsetup debug fstab getty gpt-auto hibernate-resume integritysetup rc-local run system-update tpm2 veritysetup"
)
"""systemd's, for what a container does not have. Each is started whenever systemd reads its units (systemd.generator(7)), which
the installation of a package makes it do over and over."""

Progress = Callable[[str], None]


def name_of(suite: str) -> str:
    """The image's name in Podman, which changes with the recipe."""
    recipe = hashlib.sha256(f"{FORMAT} {INCLUDE} {PREFETCH} {DPKG} {APT} {GENERATORS}".encode()).hexdigest()[:8]
    return f"{REPOSITORY}-{suite}:{recipe}"


def exists(image: str) -> bool:
    done = subprocess.run(as_root(["podman", "image", "exists", image]), capture_output=True, check=False)
    return done.returncode == 0


def ensure(suite: str, image: str | None, progress: Progress) -> str:
    """The name of the image to boot, built or pulled first where it is not there yet. Raises Trouble."""
    if image is not None:
        if not exists(image):
            progress(f"Fetching the image {image}")
            run(["podman", "pull", image], timeout=900)
        return image
    if suite not in SUITES:
        raise Trouble(
            f"There is no node image for the suite {suite!r}.",
            code=Code.LAB_FAILED,
            remedy=f"Use one of: {', '.join(SUITES)}.",
        )
    name = name_of(suite)
    if not exists(name):
        with _one_at_a_time():
            if not exists(name):
                _build(suite, name, progress)
                _remove_older(suite, name)
    return name


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Two labs that come up at once build one image: the second waits, and finds it."""
    descriptor = os.open(tempfile.gettempdir(), os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _remove_older(suite: str, name: str) -> None:
    """Remove images of earlier recipes. One that a running lab uses stays until another time."""
    listed = run(["podman", "images", "--format", "{{.Repository}}:{{.Tag}}"], check=False).split()
    for other in listed:
        if other.startswith(f"{REPOSITORY}-{suite}:") and other != name:
            run(["podman", "rmi", other], check=False)


def _build(suite: str, name: str, progress: Progress) -> None:
    progress(f"Building the {suite} node image (about a minute, once)")
    with tempfile.TemporaryDirectory(prefix="iconha-image-") as scratch:
        folder = Path(scratch)
        sources = folder / "lab.sources"
        sources.write_text(host.debian_sources(suite))
        settings = folder / "apt.conf"
        settings.write_text(host.apt_settings() + APT)
        tar = folder / "node.tar"
        argv = ["mmdebstrap", "--mode=root", "--variant=apt", f"--include={INCLUDE}", f"--aptopt={settings}"]
        # The cache is cleaned by hand below: mmdebstrap's own cleaning would take the prefetched packages too. The lists stay,
        # so that `apt-get update` of a node has to ask only whether they are new.
        argv += ["--skip=cleanup/apt/cache", "--skip=cleanup/apt/lists"]
        for hook in (
            f'printf "{DPKG}" > "$1"/etc/dpkg/dpkg.cfg.d/60-iconha-lab',
            'rm -f "$1"/var/cache/apt/archives/*.deb',
            f'chroot "$1" apt-get install --yes --download-only --no-install-recommends {PREFETCH}',
            f'chroot "$1" apt-get install --yes --download-only {PREFETCH} || true',
            'rm -f "$1"/etc/ssh/ssh_host_* "$1"/var/cache/apt/*.bin',
            'rm -rf "$1"/usr/share/doc/* "$1"/usr/share/man/*',
            'mkdir -p "$1"/etc/systemd/system-generators',
            f'for one in {GENERATORS}; do ln -s /dev/null "$1"/etc/systemd/system-generators/systemd-$one-generator; done',
        ):
            argv.append(f"--customize-hook={hook}")
        argv += [suite, str(tar), str(sources)]
        _stream(argv, progress)
        progress("Importing it into Podman")
        run(["podman", "import", "--change", 'CMD ["/sbin/init"]', str(tar), name], timeout=300)
        if os.geteuid() != 0:
            run(["rm", "-f", str(tar)])


def _stream(argv: list[str], progress: Progress) -> None:
    """Run a long tool, its lines of progress shown as they come. Raises Trouble with the last of them."""
    tail: list[str] = []
    with subprocess.Popen(
        as_root(argv), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        assert process.stdout is not None  # noqa: S101 - asked for above
        for line in process.stdout:
            line = line.rstrip()
            tail = [*tail[-19:], line]
            if line.startswith("I: "):
                progress(f"  {line[3:]}")
    if process.returncode != 0:
        raise Trouble(
            f"The node image could not be built: {tail[-1] if tail else 'mmdebstrap says nothing'}",
            code=Code.LAB_FAILED,
            remedy="Check that `apt-get update` works on this machine, then run `iconha-tui lab up` again.",
            detail="\n".join(tail),
        )
