"""The command lines for crm and pcs. That both tools take them as they are meant was measured, see cluster/shells."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iconha_tui.cluster import standby
from iconha_tui.cluster.primitive import Operation, Primitive, guide_primitive
from iconha_tui.cluster.shells import SHELLS
from iconha_tui.cluster.shells.arguments import UnsafeValueError
from iconha_tui.cluster.shells.crm import Crm, crm_text
from iconha_tui.cluster.shells.pcs import Pcs

CRM, PCS = Crm(), Pcs()

GUIDE = guide_primitive(elastic_ip="203.0.113.10", allocation_id="eipalloc-1", awscli="/usr/bin/aws")

STEP_8 = (
    "crm configure primitive elastic-ip ocf:heartbeat:awseip "
    "params elastic_ip=203.0.113.10 awscli=/usr/bin/aws allocation_id=eipalloc-1 "
    "op start timeout=60s interval=0s on-fail=restart "
    "op monitor timeout=60s interval=10s on-fail=restart "
    "op stop timeout=60s interval=0s on-fail=block "
    "meta migration-threshold=2 failure-timeout=60s resource-stickiness=100"
)


def test_crm_creates_the_primitive_with_the_guides_own_line() -> None:
    assert CRM.create(GUIDE) == STEP_8.split()


def test_pcs_creates_it_with_the_same_words_but_for_params() -> None:
    words = STEP_8.removeprefix("crm configure primitive").replace(" params", "").split()
    assert PCS.create(GUIDE) == ["pcs", "resource", "create", *words]


OTHERS: list[tuple[list[str] | list[list[str]], str]] = [
    (CRM.set_properties({"stonith-enabled": "false"})[0], "crm configure property stonith-enabled=false"),
    (PCS.set_properties({"no-quorum-policy": "ignore"})[0], "pcs property set no-quorum-policy=ignore"),
    (CRM.show_configuration(), "crm configure show"),
    (PCS.show_configuration(), "pcs config"),
    (CRM.show_resource("elastic-ip"), "crm configure show elastic-ip"),
    (PCS.show_resource("elastic-ip"), "pcs resource config elastic-ip"),
    (PCS.show_resource("elastic-ip", version=(0, 9)), "pcs resource show elastic-ip"),
    (standby.stand_by("PRep-01"), "crm_standby -N PRep-01 -v on"),
    (standby.come_back("PRep-01"), "crm_standby -N PRep-01 -D"),
    (CRM.show_status(), "crm status"),
    (PCS.show_status(), "pcs status"),
    (CRM.clean_up("elastic-ip"), "crm resource cleanup elastic-ip"),
    (PCS.clean_up("elastic-ip"), "pcs resource cleanup elastic-ip"),
]


@pytest.mark.parametrize(("argv", "line"), OTHERS, ids=[line for _, line in OTHERS])
def test_each_command_is_the_one_that_an_operator_would_type(argv: list[str], line: str) -> None:
    assert argv == line.split()


def test_crm_updates_by_loading_the_whole_primitive_from_a_file() -> None:
    update = CRM.update(GUIDE, GUIDE, file="/run/x.crm")
    assert update.commands == [["crm", "configure", "load", "update", "/run/x.crm"]]
    assert update.file == "/run/x.crm"
    assert update.content is not None
    # crmsh joins lines at a backslash and splits the rest with shlex: what it then reads is the guide's line.
    read = shlex.split(update.content.replace("\\\n", ""))
    assert ["crm", "configure", *read] == STEP_8.split()


def test_pcs_updates_in_place_and_empties_what_is_to_go() -> None:
    actual = replace(
        GUIDE,
        params={**GUIDE.params, "profile": "prep"},
        meta={**GUIDE.meta, "target-role": "Stopped"},
        operations=(*GUIDE.operations, Operation("validate", {"interval": "0s"}, "elastic-ip-validate-interval-0s")),
    )
    update = PCS.update(GUIDE, actual)
    (argv,) = update.commands
    assert argv[:4] == ["pcs", "resource", "update", "elastic-ip"]
    assert "profile=" in argv[4 : argv.index("op")]
    assert "target-role=" in argv[argv.index("meta") :]
    assert "validate" not in argv
    assert update.file is None


def test_pcs_removes_a_second_monitor_before_it_replaces_the_first() -> None:
    actual = replace(GUIDE, operations=(*GUIDE.operations, Operation("monitor", {"interval": "33s"}, "second-monitor")))
    first, second = PCS.update(GUIDE, actual).commands
    assert first == ["pcs", "resource", "op", "remove", "second-monitor"]
    assert second[:3] == ["pcs", "resource", "update"]


def test_an_operation_of_the_cib_with_an_odd_id_is_not_put_on_a_command_line() -> None:
    actual = replace(GUIDE, operations=(*GUIDE.operations, Operation("monitor", {}, "--force")))
    with pytest.raises(UnsafeValueError, match="odd id"):
        PCS.update(GUIDE, actual)


def test_another_agent_is_not_put_under_the_same_name_in_place() -> None:
    with pytest.raises(UnsafeValueError, match="in place"):
        CRM.update(GUIDE, replace(GUIDE, agent="ocf:heartbeat:awsvip"))


@pytest.mark.parametrize("shell", list(SHELLS))
@pytest.mark.parametrize(
    "value", ["", " ", "a\nb", "a\tb", "\x1b[31m", " a", "a ", "a'b", 'a"b', "a\\", "é", "a\0b", "x" * 1025, "a\u2028b"]
)
def test_a_value_that_a_shell_would_read_otherwise_is_refused(shell: str, value: str) -> None:
    with pytest.raises(UnsafeValueError):
        SHELLS[shell].create(replace(GUIDE, params={"elastic_ip": value}))
    with pytest.raises(UnsafeValueError):
        SHELLS[shell].update(replace(GUIDE, meta={"target-role": value}), GUIDE)
    with pytest.raises(UnsafeValueError):
        SHELLS[shell].set_properties({"no-quorum-policy": value})


@pytest.mark.parametrize("shell", list(SHELLS))
@pytest.mark.parametrize("name", ["", "a=b", "$id", "@x", "-f", "--force", "a b", "a;b", "op params", "a\n", "ä", "1a"])
def test_a_name_that_a_shell_would_read_otherwise_is_refused(shell: str, name: str) -> None:
    with pytest.raises(UnsafeValueError):
        SHELLS[shell].create(replace(GUIDE, params={name: "1"}))
    with pytest.raises(UnsafeValueError):
        SHELLS[shell].create(replace(GUIDE, operations=(Operation(name, {}),)))
    with pytest.raises(UnsafeValueError):
        SHELLS[shell].set_properties({name: "1"})
    with pytest.raises(UnsafeValueError):
        SHELLS[shell].create(replace(GUIDE, id=name))
    with pytest.raises(UnsafeValueError):
        SHELLS[shell].clean_up(name)


@pytest.mark.parametrize(
    "agent", ["", "awseip", "ocf::awseip", "ocf:a:b c", "--force", "ocf:a:b\n", "foo:a", "@template"]
)
def test_what_is_no_agent_is_refused(agent: str) -> None:
    with pytest.raises(UnsafeValueError, match="no resource agent"):
        CRM.create(replace(GUIDE, agent=agent))


@pytest.mark.parametrize("file", ["x.crm", "/run/a b", "/run/$x", "http://example.org/x", "-"])
def test_a_file_that_crm_would_read_otherwise_is_refused(file: str) -> None:
    with pytest.raises(UnsafeValueError, match="no path"):
        CRM.update(GUIDE, GUIDE, file=file)


plain = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="'\"\\"), min_size=1, max_size=30)
spaced = st.lists(plain, min_size=1, max_size=3).map(" ".join)


@given(st.dictionaries(st.sampled_from(["elastic_ip", "awscli", "profile"]), spaced, min_size=1))
def test_every_value_that_is_let_through_arrives_as_it_is(params: dict[str, str]) -> None:
    """`a; rm -rf /` and the like are one word each, after crmsh has joined and split them."""
    wanted = [f"{name}={value}" for name, value in params.items()]
    primitive = Primitive("r", "ocf:heartbeat:awseip", params)
    argv = CRM.create(primitive)
    joined = " ".join(f'"{word}"' if " " in word else word for word in argv)  # crmsh's add_quotes and join
    assert shlex.split(joined) == [*["crm", "configure", "primitive", "r", "ocf:heartbeat:awseip", "params"], *wanted]
    assert shlex.split(crm_text(primitive).replace("\\\n", ""))[-len(wanted) :] == wanted
    assert PCS.create(primitive)[5:] == wanted
