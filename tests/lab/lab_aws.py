"""AWS, as a lab's operator or its nodes speak to it."""

from __future__ import annotations

from functools import cache
from typing import Any

from waiting import BOUND

from iconha_tui.lab.lab import Lab


def aws(lab: Lab, service: str, profile: str = "lab") -> Any:
    """A boto3 client as the operator (`lab`) or as a node (`lab-nodes`) would make it."""
    return _client(str(lab.aws_config_file), lab.aws_config_file.read_text(), service, profile)


@cache
def _client(file: str, _content: str, service: str, profile: str) -> Any:
    """To make one takes a quarter of a second of CPU time."""
    import boto3
    import botocore.config
    import botocore.session

    core = botocore.session.Session(profile=profile)
    core.set_config_variable("config_file", file)
    config = botocore.config.Config(retries={"max_attempts": 1}, connect_timeout=BOUND, read_timeout=BOUND)
    make: Any = boto3.Session(botocore_session=core).client
    return make(service, config=config)


def keys(lab: Lab, profile: str) -> tuple[str, str]:
    """The access key and the secret key of a profile."""
    import botocore.session

    core = botocore.session.Session(profile=profile)
    core.set_config_variable("config_file", str(lab.aws_config_file))
    found: Any = core.get_credentials()
    return found.access_key, found.secret_key
