"""The bundled model: its tokenizer, its folder of weights, and the training that makes them."""

from __future__ import annotations

import math
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionPipeline
from safetensors import safe_open
from tokenizers import Tokenizer, pre_tokenizers
from transformers import CLIPTokenizer

from sdcore.tiny import (
    architecture,
    dataset,
    train_decoder,
    train_diffusion,
    train_text,
    train_vae,
    training,
    weights_folder,
)
from sdcore.tiny.dataset import Pictures, world_words
from sdcore.tiny.identity import start_as_identity
from sdcore.tiny.muon import Muon, orthogonal
from sdcore.tiny.tokenizer import PROMPT_WORDS, build_tokenizer, tokenize
from sdcore.tiny.training import Budget, Ema, load_checkpoint, rate_factor
from sdcore.tiny.world import Scene, Second

MEGABYTE = 1_000_000
STRANGE_TEXTS = (
    "",
    "Highly detailed small japanese house, radiant light",
    "日本の家 🏠 œuvre naïve",
    "a\tb\nc\x00d\x1b[31m",
    "[red:green:0.5] (house:1.3) <lora:x:1>",
    "".join(chr(code) for code in range(33, 591)),
)
SMALL_VAE = {**architecture.VAE, "block_out_channels": (8, 8, 16, 16)}
SMALL_UNET = {
    **architecture.UNET,
    "block_out_channels": (32, 32, 32),
    "attention_head_dim": (2, 2, 2),
    "norm_num_groups": 8,
}


@pytest.fixture(scope="module")
def bundled_tokenizer() -> CLIPTokenizer:
    return CLIPTokenizer.from_pretrained(weights_folder() / "tokenizer")


@pytest.fixture(scope="module")
def pipeline() -> StableDiffusionPipeline:
    return StableDiffusionPipeline.from_pretrained(weights_folder(), local_files_only=True)


@pytest.fixture
def small_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(architecture, "VAE", SMALL_VAE)
    monkeypatch.setattr(architecture, "UNET", SMALL_UNET)


def spelled(tokenizer: CLIPTokenizer, text: str) -> bytes:
    """The bytes that the tokens of a text stand for; words are run together."""
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    byte_of = dict(zip(sorted(alphabet, key=byte_order), range(256), strict=True))
    tokens = tokenizer.convert_ids_to_tokens(tokenizer(text)["input_ids"][1:-1])
    return bytes(byte_of[symbol] for token in tokens for symbol in token.removesuffix("</w>"))


def byte_order(symbol: str) -> int:
    """The byte that a symbol of the byte-level alphabet stands for."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return ord(symbol) if ord(symbol) < 256 else others[ord(symbol) - 256]


@pytest.mark.parametrize("text", STRANGE_TEXTS)
def test_any_text_is_spelled_out_to_the_byte(bundled_tokenizer: CLIPTokenizer, text: str) -> None:
    expected = "".join(unicodedata.normalize("NFC", text).lower().split())
    assert spelled(bundled_tokenizer, text) == expected.encode()


def test_every_word_of_the_world_is_one_token(bundled_tokenizer: CLIPTokenizer) -> None:
    words = {word.strip(",.") for word in world_words(500)} | set(PROMPT_WORDS)
    plain = [word for word in words if word.isalpha()]
    assert len(plain) > 200
    assert [word for word in plain if len(bundled_tokenizer.tokenize(word)) != 1] == []


def test_tokenizer_has_77_positions_and_its_own_ends(bundled_tokenizer: CLIPTokenizer) -> None:
    tokens = bundled_tokenizer("house " * 200, truncation=True, padding="max_length")["input_ids"]
    assert len(tokens) == bundled_tokenizer.model_max_length == 77
    assert (tokens[0], tokens[-1]) == (bundled_tokenizer.bos_token_id, bundled_tokenizer.eos_token_id)


def test_tokenizers_alone_counts_the_same(bundled_tokenizer: CLIPTokenizer) -> None:
    alone = Tokenizer.from_file(str(weights_folder() / "tokenizer" / "tokenizer.json"))
    alone.no_truncation()
    alone.no_padding()
    for text in STRANGE_TEXTS:
        assert alone.encode(text).ids == bundled_tokenizer(text)["input_ids"]


def test_building_a_tokenizer_twice_gives_the_same() -> None:
    words = ["house", "houses", "japanese", "lighthouse", "light"]
    first, second = build_tokenizer(words), build_tokenizer(reversed(words))
    assert first.get_vocab() == second.get_vocab()


def test_finding_the_weights_needs_no_torch() -> None:
    code = "import sys, sdcore.tiny; sdcore.tiny.weights_folder(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_pipeline_loads_unchanged(pipeline: StableDiffusionPipeline) -> None:
    text, tokenizer, scheduler = pipeline.text_encoder.config, pipeline.tokenizer, pipeline.scheduler.config
    assert (text.bos_token_id, text.eos_token_id, text.pad_token_id) == (
        tokenizer.bos_token_id,
        tokenizer.eos_token_id,
        tokenizer.pad_token_id,
    )
    assert text.vocab_size == len(tokenizer)
    assert pipeline.unet.config.cross_attention_dim == text.hidden_size
    assert pipeline.unet.config.sample_size * pipeline.vae_scale_factor == architecture.IMAGE_SIZE
    assert pipeline.vae.config.latent_channels == 4
    assert (scheduler.beta_schedule, scheduler.beta_start, scheduler.beta_end) == (
        "scaled_linear",
        0.00085,
        0.012,
    )
    assert pipeline.safety_checker is None


def test_pipeline_draws(pipeline: StableDiffusionPipeline) -> None:
    pipeline.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(1632)
    images = pipeline("a red house", num_inference_steps=2, generator=generator, output_type="np").images
    assert images.shape == (1, 128, 128, 3)
    assert images.std() > 0.05


def test_weights_are_half_precision_and_small() -> None:
    files = [path for path in weights_folder().rglob("*") if path.is_file()]
    weights = [path for path in files if path.suffix == ".safetensors"]
    assert len(weights) == 3
    for path in weights:
        with safe_open(path, framework="pt") as tensors:
            assert {tensors.get_slice(name).get_dtype() for name in tensors.keys()} == {"F16"}  # noqa: SIM118
    assert sum(path.stat().st_size for path in files) <= 40 * MEGABYTE


@pytest.mark.usefixtures("small_networks")
def test_interrupted_training_resumes_bit_by_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(train_diffusion, "BATCH", 4)
    finals = []
    for name, stop in (("whole", None), ("interrupted", 2)):
        work = tmp_path / name
        work.mkdir()
        pictures = Pictures(work, seed=1, count=8)
        pictures.render()
        torch.manual_seed(3)
        architecture.new_vae().save_pretrained(work / train_vae.VAE_FOLDER)
        build_tokenizer(["house"]).save_pretrained(work / dataset.TOKENIZER_FOLDER)
        train_text.train_text(pictures, work, Budget(steps=1), 7, torch.device("cpu"))
        if stop is not None:
            with monkeypatch.context() as patch:
                patch.setattr(train_diffusion, "step_captions", interrupt_at(stop))
                with pytest.raises(KeyboardInterrupt):
                    train(pictures, work)
            assert load_checkpoint(work / "diffusion.pt")["step"] == stop
        train(pictures, work)
        finals.append(load_checkpoint(work / "diffusion.pt"))
    whole, interrupted = finals
    assert whole["step"] == interrupted["step"] == 4
    for part in ("module", "ema"):
        assert all(torch.equal(whole[part][name], interrupted[part][name]) for name in whole[part])


def train(pictures: Pictures, work: Path) -> None:
    train_diffusion.train_diffusion(pictures, work, Budget(steps=4), 7, torch.device("cpu"))


def interrupt_at(stop: int):
    original = train_diffusion.step_captions

    def captions(scenes: list, seed: int, step: int) -> list[str]:
        if step == stop:
            raise KeyboardInterrupt
        return original(scenes, seed, step)

    return captions


def test_answers_say_what_stands_where() -> None:
    alone = Scene("cat", "black", "small", "snow")
    beside = Scene("house", "red", "small", "desert", second=Second("fish", "blue", "left"))
    for scene, middle, left, right in (
        (alone, ("cat", "black"), ("nothing", "nothing"), ("nothing", "nothing")),
        (beside, ("nothing", "nothing"), ("fish", "blue"), ("house", "red")),
    ):
        [answers] = train_text.right_answers([scene]).tolist()
        said = [known[k] for (known, _), k in zip(train_text.QUESTIONS.values(), answers, strict=True)]
        assert said == [*middle, *left, *right, scene.size, scene.place, scene.light, scene.style]


def test_a_caption_is_read_from_behind_its_last_word(bundled_tokenizer: CLIPTokenizer) -> None:
    tokens = tokenize(bundled_tokenizer, ["", "a red house", "house " * 200] * 50)
    positions = train_text.positions_after_text(
        tokens, bundled_tokenizer.eos_token_id, torch.Generator().manual_seed(1)
    )
    for first, last, found in ((1, 76, positions[0::3]), (4, 76, positions[1::3]), (76, 76, positions[2::3])):
        assert first <= found.min() <= found.max() <= last
        assert len(set(found.tolist())) > 20 or first == last


def test_what_stands_at_a_side_is_asked_at_the_word_for_it(bundled_tokenizer: CLIPTokenizer) -> None:
    scenes = [
        Scene("house", "red", "small", "desert", second=Second("fish", "blue", "left")),
        Scene("cat", "black", "small", "snow"),
    ]
    tokens = tokenize(bundled_tokenizer, ["a fish on the left and a house on the right, left", "a cat"])
    words = {side: bundled_tokenizer.convert_tokens_to_ids(f"{side}</w>") for side in ("left", "right")}
    answers = train_text.right_answers(scenes)
    sheet = tuple(torch.zeros(2, 77, len(known)) for known, _ in train_text.QUESTIONS.values())
    unsure = float(train_text.side_loss(sheet, tokens, answers, words))
    assert unsure == pytest.approx((math.log(19) + math.log(11)) / 2 + math.log(2), abs=1e-4)
    places = {side: (tokens[0] == word).int().argmax().item() for side, word in words.items()}

    def told(sides: Callable[[str], tuple[str, ...]]) -> float:
        for k, question in enumerate(train_text.QUESTIONS):
            side, _, what = question.partition(" ")
            if side in words and what in ("subject", "colour"):
                sheet[k].zero_()
                for word in sides(side):
                    sheet[k][0, places[word], answers[0, k]] = 30.0  # right at that word, and nowhere else
        return float(train_text.side_loss(sheet, tokens, answers, words))

    assert told(lambda side: (side,)) == pytest.approx(math.log(2), abs=1e-6)  # nothing of who is not there
    assert told(lambda side: ("left", "right")) == pytest.approx(0.0, abs=1e-6)
    swapped = [Scene("fish", "blue", "small", "desert", second=Second("house", "red", "left")), scenes[1]]
    wrong = train_text.side_loss(sheet, tokens, train_text.right_answers(swapped), words)
    assert float(wrong) > 20
    assert float(train_text.side_loss(sheet, tokens[1:], answers[1:], words)) == 0.0


def test_a_head_has_to_look_at_the_first_word_for_a_side(bundled_tokenizer: CLIPTokenizer) -> None:
    tokens = tokenize(bundled_tokenizer, ["a fish on the left, not right", "a cat", "a cat on the right"])
    words = {side: bundled_tokenizer.convert_tokens_to_ids(f"{side}</w>") for side in ("left", "right")}
    looks = torch.zeros(3, 77)
    looks[0, int((tokens[0] == words["left"]).int().argmax())] = 0.25
    looks[2, int((tokens[2] == words["right"]).int().argmax())] = 1.0
    assert float(train_text.look_loss(looks, tokens, words)) == pytest.approx(math.log(4) / 2)
    assert float(train_text.look_loss(looks[1:2], tokens[1:2], words)) == 0.0


@pytest.mark.usefixtures("small_networks")
def test_fresh_unet_predicts_its_input() -> None:
    torch.manual_seed(2)
    unet = start_as_identity(architecture.new_unet())
    noise, text = torch.randn(2, 4, 16, 16), torch.randn(2, 77, architecture.TEXT_WIDTH)
    with torch.no_grad():
        predicted = unet(noise, torch.tensor([999, 0]), text).sample
    torch.testing.assert_close(predicted, noise, atol=0.05, rtol=0.02)


@pytest.mark.usefixtures("small_networks")
def test_whitening_changes_latents_and_not_pictures() -> None:
    torch.manual_seed(5)
    vae = architecture.new_vae().eval()
    images = torch.rand(6, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        before = vae.decode(vae.encode(images).latent_dist.mean).sample
        train_vae.whiten(vae, images)
        latents = vae.encode(images).latent_dist.mean
        after = vae.decode(latents).sample
    torch.testing.assert_close(after, before, atol=1e-3, rtol=1e-3)
    values = latents.movedim(1, -1).flatten(0, -2)
    torch.testing.assert_close(values.mean(0), torch.zeros(4), atol=1e-3, rtol=0)
    torch.testing.assert_close(values.T @ values / len(values), torch.eye(4), atol=1e-2, rtol=0)


def test_rate_warms_up_and_falls() -> None:
    factors = [rate_factor(done) for done in (0.0, 0.01, 0.02, 0.5, 1.0)]
    assert factors[0] < factors[1] < factors[2] == pytest.approx(1.0)
    assert factors[2] > factors[3] > factors[4] == pytest.approx(0.01)


def test_budget_is_in_steps_or_in_minutes() -> None:
    assert Budget(steps=10).done(5, 1e9) == 0.5
    assert Budget(minutes=2).done(10**9, 30.0) == 0.25
    with pytest.raises(ValueError, match="either"):
        Budget(steps=1, minutes=1)


def test_ema_follows_and_starts_quickly() -> None:
    module = torch.nn.Linear(1, 1, bias=False)
    ema = Ema(module, decay=0.999)
    torch.nn.init.constant_(module.weight, 1.0)
    for step in range(1, 200):
        ema.update(module, step)
    assert ema.averages["weight"].item() == pytest.approx(1.0, abs=1e-3)


@pytest.mark.usefixtures("small_networks")
def test_refining_the_decoder_leaves_the_latents_alone(tmp_path: Path) -> None:
    pictures = Pictures(tmp_path, seed=1, count=8)
    pictures.render()
    torch.manual_seed(4)
    vae = architecture.new_vae()
    vae.save_pretrained(tmp_path / train_vae.VAE_FOLDER)
    train_decoder.train_decoder(pictures, tmp_path, Budget(steps=2), 7, torch.device("cpu"))
    before, after = vae.state_dict(), train_decoder.refined_vae(tmp_path).state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert any(name.startswith("decoder.") for name in changed)
    assert not any(name.startswith(("encoder.", "quant_conv.")) for name in changed)


@pytest.mark.parametrize("shape", [(12, 40), (40, 12), (16, 16)])
def test_orthogonal_evens_out_singular_values(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonal(matrix))
    assert values.min() > 0.5
    assert values.max() < 1.3


def test_muon_goes_downhill_and_leaves_frozen_weights() -> None:
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Conv2d(12, 12, 3, padding=1), torch.nn.Conv2d(12, 3, 1))
    module[1].bias.requires_grad_(False)
    frozen = module[1].bias.clone()
    optimizer = Muon(module)
    images = torch.randn(4, 12, 8, 8)
    losses = []
    for _ in range(30):
        for group in optimizer.param_groups:
            group["lr"] = 0.02
        loss = (module(images) - images[:, :3]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    assert torch.equal(module[1].bias, frozen)
