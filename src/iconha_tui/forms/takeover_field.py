"""The operator's yes: that what somebody else has set in the cluster may be set anew."""

from __future__ import annotations

from iconha_tui.widgets.choices import Option
from iconha_tui.widgets.fields import ChoiceField
from iconha_tui.widgets.outlook import Outlook


def takeover_field(table: str, fact: str, what: str) -> ChoiceField:
    """The field TABLE.replace. fact: holds the digits of what a run has found; what: the same in words."""
    stop = Option("", "stop", f"{what} that this program has not set: it stops the stage; nothing is overwritten.")

    def offer(outlook: Outlook) -> list[Option]:
        known, found = getattr(outlook.spec, table).replace, outlook.facts.get(fact)
        options = [stop]
        if known:
            options.append(Option(known, "replace", f"What you have allowed to set anew ({known})."))
        if found and found != known:
            options.append(
                Option(str(found), "replace it", f"{what} found on the cluster ({found}): set as wanted here.")
            )
        return options

    return ChoiceField(f"{table}.replace", "Not ours", [stop], offer=offer)
