"""Known causes, each found in the very words of the programs that fail; and not found where they are not."""

from __future__ import annotations

import pytest
from botocore.exceptions import BotoCoreError, EndpointConnectionError, SSLError
from stage_world import ONE

from iconha_tui.causes import KNOWN, OURS, Cause, cause_of
from iconha_tui.cli import STAGE_NAMES
from iconha_tui.cloud.client import _unreached
from iconha_tui.cloud.sentences import trouble as aws
from iconha_tui.error_codes import Code
from iconha_tui.errors import Trouble
from iconha_tui.remote.connection import Endpoint, LoginRefused, _dial_trouble
from iconha_tui.remote.host_keys import HostKeyRejected
from iconha_tui.remote.shell import not_started
from iconha_tui.spec import Spec
from iconha_tui.widgets.form import value_at

# What the programs say, as seen on machines or in reports; addresses and names replaced.
SAID = {
    "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 2448 (unattended-upgr)\n"
    "E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), is another process using it?": (
        "Another package manager"
    ),
    "apt is in use still: process 607 (unattended-upgrade) holds /var/lib/apt/lists/lock.\nRemoved it.": (
        "at work on the node: process 607 (unattended-upgrade) holds /var/lib/apt/lists/lock."
    ),
    "iconha-start: 24: echo: echo: I/O error": "file system of the node is full",
    "Reading state information...\nE: Unable to locate package aws-cli": "no package of that name",
    "E: Package 'crmsh' has no installation candidate": "no package of that name",
    "E: You don't have enough free space in /var/cache/apt/archives/.": "file system of the node is full",
    "dpkg: error processing archive /var/cache/apt/archives/pacemaker_2.1.5_amd64.deb (--unpack):\n"
    " cannot copy extracted data for './usr/sbin/pacemakerd': failed to write (No space left on device)\n"
    "E: Sub-process /usr/bin/dpkg returned an error code (1)": "file system of the node is full",
    "sudo: a password is required": "may not run commands as root without a password",
    "sudo: a terminal is required to read the password; either use the -S option": "may not run commands as root",
    "Err:1 http://archive.example/ubuntu jammy InRelease\n  Temporary failure resolving 'archive.example'": (
        "cannot turn names into addresses"
    ),
    "W: Failed to fetch http://archive.example.invalid/dists/jammy/InRelease  "
    "Could not resolve 'archive.example.invalid'": "cannot turn names into addresses",
    "E: Failed to fetch http://archive.example/ubuntu/dists/jammy/main/binary-amd64/Packages.xz  Hash Sum mismatch": (
        "being updated while it was read"
    ),
    "W: Failed to fetch http://127.0.0.1:9/ubuntu/dists/jammy/InRelease  Could not connect to 127.0.0.1:9 (127.0.0.1). "
    "- connect (111: Connection refused)": "refuses connections",
    "W: Failed to fetch http://archive.example/ubuntu/dists/jammy/InRelease  Connection timed out [IP: 203.0.113.9 80]": (
        "does not reach its package archive"
    ),
    "W: Failed to fetch https://archive.example.com/dists/jammy/InRelease  Certificate verification failed: The certificate "
    "is NOT trusted. The certificate chain uses not yet valid certificate.  Could not handshake": "The node's clock is wrong",
    "W: Failed to fetch https://archive.example.com/dists/jammy/InRelease  Certificate verification failed: The certificate "
    "is NOT trusted. The certificate issuer is unknown.  Could not handshake": "does not trust the certificate",
    "curl: (60) SSL certificate problem: certificate has expired": "The node's clock is wrong",
    "SSL validation failed for https://ec2.us-east-1.amazonaws.com/ [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify "
    "failed: certificate is not yet valid (_ssl.c:992)": "The node's clock is wrong",
    "SSL validation failed for https://ec2.us-east-1.amazonaws.com/ [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify "
    "failed: unable to get local issuer certificate (_ssl.c:992)": "does not trust the certificate",
    "E: The repository 'http://archive.example/ubuntu lunar Release' no longer has a Release file.": "does not serve",
    "E: Release file for http://archive.example/ubuntu/dists/jammy-updates/InRelease is not valid yet "
    "(invalid for another 3h 12min 4s). Updates for this repository will not be applied.": "clock is wrong",
    "E: dpkg was interrupted, you must manually run 'sudo dpkg --configure -a' to correct the problem.": "cut off half-way",
    "E: Unable to correct problems, you have held broken packages.": "in each other's way",
    "Errors were encountered while processing:\n pacemaker\nE: Sub-process /usr/bin/dpkg returned an error code (1)": (
        "The package pacemaker cannot be installed"
    ),
    "E: Sub-process /usr/bin/dpkg returned an error code (2)": "own installation script",
    "ubuntu@198.51.100.7: Permission denied (publickey).": "knows none of the keys",
    "DescribeAddresses: refused: An error occurred (UnauthorizedOperation) when calling the DescribeAddresses operation: "
    "You are not authorized to perform this operation.": "does not allow DescribeAddresses.",
    "AssociateAddress: refused: An error occurred (UnauthorizedOperation) when calling the AssociateAddress operation: "
    "You are not authorized.\nRefused: ec2:AssociateAddress": "does not allow ec2:AssociateAddress.",
    "An error occurred (RequestLimitExceeded) when calling the DescribeInstances operation (reached max retries: 1): "
    "Request limit exceeded.": "throttling",
    "An error occurred (SignatureDoesNotMatch) when calling the GetCallerIdentity operation: Signature expired: "
    "20261123T150000Z is now earlier than 20261123T154500Z": "The node's clock is more than five minutes off",
    "An error occurred (ExpiredToken) when calling the DescribeInstances operation: The provided token has expired.": (
        "have expired"
    ),
    "An error occurred (RequestExpired) when calling the DescribeInstances operation: Request has expired.": "clock",
    "An error occurred (AuthFailure) when calling the DescribeInstances operation: AWS was not able to validate the "
    "provided access credentials": "does not know the keys on the node",
    'Unable to locate credentials. You can configure credentials by running "aws configure".': "neither keys nor a role",
    "The config profile (default) could not be found": "no such section",
    'You must specify a region. You can also configure your region by running "aws configure".': "no region",
    'Could not connect to the endpoint URL: "https://ec2.us-east-1.amazonaws.com/"': "does not reach the EC2 API",
    "parser error: /etc/corosync/.corosync.conf.iconha-1f:2: Missing closing brace": "does not accept the file",
    "parse error in config: Unknown transport type": "does not accept the file",
    "stat: cannot statx '/etc/corosync/authkey'\nsha256sum: /etc/corosync/authkey: No such file or directory": (
        "file that an earlier stage puts there"
    ),
    "Job for corosync.service failed because the control process exited with error code.": "Corosync did not start",
    "A dependency job for pacemaker.service failed. See 'journalctl -xe' for details.": "needs Corosync",
    "Failed to start corosync.service: Unit corosync.service is masked.": "masked",
    "ERROR: ocf:heartbeat:awseip: got no meta-data, does this RA exist?": "resource-agents-extra",
    "Could not connect to the CIB: No such device or address\nInit failed, could not perform requested operations": (
        "Pacemaker does not answer"
    ),
    "sh: 1: crm: not found": "program is not there",
    "bash: line 1: pcs: command not found": "program is not there",
}


def unreached(error: BotoCoreError) -> Trouble:
    return _unreached("ec2", "us-east-9", error)


def dialled(error: OSError) -> Trouble:
    return _dial_trouble(ONE, Endpoint("203.0.113.4", 22, "i-1"), error, 15)


@pytest.mark.parametrize(("said", "why"), SAID.items(), ids=[text[:40] for text in SAID])
def test_the_programs_own_words_are_explained(said: str, why: str) -> None:
    cause = cause_of(Code.COMMAND_FAILED, "The command ended with exit code 100.", said)
    assert cause is not None
    assert why in cause.why


@pytest.mark.parametrize(
    ("trouble", "why", "field"),
    [
        (aws("ec2", "describe_instances", "RequestExpired", ""), "The clock of this machine", ""),
        (
            aws("ec2", "describe_instances", "InvalidClientTokenId", ""),
            "The keys that this machine signs in",
            "aws.profile",
        ),
        (aws("sts", "get_caller_identity", "ExpiredToken", ""), "A sign-in to AWS lasts some hours", "aws.profile"),
        (unreached(EndpointConnectionError(endpoint_url="https://x")), "no way from this machine", "aws.region"),
        (unreached(SSLError(endpoint_url="x", error="certificate has expired")), "The clock of this machine", ""),
        (not_started(ONE, "ubuntu", True, "sudo: a password is required"), "may not run commands as root", "ssh.user"),
        (LoginRefused("No.", where=ONE), "knows none of the keys", "ssh.key_file"),
        (dialled(TimeoutError()), "Packets to the node get lost", "instances.ssh_cidr"),
        (HostKeyRejected("Another.", where=ONE), "Another machine than the one", ""),
    ],
    ids=lambda value: value.code if isinstance(value, Trouble) else "",
)
def test_an_error_of_this_program_is_explained_by_its_code_whatever_it_says(
    trouble: Trouble, why: str, field: str
) -> None:
    cause = cause_of(trouble.code, "Other words.", "No space left on device")
    assert cause is not None
    assert why in cause.why
    assert cause.field == field


@pytest.mark.parametrize(
    "said",
    [
        "",
        "The command ended with exit code 1.",
        "Setting up corosync (3.1.7-1) ...\nProcessing triggers for man-db (2.10.2-1) ...",
        "warning: Blind faith: not fencing unseen nodes",
        "The connection was lost while `apt-get` was running; it may have run to its end.",
    ],
)
def test_nothing_is_made_up_where_nothing_is_known(said: str) -> None:
    assert cause_of("", said) is None


@pytest.mark.parametrize("cause", [*OURS.values(), *KNOWN.values()], ids=lambda cause: cause.why[:40])
def test_a_cause_is_a_sentence_and_its_setting_exists(cause: Cause) -> None:
    assert cause.why.endswith(".")
    assert not cause.remedy or cause.remedy.endswith(".")
    assert len(cause.why) <= 160, "two or three lines of 80 columns"
    assert len(cause.remedy) <= 260, "four lines of 80 columns"
    assert not cause.stage or cause.stage in STAGE_NAMES
    if cause.field:
        value_at(Spec().model_dump(mode="json"), cause.field)
