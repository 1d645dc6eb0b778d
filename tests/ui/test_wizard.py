"""The wizard from end to end, by keys alone, at both sizes."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Callable

import pytest
from piloted import hurry, press, rest, text, until
from textual.widget import Widget
from textual.widgets import Input, TabbedContent, TabPane

from iconha_tui.app import IconhaApp
from iconha_tui.engine.actions import Disruption, Disruptive
from iconha_tui.engine.step import Done
from iconha_tui.errors import Trouble
from iconha_tui.masking import MASK
from iconha_tui.screens.dialogs import Ask, Choose, HostKey
from iconha_tui.screens.resume import Resume
from iconha_tui.screens.stage import StageScreen
from iconha_tui.screens.summary import Summary
from iconha_tui.screens.welcome import Welcome
from iconha_tui.spec import Spec
from iconha_tui.store import Store
from iconha_tui.widgets.choices import Choices
from iconha_tui.widgets.fields import ChoiceField, TextField
from iconha_tui.widgets.output import TargetLog
from iconha_tui.widgets.preview import CommandPreview

from .conftest import begin, run_before, run_stage, shows
from .fakes import TITLES, World

Make = Callable[..., IconhaApp]


def stage_of(app: IconhaApp) -> str:
    assert isinstance(app.screen, StageScreen)
    return app.screen.stage.name


def field(app: IconhaApp, path: str) -> TextField:
    return next(field for field in app.screen.query(TextField) if path in (field.path, field.secret))


async def test_all_stages_to_the_summary(wizard: Make, world: World, store: Store, size: tuple[int, int]) -> None:
    app = wizard()
    async with app.run_test(size=size) as pilot:
        assert isinstance(app.screen, Welcome)
        await begin(pilot)
        for name in TITLES:
            assert stage_of(app) == name
            assert not app.work.busy, "nothing starts without a key"
            await press(pilot, "f3", "f2")
            await run_stage(pilot)
            assert app.cluster.runs.progress.stage(name).state == "done", text(app)
            await shows(pilot, "done")
            await press(pilot, "f8")
        assert isinstance(app.screen, Summary)
        await shows(pilot, "the pair is up")
    assert {stage.state for stage in store.progress("icon").stages.values()} == {"done"}
    assert ("PRep-02", "apt-get -y install elastic_ip-b") in world.commands


async def test_nothing_runs_before_a_key(wizard: Make, world: World) -> None:
    app = wizard()
    async with app.run_test() as pilot:
        await begin(pilot)
        for _ in range(8):
            await press(pilot, "f3", "f4", "f8")
        assert world.commands == []


async def test_a_second_run_changes_nothing_and_says_so(wizard: Make, world: World) -> None:
    app = wizard()
    async with app.run_test() as pilot:
        await begin(pilot)
        await run_stage(pilot)
        await press(pilot, "f8")
        await run_stage(pilot)
        ran = list(world.commands)
        await run_stage(pilot)
        assert world.commands == ran
        await shows(pilot, "nothing had to be changed")


async def test_back_and_next_keep_what_was_typed(wizard: Make, size: tuple[int, int]) -> None:
    app = wizard()
    async with app.run_test(size=size) as pilot:
        await begin(pilot)
        region = field(app, "aws.region").query_one(Input)
        assert app.focused is region
        await press(pilot, "end", "ctrl+u", *"eu-west-3", "f8", "f7")
        assert region.value == "eu-west-3"
        assert app.cluster.session is not None
        assert app.cluster.session.spec.aws.region == "eu-west-3"
        await press(pilot, "end", *"!!", "f8", "f7")
        assert region.value == "eu-west-3!!", "what does not hold together stays as it was typed"
        assert app.cluster.draft.aws.region == "eu-west-3"


async def test_what_comes_in_one_piece_acts_in_the_order_in_which_it_was_typed(wizard: Make) -> None:
    app = wizard()
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(pilot)
        region = field(app, "aws.region").query_one(Input)
        await hurry(pilot, "end", "ctrl+u", *"eu-west-3", "f8", "f7", "end", *"!!")
        assert region.value == "eu-west-3!!"
        await hurry(pilot, "backspace", "backspace", "f5", "f2")
        await until(pilot, lambda: not app.work.busy)
        assert app.cluster.session is not None
        assert app.cluster.session.spec.aws.region == "eu-west-3", "the run is of what was typed before its key"
        await press(pilot, "f2", "end")
        await until(pilot, lambda: app.focused is region)
        await hurry(pilot, *"!!", "f5")
        assert not app.work.busy, "a wrong value is not run"
        await shows(pilot, "us-east-1.")
        await hurry(pilot, "end", "ctrl+u", *"us-east-2", "f3", "f2", "escape")
        await until(pilot, lambda: isinstance(app.screen, Welcome))
        await until(pilot, lambda: app.store.spec("icon").aws.region == "us-east-2")


async def test_a_key_that_nobody_takes_holds_up_no_other(wizard: Make) -> None:
    app = wizard()
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(pilot)
        region = field(app, "aws.region").query_one(Input)
        gate = asyncio.Event()
        region.call_later(gate.wait)  # it is busy with something
        await hurry(pilot, *"x", "f8")
        await until(pilot, lambda: stage_of(app) == "instances")
        gate.set()


async def test_a_node_that_was_renamed_has_its_pane_and_its_file_under_the_new_name(wizard: Make) -> None:
    app = wizard()
    async with app.run_test(size=(120, 40)) as pilot:
        await begin(pilot)
        await press(pilot, *["f8"] * 4)
        await shows(pilot, "corosync.conf on each node")
        await press(pilot, *["f7"] * 3)
        name = field(app, "nodes.1.name").query_one(Input)
        name.focus()
        await press(pilot, "end", "ctrl+u", *"standby", *["f8"] * 3)
        await shows(pilot, "standby without addresses")
        await run_before(pilot, "corosync")
        await run_stage(pilot)
        assert [log.target for log in app.screen.query(TargetLog) if log.target != "aws"] == ["PRep-01", "standby"]


@pytest.mark.parametrize(
    ("keys", "into"),
    [
        (("f8", "f4"), TargetLog),
        (("f8", "f3"), CommandPreview),
        (("f8", "f4", "f3", "f2"), Choices),
        (("f8", "f4", "f2", "f3", "f4"), TargetLog),
    ],
)
async def test_keys_typed_while_a_page_opens_end_in_the_tab_they_turn_to(
    wizard: Make, keys: tuple[str, ...], into: type[Widget]
) -> None:
    app = wizard()
    async with app.run_test() as pilot:
        await begin(pilot)
        await hurry(pilot, *keys)
        await until(pilot, lambda: isinstance(app.focused, into))
        assert stage_of(app) == "instances"


async def test_a_focus_that_is_told_late_turns_no_tab(wizard: Make) -> None:
    app = wizard()
    async with app.run_test() as pilot:
        await begin(pilot)
        await press(pilot, "f8", "f4")
        settings = app.screen.query_one("#settings", TabPane)
        settings.post_message(TabPane.Focused(settings))
        await rest(pilot)
        assert app.screen.query_one(TabbedContent).active == "progress"


async def test_f4_right_after_a_run_that_a_wrong_value_holds_stays_there(wizard: Make) -> None:
    app = wizard()
    async with app.run_test() as pilot:
        await begin(pilot)
        await press(pilot, "end", *"; rm -rf /", "f4")
        await hurry(pilot, "f5", "f4")
        await until(pilot, lambda: isinstance(app.focused, TargetLog))
        assert not app.work.busy
        assert app.screen.query_one(TabbedContent).active == "progress"


async def test_a_wrong_value_is_told_under_its_field_and_holds_the_run(wizard: Make, world: World) -> None:
    app = wizard()
    async with app.run_test() as pilot:
        await begin(pilot)
        await press(pilot, "end", *"; rm -rf /")
        await shows(pilot, "A region looks like")
        await press(pilot, "tab", "f5")
        await pilot.pause(0.1)
        assert not app.work.busy
        assert app.focused is field(app, "aws.region").query_one(Input)
        await press(pilot, "end", "ctrl+u", *"us-east-1")
        assert "A region looks like" not in text(app)


async def test_two_nodes_of_one_name_are_told(wizard: Make) -> None:
    app = wizard(spec=Spec())
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, StageScreen))
        await press(pilot, "f8")
        field(app, "nodes.1.name").query_one(Input).focus()
        await press(pilot, "end", "ctrl+u", *"prep-01")
        await shows(pilot, "The two nodes need different names.")


async def test_a_failure_names_node_command_lines_and_remedy(wizard: Make, world: World, size: tuple[int, int]) -> None:
    app = wizard()
    async with app.run_test(size=size) as pilot:
        await begin(pilot)
        for _ in range(2):
            await run_stage(pilot)
            await press(pilot, "f8")
        world.broken.add("packages-b")
        await run_stage(pilot)
        said = text(app)
        for part in ("PRep-01", "apt-get -y install packages-b", "Unable to locate package", "what to do", "F5 retry"):
            assert part in said, said
        await press(pilot, "c")
        assert app.clipboard == "apt-get -y install packages-b"
        await press(pilot, "f2")
        assert app.screen.query_one(TabbedContent).active == "settings"
        world.broken.clear()
        await run_stage(pilot)
        assert app.cluster.runs.progress.stage("packages").state == "done"
        assert "Unable to locate" not in text(app)


async def test_an_unknown_host_key_is_shown_and_accepted(wizard: Make, world: World) -> None:
    app = wizard()
    async with app.run_test() as pilot:
        await begin(pilot)
        await run_stage(pilot)
        world.ask_key = {"PRep-01", "PRep-02"}
        await press(pilot, "f8", "f5")
        for _ in range(2):
            await until(pilot, lambda: isinstance(app.screen, HostKey))
            await shows(pilot, "SHA256:0123456789")
            node = app.screen.node  # type: ignore[attr-defined]
            await press(pilot, "y")
            await until(pilot, lambda node=node: getattr(app.screen, "node", "") != node)
        await until(pilot, lambda: not app.work.busy)
        assert app.cluster.runs.progress.stage("instances").state == "done"


async def test_a_refused_host_key_stops_the_stage(wizard: Make, world: World) -> None:
    app = wizard()
    async with app.run_test() as pilot:
        await begin(pilot)
        await run_stage(pilot)
        world.ask_key = {"PRep-02"}
        await press(pilot, "f8", "f5")
        await until(pilot, lambda: isinstance(app.screen, HostKey))
        await press(pilot, "escape")
        await until(pilot, lambda: not app.work.busy)
        await pilot.pause(0.1)
        await shows(pilot, "Its host key was refused.")


MOVES = Disruptive(
    "instances",
    "instances.a",
    "PRep-02",
    "systemctl restart corosync pacemaker",
    Disruption("Corosync and Pacemaker restart on this node.", 30),
)


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40)], ids=["60x20", "80x24", "120x40"])
async def test_what_may_disrupt_a_pair_that_serves_is_asked_about_first(
    wizard: Make, world: World, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("iconha_tui.control.run_controller.RunController._serves", lambda *_: True)
    monkeypatch.setattr("iconha_tui.control.run_controller.disruptive_actions", lambda *_: [MOVES])
    monkeypatch.setattr("iconha_tui.stages.serving.Serves.probe", lambda *_: Done("PRep-01 holds it", {"serves": True}))
    app = wizard()
    async with app.run_test(size=size) as pilot:
        await begin(pilot)
        await press(pilot, "f5")
        await until(pilot, lambda: isinstance(app.screen, Ask))
        said = " ".join(text(app).translate(str.maketrans("│▌▐█▁▂▃▄▅▆▇", " " * 11)).split())
        for words in (
            "The pair serves",
            "PRep-02: systemctl restart corosync pacemaker",
            "about 30 s",
            "n change nothing",
        ):
            assert words in said
        await press(pilot, "escape")
        await until(pilot, lambda: not app.work.busy)
        assert world.commands == []
        assert not any(world.files.values())
        await shows(pilot, "Nothing was changed.")
        await press(pilot, "f5")
        await until(pilot, lambda: isinstance(app.screen, Ask))
        await press(pilot, "y")
        await until(pilot, lambda: not app.work.busy)
        assert app.cluster.runs.progress.stage("credentials").state == "done"


async def test_quitting_while_a_host_key_is_asked_does_not_hang(wizard: Make, world: World) -> None:
    app = wizard()
    async with app.run_test() as pilot:
        await begin(pilot)
        await run_stage(pilot)
        world.ask_key = {"PRep-01", "PRep-02"}
        await press(pilot, "f8", "f5")
        await until(pilot, lambda: isinstance(app.screen, HostKey))
        await press(pilot, "ctrl+q")
    assert app._exit


async def test_the_screen_of_a_run_is_not_left(wizard: Make, world: World) -> None:
    app = wizard()
    async with app.run_test() as pilot:
        await begin(pilot)
        await run_stage(pilot)
        world.gate.clear()
        await press(pilot, "f8", "f5")
        await until(pilot, lambda: world.commands)
        await press(pilot, "escape", "escape")
        assert isinstance(app.screen, StageScreen)
        world.gate.set()
        await until(pilot, lambda: not app.work.busy)


async def test_resume_looks_first_and_goes_to_what_is_not_done(wizard: Make, world: World, store: Store) -> None:
    app = wizard()
    async with app.run_test() as pilot:
        await begin(pilot)
        await run_stage(pilot)
        await press(pilot, "f8")
        await run_stage(pilot)
        await press(pilot, "q")
    ran = list(world.commands)
    again = wizard()
    async with again.run_test() as pilot:
        await shows(pilot, "Saved clusters")
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(again.screen, Resume) and not again.work.busy)
        await pilot.pause(0.1)
        await shows(pilot, "F8 goes on with “Packages”")
        assert world.commands == ran, "a look runs nothing"
        await press(pilot, "f8")
        assert stage_of(again) == "packages"
        await run_stage(pilot)
        assert again.cluster.runs.progress.stage("packages").state == "done"


async def test_a_cluster_that_another_run_holds_is_told(wizard: Make, store: Store) -> None:
    app = wizard()
    async with app.run_test() as pilot:
        await begin(pilot)
        with store.lock("icon"):
            await run_stage(pilot)
            await shows(pilot, "Another run")
        await run_stage(pilot)
        assert app.cluster.runs.progress.stage("credentials").state == "done"


async def test_an_unforeseen_error_ends_in_a_sentence(wizard: Make, world: World) -> None:
    app = wizard()
    async with app.run_test() as pilot:
        await begin(pilot)
        assert app.cluster.session is not None
        app.cluster.controller.run = lambda *_: 1 / 0  # type: ignore[assignment,method-assign,return-value]
        await run_stage(pilot)
        await shows(pilot, "did not foresee: ZeroDivisionError")


async def test_instances_are_chosen_from_a_live_list(wizard: Make) -> None:
    app = wizard()
    async with app.run_test(size=(120, 40)) as pilot:
        await begin(pilot)
        await press(pilot, "f8")
        assert isinstance(app.screen, StageScreen)
        await press(pilot, "right")
        await shows(pilot, "Choose two existing instances")
        for number, taken in (("0", ["enter"]), ("1", ["down", "enter"])):
            field(app, f"nodes.{number}.instance_id").query_one(Input).focus()
            await press(pilot, "f6")
            await until(pilot, lambda: isinstance(app.screen, Choose) and "2 found" in text(app))
            await shows(pilot, "198.51.100.11")
            await press(pilot, *taken)
        assert [node.instance_id for node in app.cluster.draft.nodes] == ["i-00000000000000001", "i-00000000000000002"]
        assert app.screen.form.problem == ""


async def test_a_list_that_aws_refuses_says_why(wizard: Make, world: World) -> None:
    world.cloud_trouble = Trouble("It is denied.", where="ec2:DescribeInstances", remedy="Ask for the right.")
    app = wizard()
    async with app.run_test() as pilot:
        await begin(pilot)
        await press(pilot, "f8", "right", "tab", "tab", "f6")
        await until(pilot, lambda: "It is denied." in text(app))
        await press(pilot, "escape")
        assert stage_of(app) == "instances"


async def test_an_answer_of_aws_that_nobody_foresaw_ends_the_asking(wizard: Make, world: World) -> None:
    world.answers["describe_instances"] = {"Reservations": [{"Instances": [{"InstanceId": "i-0"}]}]}
    app = wizard()
    async with app.run_test() as pilot:
        await begin(pilot)
        await press(pilot, "f8", "right", "tab", "tab", "f6")
        await until(pilot, lambda: "did not foresee: KeyError" in text(app))
        assert "Asking AWS" not in text(app)
        await press(pilot, "escape")
        assert stage_of(app) == "instances"


async def test_what_a_run_kept_from_the_collector_is_given_back(wizard: Make) -> None:
    app = wizard()
    before = gc.get_threshold()
    async with app.run_test() as pilot:
        await begin(pilot)
        await run_stage(pilot)
        assert (gc.get_freeze_count(), gc.get_threshold()) == (0, before)


async def test_typed_secrets_stay_in_memory(wizard: Make, store: Store) -> None:
    app = wizard()
    async with app.run_test(size=(120, 40)) as pilot:
        await begin(pilot)
        field(app, "aws_secret_access_key").query_one(Input).focus()
        await press(pilot, *"verysecretvalue")
        assert "verysecretvalue" not in text(app)
        assert app.cluster.session is not None
        assert app.cluster.session.ctx.vault.get("aws_secret_access_key") == "verysecretvalue"
        await run_stage(pilot)
        await press(pilot, "f8", "f3")
        assert MASK not in text(app)
    for file in store.folder("icon").iterdir():
        assert b"verysecretvalue" not in file.read_bytes()


async def test_output_of_both_nodes_and_its_tabs(wizard: Make, world: World, size: tuple[int, int]) -> None:
    app = wizard()
    async with app.run_test(size=size) as pilot:
        await begin(pilot)
        await run_stage(pilot)
        await press(pilot, "f8")
        await run_stage(pilot)
        wide = size[0] >= 100
        await shows(pilot, "PRep-01: Setting up corosync")
        assert ("PRep-02: Setting up corosync" in text(app)) == wide
        await press(pilot, "ctrl+o")
        await pilot.pause(0.5)
        await shows(pilot, "PRep-02: Setting up corosync")


async def test_follow_mode_ends_when_scrolled_up_and_returns_at_the_end(wizard: Make, world: World) -> None:
    app = wizard()
    world.lines = [f"line {n}" for n in range(200)]
    async with app.run_test() as pilot:
        await begin(pilot)
        await run_before(pilot, "packages")
        app.pages.show_stage("packages")
        await rest(pilot)
        await run_stage(pilot)
        log = app.screen.query(TargetLog).first()
        assert log.following
        log.focus()
        await press(pilot, "home")
        await pilot.pause(0.4)
        assert not log.following
        assert "End follows again" in str(log.border_subtitle)
        log.add(["one more"])
        log.draw()
        await rest(pilot)
        assert log.scroll_y == 0
        await press(pilot, "end")
        await pilot.pause(0.4)
        assert log.following


async def test_all_lines_reach_the_transcript_and_the_end_of_the_pane(wizard: Make, world: World, store: Store) -> None:
    app = wizard()
    world.lines = [f"line {n}" for n in range(30_000)]
    async with app.run_test() as pilot:
        await begin(pilot)
        await run_stage(pilot)
        await press(pilot, "f8")
        await run_stage(pilot)
        log = app.screen.query(TargetLog).first()
        assert len(log.text.lines) <= 10_000
        assert "checked" in log.text.lines[-1]
    transcript = (store.folder("icon") / "transcript.log").read_text()
    assert transcript.count("| PRep-01: line ") == 60_000


async def test_help_palette_and_escape(wizard: Make, size: tuple[int, int]) -> None:
    app = wizard()
    async with app.run_test(size=size) as pilot:
        await press(pilot, "f1")
        await shows(pilot, "Here are the clusters")
        await press(pilot, "escape")
        await begin(pilot)
        await press(pilot, "f1")
        await shows(pilot, "chain that the AWS tools use")
        await press(pilot, "escape", "f4", "f1")
        await shows(pilot, "Each step")
        await press(pilot, "escape")
        await press(pilot, "ctrl+p", *"go to corosync")
        await pilot.pause(0.5)
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(app.screen, StageScreen) and stage_of(app) == "corosync")
        await press(pilot, "escape")
        assert isinstance(app.screen, Welcome)


@pytest.mark.parametrize("keys", [("d", "n"), ("d", "escape"), ("d", "y")])
async def test_forgetting_a_cluster_asks(wizard: Make, store: Store, keys: tuple[str, ...]) -> None:
    store.save(Spec(name="old"))
    app = wizard()
    async with app.run_test() as pilot:
        await until(pilot, lambda: "old" in text(app))
        await press(pilot, *keys)
        await until(pilot, lambda: not isinstance(app.screen, Ask))
        await asyncio.wrap_future(app._disk.submit(lambda: None))
        assert store.names() == ([] if "y" in keys else ["old"])


async def test_a_name_is_judged_as_it_is_typed(wizard: Make, store: Store) -> None:
    store.save(Spec(name="icon"))
    app = wizard()
    async with app.run_test() as pilot:
        await shows(pilot, "Saved clusters")
        await press(pilot, "n")
        await shows(pilot, "icon-2")
        await press(pilot, "ctrl+u", *"a; rm")
        await shows(pilot, "small letters, digits and hyphens")
        await press(pilot, "enter")
        assert app.screen.query("#name")
        await press(pilot, "ctrl+u", *"icon")
        await shows(pilot, "saved already")


async def test_a_broken_spec_is_told_and_the_welcome_stays(wizard: Make, store: Store) -> None:
    store.save(Spec(name="bad"))
    (store.folder("bad") / "spec.toml").write_text("version = 99")
    app = wizard()
    async with app.run_test(notifications=True) as pilot:
        await until(pilot, lambda: "bad" in text(app))
        await press(pilot, "enter")
        await until(pilot, lambda: "This did not work" in text(app))
        assert isinstance(app.screen, Welcome)


async def test_choices_move_with_the_arrows(wizard: Make) -> None:
    app = wizard()
    async with app.run_test() as pilot:
        await begin(pilot)
        await press(pilot, "f8", "f8")
        shell = app.screen.query_one(ChoiceField)
        await shows(pilot, "(•) crm")
        await press(pilot, "right")
        assert app.cluster.draft.packages.shell == shell.value == "pcs"
        await shows(pilot, "(•) pcs")


async def test_the_journal_is_what_another_program_reads(wizard: Make, store: Store) -> None:
    app = wizard()
    async with app.run_test() as pilot:
        await begin(pilot)
        await run_stage(pilot)
    kinds = [json.loads(line)["event"] for line in (store.folder("icon") / "journal.jsonl").read_text().splitlines()]
    assert kinds[0] == "RunStarted"
    assert kinds[-1] == "RunFinished"


@pytest.mark.parametrize("small", [(60, 20), (70, 22)])
async def test_a_small_terminal_scrolls(wizard: Make, small: tuple[int, int]) -> None:
    app = wizard()
    async with app.run_test(size=small) as pilot:
        await begin(pilot)
        for _ in range(20):
            await press(pilot, "tab")
            assert app.focused is not None
            assert 2 <= app.focused.region.y < small[1] - 1, "what has the focus is in sight"
        await run_stage(pilot)
        assert app.cluster.runs.progress.stage("credentials").state == "done"
        await pilot.resize_terminal(120, 40)
        await pilot.pause(0.2)
        assert "who is signed in" in text(app).lower()
