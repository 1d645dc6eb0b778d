"""The spec: what is taken, what is refused and with which sentence, and that a file is never half written."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from iconha_tui import spec as specs
from iconha_tui.cluster import corosync_conf
from iconha_tui.cluster.shells import arguments
from iconha_tui.engine.step import View
from iconha_tui.errors import SpecTrouble
from iconha_tui.spec import NodeSpec, Spec
from iconha_tui.stages import corosync, elastic_ip

# Every setting that takes free text, by its place in the file.
TEXTS = [
    "name",
    "aws.region",
    "aws.profile",
    "ssh.user",
    "nodes.0.name",
    "nodes.1.instance_id",
    "instances.image",
    "instances.instance_type",
    "instances.key_pair",
    "instances.subnet_ids.0",
    "instances.ssh_cidr",
    "instances.allocation_id",
    "authkey.keep",
    "corosync.cluster_name",
    "awscli.profile",
    "elastic_ip.id",
    "elastic_ip.start.timeout",
    "elastic_ip.monitor.interval",
    "pacemaker.properties.stonith-enabled",
    "elastic_ip.meta.migration-threshold",
]
# Those with a closed list of values.
CHOICES = [
    "ssh.address",
    "instances.mode",
    "instances.ubuntu",
    "packages.shell",
    "corosync.transport",
    "awscli.credentials",
    "elastic_ip.stop.on_fail",
]
PATHS = ["ssh.key_file", "aws.config_file"]
NUMBERS = [
    ("ssh.port", (0, 65536, "22; ls", -1, 2.5)),
    ("instances.volume_gib", (7, 16385, "")),
    ("corosync.port", (1023, 65536, "5405 5406")),
    ("corosync.token_ms", (999, 30001, -1, "x")),
    ("corosync.settle", (4, 601, "60s")),
    ("pacemaker.settle", (4, 601)),
    ("elastic_ip.api_delay", (-1, 61)),
]
HOSTILE = {
    "a second command": "a; rm -rf /",
    "a substitution": "$(reboot)",
    "backquotes": "`reboot`",
    "a second line": "a\nb",
    "a line's end": "icon\n",
    "a NUL": "a\0b",
    "an escape sequence": "a\x1b[2J",
    "full-width letters": "ａｂｃ",
    "a right-to-left override": "a\u202eb",
    "a Cyrillic letter that looks Latin": "icоn",
    "a fact's marker": "⟪group_id⟫",
    "too much": "a" * 300,
}


def with_value(place: str, value: object) -> dict[str, Any]:
    """A spec as a file has it, with one setting changed."""
    data = Spec().model_dump(mode="json")
    data["instances"]["subnet_ids"] = ["subnet-0123456789abcdef0"]
    *parents, last = (int(part) if part.isdigit() else part for part in place.split("."))
    table: Any = data
    for part in parents:
        table = table[part]
    table[last] = value
    return data


def refusals(data: dict[str, Any]) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        Spec.model_validate(data)
    return specs.sentences(caught.value)


@pytest.mark.parametrize("place", TEXTS + CHOICES)
@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_is_refused_with_a_sentence_that_names_the_field(place: str, value: str) -> None:
    if place == "instances.key_pair" and value.isascii() and value.isprintable() and len(value) <= 255:
        return  # EC2 takes any printable ASCII as a key pair's name: it is quoted wherever it goes
    said = refusals(with_value(place, value))
    assert [line for line in said if line.startswith((f"{place}: ", f"{place}."))], said


@pytest.mark.parametrize("place", PATHS)
@pytest.mark.parametrize("value", ["a\0b", "a\nb", "a\x1b[2J", "a\x7fb", "a\u202eb", "a\u2028b", "a" * 5000])
def test_a_path_has_no_control_characters_and_an_end(place: str, value: str) -> None:
    assert refusals(with_value(place, value))[0].startswith(f"{place}: A path ")


@pytest.mark.parametrize(
    ("place", "value"), [(place, value) for place, values in NUMBERS for value in values], ids=lambda each: repr(each)
)
def test_numbers_out_of_range_are_refused_with_a_sentence_that_names_the_field(place: str, value: object) -> None:
    assert refusals(with_value(place, value))[0].startswith(f"{place}: ")


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("aws.region", "us-east-٣"),
        ("elastic_ip.start.timeout", "٣s"),
        ("instances.ssh_cidr", "fe80::%;reboot/64"),
        ("nodes.0.name", "localhost"),
        ("elastic_ip.id", "params"),
        ("nodes.0.name", "-a"),
        ("name", "a-"),
    ],
)
def test_what_looks_right_and_is_not(place: str, value: str) -> None:
    assert refusals(with_value(place, value))[0].startswith(f"{place}: ")


def test_what_the_spec_takes_corosync_and_the_cluster_shells_take_too() -> None:
    names = ["a", "A-1", "9lives", "a" * 63, "PRep-01"]
    for name in names:
        addresses = {f"{name}.private_ip": "10.0.0.11", "other.private_ip": "10.0.0.12"}
        view = View(Spec(nodes=[NodeSpec(name=name), NodeSpec(name="other")]), addresses)
        assert not corosync_conf.has_errors(corosync_conf.check(corosync.rendered_conf(view, name))), name
    for id in ["_", "a" * 64, "elastic-ip"]:
        arguments.check(elastic_ip.wanted_primitive(View(Spec.model_validate(with_value("elastic_ip.id", id)), FACTS)))


FACTS = {"elastic_ip": "203.0.113.10", "allocation_id": "eipalloc-1", "PRep-01.aws": "/usr/bin/aws"}


@pytest.mark.parametrize("word", sorted(arguments.KEYWORDS))
def test_words_that_crm_would_read_as_its_own_are_no_resource_ids(word: str) -> None:
    assert refusals(with_value("elastic_ip.id", word))[0].startswith("elastic_ip.id: ")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"nodes": [{"name": "a"}, {"name": "A"}]}, "The two nodes need different names."),
        ({"nodes": [{"name": "a"}]}, "nodes: "),
        ({"nodes": [{"name": name} for name in "abc"]}, "nodes: "),
        ({"instances": {"mode": "existing"}}, "Choose two existing instances, or launch two."),
        (
            {
                "instances": {"mode": "existing"},
                "nodes": [{"name": name, "instance_id": "i-0123456789abcdef0"} for name in "ab"],
            },
            "The two nodes need two different instances.",
        ),
        ({"authkey": {"keep": "PRep-03"}}, "authkey.keep names one of the two nodes."),
        ({"version": 2}, "version: This program reads version 1 of the spec; the file has 2."),
        ({"regoin": "us-east-1"}, "regoin: There is no such setting."),
        ({"aws": {"secret": "x"}}, "aws.secret: There is no such setting."),
    ],
    ids=lambda each: str(each)[:50],
)
def test_what_does_not_hold_together_is_said(change: dict[str, Any], sentence: str) -> None:
    assert refusals(change)[0].startswith(sentence)


def test_every_fault_of_a_file_is_named_at_once() -> None:
    with pytest.raises(SpecTrouble) as caught:
        specs.loads('name = "A B"\n[ssh]\nport = 0\nusr = "x"\n', where="my.toml")
    assert str(caught.value).startswith("my.toml: name: ")
    assert all(part in caught.value.what for part in ("ssh.port: ", "ssh.usr: There is no such setting."))


@pytest.mark.parametrize(
    "text", ["[a", "a=1\na=2", "\0", "= 1", '"""', "[nodes]\n[[nodes]]", "\ufeff[", "a = 99:99:99"]
)
def test_what_is_no_toml_is_said_and_located(text: str) -> None:
    with pytest.raises(SpecTrouble) as caught:
        specs.loads(text, where="my.toml")
    assert caught.value.where == "my.toml"
    assert caught.value.remedy


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_no_text_whatever_breaks_the_reader(text: str) -> None:
    with contextlib.suppress(SpecTrouble):
        specs.loads(text)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: None, "No such file or directory"),
        (lambda path: path.mkdir(), "Is a directory"),
        (lambda path: path.write_bytes(b"name = '\xff\xfe'"), "it is not UTF-8 text"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, make: Any, reason: str) -> None:
    make(tmp_path / "x.toml")
    with pytest.raises(SpecTrouble) as caught:
        specs.load(tmp_path / "x.toml")
    assert caught.value.what == f"Cannot be read: {reason}."
    assert caught.value.where == str(tmp_path / "x.toml")


NAMES = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?", fullmatch=True).filter(
    lambda name: name.lower() != "localhost"
)
FREE_TEXT = st.text(
    st.characters(min_codepoint=32, exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp"]) | st.sampled_from("\n\t")
)
PRINTABLE = st.text(st.characters(min_codepoint=32, exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp"]), max_size=80)


@st.composite
def valid_specs(draw: st.DrawFn) -> Spec:
    first, second = draw(st.lists(NAMES, min_size=2, max_size=2, unique_by=str.lower))
    return Spec.model_validate(
        {
            "name": draw(st.from_regex(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?", fullmatch=True)),
            "nodes": [{"name": first}, {"name": second}],
            "ssh": {"key_file": draw(PRINTABLE), "port": draw(st.integers(1, 65535))},
            "aws": {"config_file": draw(PRINTABLE)},
            "instances": {"key_pair": draw(st.from_regex(r"[\x21-\x7e][\x20-\x7e]{0,30}", fullmatch=True))},
            "authkey": {"keep": draw(st.sampled_from(["", first, second]))},
            "corosync": {"conf": draw(st.dictionaries(st.sampled_from([first, second]), FREE_TEXT))},
            "pacemaker": {
                "properties": draw(
                    st.dictionaries(
                        st.from_regex(r"[a-z][a-z0-9-]{0,20}", fullmatch=True),
                        st.from_regex(r"[A-Za-z0-9_.:+%-]{1,20}", fullmatch=True),
                        max_size=3,
                    )
                )
            },
        }
    )


@settings(max_examples=60, deadline=None)
@given(valid_specs())
def test_a_spec_comes_back_from_toml_as_it_was(spec: Spec) -> None:
    assert specs.loads(specs.dumps(spec)) == spec


def test_the_file_holds_the_defaults_too_so_that_later_ones_change_nothing() -> None:
    text = specs.dumps(Spec())
    assert 'transport = "udpu"' in text
    assert 'on_fail = "block"' in text
    assert 'stonith-enabled = "false"' in text


@pytest.mark.parametrize(
    ("settings", "command"),
    [
        ({}, "aws ec2 describe-vpcs --region us-east-1"),
        ({"profile": "work", "region": "eu-west-1"}, "aws ec2 describe-vpcs --region eu-west-1 --profile work"),
        (
            {"config_file": "~/my aws/config"},
            "AWS_CONFIG_FILE=~/'my aws/config' AWS_SHARED_CREDENTIALS_FILE=~/'my aws/config' "
            "aws ec2 describe-vpcs --region us-east-1",
        ),
    ],
)
def test_a_command_of_the_aws_cli_goes_to_the_account_of_the_program(settings: dict[str, str], command: str) -> None:
    aws = specs.Aws(**settings)  # type: ignore[arg-type]
    assert aws.command("ec2", "describe-vpcs") == command
    named = {"AWS_DEFAULT_REGION": aws.region} | ({"AWS_PROFILE": aws.profile} if aws.profile else {})
    assert named.items() <= aws.environment().items()


def test_what_is_kept_under_a_nodes_name_moves_with_it_even_where_two_change_places() -> None:
    conf = {"PRep-01": "# one", "PRep-02": "# two"}
    before = Spec.model_validate({"authkey": {"keep": "PRep-02"}, "corosync": {"conf": conf}})
    for first, second in (("a", "PRep-02"), ("PRep-02", "PRep-01")):
        data = before.model_dump(mode="json")
        data["nodes"][0]["name"], data["nodes"][1]["name"] = first, second
        specs.follow_names(data, before)
        after = Spec.model_validate(data)
        assert after.corosync.conf == {first: "# one", second: "# two"}
        assert after.authkey.keep == second
