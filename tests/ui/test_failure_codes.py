"""F2 after a failure: to the setting at fault, by the code of the error and not by its words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from piloted import press, text, until
from textual.widgets import Input

from iconha_tui.app import IconhaApp
from iconha_tui.engine.ports import Completed
from iconha_tui.error_codes import Code
from iconha_tui.errors import Trouble
from iconha_tui.screens.stage import StageScreen

from .fakes import FakeNode, World
from .test_running import fail, to


@pytest.mark.parametrize(
    ("code", "path"),
    [
        (Code.AWS_UNREACHABLE, "aws.region"),
        (Code.AWS_KEYS_REFUSED, "aws.profile"),
        (Code.SUDO_REFUSED, "ssh.user"),
    ],
)
async def test_f2_leads_to_the_setting_at_fault_by_the_code_of_the_error(
    wizard: Callable[..., IconhaApp], world: World, monkeypatch: pytest.MonkeyPatch, code: Code, path: str
) -> None:
    carry_out = FakeNode._carry_out

    def raises(self: FakeNode, *what: Any) -> Completed:
        done = carry_out(self, *what)
        if done.code != 0:
            raise Trouble("It did not work.", code=code, where=self.name, remedy="Correct it.")
        return done

    monkeypatch.setattr(FakeNode, "_carry_out", raises)
    app = wizard()
    async with app.run_test() as pilot:
        await to(pilot, "corosync")
        await fail(pilot, world, "corosync-b")
        assert "F2 edit Credentials" in text(app)
        await press(pilot, "f2")
        await until(pilot, lambda: isinstance(app.focused, Input))
        assert isinstance(app.screen, StageScreen)
        assert app.screen.stage.name == "credentials"
        assert [f.path for f in app.screen.form.fields if app.focused in f.query("Input")] == [path]
