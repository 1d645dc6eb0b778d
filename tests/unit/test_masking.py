"""A secret is found in whatever form a program may write it, and where a line ends in the middle of it."""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
import subprocess
import textwrap
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from iconha_tui.masking import PIECE, SHORTEST, Masks
from iconha_tui.text import LINE_LIMIT, LineSplitter

MASK = "••••••••"
AWS = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
SHELL = 'it\'s $(touch /tmp/x) "a\\b" `id`; |&<>*?!~'
REGEX = r"^(.*)[a-z]+\d{3}$|(?P<x>\w)"
WORDS = "correct horse battery staple"
TOKEN = "IQoJb3JpZ2luX2VjE" + AWS * 8
SECRETS = {"aws": AWS, "shell": SHELL, "regex": REGEX, "words": WORDS, "token": TOKEN, "umlauts": "päß wörd ½ 한국"}


def masks(*secrets: str) -> Masks:
    known = Masks(MASK)
    known.learn(secrets)
    return known


def test_threads_that_tell_at_the_same_time_lose_no_secret() -> None:
    """The wizard's own puts a typed one in while a client learns what it signs with."""
    known = Masks(MASK)
    several = [[f"secret-{thread}-{number}" for number in range(30)] for thread in range(4)]

    def tell(secrets: list[str]) -> None:
        for secret in secrets:
            known.learn([secret])
            assert secret not in known.hide(secret)

    with ThreadPoolExecutor() as pool:
        list(pool.map(tell, several))
    for secret in chain.from_iterable(several):
        assert secret not in known.hide(secret)


def told(text: str, secret: str) -> list[str]:
    """The pieces of a secret that a text tells."""
    return [secret[at : at + PIECE] for at in range(len(secret) - PIECE + 1) if secret[at : at + PIECE] in text]


def traced(secret: str, shell: str) -> str:
    """What `set -x` says of a command that has it as an argument."""
    script = f"set -x; : {shlex.quote(secret)}"
    return subprocess.run([shell, "-c", script], capture_output=True, text=True, check=True).stderr


WRITTEN: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "URL": lambda secret: quote(secret, safe=""),
    "URL, path": quote,
    "form": quote_plus,
    "query": lambda secret: urlencode({"k": secret}),
    "lower-case URL": lambda secret: re.sub("%..", lambda m: m[0].lower(), quote(secret, safe="")),
    "JSON": json.dumps,
    "JSON, Unicode": lambda secret: json.dumps(secret, ensure_ascii=False),
    "JSON, slashes": lambda secret: json.dumps(secret).replace("/", "\\/"),
    "Python": repr,
    "XML": html.escape,
    "shell": shlex.quote,
    "bash -x": lambda secret: traced(secret, "bash"),
    "sh -x": lambda secret: traced(secret, "sh"),
    "printf %q": lambda secret: (
        subprocess.run(["bash", "-c", 'printf %q "$1"', "-", secret], capture_output=True, text=True, check=True).stdout
    ),
    "hex": lambda secret: secret.encode().hex(),
    "HEX": lambda secret: secret.encode().hex().upper(),
    "base64": lambda secret: base64.b64encode(secret.encode()).decode(),
    "base64, shifted": lambda secret: base64.b64encode(f"a{secret}b".encode()).decode(),
    "base64, Basic": lambda secret: base64.b64encode(f"ab:{secret}".encode()).decode(),
    "base64 of a URL": lambda secret: base64.urlsafe_b64encode(secret.encode()).decode(),
}


LOCAL = {"bash -x", "sh -x", "printf %q"}
"""What a shell makes of letters beyond ASCII depends on its locale."""


@pytest.mark.parametrize(
    ("form", "secret"),
    [(form, each) for form in WRITTEN for each in SECRETS.values() if each.isascii() or form not in LOCAL],
)
def test_a_secret_is_masked_in_every_form(form: str, secret: str) -> None:
    written = WRITTEN[form](secret)
    hidden = masks(secret, "another-secret").hide(f"botocore: refused {written} of AKIA\nand so on")
    assert MASK in hidden
    assert hidden.startswith("botocore: refused ")
    assert hidden.endswith(" of AKIA\nand so on")
    inner = max(re.split(r"['\"\s]", written), key=len).rstrip("=")
    assert not [at for at in range(len(inner) - 11) if inner[at : at + 12] in hidden]
    assert told(hidden, secret) == []


@given(st.sampled_from(sorted(SECRETS.values())), st.data())
def test_a_secret_that_a_line_cuts_in_two_tells_less_than_a_piece(secret: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(secret)), min_size=1, max_size=2)))
    begin, end = data.draw(st.sampled_from(["", "key = ", '  "'])), data.draw(st.sampled_from(["", " \\", '"']))
    first, *more = [secret[at:to] for at, to in zip([0, *cuts], [*cuts, len(secret)], strict=True)]
    lines = [begin + first, *("    " + each for each in more[:-1]), f"{more[-1]} and more{end}"]
    known = masks(secret)
    together = known.hide("\n".join(lines))
    assert together.count("\n") == len(lines) - 1
    assert told(together, secret) == [] or " " in secret
    assert [known.hide(line) for line in lines] == together.split("\n"), "also where each is all that was read"


@pytest.mark.parametrize("piece", ["\\d{3}$|(", "d{3}$|('", "'d{3}$|.", '"d{3}$|(?'])
@pytest.mark.parametrize("indent", ["", "    "])
def test_a_piece_amid_a_secret_is_known_by_all_its_characters(piece: str, indent: str) -> None:
    """Also where the first or the last of them is one that may stand around a piece."""
    secret = f"^(.*)[a-z]+{piece}P<x>w)"
    hidden = masks(secret).hide(f"^(.*)[a-z]+\n{indent}{piece}\nP<x>w)")
    assert told(hidden, secret) == []
    assert hidden.count("\n") == 2


def test_base64_over_several_lines_is_masked() -> None:
    for shift in range(3):
        coded = base64.b64encode(b"x" * (40 + shift) + TOKEN.encode() + b"y" * 50).decode()
        hidden = masks(TOKEN).hide(textwrap.fill(coded, 76))
        core = base64.b64encode(bytes(40 + shift) + TOKEN.encode()).decode()[60:-4]
        assert told(hidden, core) == []


@pytest.mark.parametrize("before", range(LINE_LIMIT - len(AWS) - 1, LINE_LIMIT + 2))
@pytest.mark.parametrize("chunk", [7, 4096, 100_000])
def test_a_line_that_is_wrapped_in_the_middle_of_a_secret_tells_less_than_a_piece(before: int, chunk: int) -> None:
    raw = ("x" * (before - 1) + " " + AWS + " " + "y" * 9000 + "\n").encode()
    splitter, known, shown = LineSplitter(), masks(AWS), []
    for at in range(0, len(raw), chunk):
        shown += [known.hide(line) for line in splitter.feed(raw[at : at + chunk])]
    shown += [known.hide(line) for line in splitter.end()]
    assert len(shown) == 3
    assert told("\n".join(shown), AWS) == []


def test_each_line_of_a_private_key_is_a_secret() -> None:
    key = f"-----BEGIN KEY-----\n{AWS}\n{AWS[::-1]}\n-----END KEY-----\n"
    assert masks(key).hide(f"> {AWS[::-1]}") == f"> {MASK}"


def test_a_short_secret_is_masked_where_it_is_a_word() -> None:
    known = masks("tiger", "abc", "")
    assert known.hide("key=tiger, 'tiger' dGlnZXI= 7469676572") == f"key={MASK}, '{MASK}' {MASK}= {MASK}"
    assert known.hide("tigers and abc") == "tigers and abc", f"shorter than {SHORTEST}"


def test_what_was_ever_known_stays_known_and_a_secret_within_another_goes_whole() -> None:
    known = masks("first-secret")
    known.learn(["first-secret-and-more"])
    assert known.hide("first-secret first-secret-and-more") == f"{MASK} {MASK}"


@given(st.text(), st.lists(st.text(), max_size=3))
@example("", [""])
@example("a\n\nb", ["\n\n", "\ud800surrogate"])
def test_any_text_keeps_its_lines(text: str, secrets: list[str]) -> None:
    assert masks(*secrets).hide(text).count("\n") == text.count("\n")


def test_ordinary_output_stays_as_it_is() -> None:
    known = masks(*SECRETS.values())
    for line in (
        "Get:1 http://archive.example/debian bookworm/main amd64 pacemaker",
        "a" * 10_000,
        "    ",
        "correct",
        "SHA",
    ):
        assert known.hide(line) == line
