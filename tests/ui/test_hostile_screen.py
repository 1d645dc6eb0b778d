"""Nothing that comes from outside moves the terminal of the wizard, or is markup to it; a breakdown shows no secret."""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Callable

import pytest
from piloted import press, rest, text, until
from textual.events import Paste
from textual.widgets import Input

from iconha_tui import spec as specs
from iconha_tui.app import IconhaApp
from iconha_tui.engine.step import Vault
from iconha_tui.errors import Trouble
from iconha_tui.spec import Spec
from iconha_tui.store import Store

from .conftest import begin, shows
from .fakes import World

Make = Callable[..., IconhaApp]

NASTY = "\x1b]52;c;ZXZpbA==\x07\x1b[2J\x9b31m\u202e[red]not[/] markup[@click=app.quit]x[/]"


def controls(app: IconhaApp) -> list[str]:
    return [char for char in text(app) if unicodedata.category(char) in ("Cc", "Cs") and char != "\n"]


async def test_what_is_pasted_into_a_field_is_text_alone(wizard: Make) -> None:
    app = wizard()
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(pilot)
        field = app.screen.query(Input).first()
        field.focus()
        field.value = ""
        app.post_message(Paste(NASTY))
        await until(pilot, lambda: "markup" in field.value)
        assert not [char for char in field.value if unicodedata.category(char) in ("Cc", "Cf")]
        assert controls(app) == []


async def test_a_notice_shows_what_it_quotes_as_it_is(wizard: Make) -> None:
    app = wizard()
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await shows(pilot, "Press n to begin")
        app.tell(Trouble(f"AWS answered {NASTY}", where=NASTY, remedy=NASTY))
        await shows(pilot, "[red]not[/] markup")
        assert controls(app) == []


async def test_a_failure_shows_what_the_node_said_as_it_is(wizard: Make, world: World) -> None:
    app = wizard()
    world.cloud_trouble = Trouble(f"refused {NASTY}", where=NASTY, remedy=NASTY, detail=f"{NASTY}\n{NASTY}")
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await begin(pilot)
        await press(pilot, "f5")
        await until(pilot, lambda: not app.work.busy)
        await pilot.pause(0.2)
        assert controls(app) == []
        assert app.is_running


async def test_a_damaged_and_hostile_journal_is_said_and_opens(wizard: Make, store: Store) -> None:
    store.save(Spec(name="icon"))
    (store.folder("icon") / "journal.jsonl").write_text(
        '{"event": "RunStarted", "at": 1, "stages": ["credentials"]}\n'
        "garbage \x1b[2J\n"
        '{"event": "StageStarted", "at": 2, "stage": "[red]\\u001b[2Jx"}\n'
        '{"event": "StepFinished", "at": 2, "stage": "credentials", "step": "credentials.identity", "outcome": "failed",'
        ' "changed": true, "seconds": 1, "text": "\\u001b]52;c;x\\u0007[red]said[/]", "where": "\\u009b31m"}\n'
    )
    app = wizard()
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await shows(pilot, "Saved clusters")
        assert controls(app) == []
        await press(pilot, "enter")
        await shows(pilot, "damaged")
        assert controls(app) == []


async def test_clusters_that_cannot_be_read_stop_no_other(wizard: Make, store: Store) -> None:
    store.save(Spec(name="good"))
    for name, spoil in (
        ("cut", lambda folder: (folder / "spec.toml").write_text(specs.dumps(Spec(name="cut"))[:200])),
        ("newer", lambda folder: (folder / "spec.toml").write_text("version = 9\n")),
        ("odd", lambda folder: (folder / "journal.jsonl").mkdir()),
    ):
        store.save(Spec(name=name, nodes=[specs.NodeSpec(name=f"{name}-{n}") for n in "ab"]))
        spoil(store.folder(name))
    app = wizard()
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await shows(pilot, "good")
        for name in ("cut", "newer", "odd"):
            app.work.open_named(name)
            await rest(pilot)
        await shows(pilot, "cut short")
        assert app.is_running


async def test_a_breakdown_shows_neither_variables_nor_secrets(wizard: Make, caplog: pytest.LogCaptureFixture) -> None:
    secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
    vault = Vault({"node_secret_access_key": secret})
    app = wizard()
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(pilot, "Press n to begin")
        try:
            raise RuntimeError(f"no {vault.get('node_secret_access_key')} \x1b[2J")
        except RuntimeError as error:
            app._exception = error
            with caplog.at_level(logging.CRITICAL):
                app._fatal_error()
            app._exception = None
        shown = "".join(segment.text for each in app._exit_renderables for segment in each.segments)  # type: ignore[union-attr]
        assert secret not in shown
        assert "vault" not in shown
        assert "did not foresee: RuntimeError" in shown
        assert "\x1b" not in shown
        app._exit_renderables.clear()
