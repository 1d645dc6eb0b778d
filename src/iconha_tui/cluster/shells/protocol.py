"""What a cluster shell is to this program: the command lines that differ from one to the other, and the words for it.

A command line is always an argument list, never a shell's string: whoever carries it to a node quotes it for that node's
shell. Every command that takes names or values refuses with UnsafeValueError those that the shell would read otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from iconha_tui.cluster.primitive import Primitive

Argv = list[str]


@dataclass(frozen=True, slots=True)
class Update:
    """How to change a primitive in place: first the file, where there is one, then the commands in their order."""

    commands: list[Argv]
    file: str | None = None
    content: str | None = None


class ClusterShell(Protocol):
    """One cluster shell. It holds no state."""

    @property
    def name(self) -> str:
        """The word for it in the spec, which is the name of its program too."""

    @property
    def title(self) -> str:
        """What the operator chooses."""

    @property
    def about(self) -> str:
        """One or two sentences for whoever chooses."""

    @property
    def beside_guide(self) -> str:
        """What the guide says of it, a sentence; "" for the shell of the guide's own commands."""

    @property
    def package(self) -> str:
        """The apt package that it comes in."""

    @property
    def disturbing(self) -> tuple[str, ...]:
        """How those of its commands begin that may stop or move a resource."""

    def show_version(self) -> Argv: ...

    def show_status(self) -> Argv: ...

    def show_configuration(self) -> Argv: ...

    def show_resource(self, id: str) -> Argv: ...

    def set_properties(self, properties: Mapping[str, str]) -> list[Argv]:
        """Set cluster properties, one command each as the guide has it. Repeating it changes nothing."""

    def create(self, primitive: Primitive) -> Argv:
        """Create a primitive. Where one of that id exists, the shell refuses: `update` is for that."""

    def update(self, wanted: Primitive, actual: Primitive) -> Update:
        """Make `actual`, as the CIB has it, into `wanted`, without stopping it where the values do not ask for that."""

    def clean_up(self, id: str) -> Argv:
        """Forget the failures of a resource, so that the cluster tries again."""

    def stop(self, id: str) -> Argv:
        """Stop a resource for good: the cluster starts it nowhere until it is told to."""
