"""What an AWS error code means to an operator, and what to do about it."""

from __future__ import annotations

import re

from iconha_tui.error_codes import Code
from iconha_tui.errors import Cancelled, Trouble

_KEYS = "Check the keys or the profile in the credentials stage."
_SIGN_IN = "Sign in again (`aws sso login --profile NAME`, or new keys in the credentials stage), then retry."
_ELSEWHERE = "Choose another in the instances stage, or its region in the credentials stage."

SENTENCES: dict[str, tuple[str, str]] = {
    "AuthFailure": ("AWS does not accept these credentials.", _KEYS),
    "InvalidClientTokenId": ("AWS does not know this access key.", _KEYS),
    "UnrecognizedClientException": ("AWS does not know this access key.", _KEYS),
    "SignatureDoesNotMatch": ("The secret access key does not belong to the access key.", _KEYS),
    "IncompleteSignature": ("The access key or the secret has a character that cannot be right.", _KEYS),
    "ExpiredToken": ("The session token has expired.", _SIGN_IN),
    "ExpiredTokenException": ("The session token has expired.", _SIGN_IN),
    "RequestExpired": (
        "AWS refuses the request as too old or from the future.",
        "Set this machine's clock right, then retry.",
    ),
    "OptInRequired": (
        "The account has not enabled this region or service.",
        "Enable it in the AWS console, or choose another region.",
    ),
    "AddressLimitExceeded": (
        "The account has no Elastic IP left in this region.",
        "Release one, ask AWS for a higher quota, or choose an existing address in the instances stage.",
    ),
    "InstanceLimitExceeded": (
        "The account's instance quota is used up.",
        "Ask AWS for a higher quota or choose existing instances.",
    ),
    "VcpuLimitExceeded": (
        "The account's vCPU quota is used up.",
        "Ask AWS for a higher quota or choose a smaller type.",
    ),
    "InsufficientInstanceCapacity": (
        "AWS has no such machine free in this zone now.",
        "Choose another type or subnet, or retry later.",
    ),
    "InvalidInstanceID.NotFound": (
        "There is no such instance in this region.",
        _ELSEWHERE,
    ),
    "InvalidInstanceID.Malformed": ("That is not an instance id.", "Choose another in the instances stage."),
    "InvalidAMIID.NotFound": (
        "There is no such image in this region.",
        "Leave the image empty for Canonical's newest.",
    ),
    "InvalidKeyPair.NotFound": (
        "There is no such key pair in this region.",
        _ELSEWHERE,
    ),
    "InvalidSubnetID.NotFound": (
        "There is no such subnet in this region.",
        _ELSEWHERE,
    ),
    "InvalidAllocationID.NotFound": (
        "There is no such Elastic IP in this region.",
        _ELSEWHERE,
    ),
    "InvalidAddress.NotFound": (
        "There is no such Elastic IP in this region.",
        _ELSEWHERE,
    ),
    "InvalidGroup.Duplicate": (
        "There is a security group of that name in the VPC already.",
        "Retry: one that this program has made is found. Another's is not taken: remove it, or give the cluster another name.",
    ),
    "Resource.AlreadyAssociated": (
        "The address, or the machine that is to have it, is associated otherwise already.",
        "Choose the Elastic IP that the machine has in the instances stage, or disassociate it in the AWS console; then retry.",
    ),
    "Unsupported": ("AWS does not offer this type in that zone.", "Choose another instance type or subnet."),
    "RequestLimitExceeded": ("AWS is throttling this account's requests.", "Wait a minute, then retry."),
    "Throttling": ("AWS is throttling this account's requests.", "Wait a minute, then retry."),
}
"""AWS error code -> (what happened, what to do). Codes: EC2 API Reference, "Error codes"; STS "Common errors"."""

CODES: dict[str, Code] = {
    "AuthFailure": Code.AWS_KEYS_REFUSED,
    "InvalidClientTokenId": Code.AWS_KEYS_REFUSED,
    "UnrecognizedClientException": Code.AWS_KEYS_REFUSED,
    "SignatureDoesNotMatch": Code.AWS_KEYS_REFUSED,
    "IncompleteSignature": Code.AWS_KEYS_REFUSED,
    "ExpiredToken": Code.AWS_SESSION_EXPIRED,
    "ExpiredTokenException": Code.AWS_SESSION_EXPIRED,
    "RequestExpired": Code.AWS_CLOCK_WRONG,
    "RequestTimeTooSkewed": Code.AWS_CLOCK_WRONG,
    "AddressLimitExceeded": Code.AWS_QUOTA,
    "InstanceLimitExceeded": Code.AWS_QUOTA,
    "VcpuLimitExceeded": Code.AWS_QUOTA,
    "InsufficientInstanceCapacity": Code.AWS_NO_CAPACITY,
    "InvalidInstanceID.Malformed": Code.AWS_NOT_FOUND,
    "RequestLimitExceeded": Code.AWS_THROTTLED,
    "Throttling": Code.AWS_THROTTLED,
}
"""AWS error code -> ours. Other codes are `.NotFound`, or AWS_ERROR."""

DENIED = {"UnauthorizedOperation", "AccessDenied", "AccessDeniedException"}


def iam_action(service: str, operation: str) -> str:
    """boto3's operation as IAM writes it: ("ec2", "describe_instances") -> ec2:DescribeInstances."""
    return f"{service}:{''.join(word.capitalize() for word in operation.split('_'))}"


class AwsTrouble(Trouble):
    """An error answer of AWS. aws_code: as AWS names it."""

    def __init__(self, aws_code: str, what: str, *, where: str, remedy: str, detail: str) -> None:
        super().__init__(what, code=_code(aws_code), where=where, remedy=remedy, detail=detail)
        self.aws_code = aws_code


def _code(aws_code: str) -> Code:
    if aws_code in DENIED:
        return Code.AWS_DENIED
    return CODES.get(aws_code, Code.AWS_NOT_FOUND if aws_code.endswith(".NotFound") else Code.AWS_ERROR)


def trouble(service: str, operation: str, code: str, message: str) -> AwsTrouble:
    """The Trouble for an error answer of AWS.

    A call can need more permissions than its own (RunInstances with tags: ec2:CreateTags; with a role: iam:PassRole), and its
    message names the one that is missing; so it does the thing that was not found.
    """
    where = iam_action(service, operation)
    if code in DENIED:
        named = re.search(r"is not authorized to perform: ([a-z0-9-]+:\w+)", message)
        action = named[1] if named else where
        what = f"These credentials may not call {where}" + (f": it needs {action}." if action != where else ".")
        remedy = f"Allow {action} in the IAM policy of this user or role, then retry."
        return AwsTrouble(code, what, where="AWS", remedy=remedy, detail=message)
    what, remedy = SENTENCES.get(
        code, (f"AWS answered {code}: {_one_line(message)}", "Mend what it names, then retry.")
    )
    if code.endswith(".NotFound") and (named := re.search(r"'([\w.-]+)'", message)):
        what = f"{what.rstrip('.')}: {named[1]}."
    return AwsTrouble(code, what, where=where, remedy=remedy, detail=message)


def _one_line(message: str) -> str:
    return re.sub(r"\s+", " ", message).strip()[:300]


def ask_nobody(device: str, _cancel: object) -> str:
    """An `engine.ports.AskCode` for where nobody can be asked for an MFA code. Raises Trouble."""
    raise Trouble(
        f"AWS wants the code of the MFA device {device}, and there is no terminal here to ask for it.",
        code=Code.AWS_MFA_CODE,
        where="sts:AssumeRole",
        remedy="Sign in first and put the temporary keys into the environment, or name a profile that needs no MFA code.",
    )


def no_code_given() -> Cancelled:
    """For where the operator was asked for an MFA code, and gave none."""
    return Cancelled(
        "No MFA code was given.", where="sts:AssumeRole", remedy="Start it again with the code of the device at hand."
    )


def wrong_code(code: str) -> str:
    """What is wrong with an MFA code as it was typed; "" where nothing is."""
    return "" if re.fullmatch("[0-9]{6}", code) else "An MFA code has six digits."


def role_refused(code: str, message: str) -> Trouble:
    """For what AWS answers to AssumeRole, which botocore asks in the middle of another call."""
    if code == "AccessDenied" and "MultiFactorAuthentication" in message:
        return Trouble(
            "AWS does not accept this MFA code.",
            code=Code.AWS_MFA_CODE,
            where="sts:AssumeRole",
            remedy="A code is taken once: wait for the next one, of the device that the profile names (mfa_serial), then retry.",
            detail=message,
        )
    return trouble("sts", "assume_role", code, message)
