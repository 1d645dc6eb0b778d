"""A field of names and values: a row for each that is known, with what it means, and a line for others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Input, Static

from iconha_tui.widgets.fields import Field


class MappingField(Field):
    """known: the names that have rows of their own, each with a sentence on what it means. An empty row sets nothing."""

    several = True

    def __init__(self, path: str, label: str, known: Mapping[str, str], *, others: str) -> None:
        super().__init__(path, label)
        self.known = known
        self._others = others

    def compose(self) -> ComposeResult:
        yield Static(self.label, classes="form-heading", markup=False)
        for name, meaning in self.known.items():
            with Horizontal(classes="field-line"):
                yield Static(name, classes="field-label", markup=False)
                yield Input(compact=True, id=f"of-{name}", placeholder="not set")
            yield Static(meaning, classes="field-hint", markup=False)
        with Horizontal(classes="field-line"):
            yield Static("Others", classes="field-label", markup=False)
            yield Input(compact=True, id="others", placeholder=self._others)

    @property
    def value(self) -> dict[str, str]:
        found = {name: self.query_one(f"#of-{name}", Input).value.strip() for name in self.known}
        typed = dict(item.partition("=")[::2] for item in self.query_one("#others", Input).value.split())
        return {name: value for name, value in found.items() if value} | typed

    def show(self, value: Any) -> None:
        if value == self.value:
            return
        boxes = {f"of-{name}": str(value.get(name, "")) for name in self.known}
        boxes["others"] = " ".join(f"{name}={item}" for name, item in value.items() if name not in self.known)
        for identity, text in boxes.items():
            box = self.query_one(f"#{identity}", Input)
            with box.prevent(Input.Changed):
                box.value = text


class ColumnHeads(Horizontal):
    """Names the columns of the rows below it."""

    def __init__(self, title: str, columns: Mapping[str, str]) -> None:
        super().__init__(classes="column-heads")
        self._title, self._columns = title, columns

    def compose(self) -> ComposeResult:
        yield Static(self._title, classes="row-label form-heading", markup=False)
        yield from (Static(label, classes="short-label", markup=False) for label in self._columns.values())


class RowField(Field):
    """A few short values in one row, for example an operation's timeout and interval; `ColumnHeads` above names them.

    columns: name to label.
    """

    several = True

    def __init__(self, path: str, label: str, columns: Mapping[str, str], *, hint: str = "") -> None:
        super().__init__(path, label, hint=hint)
        self._columns = columns

    def compose_input(self) -> ComposeResult:
        yield from (Input(compact=True, id=f"cell-{name}", classes="short-value") for name in self._columns)

    @property
    def value(self) -> dict[str, str]:
        return {name: self.query_one(f"#cell-{name}", Input).value.strip() for name in self._columns}

    def show(self, value: Any) -> None:
        for name in self._columns:
            box = self.query_one(f"#cell-{name}", Input)
            if box.value != value[name]:
                with box.prevent(Input.Changed):
                    box.value = str(value[name])
