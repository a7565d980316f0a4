"""Images on disk: whole or not at all, private, numbered, never over another file."""

from __future__ import annotations

import errno
import io
import multiprocessing
import os
import random
from datetime import date
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from sdcore.library import outputs, record
from sdcore.library.metadata import read_image, read_texts
from sdcore.library.outputs import BatchPlace, OutputError, save_image, slug
from sdcore.spec.recipe import Recipe
from tests.unit.recipes import recipes

RED = Image.new("RGB", (16, 8), "red")
RECIPE = Recipe(prompt="a red house", seed=7)


def test_name_and_permissions(private_home: Path) -> None:
    path = save_image(RED, RECIPE)
    assert path == private_home / "outputs" / date.today().isoformat() / "00001-7-a-red-house.png"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_nlink == 1
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    with Image.open(path) as image:
        assert image.convert("RGB").tobytes() == RED.tobytes()


def test_numbers_go_on_from_the_highest(tmp_path: Path) -> None:
    day = save_image(RED, RECIPE, folder=tmp_path).parent
    (day / "00041-other-name.png").touch()
    (day / "99999999999999999999-hostile.png").touch()
    (day / "notes.txt").touch()
    assert save_image(RED, RECIPE, folder=tmp_path).name == "00042-7-a-red-house.png"


def test_a_file_that_is_in_the_way_is_never_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = save_image(RED, RECIPE, folder=tmp_path)
    before = first.read_bytes()
    monkeypatch.setattr(outputs, "_highest", lambda day: 0)  # as if another machine had been faster
    second = save_image(Image.new("RGB", (16, 8), "blue"), RECIPE, folder=tmp_path)
    assert second.name == "00002-7-a-red-house.png"
    assert first.read_bytes() == before


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP])
def test_file_systems_without_links(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*paths: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(outputs, "_highest", lambda day: 0)
    first, second = (save_image(RED, RECIPE, folder=tmp_path) for _ in range(2))
    assert first != second
    assert read_image(first).recipe() == read_image(second).recipe() == RECIPE
    assert first.stat().st_mode & 0o777 == 0o600
    assert len(list(first.parent.iterdir())) == 2


def _save_some(folder: str) -> list[str]:
    return [str(save_image(RED, RECIPE, folder=Path(folder))) for _ in range(5)]


def test_processes_do_not_meet(tmp_path: Path) -> None:
    with multiprocessing.get_context("fork").Pool(3) as pool:
        names = [name for made in pool.map(_save_some, [str(tmp_path)] * 3) for name in made]
    numbers = sorted(int(Path(name).name[:5]) for name in names)
    assert numbers == list(range(1, 16))


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.ENOSPC, "no space"),
        (errno.EACCES, "may not write"),
        (errno.EROFS, "read-only"),
        (errno.EIO, "error"),
    ],
)
def test_faults_are_one_sentence_and_leave_nothing(
    number: int, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutputError, match=says) as caught:
        save_image(RED, RECIPE, folder=tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_file_in_the_folders_place(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="is a file"):
        save_image(RED, RECIPE, folder=tmp_path / "file" / "deeper")


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("A Red  House, at NIGHT!", "a-red-house-at-night"),
        ("../../etc/passwd\0\x1b[31m", "etc-passwd-31m"),
        ("Café Ünïcode", "cafe-unicode"),
        ("日本の家", "image"),
        ("", "image"),
        ("x" * 500, "x" * 40),
        ("word " * 500, "word-word-word-word-word-word-word-word"),
    ],
)
def test_slugs(prompt: str, name: str) -> None:
    assert slug(prompt) == name


@given(st.text(st.characters(), max_size=400))
def test_any_slug_is_a_harmless_name(prompt: str) -> None:
    name = slug(prompt)
    assert 0 < len(name) <= outputs.SLUG_LENGTH
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


def test_the_chunks_that_others_read(tmp_path: Path) -> None:
    path = save_image(RED, RECIPE, folder=tmp_path, model_hash="0123456789")
    with Image.open(path) as image:
        assert str(image.info["parameters"]).startswith("a red house\nSteps: 30, Sampler: LMS, ")
        assert "Model hash: 0123456789, Model: tiny, RNG: CPU, Version: sdtui " in str(
            image.info["parameters"]
        )


def test_a_photograph_takes_no_more_room_than_with_the_search_that_is_left_out(tmp_path: Path) -> None:
    draw = random.Random(7)
    shades = [(x * 2, y * 2, x + y) for y in range(96) for x in range(96)]
    image = Image.new("RGB", (96, 96))
    image.putdata([tuple(min(255, shade + draw.randrange(6)) for shade in pixel) for pixel in shades])
    searched = io.BytesIO()
    image.save(searched, "PNG")
    path = outputs.save_png(image, {}, "photograph", tmp_path)
    assert path.stat().st_size < 1.03 * len(searched.getvalue())
    assert Image.open(path).tobytes() == image.tobytes()


def test_text_beyond_latin_1_is_kept(tmp_path: Path) -> None:
    recipe = Recipe(prompt="日本の家\0\x1b[31m", negative_prompt="naïve", seed=1)
    path = save_image(RED, recipe, folder=tmp_path)
    with Image.open(path) as image:
        assert str(image.info["parameters"]).startswith("日本の家\0\x1b[31m\nNegative prompt: naïve\n")
    assert read_image(path).recipe() == recipe


def test_what_the_record_says_besides_the_recipe(tmp_path: Path) -> None:
    place = BatchPlace(size=3, index=1, seed=6)
    path = save_image(RED, RECIPE, folder=tmp_path, family="SD1", batch=place, cancelled_at=0)
    with Image.open(path) as image:
        made = record.decode(str(image.info["sdtui"]))
    assert (made.version, made.family, made.batch, made.cancelled_at) == (1, "SD1", place, 0)
    extra = read_image(path).extra
    assert extra["batch"] == {"size": 3, "index": 1, "seed": 6}
    assert extra["cancelled_at"] == 0
    assert "cancelled_at" not in read_image(save_image(RED, RECIPE, folder=tmp_path)).extra


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(recipe=recipes())
@example(recipe=Recipe(prompt="\u00c3\u00a9", negative_prompt="\u00c2\x80"))
def test_any_recipe_comes_back_from_its_image(recipe: Recipe, tmp_path: Path) -> None:
    facts = read_image(save_image(RED, recipe, folder=tmp_path))
    assert facts.exact
    assert facts.recipe() == recipe


def test_text_that_looks_like_utf_8_read_as_latin_1_stays(tmp_path: Path) -> None:
    recipe = msgspec.structs.replace(RECIPE, prompt="\u00c3\u00a9 \u00c2\x80")
    path = save_image(RED, recipe, folder=tmp_path)
    assert read_texts(path).texts["parameters"].startswith(recipe.prompt)
    with Image.open(path) as image:
        assert str(image.info["parameters"]).startswith(recipe.prompt)
    old, texts = PngInfo(), read_texts(path).texts
    old.add_text(record.CHUNK, texts[record.CHUNK])  # as images were written once
    RED.save(path, pnginfo=old)
    assert read_image(path).prompt == recipe.prompt


def test_the_settings_name_the_folder(private_home: Path, tmp_path: Path) -> None:
    (private_home / "config").mkdir(parents=True)
    (private_home / "config" / "config.toml").write_text(f'outputs = "{tmp_path}/pictures"\n')
    assert save_image(RED, RECIPE).parent.parent == tmp_path / "pictures"
