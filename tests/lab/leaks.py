"""Searches for secrets: in what processes say of themselves while the program works, and in all files that are left.

As a program (`python leaks.py`), the watch: it takes what it is to look for as its last input, and so holds no secret before.
"""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import select
import socket
import struct
import subprocess
import sys
import time
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

Needles = dict[bytes, str]
"""What to look for -> the secret that it is of, and in which form."""

PIECE = 12
"""Bytes of a secret that give it away: its beginning and its end are looked for, so that a cut hides neither."""

_NO_FILES = {"proc", "sysfs", "cgroup", "cgroup2", "devpts", "mqueue", "bpf", "securityfs", "debugfs", "tracefs"}


def needles(secrets: dict[str, bytes]) -> Needles:
    """The forms of secrets, by code of the test's own: as they are, hexadecimal, base64, within URLs and JSON."""
    found: Needles = {}
    for name, secret in secrets.items():
        for piece in {secret[:PIECE], secret[-PIECE:]}:
            found[piece] = name
            found[piece.hex().encode()] = f"{name}, hexadecimal"
        for shift in range(3):
            for encode in (b64encode, urlsafe_b64encode):
                coded = encode(bytes(shift) + secret).rstrip(b"=")[4:-2]
                for piece in {coded[: PIECE + 4], coded[-PIECE - 4 :]}:
                    found[piece] = f"{name}, base64"
        text = secret.decode(errors="ignore")
        for form, written in (
            ("URL", quote(text, safe="")),
            ("JSON", json.dumps(text)[1:-1]),
            ("Python", repr(text)[1:-1]),
        ):
            for part in {written[: PIECE + 4], written[-PIECE - 4 :]} if secret.isascii() else ():
                found.setdefault(part.encode(), f"{name}, {form}")
    return {
        needle: name
        for needle, name in found.items()
        if len(needle) >= 5 and b"\n" not in needle and b"\0" not in needle
    }


def hits(content: bytes, wanted: Needles) -> set[str]:
    return {name for needle, name in wanted.items() if needle in content}


def in_files(root: Path, folders: list[Path], wanted: Needles) -> dict[str, set[str]]:
    """The files below some folders of one root that hold a secret. Packed logs are unpacked."""
    handle = os.memfd_create("needles")
    try:
        os.write(handle, b"\n".join(wanted))
        found: dict[str, set[str]] = {}
        for folder in folders:
            find = subprocess.run(
                ["find", "-H", str(folder), "-xdev", "-type", "f", "-print0"], stdout=subprocess.PIPE, check=False
            )
            grep = subprocess.run(
                ["xargs", "-0", "-r", "grep", "-slaFZ", "-f", f"/dev/fd/{handle}", "--"],
                input=find.stdout,
                stdout=subprocess.PIPE,
                env=os.environ | {"LC_ALL": "C"},
                pass_fds=[handle],
                check=False,
            )
            names = [name for name in grep.stdout.split(b"\0") if name]
            suspects = [Path(os.fsdecode(name)) for name in names]
            packed = [
                Path(os.fsdecode(name)) for name in find.stdout.split(b"\0") if name.endswith((b".gz", b".bz2", b".xz"))
            ]
            for path in [*suspects, *(each for each in packed if "/var/" in str(each))]:
                if some := hits(_content(path), wanted):
                    found[f"/{path.relative_to(root)}"] = some
        return found
    finally:
        os.close(handle)


_UNPACK: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.decompress, ".bz2": bz2.decompress, ".xz": lzma.decompress}


def _content(path: Path) -> bytes:
    try:
        raw = path.read_bytes()
    except OSError:
        return b""
    try:
        return raw + _UNPACK[path.suffix](raw)
    except (KeyError, OSError, EOFError, lzma.LZMAError):
        return raw


def file_systems(pid: int) -> Iterator[Path]:
    """Where the file systems of a container are that can hold files, as this host sees them."""
    for line in Path(f"/proc/{pid}/mountinfo").read_text().splitlines():
        fields = line.split()
        if fields[fields.index("-") + 1] not in _NO_FILES:
            yield Path(f"/proc/{pid}/root") / fields[4].lstrip("/")


class Watch:
    """Reads the arguments and the environment of every process of this host, containers included, for as long as it lasts."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout
        assert self._process.stdout.readline() == "ready\n"

    def end(self, wanted: Needles) -> dict[str, object]:
        """hits: [where, command, secret]. started: programs that the kernel has told of. read: those that were read in time."""
        told = json.dumps({needle.hex(): name for needle, name in wanted.items()})
        out, _ = self._process.communicate(f"{told}\n", timeout=600)
        answer: dict[str, object] = json.loads(out)
        return answer

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()


_EXEC = 2


def _listen() -> socket.socket:
    """The kernel's process connector: it tells of every program that is started, in containers too."""
    connector = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, 11)
    connector.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)  # SO_RCVBUFFORCE: a flood of events is not to be lost
    connector.bind((os.getpid(), 1))
    message = struct.pack("=IIIIHHI", 1, 1, 0, 0, 4, 0, 1)
    connector.send(struct.pack("=IHHII", 16 + len(message), 3, 0, 0, os.getpid()) + message)
    return connector


def _watch() -> None:
    """At real-time priority: many programs live for less than a millisecond."""
    seen: dict[tuple[str, bytes], bytes] = {}
    started = read = 0

    def look(pid: object) -> bool:
        arguments = b""
        for part in ("cmdline", "environ"):
            try:
                handle = os.open(f"/proc/{pid}/{part}", os.O_RDONLY)
            except OSError:
                return False
            try:
                content = os.read(handle, 1 << 21)
            except OSError:
                return False
            finally:
                os.close(handle)
            arguments = arguments or content
            seen.setdefault((part, content), arguments)
        return bool(arguments)

    connector = _listen()
    with suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    print("ready", flush=True)
    last = 0.0
    told = b""
    while not told.endswith(b"\n"):
        ready, _, _ = select.select([connector, 0], [], [], 0.25)
        if connector in ready:
            what, _, _, pid = struct.unpack_from("=IIQI", connector.recv(4096), 36)
            if what == _EXEC:
                started += 1
                read += look(pid)
        elif 0 in ready:
            told += os.read(0, 1 << 20)
        if time.monotonic() - last > 0.5:  # what a process has made of its own arguments since
            for each in Path("/proc").glob("[0-9]*"):
                look(each.name)
            last = time.monotonic()
    wanted = {bytes.fromhex(needle): name for needle, name in json.loads(told).items()}
    found = [
        [part, of.replace(b"\0", b" ").decode(errors="replace"), name]
        for (part, content), of in seen.items()
        for name in sorted(hits(content, wanted))
    ]
    print(json.dumps({"hits": found, "started": started, "read": read}), flush=True)


if __name__ == "__main__":
    _watch()
