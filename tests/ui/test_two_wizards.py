"""Two wizards on one cluster: the second may look, and says who has it; nothing that it does changes the cluster."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from piloted import Pressed, press, rest, text, until

from iconha_tui.app import IconhaApp
from iconha_tui.engine.events import RunFinished, RunStarted, StageFinished, StageStarted
from iconha_tui.engine.journal import Journal
from iconha_tui.screens.resume import Resume
from iconha_tui.screens.stage import StageScreen
from iconha_tui.screens.welcome import Welcome
from iconha_tui.spec import Spec
from iconha_tui.store import Locked, Store

from .conftest import run_stage, shows
from .fakes import World

Make = Callable[..., IconhaApp]


def files(store: Store) -> dict[str, bytes]:
    """The cluster's files that hold what it is and where it has got to."""
    folder = store.folder("icon")
    return {name: (folder / name).read_bytes() for name in ("spec.toml", "journal.jsonl") if (folder / name).exists()}


def begun(store: Store) -> None:
    """A cluster in which one stage has run."""
    store.save(Spec(name="icon"))
    journal = Journal(store.folder("icon"))
    for event in (
        RunStarted(["credentials"]),
        StageStarted("credentials"),
        StageFinished("credentials", "done", False, 1.0),
        RunFinished("done", False, 1.0),
    ):
        journal(event)
    journal.close()


async def at_first_stage(pilot: Pressed) -> None:
    await until(pilot, lambda: isinstance(pilot.app.screen, StageScreen))
    await rest(pilot)


async def test_the_second_wizard_says_who_has_it_and_changes_nothing(wizard: Make, store: Store, world: World) -> None:
    store.save(Spec(name="icon"))
    with store.editing("icon"):
        before = files(store)
        app = wizard(cluster="icon")
        async with app.run_test(size=(120, 40), notifications=True) as pilot:
            await at_first_stage(pilot)
            await shows(pilot, "Another wizard (process ")
            await shows(pilot, "Nothing can be changed in this window.")
            await press(pilot, *"eu-west-3", "f5", "f12", "k", "f8", "f5")
            assert not app.work.busy
            assert app.cluster.draft == Spec(name="icon")
            await press(pilot, "f3")
            await shows(pilot, "apt-get")
            await press(pilot, "ctrl+q")
        assert files(store) == before
    assert world.commands == []


async def test_a_cluster_on_which_runs_have_been_is_not_surveyed_by_the_second(wizard: Make, store: Store) -> None:
    begun(store)
    with store.editing("icon"):
        before = files(store)
        app = wizard(cluster="icon")
        async with app.run_test(size=(120, 40)) as pilot:
            await until(pilot, lambda: isinstance(app.screen, Resume))
            await shows(pilot, "Another wizard (process ")
            await press(pilot, "f5", "f10")
            assert isinstance(app.screen, Resume)
            assert "%" not in text(app), "nothing has failed"
            await press(pilot, "f8")
            await at_first_stage(pilot)
        assert files(store) == before


async def test_it_is_free_again_when_the_first_leaves_it(wizard: Make, store: Store, world: World) -> None:
    store.save(Spec(name="icon"))
    first, second = wizard(cluster="icon"), wizard()
    async with first.run_test() as one:
        await at_first_stage(one)
        with pytest.raises(Locked, match=r"Another wizard \(process \d+, since"):
            store.edit("icon")
        await press(one, "escape")
        await until(one, lambda: isinstance(first.screen, Welcome))
        async with second.run_test() as two:
            await shows(two, "Saved clusters")
            await press(two, "enter")
            await at_first_stage(two)
            assert not second.cluster.read_only
            await run_stage(two)
            assert second.cluster.runs.progress.stage("credentials").state == "done"
    store.edit("icon").release()


async def test_a_wizard_that_was_killed_keeps_nobody_out(wizard: Make, store: Store) -> None:
    """The kernel gives its lock back; what it has said of itself stays in a file."""
    store.save(Spec(name="icon"))
    (store.folder("icon") / "editing").touch()
    (store.folder("icon") / "editing.pid").write_text("1 1")
    app = wizard(cluster="icon")
    async with app.run_test() as pilot:
        await at_first_stage(pilot)
        assert not app.cluster.read_only


@pytest.mark.parametrize("keys", [("r", "ctrl+u", *"new", "enter"), ("d", "y")], ids=["rename", "delete"])
async def test_a_cluster_that_another_wizard_has_open_is_neither_renamed_nor_deleted(
    wizard: Make, store: Store, keys: tuple[str, ...]
) -> None:
    store.save(Spec(name="icon"))
    app = wizard()
    with store.editing("icon"):
        async with app.run_test(notifications=True) as pilot:
            await shows(pilot, "Saved clusters")
            await press(pilot, *keys)
            await shows(pilot, "Another wizard")
    assert store.names() == ["icon"]


async def test_a_key_that_is_typed_before_the_list_is_there_acts_when_it_is(wizard: Make, store: Store) -> None:
    """A journal of ten thousand lines takes a second to read."""
    begun(store)
    journal = store.folder("icon") / "journal.jsonl"
    journal.write_bytes(journal.read_bytes() * 2_500)
    app = wizard()
    async with app.run_test() as pilot:
        await rest(pilot)
        assert "Saved clusters" not in text(app)
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(app.screen, Resume) and not app.work.busy)


async def test_of_two_that_are_opened_at_once_the_first_is_and_the_other_stays_free(wizard: Make, store: Store) -> None:
    """Two clicks in a row."""
    for name in ("icon", "other"):
        store.save(Spec(name=name))
    app = wizard()
    async with app.run_test() as pilot:
        await shows(pilot, "Saved clusters")
        app.work.open_named("icon")
        app.work.open_named("other")
        await at_first_stage(pilot)
        assert app.cluster.name == "icon"
        store.edit("other").release()
        await press(pilot, "escape")
        await until(pilot, lambda: isinstance(app.screen, Welcome))
        app.work.open_named("other")
        await at_first_stage(pilot)
        assert (app.cluster.name, app.cluster.read_only) == ("other", "")
