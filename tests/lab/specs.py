"""The specs of the clusters that the tests build."""

from __future__ import annotations

from iconha_tui.lab.lab import Lab
from iconha_tui.spec import Spec, loads

MONITOR = "60s"
"""Between two of Pacemaker's looks at the address. Each is a call of the AWS CLI, a second of CPU time; at the guide's 10 s they
would be a fifth of what all tests take together."""


def spec_of(lab: Lab, name: str, shell: str = "crm", credentials: str = "keys") -> Spec:
    """A spec as the lab proposes it, with a monitor that is asked for less often."""
    proposed = loads(lab.spec(name=name, shell=shell, credentials=credentials))
    monitor = proposed.elastic_ip.monitor.model_copy(update={"interval": MONITOR})
    return proposed.model_copy(update={"elastic_ip": proposed.elastic_ip.model_copy(update={"monitor": monitor})})
