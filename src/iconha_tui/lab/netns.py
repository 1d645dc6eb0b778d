"""Sockets inside a node's network namespace, opened by the daemon.

A socket belongs for ever to the namespace in which it was made. So the daemon can be a node's metadata service and
its EC2 API without any program inside the node: whatever image boots, the addresses are there.
"""

from __future__ import annotations

import ctypes
import os
import socket
import threading

from iconha_tui.lab.shell import run

CLONE_NEWNET = 0x40000000


def add_address(pid: int, address: str) -> None:
    """Give the namespace of process `pid` one more address on its loopback interface."""
    inside = ["nsenter", "--net", "--target", str(pid), "--"]
    run([*inside, "ip", "link", "set", "lo", "up"])
    run([*inside, "ip", "address", "replace", f"{address}/32", "dev", "lo"])


def listen(pid: int, address: str, port: int) -> socket.socket:
    """A socket that listens on address:port in the namespace of process `pid`. Raises OSError."""
    made: list[socket.socket | OSError] = []

    def inside() -> None:
        # setns moves this thread alone, and the thread ends with this function.
        try:
            descriptor = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            try:
                libc = ctypes.CDLL(None, use_errno=True)
                if libc.setns(descriptor, CLONE_NEWNET) != 0:
                    number = ctypes.get_errno()
                    raise OSError(number, os.strerror(number))
            finally:
                os.close(descriptor)
            opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            opened.bind((address, port))
            opened.listen(64)
            made.append(opened)
        except OSError as error:
            made.append(error)

    thread = threading.Thread(target=inside, name=f"netns-{pid}")
    thread.start()
    thread.join()
    if isinstance(made[0], OSError):
        raise made[0]
    return made[0]
