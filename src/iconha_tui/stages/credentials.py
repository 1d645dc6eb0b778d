"""Credentials: who the operator is to AWS, and what the nodes will be. Nothing is changed here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from iconha_tui.engine.step import AWS, Blocked, CheckStep, Context, Done, Stage, Verdict, View
from iconha_tui.error_codes import Code
from iconha_tui.errors import Cancelled, Trouble


class Identity(CheckStep):
    id = "credentials.identity"
    title = "AWS knows you"
    vital = "Without credentials that AWS accepts nothing after it can be done."
    usual = 0.2
    guide = "aws configure"
    departs = "Your own profile, SSO or role is used; keys that you type in stay in memory and are never saved."

    def targets(self, view: View) -> Sequence[str]:
        return [AWS]

    def probe(self, ctx: Context, target: str) -> Verdict:
        who = ctx.cloud.call("sts", "get_caller_identity")
        return Done(f"account {who['Account']}, {who['Arn']}", {"account": who["Account"], "identity": who["Arn"]})


class Region(CheckStep):
    id = "credentials.region"
    title = "The region answers"
    skip = "A region that is wrong or not enabled then shows itself in the next stage, at its first call."
    usual = 0.2

    def targets(self, view: View) -> Sequence[str]:
        return [AWS]

    def probe(self, ctx: Context, target: str) -> Verdict:
        region = ctx.spec.aws.region
        zones = ctx.cloud.call("ec2", "describe_availability_zones")["AvailabilityZones"]
        names = [zone["ZoneName"] for zone in zones if zone.get("State", "available") == "available"]
        if not names:
            return Blocked(f"{region} has no zone that this account can use.", "Choose another region.")
        return Done(f"{region}: {', '.join(names)}", {"zones": names})


class SshKey(CheckStep):
    id = "credentials.ssh"
    title = "Your SSH key is there"
    vital = "Every stage after this one signs in to the machines with it."
    usual = 0.0

    def targets(self, view: View) -> Sequence[str]:
        return ["ssh"]

    def probe(self, ctx: Context, target: str) -> Verdict:
        if not ctx.spec.ssh.key_file:
            return Done("the SSH agent and your default keys will be tried")
        path = Path(ctx.spec.ssh.key_file).expanduser()
        try:
            with path.open("rb") as file:
                file.read(1)
        except OSError as error:
            return Blocked(
                f"The key file {path} cannot be read: {error.strerror}.", "Name another in the credentials stage."
            )
        return Done(str(path))


class NodeCredentials(CheckStep):
    """Wrong keys on the standby stay hidden until the failover (facts on awseip), so they are tried before anything is built."""

    id = "credentials.nodes"
    title = "What the nodes will use for AWS is valid"
    skip = (
        "Keys that are wrong then show themselves in the AWS CLI stage, when the machines run and cost money already."
    )
    usual = 0.2

    def targets(self, view: View) -> Sequence[str]:
        return [AWS]

    def probe(self, ctx: Context, target: str) -> Verdict:
        if ctx.spec.awscli.credentials == "role":
            return Done("the role that the instances have; each node proves it in the AWS CLI stage")
        cloud = ctx.node_cloud()
        if not (ctx.vault.has("node_access_key_id") and ctx.vault.has("node_secret_access_key")):
            return Blocked(
                "The keys for the nodes are not known.",
                "Type them in, name a profile that has them (awscli.profile), set ICONHA_NODE_ACCESS_KEY_ID and "
                "ICONHA_NODE_SECRET_ACCESS_KEY, or choose the instances' role.",
            )
        try:
            who = cloud.call("sts", "get_caller_identity")
        except Cancelled:
            raise
        except Trouble as trouble:
            refused = trouble.code in (Code.AWS_KEYS_REFUSED, Code.AWS_SESSION_EXPIRED)
            raise Trouble(
                f"With the nodes' keys: {trouble.what}",
                code=Code.NODE_KEYS_REFUSED if refused else trouble.code,
                where=trouble.where,
                remedy=trouble.remedy,
                detail=trouble.detail,
            ) from trouble
        return Done(f"keys of {who['Arn']}")


STAGE = Stage(
    name="credentials",
    title="Credentials",
    summary=(
        "The program signs in to AWS as you, with your own profile, and checks at once who you are and that the region answers. "
        "It also settles how it reaches the machines over SSH, and what the machines themselves will use to move the Elastic IP. "
        "Nothing is changed in this stage."
    ),
    steps=(Identity(), Region(), SshKey(), NodeCredentials()),
)
