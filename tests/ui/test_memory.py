"""A cluster that is closed is gone from memory, with its pages, its session and its runs."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable

from piloted import Pressed, press, until

from iconha_tui.app import IconhaApp
from iconha_tui.control.open_cluster import OpenCluster
from iconha_tui.control.run_model import RunModel
from iconha_tui.screens.stage import StageScreen
from iconha_tui.screens.welcome import Welcome
from iconha_tui.session import Session
from iconha_tui.spec import Spec
from iconha_tui.store import Store
from iconha_tui.widgets.form import Form

Make = Callable[..., IconhaApp]

OF_A_CLUSTER = (OpenCluster, RunModel, Session, StageScreen, Form)
ROUNDS = 20


def alive() -> Counter[str]:
    """How many there are of what each open cluster has."""
    for _ in range(3):
        gc.collect()
    kinds = Counter(type(each) for each in gc.get_objects())
    return Counter({kind.__name__: kinds[kind] for kind in OF_A_CLUSTER})


async def opened_and_closed(pilot: Pressed, name: str) -> None:
    app = pilot.app
    assert isinstance(app, IconhaApp)
    app.work.open_named(name)
    await until(pilot, lambda: isinstance(app.screen, StageScreen))
    await press(pilot, "f8", "f7", "escape")
    await until(pilot, lambda: isinstance(app.screen, Welcome) and not app.work.is_open)


async def test_clusters_that_were_opened_and_closed_leave_nothing_behind(wizard: Make, store: Store) -> None:
    """Each is a hundred widgets and a session; whoever looks after many clusters opens one after the other."""
    names = [f"cluster-{number}" for number in range(ROUNDS)]
    for name in names:
        store.save(Spec(name=name))
    app = wizard()
    async with app.run_test(size=(80, 24)) as pilot:
        for name in names[:3]:
            await opened_and_closed(pilot, name)
        before = alive()
        for name in names[3:]:
            await opened_and_closed(pilot, name)
        await until(pilot, lambda: alive() - before == Counter())  # the pages of the last are still being taken down
