"""All that a screen may know of the wizard: what is open, where to go, what to have done. Nothing here waits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from textual.screen import Screen

    from iconha_tui.control.observers import Observers
    from iconha_tui.control.open_cluster import OpenCluster
    from iconha_tui.control.run_controller import RunRequest
    from iconha_tui.engine.step import Stage
    from iconha_tui.status import Watcher
    from iconha_tui.store import Store
    from iconha_tui.widgets.pair_look import PairLook


class Pages(Protocol):
    """Where one can go."""

    def show_stage(self, name: str, field: str | None = None) -> None:
        """Turns to a stage; what was typed in the others stays. field: to that setting of it, "" for the first."""

    def turn(self, stage: Stage, by: int) -> None:
        """The stage before or after; after the last comes the summary, before the first the welcome."""

    def follow_run(self, screen: Screen[Any]) -> None:
        """A stage's page comes into sight: where the operator has followed the run from there, it turns to where that is now."""

    def show_summary(self) -> None: ...

    def show_status(self, cluster: str | None = None) -> None:
        """The status of a saved cluster; where none is named, of the only one, or a table of all."""

    def show_preflight(self) -> None: ...

    def show_help(self, topic: str) -> None:
        """A page of assets/help, above the screen."""

    def show_keys(self, screen: Screen[Any]) -> None:
        """Lists the keys of a screen, above it."""

    def leave_cluster(self) -> None:
        """Back to the welcome screen, where nothing is running; the cluster is closed."""


class Work(Protocol):
    """What can be opened, run and stopped."""

    draw_output: Observers[[]]
    """Told when output that was written is to be drawn."""

    @property
    def is_open(self) -> bool:
        """Whether a cluster is open."""

    @property
    def busy(self) -> bool:
        """Whether a run, a survey or a preflight goes on."""

    def open_named(self, name: str) -> None:
        """Opens a saved cluster, or begins one of that name."""

    def rename(self, name: str, new: str, done: Callable[[], object]) -> None:
        """Renames a saved cluster, then calls `done`."""

    def delete(self, name: str, done: Callable[[], object]) -> None:
        """Forgets a saved cluster, then calls `done`."""

    leaving: bool
    """Whether the program ends once what goes on has ended."""

    def close(self) -> None:
        """Closes the cluster that is open."""

    def save(self) -> None:
        """Has the session go on with the draft, and has it written."""

    def run(self, request: RunRequest) -> bool:
        """Runs a request under the draft. False where something is running already, or nothing may be changed."""

    def run_through(self) -> None:
        """Has the stages after the one that runs follow it."""

    def survey(self) -> None:
        """Looks at all stages up to the first that is not done."""

    def preflight(self) -> None:
        """Looks at all that a run needs; the run that waited for it goes on where there is nothing to read."""

    def run_held(self) -> None:
        """Runs what a preflight's findings have held back: the operator has read them."""

    def stop(self, *, stop_long: bool = False) -> None:
        """Stops what goes on, without a question."""

    def ask_to_stop(self) -> None:
        """Stops the run; asks first what is to become of a long command, where one is going on."""

    def say_at_end(self, text: str) -> None:
        """Has a text printed when the program has ended."""

    def watcher(self, name: str, **how: float) -> Watcher:
        """A watcher of a saved cluster. Raises Trouble."""


class Host(Protocol):
    """The wizard, as its screens see it."""

    store: Store

    @property
    def pages(self) -> Pages: ...

    @property
    def work(self) -> Work: ...

    @property
    def stages(self) -> Sequence[Stage]: ...

    @property
    def cluster(self) -> OpenCluster:
        """The cluster that is open: its draft, its runs, what is known of it."""

    def moment(self) -> float | None:
        """The clock by which what runs turns; None where the operator wants nothing to move."""

    def pair_look(self) -> PairLook | None:
        """What was last seen of the open cluster's pair; None where none can be there yet."""

    def hold_keys(self) -> Callable[[], None]:
        """Has the keys that come from now on wait for a page that is being brought, until the returned is called."""

    def tell(self, error: BaseException) -> None:
        """Shows a trouble as a sentence."""

    def write(self, work: Callable[[], object], done: Callable[[], object] | None = None) -> None:
        """Has something written to this machine's disk, in a thread, in the order of the calls; then has `done` called here.

        A trouble is shown.
        """
