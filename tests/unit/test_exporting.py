"""Images given away: never over another file, and what they say is read back equal, in every format."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from sdcore.library.exporting import SUFFIXES, ExportError, Format, export
from sdcore.library.metadata import MetadataError, read_image, read_pixels, read_texts
from sdcore.library.outputs import save_image
from sdcore.spec import infotext
from sdcore.spec.facts import ImageFacts
from sdcore.spec.recipe import Recipe
from tests.unit.recipes import recipes

RED = Image.new("RGB", (16, 8), "red")
FORMATS: list[Format] = ["PNG", "JPEG", "WEBP"]


@pytest.mark.parametrize("format", FORMATS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(recipe=recipes())
def test_any_recipe_comes_back_from_any_format(format: Format, recipe: Recipe, tmp_path: Path) -> None:
    made = save_image(RED, recipe, folder=tmp_path, model_hash="0123456789", device="cpu")
    path = export(made, tmp_path / f"{made.stem}.out", format)
    facts = read_image(path)
    assert facts == read_image(made)
    assert facts.recipe() == recipe
    assert facts.exact
    path.unlink()


@pytest.mark.parametrize("format", ["JPEG", "WEBP"])
def test_other_programs_find_their_text_where_they_look(format: Format, tmp_path: Path) -> None:
    recipe = Recipe(prompt="a 家 house, red", negative_prompt="fog", seed=5)
    made = save_image(RED, recipe, folder=tmp_path)
    with Image.open(export(made, tmp_path / "x", format)) as image:
        comment = image.getexif().get_ifd(0x8769)[0x9286]
        assert image.getexif()[0x0131].startswith("sdtui ")
    assert comment[:8] == b"UNICODE\0"
    assert comment[8:].decode("utf-16-be") == read_texts(made).texts["parameters"]


@pytest.mark.parametrize("format", FORMATS)
def test_what_others_wrote_is_carried_along_whole(format: Format, tmp_path: Path) -> None:
    graph = {
        "1": {
            "class_type": "KSampler",
            "inputs": {"seed": 5, "steps": 9, "positive": "a", "negative": "b", "x": 1},
        }
    }
    text = "a\nSteps: 20, Sampler: Euler, Seed: 1, ENSD: 31337"
    nai = {"uc": "", "sampler": "k_euler", "scale": 5, "seed": 3, "x": [1]}
    for number, texts in enumerate(
        ({"prompt": json.dumps(graph), "workflow": '{"nodes": []}'}, {"parameters": text},
         {"Software": "NovelAI", "Description": "d", "Comment": json.dumps(nai)},
         {"invokeai_metadata": '{"positive_prompt": "p", "seed": 2, "y": 1}'})
    ):  # fmt: skip
        chunks = PngInfo()
        for key, value in texts.items():
            chunks.add_text(key, value)
        RED.save(tmp_path / f"{number}.png", pnginfo=chunks)
        path = export(tmp_path / f"{number}.png", tmp_path / f"{number}.out", format)
        assert read_image(path) == read_image(tmp_path / f"{number}.png") != ImageFacts()
        again = export(path, tmp_path / f"{number}.again.png", "PNG")
        assert read_image(again) == read_image(path)


def test_the_comment_of_a_jpeg_becomes_the_text_of_a_png(tmp_path: Path) -> None:
    text = "a\nSteps: 20, Sampler: Euler, Seed: 1"
    exif = Image.Exif()
    exif[0x8769] = {0x9286: b"UNICODE\0" + text.encode("utf-16-be")}
    RED.save(tmp_path / "a.jpg", exif=exif)
    path = export(tmp_path / "a.jpg", tmp_path / "a.png", "PNG")
    assert read_texts(path).texts["parameters"] == text


def test_a_graph_is_told_to_those_who_read_text(tmp_path: Path) -> None:
    graph = {
        "1": {
            "class_type": "KSampler",
            "inputs": {"seed": 5, "steps": 9, "positive": "a cat", "negative": "b"},
        }
    }
    chunks = PngInfo()
    chunks.add_text("prompt", json.dumps(graph))
    RED.save(tmp_path / "a.png", pnginfo=chunks)
    with Image.open(export(tmp_path / "a.png", tmp_path / "a.jpg", "JPEG")) as image:
        comment = image.getexif().get_ifd(0x8769)[0x9286][8:].decode("utf-16-be")
    facts = infotext.read(comment)
    assert facts is not None
    assert (facts.prompt, facts.negative_prompt, facts.seed) == ("a cat", "b", 5)


@pytest.mark.parametrize("format", FORMATS)
def test_without_what_it_says(format: Format, tmp_path: Path) -> None:
    made = save_image(RED, Recipe(prompt="a secret"), folder=tmp_path)
    path = export(made, tmp_path / "x", format, keep_metadata=False)
    assert read_texts(path).texts == {}
    assert b"secret" not in path.read_bytes()
    assert b"sdtui" not in path.read_bytes()


@pytest.mark.parametrize("format", FORMATS)
def test_another_file_is_never_overwritten(format: Format, tmp_path: Path) -> None:
    made = save_image(RED, Recipe(), folder=tmp_path)
    there = tmp_path / "there"
    there.write_text("mine")
    with pytest.raises(ExportError, match="already"):
        export(made, there, format)
    assert there.read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["there"]


def test_files_are_private_and_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = save_image(RED, Recipe(), folder=tmp_path)
    assert export(made, tmp_path / "a.png", "PNG").stat().st_mode & 0o777 == 0o600

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(ExportError, match="No space left"):
        export(made, tmp_path / "b.png", "PNG")
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["a.png"]


def test_what_does_not_fit_into_a_jpeg_is_said(tmp_path: Path) -> None:
    made = save_image(RED, Recipe(prompt="long " * 3900), folder=tmp_path)
    assert export(made, tmp_path / "fits.jpg", "JPEG").is_file()
    made = save_image(RED, Recipe(prompt="家" * 20_000), folder=tmp_path)
    with pytest.raises(ExportError, match="too long for a JPEG"):
        export(made, tmp_path / "a.jpg", "JPEG")
    assert not (tmp_path / "a.jpg").exists()
    assert read_image(export(made, tmp_path / "a.webp", "WEBP")) == read_image(made)


def test_pixels(tmp_path: Path) -> None:
    noise = Image.effect_noise((32, 24), 80).convert("RGB")
    made = save_image(noise, Recipe(), folder=tmp_path)
    for name, format in (("a.png", "PNG"), ("a.webp", "WEBP")):
        path = export(made, tmp_path / name, format, quality=100)  # type: ignore[arg-type]
        assert read_pixels(path).tobytes() == noise.tobytes()
    small = export(made, tmp_path / "low.jpg", "JPEG", quality=10, keep_metadata=False)
    assert (
        small.stat().st_size < export(made, tmp_path / "high.jpg", "JPEG", keep_metadata=False).stat().st_size
    )


def test_transparency_and_orientation(tmp_path: Path) -> None:
    Image.new("RGBA", (4, 4), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    assert read_pixels(export(tmp_path / "clear.png", tmp_path / "a.jpg", "JPEG")).getpixel((1, 1)) == (
        255,
        255,
        255,
    )
    with Image.open(export(tmp_path / "clear.png", tmp_path / "a.webp", "WEBP")) as image:
        assert image.mode == "RGBA"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (8, 4)).save(tmp_path / "turned.jpg", exif=exif)
    assert read_pixels(export(tmp_path / "turned.jpg", tmp_path / "b.png", "PNG")).size == (4, 8)


def test_what_cannot_be_exported(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(MetadataError):
        export(tmp_path / "text.png", tmp_path / "a.png", "PNG")
    whole = save_image(Image.effect_noise((64, 64), 80), Recipe(), folder=tmp_path)
    (tmp_path / "cut.png").write_bytes(whole.read_bytes()[:1500])
    with pytest.raises(MetadataError, match="cut off"):
        export(tmp_path / "cut.png", tmp_path / "a.png", "PNG")
    with pytest.raises(ExportError, match="could not be written"):
        export(whole, tmp_path / "absent" / "a.png", "PNG")
    assert SUFFIXES[".jpg"] == "JPEG"
