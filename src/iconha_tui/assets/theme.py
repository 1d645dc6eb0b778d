"""The colours of the program, dark and light."""

from __future__ import annotations

from textual.theme import Theme

DARK = Theme(
    name="iconha-dark",
    primary="#32b8bb",
    secondary="#7aa2f7",
    accent="#8fd6d8",
    warning="#e0af68",
    error="#f7768e",
    success="#9ece6a",
    foreground="#d5dbe5",
    background="#10141b",
    surface="#161b24",
    panel="#1f2733",
    dark=True,
    variables={
        "footer-key-foreground": "#8fd6d8",
        "input-selection-background": "#32b8bb 35%",
        "block-cursor-text-style": "bold",
        "scrollbar": "#33404f",
        "scrollbar-hover": "#48596d",
        "scrollbar-background": "#10141b",
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
    background="#f6f7f9",
    surface="#eceff3",
    panel="#dde3ea",
    dark=False,
    variables={
        "footer-key-foreground": "#0b6668",
        "block-cursor-text-style": "bold",
        "scrollbar": "#b4bfcc",
        "scrollbar-hover": "#93a2b4",
        "scrollbar-background": "#eceff3",
    },
)
