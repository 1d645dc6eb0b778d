"""Screens as pictures: the walk that the documentation is drawn from, at both sizes, dark, light and without colours."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest
from pictured import stopped_clocks
from piloted import rest
from pytest_textual_snapshot import SVGImageExtension
from screenshots import a_world, still, walk

from iconha_tui.assets.theme import DARK, LIGHT

SHADES = frozenset({"a form with a fault", "a live list", "a run", "a failure", "the palette", "the editor", "welcome"})
"""The stops with every kind of text, which are drawn in light and without colours too."""


@pytest.fixture
def pictures(snapshot: Any) -> Any:
    return snapshot.use_extension(SVGImageExtension)


@pytest.fixture(autouse=True)
def own_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "")  # put back afterwards; the world sets it


async def compare(
    pictures: Any, root: Path, size: tuple[int, int], stops: Collection[str], *, light: bool
) -> list[str]:
    """Takes the walk; the names of the pictures that are not as they were. light: each of `SHADES` in light too."""
    wrong = []
    with stopped_clocks() as clock:
        world, app = a_world(clock, root)
        async with app.run_test(size=size) as pilot:
            async for stop in walk(pilot, world):
                if stops and stop not in stops:
                    continue
                if await still(pilot) != pictures(name=stop):
                    wrong.append(stop)
                if light and stop in SHADES - {"the palette"}:  # it closes when a theme is chosen
                    app.theme = LIGHT.name
                    if await still(pilot) != pictures(name=f"{stop}, light"):
                        wrong.append(f"{stop}, light")
                    app.theme = DARK.name
                    await rest(pilot)
    return wrong


async def test_dark_and_light(pictures: Any, tmp_path: Path, size: tuple[int, int]) -> None:
    assert await compare(pictures, tmp_path, size, (), light=True) == []


async def test_no_color(pictures: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At one size: what has no colour is laid out like all else."""
    monkeypatch.setenv("NO_COLOR", "1")
    assert await compare(pictures, tmp_path, (80, 24), SHADES, light=False) == []
