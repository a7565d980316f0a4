"""Textual inversions: words that stand for vectors, as the official pipeline reads them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
from torch import Tensor

from sdcore.diffusion.addons.inversion import FIRST_ID
from sdcore.diffusion.conditioning import Conditioning
from sdcore.diffusion.model import Model
from sdcore.inversion_file import MOST_VECTORS
from sdcore.library.addons import find_addons, places
from sdcore.library.shelf import Shelf
from sdcore.opening import open_model
from sdcore.spec.found import Addon
from sdcore.spec.recipe import Recipe
from tests.models import WIDTH, make_sdxl
from tests.models.addons import save

SECOND = 48


class OneEmbedding(Shelf):
    """A shelf that offers one file, whatever it is for."""

    def __init__(self, path: Path) -> None:
        super().__init__(list)
        self._file = Addon(kind="textual inversion", name=path.stem, path=str(path))

    def embeddings(self, family: str) -> dict[str, Addon]:
        return {self._file.name: self._file}


def vectors(count: int, width: int = WIDTH, seed: int = 0) -> Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def model(model: Model) -> Model:
    """With add-ons of its own, which have told nobody anything."""
    return dataclasses.replace(model, _addons=None)


@pytest.fixture
def folder(model: Model, tmp_path: Path) -> Path:
    """Where the model of this file looks for embeddings."""
    model.addons.connect(Shelf(lambda: places([str(tmp_path)])))
    return tmp_path


def said(model: Model, prompt: str, negative: str = "") -> tuple[Conditioning, Conditioning]:
    text, uncond = model.told(Recipe(prompt=prompt, negative_prompt=negative, guidance_scale=3.0))
    assert uncond is not None
    return text.at(0)[0][1], uncond.at(0)[0][1]


def ids(model: Model, prompt: str) -> list[int]:
    return [int(token) for token in model.text_encoder.tokenize(prompt).ids.flatten()]


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("key", ["emb_params", "<style>", "string_to_param.*"])
def test_sd1_reads_them_as_the_official_pipeline(
    model: Model, sd1_folder: Path, folder: Path, key: str, count: int
) -> None:
    path = save(folder / "style.safetensors", {key: vectors(count)})
    model.addons.connect(OneEmbedding(path))
    pipe = StableDiffusionPipeline.from_pretrained(sd1_folder, safety_checker=None)
    pipe.load_textual_inversion({"style": vectors(count)})
    text, uncond = pipe.encode_prompt("a house, style and tree", "cpu", 1, True, negative_prompt="no style")
    ours = said(model, "a house, style and tree", "no style")
    assert torch.equal(ours[0].embeddings, text)
    assert torch.equal(ours[1].embeddings, uncond)
    assert not torch.equal(text, said(model, "a house, stile and tree")[0].embeddings)


def test_sdxl_reads_two_sets_as_the_official_pipeline(tmp_path: Path) -> None:
    path = make_sdxl(tmp_path / "random-sdxl")
    model = open_model(path, device="cpu")
    model.addons.connect(Shelf(lambda: places([str(tmp_path)])))
    both = {"clip_l": vectors(2), "clip_g": vectors(2, SECOND)}
    save(tmp_path / "style.safetensors", both)
    pipe = StableDiffusionXLPipeline.from_pretrained(path)
    pipe.load_textual_inversion(
        {"style": both["clip_l"]}, tokenizer=pipe.tokenizer, text_encoder=pipe.text_encoder
    )
    pipe.load_textual_inversion(
        {"style": both["clip_g"]}, tokenizer=pipe.tokenizer_2, text_encoder=pipe.text_encoder_2
    )
    text, uncond, pooled, uncond_pooled = pipe.encode_prompt(
        "a style house", device="cpu", negative_prompt="style"
    )
    ours, not_this = said(model, "a style house", "style")
    assert torch.equal(ours.embeddings, text)
    assert torch.equal(not_this.embeddings, uncond)
    assert ours.pooled is not None
    assert not_this.pooled is not None
    assert torch.equal(ours.pooled, pooled)
    assert torch.equal(not_this.pooled, uncond_pooled)


def test_without_any_nothing_is_hooked(model: Model, folder: Path) -> None:
    layer = model.text_encoder.network.get_input_embeddings()
    plain = said(model, "a tree")[0].embeddings
    save(folder / "style.safetensors", {"emb_params": vectors(2)})
    said(model, "a style tree")
    assert not layer._forward_hooks
    assert torch.equal(said(model, "a tree")[0].embeddings, plain)


def test_they_are_counted_and_named_like_words(model: Model, folder: Path) -> None:
    save(folder / "My-Style.safetensors", {"emb_params": vectors(3)})
    found = ids(model, "a my-style b")
    assert [token >= FIRST_ID for token in found[1:6]] == [False, True, True, True, False]
    assert model.text_encoder.token_text(found[2]) == "My-Style"
    assert len([token for token in ids(model, "a mystyle b") if token >= FIRST_ID]) == 0


def test_vectors_of_a_file_stay_in_one_chunk(model: Model, folder: Path) -> None:
    save(folder / "style.safetensors", {"emb_params": vectors(5)})
    tokens = model.text_encoder.tokenize(f"{'a ' * 72}style")
    assert tokens.ids.shape == (2, 77)
    assert int((tokens.ids[0] >= FIRST_ID).sum()) == 0
    assert int((tokens.ids[1] >= FIRST_ID).sum()) == 5
    most = save(folder / "most.safetensors", {"emb_params": vectors(MOST_VECTORS)})
    assert most.is_file()
    model.addons.connect(Shelf(lambda: places([str(folder)])))
    assert model.text_encoder.tokenize("most").ids.shape == (1, 77)


def test_weights_act_on_them_as_on_words(model: Model, folder: Path) -> None:
    save(folder / "style.safetensors", {"emb_params": vectors(2)})
    recipe = Recipe(prompt="a (style:1.5) b", emphasis="no norm", guidance_scale=1.0)
    weighted = model.told(recipe)[0].at(0)[0][1].embeddings
    plain = said(model, "a style b")[0].embeddings
    assert torch.equal(weighted[0, 2:4], plain[0, 2:4] * 1.5)
    assert torch.equal(weighted[0, 4:], plain[0, 4:])


def notices(model: Model, prompt: str) -> list[str]:
    model.denoiser(Recipe(prompt=prompt, guidance_scale=3.0))
    return model.addons.notices()


def with_nan(dtype: torch.dtype) -> Tensor:
    damaged = vectors(2)
    damaged[1, 3] = torch.nan
    return damaged.to(dtype)


@pytest.mark.parametrize(
    ("tensors", "why"),
    [
        ({"emb_params": vectors(MOST_VECTORS + 1)}, "76 vectors, and a prompt has room for 75"),
        *(({"emb_params": with_nan(dtype)}, "is damaged") for dtype in (
            torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e5m2, torch.float8_e4m3fn,
        )),
        ({"emb_params": vectors(2) / 0}, "is damaged"),
        ({"emb_params": torch.zeros(2, 2, WIDTH)}, "no vectors"),
        ({"emb_params": torch.zeros(2, WIDTH, dtype=torch.int32)}, "no numbers that sdtui reads"),
        ({"clip_l": vectors(2), "clip_g": vectors(3, 1280)}, "not as many"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("offered", [True, False])
def test_what_cannot_be_used_is_words_and_that_is_said_once(
    model: Model, folder: Path, tensors: dict[str, Tensor], why: str, offered: bool
) -> None:
    before = ids(model, "a style b")
    path = save(folder / "style.safetensors", tensors)
    model.addons.connect(OneEmbedding(path) if offered else Shelf(lambda: places([str(folder)])))
    assert ids(model, "a style b") == before
    assert notices(model, "a house") == []
    (notice,) = notices(model, "a STYLE b, (style:1.2)")
    assert notice.startswith("The embedding style is not used: style ")
    assert why in notice
    assert notices(model, "another style") == []
    (listed,) = find_addons([str(folder)])
    assert f"The embedding style is not used: {listed.problem}" == notice


def test_one_for_an_encoder_of_another_width_is_a_word(model: Model, folder: Path) -> None:
    before = ids(model, "a style b")
    save(folder / "style.safetensors", {"emb_params": vectors(2, SECOND)})
    model.addons.connect(Shelf(lambda: places([str(folder)])))
    assert ids(model, "a style b") == before
    assert notices(model, "a style b") == [
        f"The embedding style is not used: style has vectors of {SECOND} numbers, and those of the model's CLIP-L "
        f"have {WIDTH}."
    ]


def test_a_pickle_and_one_for_other_models_say_so(model: Model, folder: Path) -> None:
    (folder / "embeddings").mkdir()
    (folder / "embeddings" / "neg.pt").write_bytes(b"PK\x03\x04" + bytes(100))
    save(folder / "xl.safetensors", {"clip_l": vectors(1, 768), "clip_g": vectors(1, 1280)})
    save(folder / "xl-hands.safetensors", {"emb_params": vectors(1)})
    recipe = Recipe(prompt="xl-hands", negative_prompt="neg, xl", guidance_scale=3.0)
    model.denoiser(recipe)
    first, second = model.addons.notices()
    assert first.startswith("The embedding neg is not used: ")
    assert first.endswith("neg.pt is a pickle, which could run any code when it is opened; get the same weights as "
                          "safetensors.")  # fmt: skip
    assert second == "The embedding xl is not used: xl is for SDXL, and the model is SD1."
    assert notices(model, "xl-hands") == []


def test_a_file_that_was_damaged_is_used_when_it_is_whole(model: Model, folder: Path) -> None:
    save(folder / "style.safetensors", {"emb_params": with_nan(torch.float32)})
    assert ids(model, "style")[1] < FIRST_ID
    save(folder / "style.safetensors", {"emb_params": vectors(2)})
    assert ids(model, "style")[1] >= FIRST_ID
    (listed,) = find_addons([str(folder)])
    assert listed.problem == ""


def test_a_file_that_is_replaced_is_read_again(model: Model, folder: Path) -> None:
    save(folder / "style.safetensors", {"emb_params": vectors(2)})
    before = said(model, "a style b")[0].embeddings
    save(folder / "style.safetensors", {"emb_params": vectors(3, seed=9)})
    assert not torch.equal(said(model, "a style b")[0].embeddings, before)
