"""Authentication key (guide step 3): made once, the same on both nodes, root's alone."""

from __future__ import annotations

from collections.abc import Sequence

from iconha_tui.engine.actions import Action, Copy, Run
from iconha_tui.engine.step import Blocked, Context, Done, Needed, Stage, Step, Verdict, View
from iconha_tui.text import whole_number

PATH = "/etc/corosync/authkey"

_LOOK = f"test -e {PATH} && sha256sum {PATH} | cut -d' ' -f1 && stat -c '%U:%G:%a:%s' {PATH}"


def look(ctx: Context, node: str) -> dict[str, str | None]:
    """The key on a node: <node>.authkey_sha256 and .authkey_mode ("root:root:400:256": owner, group, mode, bytes)."""
    said = ctx.node(node).run(("sh", "-c", _LOOK)).stdout.split()
    digest, mode = (said[0], said[1]) if len(said) == 2 else (None, None)
    return {f"{node}.authkey_sha256": digest, f"{node}.authkey_mode": mode}


class Generated(Step):
    id = "authkey.generate"
    title = "There is a key"
    usual = 0.2
    guide = "apt-get install haveged; corosync-keygen"
    departs = "haveged comes with the packages, and only where the kernel's random source still waits."

    def targets(self, view: View) -> Sequence[str]:
        return [view.spec.names[0]]

    def probe(self, ctx: Context, target: str) -> Verdict:
        other = ctx.view.other(target)
        facts = look(ctx, target) | look(ctx, other)
        mine, theirs = facts[f"{target}.authkey_sha256"], facts[f"{other}.authkey_sha256"]
        if not mine and not theirs:
            return Needed("Neither node has a key.", {**facts, "authkey_source": target})
        if mine and theirs and mine != theirs and not ctx.spec.authkey.keep:
            return Blocked(
                f"The nodes hold two different keys: {target} {mine[:16]}…, {other} {theirs[:16]}… (SHA-256).",
                f'Choose whose to keep in the authkey stage (in a spec: [authkey] keep = "{target}"). '
                "The other is kept as a backup on its node.",
                facts,
            )
        source = (ctx.spec.authkey.keep or target) if mine and theirs else (target if mine else other)
        return Done(
            f"{source} has one, SHA-256 {(facts[f'{source}.authkey_sha256'] or '')[:16]}…",
            {**facts, "authkey_source": source},
        )

    def plan(self, view: View, target: str) -> list[Action]:
        return [Run(target, ("corosync-keygen",), "256 bytes from the kernel's random source", timeout=600)]


class Shared(Step):
    id = "authkey.copy"
    title = "Both nodes hold the same key"
    vital = "With two different keys the nodes do not hear each other."
    usual = 0.2
    guide = "scp /etc/corosync/authkey to /tmp of the other node, then mv"
    departs = "A key in /tmp can be read on the way: it is carried through this program's memory instead."

    def targets(self, view: View) -> Sequence[str]:
        return [view.other(str(view.facts.get("authkey_source") or view.spec.names[0]))]

    def probe(self, ctx: Context, target: str) -> Verdict:
        source = ctx.view.other(target)
        facts = look(ctx, source) | look(ctx, target)
        theirs = facts[f"{source}.authkey_sha256"]
        if theirs and theirs == facts[f"{target}.authkey_sha256"]:
            return Done(f"SHA-256 {theirs}", facts)
        return Needed(f"{target} does not hold the key of {source}.", facts)

    def plan(self, view: View, target: str) -> list[Action]:
        return [Copy(view.other(target), target, PATH, "what it replaces is kept beside it")]


class Private(Step):
    id = "authkey.private"
    title = "The key is root's alone"
    vital = "A key that others can read protects nothing, and corosync refuses one that is too short."
    usual = 0.2
    guide = "chown root:root, chmod 400"

    def probe(self, ctx: Context, target: str) -> Verdict:
        facts = look(ctx, target)
        owner, group, mode, size = ((facts[f"{target}.authkey_mode"] or "") + ":::").split(":")[:4]
        if (whole_number(size) or 0) < 128:
            return Blocked(
                f"The key has {size or 0} bytes; corosync wants 128 at least.",
                f"Move {PATH} away on both nodes, then retry: a new one is made.",
            )
        if (owner, group, mode) == ("root", "root", "400"):
            return Done("root:root 0400", facts)
        return Needed(f"It is {owner}:{group} {mode}.", facts)

    def plan(self, view: View, target: str) -> list[Action]:
        return [Run(target, ("chown", "root:root", PATH)), Run(target, ("chmod", "0400", PATH))]


STAGE = Stage(
    name="authkey",
    title="Authentication key",
    summary=(
        "Corosync's shared key is made once on the first machine and carried to the second through this program's memory. "
        "Both copies are root's alone and are compared by SHA-256. A pair that is there already is kept."
    ),
    steps=(Generated(), Shared(), Private()),
)
