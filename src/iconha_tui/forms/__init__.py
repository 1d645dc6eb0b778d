"""The settings of the stages, a module a stage. FORMS is the one place that knows which form belongs to which stage."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from iconha_tui.forms import authkey, awscli, corosync, credentials, elastic_ip, instances, pacemaker, packages
from iconha_tui.widgets.form import Form

FORMS: Mapping[str, Callable[[], Form]] = {
    "credentials": credentials.form,
    "instances": instances.form,
    "packages": packages.form,
    "authkey": authkey.form,
    "corosync": corosync.form,
    "pacemaker": pacemaker.form,
    "awscli": awscli.form,
    "elastic_ip": elastic_ip.form,
}
"""What builds the form of a stage, by the stage's name."""
