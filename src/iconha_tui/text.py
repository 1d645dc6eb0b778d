"""Text from a node, from AWS or out of a file.

It is untrusted, so nothing of it may move the operator's cursor or turn a sentence round.
"""

from __future__ import annotations

import codecs
import re
import shlex

LINE_LIMIT = 8192
"""Characters of a line; a longer one is wrapped, so that one line can fill neither the memory nor the screen."""

SENTENCE_LIMIT = 4096
"""Characters of a sentence: the longest path fits, a file that was taken for a word does not."""

COMMAND = "▶"
"""Leads a command among what a node says."""

_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*+[ -/]*+[@-~]?"  # CSI: colours, cursor movement
    r"|(?:\x1b\]|\x9d)[^\x07\x1b\x9c\n]*+(?:\x07|\x1b\\|\x9c)?"  # OSC: title, clipboard (52), links
    r"|(?:\x1b[PX^_]|[\x90\x98\x9e\x9f])[^\x1b\x9c\n]*+(?:\x1b\\|\x9c)?"  # DCS, SOS, PM, APC
    r"|\x1b[ -/]*+[0-~]?"  # every other escape
)
# C0 and C1, marks that reorder or that nobody sees, and halves of surrogate pairs, which no terminal and no file takes.
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)


def strip_controls(text: str) -> str:
    """`text` without control sequences and characters, and without marks that reorder it. Newlines and tabs stay.

    For text that is parsed as well as shown; a carriage return becomes a newline.
    """
    unix = text.replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROL.sub("", _SEQUENCE.sub("", unix))


def unmoving(text: str) -> str:
    """`text` without the characters that move a terminal, each of which takes no cell: what is left is as wide as before."""
    return text if text.isprintable() else _CONTROL.sub("", text).replace("\n", "").replace("\t", "")


def clean(text: str) -> str:
    """One line, fit to be shown: no control sequence or character, tabs as spaces.

    Of a line that was overwritten with carriage returns, the last state stays, as a terminal would show it.
    """
    last = text.rstrip("\r\n").rpartition("\r")[2]
    return _CONTROL.sub("", _SEQUENCE.sub("", last)).replace("\n", " ").expandtabs(8)


def sentence(text: str) -> str:
    """`text` as a sentence can hold it: one line, cleaned, of a length that somebody may read."""
    line = clean(text)
    return line if len(line) <= SENTENCE_LIMIT else f"{line[:SENTENCE_LIMIT]}…"


def shell_path(path: str) -> str:
    """A path of the operator's as a word of a shell's command line; ~ stays the home of whoever types it."""
    home, slash, rest = path.partition("/")
    return f"~/{shlex.quote(rest)}" if home == "~" and slash else shlex.quote(path)


def whole_number(text: str) -> int | None:
    """The number that a word is; None where it is none, or one of a length that nobody writes."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def clean_block(text: str, last: int | None = None) -> str:
    """Several lines, each of them cleaned; only the `last` ones if given."""
    lines = text.strip("\r\n").split("\n")
    return "\n".join(clean(line)[:LINE_LIMIT] for line in (lines if last is None else lines[-last:]))


class LineSplitter:
    """Turns chunks of bytes into clean lines, wherever the chunks were cut. Time is linear in the bytes fed."""

    def __init__(self, limit: int = LINE_LIMIT) -> None:
        self._limit = limit
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._pieces: list[str] = []
        self._held = 0

    def feed(self, data: bytes) -> list[str]:
        """The lines that `data` completes; bytes that are not UTF-8 become U+FFFD."""
        return self._take(self._decoder.decode(data))

    def end(self) -> list[str]:
        """The last line, where the output did not end in a newline."""
        lines = self._take(self._decoder.decode(b"", final=True))
        if self._held:
            lines += self._wrapped(self._release())
        return lines

    def _take(self, text: str) -> list[str]:
        *complete, rest = text.split("\n")
        lines: list[str] = []
        for part in complete:
            lines += self._wrapped(self._release() + part)
        if rest:
            self._pieces.append(rest)
            self._held += len(rest)
        if self._held > self._limit:
            lines += self._shorten()
        return lines

    def _shorten(self) -> list[str]:
        """Give out full lines of an unfinished line that has grown too long; states that were overwritten are dropped."""
        held = self._release()
        *_, before, state = ["", *held.rsplit("\r", 2)]
        held = state if state else before + "\r" * held.endswith("\r")
        full = max(0, len(held) - 1) // self._limit * self._limit
        self._pieces, self._held = [held[full:]], len(held) - full
        return [clean(held[at : at + self._limit]) for at in range(0, full, self._limit)]

    def _wrapped(self, line: str) -> list[str]:
        if len(line) <= self._limit:
            return [clean(line)]
        line = line.rstrip("\r").rpartition("\r")[2]
        return [clean(line[at : at + self._limit]) for at in range(0, len(line), self._limit)] or [""]

    def _release(self) -> str:
        held, self._pieces, self._held = "".join(self._pieces), [], 0
        return held
