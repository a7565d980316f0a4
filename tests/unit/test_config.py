"""The settings: what cannot be used is said, and what is not ours is left as it is."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sdcore.library import config
from sdcore.library.config import SETTINGS, Settings, SettingsError, change, fault_of, load, save
from sdcore.library.setting import GROUPS, MISSING
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
    found, problems = load(path)
    assert found == Settings(model="old")
    assert len(problems) == 2
    assert all("means nothing" in problem for problem in problems)
    save(msgspec.structs.replace(found, model="new", mouse=False), path)
    assert path.read_text() == (
        "# mine\nnew = [1,\n 2]\nmodel = \"new\" # why\nmouse = false\n\n[table]\nmodel = 'not ours'\n"
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
    found, problems = load(tmp_path / "c")
    (problem,) = problems
    assert line.split()[0] in problem
    assert found == Settings(mouse=line.startswith("mouse"))


@pytest.mark.parametrize("text", [b"model = ", b"\xff\xfe", b"\0", b"x" * 100])
def test_a_broken_file_is_said_and_left_alone(text: bytes, tmp_path: Path) -> None:
    path = tmp_path / "c"
    path.write_bytes(text)
    found, problems = load(path)
    assert found == Settings()
    assert len(problems) == 1
    assert "\n" not in problems[0]
    with pytest.raises(SettingsError, match="left alone"):
        save(Settings(mouse=False), path)
    assert path.read_bytes() == text


def test_what_cannot_be_changed_safely_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "c"
    path.write_text(text := "keys = 3 # one\n")
    with pytest.raises(SettingsError, match="by hand"):
        change({"keys": {"stop": MISSING}}, path)
    assert path.read_text() == text


@pytest.mark.parametrize(
    ("text", "values", "after"),
    [
        ("", {"mouse": False}, "mouse = false\n"),
        ("# head\n", {"mouse": False}, "# head\nmouse = false\n"),
        ("# head\n\n# of it\n[keys]", {"mouse": False}, "# head\n\nmouse = false\n\n# of it\n[keys]\n"),
        ("mouse = true # yes", {"mouse": False}, "mouse = false # yes"),
        ("mouse = false # no\nmodel = 'x'\n", {"mouse": True}, "# no\nmodel = 'x'\n"),
        ("mouse = false\r\n", {"model": "x"}, 'mouse = false\r\nmodel = "x"\r\n'),
        ('model = "#" # a # b\n', {"model": "tiny"}, "# a # b\n"),
        ("mouse = false\n", {"keys": {"stop": "f5"}}, 'mouse = false\n\n[keys]\nstop = "f5"\n'),
        (
            "[keys]\nstop = 'f5' # s\n\n# of t\n[t]\n",
            {"keys": {"again": ["f6", "f7"]}},
            '[keys]\nstop = \'f5\' # s\nagain = ["f6", "f7"]\n\n# of t\n[t]\n',
        ),
        ("[keys]\nstop = 'f5' # s\n", {"keys": {"stop": MISSING}}, "[keys]\n# s\n"),
        (
            "model_folders = [\n  '/a', # a\n  '/b', # b\n]\n",
            {"model_folders": ["/b", "/c"]},
            "model_folders = [\n  '/b', # b\n  \"/c\",\n]\n",
        ),
        ("preview_fps = 99\n", {"mouse": False}, "preview_fps = 99\nmouse = false\n"),
        (
            'keys = {stop = "f5", again = "f6"} # k\n',
            {"keys": {"stop": MISSING}},
            'keys = { again = "f6"} # k\n',
        ),
        ('model = """\na # b\n""" # c\n', {"model": "tiny"}, "# c\n"),
    ],
)
def test_a_change_touches_nothing_else(text: str, values: dict[str, Any], after: str, tmp_path: Path) -> None:
    path = tmp_path / "c"
    path.write_bytes(text.encode())
    change(values, path)
    assert path.read_bytes().decode() == after


def test_a_problem_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(
        "model_folders = [\n '/a',\n]\n# a comment\npreview_fps = 99\nmodl = 'x'\n[keys]\nstop = 'f5'\n"
    )
    found = config.read(path)
    assert [str(problem) for problem in found.problems] == [
        "config.toml line 5: preview_fps must be a number from 0 (no preview) to 30; the default, 10, is used.",
        "config.toml line 6: 'modl' means nothing here; did you mean model? It is kept.",
    ]
    assert str(found.problem("no.", "keys", "stop")) == "config.toml line 8: no."


def test_a_file_that_was_changed_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "c"
    path.write_text("mouse = false\n")
    stamp = config.stamp(path)
    path.write_text("mouse = false\npreview_fps = 3 # slow line\n")
    assert config.stamp(path) != stamp
    change({"model": "x"}, path)
    assert path.read_text() == 'mouse = false\npreview_fps = 3 # slow line\nmodel = "x"\n'


def test_a_link_to_the_file_stays_one(tmp_path: Path) -> None:
    (tmp_path / "dotfiles").mkdir()
    (tmp_path / "dotfiles" / "c").write_text("")
    (tmp_path / "c").symlink_to(tmp_path / "dotfiles" / "c")
    change({"mouse": False}, tmp_path / "c")
    assert (tmp_path / "c").is_symlink()
    assert (tmp_path / "dotfiles" / "c").read_text() == "mouse = false\n"


@pytest.mark.parametrize("value", ["{a = 1}", "{}", "{a = 1, b = {c = 2}}"])
def test_what_is_said_of_a_setting_outlives_it(tmp_path: Path, value: str) -> None:
    path = tmp_path / "c"
    path.write_text(f"mouse = {value} # of 0\nmodel = 'x' # of 1")
    change({"mouse": True, "model": "tiny"}, path)
    assert path.read_text() == "# of 0\n# of 1"


NAMES = st.sampled_from([*SETTINGS, "modl", "'a b'", "x.y"])
VALUES = st.sampled_from(
    ["1", "true", "'x#y'", "[\n 'a', # in\n 'b',\n]", '"""\nm\n"""', "{a = 1}", "1.5", "", "="]
)
LINES = st.one_of(
    st.builds("{} = {} # of {}".format, NAMES, VALUES, st.integers(0, 99)),
    st.builds("{} = {}".format, NAMES, VALUES),
    st.builds("# note {}".format, st.integers(0, 99)),
    st.sampled_from(["[keys]", "[t.u]", "[[v]]", "", "  ", "stop = 'f5' # s", "again = 3"]),
    st.text(max_size=12),
)
CHANGES = st.fixed_dictionaries({}, optional={
    "mouse": st.booleans(), "preview_fps": st.sampled_from([10.0, 2.5]), "model": st.sampled_from(["tiny", "a # b"]),
    "keys": st.fixed_dictionaries({}, optional={"stop": st.sampled_from(["f6", MISSING]), "again": st.just(["f7"])}),
})  # fmt: skip


@given(text=st.lists(LINES, max_size=12).map("\n".join), values=CHANGES)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_in_the_file(text: str, values: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "c"
    path.write_bytes(text.encode(errors="replace"))
    before = path.read_bytes()
    load(path)
    try:
        change(values, path)
    except SettingsError:
        assert path.read_bytes() == before
        return
    found = tomllib.loads(path.read_text())
    for name, value in values.items():
        if name != "keys":
            assert found.get(name, config.DEFAULTS[name]) == value
    comments = Counter(re.findall(r"# (?:note|of) \d+|# s\b", before.decode()))
    assert comments == Counter(re.findall(r"# (?:note|of) \d+|# s\b", path.read_text()))


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


def test_without_a_folder_there_are_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("SDTUI_HOME", str(tmp_path / "file"))
    found, (problem,) = load()
    assert found == Settings()
    assert "no folder for the settings" in problem
    with pytest.raises(SettingsError, match="could not be written"):
        change({"mouse": False})


def test_every_setting_has_words_a_place_and_a_default_that_fits() -> None:
    assert list(SETTINGS) == list(Settings.__struct_fields__)
    assert {setting.group for setting in SETTINGS.values()} <= set(GROUPS)
    assert [name for name, value in config.DEFAULTS.items() if fault_of(name, value)] == []
    assert all(setting.summary.endswith(".") for setting in SETTINGS.values())
    assert tuple(FLAGS) == config.COLORS
