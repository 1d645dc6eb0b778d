"""The screens at both ends: welcome, resume, summary; and what the program remembers."""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from piloted import Pressed, paste, press, rest, text, until
from waiting import BOUND

from iconha_tui.app import IconhaApp
from iconha_tui.config import Config
from iconha_tui.engine.events import (
    ActionStarted,
    Event,
    RunFinished,
    RunStarted,
    StageFinished,
    StageStarted,
    StepFinished,
    StepStarted,
    to_dict,
)
from iconha_tui.errors import Trouble
from iconha_tui.screens.resume import Resume
from iconha_tui.screens.stage import StageScreen
from iconha_tui.screens.summary import Summary
from iconha_tui.screens.welcome import SavedClusters, Welcome
from iconha_tui.spec import Spec
from iconha_tui.store import Store

from .conftest import run_stage, shows
from .fakes import TITLES, World

Make = Callable[..., IconhaApp]


@pytest.fixture
def config(store: Store) -> Path:
    return store.root / "config.toml"


async def test_a_theme_that_was_chosen_is_there_at_the_next_start(wizard: Make, config: Path) -> None:
    app = wizard()
    async with app.run_test() as pilot:
        await shows(pilot, "Commands")
        assert not config.exists(), "nothing was chosen yet"
        await press(pilot, "ctrl+p", *"theme", "enter")
        await pilot.pause(0.3)
        await press(pilot, *"nord", "enter")
        await until(pilot, lambda: config.exists() and "nord" in config.read_text())
    again = wizard()
    assert again.theme == "nord", "before the first paint"
    async with again.run_test() as pilot:
        await shows(pilot, "Commands")
        assert again.theme == "nord"


async def test_motion_that_was_turned_off_stays_off(wizard: Make, config: Path) -> None:
    app = wizard()
    async with app.run_test() as pilot:
        await press(pilot, "ctrl+p", *"turn motion", "enter")
        await until(pilot, lambda: config.exists() and "motion = false" in config.read_text())
    assert wizard().animation_level == "none"


async def test_a_broken_configuration_is_said_and_the_wizard_starts(wizard: Make, config: Path) -> None:
    config.parent.mkdir(parents=True)
    config.write_text("theme = ")
    app = wizard()
    async with app.run_test(notifications=True, size=(120, 40)) as pilot:
        await shows(pilot, "ignored")  # the sentence wraps where its path ends
        app.theme = "nord"
        await pilot.pause(0.2)
    assert config.read_text() == "theme = "


async def test_a_theme_that_is_not_known_is_passed_over(wizard: Make, config: Path) -> None:
    config.parent.mkdir(parents=True)
    config.write_text('theme = "neon"\n')
    assert wizard().theme == "iconha-dark"


async def test_the_next_new_cluster_has_the_region_and_profile_of_the_last(
    wizard: Make, store: Store, config: Path
) -> None:
    spec = Spec(name="first")
    spec.aws.region, spec.aws.profile = "eu-west-3", "work"
    store.save(spec)
    app = wizard(cluster="first")
    async with app.run_test() as pilot:
        await until(pilot, lambda: pilot.app.screen.query("Form"))
        await run_stage(pilot)
        await press(pilot, "f7", "n", "enter")
        await until(pilot, lambda: app.work.is_open and app.cluster.name == "icon")
        assert (app.cluster.draft.aws.region, app.cluster.draft.aws.profile) == ("eu-west-3", "work")
        await until(pilot, lambda: Config(config).region == "eu-west-3")


# Welcome


def write(store: Store, name: str, age: float, *events: Event) -> None:
    """A saved cluster with a journal that ends so long ago."""
    store.save(Spec(name=name))
    at = time.time() - age
    journal = store.folder(name) / "journal.jsonl"
    journal.write_text("".join(json.dumps(to_dict(event, at)) + "\n" for event in events))
    os.utime(journal, (at, at))


def done(*names: str) -> list[Event]:
    return [each for name in names for each in (StageStarted(name), StageFinished(name, "done", True, 41.0))]


RUN = RunStarted(list(TITLES))
KILLED = [
    RUN,
    *done("credentials", "instances"),
    StageStarted("packages"),
    StepStarted("packages", "packages.packages-a", "Packages-a on both machines"),
    ActionStarted("packages", "packages.packages-a", "PRep-02", 1, 2, "apt-get -y install packages-a", "", long=True),
]
FAILED = [
    RUN,
    *done("credentials", "instances"),
    StageStarted("packages"),
    StepStarted("packages", "packages.packages-a", "Packages-a on both machines"),
    StepFinished("packages", "packages.packages-a", "failed", True, 1.0, "It ended with 100.", "PRep-02", "apt-get x"),
    StageFinished("packages", "failed", True, 1.0),
    RunFinished("failed", True, 1.0),
]
ALL = [RUN, *done(*TITLES), RunFinished("done", True, 100.0)]
LONG = "a-cluster-with-a-rather-long-one"


def list_of(app: IconhaApp) -> SavedClusters:
    return app.screen.query_one(SavedClusters)


async def listed(pilot: Pressed, count: int) -> None:
    await until(pilot, lambda: pilot.app.screen.query("#saved") and list_of(pilot.app).option_count == count)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (60, 20)], ids=str)
async def test_the_welcome_says_of_each_cluster_how_far_when_and_what_next(
    wizard: Make, store: Store, size: tuple[int, int]
) -> None:
    write(store, "killed", 7300, *KILLED)
    write(store, LONG, 300_000, *FAILED)
    write(store, "whole", 90_000, *ALL)
    write(store, "under-way", 8_000_000, RUN, *done("credentials"), RunFinished("done", True, 1.0))
    store.save(Spec(name="fresh"))
    store.save(Spec(name="bad"))
    (store.folder("bad") / "spec.toml").write_text("version = 99\n")
    wanted = {
        "killed": (
            "2 h ago",
            "◇ interrupted",
            "stage 3 of 8, Packages",
            "at what is there, then goes on with “Packages”",
        ),
        LONG: ("3 days ago", "✗ failed", "at “Packages-a on both machines”"),
        "whole": ("yesterday", "? never looked at", "all 8 stages have been through, on 2", "s looks at the pair"),
        "under-way": ("92 days ago", "○ under way", "1 of 8 stages done", "“Instances and ports”"),
        "fresh": ("just now", "○ not begun", "8 stages ahead", "Enter begins with “Credentials”"),
        "bad": ("✗ not readable", "version 99", "mend it"),
    }
    app = wizard()
    async with app.run_test(size=size) as pilot:
        await listed(pilot, 6)
        for _ in range(len(wanted)):
            name = list_of(app).chosen.name  # type: ignore[union-attr]
            assert f"▸ {name}" in text(app), "what is chosen is in sight, marked with a glyph"
            lines = text(app).partition(f"▸ {name}")[2].partition("\n\n")[0]
            told = " ".join(lines.replace("▁", "").split())
            for part in wanted.pop(name):
                assert part in told, told
            await press(pilot, "down")
    assert not wanted


async def test_a_cluster_at_which_another_window_works_is_said_to_run(wizard: Make, store: Store) -> None:
    write(store, "icon", 10, *KILLED)
    app = wizard()
    with store.lock("icon"):
        async with app.run_test(size=(120, 40)) as pilot:
            await shows(pilot, f"in another window (process {os.getpid()}), in stage 3 of 8, Packages")


async def test_the_end_of_another_windows_run_is_seen(
    wizard: Make, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("iconha_tui.screens.welcome.AGAIN", 0.1)
    write(store, "icon", 10, *KILLED)
    app = wizard()
    async with app.run_test(size=(120, 40)) as pilot:
        with store.lock("icon"):
            await shows(pilot, "in another window")
        await shows(pilot, "Enter looks at what is there")


async def test_the_mouse_chooses_with_one_click_and_opens_with_the_second(wizard: Make, store: Store) -> None:
    for name in ("a", "b"):
        store.save(Spec(name=name))
    app = wizard()
    async with app.run_test() as pilot:
        await listed(pilot, 2)
        other = list_of(app).saved[1].name
        await pilot.click("#saved", offset=(5, 4))
        assert isinstance(app.screen, Welcome)
        assert list_of(app).chosen.name == other  # type: ignore[union-attr]
        await pilot.click("#saved", offset=(5, 4))
        await until(pilot, lambda: isinstance(app.screen, StageScreen))
        assert app.cluster.draft.name == other


async def test_a_renamed_cluster_stays_open_and_keeps_its_tag(wizard: Make, store: Store) -> None:
    write(store, "icon", 10, *ALL)
    app = wizard()
    async with app.run_test(size=(120, 40)) as pilot:
        await listed(pilot, 1)
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(app.screen, Resume) and "F8" in text(app))
        app.cluster.keep({"aws_secret_access_key": "verysecretvalue"})
        await press(pilot, "escape", "r")
        await shows(pilot, "icon, stays so, and is found by that")
        await press(pilot, "enter")
        assert store.names() == ["icon"], "its own name is none"
        await press(pilot, "ctrl+u", *"mainnet", "enter")
        await shows(pilot, "tagged icon")
        assert store.names() == ["mainnet"]
        await press(pilot, "n")
        await shows(pilot, "icon-2")
        await press(pilot, "ctrl+u", *"icon")
        await shows(pilot, "What the cluster mainnet has on AWS is tagged with this name.")
        await press(pilot, "escape", "enter")
        await until(pilot, lambda: isinstance(app.screen, Resume) and "F8" in text(app))
        assert (app.cluster.draft.name, app.cluster.draft.tagged) == ("mainnet", "icon")
        assert app.cluster.session is not None
        assert app.cluster.session.ctx.vault.get("aws_secret_access_key") == "verysecretvalue"
        await press(pilot, "ctrl+q")
    assert store.names() == ["mainnet"]


async def test_a_cluster_that_a_run_holds_is_neither_renamed_nor_deleted(wizard: Make, store: Store) -> None:
    write(store, "icon", 10, *ALL)
    app = wizard()
    with store.lock("icon"):
        async with app.run_test(notifications=True) as pilot:
            await listed(pilot, 1)
            await press(pilot, "r", "ctrl+u", *"new", "enter")
            await shows(pilot, "Another run")
            await press(pilot, "d", "y")
            await pilot.pause(0.2)
    assert store.names() == ["icon"]
    assert store.progress("icon").outcome == "done"


async def test_deleting_says_what_is_lost_and_an_open_cluster_does_not_come_back(wizard: Make, store: Store) -> None:
    write(store, "icon", 10, *ALL)
    app = wizard()
    async with app.run_test() as pilot:
        await listed(pilot, 1)
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(app.screen, Resume) and "F8" in text(app))
        await press(pilot, "escape", "d")
        await shows(pilot, "Nothing on AWS or on the nodes is touched")
        await shows(pilot, "transcript")
        await press(pilot, "y")
        await shows(pilot, "No cluster is saved here yet")
        await press(pilot, "ctrl+q")
    assert store.names() == []
    assert not store.folder("icon").exists()


# Resume


def built(world: World, *names: str) -> None:
    """Both machines have what these stages make."""
    world.files["aws"] = {"address"}
    for node in ("PRep-01", "PRep-02"):
        world.files[node] = {f"{name}-{part}" for name in names for part in "ab"}


async def resumed(pilot: Pressed) -> str:
    """The screen, once the look has come to its end."""
    await until(pilot, lambda: isinstance(pilot.app.screen, Resume) and "F8 " in text(pilot.app))
    return text(pilot.app)


async def test_resume_says_what_was_interrupted_on_which_node(
    wizard: Make, store: Store, world: World, size: tuple[int, int]
) -> None:
    write(store, "icon", 7300, *KILLED)
    built(world, "instances")
    app = wizard(cluster="icon")
    async with app.run_test(size=size) as pilot:
        said = await resumed(pilot)
        before = said.partition("the journal says")[0]
        for part in ("interrupted 2 h ago", "stage 3 of 8, Packages", "PRep-02  ▶ apt-get -y install packages-a"):
            assert part in before
        assert re.search(r"2 Instances and ports +✓ done 41 s, 2 h ago +✓ done", said)
        assert re.search(r"3 Packages +◇ interrupted +○ to do", said)
        assert re.search(r"4 Authentication key +○ to do +not looked at", said)
        assert "Next: F8 goes on with “Packages”." in said
        assert world.commands == [], "a look runs nothing"
    again = wizard(cluster="icon")
    async with again.run_test(size=size) as pilot:
        assert "interrupted 2 h ago" in await resumed(pilot), "the look has not hidden it"


async def test_resume_says_what_is_different_from_what_the_journal_says(
    wizard: Make, store: Store, world: World, size: tuple[int, int]
) -> None:
    write(store, "icon", 90_000, *ALL)
    built(world, *TITLES)
    world.files["PRep-02"].discard("authkey-b")
    app = wizard(cluster="icon")
    async with app.run_test(size=size) as pilot:
        said = await resumed(pilot)
        assert "✓ done  The last run came to its end yesterday" in said
        assert re.search(r"4 Authentication key +✓ done 41 s, yesterday +○ to do", said)
        assert "▲ different now  PRep-02: authkey-b is missing" in said
        assert "Next: F8 goes on with “Authentication key” again, which was done before." in said
        await press(pilot, "f8")
        await until(pilot, lambda: isinstance(app.screen, StageScreen))
        await run_stage(pilot)
        assert app.cluster.runs.progress.stage("authkey").state == "done"
        assert app.cluster.runs.progress.stage("corosync").state == "todo", "it built on the key: it is looked at again"


async def test_resume_of_a_cluster_that_is_whole_leads_to_the_summary(wizard: Make, store: Store, world: World) -> None:
    write(store, "icon", 90_000, *ALL)
    built(world, *TITLES)
    app = wizard(cluster="icon")
    async with app.run_test() as pilot:
        assert "nothing is left to do" in await resumed(pilot)
        await press(pilot, "f8")
        await until(pilot, lambda: isinstance(app.screen, Summary))


async def test_resume_in_a_small_terminal_scrolls_and_keeps_the_next_step_in_sight(
    wizard: Make, store: Store, world: World
) -> None:
    write(store, "icon", 7300, *FAILED)
    built(world, "instances")
    app = wizard(cluster="icon")
    async with app.run_test(size=(60, 20)) as pilot:
        said = await resumed(pilot)
        assert "✗ failed" in said
        assert "PRep-02: It ended with 100." in said
        assert "8 Elastic IP" not in said
        await press(pilot, "end")
        await shows(pilot, "8 Elastic IP")
        assert "Next: F8 goes on with “Packages”." in text(app)


async def test_resume_says_what_holds_it_up_and_looks_again(wizard: Make, store: Store, world: World) -> None:
    write(store, "icon", 7300, *KILLED)
    built(world, "instances")
    world.cloud_trouble = Trouble("Denied.")
    app = wizard(cluster="icon")
    async with app.run_test() as pilot:
        said = await resumed(pilot)
        assert re.search(r"1 Credentials +✓ done .*■ blocked", said)
        assert "▲ different now  aws: The access key is not" in said
        assert "Next: Enter another one in the settings. F8 goes on with “Credentials”" in said
        world.cloud_trouble = None
        await press(pilot, "f5")
        await shows(pilot, "F8 goes on with “Packages”")


async def test_a_cluster_that_cannot_be_opened_leaves_the_one_that_was_open(wizard: Make, store: Store) -> None:
    """All of it: settings of one and connections of another would build neither."""
    app = wizard(cluster="icon")
    async with app.run_test() as pilot:
        await until(pilot, lambda: app.work.is_open)
        (store.folder("other") / "journal.jsonl").mkdir(parents=True)
        session, live = app.cluster.session, app.cluster.runs
        app.work.open(Spec(name="other"))
        await until(pilot, lambda: "This did not work" in [each.title for each in app._notifications])
        assert (app.cluster.session, app.cluster.runs, app.cluster.draft.name) == (session, live, "icon")


async def test_quitting_waits_for_no_list_that_aws_does_not_answer(wizard: Make, world: World) -> None:
    """Python waits for its threads as it ends: the shell would be dead for as long as AWS is silent."""
    app = wizard(cluster="icon")
    async with app.run_test() as pilot:
        await until(pilot, lambda: app.work.is_open)
        world.aws_answers.clear()
        app.pages.show_stage("instances")
        await rest(pilot)
        await press(pilot, "right", "tab", "tab", "f6")
        await shows(pilot, "Asking AWS")
        await press(pilot, "ctrl+q")
    await asyncio.wait_for(asyncio.get_running_loop().shutdown_default_executor(), BOUND)
    assert not world.aws_answers.is_set()
    world.aws_answers.set()


# Summary


async def to_the_summary(pilot: Pressed, world: World, store: Store) -> None:
    """A cluster that is whole, opened, and its summary."""
    write(store, "icon", 90_000, *ALL)
    built(world, *TITLES)
    app = pilot.app
    app.work.open_named("icon")  # type: ignore[attr-defined]
    await resumed(pilot)
    await press(pilot, "f8")
    await until(pilot, lambda: "the pair is up" in text(app))


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (60, 20)], ids=str)
async def test_the_summary_is_read_to_its_end_and_no_column_is_cut(
    wizard: Make, store: Store, world: World, size: tuple[int, int]
) -> None:
    app = wizard()
    async with app.run_test(size=size) as pilot:
        await to_the_summary(pilot, world, store)
        app.cluster.session.ctx.learn(  # type: ignore[union-attr]
            {f"PRep-0{n}.instance_id": f"i-0a1b2c3d4e5f6071{n}" for n in (1, 2)}
            | {f"PRep-0{n}.versions": {"crmsh": "4.3.1-1ubuntu2", "awscli": "1.22.34-1"} for n in (1, 2)}
        )
        app.pages.show_summary()
        await pilot.pause(0.3)
        seen = text(app)
        for _ in range(20):
            await press(pilot, "pagedown")
            await pilot.pause(0.1)
            seen += text(app)
        assert "…" not in seen
        for part in (
            r"instance +i-0a1b2c3d4e5f60711 +i-0a1b2c3d4e5f60712",
            r"7 AWS CLI on the machines +done +41 s",
            r"sudo crm_standby -N PRep-01 -v on",
            r"i-0a1b2c3d4e5f60711 i-0a1b2c3d4e5f60712",
            r"access key in\s+IAM",
        ):
            assert re.search(part, seen), part


async def test_the_summary_is_kept_and_told_after_exit(wizard: Make, store: Store, world: World) -> None:
    app = wizard()
    async with app.run_test() as pilot:
        assert app.farewell == ""
        await to_the_summary(pilot, world, store)
        await press(pilot, "ctrl+q")
    assert app.farewell == (store.folder("icon") / "summary.md").read_text()
    assert app.farewell.startswith("# icon: the pair is up\n")


async def test_a_run_that_comes_to_its_end_keeps_its_summary_though_nobody_looks(
    wizard: Make, store: Store, world: World
) -> None:
    write(store, "icon", 90_000, *ALL[:-1])
    built(world, *TITLES)
    world.files["PRep-01"].discard("elastic_ip-b")
    (store.folder("icon") / "summary.md").write_text("old")
    app = wizard(cluster="icon")
    async with app.run_test() as pilot:
        await resumed(pilot)
        await press(pilot, "f8")
        await until(pilot, lambda: isinstance(app.screen, StageScreen))
        assert app.farewell == ""
        await run_stage(pilot)
        assert app.farewell.startswith("# icon: the pair is up\n")
        assert (store.folder("icon") / "summary.md").read_text() == app.farewell
        await press(pilot, "ctrl+q")


async def test_an_unfinished_cluster_says_nothing_after_exit(wizard: Make, store: Store, world: World) -> None:
    write(store, "icon", 10, *KILLED)
    app = wizard(cluster="icon")
    async with app.run_test() as pilot:
        await resumed(pilot)
        app.pages.show_summary()
        await shows(pilot, "icon: not finished yet")
        await press(pilot, "ctrl+q")
    assert app.farewell == ""
    assert not (store.folder("icon") / "summary.md").exists()


async def test_the_summary_is_written_where_the_operator_wants_it(
    wizard: Make, store: Store, world: World, tmp_path: Path
) -> None:
    app = wizard()
    async with app.run_test(size=(120, 40)) as pilot:
        await to_the_summary(pilot, world, store)

        async def write_to(path: Path) -> None:
            await press(pilot, "w", "ctrl+u")
            await paste(pilot, str(path))
            await press(pilot, "enter")

        await write_to(tmp_path / "none" / "x.md")
        await shows(pilot, "There is no folder")
        await press(pilot, "escape")
        await write_to(tmp_path)
        await shows(pilot, "That is a folder")
        await press(pilot, "escape")
        mine = tmp_path / "mine.md"
        await write_to(mine)
        await until(pilot, mine.exists)
        assert mine.read_text() == app.farewell
        mine.write_text("precious")
        await write_to(mine)
        await shows(pilot, "What it holds now is lost")
        await press(pilot, "n")
        assert mine.read_text() == "precious"
        await write_to(mine)
        await press(pilot, "y")
        assert mine.read_text() == app.farewell
