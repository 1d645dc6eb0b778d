"""The fields of a form: a label, an input, a hint, and the sentence that says what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Button, Input, Static

from iconha_tui.widgets.choices import Choices, Option

if TYPE_CHECKING:
    from iconha_tui.widgets.outlook import Outlook

Values = Mapping[str, Any]
"""What is typed in all fields of a form, by path."""


class Field(Vertical):
    """One setting. path: where it stands in the spec, dotted; "" where it is none.

    secret: the vault's name of what is typed here, kept in memory only. when: whether it is wanted, by the other fields.
    """

    class Changed(Message):
        """Its value has changed by the operator's hand."""

    secret = ""
    several = False
    """Whether its value has parts with names of their own."""
    short = False
    """Whether its values are so short that the hint has room beside them."""

    def __init__(self, path: str, label: str, *, hint: str = "", when: Callable[[Values], bool] | None = None) -> None:
        super().__init__(classes="field")
        self.path = path
        self.label = label
        self.hint = hint
        self.complaint = ""
        self._when = when

    def compose(self) -> ComposeResult:
        hint = Static(self.hint, classes="field-hint", markup=False)
        hint.display = bool(self.hint)
        self.set_class(self.short, "-short-value")
        with Horizontal(classes="field-line"):
            yield Static(self.label, classes="field-label", markup=False)
            yield from self.compose_input()
            if self.short:
                yield hint
        if not self.short:
            yield hint

    def compose_input(self) -> ComposeResult:
        """The widget to type into."""
        raise NotImplementedError

    def hold(self, held: bool) -> None:
        """Closes what can be typed into or pressed, or opens it. Not the field as a whole: Textual would style its every
        part anew, and the screen would stand still for that long as a run begins and ends."""
        for widget in self.query("*"):
            if widget.can_focus or isinstance(widget, Button):
                widget.disabled = held

    @property
    def value(self) -> Any:
        """As the spec takes it."""
        raise NotImplementedError

    def show(self, value: Any) -> None:
        """Shows a value of the spec, without telling that it changed."""
        raise NotImplementedError

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self.tell()

    @on(Input.Submitted)
    def _next(self, event: Input.Submitted) -> None:
        event.stop()
        self.screen.focus_next()

    def follow(self, outlook: Outlook) -> None:
        """The draft has changed, here or in another field."""

    def wanted(self, values: Values) -> bool:
        """Whether the other fields leave a use for this one."""
        return self._when is None or self._when(values)

    def complain(self, sentence: str) -> None:
        """Says what is wrong, under the field; "" when nothing is."""
        if sentence != self.complaint:
            self.complaint = sentence
            self._complain(f"✗ {sentence}" if sentence else "")
            self.set_class(bool(sentence), "-wrong")
            if sentence and self.has_focus_within:
                self.call_after_refresh(self.scroll_visible, animate=False)

    def _complain(self, text: str) -> None:
        """Its line is made when it is wanted first: most fields never want one, and a page opens the sooner."""
        if lines := self.query(".field-complaint"):
            lines.first(Static).update(text)
        elif text:
            self.mount(Static(text, classes="field-complaint", markup=False))

    @property
    def fault(self) -> str:
        """What is wrong with its value that the spec's own types do not tell; "" when nothing is."""
        return ""

    def go(self) -> None:
        """Puts the cursor into it."""
        self.query("Input, Choices").first().focus()

    def tell(self) -> None:
        self.post_message(self.Changed())

    def settle(self) -> None:
        """Takes in what has been typed by now, where that is otherwise waited with."""

    def explain(self, sentence: str) -> None:
        """Changes the hint."""
        hint = self.query_one(".field-hint", Static)
        hint.update(sentence)
        hint.display = bool(sentence)


class TextField(Field):
    """A line of text. source: the name of a live list that F6 offers. separated: a list, its items between commas.

    short: a number or the like, with the hint beside it.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("f6", "choose", "Choose from a list", show=False, priority=True)]

    class Choose(Message):
        """The operator wants to choose from the live list."""

        def __init__(self, field: TextField) -> None:
            super().__init__()
            self.field = field

    def __init__(
        self,
        path: str,
        label: str,
        *,
        hint: str = "",
        example: str = "",
        source: str = "",
        separated: bool = False,
        short: bool = False,
        when: Callable[[Values], bool] | None = None,
    ) -> None:
        super().__init__(path, label, hint=hint, when=when)
        self.example = example
        self.short = short
        self.source = source
        self._separated = separated

    def compose_input(self) -> ComposeResult:
        yield Input(placeholder=self.example, compact=True, password=bool(self.secret))
        if self.source:
            button = Button("Choose F6", compact=True, classes="field-choose")
            button.can_focus = False  # the key does the same; Tab goes from field to field
            yield button

    @property
    def value(self) -> Any:
        text = self.query_one(Input).value.strip()
        if self._separated:
            return [item.strip() for item in text.split(",") if item.strip()]
        return text

    def show(self, value: Any) -> None:
        text = ", ".join(value) if isinstance(value, list) else str(value)
        box = self.query_one(Input)
        if text != (", ".join(self.value) if self._separated else self.value):
            with box.prevent(Input.Changed):
                box.value = text

    def pick(self, value: str) -> None:
        """Takes a value that was chosen from the live list."""
        self.query_one(Input).value = value

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return bool(self.source) if action == "choose" else True

    def action_choose(self) -> None:
        self.post_message(self.Choose(self))

    @on(Button.Pressed)
    def _button(self, event: Button.Pressed) -> None:
        event.stop()
        self.action_choose()


class SecretField(TextField):
    """Something that is kept in memory and written nowhere. secret: its name in the vault."""

    def __init__(
        self, secret: str, label: str, *, hint: str = "", when: Callable[[Values], bool] | None = None
    ) -> None:
        super().__init__("", label, hint=hint, when=when)
        self.secret = secret
        self.touched = False
        """Whether the operator has typed here, so that an empty field means an empty secret."""

    def follow(self, outlook: Outlook) -> None:
        known = self.secret in outlook.secrets
        self.query_one(Input).placeholder = "known, in this program's memory" if known and not self.touched else ""

    @on(Input.Changed)
    def _touched(self) -> None:
        self.touched = True


class ChoiceField(Field):
    """One of a few, all of them in sight. offer: the options, where they hang on the draft."""

    def __init__(
        self,
        path: str,
        label: str,
        options: Sequence[Option],
        *,
        when: Callable[[Values], bool] | None = None,
        offer: Callable[[Outlook], Sequence[Option]] | None = None,
    ) -> None:
        super().__init__(path, label, hint=options[0].consequence, when=when)
        self.options = options
        self._offer = offer

    def compose_input(self) -> ComposeResult:
        yield Choices(self.options)

    @property
    def value(self) -> str:
        return self.query_one(Choices).chosen

    def show(self, value: Any) -> None:
        self.query_one(Choices).chosen = str(value)
        self._explain()

    @property
    def fault(self) -> str:
        return next((option.refused for option in self.options if option.value == self.value), "")

    def follow(self, outlook: Outlook) -> None:
        if self._offer is not None:
            self.options = self._offer(outlook)
            self.query_one(Choices).offer(self.options)
            self._explain()

    def _explain(self) -> None:
        self.explain(next((option.consequence for option in self.options if option.value == self.value), ""))

    def on_choices_chosen(self, event: Choices.Chosen) -> None:
        event.stop()
        self._explain()
        self.tell()


class Heading(Static):
    """Begins a group of fields."""

    def __init__(self, text: str, note: str = "") -> None:
        super().__init__(f"{text}\n{note}" if note else text, classes="form-heading", markup=False)
