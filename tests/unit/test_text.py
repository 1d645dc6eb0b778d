"""What a node says is shown as text, and as nothing else."""

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iconha_tui.text import LineSplitter, clean, clean_block, strip_controls


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x9b31mred", "red"),
        ("\x1b[38;2;1;2;3mcolour\x1b[m", "colour"),
        ("a\x1b]0;title\x07b", "ab"),
        ("a\x1b]52;c;ZXZpbA==\x1b\\b", "ab"),
        ("a\x1bP1$tpayload\x1b\\b", "ab"),
        ("a\x1b_apc\x1b\\b\x1b^pm\x1b\\c", "abc"),
        ("a\x1b(Bb\x1b7c\x1bcd", "abcd"),
        ("unfinished \x1b[12", "unfinished "),
        ("bell\x07 nul\x00 del\x7f", "bell nul del"),
        ("c1 \x85\x8d\x90q\x9cend", "c1 end"),
        ("a\tb", "a       b"),
        ("Reading 10%\rReading 100%\r", "Reading 100%"),
        ("windows\r\n", "windows"),
        ("pay \u202eevil\u202c \u2066x\u2069 \u200f", "pay evil x "),
        ("два 한국어 é", "два 한국어 é"),
        ("", ""),
    ],
)
def test_a_line_loses_what_moves_a_terminal_and_keeps_its_text(said: str, shown: str) -> None:
    assert clean(said) == shown


@given(st.text(alphabet=st.one_of(st.characters(), st.sampled_from("\x1b[]P\\;m\x07\x9b\x9d\r\n\t0123"))))
def test_no_control_or_direction_character_survives(text: str) -> None:
    for shown in (clean(text), strip_controls(text).replace("\n", "").replace("\t", "")):
        assert not [
            c
            for c in shown
            if unicodedata.category(c) == "Cc" or unicodedata.bidirectional(c) in {"RLO", "LRO", "RLE", "LRE"}
        ]


def test_stripped_text_keeps_its_columns_and_lines() -> None:
    assert strip_controls("a\tb\r\n\x1b[1mc\x1b[0m\rd\n") == "a\tb\nc\nd\n"


def test_a_block_is_cleaned_line_by_line() -> None:
    assert clean_block("one\n\x1b[31mtwo\nthree\n", last=2) == "two\nthree"


@given(st.lists(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\n\r"))), st.data())
def test_lines_are_the_same_wherever_the_chunks_are_cut(lines: list[str], data: st.DataObject) -> None:
    raw = "\n".join([*lines, ""]).encode()
    splitter, got, at = LineSplitter(), [], 0
    while at < len(raw):
        size = data.draw(st.integers(1, len(raw) - at))
        got += splitter.feed(raw[at : at + size])
        at += size
    assert got + splitter.end() == [clean(line) for line in lines]


def test_an_escape_sequence_that_two_chunks_share_is_removed() -> None:
    splitter = LineSplitter()
    assert splitter.feed(b"a\x1b") == []
    assert splitter.feed(b"[3") == []
    assert splitter.feed(b"1mb\n") == ["ab"]


def test_broken_utf8_becomes_replacement_characters_and_nothing_is_lost() -> None:
    splitter = LineSplitter()
    assert splitter.feed(b"ok \xff\xfe\nnext \xe2\x82") == ["ok \ufffd\ufffd"]
    assert splitter.end() == ["next \ufffd"]


def test_the_last_line_comes_without_its_newline() -> None:
    splitter = LineSplitter()
    assert splitter.feed(b"one\ntwo") == ["one"]
    assert splitter.end() == ["two"]
    assert splitter.end() == []


def test_a_long_line_is_wrapped_with_every_character_of_it() -> None:
    splitter = LineSplitter(limit=10)
    lines = splitter.feed(b"0123456789" * 3 + b"abc") + splitter.feed(b"\nnext\n")
    assert lines == ["0123456789"] * 3 + ["abc", "next"]
    assert splitter.feed(b"0123456789\n" + b"x" * 20 + b"\n") == ["0123456789", "x" * 10, "x" * 10]
    assert LineSplitter(limit=10).feed(b"x" * 20) == ["x" * 10]


def test_a_progress_line_without_an_end_holds_its_last_state_only() -> None:
    splitter = LineSplitter(limit=100)
    for percent in range(1000):
        assert splitter.feed(f"Progress: {percent}\r".encode()) == []
    assert splitter.feed(b"\nDone\n") == ["Progress: 999", "Done"]


def test_a_line_of_megabytes_takes_time_in_proportion() -> None:
    def seconds(size: int) -> float:
        splitter, started = LineSplitter(), time.process_time()
        for _ in range(size // 16):
            splitter.feed(b"\x1b]0;0123456789ab")
        splitter.end()
        return time.process_time() - started

    seconds(1 << 16)
    small, large = seconds(1 << 18), seconds(1 << 22)
    assert large < 16 * small * 6 + 0.5, "sixteen times the bytes took far more than sixteen times as long"
