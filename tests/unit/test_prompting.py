"""What a network is told: chunks, weights, layers, schedules and AND, by hand and against the pipeline."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch

from sdcore.diffusion.conditioning import Conditioning, Told, ToldPart, equally_long
from sdcore.diffusion.denoiser import GuidedDenoiser
from sdcore.diffusion.loop import sample
from sdcore.diffusion.model import Model
from sdcore.diffusion.prompting import ClipReader, keep_mean, told
from sdcore.opening import open_model
from sdcore.spec.prompt import parse, weights
from sdcore.spec.recipe import Recipe

WORD = "ab"
PLAIN = Recipe(prompt=WORD, negative_prompt="x", width=64, height=64, steps=4, seed=3, sampler="Euler")


@pytest.fixture(scope="module")
def model(sd1_folder: Path) -> Model:
    """A model of random weights whose embeddings have a mean, as those of trained ones do."""
    opened = open_model(sd1_folder, device="cpu")
    norm = opened.text_encoder.network.final_layer_norm
    norm.bias.data += torch.linspace(0.0, 0.2, len(norm.bias))
    return opened


def changed(**changes: Any) -> Recipe:
    return msgspec.structs.replace(PLAIN, **changes)


def read(model: Model, text: str, **settings: Any) -> torch.Tensor:
    """The embeddings of a text (1, 77 * n, 32)."""
    return ClipReader((model.text_encoder,), **settings)(weights(text)).embeddings


def words(model: Model, text: str) -> list[int]:
    """How many words stand in each chunk of a text."""
    return [int(mask.sum()) - 2 for mask in model.text_encoder.tokenize(weights(text)).attention_mask]


# -- chunks


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("", [0]),
        ("ab " * 75, [75]),
        ("ab " * 76, [75, 1]),
        ("ab " * 160, [75, 75, 10]),
        ("ab " * 54 + ", " + "ab " * 21, [75, 1]),  # 20 after the comma, one too many
        ("ab " * 55 + ", " + "ab " * 20, [56, 20]),  # 19 after it
        ("ab " * 60 + ", ab , " + "ab " * 20, [63, 20]),  # the last of the two
        ("ab " * 74 + ", " + "ab", [75, 1]),
        ("ab " * 75 + ", ab", [75, 2]),  # the comma itself goes on
        ("ab " * 60 + ", " + "ab " * 14, [75]),  # nothing is left over
        ("ab BREAK ab ab", [1, 2]),
        ("BREAK ab", [0, 1]),
        ("ab BREAK", [1]),
        ("ab BREAK BREAK ab", [1, 0, 1]),
        ("ab " * 75 + "BREAK ab", [75, 1]),
        (
            "ab " * 60 + ", ab BREAK " + "ab " * 76,
            [62, 75, 1],
        ),  # a comma before a break does not count after it
        ("(" + "ab " * 50 + ":1.2)" + "ab " * 50, [75, 25]),
    ],
)
def test_where_chunks_end(model: Model, text: str, counts: list[int]) -> None:
    assert words(model, text) == counts


def test_chunks_have_a_start_an_end_and_padding_each(model: Model) -> None:
    encoder = model.text_encoder
    start, end, pad = (
        encoder.tokenizer.bos_token_id,
        encoder.tokenizer.eos_token_id,
        encoder.tokenizer.pad_token_id,
    )
    word = encoder.tokenizer(WORD, add_special_tokens=False)["input_ids"]
    tokens = encoder.tokenize(weights("(ab:1.5) BREAK [ab]"))
    assert tokens.ids.tolist() == [[start, *word, end, *[pad] * 74]] * 2
    assert tokens.attention_mask.tolist() == [[1] * 3 + [0] * 74] * 2
    expected = torch.ones(2, 77)
    expected[0, 1], expected[1, 1] = 1.5, 1 / 1.1
    torch.testing.assert_close(tokens.weights, expected)


def test_a_plain_prompt_is_what_it_always_was(model: Model) -> None:
    encoder = model.text_encoder
    for text in ("", WORD, "a red house, at night", "ab " * 75):
        padded = encoder.tokenizer(text, padding="max_length", max_length=77, return_tensors="pt")
        assert torch.equal(encoder.tokenize(weights(text)).ids, padded["input_ids"])
        assert torch.equal(encoder.tokenize(text).attention_mask, padded["attention_mask"])
        with torch.inference_mode():
            direct = encoder.network(padded["input_ids"])[0]
        assert torch.equal(read(model, text), direct)


def test_chunks_are_read_one_by_one_and_laid_end_to_end(model: Model) -> None:
    long = read(model, "ab " * 75 + "x")
    assert torch.equal(long, torch.cat([read(model, "ab " * 75), read(model, "x")], dim=1))
    assert torch.equal(model.text_encoder.encode("ab " * 75 + "x"), long)


# -- emphasis


def test_weights_by_hand(model: Model) -> None:
    plain, empty = read(model, "x ab")[0].double(), read(model, "")[0].double()
    factors = torch.ones(77, 1, dtype=torch.float64)
    factors[2] = 1.5
    times = plain * factors
    towards = empty + factors * (plain - empty)
    kept = times * (plain.mean() / times.mean())
    expected = {"original": kept, "no norm": times, "ComfyUI": towards, "ignore": plain}
    for emphasis, by_hand in expected.items():
        found = read(model, "x (ab:1.5)", emphasis=emphasis)[0]
        torch.testing.assert_close(found.double(), by_hand, rtol=1e-5, atol=1e-6)
    assert not torch.allclose(kept.float(), times.float())
    assert torch.equal(read(model, "x (ab:1.5)", emphasis="ignore"), read(model, "x ab"))


def test_the_mean_is_kept_chunk_by_chunk(model: Model) -> None:
    found = read(model, "(ab:1.5) BREAK x")
    assert torch.equal(found[:, :77], read(model, "(ab:1.5)"))
    assert torch.equal(found[:, 77:], read(model, "x"))
    assert float(found[:, :77].mean()) == pytest.approx(float(read(model, WORD).mean()), rel=1e-3)


@pytest.mark.parametrize("mean", [0.0, 1e-9])
def test_a_mean_of_nothing_but_rounding_is_not_kept(mean: float) -> None:
    embeddings = torch.tensor([[[1.0, -1.0], [2.0, -2.0]]]) + mean
    weights_of_words = torch.tensor([[1.0], [1.5]])
    kept = keep_mean(embeddings, weights_of_words, lambda: embeddings)
    assert torch.equal(kept, embeddings * weights_of_words)
    zeros = torch.zeros(1, 2, 2)
    assert torch.equal(keep_mean(zeros, weights_of_words, lambda: zeros), zeros)


# -- layers


def test_clip_skip_reads_an_earlier_layer_through_the_final_norm(model: Model) -> None:
    network = model.text_encoder.network
    ids = model.text_encoder.tokenize(WORD).ids
    with torch.inference_mode():
        states = network(ids, output_hidden_states=True).hidden_states
        assert torch.equal(network.final_layer_norm(states[-1]), read(model, WORD))
        assert torch.equal(network.final_layer_norm(states[-2]), read(model, WORD, clip_skip=2))
    first = read(model, WORD, clip_skip=len(states) - 1)
    assert torch.equal(read(model, WORD, clip_skip=12), first)
    assert not torch.equal(first, read(model, WORD))


def test_a_family_may_take_the_layer_before_as_it_is(model: Model) -> None:
    encoder = replace(model.text_encoder, skips=1, normed=False)
    with torch.inference_mode():
        states = encoder.network(encoder.tokenize(WORD).ids, output_hidden_states=True).hidden_states
    assert torch.equal(encoder.encode(WORD), states[-2])


def test_two_encoders_are_laid_side_by_side(model: Model) -> None:
    other = replace(model.text_encoder, skips=1, normed=False)
    wide = ClipReader((model.text_encoder, other))(weights("(ab:1.2) BREAK x"))
    halves = [
        ClipReader((one,))(weights("(ab:1.2) BREAK x")).embeddings for one in (model.text_encoder, other)
    ]
    assert wide.embeddings.shape == (1, 154, 64)
    assert wide.pooled is None
    assert torch.equal(wide.embeddings, torch.cat(halves, dim=-1))
    assert ClipReader((model.text_encoder, other)).filler().shape == (1, 77, 64)


# -- over a run


def test_a_prompt_says_what_its_schedule_says(model: Model) -> None:
    said = model.adapter.told("[ab|x] AND fog:0.5", PLAIN)
    ab, x, fog = (read(model, text) for text in ("ab", "x", " fog"))
    for step, expected in enumerate((ab, x, ab, x, x)):
        (one, first), (half, second) = said.at(step)
        assert (one, half) == (1.0, 0.5)
        assert torch.equal(first.embeddings, expected)
        assert torch.equal(second.embeddings, fog)
    negative = model.adapter.told("ab AND x", PLAIN, negative=True)
    assert len(negative.parts) == 1


def test_each_text_is_read_once(model: Model) -> None:
    seen: list[Any] = []

    def reader(pieces: Any) -> Conditioning:
        seen.append(pieces)
        return Conditioning(torch.zeros(1, 77, 4))

    told("[ab|x] AND ab", changed(steps=30), reader)
    assert len(seen) == 3


def test_shorter_prompts_are_lengthened_by_the_empty_one(model: Model) -> None:
    text, uncond = model.told(changed(prompt="[ab:ab BREAK x BREAK x:2]"))
    assert uncond is not None
    empty = read(model, "")
    short = torch.cat([read(model, "ab"), empty, empty], dim=1)
    assert torch.equal(text.at(0)[0][1].embeddings, short)
    assert torch.equal(text.at(3)[0][1].embeddings, read(model, "ab BREAK x BREAK x"))
    assert torch.equal(uncond.at(0)[0][1].embeddings, torch.cat([read(model, "x"), empty, empty], dim=1))


def test_prompts_of_one_length_are_left_alone() -> None:
    one = Told((ToldPart(1.0, ((4, Conditioning(torch.zeros(1, 77, 4))),)),))
    assert equally_long([one, one]) == (one, one)


def network(model_input: torch.Tensor, t: torch.Tensor, said: Conditioning) -> torch.Tensor:
    """A network whose prediction is the input times what it is told."""
    return model_input * said.embeddings.mean(dim=(1, 2))[:, None, None, None]


def says(*parts: tuple[float, float]) -> Told:
    """Prompts (weight, number) joined by AND, said throughout."""
    return Told(
        tuple(
            ToldPart(weight, ((9, Conditioning(torch.full((1, 77, 2), number))),)) for weight, number in parts
        )
    )


@pytest.mark.parametrize("split", [False, True])
def test_and_adds_what_each_prompt_pulls(split: bool) -> None:
    denoiser = GuidedDenoiser(
        network, says((1.0, 5.0), (0.5, 9.0), (-1.0, 2.0)), says((1.0, 3.0)), split=split
    )
    given = torch.ones(2, 4, 3, 3)
    uncond, text = denoiser(given, torch.tensor(1.0), 0)
    assert uncond is not None
    torch.testing.assert_close(uncond, 3 * given)
    torch.testing.assert_close(text, (3 + 1.0 * (5 - 3) + 0.5 * (9 - 3) - 1.0 * (2 - 3)) * given)


def test_and_without_guidance_has_an_origin_that_nobody_sees(model: Model) -> None:
    """At a guidance of 1 what is added up is the same as with guidance; there is nothing to guide away from."""
    joined, guided = changed(prompt="ab AND fog:0.5", guidance_scale=1.0), changed(prompt="ab AND fog:0.5")
    alone, both = (next(iter(sample(model, recipe))) for recipe in (joined, guided))
    assert alone.noise_pred_uncond is None
    torch.testing.assert_close(alone.noise_pred_text, both.noise_pred_text)
    assert torch.equal(alone.noise_pred, alone.noise_pred_text)


def test_and_with_the_same_prompt_changes_nothing_but_rounding(model: Model) -> None:
    plain = [step.next_latents for step in sample(model, changed(prompt="ab"))]
    joined = [step.next_latents for step in sample(model, changed(prompt="ab:0.5 AND ab:0.5"))]
    torch.testing.assert_close(joined[-1], plain[-1], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("sampler", ["Euler", "Heun", "PLMS"])
def test_a_schedule_counts_sampler_steps_not_forwards(model: Model, sampler: str) -> None:
    recipes = [changed(prompt=text, sampler=sampler) for text in ("[ab:fog:2]", "ab", "fog")]
    both, first, _ = ([step.noise_pred_text for step in sample(model, recipe)] for recipe in recipes)
    apart = next(index for index, pair in enumerate(zip(both, first, strict=True)) if not torch.equal(*pair))
    assert apart == {"Euler": 2, "Heun": 4, "PLMS": 2}[sampler]


def test_the_network_attends_to_all_of_a_long_prompt(model: Model) -> None:
    """One forward pass over both halves, as long as the longer; the official pipeline given these embeddings does the
    same."""
    first = next(iter(sample(model, changed(prompt="ab " * 75 + "fog"))))
    text = torch.cat([read(model, "ab " * 75), read(model, "fog")], dim=1)
    uncond = torch.cat([read(model, "x"), read(model, "")], dim=1)
    given = first.latents / (1 + first.sigma**2) ** 0.5
    with torch.inference_mode():
        both = model.network(
            torch.cat([given, given]), torch.tensor(first.t), encoder_hidden_states=torch.cat([uncond, text])
        ).sample
    assert first.noise_pred_uncond is not None
    torch.testing.assert_close(torch.cat([first.noise_pred_uncond, first.noise_pred_text]), both)


def test_extras_are_not_read_as_words(model: Model) -> None:
    assert parse("ab<lora:x:1>", 4).branches == parse("ab", 4).branches
    found = model.adapter.told("ab<lora:x:1>", PLAIN).at(0)[0][1].embeddings
    assert torch.equal(found, read(model, "ab"))


def test_a_second_pass_goes_on_with_the_schedule(model: Model) -> None:
    recipe = changed(prompt="[ab:fog:6]", steps=4, hires_scale=1.5, hires_steps=4, hires_strength=0.5)
    told_apart = [
        msgspec.structs.replace(recipe, prompt=text) for text in ("[ab:fog:6]", "ab", "[ab:fog:1.5]")
    ]
    both, first, by_fraction = ([step.noise_pred_text for step in sample(model, one)] for one in told_apart)
    apart = [index for index, pair in enumerate(zip(both, first, strict=True)) if not torch.equal(*pair)]
    assert apart == [6, 7]
    assert all(torch.equal(*pair) for pair in zip(both, by_fraction, strict=True))
