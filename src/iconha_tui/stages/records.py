"""What this program has put on the nodes: by its records there, somebody else's work is told from its own."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from iconha_tui.cluster.corosync_conf import described, differing_lines, is_package_default
from iconha_tui.engine.actions import OWN, Run, Upload
from iconha_tui.engine.step import Context, View
from iconha_tui.text import clean

COROSYNC_CONF = "/etc/corosync/corosync.conf"

FOLDER = OWN
NOTES = f"{FOLDER}/corosync.conf.sha256"
"""What it has put in the place of corosync.conf: a line `SHA-256 cluster` each time, the last one for what it put there last."""

DIGITS = 16
"""So many digits of a SHA-256 name a file or a setting of somebody else, where the operator allows that it is replaced."""


@dataclass(frozen=True)
class Standing:
    """The corosync.conf that a node has. text: None where there is none. digest: its SHA-256, or "". whose: what is known of it.

    foreign: a sentence on whose work it is, where nobody has allowed that it is replaced; "" otherwise. other: and it is of
    another cluster.
    """

    text: str | None
    digest: str
    whose: Literal["nobody's", "wanted", "the package's", "ours", "allowed", "somebody's"]
    remembered: bool = False
    foreign: str = ""
    other: bool = False
    remedy: str = ""


def standing(ctx: Context, node: str, wanted: str) -> Standing:
    """What a node has in the place of the `wanted` text, and whose work that is."""
    there = ctx.node(node).read(COROSYNC_CONF)
    if there is None:
        return Standing(None, "", "nobody's")
    text = there.decode(errors="replace")
    digest = hashlib.sha256(there).hexdigest()
    record = (ctx.node(node).read(NOTES) or b"").decode(errors="replace")
    writer = _writer(record, digest)
    ours = writer == ctx.spec.tagged
    if text == wanted:
        return Standing(text, digest, "wanted", remembered=ours)
    if is_package_default(text):
        return Standing(text, digest, "the package's")
    if ours:
        return Standing(text, digest, "ours")
    short, allowed = digest[:DIGITS], ctx.spec.corosync.replace
    if short in allowed.split("+"):
        return Standing(text, digest, "allowed")
    if writer:
        why = f"It is part of another cluster of this program, {clean(writer)}, by its corosync.conf."
    elif record:
        why = "Its corosync.conf was edited by somebody since this program wrote it."
    else:
        why = "It has a corosync.conf that this program has not written: a cluster that is there already, or somebody's work."
    return Standing(
        text,
        digest,
        "somebody's",
        foreign=f"{why} {_how_it_differs(text, wanted)}",
        other=bool(writer) or described(text) != described(wanted),
        remedy="Take what you need of it into the editor of the corosync stage. Then allow there that it is replaced (in a spec: "
        f'[corosync] replace = "{"+".join(filter(None, (allowed, short)))}"); it is kept as a backup beside the new one.',
    )


def _how_it_differs(text: str, wanted: str) -> str:
    """The cluster that it names, where that is another one; else the first line that is not as wanted."""
    named, expected = described(text), described(wanted)
    if named != expected:
        return clean(f"It is of {named[:200]}, not of {expected}.")
    theirs = next(iter(differing_lines(wanted, text)[1]), 0)
    if not theirs:
        return "Lines of the wanted file are missing in it."
    return clean(f"Its line {theirs} is another: {text.splitlines()[theirs - 1].strip()[:100]!r}.")


def _writer(record: str, digest: str) -> str | None:
    """The cluster for which this program wrote a corosync.conf last, where that is the file; None: somebody put it there."""
    last = (record.splitlines() or [""])[-1].split()
    return last[1] if len(last) == 2 and last[0] == digest else None


def note_conf(view: View, node: str, text: str) -> Run:
    """Notes on a node that `text`, which is in its place already, is this program's from now on."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    note = f"install -d -m 0700 {FOLDER} && echo {digest} {shlex.quote(view.spec.tagged)} >>{NOTES}"
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
