"""The table of docs/status.md is that of the states that the lab makes."""

from __future__ import annotations

import re

from status_faults import EXIT_CODES, FAULTS, PAGE, page

from iconha_tui.exit_codes import OF_VERDICT


def test_the_table_is_up_to_date() -> None:
    """Else: python tests/lab/status_faults.py"""
    text = PAGE.read_text(encoding="utf-8")
    assert text == page(text)
    assert len(re.findall(r"^\| .* \|$", text.partition("states: begin")[2], re.MULTILINE)) == 1 + len(FAULTS)


def test_every_verdict_is_made_with_the_exit_code_that_the_page_promises() -> None:
    assert OF_VERDICT == EXIT_CODES
    assert {fault.verdict for fault in FAULTS} == set(OF_VERDICT)


def test_every_reason_of_the_table_is_explained_on_the_page() -> None:
    explained = PAGE.read_text(encoding="utf-8").partition("## States")[0]
    assert [fault.reason for fault in FAULTS if fault.reason and f"`{fault.reason}`" not in explained] == []


def test_no_two_states_have_the_same_name() -> None:
    assert len({fault.id for fault in FAULTS}) == len(FAULTS)
