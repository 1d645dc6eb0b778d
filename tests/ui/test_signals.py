"""The wizard told to end by a signal while a run is going on."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest
from piloted import press, until

from iconha_tui.app import IconhaApp
from iconha_tui.store import Store

from .conftest import begin, run_stage
from .fakes import World

Make = Callable[..., IconhaApp]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_run_is_stopped_first_and_nothing_is_asked(
    wizard: Make, world: World, store: Store, number: int
) -> None:
    app = wizard()
    async with app.run_test() as pilot:
        await begin(pilot)
        await run_stage(pilot)
        world.gate.clear()
        await press(pilot, "f8", "f12")
        await until(pilot, lambda: world.commands)
        os.kill(os.getpid(), number)
        await until(pilot, lambda: app._exit)
    progress = store.progress("icon")
    assert (progress.outcome, progress.interrupted) == ("cancelled", False)
    assert progress.stage("packages").state == "todo"
