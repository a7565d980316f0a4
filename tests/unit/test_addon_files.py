"""LoRA files and embeddings as they lie in the folders: found, named and described, without torch."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from sdcore.library.addons import MOST_WORDS, find_addons, places, trigger_words
from sdcore.library.folders import FoundFile, Place, look_at
from sdcore.library.shelf import Shelf
from sdcore.spec.recipe import RecipeError
from sdcore.spec.words import names_in


def write(path: Path, shapes: Mapping[str, tuple[int, ...]], **metadata: str) -> Path:
    """A sound safetensors file of float16 zeros."""
    header: dict[str, object] = {"__metadata__": metadata} if metadata else {}
    end = 0
    for name, shape in shapes.items():
        begin, count = end, 2
        for size in shape:
            count *= size
        end = begin + count
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(end))
    return path


def write_lora(path: Path, width: int = 768, **metadata: str) -> Path:
    layer = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
    shapes = {f"{layer}.lora_down.weight": (4, width), f"{layer}.lora_up.weight": (320, 4)}
    return write(path, shapes, **metadata)


@pytest.fixture
def models(private_home: Path) -> Path:
    """The folder that is always looked into."""
    return private_home / "models"


def test_both_kinds_are_found_in_all_folders_and_told_apart(models: Path) -> None:
    write_lora(models / "Lora" / "styles" / "Ink.safetensors")
    write(models / "two.safetensors", {"clip_l": (2, 768), "clip_g": (2, 1280)})
    write(models / "embeddings" / "one.safetensors", {"emb_params": (3, 768)})
    write(models / "vae.safetensors", {"decoder.conv_in.weight": (512, 4, 3, 3)})
    found = find_addons()
    assert [(one.kind, one.name, one.families, one.vectors) for one in found] == [
        ("LoRA", "Ink", ("SD1",), 0),
        ("textual inversion", "one", ("SD1",), 3),
        ("textual inversion", "two", ("SDXL",), 2),
    ]
    assert found[0].bytes == (models / "Lora" / "styles" / "Ink.safetensors").stat().st_size


def test_the_phrase_of_the_trainer_comes_before_counted_tags() -> None:
    tags = json.dumps({"10_a": {"tree": 3, " sky ": 9}, "5_b": {"tree": 8, "": 90}})
    assert trigger_words({"ss_tag_frequency": tags}) == ("tree", "sky")
    both = {"ss_tag_frequency": tags, "modelspec.trigger_phrase": "ink style, , monochrome"}
    assert trigger_words(both) == ("ink style", "monochrome")
    many = json.dumps({"a": {f"tag {number}": number for number in range(99)}})
    assert len(trigger_words({"ss_tag_frequency": many})) == MOST_WORDS


@pytest.mark.parametrize(
    "text", ["", "[", "[1]", '{"a": 1}', '{"a": {"b": "c"}}', '{"a": {"b": 1e99}}', "[" * 100_000, "\ud800"]
)
def test_tags_that_are_none_are_no_words(text: str) -> None:
    assert trigger_words({"ss_tag_frequency": text}) == ()


def shelf(*folders: Path) -> Shelf:
    return Shelf(lambda: places(map(str, folders)))


def sentence(shelf: Shelf, name: str, family: str = "SD1") -> str:
    with pytest.raises(RecipeError) as caught:
        shelf.lora(name, family)
    (problem,) = caught.value.problems
    assert problem.field == "prompt"
    return problem.message


def test_a_lora_is_named_by_its_stem_in_any_case(models: Path) -> None:
    path = write_lora(models / "Lora" / "styles" / "Ink Wash v1.5.safetensors")
    for name in ("Ink Wash v1.5", "ink wash V1.5", "styles/ink wash v1.5", " Ink Wash v1.5 "):
        assert shelf().lora(name, "SD1").path == str(path)


def test_a_name_as_it_is_written_comes_before_another_case(models: Path) -> None:
    write_lora(models / "a" / "ink.safetensors")
    path = write_lora(models / "b" / "INK.safetensors")
    here = shelf()
    assert here.lora("INK", "SD1").path == str(path)
    assert here.notices() == []


def test_of_several_the_first_that_fits_is_taken_and_that_is_said_once(models: Path) -> None:
    write_lora(models / "a" / "ink.safetensors", width=2048)
    second = write_lora(models / "b" / "ink.safetensors")
    here = shelf()
    assert here.lora("ink", "SD1").path == str(second)
    assert here.notices() == []
    write_lora(models / "c" / "ink.safetensors")
    here = shelf()
    for _ in range(2):
        assert here.lora("ink", "SD1").path == str(second)
    assert [("2 LoRAs called ink" in said, str(second.parent) in said) for said in here.notices()] == [
        (True, True)
    ]
    assert here.notices() == []


def test_a_lora_answers_to_its_file_and_to_what_its_trainer_called_it(models: Path) -> None:
    path = write_lora(models / "ink_v1.5.safetensors", ss_output_name="Ink Wash")
    named = write_lora(models / "sub" / "other.safetensors", ss_output_name="ink_v1.5")
    for name in ("ink_v1.5.safetensors", "INK_v1.5.Safetensors", "Ink Wash", " ink wash"):
        assert shelf().lora(name, "SD1").path == str(path)
    assert shelf().lora("sub/other.safetensors", "SD1").path == str(named)
    write_lora(models / "nameless.safetensors")
    assert "There is no LoRA called ' '" in sentence(shelf(), " ")


def test_an_unknown_name_says_what_may_be_meant(models: Path) -> None:
    assert "put its file into" in sentence(shelf(), "ink")
    write_lora(models / "Watercolour.safetensors")
    assert sentence(shelf(), "watercolor").endswith("did you mean Watercolour?")


def test_one_for_another_family_or_in_another_form_says_so(models: Path) -> None:
    write_lora(models / "ink.safetensors", width=2048)
    assert sentence(shelf(), "ink") == "ink is for SDXL, and the model is SD1."
    write(models / "turned.safetensors", {"lora_unet_x.oft_blocks": (4, 4, 4)})
    assert "is an OFT" in sentence(shelf(), "turned")


def test_a_pickle_is_named_as_what_it_is(models: Path) -> None:
    (models / "Lora").mkdir(parents=True)
    (models / "Lora" / "old.pt").write_bytes(b"PK\x03\x04" + bytes(100))
    assert "pickle" in sentence(shelf(), "old")


def test_embeddings_that_do_not_fit_are_words_like_others(models: Path) -> None:
    write(models / "One.safetensors", {"emb_params": (3, 768)})
    write(models / "Two.safetensors", {"clip_l": (2, 768), "clip_g": (2, 1280)})
    assert set(shelf().embeddings("SD1")) == {"one"}
    assert set(shelf().embeddings("SDXL")) == {"two"}


@pytest.mark.parametrize(("took", "counts"), [(0.0, 5.0), (2.0, 100.0)])
def test_folders_are_walked_through_again_after_a_while(tmp_path: Path, took: float, counts: float) -> None:
    now = [0.0]
    files = [
        write(tmp_path / f"{name}.safetensors", {"emb_params": (1, 768)}) for name in ("first", "second")
    ]
    found = [[Place(str(file), False)] for file in files]

    def walk() -> list[Place]:
        now[0] += took
        return found.pop(0)

    here = Shelf(walk, clock=lambda: now[0])
    assert set(here.embeddings("SD1")) == {"first"}
    now[0] = took + counts - 0.1
    assert set(here.embeddings("SD1")) == {"first"}
    now[0] = took + counts + 0.1
    assert set(here.embeddings("SD1")) == {"second"}


@pytest.mark.parametrize("before", [[], [Place("/gone/ink.safetensors", False)]])
def test_for_a_lora_that_is_not_there_they_are_walked_through_again(
    tmp_path: Path, before: list[Place]
) -> None:
    path = write_lora(tmp_path / "ink.safetensors")
    found = [before, [Place(str(path), False)]]
    assert Shelf(lambda: found.pop(0), clock=lambda: 0.0).lora("ink", "SD1").path == str(path)


def test_only_what_may_be_meant_is_opened(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ink", "pen"):
        write_lora(models / f"{name}.safetensors")
    opened: list[str] = []

    def look(place: Place) -> FoundFile | None:
        opened.append(Path(place.path).stem)
        return look_at(place)

    monkeypatch.setattr("sdcore.library.addons.look_at", look)
    assert shelf().lora("pen", "SD1").name == "pen"
    assert set(opened) == {"pen"}
    opened.clear()
    write(models / "large.safetensors", {"emb_params": (1000, 768)})
    write(models / "small.safetensors", {"emb_params": (2, 768)})
    assert set(shelf().embeddings("SD1")) == {"small"}
    assert "large" not in opened


def test_hostile_names_and_words_stay_text(models: Path) -> None:
    write_lora(models / "\x1b[31mink[/].safetensors", **{"modelspec.trigger_phrase": "\x1b]0;x\x07[bold]"})
    (found,) = find_addons()
    assert found.words == ("\x1b]0;x\x07[bold]",)
    assert "\x1b" not in sentence(shelf(), "\x1b[31mpen")
    assert "\x1b" not in found.misfit("SDXL")


@pytest.mark.parametrize(
    ("text", "names", "found"),
    [
        ("a Cat, cats and cat", ["cat"], ["Cat", "cat"]),
        ("(bad-hands:1.2)", ["bad-hands", "bad"], ["bad-hands"]),
        ("my style here", ["my style"], ["my style"]),
        ("concat", ["cat"], []),
        ("a c++ b", ["c++"], ["c++"]),
        ("", ["x"], []),
        ("x", [], []),
        ("x", [""], []),
    ],
)
def test_names_are_found_as_words(text: str, names: list[str], found: list[str]) -> None:
    assert [text[start:end] for start, end, _ in names_in(text, names)] == found


def test_looking_for_them_needs_no_torch() -> None:
    program = "import sys, sdcore.library.addons; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0
