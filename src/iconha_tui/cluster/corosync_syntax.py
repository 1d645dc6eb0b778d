"""corosync.conf as text: lines, sections and keys.

The grammar is that of corosync's own parser (exec/coroparse.c, parse_section), which is read line by line:

- a line may hold 510 bytes and its line feed; one carriage return before it is dropped;
- a line whose first character that is no blank or tab is `#` is a comment, and so is nothing else;
- a line with `{` opens a section, wherever the brace stands; nothing may follow it;
- else a line with `:` is a key and its value; else a line with `}` must hold nothing but it.

Corosync stops at the first line that it cannot read. This parser reports it and goes on, so that an editor can show
everything at once. It never raises, and takes time in proportion to the text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from iconha_tui.cluster.findings import Finding, shown

LINE_BYTES = 510
"""The longest line in bytes, without its line feed: fgets() into a buffer of 512 (coroparse.c)."""

DEPTH = 32
"""How deep sections may nest here. Corosync has no limit of its own but the length of a key; real files nest 3 deep."""

MAX_FINDINGS = 200
"""More findings than this help nobody, and a file of ten million wrong lines must not fill the memory."""

_BLANK = " \t"


@dataclass(frozen=True, slots=True)
class Item:
    """A `key: value` line. `column` is where the key starts, `value_column` where the value does (or would)."""

    line: int
    column: int
    key: str
    value_column: int
    value: str


@dataclass(frozen=True, slots=True)
class Comment:
    line: int
    column: int
    text: str


@dataclass(slots=True)
class Section:
    """A `name { … }` block; the document itself is a section without a name. `end_line` is None while it is open."""

    line: int
    column: int
    name: str
    children: list[Item | Section | Comment] = field(default_factory=list)
    end_line: int | None = None

    @property
    def items(self) -> Iterator[Item]:
        return (child for child in self.children if isinstance(child, Item))

    @property
    def sections(self) -> Iterator[Section]:
        return (child for child in self.children if isinstance(child, Section))

    def named(self, name: str) -> Iterator[Section]:
        return (section for section in self.sections if section.name == name)

    def get(self, key: str) -> Item | None:
        """The key's last line, which is the one that counts for corosync."""
        found = None
        for item in self.items:
            if item.key == key:
                found = item
        return found


@dataclass(slots=True)
class Document:
    """A parsed file: everything in its order, and what its syntax is refused for."""

    root: Section
    findings: list[Finding]


def parse(text: str) -> Document:
    """Read a corosync.conf. Whatever cannot be read is a finding; nothing is raised."""
    return _Parser().run(text)


class _Parser:
    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.root = Section(1, 1, "")
        self.open: list[Section] = [self.root]

    def run(self, text: str) -> Document:
        # Only \n ends a line for corosync: str.splitlines() would also split at \r, \v, \f, \x85 and others.
        lines = text.split("\n")
        if lines[-1] == "":
            lines.pop()
        for number, line in enumerate(lines, start=1):
            self._line(number, line)
        self.root.end_line = max(len(lines), 1)
        for section in self.open[1:]:
            self._error(
                section.line,
                section.column,
                f"The section {shown(section.name)} opened here is never closed: '}}' is missing.",
            )
        return Document(self.root, self.findings)

    def _line(self, number: int, raw: str) -> None:
        if not self._readable(number, raw):
            return
        line = raw.removesuffix("\r").rstrip(_BLANK)
        body = line.lstrip(_BLANK)
        column = len(line) - len(body) + 1
        if not body:
            return
        if body.startswith("#"):
            self.open[-1].children.append(Comment(number, column, body))
        elif "{" in line:
            self._section(number, column, line)
        elif ":" in line:
            self._item(number, column, line)
        elif "}" in line:
            self._close(number, column, body)
        else:
            self._error(
                number,
                column,
                "This line is neither 'key: value' nor the start or end of a section: a ':' may be missing.",
            )

    def _readable(self, number: int, raw: str) -> bool:
        if "\0" in raw:
            self._error(
                number, raw.index("\0") + 1, "A NUL character stands here: corosync reads the line only up to it."
            )
            return False
        # The bytes need counting only where the line might be too long: no character takes more than four.
        if len(raw) * 4 > LINE_BYTES and len(raw.encode("utf-8", "surrogatepass")) > LINE_BYTES:
            self._error(number, 1, f"This line is longer than the {LINE_BYTES} bytes that corosync reads.")
            return False
        return True

    def _section(self, number: int, column: int, line: str) -> None:
        before, _, after = line.partition("{")
        name = before.lstrip(_BLANK)
        # Corosync drops blanks and colons behind the name ("totem: {" is "totem"), but never its first character.
        name = name[:1] + name[1:].rstrip(_BLANK + ":{") if name else ""
        if not name:
            self._error(number, column, "A section needs a name before its '{'.")
        if after.strip(_BLANK):
            self._error(number, len(before) + 2, "Nothing may follow '{' on its line.")
        if len(self.open) > DEPTH:
            self._error(number, column, f"Sections are nested more than {DEPTH} deep here.")
        section = Section(number, column, name)
        if len(self.open) <= DEPTH:
            self.open[-1].children.append(section)
        self.open.append(section)

    def _item(self, number: int, column: int, line: str) -> None:
        before, _, after = line.partition(":")
        key = before.strip(_BLANK)
        value = after.strip(_BLANK)
        if not key:
            self._error(number, column, "A key is missing before this ':'.")
            return
        value_column = len(before) + 2 + len(after) - len(after.lstrip(_BLANK))
        self.open[-1].children.append(Item(number, column, key, value_column, value))

    def _close(self, number: int, column: int, body: str) -> None:
        if body != "}":
            self._error(number, column, "A '}' must stand alone on its line.")
        if len(self.open) > 1:
            self.open.pop().end_line = number
        elif body == "}":
            self._error(number, column, "This '}' closes nothing: no section is open here.")

    def _error(self, line: int, column: int, message: str) -> None:
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append(Finding(line, column, "error", message))
