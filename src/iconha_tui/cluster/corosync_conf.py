"""corosync.conf: read it, judge it, write it, compare it.

    findings = check(text)                 # what corosync 3.1 refuses (errors) and what a pair must not have (warnings)
    text = render(settings)                # one node's file, as the guide has it

`check` never passes (no errors) a file that `corosync -t` of 3.1 refuses; where it cannot know, it refuses.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from iconha_tui.cluster import corosync_advice, corosync_cmap, corosync_rules
from iconha_tui.cluster.corosync_render import (
    DEPARTURES,
    CorosyncSettings,
    Departure,
    NodeAddress,
    departures,
    diff,
    differing_lines,
    render,
)
from iconha_tui.cluster.corosync_rules import Host
from iconha_tui.cluster.corosync_syntax import MAX_FINDINGS, Comment, Document, Item, Section, parse
from iconha_tui.cluster.findings import Finding, has_errors

__all__ = [
    "DEPARTURES",
    "MAX_CHARACTERS",
    "Comment",
    "CorosyncSettings",
    "Departure",
    "Document",
    "Finding",
    "Host",
    "Item",
    "NodeAddress",
    "Section",
    "check",
    "departures",
    "described",
    "diff",
    "differing_lines",
    "has_errors",
    "is_package_default",
    "only_reloadable",
    "parse",
    "render",
]

MAX_CHARACTERS = 1 << 20
"""A corosync.conf of two nodes has 40 lines. What is larger than this is some other file, and is not read."""


def check(
    text: str,
    *,
    nodes: Iterable[NodeAddress] = (),
    host: Host | None = None,
    resolvable: Collection[str] = (),
    version: tuple[int, int] = (3, 1),
) -> list[Finding]:
    """Judge a corosync.conf, as it stands in an editor or in a file.

    `nodes` are the nodes that it should list; `host` is the node that it is for, where known; `resolvable` are host
    names that are known to resolve on both nodes (any other name in place of an address is an error); `version` is
    the corosync that will read it. The findings come in the order of the lines.
    """
    if len(text) > MAX_CHARACTERS:
        return [Finding(1, 1, "error", f"This file has {len(text)} characters: it is no corosync.conf.")]
    document = parse(text)
    cmap = corosync_cmap.build(document)
    findings = document.findings + cmap.findings
    expected = [(node.name, node.ring0_addr) for node in nodes]
    # Where a line cannot be read, what the rest means is a guess: a brace that is missing moves every section.
    if not document.findings:
        findings += corosync_rules.judge(
            cmap, document.root, host=host, resolvable=frozenset(resolvable), version=version
        )
    findings += corosync_advice.advise(cmap, document.root, host=host, expected=expected, version=version)
    # "error" sorts before "warning": what is cut off where there is too much are warnings.
    most_serious = sorted(set(findings), key=lambda finding: (finding.severity, finding))[:MAX_FINDINGS]
    return sorted(most_serious)


def described(text: str) -> str:
    """Whose cluster a corosync.conf is of, in words: "the cluster old with alpha, beta and 10.0.0.9"."""
    if len(text) > MAX_CHARACTERS:
        return "no cluster"
    cmap = corosync_cmap.build(parse(text))
    names = [node.text("name") or node.text("ring0_addr") or "a node without a name" for node in cmap.nodes]
    told = f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names) or "no nodes"
    return f"the cluster {cmap.text('totem.cluster_name') or 'without a name'} with {told}"


def is_package_default(text: str) -> bool:
    """Whether this is the configuration that Debian's and Ubuntu's packages install: node1 at 127.0.0.1, alone.

    Such a file is nobody's work and may be replaced without asking; Pacemaker must not have run with it.
    """
    if len(text) > MAX_CHARACTERS:
        return False
    return corosync_advice.is_package_default(corosync_cmap.build(parse(text)))


RELOADABLE = frozenset(
    f"totem.{key}"
    for key in (
        "token",
        "token_retransmit",
        "token_retransmits_before_loss_const",
        "consensus",
        "join",
        "send_join",
        "merge",
        "downcheck",
        "fail_recv_const",
        "seqno_unchanged_const",
        "window_size",
        "max_messages",
        "miss_count_const",
    )
)
"""Values that Corosync takes up by `corosync-cfgtool -R`, without a restart (corosync.conf(5); 2.4 and 3)."""


def only_reloadable(old: str, new: str) -> bool:
    """Whether two files differ only in values that Corosync takes up by a reload. False where one of them cannot be read."""
    one, other = parse(old), parse(new)
    if one.findings or other.findings:
        return False
    return list(_fixed(one.root, "")) == list(_fixed(other.root, ""))


def _fixed(section: Section, path: str) -> Iterator[tuple[str, str]]:
    """Every value that needs a restart, in order."""
    for item in section.items:
        if f"{path}{item.key}" not in RELOADABLE:
            yield f"{path}{item.key}", item.value
    for inner in section.sections:
        yield f"{path}{inner.name}", "{"
        yield from _fixed(inner, f"{path}{inner.name}.")
        yield f"{path}{inner.name}", "}"
