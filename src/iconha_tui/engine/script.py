"""The plan as a shell script: the same commands, uploads and API calls, to read, to keep, or to run by hand.

A script cannot look before it acts as a run does: it is for two machines on which nothing has been done yet.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from iconha_tui.engine.actions import (
    Action,
    Call,
    Copy,
    Lookup,
    Run,
    SecretRef,
    Text,
    Upload,
    replace_unknown,
    strings_of,
    unknown_facts,
    waits_for,
)
from iconha_tui.engine.plan import plan_of
from iconha_tui.engine.step import Stage, Step, View
from iconha_tui.text import shell_path

_HEAD = r"""#!/usr/bin/env bash
# What `iconha-tui run` would do for the cluster {name}, as a script.
# It needs bash, ssh and the AWS CLI. Unlike a run it does not look before it acts, and cannot resume.
set -euo pipefail

export {environment}
KNOWN_HOSTS=$(mktemp) CONTROL=$(mktemp -d)
trap leave EXIT
declare -A HOST ALIAS
JOBS=()

SSH=(ssh -p {port}{key} -o BatchMode=yes -o ConnectTimeout=5 -o StrictHostKeyChecking=accept-new
  -o UserKnownHostsFile="$KNOWN_HOSTS" -o LogLevel=ERROR
  -o ControlMaster=auto -o ControlPath="$CONTROL/%C" -o ControlPersist=60 -l {user})

# on NODE COMMAND: run it there as root, with this command's standard input
on() {{
  local quote="'\\''"
  "${{SSH[@]}}" -o HostKeyAlias="${{ALIAS[$1]}}" "${{HOST[$1]}}" "sudo -n sh -c '${{2//\'/$quote}}'"
}}

# put NODE PATH MODE OWNER KEEP [CHECK]: standard input becomes a file there, once CHECK has passed it.
# Where KEEP is keep, another file that it replaces stays as PATH.iconha-<time>.
put() {{
  on "$1" "mkdir -p \"\$(dirname $2)\" && t=\$(umask 077; mktemp $2.XXXXXX) || exit
    {{ cat >\"\$t\" && ${{6:-true}} && chown $4 \"\$t\" && chmod $3 \"\$t\" &&
      {{ [ $5 != keep ] || [ ! -e $2 ] || cmp -s $2 \"\$t\" || cp -p $2 $2.iconha-\$(date -u +%Y%m%dT%H%M%SZ); }} &&
      mv \"\$t\" $2; }} || {{ rm -f \"\$t\"; exit 1; }}"
}}

# until_true NODE COMMAND: wait for it, three minutes at most
until_true() {{
  local end=$((SECONDS + 180))
  until on "$1" "$2" </dev/null >/dev/null 2>&1; do
    ((SECONDS < end)) || {{ echo "$1: not true in time: $2" >&2; return 1; }}
    sleep 0.5
  done
}}

# until_told VALUE COMMAND...: wait until a call to AWS says so, five minutes at most
until_told() {{
  local end=$((SECONDS + 300)) value=$1; shift
  until [[ $("$@") == "$value" ]]; do
    ((SECONDS < end)) || {{ echo "not $value in time: $*" >&2; return 1; }}
    sleep 0.5
  done
}}

# facts NAME...: one line of values into variables; a value that there is not, or that is more than a word, is an error
facts() {{
  local name value word='^[A-Za-z0-9_./:][A-Za-z0-9_.:/@+=",-]*$'; IFS=$'\t' read -ra value
  for name in "$@"; do
    [[ ${{value[0]:-None}} != None ]] || {{ echo "nobody tells $name" >&2; exit 1; }}
    [[ ${{value[0]}} =~ $word ]] ||
      {{ printf '%s is not what such a value looks like: %q\n' "$name" "${{value[0]}}" >&2; exit 1; }}
    printf -v "$name" %s "${{value[0]}}"; value=("${{value[@]:1}}")
  done
}}

# wait for all of JOBS; fail if one of them failed
together() {{
  local job failed=0
  for job in "${{JOBS[@]}}"; do wait "$job" || failed=1; done
  JOBS=()
  return $failed
}}

# close the connections, which would hold this script's output open
leave() {{
  local node
  for node in "${{!HOST[@]}}"; do "${{SSH[@]}}" -O exit "${{HOST[$node]}}" 2>/dev/null || true; done
  rm -rf "$KNOWN_HOSTS" "$CONTROL"
}}
"""


def script_of(stages: Sequence[Stage], view: View) -> str:
    """The script. Secrets are taken from the environment of whoever runs it."""
    planned = list(plan_of(stages, view))
    needed = {fact for each in planned for action in each.actions for fact in waits_for(action)}
    steps = [step for stage in stages for step in stage.steps]
    lookups = {step.id: step.lookups(view) for step in steps}
    for found in lookups.values():
        needed |= {fact for lookup in found for text in strings_of(lookup.params) for fact in unknown_facts(text)}
    address = f"{view.spec.ssh.address}_ip"
    needed |= {f"{node}.{part}" for node in view.spec.names for part in (address, "instance_id")}
    lines = [_head(view), *_secrets(action for each in planned for action in each.actions)]
    for stage in stages:
        lines += ["", f"echo {shlex.quote(f'== {stage.title}')}"]
        for step in stage.steps:
            mine = [(each.target, each.actions) for each in planned if each.step is step and each.actions]
            lines += _step(step, mine, view)
            lines += _awaited(lookups[step.id])
            wanted = [lookup for lookup in lookups[step.id] if lookup.fact in needed]
            lines += _read(wanted)
            lines += [
                f'facts {_variable(each.fact)} <<<"$(on {shlex.quote(each.node)} {shlex.quote(each.command)} </dev/null)"'
                for each in step.node_lookups(view)
                if each.fact in needed
            ]
            for node in view.spec.names:
                if any(lookup.fact == f"{node}.{address}" for lookup in wanted):
                    host, alias = _variable(f"{node}.{address}"), _variable(f"{node}.instance_id")
                    lines.append(f"HOST[{node}]=${host} ALIAS[{node}]=${alias}")
            lines += _conditions(step, view)
    return "\n".join([*lines, "", "echo done"])


def _head(view: View) -> str:
    aws, ssh = view.spec.aws, view.spec.ssh
    return _HEAD.format(
        name=view.spec.name,
        environment=" ".join(f"{name}={value}" for name, value in aws.environment().items()),
        port=ssh.port,
        key=f" -i {shell_path(ssh.key_file)} -o IdentitiesOnly=yes" if ssh.key_file else "",
        user=ssh.user,
    )


def _secrets(actions: Iterator[Action]) -> list[str]:
    names = dict.fromkeys(
        part.name
        for action in actions
        if isinstance(action, Upload)
        for part in action.content
        if isinstance(part, SecretRef)
    )
    return [f': "${{{_secret(name)}:?set it: {name} of the nodes}}"' for name in names]


def _step(step: Step, targets: list[tuple[str, list[Action]]], view: View) -> list[str]:
    if not targets:
        return []
    lines = ["", f"# {step.title}"]
    if len(targets) == 1:
        return [*lines, *(line for action in targets[0][1] for line in _action(action))]
    for _, actions in targets:
        lines += ["{", *(line for action in actions for line in _action(action)), "} & JOBS+=($!)"]
    return [*lines, "together"]


def _conditions(step: Step, view: View) -> list[str]:
    conditions = [run for target in step.targets(view) if (run := step.condition(view, target))]
    if not conditions:
        return []
    return [
        *(f"until_true {shlex.quote(run.target)} {_quoted(_command(run))} & JOBS+=($!)" for run in conditions),
        "together",
    ]


def _action(action: Action) -> list[str]:
    match action:
        case Run():
            warning = [f"# {line}" for line in str(action.disruption).splitlines()] if action.disruption else []
            return [*warning, f"on {shlex.quote(action.target)} {_quoted(_command(action))} </dev/null"]
        case Upload():
            check = f" {_quoted(shlex.join(action.check).replace('{}', _TEMPORARY))}" if action.check else ""
            put = _put(action.target, action.path, action.mode, action.owner, keep=action.backup)
            return [f"{put}{check} <<{_here(action.content)}"]
        case Copy():
            read = f"on {shlex.quote(action.source)} {shlex.quote(f'cat {shlex.quote(action.path)}')} </dev/null"
            return [f"{read} | {_put(action.target, action.path, action.mode, action.owner, keep=True)}"]
        case Call():
            return [
                f"aws {action.service} {_kebab(action.operation)} --cli-input-json {_json(action.params)} >/dev/null"
            ]


_TEMPORARY = "'\"$t\"'"
"""The shell variable of put's temporary file, within single quotes."""


def _put(target: str, path: str, mode: int, owner: str, *, keep: bool) -> str:
    kept = "keep" if keep else "replace"
    return f"put {shlex.quote(target)} {_quoted(shlex.quote(path))} {mode:04o} {owner} {kept}"


def _command(run: Run) -> str:
    return run.shown() if run.argv[:2] == ("sh", "-c") else shlex.join(run.argv)


def _awaited(lookups: list[Lookup]) -> list[str]:
    """Lines that wait until AWS says what it must say before the script can go on."""
    awaited = [each for each in lookups if each.awaited]
    if not awaited:
        return []
    waits = [
        f"until_told {shlex.quote(each.awaited)} aws {_asked(each)} \\\n"
        f"  --query {shlex.quote(each.query)} --output text & JOBS+=($!)"
        for each in awaited
    ]
    return [*waits, "together"]


def _read(lookups: list[Lookup]) -> list[str]:
    """Lines that read the facts, one call for those of the same answer."""
    calls: dict[str, list[Lookup]] = {}
    for each in lookups:
        calls.setdefault(_asked(each), []).append(each)
    return [
        f'facts {" ".join(_variable(each.fact) for each in asking)} <<<"$(aws {asked} \\\n'
        f'  --query {shlex.quote(_together(asking))} --output text)"'
        for asked, asking in calls.items()
    ]


def _asked(lookup: Lookup) -> str:
    return f"{lookup.service} {_kebab(lookup.operation)} --cli-input-json {_json(lookup.params)}"


def _together(lookups: list[Lookup]) -> str:
    return f"[{', '.join(f'({each.query})' for each in lookups)}]"


def _kebab(operation: str) -> str:
    return operation.replace("_", "-")


def _json(params: Any) -> str:
    return _quoted(json.dumps(params, ensure_ascii=False))


def _quoted(text: str) -> str:
    """One shell word, with the facts in it as variables."""
    return replace_unknown(shlex.quote(text), lambda fact: f"'\"${_variable(fact)}\"'")


def _here(content: Text) -> str:
    """A here-document whose variables are the facts and secrets in `content`, and nothing else."""
    parts = []
    for part in content:
        if isinstance(part, SecretRef):
            parts.append(f"${{{_secret(part.name)}}}")
        else:
            plain = re.sub(r"([\\$`])", r"\\\1", part)
            parts.append(replace_unknown(plain, lambda fact: f"${{{_variable(fact)}}}"))
    text = "".join(parts)
    end = "END_OF_FILE"
    while end in text.splitlines():
        end += "_"
    return f"{end}\n{text if text.endswith(chr(10)) else text + chr(10)}{end}"


def _variable(fact: str) -> str:
    name = re.sub(r"[^A-Za-z0-9]", "_", fact).upper()
    return f"_{name}" if name[0].isdigit() else name


def _secret(name: str) -> str:
    return f"ICONHA_{name.upper()}"
