"""config.toml: what was chosen is found again, what is not understood is said and kept."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from iconha_tui import cli
from iconha_tui.config import Config, standard_file
from iconha_tui.errors import Trouble


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "settings" / "config.toml"


def remember(config: Config, **settings: str | bool) -> None:
    config.write(config.choose(**settings))


def test_no_file_is_no_choice_and_none_is_made(file: Path) -> None:
    config = Config(file)
    assert (config.theme, config.motion, config.region, config.profile, config.trouble) == ("", None, "", "", "")
    assert not file.parent.exists()


def test_what_is_remembered_is_found_again(file: Path) -> None:
    remember(Config(file), theme="nord", motion=False, region="eu-west-3", profile="work")
    config = Config(file)
    assert (config.theme, config.motion, config.region, config.profile) == ("nord", False, "eu-west-3", "work")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_what_stands_there_already_is_not_written_again(file: Path) -> None:
    remember(Config(file), theme="nord")
    before = file.stat().st_ino
    remember(Config(file), theme="nord")
    assert file.stat().st_ino == before


def test_comments_and_settings_of_others_stay(file: Path) -> None:
    file.parent.mkdir()
    file.write_text('# mine\ntheme = "nord" # dark\nlater = 1\n\n[defaults]\nregion = "eu-west-3" # Paris\n')
    remember(Config(file), theme="gruvbox", profile="work")
    said = file.read_text()
    assert '# mine\ntheme = "gruvbox" # dark\nlater = 1' in said
    assert 'region = "eu-west-3" # Paris' in said
    assert Config(file).profile == "work"


BROKEN = {"cut": b"theme = ", "no text": b"\xff\xfe", "deep": b"a = [" * 10_000, "twice": b"theme = 'a'\ntheme = 'b'"}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_said_and_kept(file: Path, content: bytes) -> None:
    file.parent.mkdir()
    file.write_bytes(content)
    config = Config(file)
    assert "cannot be read, and is ignored" in config.trouble
    assert str(file) in config.trouble
    remember(config, theme="nord")
    assert file.read_bytes() == content


def test_a_folder_in_its_place_is_said(file: Path) -> None:
    file.mkdir(parents=True)
    assert "Is a directory" in Config(file).trouble


def test_a_value_of_the_wrong_kind_is_said_and_the_others_hold(file: Path) -> None:
    file.parent.mkdir()
    file.write_text('theme = 3\nmotion = "off"\n[defaults]\nregion = "eu-west-3"\n')
    config = Config(file)
    assert "theme is not a text in quotes; motion is not true or false" in config.trouble
    assert (config.theme, config.motion, config.region) == ("", None, "eu-west-3")
    file.write_text('defaults = "eu-west-3"\n')
    assert Config(file).region == ""


def test_a_file_that_was_broken_meanwhile_is_not_overwritten(file: Path) -> None:
    config = Config(file)
    file.parent.mkdir()
    file.write_text("theme = ")
    with pytest.raises(Trouble, match="any more"):
        remember(config, theme="nord")
    assert file.read_text() == "theme = "


def test_a_link_into_another_folder_stays_a_link(file: Path, tmp_path: Path) -> None:
    (tmp_path / "dotfiles").mkdir(mode=0o755)
    (tmp_path / "dotfiles" / "iconha.toml").write_text("theme = 'nord'\n")
    file.parent.mkdir()
    file.symlink_to(tmp_path / "dotfiles" / "iconha.toml")
    remember(Config(file), theme="gruvbox")
    assert file.is_symlink()
    assert "gruvbox" in (tmp_path / "dotfiles" / "iconha.toml").read_text()
    assert stat.S_IMODE((tmp_path / "dotfiles").stat().st_mode) == 0o755


def test_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("ICONHA_STATE_DIR", raising=False)
    monkeypatch.delenv("ICONHA_CONFIG_DIR", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    assert standard_file() == tmp_path / "xdg" / "iconha-tui" / "config.toml"
    monkeypatch.setenv("ICONHA_STATE_DIR", str(tmp_path / "state"))
    assert standard_file() == tmp_path / "state" / "config.toml"
    monkeypatch.setenv("ICONHA_CONFIG_DIR", str(tmp_path / "own"))
    assert standard_file() == tmp_path / "own" / "config.toml"
    assert cli.main(["where"]) == 0
    assert f"config    {tmp_path / 'own' / 'config.toml'}" in capsys.readouterr().out
