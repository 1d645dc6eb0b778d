"""Draws docs/*.svg from the real app: `python docs/screenshots.py`. Nothing is reached; addresses are documentation's."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from iconha_tui.app import IconhaApp
from iconha_tui.engine.events import StageFinished
from iconha_tui.session import ConfirmHostKey, Session
from iconha_tui.spec import Spec
from iconha_tui.store import Store

FACTS = {
    "PRep-01.instance_id": "i-0a1b2c3d4e5f60718",
    "PRep-01.private_ip": "10.0.0.11",
    "PRep-02.instance_id": "i-08192a3b4c5d6e7f0",
    "PRep-02.private_ip": "10.0.0.12",
}
SECONDS = {"credentials": 0.9, "instances": 41.0, "packages": 63.0, "authkey": 0.4}


def session(store: Store, spec: Spec, confirm: ConfirmHostKey) -> Session:
    """A session that has come to the Corosync stage."""
    opened = Session(store, spec, confirm_host_key=confirm)
    opened.ctx.learn(FACTS)
    return opened


async def draw(target: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        app = IconhaApp(Store(Path(folder)), spec=Spec(name="prep"), session_factory=session, warm_up=False)
        async with app.run_test(size=(120, 40)) as pilot:
            await pilot.pause(1)
            for stage, seconds in SECONDS.items():
                app.live.progress.take(0.0, StageFinished(stage, "done", True, seconds))
            for key in ["f8"] * 4 + ["tab"] * 6:
                await pilot.press(key)
                await pilot.pause(0.4)
            target.write_text(app.export_screenshot(title="iconha-tui"))


if __name__ == "__main__":
    asyncio.run(draw(Path(sys.argv[0]).with_name("wizard.svg")))
