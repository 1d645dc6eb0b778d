"""XML that came from a node, read with care.

A node's answer is untrusted. xml.etree expands entities that a DTD declares, so that a few hundred bytes can grow to
gigabytes ("billion laughs"); Pacemaker writes no DTD. So a text with a DTD is refused before the parser sees it, and
so is one of unreasonable size. It is decoded here, as UTF-8, so that no other encoding can hide the declaration.
What its attributes and texts say is cleaned once they are read: `&#x9b;` begins a control sequence as well as the
character itself.
"""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from iconha_tui.text import clean, strip_controls, whole_number

MAX_BYTES = 8 << 20
"""A CIB of two nodes has some 20 KiB with its history."""


MAX_DEPTH = 64
"""A CIB nests a dozen deep."""

MAX_ELEMENTS = 20_000
"""A CIB of two nodes has some 300 with its history."""

_CHUNK = 1 << 16


class ClusterXMLError(ValueError):
    """An XML that cannot be used; the message is a sentence for the operator."""


def read_xml(data: bytes | str, what: str) -> ElementTree.Element:
    """The root element. `what` names the source ("crm_mon") in the sentence of a ClusterXMLError."""
    if len(data) > MAX_BYTES:
        raise ClusterXMLError(f"{what} answered with more than {MAX_BYTES >> 20} MiB.")
    try:
        text = data.decode("utf-8") if isinstance(data, bytes) else data
    except UnicodeDecodeError:
        raise ClusterXMLError(f"{what} answered with something other than UTF-8 text.") from None
    if not text.strip():
        raise ClusterXMLError(f"{what} answered with nothing.")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ClusterXMLError(f"{what} answered with an XML that declares a document type, which is never needed here.")
    try:
        parser = ElementTree.XMLParser(target=_Tree(what))  # noqa: S314 - no DTD gets this far, see above
        for at in range(0, len(text), _CHUNK):  # the parser reads what it is given to its end, whatever it meets
            parser.feed(text[at : at + _CHUNK])
        root: ElementTree.Element = parser.close()
        return root
    except ClusterXMLError:
        raise
    except (ElementTree.ParseError, ValueError) as error:
        raise ClusterXMLError(f"{what} answered with an XML that cannot be read: {error}.") from None


class _Tree(ElementTree.TreeBuilder):
    """Builds the tree with everything in it cleaned, and no deeper than anybody needs it."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self._what = what
        self._depth = self._elements = 0

    def start(self, tag: str, attrs: dict[Any, Any], /) -> ElementTree.Element:
        self._depth += 1
        self._elements += 1
        if self._elements > MAX_ELEMENTS:
            raise ClusterXMLError(f"{self._what} answered with an XML of more than {MAX_ELEMENTS:,} elements.")
        if self._depth > MAX_DEPTH:
            raise ClusterXMLError(f"{self._what} answered with an XML that is nested more than {MAX_DEPTH} deep.")
        return super().start(tag, {name: clean(value) for name, value in attrs.items()})

    def end(self, tag: str, /) -> ElementTree.Element:
        self._depth -= 1
        return super().end(tag)

    def data(self, data: str | bytes, /) -> None:
        super().data(strip_controls(str(data)))


def boolean(element: ElementTree.Element | None, name: str) -> bool | None:
    """An attribute that Pacemaker writes as true or false; None where it is missing or neither."""
    value = "" if element is None else element.get(name, "")
    return {"true": True, "false": False, "1": True, "0": False}.get(value.lower())


def number(element: ElementTree.Element | None, name: str) -> int | None:
    """A whole number; Pacemaker's INFINITY is 1000000. None where it is missing or no number."""
    value = "" if element is None else element.get(name, "")
    if value in ("INFINITY", "+INFINITY"):
        return INFINITY
    found = whole_number(value.removeprefix("-"))
    return -found if found is not None and value.startswith("-") else found


INFINITY = 1_000_000
