"""Known causes: what a failure means, and what to do about it. This program's own errors are known by their code; what AWS,
the nodes and their programs print is known by its words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from iconha_tui.error_codes import Code


@dataclass(frozen=True)
class Cause:
    """why: what stands behind a failure. remedy: what to do now; "" where the failure itself says it. stage, field: where the
    setting at fault is made, as stages and the spec's paths are called; "" where it is none.
    """

    why: str
    remedy: str = ""
    stage: str = ""
    field: str = ""


_CLOCK = "(`timedatectl` shows it; `sudo timedatectl set-ntp true` has it set over the network)"
_NODE_CLOCK = f"Set the node's clock right {_CLOCK}, then retry."
_NODE_KEYS = "Correct the nodes' keys in the credentials stage, then run the AWS CLI stage again."
_WAY_OUT = (
    "Give its subnet a route out (internet gateway and public address, or NAT gateway), and let its security group out."
)

_NO_SUDO = Cause(
    "The user on the node may not run commands as root without a password; nobody is there to type one.",
    "Allow it (`<user> ALL=(ALL) NOPASSWD: ALL` in a file of /etc/sudoers.d), or sign in as a user who may: "
    "`ubuntu` on Ubuntu's images, `admin` on Debian's. Then retry.",
    "credentials",
    "ssh.user",
)
_LOGIN_REFUSED = Cause(
    "The node's SSH server knows none of the keys that were offered, or knows them for another user.",
    "Name the private half of the instance's key pair and the right user (`ubuntu` on Ubuntu, `admin` on Debian), "
    "then retry.",
    "credentials",
    "ssh.key_file",
)
_PACKETS_LOST = Cause(
    "Packets to the node get lost: its security group does not let this machine in, the address is wrong, or it is down.",
    "",
    "instances",
    "instances.ssh_cidr",
)

NO_PACKAGE = Cause(
    "The node's package archives have no package of that name: the release is another than expected, or its "
    "“universe” part is switched off.",
    "On Ubuntu, run `sudo add-apt-repository universe` on the node; or choose another shell or release. Then retry.",
    "packages",
    "packages.shell",
)
NO_WAY_TO_API = Cause(
    "The node does not reach the EC2 API, so the address could not be moved from there.",
    _WAY_OUT + " The standby needs it as much as the active node.",
)

OURS: Mapping[str, Cause] = {
    # What AWS answers to this machine
    Code.AWS_CLOCK_WRONG: Cause(
        "The clock of this machine is more than five minutes off.",
        f"Set this machine's clock right {_CLOCK}, then retry.",
    ),
    Code.AWS_CERTIFICATE_DATE: Cause(
        "The clock of this machine is wrong, or a proxy in between shows a certificate that is out of date.",
        f"Set this machine's clock right {_CLOCK}, or mend the proxy; then retry.",
    ),
    Code.AWS_CERTIFICATE_UNTRUSTED: Cause(
        "What answers is not AWS, as far as this machine can tell: a proxy in between, or CA certificates that are out of date.",
    ),
    Code.AWS_UNREACHABLE: Cause(
        "There is no such region, or no way from this machine to it.", "", "credentials", "aws.region"
    ),
    Code.AWS_REGION_MISSING: Cause("The spec names no region.", "", "credentials", "aws.region"),
    Code.AWS_KEYS_REFUSED: Cause(
        "The keys that this machine signs in to AWS with are wrong, were deleted, or are switched off.",
        "Choose another profile, or type the keys anew, in the credentials stage; if they are right, look at this machine's "
        "clock (`timedatectl`). Then retry.",
        "credentials",
        "aws.profile",
    ),
    Code.AWS_SESSION_EXPIRED: Cause(
        "A sign-in to AWS lasts some hours, and yours is over.", "", "credentials", "aws.profile"
    ),
    Code.NODE_KEYS_REFUSED: Cause(
        "The keys that the nodes are to use are wrong, were deleted, or are switched off.",
        "Choose another profile for the nodes, or type their keys anew, in the credentials stage; then retry.",
        "credentials",
        "awscli.profile",
    ),
    # Signing in to the nodes, and sudo
    Code.SUDO_REFUSED: _NO_SUDO,
    Code.SSH_LOGIN_REFUSED: _LOGIN_REFUSED,
    Code.HOST_KEY_CHANGED: Cause(
        "Another machine than the one that was seen before answers at this address, or the machine was made anew.",
    ),
    Code.SSH_TIMEOUT: _PACKETS_LOST,
}
"""Of this program's own errors: code -> cause. A code that tells no cause by itself, as command_failed, is not here."""

KNOWN: Mapping[str, Cause] = {
    # Disk and memory: they make everything else fail in its own words.
    # The words of dash are the last.
    r"No space left on device|You don't have enough free space|ENOSPC|disk is full|: echo: I/O error": Cause(
        "A file system of the node is full.",
        "Free some space on the node (`df -h`, `sudo apt-get clean`, `sudo journalctl --vacuum-size=200M`) or enlarge its "
        "volume, then retry.",
        "instances",
        "instances.volume_gib",
    ),
    r"Read-only file system": Cause(
        "The node's file system is mounted read-only, which Linux does after an error of the disk.",
        "Look at `sudo journalctl -k -n 50` on the node; a restart checks the disk. Then retry.",
    ),
    r"Cannot allocate memory|Out of memory|oom-kill|MemoryError|^Killed$": Cause(
        "The node has too little memory for this.",
        "End what else runs there, or choose a larger instance type; then retry.",
        "instances",
        "instances.instance_type",
    ),
    # apt and dpkg
    r"apt is in use still: (?P<holder>process .{1,200} holds \S+?)\.?$": Cause(
        r"Another package manager is at work on the node: \g<holder>.",
        "Wait until it has ended, then retry. Do not remove the lock.",
    ),
    r"Could not get lock /var/|Unable to (?:acquire the dpkg frontend lock|lock directory /var)": Cause(
        "Another package manager is at work on the node, most often the automatic upgrades that run after a first boot.",
        "Wait until it has ended (`pgrep -a 'apt|dpkg|unattended'` shows it), then retry. Do not remove the lock.",
    ),
    r"dpkg was interrupted": Cause(
        "An earlier installation on the node was cut off half-way.",
        "Run `sudo dpkg --configure -a` on the node, then retry.",
    ),
    r"Temporary failure (?:resolving|in name resolution)|Could not resolve (?:host|')|Name or service not known": Cause(
        "The node cannot turn names into addresses: its DNS does not answer, or it has no way out of its network.",
        "`getent hosts NAME` on the node says whether it finds that name. Check its DNS, and the VPC's DNS resolution. "
        + _WAY_OUT,
    ),
    r"Hash Sum mismatch|File has unexpected size|Mirror sync in progress": Cause(
        "The package archive was being updated while it was read, or a proxy in between keeps old files.",
        "Retry in some minutes. If it stays: `sudo rm -rf /var/lib/apt/lists/*` on the node, then retry.",
    ),
    (
        r"is not valid yet|Release file .* is expired|certificate (?:is not yet valid|has expired)"
        r"|uses (?:not yet valid|expired) certificate"
    ): Cause(
        "The node's clock is wrong, or what it has reached is out of date.",
        _NODE_CLOCK,
    ),
    r"CERTIFICATE_VERIFY_FAILED|SSL validation failed|[Cc]ertificate verification failed|SSL certificate problem": Cause(
        "The node does not trust the certificate that it was shown: a proxy in between, or its CA certificates are out of date.",
        "Install ca-certificates anew on the node, or give it the certificate of your proxy's CA; then retry.",
    ),
    r"NO_PUBKEY|EXPKEYSIG|is not signed|GPG error": Cause(
        "The node does not trust the signature of a package archive in its list.",
        "Update the key of that archive, or take it off /etc/apt/sources.list.d; then retry.",
    ),
    r"does not have a Release file|no longer has a Release file|404 +Not Found": Cause(
        "A package archive in the node's list does not serve this release, as after the end of its support.",
        "Mend /etc/apt/sources.list on the node (old Ubuntu releases are at old-releases.ubuntu.com), or choose a newer "
        "Ubuntu; then retry.",
        "instances",
        "instances.ubuntu",
    ),
    r"held broken packages|unmet dependencies|pkgProblemResolver": Cause(
        "Packages on the node stand in each other's way: some are held back, or come from another release.",
        "See `apt-mark showhold` and `sudo apt-get -f install` on the node, then retry.",
    ),
    r"Unable to locate package|has no installation candidate": NO_PACKAGE,
    r"(?:Could not|Failed to) connect to .*Connection refused": Cause(
        "What the node takes for its package archive, or a proxy before it, refuses connections.",
        "Correct /etc/apt/sources.list, or the proxy in /etc/apt/apt.conf.d, on the node. If they are right the archive is down: "
        "retry later.",
    ),
    r"Failed to fetch|Could not connect to \S+:\d+ \(|Unable to connect to \S+:|Network is unreachable": Cause(
        "The node does not reach its package archive, or it does not answer.",
        "`sudo apt-get update` on the node names what it does not reach. " + _WAY_OUT,
    ),
    r"No matching distribution found|Could not find a version that satisfies": Cause(
        "pip on the node does not reach the Python package index, or its Python is too old.",
        _WAY_OUT,
    ),
    r"Errors were encountered while processing:\s+(?P<package>[\w.+:-]+)": Cause(
        r"The package \g<package> cannot be installed: a script of its own failed.",
        "The output says why. Mend that (`sudo dpkg --configure -a` on the node repeats it), then retry.",
    ),
    r"dpkg returned an error code": Cause(
        "A package's own installation script failed.",
        "The output says why. Mend that (`sudo dpkg --configure -a` on the node repeats it), then retry.",
    ),
    # Signing in, and sudo
    r"sudo: .*password is required|sudo: .*terminal is required|is not in the sudoers file": _NO_SUDO,
    r"Permission denied \(publickey": _LOGIN_REFUSED,
    r"Connection timed out during banner exchange": _PACKETS_LOST,
    # AWS, said by the CLI on a node
    r"An error occurred \((?:RequestExpired|RequestTimeTooSkewed)\)|Signature expired|Signature not yet current": Cause(
        "The node's clock is more than five minutes off: AWS refuses requests of another time.",
        _NODE_CLOCK,
    ),
    r"An error occurred \((?:UnauthorizedOperation|AccessDenied\w*)\)[\s\S]*^Refused: (?P<actions>[\w: ]+)": Cause(
        r"The node's keys, or its role, are valid, but their IAM policy does not allow \g<actions>.",
        r"Allow \g<actions> in the policy of the nodes' user or role; AWS takes some seconds to act on it. Then retry.",
        "awscli",
    ),
    r"An error occurred \((?:UnauthorizedOperation|AccessDenied\w*)\) when calling the (?P<action>\w+) operation": Cause(
        r"The node's keys, or its role, are valid, but their IAM policy does not allow \g<action>.",
        r"Allow \g<action> in the policy of the nodes' user or role; AWS takes some seconds to act on it. Then retry.",
        "awscli",
    ),
    r"An error occurred \((?:AuthFailure|InvalidClientTokenId|UnrecognizedClientException|SignatureDoesNotMatch)\)": Cause(
        "AWS does not know the keys on the node, or the secret is not that of the key id.",
        f"{_NODE_KEYS} If they are right, look at the node's clock (`timedatectl`).",
        "credentials",
        "awscli.profile",
    ),
    r"An error occurred \(ExpiredToken\w*\)": Cause(
        "The keys on the node were temporary ones, and have expired.",
        _NODE_KEYS,
        "credentials",
        "awscli.profile",
    ),
    r"An error occurred \((?:RequestLimitExceeded|Throttling\w*)\)": Cause(
        "AWS is throttling this account's requests.",
        "Wait a minute, then retry.",
    ),
    r"Unable to locate credentials": Cause(
        "The AWS CLI on the node found neither keys nor a role of the instance.",
        "Attach the role to the instance (its metadata service must be on), or give the nodes keys in the credentials stage; "
        "then retry.",
        "credentials",
        "awscli.credentials",
    ),
    r"The config profile \(\S+\) could not be found": Cause(
        "Root on the node has no such section in ~/.aws/config; awseip asks for the profile “default”.",
        "Run the AWS CLI stage again: it writes the section.",
        "awscli",
    ),
    r"You must specify a region": Cause(
        "Root on the node has no region in ~/.aws/config.",
        "Run the AWS CLI stage again: it writes the region.",
        "awscli",
    ),
    r"Could not connect to the endpoint URL|Connect timeout on endpoint URL|Read timeout on endpoint URL": NO_WAY_TO_API,
    # corosync, pacemaker
    r"parser? error|Unexpected closing brace|Missing closing brace|was refused by `(?:env|corosync)`": Cause(
        "Corosync does not accept the file; it names the line. The file that was there before is still in place.",
        "Correct that line in the editor of the corosync stage (Ctrl+G there brings the guide's form back), then retry.",
        "corosync",
        "corosync.conf",
    ),
    r"(?:corosync\.conf|authkey)\S*: No such file or directory|Could not open /etc/corosync/authkey": Cause(
        "A file that an earlier stage puts there is missing: somebody or something removed it.",
        "Run the authkey and corosync stages again; what is in place stays as it is.",
        "authkey",
    ),
    r"Job for corosync\.service failed|corosync\.service: Failed|Corosync Cluster Engine exiting": Cause(
        "Corosync did not start. Most often the file or the key differs between the nodes, or names an address that the "
        "node does not have.",
        "Read `sudo journalctl -u corosync -n 30` on the node; it names the line or the address. Mend it, then retry.",
        "corosync",
        "corosync.conf",
    ),
    r"dependency job for pacemaker\.service failed": Cause(
        "Pacemaker needs Corosync, which does not run.",
        "Run the corosync stage again, then this one.",
        "corosync",
    ),
    r"Unit \S+ is masked": Cause(
        "The service is masked, as by an installation that was cut off.",
        "Run the packages stage again: it unmasks the services.",
        "packages",
    ),
    r"got no meta-data, does this RA exist|no such resource agent|Agent '?\S*awseip'? is not installed": Cause(
        "The agent awseip is not installed: on Ubuntu 22.04 and 24.04 it is in the package resource-agents-extra.",
        "Run the packages stage again: it installs the package that has the agent.",
        "packages",
    ),
    r"Could not connect to the CIB|Connection to (?:the )?cluster failed"
    r"|cluster is not (?:currently )?running on this node": Cause(
        "Pacemaker does not answer on this node: it is not started, or still starting.",
        "Run the pacemaker stage again; `sudo systemctl status pacemaker` on the node says why where it does not come up.",
        "pacemaker",
    ),
    r"(?:sh|bash|env): .*(?:not found|No such file or directory)|: command not found": Cause(
        "A program is not there on the node, or not on root's path.",
        "Run the packages stage again: it installs what is missing.",
        "packages",
    ),
}
"""Pattern of what others print -> cause; the first pattern that is found counts. why and remedy may hold what its groups have
found, as \\g<name>. Words of ours are here only where a node prints them, as the script that waits for apt does."""


def cause_of(code: str, *texts: str) -> Cause | None:
    """The known cause of a failure, by its code and by what others printed of it; None where none is known.

    code: "" where the failure has none, as one of an old journal.
    """
    if ours := OURS.get(code):
        return ours
    said = "\n".join(texts)
    for pattern, cause in KNOWN.items():
        if found := re.search(pattern, said, re.MULTILINE):
            return replace(cause, why=found.expand(cause.why), remedy=found.expand(cause.remedy))
    return None
