"""The settings of the AWS CLI stage: none of its own; it shows what goes where."""

from __future__ import annotations

from iconha_tui.widgets.form import Form
from iconha_tui.widgets.note import Note
from iconha_tui.widgets.outlook import Outlook


def _places(outlook: Outlook) -> str:
    spec = outlook.spec
    region = f"Region      {spec.aws.region}, for the agent and for Pacemaker (a systemd drop-in)"
    if spec.awscli.credentials == "role":
        return (
            "Both machines use the role that their instances have.\n\n"
            "/root/.aws/config        [default] with the region; no key is written\n" + region
        )
    source = f"profile {spec.awscli.profile}" if spec.awscli.profile else "typed in, or from the environment"
    return (
        f"Both machines get root's own keys ({source}).\n\n"
        "/root/.aws/credentials   the access key and its secret, root:root 0600, by upload\n"
        "/root/.aws/config        [default] with the region, root:root 0600\n" + region
    )


def form() -> Form:
    return Form(
        Note(_places),
        Note(lambda _: "These are chosen in the credentials stage. F3 shows every file and command."),
    )
