"""Textual inversions: words that stand for vectors, as the official pipeline reads them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
from torch import Tensor

from sdcore.diffusion.addons.inversion import FIRST_ID, MOST_VECTORS
from sdcore.diffusion.addons.lora import AddonError
from sdcore.diffusion.conditioning import Conditioning
from sdcore.diffusion.model import Model
from sdcore.library.addons import places
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


def test_one_for_an_encoder_of_another_width_is_a_word(model: Model, folder: Path) -> None:
    before = ids(model, "a style b")
    save(folder / "style.safetensors", {"emb_params": vectors(2, SECOND)})
    model.addons.connect(Shelf(lambda: places([str(folder)])))
    assert ids(model, "a style b") == before


@pytest.mark.parametrize(
    ("tensors", "why"),
    [
        ({"emb_params": vectors(MOST_VECTORS + 1)}, "1 to 75 vectors"),
        ({"emb_params": torch.full((2, WIDTH), torch.nan)}, "vectors of numbers"),
        ({"emb_params": torch.zeros(2, 2, WIDTH)}, "1 to 75 vectors"),
        ({"clip_l": vectors(2), "clip_g": vectors(3, SECOND)}, "not as many"),
    ],
)
def test_what_is_no_embedding_is_refused_where_it_is_named(
    model: Model, folder: Path, tensors: dict[str, Tensor], why: str
) -> None:
    model.addons.connect(OneEmbedding(save(folder / "style.safetensors", tensors)))
    with pytest.raises(AddonError, match=why):
        ids(model, "a style b")
    assert ids(model, "a house")


def test_a_file_that_is_replaced_is_read_again(model: Model, folder: Path) -> None:
    save(folder / "style.safetensors", {"emb_params": vectors(2)})
    before = said(model, "a style b")[0].embeddings
    save(folder / "style.safetensors", {"emb_params": vectors(3, seed=9)})
    assert not torch.equal(said(model, "a style b")[0].embeddings, before)
