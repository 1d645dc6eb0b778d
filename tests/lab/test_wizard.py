"""The wizard on real nodes, in a terminal, by keys alone: from its first screen to the finished pair."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab_aws import aws
from printed import told, typed_here
from specs import spec_of
from terminal import Terminal
from waiting import wait_until

from iconha_tui.cluster.crm_mon import parse_crm_mon
from iconha_tui.lab.lab import Lab
from iconha_tui.spec import dumps

STAGES = (
    "Credentials",
    "Instances and ports",
    "Packages",
    "Authentication key",
    "Corosync",
    "Pacemaker",
    "AWS CLI on the machines",
    "Elastic IP",
)


@pytest.fixture
def own_lab(lab_host: None, tmp_path: Path) -> Iterator[Lab]:
    lab = Lab(f"wizard-{os.getpid()}", tmp_path / "state")
    try:
        lab.up()
        yield lab
    finally:
        lab.down()


def carry_out(terminal: Terminal, number: int) -> None:
    """Run the stage on the screen, wait for its end."""
    title = re.escape(STAGES[number - 1])
    terminal.wait(rf"\b{number} of 8  {title}")
    terminal.press("F5")
    terminal.wait(rf"\b{number} of 8  {title}  ✓ done")


def test_the_wizard_builds_the_pair_by_keys_alone_though_it_is_killed_half_way(
    own_lab: Lab, terminal: Terminal, tmp_path: Path
) -> None:
    program = [sys.executable, "-m", "iconha_tui", "--state-dir", str(tmp_path / "state")]
    spec = tmp_path / "wizard.toml"
    spec.write_text(dumps(spec_of(own_lab, "byhand")))

    terminal.start(*program, "--spec", str(spec))
    carry_out(terminal, 1)
    terminal.press("F8")
    terminal.wait(r"\b2 of 8  Instances and ports")
    terminal.press("F5")
    for _ in range(2):
        asked = terminal.wait(r"fingerprint +SHA256:")
        terminal.press("y")
        node = "PRep-01" if "PRep-01 shows" in asked else "PRep-02"
        terminal.wait(rf"(?s)\A(?!.*{node} shows a host key)")
    terminal.wait(r"\b2 of 8  Instances and ports  ✓ done")
    terminal.press("F8")
    terminal.wait(r"\b3 of 8  Packages")
    terminal.press("F5")
    terminal.wait(r"apt-get .*install|Unpacking|Setting up|Selecting")
    os.kill(terminal.pid(), signal.SIGKILL)
    wait_until(lambda: not terminal.running(), what="the end of the killed wizard")

    terminal.start(*program)
    terminal.wait(r"(?s)byhand.*interrupted +in stage 3 of 8, Packages")
    terminal.press("Enter")
    terminal.wait(r"F8 goes on with “Packages”")
    terminal.press("F8")
    for number in range(3, 9):
        carry_out(terminal, number)
        terminal.press("F8")

    summary = terminal.wait("byhand: the pair is up")
    assert "now on PRep-01" in summary
    status = parse_crm_mon(own_lab.exec("PRep-02", ["crm_mon", "-X"]).stdout)
    resource = status.resource("elastic-ip")
    assert resource is not None
    assert resource.started_on == "PRep-01"
    assert len(own_lab.instances()) == 2

    terminal.press("s")
    terminal.wait(r"status of byhand(?s:.*)READY (?s:.*) is on PRep-01")
    terminal.press("C-q")
    wait_until(lambda: not terminal.running(), what=lambda: f"the wizard's end:\n{terminal.screen()}")

    # What the summary tells of the end of it all leaves nothing that costs money.
    typed_here("\n".join(told(tmp_path / "state", "byhand", "When you need it no more")))
    ec2 = aws(own_lab, "ec2")
    assert own_lab.instances() == []
    assert ec2.describe_addresses()["Addresses"] == []
    assert [each["GroupName"] for each in ec2.describe_security_groups()["SecurityGroups"]] == ["default"]
