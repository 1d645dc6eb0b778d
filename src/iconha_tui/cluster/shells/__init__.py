"""The cluster shells: what configures a cluster from the command line. Each is an object of a file of its own.

To add one, write its file and enter it in SHELLS. Nothing else branches on a shell's name.
"""

from __future__ import annotations

from collections.abc import Mapping

from iconha_tui.cluster.shells.crm import Crm
from iconha_tui.cluster.shells.pcs import Pcs
from iconha_tui.cluster.shells.protocol import ClusterShell

GUIDE_SHELL: ClusterShell = Crm()
"""The shell of the guide's own commands."""

SHELLS: Mapping[str, ClusterShell] = {shell.name: shell for shell in (GUIDE_SHELL, Pcs())}
"""The shells by the name that stands in a spec."""
