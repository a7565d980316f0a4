"""The settings: what cannot be used is said, and what is not ours is left as it is."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from sdcore.library import config
from sdcore.library.config import Settings, SettingsError, load, save
from tui.term.colour import FLAGS


def test_without_a_file_there_are_defaults() -> None:
    assert load() == (Settings(), [])


def test_what_is_saved_is_loaded(private_home: Path) -> None:
    wanted = Settings(
        model='/models/a "b"\\c 日本', outputs="~/pictures", color="256", mouse=False, preview_fps=2.5
    )
    save(wanted)
    assert load() == (wanted, [])
    assert config.config_file() == private_home / "config" / "config.toml"
    assert config.config_file().stat().st_mode & 0o777 == 0o600


def test_only_what_differs_is_written(tmp_path: Path) -> None:
    save(Settings(mouse=False), tmp_path / "c")
    assert (tmp_path / "c").read_text() == "mouse = false\n"


def test_comments_and_unknown_keys_stay(tmp_path: Path) -> None:
    path = tmp_path / "c"
    path.write_text("# mine\nnew = [1,\n 2]\nmodel = 'old' # why\n\n[table]\nmodel = 'not ours'\n")
    settings, problems = load(path)
    assert settings == Settings(model="old")
    assert len(problems) == 2
    assert all("means nothing" in problem for problem in problems)
    save(msgspec.structs.replace(settings, model="new", mouse=False), path)
    assert path.read_text() == (
        "mouse = false\n# mine\nnew = [1,\n 2]\nmodel = \"new\"\n\n[table]\nmodel = 'not ours'\n"
    )


@pytest.mark.parametrize(
    "line",
    [
        "model = 3",
        "model = ' '",
        "color = 'pink'",
        "mouse = 'yes'",
        "preview_fps = -1",
        "preview_fps = nan",
        "outputs = '~nobody-at-all/x'",
        "model_folders = '/a'",
        "model_folders = ['/a', '']",
        "model_folders = ['~nobody-at-all/x']",
    ],
)
def test_a_bad_value_is_said_and_the_default_used(line: str, tmp_path: Path) -> None:
    (tmp_path / "c").write_text(f"{line}\nmouse = false\n" if not line.startswith("mouse") else line)
    settings, problems = load(tmp_path / "c")
    (problem,) = problems
    assert line.split()[0] in problem
    assert settings == Settings(mouse=line.startswith("mouse"))


@pytest.mark.parametrize("text", [b"model = ", b"\xff\xfe", b"\0", b"x" * 100])
def test_a_broken_file_is_said_and_left_alone(text: bytes, tmp_path: Path) -> None:
    path = tmp_path / "c"
    path.write_bytes(text)
    settings, problems = load(path)
    assert settings == Settings()
    assert len(problems) == 1
    assert "\n" not in problems[0]
    with pytest.raises(SettingsError, match="left alone"):
        save(Settings(mouse=False), path)
    assert path.read_bytes() == text


@pytest.mark.parametrize("text", ['note = """\nmodel = 1\n"""\n', '"model" = "old"\n'])
def test_what_cannot_be_changed_safely_is_left_alone(text: str, tmp_path: Path) -> None:
    path = tmp_path / "c"
    path.write_text(text)
    with pytest.raises(SettingsError, match="by hand"):
        save(Settings(model="new"), path)
    assert path.read_text() == text


@pytest.mark.parametrize("value", ["['/old']", "[\n  '/old', # why\n]", '"""\nold"""'])
def test_a_value_of_many_lines_is_replaced_as_a_whole(value: str, tmp_path: Path) -> None:
    path = tmp_path / "c"
    path.write_text(f"# mine\nmodel_folders = {value}\nmouse = false # not here\n")
    wanted = Settings(model_folders=("/a b", "/日本 🏠", 'q"\\\x7f'), mouse=False)
    save(wanted, path)
    assert load(path) == (wanted, [])
    assert path.read_text().startswith("# mine\nmodel_folders = [")
    assert path.read_text().endswith("]\nmouse = false # not here\n")


def test_a_name_that_is_no_text_is_said(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="rename it"):
        save(Settings(model_folders=("/a\udcff",)), tmp_path / "c")


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="could not be written"):
        save(Settings(mouse=False), tmp_path / "absent" / "c")


def test_every_setting_is_checked_and_colours_are_those_of_the_flag() -> None:
    assert set(config._CHECKS) == set(Settings.__struct_fields__)
    assert tuple(FLAGS) == config.COLORS
