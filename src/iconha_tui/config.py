"""What the program remembers of its operator: config.toml, with the theme, motion, and defaults for the next new cluster."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from platformdirs import user_config_path

from iconha_tui.error_codes import Code
from iconha_tui.errors import Trouble

APP = "iconha-tui"

KINDS: dict[tuple[str, ...], type] = {
    ("theme",): str,
    ("motion",): bool,
    ("defaults", "region"): str,
    ("defaults", "profile"): str,
}
"""The settings, by their place in the file."""


def standard_file() -> Path:
    """In ICONHA_CONFIG_DIR; else where --state-dir moves all of it; else in the platform's configuration folder."""
    for variable in ("ICONHA_CONFIG_DIR", "ICONHA_STATE_DIR"):
        if chosen := os.environ.get(variable):
            return Path(chosen).expanduser().absolute() / "config.toml"
    return user_config_path(APP) / "config.toml"


def _parse(text: str) -> dict[str, Any]:
    import tomllib  # not where there is no file: it is read before the first paint

    return tomllib.loads(text)


Chosen = dict[tuple[str, ...], str | bool]
"""Settings by their place in the file."""


class Config:
    """The settings of one file. trouble: what is wrong with the file, "" when nothing is.

    A file that cannot be read is ignored, and kept as it is: nothing is remembered until its owner has mended it.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.trouble = ""
        self._found: dict[tuple[str, ...], Any] = {}
        self._broken = False
        try:
            self._take(_parse(file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            pass
        except (OSError, ValueError, RecursionError) as error:
            said = error.strerror if isinstance(error, OSError) else error
            self._broken = True
            self.trouble = f"{file} cannot be read, and is ignored: {said}. Mend it, or move it away."

    def _take(self, data: dict[str, Any]) -> None:
        """Takes what is known; a value of the wrong kind is said and passed over, what is not known is left alone."""
        wrong = []
        for place, kind in KINDS.items():
            value: Any = data
            for name in place:
                value = value.get(name) if isinstance(value, dict) else None
            if isinstance(value, kind):
                self._found[place] = value
            elif value is not None:
                wrong.append(f"{'.'.join(place)} is not {'true or false' if kind is bool else 'a text in quotes'}")
        if wrong:
            self.trouble = f"{self.file}: {'; '.join(wrong)}. That is passed over."

    @property
    def theme(self) -> str:
        """The theme's name, "" for the program's own."""
        return str(self._found.get(("theme",), ""))

    @property
    def motion(self) -> bool | None:
        """Whether anything may move by itself; None: nothing was chosen."""
        return self._found.get(("motion",))

    @property
    def region(self) -> str:
        """The region of the next new cluster, "" for the spec's own default."""
        return str(self._found.get(("defaults", "region"), ""))

    @property
    def profile(self) -> str:
        """The AWS profile of the next new cluster."""
        return str(self._found.get(("defaults", "profile"), ""))

    def choose(self, **settings: str | bool) -> Chosen:
        """Goes on with settings by their last name, as in choose(theme="nord"). Returns what `write` is to keep of them."""
        chosen = {place: settings[place[-1]] for place in KINDS if place[-1] in settings}
        if self._broken or all(self._found.get(place) == value for place, value in chosen.items()):
            return {}
        self._found |= chosen
        return chosen

    def write(self, chosen: Chosen) -> None:
        """Keeps chosen settings for the next start; what else is in the file stays. Raises Trouble."""
        if not chosen:
            return
        import tomlkit  # not before the first paint

        from iconha_tui import disk

        file = self.file.resolve()  # a link into another folder of settings stays a link
        try:
            document = tomlkit.parse(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            document = tomlkit.document()
        except (OSError, ValueError) as error:
            raise Trouble(
                "It cannot be read any more.", code=Code.FILE_UNUSABLE, where=str(self.file), remedy="Mend it."
            ) from error
        for place, value in chosen.items():
            table: Any = document
            for name in place[:-1]:
                if not isinstance(table.get(name), dict):
                    table[name] = tomlkit.table()
                table = table[name]
            table[place[-1]] = value
        if not file.parent.is_dir() or file.parent == self.file.parent:
            disk.make_folder(file.parent)
        disk.write(file, tomlkit.dumps(document).encode())
