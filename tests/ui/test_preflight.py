"""The check before the run: what it finds comes live, stops what it must, and keeps nobody waiting who has nothing to read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import partial
from threading import Event

import pytest
from piloted import Pressed, press, rest, text, until
from textual.widgets import OptionList

from iconha_tui.app import IconhaApp
from iconha_tui.errors import Cancelled, Trouble
from iconha_tui.preflight import Found
from iconha_tui.screens.dialogs import Ask
from iconha_tui.screens.preflight import Preflight
from iconha_tui.screens.resume import Resume
from iconha_tui.screens.stage import StageScreen
from iconha_tui.session import Session
from iconha_tui.widgets.findings import FindingList

from .conftest import begin, run_stage, shows
from .fakes import World, stages

Make = Callable[..., IconhaApp]
SIZES = [(60, 20), (80, 24), (120, 40)]

GOOD = [
    Found("AWS", "AWS knows you", "done", "account 123456789012, arn:aws:iam::123456789012:user/operator"),
    Found("AWS", "The Elastic IP is yours", "will_be_made", "There is none yet. ec2:AllocateAddress is allowed."),
    Found("here", "Your SSH key is there", "done", "~/.ssh/id_ed25519"),
    Found(
        "PRep-01",
        "The machine",
        "will_be_made",
        "it does not exist yet; what it will be like is looked at once it runs",
    ),
    Found("PRep-02", "SSH and sudo", "done", "Ubuntu 22.04.4 LTS, x86_64"),
]
WARNING = Found(
    "PRep-02", "apt", "warning", "process 812 (unattended-upgrade) holds /var/lib/dpkg/lock",
    "A run waits for it, five minutes at most.",
)  # fmt: skip
BAD = Found(
    "PRep-02", "Corosync's port", "stands_in_the_way", "udp 5405 is held by named", "End it, or choose another port.",
    "packages", "packages.shell",
)  # fmt: skip


@pytest.fixture
def wizard(wizard: Make, world: World) -> Make:
    """The wizard with the stages up to Packages: one that changes nothing, and two that do."""
    return partial(wizard, stages=stages(world)[:3])


class Looks:
    """A preflight that finds what it is told, once its gate is open."""

    def __init__(self, *found: Found) -> None:
        self.found: tuple[Found, ...] = (*GOOD, *found)
        self.gate = Event()
        self.gate.set()
        self.times = 0
        self.skipped: list[str] = []
        self.ends: Exception | None = None

    def __call__(self, session: Session, skip: Collection[str]) -> Iterator[Found]:
        self.times += 1
        self.skipped = list(skip)
        first, *rest = self.found
        yield first
        while not self.gate.wait(0.02):
            if session.ctx.cancel.is_set():
                raise Cancelled("Stopped by the operator; nothing was changed.")
        if self.ends:
            raise self.ends
        yield from rest


async def at_instances(pilot: Pressed) -> None:
    """From the welcome screen to the first stage that changes something."""
    await begin(pilot)
    await run_stage(pilot)
    await press(pilot, "f8")
    await until(pilot, lambda: stage_of(pilot.app) == "instances" and pilot.app.screen.query("Form"))
    await until(pilot, lambda: not pilot.app.work.busy)  # type: ignore[attr-defined]


def stage_of(app: object) -> str:
    screen = app.screen  # type: ignore[attr-defined]
    return screen.stage.name if isinstance(screen, StageScreen) else ""


def state_of(pilot: Pressed, stage: str) -> str:
    state: str = pilot.app.cluster.runs.progress.stage(stage).state  # type: ignore[attr-defined]
    return state


async def on_page(pilot: Pressed) -> None:
    """Until the page is there and has nothing more to look at."""
    await until(pilot, lambda: isinstance(pilot.app.screen, Preflight) and not pilot.app.work.busy)  # type: ignore[attr-defined]


async def test_the_first_change_is_preceded_by_a_check_that_asks_for_no_key_where_all_is_well(
    wizard: Make, world: World
) -> None:
    looks = Looks()
    async with wizard(look=looks).run_test(size=(80, 24)) as pilot:
        await at_instances(pilot)
        assert looks.times == 0, "the first stage changes nothing"
        looks.gate.clear()
        await press(pilot, "f5")
        await shows(pilot, "AWS knows you")
        assert not world.commands
        assert "Your SSH key" not in text(pilot.app), "findings come as they are made"
        looks.gate.set()
        await until(pilot, lambda: state_of(pilot, "instances") == "done")
        await press(pilot, "f8")
        await run_stage(pilot)
        assert state_of(pilot, "packages") == "done"
        assert looks.times == 1, "later stages do not look again"


async def test_a_run_to_the_end_stops_before_the_first_change_and_shows_what_stands_in_the_way(
    wizard: Make, world: World
) -> None:
    looks = Looks(WARNING, BAD)
    async with wizard(look=looks).run_test(size=(80, 24)) as pilot:
        await begin(pilot)
        await press(pilot, "f12")
        await on_page(pilot)
        await shows(pilot, "1 finding to be settled first; nothing was changed.")
        assert not world.commands
        assert state_of(pilot, "credentials") == "todo"
        chosen = pilot.app.screen.query_one(FindingList).chosen
        assert chosen == BAD
        assert "End it, or choose another port." in text(pilot.app)
        await press(pilot, "f8")
        assert isinstance(pilot.app.screen, Preflight), "F8 does not pass a finding over"
        await press(pilot, "enter")
        await until(pilot, lambda: stage_of(pilot.app) == "packages")
        await until(pilot, lambda: pilot.app.focused is not None and pilot.app.focused.has_focus_within)
        looks.found = (*GOOD,)
        await press(pilot, "f7", "f7")
        await until(pilot, lambda: stage_of(pilot.app) == "credentials")
        await press(pilot, "f12")
        await until(pilot, lambda: state_of(pilot, "packages") == "done")
        assert looks.times == 2


async def test_a_warning_waits_for_one_key(wizard: Make, world: World) -> None:
    looks = Looks(WARNING)
    async with wizard(look=looks).run_test(size=(80, 24)) as pilot:
        await at_instances(pilot)
        await press(pilot, "f12")
        await on_page(pilot)
        await shows(pilot, "Nothing stands in the way; 1 warning. F8 goes on.")
        assert "A run waits for it" in text(pilot.app)
        assert not world.commands
        await press(pilot, "f8")
        await until(pilot, lambda: state_of(pilot, "packages") == "done")
        assert looks.times == 1


async def test_a_chain_of_stages_is_checked_where_it_comes_to_its_first_change(wizard: Make, world: World) -> None:
    """F5 on the first stage and F12 while it runs: the stages that follow are checked before they begin."""
    looks = Looks(WARNING)
    async with wizard(look=looks).run_test(size=(80, 24)) as pilot:
        await begin(pilot)
        app = pilot.app
        assert isinstance(app, IconhaApp)
        await press(pilot, "f5", "f12")
        await on_page(pilot)
        await press(pilot, "f8")
        await until(pilot, lambda: state_of(pilot, "packages") == "done")


async def test_what_the_operator_knows_better_is_passed_over_by_a_yes(wizard: Make, world: World) -> None:
    looks = Looks(BAD)
    async with wizard(look=looks).run_test(size=(80, 24)) as pilot:
        await at_instances(pilot)
        await press(pilot, "f5")
        await on_page(pilot)
        await press(pilot, "k")
        assert isinstance(pilot.app.screen, Ask)
        await press(pilot, "n")
        assert isinstance(pilot.app.screen, Preflight)
        await press(pilot, "k", "y")
        await until(pilot, lambda: state_of(pilot, "instances") == "done")
        assert looks.times == 1


async def test_a_finding_that_stays_is_looked_for_at_each_try(wizard: Make, world: World) -> None:
    looks = Looks(BAD)
    async with wizard(look=looks).run_test(size=(80, 24)) as pilot:
        await at_instances(pilot)
        for _ in range(2):
            await press(pilot, "f5")
            await on_page(pilot)
            await shows(pilot, "to be settled")
            await press(pilot, "escape")
            await until(pilot, lambda: stage_of(pilot.app) == "instances")
        assert looks.times == 2
        assert not world.commands


async def test_a_changed_setting_is_looked_at_again_before_the_first_change(wizard: Make, world: World) -> None:
    looks = Looks()
    async with wizard(look=looks).run_test(size=(80, 24)) as pilot:
        await at_instances(pilot)
        app = pilot.app
        assert isinstance(app, IconhaApp)
        await press(pilot, "f10")
        await on_page(pilot)
        await press(pilot, "escape")
        assert app.cluster.controller.accepted == app.cluster.draft
        app.cluster.draft = app.cluster.draft.model_copy(
            update={"corosync": app.cluster.draft.corosync.model_copy(update={"port": 5500})}
        )
        await press(pilot, "f5")
        await until(pilot, lambda: state_of(pilot, "instances") == "done")
        assert looks.times == 2


@pytest.mark.parametrize("key", ["f9", "escape"])
async def test_it_can_be_stopped(wizard: Make, world: World, key: str) -> None:
    looks = Looks()
    looks.gate.clear()
    async with wizard(look=looks).run_test(size=(80, 24)) as pilot:
        await at_instances(pilot)
        await press(pilot, "f12")
        await shows(pilot, "AWS knows you")
        await press(pilot, key)
        await until(pilot, lambda: not pilot.app.work.busy)  # type: ignore[attr-defined]
        if key == "f9":
            await shows(pilot, "Stopped before all was looked at; nothing was changed. F5 looks again.")
            looks.gate.set()
            await press(pilot, "f5")
            await until(pilot, lambda: state_of(pilot, "packages") == "done")
        else:
            await until(pilot, lambda: stage_of(pilot.app) == "instances")
            assert not world.commands


@pytest.mark.parametrize("ends", [Trouble("The folder is full.", remedy="Make room."), KeyError("of ours")])
async def test_a_check_that_breaks_down_is_told_and_is_no_yes(wizard: Make, world: World, ends: Exception) -> None:
    looks = Looks()
    looks.ends = ends
    async with wizard(look=looks).run_test(size=(80, 24)) as pilot:
        await at_instances(pilot)
        await press(pilot, "f5")
        await on_page(pilot)
        await shows(pilot, "The check itself")
        await shows(pilot, "1 finding to be settled first")
        assert not world.commands


async def test_a_host_key_is_asked_for_and_stopping_waits_for_no_answer(wizard: Make, world: World) -> None:
    class Asks(Looks):
        def __call__(self, session: Session, skip: Collection[str]) -> Iterator[Found]:
            session.ctx.node("PRep-01").run(("true",))
            yield from super().__call__(session, skip)

    world.ask_key = {"PRep-01"}
    async with wizard(look=Asks()).run_test(size=(80, 24)) as pilot:
        await at_instances(pilot)
        await press(pilot, "f5")
        await shows(pilot, "SHA256:")
        await press(pilot, "y")
        await until(pilot, lambda: state_of(pilot, "instances") == "done")


async def test_it_is_reached_by_key_and_by_the_palette_and_from_where_one_comes_back(
    wizard: Make, world: World
) -> None:
    looks = Looks(BAD)
    async with wizard(look=looks).run_test(size=(80, 24)) as pilot:
        await at_instances(pilot)
        for keys in (["f10"], ["ctrl+l"], ["ctrl+p", *"before the", "enter"]):
            await press(pilot, *keys)
            await on_page(pilot)
            await shows(pilot, "to be settled")
            assert "k goes on" not in text(pilot.app), "there is nothing that waits for it"
            await press(pilot, "escape")
            await until(pilot, lambda: stage_of(pilot.app) == "instances")
        await press(pilot, "escape")
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, Resume) and not pilot.app.work.busy)  # type: ignore[attr-defined]
        assert "F10 Check before the run" in text(pilot.app)
        await press(pilot, "f10")
        await on_page(pilot)
        await press(pilot, "escape")
        assert isinstance(pilot.app.screen, Resume)


async def test_while_something_runs_it_says_so(wizard: Make, world: World) -> None:
    async with wizard(look=Looks()).run_test(size=(80, 24), notifications=True) as pilot:
        await at_instances(pilot)
        world.gate.clear()
        await press(pilot, "f5")
        await until(pilot, lambda: world.commands)
        await press(pilot, "f10")
        await shows(pilot, "A stage is running. F9 stops it.")
        assert stage_of(pilot.app) == "instances"
        world.gate.set()
        await until(pilot, lambda: not pilot.app.work.busy)  # type: ignore[attr-defined]


async def test_what_was_skipped_is_not_looked_at(wizard: Make, world: World, store: object) -> None:
    looks = Looks()
    async with wizard(look=looks).run_test(size=(80, 24)) as pilot:
        await at_instances(pilot)
        app = pilot.app
        assert isinstance(app, IconhaApp)
        app.cluster.runs.progress.steps["credentials.region"] = "skipped"
        await press(pilot, "f10")
        await on_page(pilot)
        assert looks.skipped == ["credentials.region"]


@pytest.mark.parametrize("size", SIZES, ids=[f"{width}x{height}" for width, height in SIZES])
async def test_every_size_shows_the_worst_finding_with_its_remedy_and_the_mouse_does_what_keys_do(
    wizard: Make, size: tuple[int, int]
) -> None:
    more = [Found("AWS", f"Thing {number}", "done", "as it should be " * 5) for number in range(20)]
    async with wizard(look=Looks(*more, WARNING, BAD)).run_test(size=size) as pilot:
        await at_instances(pilot)
        await press(pilot, "f10")
        await on_page(pilot)
        await until(pilot, lambda: "udp 5405 is held by named" in " ".join(text(pilot.app).split()))
        await until(pilot, lambda: "End it, or choose another port." in " ".join(text(pilot.app).split()))
        shown = text(pilot.app)
        assert "✗ stands in the way" in shown
        assert "F5 Look again" in shown
        listed = pilot.app.screen.query_one(FindingList)
        await press(pilot, "home")
        assert listed.chosen == GOOD[0]
        await press(pilot, "end")
        assert listed.chosen == BAD
        await press(pilot, "up")
        assert listed.chosen == WARNING
        row = next(number for number, line in enumerate(text(pilot.app).splitlines()) if "Corosync's port" in line)
        await pilot.click(offset=(20, row))
        assert listed.chosen == BAD, "the first click chooses"
        await pilot.click(offset=(20, row))
        await until(pilot, lambda: stage_of(pilot.app) == "packages")


async def test_a_finding_without_a_setting_leads_nowhere(wizard: Make) -> None:
    async with wizard(look=Looks(WARNING)).run_test(size=(80, 24)) as pilot:
        await at_instances(pilot)
        await press(pilot, "f10")
        await on_page(pilot)
        assert pilot.app.screen.query_one(FindingList).chosen == WARNING
        assert "To its setting" not in text(pilot.app)
        await press(pilot, "enter")
        assert isinstance(pilot.app.screen, Preflight)


async def test_what_a_node_says_is_no_markup_and_widths_are_kept_on_resize(wizard: Make) -> None:
    evil = Found("PRep-01", "apt", "stands_in_the_way", "[bold red]x[/] held " * 12, "[@click=app.quit]mend[/] it")
    async with wizard(look=Looks(evil)).run_test(size=(120, 40)) as pilot:
        await at_instances(pilot)
        await press(pilot, "f10")
        await on_page(pilot)
        await shows(pilot, "[bold red]x[/]")
        assert "[@click=app.quit]mend[/] it" in text(pilot.app)
        await pilot.resize_terminal(60, 20)
        await rest(pilot)
        assert pilot.app.screen.query_one(OptionList).virtual_size.width <= 60
        assert pilot.app.screen.query_one(FindingList).chosen == evil
