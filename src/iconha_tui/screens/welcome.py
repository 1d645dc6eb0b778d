"""The first screen: the clusters that are saved here, and how to begin one."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.events import Click, Resize
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from iconha_tui.screens.base import WizardScreen
from iconha_tui.widgets.background import in_background
from iconha_tui.widgets.keys import KeyLine
from iconha_tui.widgets.title import TitleBar

if TYPE_CHECKING:
    from iconha_tui.engine.step import Stage
    from iconha_tui.errors import Trouble
    from iconha_tui.status.report import Verdict
    from iconha_tui.store import Saved

    Seen = tuple[Verdict, float]

INTRO = (
    "Two machines on AWS become an active/passive pair for an ICON P-Rep: Corosync and Pacemaker watch over them, and an "
    "Elastic IP follows the active one. This wizard goes through the guide stage by stage, shows every command before it "
    "runs, and starts nothing before you press a key."
)
EMPTY = "No cluster is saved here yet. Press n to begin one."
LOST = (
    "Deleted on this machine: its settings, journal, transcript and the host keys that you accepted ({folder}).\n\n"
    "Nothing on AWS or on the nodes is touched"
)
TAGGED = (
    ": the machines and the Elastic IP stay as they are, and go on costing what they cost. They are tagged {tag}: a new cluster "
    "of that name finds them again."
)
KEPT = (
    "Only its name here changes, at once. What it has on AWS is tagged {tag}, stays so, and is found by that; nothing on the "
    "nodes changes."
)
FREE = "Nothing has run yet: what is made on AWS will be tagged with the new name."

AGAIN = 2.0
"""Seconds between two looks at clusters of which one is being worked on in another window."""


class Read(NamedTuple):
    """What is saved. seen: the last verdict on each cluster, by name."""

    saved: Sequence[Saved]
    stages: Sequence[Stage]
    seen: Mapping[str, Seen]


class SavedClusters(OptionList):
    """The saved clusters, some lines each. A click chooses one, a second one opens it."""

    def __init__(self) -> None:
        super().__init__(id="saved")
        self.saved: Sequence[Saved] = ()
        self._stages: Sequence[Stage] = ()
        self._seen: Mapping[str, Seen] = {}
        self._width = 0

    @property
    def chosen(self) -> Saved | None:
        return self.saved[self.highlighted] if self.saved and self.highlighted is not None else None

    def show(self, saved: Sequence[Saved], stages: Sequence[Stage], seen: Mapping[str, Seen]) -> None:
        """Shows other clusters; the one that was chosen stays so, where it is still there."""
        name = self.chosen.name if self.chosen else ""
        self.saved, self._stages, self._seen = saved, stages, seen
        self._lay_out()
        places = [each.name for each in saved]
        self.highlighted = places.index(name) if name in places else 0 if places else None

    def on_resize(self, event: Resize) -> None:
        if self.scrollable_content_region.width != self._width and self.saved:
            chosen = self.highlighted
            self._lay_out()
            self.highlighted = chosen

    def _lay_out(self) -> None:
        self._width = self.scrollable_content_region.width
        options = [part for each in self.saved for part in (Option(self._told(each, here=False)), None)]
        self.set_options(options[:-1])

    @on(OptionList.OptionHighlighted)
    def _mark(self, event: OptionList.OptionHighlighted) -> None:
        """Marks the chosen one with a glyph: its ground alone would be a colour only."""
        event.stop()
        for index, each in enumerate(self.saved):
            self.replace_option_prompt_at_index(index, self._told(each, here=index == self.highlighted))

    def _told(self, saved: Saved, *, here: bool) -> Content:
        """A cluster's lines, for the width there is."""
        from iconha_tui.screens.past import standing
        from iconha_tui.when import ago, moment
        from iconha_tui.widgets.glyphs import HERE, mark
        from iconha_tui.widgets.hanging import MUTED, hang

        width = max(self._width, 30)
        now = time.time()
        stands = standing(saved, self._stages, self._seen.get(saved.name), now)
        look = mark(stands.state)
        tagged = f"   tagged {saved.tag}" if saved.tag != saved.name else ""
        name = Content.assemble((f"{HERE if here else ' '} {saved.name}", "bold"))
        when = Content.styled(f"{ago(saved.at, now)}   {moment(saved.at)}{tagged}", MUTED)
        fits = name.cell_length + 3 + when.cell_length <= width
        lines = [Content.assemble(name, "   ", when)] if fits else [*hang(name, "", width), *hang("  ", when, width)]
        style = MUTED if stands.old else look.style
        room = max(15, len(stands.word))
        lines += hang(Content.styled(f"  {look.glyph} {stands.word:<{room}} ", style), stands.reached, width)
        if stands.stages:
            lines += hang(Content.styled(f"    {'stages':<{room}} ", MUTED), stands.stages, width)
        if pair := stands.pair:
            seen = mark(pair.state)
            told = f"{seen.glyph} {pair.word}{', ' + pair.age if pair.age else ''}"
            told_in = MUTED if pair.old else seen.style
            lines += hang(Content.styled(f"    {'pair':<{room}} ", MUTED), Content.styled(told, told_in), width)
        lines += hang(Content.styled(f"    {'next':<{room}} ", MUTED), stands.then, width)
        return Content("\n").join(lines)

    def on_click(self, event: Click) -> None:
        clicked = event.style.meta.get("option")
        if isinstance(clicked, int) and clicked != self.highlighted:
            self.highlighted = clicked
            event.prevent_default()


class Welcome(WizardScreen):
    """Saved clusters: open, begin, look at the status, rename, delete."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,f5", "resume", "Open", key_display="Enter"),
        Binding("n,f8", "new", "New", key_display="n"),
        Binding("s", "status", "Status"),
        Binding("r", "rename", "Rename"),
        Binding("d,delete", "delete", "Delete", key_display="d"),
        Binding("q", "app.quit", "Quit", show=False),
    ]
    topic = "welcome"
    _painted = False

    def compose(self) -> ComposeResult:
        yield TitleBar("", "Corosync, Pacemaker and an Elastic IP for a P-Rep pair")
        with Vertical(id="welcome"):
            yield Static(INTRO, id="intro", markup=False)
            yield Static(EMPTY, id="saved-title", markup=False)
            yield SavedClusters()
        yield KeyLine()

    def on_mount(self) -> None:
        self._list.display = False
        self._let_keys_go = self.wizard.hold_keys()
        self.call_after_refresh(self._look)

    def on_screen_resume(self) -> None:
        if self._painted:
            self._let_keys_go()
            self._let_keys_go = self.wizard.hold_keys()  # they are for the list as it is now
            self._look()

    @property
    def _list(self) -> SavedClusters:
        return self.query_one(SavedClusters)

    def _look(self) -> None:
        """Reads what is saved, in a thread: journals are long, and the spec's reader is slow to import."""
        self._painted = True
        in_background(self, self._read, self._show, self._fail, group="saved")

    def _fail(self, trouble: Trouble) -> None:
        self._let_keys_go()
        self.wizard.tell(trouble)

    def _read(self) -> Read:
        from iconha_tui.status.memory import last_verdict

        store = self.wizard.store
        saved = store.saved()
        seen = {each.name: last_verdict(store.folder(each.name)) for each in saved}
        return Read(saved, self.wizard.stages, {name: told for name, told in seen.items() if told})

    def _show(self, read: Read) -> None:
        listed = self._list
        there = bool(read.saved)
        listed.display = there
        listed.show(read.saved, read.stages, read.seen)
        self.query_one("#welcome").set_class(there, "-some")
        self.query_one("#saved-title", Static).update("Saved clusters" if there else EMPTY)
        if there and self.focused is None:
            listed.focus()
        self.refresh_bindings()
        self._let_keys_go()
        if any(each.holder for each in read.saved):
            self.set_timer(AGAIN, self._look_again)

    def _look_again(self) -> None:
        """Another window's run comes to its end without telling this one."""
        if self.is_current:
            self._look()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("resume", "status", "rename", "delete"):
            return bool(self.query(SavedClusters)) and self._list.chosen is not None
        return True

    @property
    def _chosen(self) -> Saved:
        chosen = self._list.chosen
        assert chosen is not None  # noqa: S101  the keys are off where there is none
        return chosen

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.action_resume()

    def action_resume(self) -> None:
        self.wizard.work.open_named(self._chosen.name)

    def action_status(self) -> None:
        self.wizard.pages.show_status(self._chosen.name)

    def action_new(self) -> None:
        from iconha_tui.screens.dialogs import NameIt

        def named(name: str | None) -> None:
            if name:
                self.wizard.work.open_named(name)

        self.app.push_screen(
            NameIt("A new cluster", "Its name stands in tags and file names.", self._free_name(), self._wrong), named
        )

    def _free_name(self) -> str:
        taken = {name for each in self._list.saved for name in (each.name, each.tag)}
        return next(name for name in ("icon", *(f"icon-{n}" for n in range(2, 999))) if name not in taken)

    def _wrong(self, name: str, *, own: str = "") -> str:
        """What is wrong with a new name; own: the name in the tags of the cluster that gets it."""
        from pydantic import TypeAdapter, ValidationError

        from iconha_tui.spec import ClusterName, sentences

        for each in self._list.saved:
            if name == each.name:
                return "Type another name." if each.tag == own else "A cluster of this name is saved already."
            if name == each.tag != own:
                return f"What the cluster {each.name} has on AWS is tagged with this name."
        try:
            TypeAdapter(ClusterName).validate_python(name)
        except ValidationError as error:
            return sentences(error)[0]
        return ""

    def action_rename(self) -> None:
        from iconha_tui.screens.dialogs import NameIt

        chosen = self._chosen

        def named(name: str | None) -> None:
            if name:
                self.wizard.work.rename(chosen.name, name, self._look)

        text = KEPT.format(tag=chosen.tag) if chosen.begun else FREE
        self.app.push_screen(
            NameIt(f"Rename {chosen.name}", text, chosen.name, lambda name: self._wrong(name, own=chosen.tag)), named
        )

    def action_delete(self) -> None:
        from iconha_tui.screens.dialogs import Ask

        chosen = self._chosen

        def answered(yes: bool | None) -> None:
            if yes:
                self.wizard.work.delete(chosen.name, self._look)

        text = LOST.format(folder=self.wizard.store.folder(chosen.name))
        text += TAGGED.format(tag=chosen.tag) if chosen.begun else "."
        question = Ask(f"Delete the cluster {chosen.name} here?", text, yes="delete its files", no="keep it")
        self.app.push_screen(question, answered)
