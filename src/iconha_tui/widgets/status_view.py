"""How a cluster is, as rows: nodes, membership and quorum, resources, and who holds the address by either's word.

Takes the dictionary of `iconha_tui.status`; a part that is missing is said to be not known, never left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from textual.content import Content

from iconha_tui.widgets.glyphs import mark
from iconha_tui.widgets.hanging import MUTED, Row

Data = Mapping[str, Any]


def status_rows(data: Data) -> Iterator[Row]:
    """The whole status."""
    yield from _problems(data.get("problems") or ())
    yield from _heading("Nodes")
    for node in data.get("nodes") or ():
        yield from _node(node)
    yield from _heading("Cluster")
    yield _lead("membership"), _members(data.get("membership"))
    yield _lead("quorum"), _flat(data.get("quorum"))
    yield from _heading("Resources")
    resources = data.get("resources")
    if not resources:
        yield "", Content.styled("not known" if resources is None else "none is configured", MUTED)
    for resource in resources or ():
        yield from _resource(resource)
    yield from _heading("Elastic IP")
    yield from _holder(data.get("elastic_ip") or {})


def _heading(text: str) -> Iterator[Row]:
    yield "", ""
    yield "", Content.styled(text, "bold $text-primary")


def _lead(word: str) -> Content:
    return Content.styled(f"  {word:<16}", MUTED)


def _marked(good: bool | None, yes: str, no: str) -> Content:
    look = mark("unknown" if good is None else "done" if good else "failed")
    return Content.styled(f"{look.glyph} {'not known' if good is None else yes if good else no}", look.style)


def _problems(problems: Sequence[str]) -> Iterator[Row]:
    if not problems:
        yield "", Content.styled(f"{mark('done').glyph} nothing is wrong as far as it can be seen", mark("done").style)
    for problem in problems:
        look = mark("failed")
        yield Content.styled(f"{look.glyph} ", look.style), Content.styled(problem, "bold")


def _node(node: Data) -> Iterator[Row]:
    parts = [_marked(node.get("online"), "online", "offline")]
    for flag in ("dc", "standby", "maintenance"):
        if node.get(flag):
            parts.append(Content("DC" if flag == "dc" else flag))
    yield Content.styled(f"  {node.get('name', '?'):<16}", "bold"), Content("   ").join(parts)
    for key, value in node.items():
        if key not in ("name", "online", "dc", "standby", "maintenance") and value not in (None, "", [], {}):
            yield "", Content.styled(f"{' ' * 18}{key.replace('_', ' ')}: {_flat(value)}", MUTED)


def _members(members: Any) -> Content | str:
    if isinstance(members, Mapping):
        return Content("   ").join(
            Content.assemble(
                f"{name} ", _marked(None if state is None else state in (True, "joined"), "joined", str(state))
            )
            for name, state in members.items()
        )
    return _flat(members)


def _resource(resource: Data) -> Iterator[Row]:
    role = resource.get("role") or resource.get("state")
    where = f" on {resource['node']}" if resource.get("node") else ""
    started = None if role is None else str(role).lower() in ("started", "promoted")
    yield (
        Content.styled(f"  {resource.get('id', '?'):<16}", "bold"),
        Content.assemble(_marked(started, f"{role}{where}", f"{role}{where}")),
    )
    failures = resource.get("failcounts") or {}
    text = ", ".join(f"{node} {count}" for node, count in failures.items()) if failures else "none"
    yield _lead("  failures"), text


def _holder(address: Data) -> Iterator[Row]:
    yield _lead("address"), str(address.get("address") or "not known")
    ec2, pacemaker = address.get("ec2"), address.get("pacemaker")
    yield _lead("EC2 says"), str(ec2 or "not known")
    yield _lead("Pacemaker says"), str(pacemaker or "not known")
    if ec2 and pacemaker:
        yield _lead(""), _marked(ec2 == pacemaker, "both say the same", "THEY DISAGREE")


def _flat(value: Any) -> str:
    if value is None:
        return "not known"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{key.replace('_', ' ')} {_flat(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_flat(item) for item in value)
    return str(value)
