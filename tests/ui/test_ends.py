"""The screens at both ends: welcome, resume, summary; and what the program remembers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from iconha_tui.app import IconhaApp
from iconha_tui.config import Config
from iconha_tui.spec import Spec
from iconha_tui.store import Store

from .conftest import begin, press, run_stage, shows, text, until
from .fakes import World

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
        await shows(pilot, "cannot be read, and is ignored")
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
        await until(pilot, lambda: app.spec.name == "icon")
        assert (app.spec.aws.region, app.spec.aws.profile) == ("eu-west-3", "work")
    assert Config(config).region == "eu-west-3"
