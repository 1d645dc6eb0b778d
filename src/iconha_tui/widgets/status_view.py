"""How a cluster is, as rows, from the dictionary of `iconha_tui.status`. What is not known is said to be so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from textual.content import Content

from iconha_tui.widgets.glyphs import duration, mark
from iconha_tui.widgets.hanging import MUTED, Row

Data = Mapping[str, Any]

VERDICTS = {
    "healthy": ("done", "healthy"),
    "degraded": ("failed", "degraded: read on"),
    "unknown": ("unknown", "not known: nobody could be asked"),
}


def status_rows(data: Data) -> Iterator[Row]:
    """The whole status, the worst first."""
    state, text = VERDICTS.get(str(data.get("verdict")), VERDICTS["unknown"])
    look = mark(state)
    yield "", Content.styled(f"{look.glyph} {text}", look.style)
    if data.get("agree") is False:
        yield (
            "",
            Content.styled(
                f"{mark('failed').glyph} EC2 and the cluster disagree on who holds the Elastic IP", "$text-error bold"
            ),
        )
    for sentence in data.get("missing") or ():
        yield Content.styled(f"{mark('warning').glyph} ", mark("warning").style), sentence
    yield from _heading("Nodes")
    for node in data.get("nodes") or ():
        yield from _node(node)
    yield from _heading("Cluster")
    flags = ", ".join(data.get("quorum_flags") or ())
    yield _lead("quorum"), Content.assemble(_known(data.get("quorate"), "quorate", "no quorum"), (f"  {flags}", MUTED))
    for resource in data.get("resources") or ():
        yield from _resource(resource)
    if not data.get("resources"):
        yield _lead("resources"), Content.styled("none is known", MUTED)
    for failure in data.get("failures") or ():
        yield _lead("failed"), failure
    yield from _heading("Elastic IP")
    yield _lead("address"), str(data.get("elastic_ip") or "not known")
    yield _lead("EC2 says"), str(data.get("holder_by_ec2") or "not known")
    yield _lead("the cluster says"), str(data.get("holder_by_cluster") or "not known")
    if data.get("agree"):
        yield _lead(""), _known(True, "both say the same", "")


def _heading(text: str) -> Iterator[Row]:
    yield "", ""
    yield "", Content.styled(text, "bold $text-primary")


def _lead(word: str) -> Content:
    return Content.styled(f"  {word:<18}", MUTED)


def _known(good: bool | None, yes: str, no: str) -> Content:
    look = mark("unknown" if good is None else "done" if good else "failed")
    return Content.styled(f"{look.glyph} {look.word if good is None else yes if good else no}", look.style)


def _node(node: Data) -> Iterator[Row]:
    parts = [_known(node.get("online"), "online", "offline"), _known(node.get("joined"), "joined", "not joined")]
    parts += [Content(word) for word, flag in (("DC", "dc"), ("standby", "standby")) if node.get(flag)]
    yield Content.styled(f"  {node.get('name', '?'):<18}", "bold"), Content("   ").join(parts)
    yield _lead(""), Content.styled(", ".join(_details(node)) or "nothing is known of the machine", MUTED)
    ports = node.get("ports") or {}
    if ports:
        yield (
            _lead(""),
            Content("   ").join(
                _known(bool(is_open), f"port {port} answers", f"port {port} closed") for port, is_open in ports.items()
            ),
        )


def _details(node: Data) -> Iterator[str]:
    if node.get("instance_id"):
        yield f"{node['instance_id']} {node.get('instance_state') or ''}".strip()
    for name, key in (("private", "private_ip"), ("public", "public_ip")):
        if node.get(key):
            yield f"{name} {node[key]}"
    if node.get("answers") is False:
        yield "no answer over SSH"
    if node.get("uptime_s") is not None:
        yield f"up {duration(float(node['uptime_s']))}"
    if node.get("load") is not None:
        yield f"load {node['load']}"
    if node.get("clock_offset_s") is not None:
        yield f"clock {node['clock_offset_s']:+} s"


def _resource(resource: Data) -> Iterator[Row]:
    role, node = resource.get("role"), resource.get("node")
    said = f"{role or 'not known'}{f' on {node}' if node else ''}"
    started = None if role is None else node is not None
    counts = ", ".join(f"{name} {count}" for name, count in (resource.get("failcounts") or {}).items() if count)
    yield (
        Content.styled(f"  {resource.get('id', '?'):<18}", "bold"),
        Content.assemble(_known(started, said, said), (f"   failures: {counts or 'none'}", MUTED)),
    )
