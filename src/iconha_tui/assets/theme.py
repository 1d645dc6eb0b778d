"""The colours of the program, dark and light, and what makes every theme readable."""

from __future__ import annotations

from collections.abc import Iterator

from textual.color import BLACK, TRANSPARENT, WHITE, Color
from textual.theme import Theme

# The grounds are nearly grey, so that a terminal of 256 colours has greys for them.
DARK = Theme(
    name="iconha-dark",
    primary="#32b8bb",
    secondary="#7aa2f7",
    accent="#8fd6d8",
    warning="#e0af68",
    error="#f7768e",
    success="#9ece6a",
    foreground="#d5dbe5",
    background="#121418",
    surface="#1a1d22",
    panel="#23282f",
    dark=True,
    variables={
        "block-cursor-background": "#1d5055",
        "block-cursor-foreground": "#ffffff",
        "block-cursor-blurred-background": "#1e2f36",
        "scrollbar": "#56616f",
        "scrollbar-hover": "#7b8796",
        "input-selection-background": "#2a7377",
        "input-selection-foreground": "#ffffff",
    },
)

LIGHT = Theme(
    name="iconha-light",
    primary="#0b7a7d",
    secondary="#3056a8",
    accent="#0b6668",
    warning="#8f5a00",
    error="#b3203c",
    success="#3d6b12",
    foreground="#1b222c",
    background="#f7f8f9",
    surface="#eeeff1",
    panel="#dfe2e6",
    dark=False,
    variables={
        "block-cursor-background": "#8cc4c6",
        "block-cursor-foreground": "#000000",
        "block-cursor-blurred-background": "#d5e4e8",
        "scrollbar": "#8592a1",
        "scrollbar-hover": "#64717f",
        "input-selection-background": "#57999c",
        "input-selection-foreground": "#000000",
    },
)

TEXT, GRAPHICS = 4.5, 3.0
"""The contrasts that WCAG asks for: of a text, and of a line or a bar that has to be seen."""

TEXTS = (
    *(f"text-{name}" for name in ("primary", "secondary", "accent", "warning", "error", "success")),
    "foreground",
    "footer-key-foreground",
)
LINES = ("border", "scrollbar", "scrollbar-hover", "scrollbar-active")
CURSORS = ("block-cursor-background", "block-cursor-blurred-background")
PAIRS = (
    ("block-cursor-foreground", "block-cursor-background"),
    ("block-cursor-blurred-foreground", "block-cursor-blurred-background"),
    ("input-selection-foreground", "input-selection-background"),
    ("input-cursor-foreground", "input-cursor-background"),
)
"""A text, and what it stands on."""


def contrast(one: Color, other: Color) -> float:
    """How far two colours are apart, from 1 to 21, as WCAG 2 reckons it."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: Color) -> float:
    parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour.normalized]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def grounds(variables: dict[str, str]) -> tuple[Color, ...]:
    """What texts stand on: the page, the rail and the boxes, the bars at the top and the bottom."""
    page = parsed(variables["background"])
    return tuple(page + parsed(variables[name]) for name in ("background", "surface", "panel"))


def parsed(value: str, under: Color | None = None) -> Color:
    """A variable as a colour: a name or a number, then perhaps its share. "auto" is the opposite of what is under it."""
    name, _, share = value.partition(" ")
    auto = name in ("auto", "transparent", "initial")
    colour = (under.get_contrast_text(1.0) if under else TRANSPARENT) if auto else Color.parse(name)
    return colour.multiply_alpha(float(share.removesuffix("%")) / 100) if share else colour


def readable(variables: dict[str, str]) -> dict[str, str]:
    """A theme's variables, with those that cannot be read where this program puts them moved just as far as they can."""
    behind = grounds(variables)
    if any(ground.ansi is not None for ground in behind):
        return variables  # the terminal's own colours are its owner's choice
    found = dict(variables)
    for name in TEXTS:
        found[name] = _apart(variables[name], behind, TEXT).hex
    for name in LINES:
        found[name] = _apart(variables[name], behind[:1], GRAPHICS).hex
    found["foreground-muted"] = _muted(found["foreground"], behind).hex
    for cursor in CURSORS:
        found[cursor] = _under(variables[cursor], behind[0], [found[name] for name in (*TEXTS, "foreground-muted")]).hex
    for text, ground in PAIRS:
        under = behind[0] + parsed(found[ground])
        found[text] = _apart(variables[text], (under,), TEXT).hex
    return found | dict(_followers(found))


def _followers(found: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Variables that Textual derives from others before they are moved."""
    yield "text", found["foreground"]
    yield "text-muted", found["foreground-muted"]
    yield "text-disabled", found["foreground-muted"]
    yield "footer-foreground", found["foreground"]
    yield "scrollbar-background", found["background"]
    yield "scrollbar-background-hover", found["background"]
    yield "scrollbar-background-active", found["background"]
    yield "scrollbar-corner-color", found["background"]
    yield "link-color", found["foreground"]
    for level in range(1, 4):
        yield f"markdown-h{level}-color", found["text-primary"]
    for level in range(4, 7):
        yield f"markdown-h{level}-color", found["foreground"]


def _apart(value: str, behind: tuple[Color, ...], least: float) -> Color:
    """The colour, or the nearest one towards black or white that is far enough from all grounds."""
    colour = behind[0] + parsed(value, behind[0])
    far = max((BLACK, WHITE), key=lambda extreme: min(contrast(extreme, ground) for ground in behind))
    for step in range(21):
        moved = colour.blend(far, step / 20, alpha=1.0)
        if _least(moved, behind) >= least:
            return moved
    return far


def _muted(foreground: str, behind: tuple[Color, ...]) -> Color:
    """The text's colour, let through as little as can still be read; so it fits whatever it stands on."""
    share = next(
        part for part in range(60, 101) if _least(Color.parse(foreground).with_alpha(part / 100), behind) >= TEXT
    )
    return Color.parse(foreground).with_alpha(share / 100)


def _under(cursor: str, page: Color, texts: list[str]) -> Color:
    """A cursor's colour, or as much of it over the page as leaves all texts on it readable."""
    colour = parsed(cursor, page)
    for share in range(20, 3, -1):
        ground = page.blend(page + colour, share / 20, alpha=1.0)
        if all(_least(Color.parse(text), (ground,)) >= GRAPHICS for text in texts):
            break
    return ground


def _least(colour: Color, grounds: tuple[Color, ...]) -> float:
    return min(contrast(ground + colour, ground) for ground in grounds)
