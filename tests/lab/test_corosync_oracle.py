"""The checker against corosync itself: it never passes a file that `corosync -t` refuses on a node."""

from __future__ import annotations

import base64
import io
import tarfile
import time

from corosync_corpus import HOST, cases
from pairs import FIRST, Pair, on_pairs

from iconha_tui.cluster.corosync_conf import Host, check, has_errors
from iconha_tui.lab.lab import Lab

COUNT = 400
TIMED_OUT = "124"
"""The exit code of timeout(1)."""

# The cases are for a machine at 10.0.0.11: the address on the loopback device makes one of any node.
# One that is ended leaves eight MiB of its log in /dev/shm, which the cluster on the node needs: they get one of their own.
JUDGE = """
ip address add 10.0.0.11/24 dev lo
cd /root/cases
unshare --mount sh -c 'mount -t tmpfs tmpfs /dev/shm; ls | xargs -P 8 -I {} sh -c "$0"' \\
  'timeout 10 corosync -t -c "$PWD/{}" >/dev/null 2>&1; echo "{} $?"'
rm -r /root/cases; ip address del 10.0.0.11/24 dev lo
"""


@on_pairs(("bookworm", "pcs"))
def test_the_checker_passes_nothing_that_corosync_refuses(built_pair: Pair) -> None:
    texts = dict(enumerate(cases(COUNT, seed=int(time.time()) // 86_400)))
    copy_to(built_pair.lab, texts)
    verdicts = dict(line.split() for line in built_pair.sh(FIRST, JUDGE).splitlines())
    assert len(verdicts) == COUNT
    assert {"0", "8"} <= set(verdicts.values()), "corosync judged nothing"
    name = built_pair.sh(FIRST, "hostname").strip()
    host = Host(name, HOST.addresses | {str(built_pair.lab.instance(FIRST)["private_ip"])})
    # A name in place of an address makes corosync ask the DNS, at times for longer than we wait: that is no verdict.
    unjudged = [number for number, code in verdicts.items() if code == TIMED_OUT]
    assert len(unjudged) < COUNT / 20
    refused = {int(number): code for number, code in verdicts.items() if code not in ("0", TIMED_OUT)}
    passed = [
        (code, texts[number]) for number, code in refused.items() if not has_errors(check(texts[number], host=host))
    ]
    assert passed == []


def copy_to(lab: Lab, texts: dict[int, str]) -> None:
    """Write the cases to /root/cases of the node, one file each, through one archive on standard input."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for number, text in texts.items():
            data = text.encode()
            entry = tarfile.TarInfo(f"{number:06}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))

    feed = base64.b64encode(packed.getvalue()).decode()
    done = lab.exec(FIRST, ["sh", "-c", "mkdir -p /root/cases && base64 -d | tar -xf - -C /root/cases"], feed=feed)
    assert done.returncode == 0, done.stderr
