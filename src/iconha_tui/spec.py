"""The Spec: what the operator wants. Every form of the wizard edits one part of it; it is saved as TOML and holds no secret."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
import shlex
import tomllib
import unicodedata
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import tomlkit
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from iconha_tui import disk
from iconha_tui.cluster.shells import GUIDE_SHELL, SHELLS
from iconha_tui.cluster.shells.arguments import KEYWORDS
from iconha_tui.error_codes import Code
from iconha_tui.errors import SpecTrouble
from iconha_tui.text import clean, sentence, shell_path, strip_controls

FORMAT = 1
"""The version of the file's form. A file of a newer one is refused, never guessed at."""

MAX_CHARACTERS = 1 << 20
"""A spec has some 100 lines. What is larger than this is some other file, and is not parsed."""


def _matching(pattern: str, refusal: str, *, reserved: frozenset[str] = frozenset()) -> AfterValidator:
    form = re.compile(pattern, re.ASCII)

    def check(value: str) -> str:
        if not form.fullmatch(value) or value.lower() in reserved:
            raise ValueError(refusal)
        return value

    return AfterValidator(check)


def _clean_path(value: str) -> str:
    if any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in value):
        raise ValueError("A path holds no control characters.")
    if len(value) > 4096:
        raise ValueError("A path has 4096 characters at most.")
    return value


def _plain_text(value: str) -> str:
    if strip_controls(value) != value.replace("\r\n", "\n"):
        raise ValueError("A corosync.conf holds no control characters, and none that cannot be seen.")
    return value


def _cidr(value: str) -> str:
    try:
        if "%" in value:  # the zone of a link-local address: any text may follow it
            raise ValueError
        return str(ipaddress.ip_network(value, strict=False))
    except ValueError:
        raise ValueError("Write a network as 203.0.113.0/24, or one address as 203.0.113.7/32.") from None


def _shell(value: str) -> str:
    if value not in SHELLS:
        raise ValueError(f"The cluster shell is {' or '.join(SHELLS)}.")
    return value


def _token(value: int) -> int:
    if value and not 1000 <= value <= 30_000:
        raise ValueError("1000 to 30000 milliseconds, or 0 for Corosync's default.")
    return value


ClusterName = Annotated[
    str,
    _matching(
        r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?", "1 to 32 small letters, digits and hyphens, no hyphen at either end."
    ),
]
NodeName = Annotated[
    str,
    _matching(
        r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?",
        "A host name: letters, digits and hyphens, 63 at most, no hyphen at either end, not localhost.",
        reserved=frozenset({"localhost"}),
    ),
]
Region = Annotated[str, _matching(r"[a-z]{2}(-[a-z]+)+-\d{1,2}", "A region looks like ap-northeast-2 or us-east-1.")]
ProfileName = Annotated[str, _matching(r"[A-Za-z0-9_.@+/-]{0,128}", "A profile name: letters, digits and _ . @ + / -")]
InstanceId = Annotated[str, _matching(r"(i-[0-9a-f]{8,17})?", "An instance id looks like i-0123456789abcdef0.")]
ImageId = Annotated[str, _matching(r"(ami-[0-9a-f]{8,17})?", "An image id looks like ami-0123456789abcdef0.")]
SubnetId = Annotated[str, _matching(r"subnet-[0-9a-f]{8,17}", "A subnet id looks like subnet-0123456789abcdef0.")]
AllocationId = Annotated[
    str, _matching(r"(eipalloc-[0-9a-f]{8,17})?", "An allocation id looks like eipalloc-0123456789abcdef0.")
]
InstanceType = Annotated[
    str, _matching(r"[a-z][a-z0-9-]*\.[a-z0-9-]+", "An instance type looks like t3.small or m6i.2xlarge.")
]
KeyPair = Annotated[
    str, _matching(r"[\x21-\x7e][\x20-\x7e]{0,254}|", "A key pair's name: printable ASCII, 255 characters at most.")
]
UserName = Annotated[str, _matching(r"[a-z_][a-z0-9_-]{0,31}", "A user name: small letters, digits, _ and -.")]
ResourceId = Annotated[
    str,
    _matching(
        r"[A-Za-z_][A-Za-z0-9_-]{0,63}",
        "A resource id: letters, digits, _ and -, beginning with a letter, and no word of crm's own language.",
        reserved=KEYWORDS,
    ),
]
Time = Annotated[str, _matching(r"\d{1,6}(ms|s|m|min|h)?", "A time looks like 60s or 2m.")]
PropertyName = Annotated[
    str, _matching(r"[a-z][a-z0-9-]{0,63}", "A property's name: small letters, digits and hyphens.")
]
PropertyValue = Annotated[
    str, _matching(r"[A-Za-z0-9_.:+%-]{1,64}", "A property's value: letters, digits and _ . : + % -, 64 at most.")
]
FilePath = Annotated[str, AfterValidator(_clean_path)]
Cidr = Annotated[str, AfterValidator(_cidr)]
ShellName = Annotated[str, AfterValidator(_shell)]
ConfText = Annotated[str, AfterValidator(_plain_text)]


class Part(BaseModel):
    """A table of the spec. An unknown key is an error: it is a typing mistake more often than a wish."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)


class Aws(Part):
    """How the operator's side reaches AWS. Keys come through botocore's own chain, or are typed in and never saved."""

    region: Region = "us-east-1"
    profile: ProfileName = ""
    """A profile of the AWS config file; empty: botocore's default chain (environment, default profile, SSO, role)."""
    config_file: FilePath = ""
    """Another AWS config file than ~/.aws/config, with the keys in it."""

    def environment(self) -> dict[str, str]:
        """What makes the AWS CLI the one that these settings mean: variables, with values as a shell's words."""
        named = self._files() | {"AWS_PROFILE": shlex.quote(self.profile) if self.profile else ""}
        return {name: value for name, value in named.items() if value} | {"AWS_DEFAULT_REGION": self.region}

    def command(self, *words: str) -> str:
        """A command line of the AWS CLI for the operator to type, in this account and region."""
        files = [f"{name}={value}" for name, value in self._files().items()]
        profile = ["--profile", self.profile] if self.profile else []
        return " ".join([*files, shlex.join(["aws", *words, "--region", self.region, *profile])])

    def _files(self) -> dict[str, str]:
        file = shell_path(self.config_file) if self.config_file else ""
        return dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), file) if file else {}


class Ssh(Part):
    """How the operator's side reaches the nodes."""

    user: UserName = "ubuntu"
    key_file: FilePath = ""
    """A private key; empty: the SSH agent and the default keys."""
    port: Annotated[int, Field(ge=1, le=65535)] = 22
    address: Literal["public", "private"] = "public"
    """Which address of an instance to connect to; private where the operator is inside the VPC or on a VPN."""


class NodeSpec(Part):
    """One of the two machines. The first of the spec is the active one at the start."""

    name: NodeName
    instance_id: InstanceId = ""
    """An existing instance; empty where instances are launched (they are found again by their tags)."""


class Instances(Part):
    """Where the two machines come from."""

    mode: Literal["launch", "existing"] = "launch"
    image: ImageId = ""
    """Empty: the newest image of `ubuntu` by Canonical."""
    ubuntu: Literal["18.04", "20.04", "22.04", "24.04"] = "22.04"
    instance_type: InstanceType = "t3.medium"
    key_pair: KeyPair = ""
    subnet_ids: list[SubnetId] = Field(default_factory=list, max_length=2)
    """One subnet for both nodes, or one each (two zones); empty: the default VPC's first."""
    ssh_cidr: Cidr = "0.0.0.0/0"
    """Who may reach tcp 22."""
    allocation_id: AllocationId = ""
    """An Elastic IP that is there already; empty: one is allocated and tagged."""
    instance_profile: ProfileName = ""
    """The IAM instance profile that launched machines get, for awscli.credentials = "role"; empty: none."""
    volume_gib: Annotated[int, Field(ge=8, le=16384)] = 100


class Packages(Part):
    shell: ShellName = GUIDE_SHELL.name
    """The cluster shell, by its name in cluster.shells.SHELLS. Each works through every stage."""


class Authkey(Part):
    keep: Literal[""] | NodeName = ""
    """Whose key wins where the nodes hold two different ones; empty: ask."""


class Corosync(Part):
    cluster_name: ClusterName = "nodecluster"
    transport: Literal["udpu", "knet"] = "udpu"
    """udpu as in the guide (on Corosync 3 in clear text); knet encrypts with the authkey and needs Corosync 3."""
    port: Annotated[int, Field(ge=1024, le=65535)] = 5405
    token_ms: Annotated[int, AfterValidator(_token)] = 0
    """Milliseconds until a silent node is declared lost; 0: Corosync's default (1000, from 3.0.4 on 3000)."""
    conf: dict[str, ConfText] = Field(default_factory=dict)
    """A whole corosync.conf per node name, where the operator has edited it."""
    replace: Annotated[str, Field(pattern=r"^([0-9a-f]{16}(\+[0-9a-f]{16})*)?$")] = ""
    """The files on the nodes that may be replaced although this program has not written them: the first 16 digits of their
    SHA-256, joined by +. Empty: such a file stops the run."""
    settle: Annotated[int, Field(ge=5, le=600)] = 60
    """Seconds within which both members must have joined."""


class Pacemaker(Part):
    properties: dict[PropertyName, PropertyValue] = Field(
        default_factory=lambda: {"stonith-enabled": "false", "no-quorum-policy": "ignore"}
    )
    """Cluster properties (guide step 6)."""
    replace: Annotated[str, Field(pattern=r"^([0-9a-f]{16})?$")] = ""
    """What somebody else has set and may be set anew: the digits that the run names. Empty: it stops the run."""
    settle: Annotated[int, Field(ge=5, le=600)] = 90
    """Seconds within which both nodes must be online with a DC."""


class AwsCli(Part):
    credentials: Literal["keys", "role"] = "keys"
    """What awseip uses on the nodes: root's own keys, or the role that the instances have."""
    profile: ProfileName = ""
    """The operator's profile whose keys the nodes get; empty: typed in, or ICONHA_NODE_ACCESS_KEY_ID and
    ICONHA_NODE_SECRET_ACCESS_KEY of the environment."""


class Operation(Part):
    timeout: Time = "60s"
    interval: Time = "0s"
    on_fail: Literal["restart", "block", "ignore", "stop", "standby", "fence"] = "restart"


class Resource(Part):
    """The Elastic IP primitive, with the guide's values (step 8)."""

    id: ResourceId = "elastic-ip"
    start: Operation = Operation()
    monitor: Operation = Operation(interval="10s")
    stop: Operation = Operation(on_fail="block")
    meta: dict[PropertyName, PropertyValue] = Field(
        default_factory=lambda: {"migration-threshold": "2", "failure-timeout": "60s", "resource-stickiness": "100"}
    )
    api_delay: Annotated[int, Field(ge=0, le=60)] = 0
    """Seconds that awseip waits between API calls; 0: the agent's own default (3)."""
    replace: Annotated[str, Field(pattern=r"^([0-9a-f]{16})?$")] = ""
    """The resource that somebody else has made or changed, and may be made anew: the digits that the run names."""


_SETTINGS = {"credentials": ("aws", "ssh", "awscli"), "instances": ("instances", "ssh", "corosync.port")}
"""What the stages carry out that carry out more than the table of their name: tables, or single settings."""
_PERMISSIONS = frozenset({"settle", "replace", "keep"})


class Spec(Part):
    """Everything that a run needs, secrets excepted."""

    version: int = FORMAT
    name: ClusterName = "icon"
    tag: Literal[""] | ClusterName = ""
    """The cluster's name in the tags on AWS, where it was renamed since; empty: `name`."""
    aws: Aws = Field(default_factory=Aws)
    ssh: Ssh = Field(default_factory=Ssh)
    nodes: list[NodeSpec] = Field(
        default_factory=lambda: [NodeSpec(name="PRep-01"), NodeSpec(name="PRep-02")], min_length=2, max_length=2
    )
    instances: Instances = Field(default_factory=Instances)
    packages: Packages = Field(default_factory=Packages)
    authkey: Authkey = Field(default_factory=Authkey)
    corosync: Corosync = Field(default_factory=Corosync)
    pacemaker: Pacemaker = Field(default_factory=Pacemaker)
    awscli: AwsCli = Field(default_factory=AwsCli)
    elastic_ip: Resource = Field(default_factory=Resource)

    @field_validator("version")
    @classmethod
    def _known_version(cls, value: int) -> int:
        if value != FORMAT:
            raise ValueError(f"This program reads version {FORMAT} of the spec; the file has {value}.")
        return value

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        first, second = self.nodes
        if first.name.lower() == second.name.lower():
            raise ValueError("The two nodes need different names.")
        if self.instances.mode == "existing":
            if not (first.instance_id and second.instance_id):
                raise ValueError("Choose two existing instances, or launch two.")
            if first.instance_id == second.instance_id:
                raise ValueError("The two nodes need two different instances.")
        if self.authkey.keep not in ("", first.name, second.name):
            raise ValueError("authkey.keep names one of the two nodes.")
        if strangers := sorted(set(self.corosync.conf) - set(self.names)):
            said = f"{', '.join(clean(name) for name in strangers)} is none of the two nodes, {first.name} and {second.name}."
            raise ValueError(f"corosync.conf: {said}")
        return self

    @property
    def names(self) -> tuple[str, str]:
        """The two nodes' names, the active one first."""
        return self.nodes[0].name, self.nodes[1].name

    @property
    def machines(self) -> tuple[Aws, Instances, list[NodeSpec]]:
        """What says which machines are meant: what was read of them holds only as long as this stays."""
        return self.aws, self.instances, self.nodes

    @property
    def tagged(self) -> str:
        """The name by which what was made on AWS is found again."""
        return self.tag or self.name

    def settings_digest(self, stage: str) -> str:
        """A digest of the settings that a stage carries out: 16 hexadecimal digits.

        They are the table of the stage's name, and what says which machines are meant. How long a step waits and what it may
        replace is no setting of the pair. A default counts as no setting, so that a later version's new ones change nothing.
        """
        wanted: dict[str, Any] = {"nodes": True}
        for place in _SETTINGS.get(stage, (stage,)):
            table, _, name = place.partition(".")
            wanted[table] = {name} if name else True
        chosen = self.model_dump(mode="json", include=wanted, exclude_defaults=True)
        chosen = {
            table: {name: each for name, each in value.items() if name not in _PERMISSIONS}
            if isinstance(value, dict)
            else value
            for table, value in chosen.items()
        }
        text = json.dumps([self.aws.region, {table: value for table, value in chosen.items() if value}], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def renamed(self, name: str) -> Spec:
        """The same cluster under another name: what was made on AWS is still found."""
        return self.model_copy(update={"name": name, "tag": "" if name == self.tagged else self.tagged})


def follow_names(data: dict[str, Any], before: Spec) -> None:
    """In a spec's plain form, moves what is kept under a node's name to the name that it has now."""
    now = dict(zip(before.names, (node["name"] for node in data["nodes"]), strict=True))
    data["corosync"]["conf"] = {now.get(name, name): text for name, text in data["corosync"]["conf"].items()}
    data["authkey"]["keep"] = now.get(data["authkey"]["keep"], data["authkey"]["keep"])


_PLAIN_WORDS = {
    "extra_forbidden": "There is no such setting.",
    "int_type": "A whole number, without quotes.",
    "string_type": "A text, in quotes.",
    "bool_type": "true or false, without quotes.",
    "missing": "It is missing.",
}


def sentences(error: ValidationError) -> list[str]:
    """One sentence per fault, each led by the field's place in the file."""
    out = []
    for fault in error.errors():
        place = ".".join(str(part) for part in fault["loc"])
        text = str(fault["ctx"]["error"]) if fault["type"] == "value_error" else fault["msg"]
        text = _PLAIN_WORDS.get(fault["type"], text)
        out.append(sentence(f"{place}: {text}" if place else text))
    return out


_HEADING = "# Written by iconha-tui. The last line says that the file is whole."
_END = "# the end"
_REMEDY = "Correct the file and start again."


def loads(text: str, *, where: str = "spec") -> Spec:
    """Reads a spec from TOML. Raises SpecTrouble with a sentence per fault; nothing that is missing is guessed."""
    if len(text) > MAX_CHARACTERS:
        raise SpecTrouble(
            f"It has {len(text)} characters: it is no spec.",
            code=Code.SPEC_UNREADABLE,
            where=where,
            remedy="Name a spec file.",
        )
    _whole(text, where)
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        said = "it is nested too deep" if isinstance(error, RecursionError) else str(error)
        raise SpecTrouble(
            f"It is no valid TOML: {said}.", code=Code.SPEC_UNREADABLE, where=where, remedy=_REMEDY
        ) from error
    version = data.get("version", FORMAT)
    if isinstance(version, int) and version > FORMAT:
        raise SpecTrouble(
            f"A newer version of this program wrote it: version {version} of the spec, this program reads {FORMAT}.",
            code=Code.FORMAT_NEWER,
            where=where,
            remedy="Update iconha-tui, or name another spec.",
        )
    try:
        return Spec.model_validate(data, strict=True)
    except ValidationError as error:
        raise SpecTrouble(" ".join(sentences(error)), where=where, remedy=_REMEDY) from error


def _whole(text: str, where: str) -> None:
    """A file that was cut between two lines would still be valid, and its defaults would pass for what is wanted."""
    lines = text.strip().splitlines() or [""]
    if all(line.lstrip()[:1] in ("", "#") for line in lines):
        raise SpecTrouble(
            "It is empty.", code=Code.SPEC_UNREADABLE, where=where, remedy="Restore it from a copy, or start a new one."
        )
    if lines[0] == _HEADING and lines[-1] != _END:
        raise SpecTrouble(
            f"It has been cut short: its last line, “{_END}”, is missing.",
            code=Code.SPEC_UNREADABLE,
            where=where,
            remedy="Restore it from a copy; or write what is missing, and that line.",
        )


def load(path: Path, *, ours: bool = False) -> Spec:
    """Reads a spec file. ours: it is one that this program keeps, so that no link is followed. Raises SpecTrouble."""
    try:
        if ours:
            content = disk.read(path, 4 * MAX_CHARACTERS)
        else:
            with path.open("rb") as file:
                content = file.read(4 * MAX_CHARACTERS)
        text = content.decode()
    except UnicodeDecodeError as error:
        raise SpecTrouble(
            "Cannot be read: it is not UTF-8 text.",
            code=Code.SPEC_UNREADABLE,
            where=str(path),
            remedy="Restore it from a copy.",
        ) from error
    except OSError as error:
        raise SpecTrouble(
            disk.trouble("Cannot be read", path, error).what,
            code=Code.SPEC_UNREADABLE,
            where=str(path),
            remedy="Name a spec file, for example one that `plan` shows.",
        ) from error
    return loads(text, where=str(path))


def dumps(spec: Spec) -> str:
    """The spec as TOML, whole: defaults are written too, so that a later version's defaults change nothing."""
    return f"{_HEADING}\n{tomlkit.dumps(spec.model_dump(mode='json'))}{_END}\n"


def save(spec: Spec, path: Path) -> None:
    """Writes the spec atomically, 0600. What cannot be read there is kept beside it. Raises Trouble."""
    keep = None
    if path.exists():
        try:
            load(path, ours=True)
        except SpecTrouble:
            keep = disk.backup_of(path, "damaged")
    disk.write(path, dumps(spec).encode(), keep=keep)
