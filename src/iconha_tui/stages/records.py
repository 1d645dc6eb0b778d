"""What this program has put on the nodes: by its records there, somebody else's work is told from its own."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping
from typing import Any

from iconha_tui.engine.actions import Run, Upload
from iconha_tui.engine.step import Context, View

FOLDER = "/var/lib/iconha-tui"
CONF = f"{FOLDER}/corosync.conf.sha256"
"""What it has put in the place of corosync.conf: a line `SHA-256 cluster` each time, the last one for what it put there last."""

DIGITS = 16
"""So many digits of a SHA-256 name a file or a setting of somebody else, where the operator allows that it is replaced."""


def conf_writer(record: str, digest: str) -> str | None:
    """The cluster for which this program wrote a corosync.conf last, where that is the file; None: somebody put it there."""
    last = (record.splitlines() or [""])[-1].split()
    return last[1] if len(last) == 2 and last[0] == digest else None


def note_conf(view: View, node: str, text: str) -> Run:
    """Notes on a node that `text`, which is in its place already, is this program's from now on."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    note = f"install -d -m 0700 {FOLDER} && echo {digest} {shlex.quote(view.spec.tagged)} >>{CONF}"
    return Run(node, ("sh", "-c", note), "so that somebody else's file is told from this one")


def _place(what: str) -> str:
    return f"{FOLDER}/{what}.json"


def remember(view: View, node: str, what: str, value: Mapping[str, Any]) -> Upload:
    """Notes on a node what this program has set in the cluster's configuration."""
    text = json.dumps({"cluster": view.spec.tagged, **value}, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    return Upload(node, _place(what), (text,), "so that what somebody else sets is told from it", mode=0o600)


def remembered(ctx: Context, node: str, what: str) -> dict[str, Any]:
    """What this program has set for this cluster, by the record on a node; {} where it has none."""
    try:
        record = json.loads(ctx.node(node).read(_place(what)) or b"null")
    except ValueError:
        return {}
    ours = isinstance(record, dict) and record.pop("cluster", "") == ctx.spec.tagged
    return record if ours else {}


def digest_of(value: Any) -> str:
    """The digits that name a setting of somebody else."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:DIGITS]
