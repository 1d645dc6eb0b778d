"""The settings of the credentials stage: AWS, SSH, and what the machines will use."""

from __future__ import annotations

from iconha_tui.session import KEY_PASSPHRASE, NODE_KEYS, OPERATOR_KEYS
from iconha_tui.widgets.choices import Option
from iconha_tui.widgets.fields import ChoiceField, Heading, SecretField, TextField, Values
from iconha_tui.widgets.form import Form


def _keys(values: Values) -> bool:
    return bool(values["awscli.credentials"] == "keys")


def _typed_keys(values: Values) -> bool:
    return _keys(values) and not values["awscli.profile"]


def form() -> Form:
    key_id, secret_key, token = OPERATOR_KEYS
    node_key_id, node_secret_key = NODE_KEYS
    return Form(
        Heading("How this program signs in to AWS"),
        TextField(
            "aws.region",
            "Region",
            example="ap-northeast-2",
            source="regions",
            hint="Where the machines are; the nearest to your peers. F6 asks AWS, with the profile below.",
        ),
        TextField(
            "aws.profile",
            "Profile",
            example="default chain",
            source="profiles",
            hint="Empty: environment, the default profile, SSO or a role, in the order of the AWS tools.",
        ),
        TextField("aws.config_file", "Config file", example="~/.aws/config"),
        SecretField(
            key_id, "Access key id", hint="Only to type a key here. It stays in memory and is written nowhere."
        ),
        SecretField(secret_key, "Secret access key"),
        SecretField(token, "Session token"),
        Heading("How it reaches the machines"),
        TextField("ssh.user", "SSH user", example="ubuntu"),
        TextField(
            "ssh.key_file",
            "Private key file",
            example="agent and default keys",
            source="private_keys",
            hint="Empty: the agent, then ~/.ssh.",
        ),
        SecretField(KEY_PASSPHRASE, "Key's passphrase", hint="Only where the key file has one."),
        TextField("ssh.port", "SSH port", example="22", short=True),
        ChoiceField(
            "ssh.address",
            "Address",
            [
                Option("public", "public", "The machines' public addresses."),
                Option("private", "private", "From inside the VPC or over a VPN."),
            ],
        ),
        Heading("What the machines use to move the Elastic IP"),
        ChoiceField(
            "awscli.credentials",
            "Their credentials",
            [
                Option(
                    "keys", "keys", "Root on both machines gets an access key, in a file of mode 0600, as in the guide."
                ),
                Option("role", "instance role", "The machines have a role already; no key lies on them."),
            ],
        ),
        TextField(
            "awscli.profile",
            "Keys of profile",
            example="typed below",
            source="profiles",
            hint="A profile of yours whose keys they get; better one that may only move addresses.",
            when=_keys,
        ),
        SecretField(
            node_key_id,
            "Their key id",
            hint="Empty: ICONHA_NODE_ACCESS_KEY_ID and ICONHA_NODE_SECRET_ACCESS_KEY of the environment.",
            when=_typed_keys,
        ),
        SecretField(node_secret_key, "Their secret key", when=_typed_keys),
    )
