"""The settings of the authkey stage: whose key wins, where the machines hold two different ones."""

from __future__ import annotations

from iconha_tui.widgets.choices import Option
from iconha_tui.widgets.fields import ChoiceField
from iconha_tui.widgets.form import Form
from iconha_tui.widgets.note import Note
from iconha_tui.widgets.outlook import Outlook


def _state(outlook: Outlook) -> str:
    first, second = outlook.spec.names
    sums = [outlook.facts.get(f"{name}.authkey_sha256") for name in (first, second)]
    if all(sums) and sums[0] != sums[1]:
        return (
            "The machines hold two different keys. One has to win; the other is replaced:\n"
            f"{first}  SHA-256 {sums[0]}\n{second}  SHA-256 {sums[1]}"
        )
    if all(sums):
        return f"Both machines hold the same key already (SHA-256 {sums[0]}). It is kept."
    if any(sums):
        return "One machine holds a key already. It is kept and carried to the other."
    return "A key is made on the first machine. Nothing has to be chosen, unless both hold different ones."


def _options(outlook: Outlook) -> list[Option]:
    first, second = outlook.spec.names
    return [
        ASK,
        Option(first, first, f"Where they differ, the key of {first} is carried to {second}."),
        Option(second, second, f"Where they differ, the key of {second} is carried to {first}."),
    ]


ASK = Option("", "ask me", "Where both machines hold a key and the keys differ, the stage stops and shows both.")


def form() -> Form:
    return Form(Note(_state), ChoiceField("authkey.keep", "Keep the key of", [ASK], offer=_options))
