"""Finds secrets in text: as they are, as programs write them (quoted, escaped, encoded), and cut in two by a line's end."""

from __future__ import annotations

import html
import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Iterator
from threading import Lock
from typing import NamedTuple
from urllib.parse import quote, quote_plus

from iconha_tui.text import clean

MASK = "••••••••"
"""What stands in a secret's place."""
SHORTEST = 4
"""Characters of a secret that is searched for. To mask every shorter one would garble all text, and tell what it is."""
PIECE = 8
"""Characters of a secret that are recognised at the end or the beginning of a line, and wherever they stand if that is all
of it; shorter secrets are recognised where they are words."""

_AROUND = " \t\\\"'`.,;…"
"""What may stand between a piece of a secret and the end of its line."""


class _Index(NamedTuple):
    """The forms of all secrets, as a text is searched for them: by their first and last PIECE characters, as one text, and
    those that are shorter as words."""

    heads: dict[str, list[str]]
    tails: dict[str, list[str]]
    all: str
    words: re.Pattern[str] | None


class Masks:
    """Every secret that it was ever told, in memory; any thread may tell or use them. mask: what is put in a secret's place."""

    def __init__(self, mask: str = MASK) -> None:
        self._mask = mask
        self.known: frozenset[str] = frozenset()
        self._index = _indexed(())  # replaced as a whole: who hides meanwhile has the one before, or the new one
        self._learning = Lock()

    def learn(self, secrets: Iterable[str]) -> None:
        """Takes further secrets; those of fewer than SHORTEST characters are passed over."""
        with self._learning:
            known = self.known | {each for each in secrets if each}
            if known != self.known:
                self._index, self.known = _indexed(known), known

    def hide(self, text: str) -> str:
        """`text` without the secrets. It has as many lines as before."""
        index = self._index
        begun = [form for head, forms in index.heads.items() if head in text for form in forms]
        for form in sorted(begun, key=len, reverse=True):  # one may be a part of another
            text = text.replace(form, self._mask)
        if index.words:
            text = index.words.sub(self._mask, text)
        ended = [form for tail, forms in index.tails.items() if tail in text for form in forms]
        return "\n".join(self._without_pieces(line, begun, ended, index.all) for line in text.split("\n"))

    def _without_pieces(self, line: str, begun: list[str], ended: list[str], every: str) -> str:
        """A line that may end, begin or lie amid a secret that was cut into lines. begun, ended: the forms that may be in it;
        every: all forms there are."""
        bare = line.strip()
        # What may stand around a piece may also be its own first or last character.
        for amid in dict.fromkeys((bare, bare.lstrip(_AROUND), bare.rstrip(_AROUND), bare.strip(_AROUND))):
            if len(amid) >= PIECE and " " not in amid and amid in every:
                return line.replace(amid, self._mask)
        starts = [
            at for form in begun for at in _places(form[:PIECE], line) if form.startswith(line[at:].rstrip(_AROUND))
        ]
        if starts:
            line = line[: min(starts)] + self._mask
        ends = [
            at + PIECE
            for form in ended
            for at in _places(form[-PIECE:], line)
            if form.endswith(line[: at + PIECE].lstrip(_AROUND))
        ]
        return self._mask + line[max(ends) :] if ends else line


def _indexed(secrets: Iterable[str]) -> _Index:
    found = sorted({form for secret in secrets for form in forms(secret)}, key=len, reverse=True)
    heads: dict[str, list[str]] = {}
    tails: dict[str, list[str]] = {}
    for form in found:
        if len(form) >= PIECE:
            heads.setdefault(form[:PIECE], []).append(form)
            tails.setdefault(form[-PIECE:], []).append(form)
    words = "|".join(re.escape(form) for form in found if len(form) < PIECE)
    return _Index(
        heads,
        tails,
        "\n".join(form for form in found if len(form) >= PIECE),
        re.compile(rf"(?<!\w)(?:{words})(?!\w)") if words else None,
    )


def _places(piece: str, line: str) -> Iterator[int]:
    at = line.find(piece)
    while at >= 0:
        yield at
        at = line.find(piece, at + 1)


def forms(secret: str) -> set[str]:
    """How a secret may stand in a text. Of one that has several lines, each line is one."""
    found: set[str] = set()
    for line in secret.encode(errors="replace").decode().splitlines():  # halves of surrogate pairs stand in no text
        for each in {line, line.strip(), clean(line)}:
            if len(each) >= SHORTEST:
                found |= {each, *_quoted(each), *_encoded(each.encode())}
    return {form for form in found if len(form) >= SHORTEST}


def _quoted(secret: str) -> Iterator[str]:
    """In URLs, JSON, Python, XML, and as shells write it: in one quote, in two, without any, traced by `set -x`."""
    for escaped in (quote(secret, safe=""), quote(secret), quote_plus(secret)):
        yield escaped
        yield re.sub("%..", lambda found: found[0].lower(), escaped)
    for written in (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]):
        yield written
        yield written.replace("/", "\\/")
    yield repr(secret)[1:-1]
    yield html.escape(secret)
    yield html.escape(secret, quote=False)
    yield secret.replace("'", "'\"'\"'")
    yield secret.replace("'", "'\\''")
    yield secret.replace("\\", "\\\\").replace("'", "\\'")
    yield re.sub(r'(["$`\\])', r"\\\1", secret)
    yield re.sub(r"(^~|[^\w@%+=:,./~-])", r"\\\1", secret, flags=re.ASCII)


def _encoded(secret: bytes) -> Iterator[str]:
    """In hexadecimal and base64, also within something longer: what then stands before it shifts base64 by 0, 2 or 4 bits,
    and the digits that it shares with its neighbours are left out."""
    yield secret.hex()
    yield secret.hex().upper()
    for encode in (b64encode, urlsafe_b64encode):
        yield encode(secret).decode().rstrip("=")
        for before in range(3):
            digits = encode(bytes(before) + secret).decode()
            yield digits[-(-before * 8 // 6) : (before + len(secret)) * 8 // 6]
