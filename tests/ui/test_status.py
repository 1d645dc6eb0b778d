"""The status on the screen: live, in one place, and never in the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Event
from typing import Any

import pytest
from piloted import press, text, until
from status_world import ONE, TWO, Pair, PairEyes
from textual.containers import VerticalScroll
from textual.widgets import DataTable
from waiting import BOUND

from iconha_tui import status
from iconha_tui.app import IconhaApp
from iconha_tui.screens.status import StatusScreen
from iconha_tui.screens.status_table import StatusTable
from iconha_tui.session import Session
from iconha_tui.spec import Spec
from iconha_tui.status.report import Source
from iconha_tui.status.watcher import Watcher
from iconha_tui.store import Store
from iconha_tui.widgets import status_view

from .conftest import kept, shows

Make = Callable[..., IconhaApp]


@pytest.fixture
def pairs(monkeypatch: pytest.MonkeyPatch, store: Store) -> Iterator[dict[str, Pair]]:
    """By cluster, each saved; a status of it sees that pair, whenever it is told to look."""
    found: dict[str, Pair] = {}
    made: list[Watcher] = []

    def watch(session: Session, every: float = 0.05) -> Watcher:
        made.append(Watcher(session.spec, PairEyes(found[session.spec.name]), every=0.05))
        return made[-1]

    monkeypatch.setattr(status, "watch", watch)
    yield found
    for one in made:
        one.close()


@pytest.fixture
def pair(pairs: dict[str, Pair], store: Store) -> Pair:
    """The only cluster's."""
    store.save(Spec(name="icon"))
    pairs["icon"] = Pair()
    return pairs["icon"]


def page(app: IconhaApp) -> str:
    """All of the status, also what is below the edge of the screen."""
    from iconha_tui.widgets.hanging import Hanging

    return "\n".join(each.plain for each in app.screen.query(Hanging))


async def test_a_healthy_pair_fits_one_screen_of_80x24_but_for_its_events(wizard: Make, pair: Pair) -> None:
    app = wizard(start="status")
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(pilot, "✓ READY")
        await until(pilot, lambda: text(app).count("✓ online") == 2)
        shown = text(app)
        assert "203.0.113.10 is on PRep-01" in shown
        assert "has the address" in shown
        assert shown.index(f"{ONE}  has the address") < shown.rindex(TWO)


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (60, 20)])
async def test_all_of_it_is_there_at_every_size(wizard: Make, pair: Pair, size: tuple[int, int]) -> None:
    app = wizard(start="status")
    async with app.run_test(size=size) as pilot:
        await shows(pilot, "✓ READY")
        await until(pilot, lambda: page(app).count("✓ online") == 2 and "icon_dex started" in page(app))
        found = page(app)
        for words in ("DC", "link 0 up", "running", "answers", "load 0.21", "7100 answers", "height 47,721,051", "quorate",
                      "2Node, Quorate, WaitForAll", "they agree", "Started on PRep-01", "start on PRep-01",
                      "elastic-ip failed on PRep-01", "joined the cluster"):  # fmt: skip
            assert words in found, words
        await press(pilot, "end")
        await shows(pilot, "joined the cluster")


async def test_the_nodes_stand_side_by_side_where_there_is_room(wizard: Make, pair: Pair) -> None:
    app = wizard(start="status")
    async with app.run_test(size=(120, 40)) as pilot:
        await shows(pilot, "✓ READY")
        assert any(ONE in line and TWO in line and "seen" in line for line in text(app).splitlines())


async def test_a_disagreement_is_the_first_thing_and_loud(wizard: Make, pair: Pair) -> None:
    app = wizard(start="status")
    async with app.run_test(size=(120, 40)) as pilot:
        await shows(pilot, "✓ READY")
        pair.by_ec2 = TWO
        await shows(pilot, "EC2 and the cluster disagree")
        assert "THEY DISAGREE" in text(app)
        strips = app.screen._compositor.render_strips(app.size)
        loud = [segment.style for strip in strips for segment in strip if "the cluster disagree" in segment.text]
        assert loud
        assert all(style is not None and style.bold and style.reverse for style in loud)


async def test_what_stops_answering_stays_with_its_age_and_without_its_colours(wizard: Make, pair: Pair) -> None:
    app = wizard(start="status")
    async with app.run_test(size=(120, 40)) as pilot:
        await shows(pilot, "✓ READY")
        pair.away = {TWO: "SSH does not answer."}
        await shows(pilot, "SSH does not answer.")
        await shows(pilot, "PRep-02 has not answered for")
        assert "s ago: up 4 h 32 min" in page(app)
        assert "by PRep-01's word" in page(app)
        assert "s ago: ✓ 4 of 4 allowed" in page(app)
        assert "UNKNOWN" in text(app)
        assert app.screen.query_one("#status-node-1").has_class("-stale")
        assert not app.screen.query_one("#status-node-0").has_class("-stale")


@pytest.mark.parametrize(
    "away",
    [
        {"aws": "No AWS credentials were found."},
        {ONE: "No route to host.", TWO: "No route to host."},
        {"aws": "x.", ONE: "x.", TWO: "x.", "ports": "x."},
    ],
)
async def test_what_never_answered_is_named_as_missing(wizard: Make, pair: Pair, away: dict[str, str]) -> None:
    pair.away = away
    app = wizard(start="status")
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(pilot, "UNKNOWN")
        for sentence in away.values():
            assert sentence in page(app)
        assert "not known" in page(app)


async def test_a_new_look_leaves_the_place_and_the_focus(wizard: Make, pair: Pair) -> None:
    app = wizard(start="status")
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: page(app).count("✓ online") == 2)
        await press(pilot, "pagedown")
        await until(pilot, lambda: app.screen.query_one("#status-page", VerticalScroll).scroll_y > 5)
        scroll, focused = app.screen.query_one("#status-page", VerticalScroll).scroll_y, app.focused
        assert isinstance(app.screen, StatusScreen)
        turns = app.screen.watcher.turns
        pair.chain = "stopped"
        await until(pilot, lambda: app.screen.watcher.turns > turns + 10 and "icon_dex stopped" in page(app))  # type: ignore[attr-defined]
        assert app.focused is focused
        assert app.screen.query_one("#status-page", VerticalScroll).scroll_y == scroll


async def test_a_look_that_hangs_leaves_the_screen_at_once_free(
    wizard: Make, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Event()
    monkeypatch.setattr(PairEyes, "aws", lambda self: gate.wait(BOUND))
    app = wizard(start="status")
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(pilot, "Looking")
        await press(pilot, "f1")
        await press(pilot, "escape", "escape")
        await until(pilot, lambda: not isinstance(app.screen, StatusScreen))
    gate.set()


async def test_f5_looks_at_once_and_c_copies_the_text(
    wizard: Make, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied: list[str] = []
    monkeypatch.setattr(IconhaApp, "copy_to_clipboard", lambda self, text: copied.append(text))
    app = wizard(start="status")
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(pilot, "✓ READY")
        assert isinstance(app.screen, StatusScreen)
        app.screen.watcher.every = 1000
        await pilot.pause(0.3)
        turns = app.screen.watcher.turns
        await press(pilot, "f5")
        await until(pilot, lambda: app.screen.watcher.turns >= turns + 5)  # type: ignore[attr-defined]
        await press(pilot, "c")
        assert copied[0].startswith("icon: READY")
        await kept(pilot, copied[0])


async def test_an_operation_that_is_under_way_is_neither_good_nor_bad(wizard: Make, pair: Pair) -> None:
    pair.under_way = True
    app = wizard(start="status")
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "◐ under way" in page(app))
        assert "✗ unknown" not in page(app)


async def test_what_a_node_says_is_never_markup(wizard: Make, pair: Pair) -> None:
    pair.chain = "[bold red]x[/] [@click=app.quit]y[/]"
    app = wizard(start="status")
    async with app.run_test(size=(120, 40)) as pilot:
        await shows(pilot, "[bold red]x[/] [@click=app.quit]y[/]")


async def test_several_clusters_are_a_table_first_and_enter_opens_one(
    wizard: Make, pairs: dict[str, Pair], store: Store, size: tuple[int, int]
) -> None:
    for name in ("spare", "main"):
        store.save(Spec(name=name))
    pairs |= {"main": Pair(), "spare": Pair(offline={TWO})}
    app = wizard(start="status")
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: "▲ not ready" in text(app) and "✓ ready" in text(app))
        assert isinstance(app.screen, StatusTable)
        table = app.screen.query_one(DataTable)
        names = [str(row.key.value) for row in table.ordered_rows]
        await press(pilot, *["down"] * names.index("spare"))
        pairs["main"].holder = ""
        await press(pilot, "f5")
        await until(
            pilot, lambda: (text(app).count("✓ ready") == 0 and "✗ down" in text(app)) or "▲ not ready" in text(app)
        )
        assert names[table.cursor_row] == "spare", "a new look leaves the cursor"
        await press(pilot, "enter")
        await shows(pilot, "status of spare")
        await shows(pilot, "PRep-02 is offline in the cluster.")
        await press(pilot, "escape")
        assert isinstance(app.screen, StatusTable)


async def test_a_cluster_whose_spec_is_damaged_is_told_below_the_table(
    wizard: Make, pairs: dict[str, Pair], store: Store
) -> None:
    for name in ("main", "spare"):
        store.save(Spec(name=name))
        pairs[name] = Pair()
    (store.folder("spare") / "spec.toml").write_text("name = ")
    app = wizard(start="status")
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(pilot, "✓ ready")
        assert "spare:" in text(app)


async def test_leaving_ends_the_looking(wizard: Make, pair: Pair) -> None:
    app = wizard(start="status")
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(pilot, "✓ READY")
        screen: Any = app.screen
        await press(pilot, "escape")
        await until(pilot, lambda: screen.watcher._eyes.closed)


@pytest.mark.parametrize("part", ["node", "ports"])
def test_calls_that_are_tried_every_five_minutes_do_not_make_a_node_look_old(part: str) -> None:
    sources = [Source(part, TWO, 100.0, 2.0, ""), Source("calls", TWO, 0.0, 250.0, "")]  # type: ignore[arg-type]
    assert status_view.ages(sources).plain == "seen 2 s ago"
    old = [Source(part, TWO, 100.0, 90.0, "It does not answer."), Source("calls", TWO, 0.0, 250.0, "")]  # type: ignore[arg-type]
    assert "old" in status_view.ages(old).plain
