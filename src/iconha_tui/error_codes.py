"""The codes of this program's errors: what a caller decides by, and what `--json` carries. docs/errors.md is made of them."""

from __future__ import annotations

from enum import StrEnum


class Code(StrEnum):
    """One kind of error. meaning: what has happened, as one sentence. remedy: what to do in general; the error itself knows more.

    A value is for programs and files, and never changes its meaning; the sentences are for people.
    """

    meaning: str
    remedy: str

    def __new__(cls, value: str, meaning: str, remedy: str) -> Code:
        """A member is its value; it has its sentences beside it."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        member.remedy = remedy
        return member

    # The command line, files of this machine
    UNFORESEEN = (
        "unforeseen",
        "The program met an error that it does not handle.",
        "Retry. If it stays, pack the log with `iconha-tui report` and report the error.",
    )
    USAGE = (
        "usage",
        "The command was given an argument that it cannot work with.",
        "Correct the command line; its help page describes it.",
    )
    NOT_CONFIRMED = (
        "not_confirmed",
        "A run without a terminal can ask nobody for confirmation.",
        "Read the plan first, then add --yes.",
    )
    CANCELLED = (
        "cancelled",
        "The operator stopped it.",
        "Run it again: it continues from where things stand.",
    )
    CLUSTER_UNKNOWN = (
        "cluster_unknown",
        "There is no saved cluster of that name.",
        "`iconha-tui where` lists the saved clusters.",
    )
    CLUSTER_LOCKED = (
        "cluster_locked",
        "Another run or another wizard holds the cluster.",
        "Wait until it has ended, or close it.",
    )
    TAG_TAKEN = (
        "tag_taken",
        "Another saved cluster has the same tag on AWS.",
        "Give one of them another name.",
    )
    NAME_TAKEN = (
        "name_taken",
        "A file or folder of that name exists already.",
        "Choose another name.",
    )
    FILE_UNUSABLE = (
        "file_unusable",
        "A file or folder of this machine cannot be read or written.",
        "Correct its permissions, or make room on the disk.",
    )
    FORMAT_NEWER = (
        "format_newer",
        "A newer version of this program wrote the file.",
        "Update iconha-tui.",
    )
    SPEC_UNREADABLE = (
        "spec_unreadable",
        "The spec file cannot be read, is no TOML, or has been cut short.",
        "Restore the file from a copy, or name another.",
    )
    SPEC_INVALID = (
        "spec_invalid",
        "The spec has a value that is not valid, or lacks one.",
        "Correct the fields that the message names.",
    )
    # AWS, as this machine reaches it
    AWS_PROFILE_UNKNOWN = (
        "aws_profile_unknown",
        "The AWS profile does not exist.",
        "Choose another profile in the credentials stage, or add it to the AWS config file.",
    )
    AWS_PROFILE_UNUSABLE = (
        "aws_profile_unusable",
        "The AWS profile has no keys that can be used for this purpose, or the AWS config file is damaged.",
        "Choose another profile in the credentials stage, or correct the file.",
    )
    AWS_MFA_CODE = (
        "aws_mfa_code",
        "The AWS profile needs the code of an MFA device: nobody could be asked for one, or AWS does not accept it.",
        "Start it again on a terminal with the device at hand, or name a profile that needs no code.",
    )
    AWS_KEYS_MISSING = (
        "aws_keys_missing",
        "No AWS credentials were found.",
        "Name a profile or type keys in the credentials stage, or set AWS_PROFILE.",
    )
    AWS_KEYS_REFUSED = (
        "aws_keys_refused",
        "AWS does not accept the keys that this machine signs in with.",
        "Choose another profile, or type the keys again, in the credentials stage.",
    )
    AWS_SESSION_EXPIRED = (
        "aws_session_expired",
        "The sign-in to AWS has expired.",
        "Sign in again with the AWS CLI, or type new keys in the credentials stage.",
    )
    AWS_CLOCK_WRONG = (
        "aws_clock_wrong",
        "AWS refuses the request because the clock of this machine is wrong.",
        "Set the clock of this machine, then retry.",
    )
    AWS_DENIED = (
        "aws_denied",
        "The IAM policy of this user or role does not allow the call.",
        "Allow the action that the message names, then retry.",
    )
    AWS_QUOTA = (
        "aws_quota",
        "A quota of the AWS account is used up.",
        "Ask AWS for a higher quota, or choose what exists already.",
    )
    AWS_NO_CAPACITY = (
        "aws_no_capacity",
        "AWS has no such machine available in this zone.",
        "Choose another instance type or subnet, or retry later.",
    )
    AWS_NOT_FOUND = (
        "aws_not_found",
        "The resource does not exist in this region.",
        "Choose another in the instances stage, or its region in the credentials stage.",
    )
    AWS_THROTTLED = (
        "aws_throttled",
        "AWS is throttling the requests of this account.",
        "Wait a minute, then retry.",
    )
    AWS_REGION_MISSING = (
        "aws_region_missing",
        "No AWS region is set.",
        "Choose a region in the credentials stage.",
    )
    AWS_UNREACHABLE = (
        "aws_unreachable",
        "The API of the region does not answer.",
        "Check the name of the region and the network of this machine, then retry.",
    )
    AWS_CERTIFICATE_DATE = (
        "aws_certificate_date",
        "The certificate of the API is not valid yet, or has expired.",
        "Set the clock of this machine, or correct the proxy in between; then retry.",
    )
    AWS_CERTIFICATE_UNTRUSTED = (
        "aws_certificate_untrusted",
        "This machine does not trust the certificate of the API.",
        "Check the CA certificates of this machine (AWS_CA_BUNDLE) and any proxy in between.",
    )
    AWS_IMPOSTOR = (
        "aws_impostor",
        "What answers in place of the API is not AWS.",
        "Check the name of the region, and whether a proxy or the DNS of this network answers in its place.",
    )
    AWS_ERROR = (
        "aws_error",
        "AWS answered with another error.",
        "Correct what the message names, then retry.",
    )
    NODE_KEYS_REFUSED = (
        "node_keys_refused",
        "AWS does not accept the keys that the nodes are to use.",
        "Choose another profile for the nodes, or type their keys again, in the credentials stage.",
    )
    # SSH
    SSH_KEY_MISSING = (
        "ssh_key_missing",
        "There is no SSH key to sign in with.",
        "Name a key file in the credentials stage, or load the key with `ssh-add`.",
    )
    SSH_KEY_UNUSABLE = (
        "ssh_key_unusable",
        "The SSH key file cannot be used.",
        "Name the private key of the instance's key pair, readable by you alone.",
    )
    SSH_PASSPHRASE = (
        "ssh_passphrase",
        "The SSH key file needs a passphrase, or another one.",
        "Give the passphrase, or load the key with `ssh-add`.",
    )
    SSH_LOGIN_REFUSED = (
        "ssh_login_refused",
        "The SSH server of the node refused the login.",
        "Check the user and the key in the credentials stage.",
    )
    SSH_HANDSHAKE = (
        "ssh_handshake",
        "What answers at the SSH port does not complete an SSH handshake.",
        "Check the port and the SSH server of the node, then retry.",
    )
    HOST_KEY_CHANGED = (
        "host_key_changed",
        "The node shows another SSH host key than before.",
        "Compare it with the console output of the instance before you forget the old key.",
    )
    HOST_KEY_NOT_ACCEPTED = (
        "host_key_not_accepted",
        "The operator did not accept the SSH host key of the node.",
        "Compare it with the console output of the instance, then connect again and accept it.",
    )
    KNOWN_HOSTS_UNUSABLE = (
        "known_hosts_unusable",
        "The file with the accepted SSH host keys cannot be used.",
        "Restore the file, or move it away to be asked about each node again.",
    )
    ADDRESS_UNRESOLVED = (
        "address_unresolved",
        "The address of the node cannot be resolved.",
        "Check the address and the DNS of this machine.",
    )
    ADDRESS_UNKNOWN = (
        "address_unknown",
        "The node has no address of the kind that the spec asks for.",
        "Choose the other kind of address in the credentials stage, or give the node one.",
    )
    SSH_TIMEOUT = (
        "ssh_timeout",
        "The SSH port of the node did not answer in time.",
        "Check that the instance is running and that its security group allows tcp 22 from here.",
    )
    SSH_REFUSED = (
        "ssh_refused",
        "The node refused the connection to its SSH port.",
        "Wait until the instance has booted; otherwise check its SSH server and port.",
    )
    NODE_UNREACHABLE = (
        "node_unreachable",
        "There is no SSH connection to the node.",
        "Check the network and the instance, then retry.",
    )
    CONNECTION_LOST = (
        "connection_lost",
        "The SSH connection broke while a command was running.",
        "Run it again: what is done already is recognised and not repeated.",
    )
    # What a node says
    INSTANCE_NOT_RUNNING = (
        "instance_not_running",
        "The instance is not running, or EC2 does not know it.",
        "Start the instance.",
    )
    SUDO_MISSING = (
        "sudo_missing",
        "There is no sudo on the node.",
        "Install the package sudo, and allow the user to use it.",
    )
    SUDO_REFUSED = (
        "sudo_refused",
        "The user on the node may not run commands as root without a password.",
        "Allow it in /etc/sudoers.d, or sign in as a user who may.",
    )
    LOGIN_SHELL = (
        "login_shell",
        "The login shell of the user did not run the command.",
        "Sign in as that user by hand, and see what stands in the way.",
    )
    NODE_FILE = (
        "node_file",
        "A file on the node cannot be read or written.",
        "Look at the file and the disk of the node.",
    )
    NODE_FILE_REFUSED = (
        "node_file_refused",
        "The check of a new file failed on the node; the old file stands.",
        "Correct what the output names, then retry.",
    )
    NODE_ANSWER = (
        "node_answer",
        "What the node answered cannot be understood.",
        "Look at the node, then retry.",
    )
    NODE_CLOCK = (
        "node_clock",
        "The clocks of the node and of this machine differ.",
        "Set the clock that is wrong.",
    )
    NODE_DISK = (
        "node_disk",
        "A file system of the node has too little room.",
        "Free some space, or enlarge the volume.",
    )
    PACKAGE_ARCHIVE = (
        "package_archive",
        "The node does not reach a package archive of its list, or has none.",
        "Check the node's way out, its DNS and /etc/apt/sources.list.",
    )
    PACKAGE_UNKNOWN = (
        "package_unknown",
        "The package lists of the node do not have a package that is needed.",
        "Enable the component “universe” on Ubuntu, or choose another shell or release.",
    )
    APT_BUSY = (
        "apt_busy",
        "Another package manager is at work on the node, or was interrupted there.",
        "Wait: a run waits for it, or finishes what was interrupted.",
    )
    API_UNREACHABLE = (
        "api_unreachable",
        "The node does not reach the EC2 API.",
        "Give its subnet a route out, and allow it in its security group.",
    )
    PORT_TAKEN = (
        "port_taken",
        "Another program on the node holds the port of Corosync.",
        "End that program, or choose another port in the corosync stage.",
    )
    HOST_NAMES_EQUAL = (
        "host_names_equal",
        "Both nodes have the same host name.",
        "Give one of them another host name.",
    )
    CLUSTER_FOREIGN = (
        "cluster_foreign",
        "The node has a cluster or a corosync.conf that is not of this spec.",
        "Take that cluster down first, or allow the replacement in the corosync stage.",
    )
    ARGUMENT_INVALID = (
        "argument_invalid",
        "A value cannot be part of a command or a path.",
        "Correct the value that the message names.",
    )
    COMMAND_FAILED = (
        "command_failed",
        "A command on a node ended with an exit code that means failure.",
        "Correct what its last lines say, then retry.",
    )
    COMMAND_TIMEOUT = (
        "command_timeout",
        "A command on a node did not end in time.",
        "See what the node is waiting for, then retry.",
    )
    COMMAND_LOST = (
        "command_lost",
        "How a command on a node ended cannot be told.",
        "Run it again: what is done already is recognised.",
    )
    OUTPUT_TOO_LONG = (
        "output_too_long",
        "A command on a node wrote more than the program reads.",
        "Look at the node.",
    )
    # Steps
    FACT_UNKNOWN = (
        "fact_unknown",
        "A step needs a value that an earlier step has not read yet.",
        "Run the earlier stages first.",
    )
    FACT_INVALID = (
        "fact_invalid",
        "AWS or a node told a value of an unexpected form.",
        "See where the value comes from before you continue.",
    )
    SECRET_MISSING = (
        "secret_missing",
        "A secret is not known.",
        "Enter it in the credentials stage.",
    )
    STEP_BLOCKED = (
        "step_blocked",
        "A step cannot continue until the operator has settled something.",
        "Do what the message asks for, then run again.",
    )
    DISRUPTION_REFUSED = (
        "disruption_refused",
        "The step would disrupt a pair that is serving, and that was not allowed.",
        "Allow it with --allow-disruption, or choose another time.",
    )
    VERIFY_TIMEOUT = (
        "verify_timeout",
        "The actions of a step succeeded, but their effect did not appear in time.",
        "Look at the node that the message names, then retry.",
    )
    # The local lab
    LAB_UNSUPPORTED = (
        "lab_unsupported",
        "This machine lacks something that the lab needs.",
        "Install what the message names.",
    )
    LAB_FAILED = (
        "lab_failed",
        "The lab, or a tool that it uses, failed.",
        "See the log of the lab, then try again.",
    )
