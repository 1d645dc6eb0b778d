"""The settings of the AWS CLI stage: none of its own; it shows what goes where."""

from __future__ import annotations

from iconha_tui.stages.credentials import STAGE as CREDENTIALS
from iconha_tui.widgets.form import Form
from iconha_tui.widgets.hanging import Row
from iconha_tui.widgets.note import Note, Table
from iconha_tui.widgets.outlook import Outlook


def _source(outlook: Outlook) -> str:
    spec = outlook.spec
    if spec.awscli.credentials == "role":
        return "Both machines use the role that their instances have; no key is written."
    source = f"of your profile {spec.awscli.profile}" if spec.awscli.profile else "typed in, or from the environment"
    return f"Both machines get root's own keys ({source}). They are chosen in “{CREDENTIALS.title}”, with the region."


def _places(outlook: Outlook) -> list[Row]:
    """What goes where, on both machines."""
    spec = outlook.spec
    rows: list[Row] = [("/root/.aws/config       ", f"[default] with the region {spec.aws.region}, root's alone")]
    if spec.awscli.credentials == "keys":
        rows.append(("/root/.aws/credentials  ", "the access key and its secret, root's alone, by upload"))
    rows.append(
        ("systemd drop-in         ", f"AWS_DEFAULT_REGION={spec.aws.region} for Pacemaker, which is then restarted")
    )
    return rows


def form() -> Form:
    return Form(Note(_source), Table("What goes where", _places))
