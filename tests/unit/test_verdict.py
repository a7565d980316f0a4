"""What `sdtui replay --verify` says of two images, and `sdtui inspect` of images of other programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from sdcore.library.headers import Header
from sdcore.library.metadata import read_image
from sdcore.library.outputs import save_image
from sdcore.library.record import WHERE
from sdcore.spec.facts import ImageFacts
from sdcore.spec.recipe import Recipe
from tui import cli
from tui.commands.verdict import differences, verdict

HERE = {"device": "cpu", "dtype": "float32", "torch": "2.13.0", "software": "sdtui 0.1.0", "threads": 2,
        "instructions": "AVX2"}  # fmt: skip
NOW = ImageFacts(writer="sdtui", exact=True, model_hash="0123456789", extra=HERE)
PNG = Header("PNG", 4, 2, {})


def grey(size: tuple[int, int] = (4, 2)) -> Image.Image:
    return Image.new("RGB", size, (100, 100, 100))


def test_the_same_pixels_are_identical_wherever_they_were_made(capsys: pytest.CaptureFixture[str]) -> None:
    elsewhere = ImageFacts(writer="sdtui", exact=True, model_hash="x", extra={})
    assert verdict(grey(), grey(), elsewhere, NOW, PNG) == 0
    assert capsys.readouterr().out == "identical\n"


def test_how_far_apart_by_channel_and_what_differs(capsys: pytest.CaptureFixture[str]) -> None:
    other = grey()
    other.putpixel((0, 0), (104, 99, 100))
    other.putpixel((1, 0), (108, 100, 100))
    then = ImageFacts(
        writer="sdtui",
        exact=True,
        model_hash="0123456789",
        extra={**HERE, "device": "NVIDIA H200", "torch": "2.12.0"},
    )
    assert verdict(grey(), other, then, NOW, PNG) == 1
    first, why, *rows = capsys.readouterr().out.splitlines()
    assert why == "What is not as it was then: torch and device."
    assert first == "differs: 2 of 8 pixels; of 255 at most R 8 G 1 B 0, on average R 1.5 G 0.125 B 0"
    assert [row.split("  ")[0].strip() for row in rows] == ["", "torch", "device"]
    assert "NVIDIA H200" in rows[2]


def test_another_size(capsys: pytest.CaptureFixture[str]) -> None:
    assert verdict(grey(), grey((8, 2)), NOW, NOW, PNG) == 1
    first, why = capsys.readouterr().out.splitlines()
    assert first == "differs: 4x2 then, 8x2 now"
    assert why == (
        "Nothing that the image says of how it was made differs; what it does not say may "
        "(a model folder's text encoders and VAE), or it was changed since."
    )


@pytest.mark.parametrize(
    ("name", "then", "row"),
    [
        ("threads", 4, ("threads", "4", "2")),
        ("threads", 0, ("threads", "not said", "2")),
        ("instructions", "AVX512", ("instructions", "AVX512", "AVX2")),
        ("sparing", "tiled VAE", ("sparing memory", "tiled VAE", "no")),
        ("faster", "compile", ("made faster", "compile", "no")),
        ("dtype", "bfloat16", ("precision", "bfloat16", "float32")),
    ],
)
def test_whatever_can_change_bits_is_named(
    name: str, then: object, row: tuple[str, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    old = ImageFacts(writer="sdtui", exact=True, model_hash="0123456789", extra={**HERE, name: then})
    assert differences(old, NOW) == [row]
    assert verdict(grey(), Image.new("RGB", (4, 2)), old, NOW, PNG) == 1
    assert f"What is not as it was then: {row[0]}.\n" in capsys.readouterr().out


def test_what_an_old_image_of_ours_and_one_of_others_do_not_say() -> None:
    old = ImageFacts(writer="sdtui", exact=True, model_hash="0123456789", extra={"software": "sdtui 0.1.0"})
    assert ("device", "not said", "cpu") in differences(old, NOW)
    theirs = ImageFacts(writer="A1111", model_hash="0123456789")
    assert differences(theirs, NOW) == [("program", "A1111", "sdtui")]


def test_files_that_are_others_now_are_named() -> None:
    def with_addons(ink: str, **facts: str) -> ImageFacts:
        addons = [{"kind": "LoRA", "name": "ink\x1b", "hash": ink}]
        return ImageFacts(writer="sdtui", exact=True, extra={**HERE, "addons": addons}, **facts)  # type: ignore[arg-type]

    then, now = with_addons("a" * 12, vae_hash="c" * 10), with_addons("b" * 12, vae_hash="d" * 10)
    assert differences(then, now) == [
        ("VAE", "c" * 10, "d" * 10),
        ("LoRA ink\ufffd", "a" * 12, "b" * 12),
    ]
    gone = ImageFacts(writer="sdtui", exact=True, extra=HERE)
    assert differences(with_addons("a" * 12), gone) == [("LoRA ink\ufffd", "a" * 12, "none")]


def test_a_text_of_ours_alone_names_no_program_that_is_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    text = ImageFacts(writer="sdtui", model_hash="0123456789")
    assert differences(text, NOW) == []
    assert differences(ImageFacts(writer="sdtui"), NOW) == []
    assert verdict(grey(), grey((8, 2)), text, NOW, PNG) == 1
    assert "(the machine and its libraries, LoRAs, embeddings, a model folder's" in capsys.readouterr().out
    other = ImageFacts(writer="sdtui", model_hash="0123456789", vae_hash="c" * 10)
    assert differences(other, NOW) == [("VAE", "c" * 10, "not said")]


def test_a_jpeg_is_told_for_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    other = grey()
    other.putpixel((0, 0), (0, 0, 0))
    verdict(grey(), other, NOW, NOW, Header("JPEG", 4, 2, {}))
    assert "JPEG" in capsys.readouterr().out


def test_images_say_where_they_were_made(tmp_path: Path) -> None:
    where = {"device": "cpu", "dtype": "float32", "torch": "2.13.0", "threads": 3, "instructions": "AVX2",
             "sparing": "tiled VAE", "faster": "graphs"}  # fmt: skip
    assert tuple(where) == WHERE
    extra = read_image(save_image(grey(), Recipe(), folder=tmp_path, **where)).extra  # type: ignore[arg-type]
    assert {name: extra[name] for name in WHERE} == where
    assert "device" not in read_image(save_image(grey(), Recipe(), folder=tmp_path)).extra


def test_inspect_tells_the_writer_and_what_it_said_besides(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    graph = {
        "3": {
            "class_type": "KSampler",
            "inputs": {"seed": 5, "steps": 9, "positive": ["6", 0], "negative": ["6", 0]},
        },
        "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a cat\x1b[2J"}},
        "9": {"class_type": "FreeU", "inputs": {"b1": 1.5, "on": True}},
    }
    chunks = PngInfo()
    chunks.add_text("prompt", json.dumps(graph))
    grey().save(tmp_path / "a.png", pnginfo=chunks)
    assert cli.main(["inspect", str(tmp_path / "a.png")]) == 0
    said = capsys.readouterr().out
    assert "\x1b" not in said
    above, below = said.split("\n\nsaid by ComfyUI besides\n")
    assert "writer           ComfyUI" in above
    assert "file             PNG, 4 × 2" in above
    assert "9 FreeU     b1 1.5 · on true" in below
    assert cli.main(["inspect", str(tmp_path / "a.png"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["writer"], told["seed"], told["extra"]["9 FreeU"]) == ("ComfyUI", 5, {"b1": 1.5, "on": True})
