"""A form: fields over a part of the spec, judged by the spec's own types as one types."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from iconha_tui.spec import Spec, follow_names
from iconha_tui.widgets.fields import Field, SecretField
from iconha_tui.widgets.outlook import Outlook
from iconha_tui.widgets.words import Words

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


class Part(Widget):
    """A piece of a form that is no field, but follows the draft: a note, a preview."""

    def follow(self, outlook: Outlook) -> None:
        """The draft has changed."""


class Form(Vertical):
    """Fields over the spec. Keeps what was typed, valid or not; a valid draft is told by `Changed`.

    parts: fields, and widgets between them, on a page that scrolls. Whatever is a `Field` edits the spec at its path.
    beside: what stays in sight beside the page while it scrolls, or below it where the terminal is narrow.
    summary: the paragraph that the page begins with.
    """

    summary = ""

    class Changed(Message):
        """Something was typed. draft: the whole spec with it, None while it does not hold together."""

        def __init__(self, form: Form, draft: Spec | None) -> None:
            super().__init__()
            self.form = form
            self.draft = draft

        @property
        def control(self) -> Form:
            return self.form

    def __init__(self, *parts: Widget, beside: Widget | None = None, classes: str = "") -> None:
        super().__init__(classes=f"form {classes}")
        self._parts, self._beside = parts, beside
        self._base: Spec | None = None
        self._outlook: Outlook | None = None
        self._known: Spec | None = None
        """The spec as it was last shown here, or told from here."""
        self._sound = True
        self._caution = ""
        self.held = False
        """Whether the fields are closed, for a run reads them."""
        self.problem = ""
        """Why the form does not hold together; "" when it does."""

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="form-page", can_focus=False):
            yield Static(self.summary, id="summary", markup=False)
            yield from self._parts
            yield Static(classes="form-problem", markup=False)
        if self._beside is not None:
            self._beside.add_class("form-beside")
            yield self._beside
        yield Words(classes="form-caution")

    def on_mount(self) -> None:
        self.hold(False)
        self.query_one(".form-caution").display = False

    @property
    def fields(self) -> Iterable[Field]:
        return self.query(Field)

    def hold(self, held: bool) -> None:
        """Closes the fields, or opens them. Where none is open, the arrows scroll the page."""
        self.held = held
        for field in self.fields:
            field.hold(held)
        self.query_one(".form-page").can_focus = held or not list(self.fields)

    def caution(self, text: str) -> None:
        """Says at the end what stands in the way of a run; "" when nothing does."""
        if text != self._caution:
            self._caution = text
            line = self.query_one(".form-caution", Words)
            line.say(text, layout=True)
            line.display = bool(text)
            self.call_after_refresh(self._keep_in_sight)

    def _keep_in_sight(self) -> None:
        """The line at the end takes room from the page: what is being typed stays in sight, with what is said of it."""
        for field in self.fields:
            if field.has_focus_within and field.complaint:
                field.scroll_visible(animate=False)

    def load(self, outlook: Outlook) -> None:
        """Shows a spec. What was typed and does not hold together stays as it was typed."""
        known, self._base, self._outlook = self._known, outlook.spec, outlook
        if self._sound and outlook.spec != known:  # the same spec would undo what is on its way to it
            self._known = outlook.spec
            values = outlook.spec.model_dump(mode="json")
            for field in self.fields:
                if field.path:
                    field.show(value_at(values, field.path))
        self._judge()

    def on_field_changed(self, event: Field.Changed) -> None:
        event.stop()
        draft = self._judge()
        self._known = draft or self._known
        self.post_message(self.Changed(self, draft))

    def settle(self) -> Spec | None:
        """What has been typed by now and not told yet; None where there is nothing, or it does not hold together. Whoever acts on
        it does not wait for `Changed`, which comes after the keys that were typed meanwhile."""
        for field in self.fields:
            field.settle()
        draft = self._judge()
        if draft is None or draft == self._known:
            return None
        self._known = draft
        return draft

    def _judge(self) -> Spec | None:
        if self._base is None or self._outlook is None:
            return None
        fields = [field for field in self.fields if field.path]
        typed = {field.path: field.value for field in fields}
        for field in self.fields:
            field.display = field.wanted(typed)
        draft, faults = _draft(self._base, fields)
        self._sound = draft is not None
        if draft is not None:
            self._outlook = replace(self._outlook, spec=draft)
            for field in self.fields:
                field.follow(self._outlook)
            for part in self.query(Part):
                part.follow(self._outlook)
        self.problem = ""
        for field in fields:
            field.complain(faults.pop(field.path, "") or (field.fault if field.display else ""))
            if field.complaint and not self.problem:
                self.problem = f"{field.label.strip()}: {field.complaint}"
        general = " ".join(faults.values())
        self.query_one(".form-problem", Static).update(general)
        self.set_class(bool(general), "-problem")
        self.problem = self.problem or general
        return draft

    def secrets(self) -> dict[str, str]:
        """What was typed into the fields that are kept in memory only."""
        return {field.secret: field.value for field in self.query(SecretField) if field.touched and field.display}

    def go_to(self, path: str) -> bool:
        """Puts the cursor into the field of a path. False where there is none, or it is not wanted now."""
        for field in self.fields:
            if field.path == path and field.display:
                field.go()
                return True
        return False

    def go_to_fault(self) -> None:
        """Puts the cursor where something is wrong."""
        for field in self.fields:
            if field.complaint:
                field.go()
                return


def _draft(base: Spec, fields: Iterable[Field]) -> tuple[Spec | None, dict[str, str]]:
    """The spec with the fields' values, or the faults by path ("" for those of no field).

    What is hidden and not valid counts as not typed.
    """
    fields = list(fields)
    data = base.model_dump(mode="json")
    for field in fields:
        put_at(data, field.path, field.value)
    follow_names(data, base)
    try:
        return Spec.model_validate(data), {}
    except ValidationError as error:
        faults: dict[str, str] = {}
        hidden = []
        for fault in error.errors():
            owner = _owner(fields, fault["loc"])
            if owner is not None and not owner.display:
                hidden.append(owner)
            else:
                faults.setdefault(owner.path if owner else "", _placed(owner, fault))
        if hidden and not faults:
            return _draft(base, [field for field in fields if field not in hidden])
        return None, faults


def _placed(field: Field | None, fault: ErrorDetails) -> str:
    """The sentence, led by the place within the field's value where it has several."""
    inner = [str(part) for part in fault["loc"][len(field.path.split(".")) :] if part != "[key]"] if field else []
    text = sentence(fault)
    return f"{inner[0]}: {text}" if field and field.several and inner else text


def _owner(fields: Iterable[Field], loc: tuple[int | str, ...]) -> Field | None:
    place = tuple(str(part) for part in loc)
    for field in fields:
        path = tuple(field.path.split("."))
        if path == place[: len(path)]:
            return field
    return None


def sentence(fault: ErrorDetails) -> str:
    """A fault in plain words."""
    limits = fault.get("ctx", {})
    match fault["type"]:
        case "value_error":
            return str(limits["error"])
        case "int_parsing" | "int_type" | "int_from_float":
            return "Write a whole number."
        case "greater_than_equal":
            return f"At least {limits['ge']}."
        case "less_than_equal":
            return f"At most {limits['le']}."
        case "too_long":
            return f"At most {limits['max_length']}."
        case "literal_error":
            return f"One of {limits['expected']}."
        case _:
            return f"{fault['msg']}."


def value_at(data: Any, path: str) -> Any:
    """The value at a dotted path of nested dicts and lists."""
    for part in path.split("."):
        data = data[int(part)] if isinstance(data, list) else data[part]
    return data


def put_at(data: Any, path: str, value: Any) -> None:
    """Sets the value at a dotted path."""
    *parents, last = path.split(".")
    if parents:
        data = value_at(data, ".".join(parents))
    data[int(last) if isinstance(data, list) else last] = value
