"""What the program's sentences tell the operator to type, in backticks: each is typed by a test, or it says why not.

tests/unit/test_printed.py finds them in the sources, and fails over one that is not here. The commands of a summary and of a
status are not in backticks: test_printed_commands.py, test_wizard.py and test_status_faults.py type what was printed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Typed:
    """A command line for a node, typed there by who signs in.

    command: with what stands for its placeholders; "" as it is printed. state: makes the state in which it is told, as root.
    shows: a word of its output. holds: what has to be so afterwards, as root. shell: the cluster shell that it is of; "" both.
    answer: what is typed when it asks.
    """

    command: str = ""
    state: str = ""
    shows: str = ""
    holds: str = ""
    shell: str = ""
    answer: str = ""


def told(state: Path, name: str, heading: str) -> list[str]:
    """The command lines under a heading of the summary that a build has left, one to a line."""
    text = (state / "clusters" / name / "summary.md").read_text()
    section = re.split(r"^#+ ", text.split(f"# {heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    blocks = re.findall(r"^```\w*\n(.*?)^```|((?:^ {4}.*\n)+)", section, re.MULTILINE | re.DOTALL)
    lines = "\n".join(fenced or indented for fenced, indented in blocks).replace("\\\n", " ").splitlines()
    return [line.strip() for line in lines if line.strip()]


def typed_here(command: str, answers: str = "", **environment: str) -> str:
    """What command lines print that are typed into a shell of the operator's own machine, where the AWS CLI is. answers: what is
    typed when they ask."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-ec", command],
        input=answers,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": path, **environment},
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


_BROKEN = r"""
set -e; rm -rf /root/{name}; mkdir -p /root/{name}/DEBIAN
printf 'Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: x <x@x>\nDescription: x\n{more}' >/root/{name}/DEBIAN/control
dpkg-deb -b /root/{name} /root/{name}.deb >/dev/null; dpkg --unpack --force-depends /root/{name}.deb >/dev/null
rm -rf /root/{name}*
"""

ON_A_NODE: dict[str, Typed] = {
    "apt-mark showhold": Typed(state="apt-mark hold corosync", shows="corosync", holds="apt-mark unhold corosync"),
    "df -h": Typed(shows="Mounted on"),
    "getent hosts NAME": Typed("getent hosts localhost", shows="localhost"),
    "pgrep -a 'apt|dpkg|unattended'": Typed(
        state="cp /usr/bin/sleep /run/apt-slow; setsid /run/apt-slow 600 >/dev/null 2>&1 </dev/null & sleep 0.2",
        shows="apt-slow",
        holds="pkill apt-slow",
    ),
    "sudo -n true": Typed(),
    "sudo apt-get -f install": Typed(
        state=_BROKEN.format(name="iconha-lame", more="Depends: iconha-nowhere\\n"),
        answer="y",
        holds="apt-get check && ! dpkg-query -W iconha-lame",
    ),
    "sudo apt-get clean": Typed(holds="! ls /var/cache/apt/archives/*.deb"),
    "sudo rm -rf /var/lib/apt/lists/*": Typed(holds="! ls /var/lib/apt/lists/*Packages* && apt-get -q update"),
    "sudo apt-get update": Typed(),
    "sudo crm status": Typed(shell="crm", shows="elastic-ip"),
    "sudo pcs status": Typed(shell="pcs", shows="elastic-ip"),
    "sudo crm_attribute --node {name} --name ATTRIBUTE --lifetime reboot --delete": Typed(
        "sudo crm_attribute --node PRep-02 --name '#health-disk' --lifetime reboot --delete",
        state="crm_attribute --node PRep-02 --name '#health-disk' --lifetime reboot --update red",
        holds="! crm_attribute --node PRep-02 --name '#health-disk' --lifetime reboot --query",
    ),
    "sudo dpkg --configure -a": Typed(
        state=_BROKEN.format(name="iconha-half", more=""),
        holds="dpkg-query -W -f '${Status}' iconha-half | grep -q 'ok installed' && dpkg -P iconha-half",
    ),
    "sudo hostnamectl set-hostname NAME": Typed(
        "sudo hostnamectl set-hostname $(hostname)", holds="[ $(hostname) = $(cat /etc/hostname) ]"
    ),
    "sudo journalctl --vacuum-size=200M": Typed(),
    "sudo journalctl -k -n 50": Typed(),
    "sudo journalctl -u corosync -n 30": Typed(shows="corosync"),
    "sudo journalctl -u corosync -u pacemaker": Typed(shows="pacemaker"),
    "sudo journalctl -u pacemaker": Typed(shows="pacemaker"),
    "sudo journalctl -u pacemaker -u corosync": Typed(shows="corosync"),
    "sudo sh -c {shlex.quote(commands)}": Typed(
        "sudo sh -c 'crm_node --force --remove node1'",
        state='cibadmin --create --scope nodes --xml-text \'<node id="77" uname="node1"/>\'',
        holds="! cibadmin -Q -o nodes | grep -q node1",
    ),
    "sudo systemctl status pacemaker": Typed(shows="active (running)"),
    "sudo systemctl stop {unit.name}": Typed(
        "sudo systemctl stop iconha-it",
        state="systemd-run --quiet --unit iconha-it sleep 600",
        holds="! systemctl is-active iconha-it",
    ),
    "sudo timedatectl set-ntp true": Typed(
        # Ubuntu's images have a service for it, those of the lab none.
        state="DEBIAN_FRONTEND=noninteractive apt-get -q -y install systemd-timesyncd && systemctl disable systemd-timesyncd",
        holds="systemctl is-enabled systemd-timesyncd",
    ),
    "timedatectl": Typed(shows="Local time"),
    "uname -n": Typed(),
}
"""As printed, a placeholder as the source has it -> how it is typed."""

ELSEWHERE: dict[str, str] = {
    "chmod 600 {path}": "remote/test_printed.py::test_a_key_file_that_others_can_read_is_closed",
    "iconha-tui": "lab/test_wizard.py::test_the_wizard_builds_the_pair_by_keys_alone_though_it_is_killed_half_way",
    "iconha-tui check SPEC": "lab/test_operator.py::test_wrong_keys_are_told_from_keys_that_are_denied",
    "iconha-tui plan SPEC": "unit/test_cli.py::test_a_plan_is_shown_with_the_guides_line_and_touches_nothing",
    "iconha-tui report": "lab/test_secrets.py::test_a_report_tells_no_stranger_whose_machines_these_are",
    "iconha-tui run": "unit/test_cli.py::test_a_run_without_a_terminal_and_without_yes_starts_nothing",
    "iconha-tui run SPEC --yes": "lab/test_operator.py::test_wrong_keys_are_told_from_keys_that_are_denied",
    "iconha-tui status NAME --once": "lab/test_printed_commands.py::test_what_a_monitor_is_told_to_ask_ends_with_0",
    "iconha-tui status": "lab/test_status.py::test_all_parts_of_a_real_pair_are_known",
    "iconha-tui where": "unit/test_cli.py::test_where_names_the_folder_the_clusters_and_the_log",
    "puttygen KEY.ppk -O private-openssh -o KEY.pem": "remote/test_printed.py::test_a_puttys_key_is_converted",
    "ssh-add": "remote/test_printed.py::test_a_protected_key_is_loaded_into_the_agent",
    "ssh-add {path}": "remote/test_printed.py::test_a_protected_key_is_loaded_into_the_agent",
    "ssh-keygen -R {alias} -f {self._path}": "remote/test_printed.py::test_a_host_key_that_has_changed_is_forgotten",
    "{aws.command('configure')}": "unit/test_cloud.py::test_a_profile_that_is_not_there_is_made_as_told",
    "tmux set -g set-clipboard on": "unit/test_printed.py::test_tmux_takes_what_is_copied_once_it_is_told_to",
    "{asks_why}": "lab/test_lab_account.py::test_ec2_says_as_told_why_a_machine_was_terminated",
    "{tokenless}": "lab/test_lab_account.py::test_a_metadata_service_is_let_answer_without_tokens_as_told",
    "{stop}": "lab/test_printed_commands.py::test_the_address_is_let_go",
}
"""As printed -> the test that types it."""

UNPROVEN: dict[str, str] = {
    "aws sso login --profile NAME": "needs an IAM Identity Center",
    "sudo add-apt-repository universe": "Ubuntu's alone; the lab has Debian",
}
"""What no test types, and why."""

IN_DOCS: dict[str, str] = {
    "iconha-tui --help": "unit/test_cli.py::test_help_imports_nothing_heavy",
    "iconha-tui --version": "unit/test_cli.py::test_help_imports_nothing_heavy",
    "iconha-tui corosync check FILE": "unit/test_cli.py::test_a_good_file_is_exit_code_0",
    "iconha-tui lab spec": "lab/test_operator.py::test_the_demo_of_the_readme_builds_a_pair_and_is_removed",
    "iconha-tui lab up": "lab/test_operator.py::test_the_demo_of_the_readme_builds_a_pair_and_is_removed",
    "iconha-tui plan": "unit/test_cli.py::test_a_plan_is_shown_with_the_guides_line_and_touches_nothing",
    "iconha-tui plan SPEC --script": "unit/test_cli.py::test_a_plan_as_a_script_begins_like_one",
    "iconha-tui report NAME": ELSEWHERE["iconha-tui report"],
    "iconha-tui report [NAME]": ELSEWHERE["iconha-tui report"],
    "iconha-tui status --json": "lab/test_guide.py::test_the_status_is_healthy_and_ec2_and_the_cluster_agree",
    "iconha-tui status --once --json": "lab/test_printed_commands.py::status",
    "iconha-tui status [NAME]": ELSEWHERE["iconha-tui status"],
    "iconha-tui status icon --json | jq -r '.verdict, .reasons[].text'": (
        "lab/test_guide.py::test_when_the_active_node_dies_clients_reach_the_other_and_a_run_mends_it"
    ),
    "make demo": "lab/test_operator.py::test_the_demo_of_the_readme_builds_a_pair_and_is_removed",
    "make demo PLAIN=1": "lab/test_operator.py::test_the_demo_of_the_readme_builds_a_pair_and_is_removed",
    "make demo-down": "lab/test_operator.py::test_the_demo_of_the_readme_builds_a_pair_and_is_removed",
}
"""What README and docs tell to type, beside what the program does -> the test that types it."""

IN_DOCS_UNPROVEN: dict[str, str] = {
    "make bench": "speed belongs to no test",
    "make reliability": "it is the tests",
    "make test": "it is the tests",
    "pip install '.[lab]'": "the Makefile installs what is locked, from the same pyproject.toml",
    'python -c "import argparse"': "what a bench compares with",
}
"""What README and docs tell to type and no test does, and why."""

NO_COMMANDS = frozenset(
    {
        "(?:env|corosync)",
        "0",
        "<user> ALL=(ALL) NOPASSWD: ALL",
        "[]",
        "[^",
        "admin",
        "plan",
        "plan --look",
        "ps",
        "status",
        "ubuntu",
        "ulimit -f",
        "{' '.join(action.check)}",
        "{(check or ('',))[0]}",
        "{CLUSTER}={spec.tagged}",
        "{clean(words)[:60]}",
        "{name}={value}",
        "{ours.command}",
        "{path}",
        "{spec.elastic_ip.id}",
        "{user} ALL=(ALL) NOPASSWD: ALL",
    }
)
"""What stands in backticks and is not to be typed: words of a file, a language or a protocol, and what the program itself ran."""
