"""The settings of the instances stage: two machines to launch, or two that exist."""

from __future__ import annotations

from iconha_tui.stages.credentials import STAGE as CREDENTIALS
from iconha_tui.widgets.choices import Option
from iconha_tui.widgets.fields import ChoiceField, Heading, TextField, Values
from iconha_tui.widgets.form import Form


def _launch(values: Values) -> bool:
    return bool(values["instances.mode"] == "launch")


def _existing(values: Values) -> bool:
    return bool(values["instances.mode"] == "existing")


def form() -> Form:
    return Form(
        ChoiceField(
            "instances.mode",
            "The machines",
            [
                Option(
                    "launch", "launch two", "Two new instances, tagged with the cluster's name. AWS charges for them."
                ),
                Option("existing", "use two that exist", "F6 in the fields below lists what is there."),
            ],
        ),
        TextField(
            "nodes.0.name", "Active node's name", example="PRep-01", hint="It holds the Elastic IP at the start."
        ),
        TextField(
            "nodes.0.instance_id", "  its instance", example="i-0123456789abcdef0", source="instances", when=_existing
        ),
        TextField("nodes.1.name", "Passive node's name", example="PRep-02"),
        TextField(
            "nodes.1.instance_id", "  its instance", example="i-0123456789abcdef0", source="instances", when=_existing
        ),
        ChoiceField(
            "instances.ubuntu",
            "Ubuntu",
            [
                Option("18.04", "18.04", "As in the guide, out of support since 2023. Corosync 2.4."),
                Option("20.04", "20.04", "Corosync 3.0."),
                Option("22.04", "22.04", "Corosync 3.1, awscli in apt."),
                Option("24.04", "24.04", "Corosync 3.1; the AWS CLI comes into /opt/iconha, for apt has none."),
            ],
            when=_launch,
        ),
        TextField("instances.image", "Image", example="the newest of that Ubuntu by Canonical", when=_launch),
        TextField("instances.instance_type", "Instance type", example="t3.medium", when=_launch),
        TextField(
            "instances.instance_profile",
            "Instance profile",
            example="none",
            hint=f"The role that the machines get, where “{CREDENTIALS.title}” says that they use one.",
            when=_launch,
        ),
        TextField("instances.volume_gib", "Disk (GiB)", example="100", short=True, when=_launch),
        TextField(
            "instances.key_pair",
            "Key pair",
            source="key_pairs",
            hint="Its private half is the key file of the credentials stage.",
            when=_launch,
        ),
        TextField(
            "instances.subnet_ids",
            "Subnets",
            example="the default VPC's first",
            source="subnets",
            separated=True,
            hint="One for both, or two with a comma between: two zones outlive the loss of one.",
            when=_launch,
        ),
        Heading("Network"),
        TextField(
            "instances.ssh_cidr",
            "SSH allowed from",
            example="203.0.113.7/32",
            hint="Your own address is safer than 0.0.0.0/0, which is everyone.",
        ),
        TextField(
            "instances.allocation_id",
            "Elastic IP",
            example="a new one is allocated",
            source="addresses",
            hint="The address that will follow the active node.",
        ),
    )
