"""Noise: Philox to its published words and to a GPU's numbers, and the arc between two seeds."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from sdcore.diffusion.fork import fork
from sdcore.diffusion.loop import sample
from sdcore.diffusion.model import Model
from sdcore.diffusion.noise import generators, initial_noise, seeds_of, slerp
from sdcore.diffusion.philox import PhiloxDraws, PhiloxGenerator, philox_4x32, philox_normal
from sdcore.diffusion.trace import Trace
from sdcore.spec import choices
from sdcore.spec.recipe import Recipe

SHAPE = (4, 8, 8)
NOISY = [choice.name for choice in choices.SAMPLERS if choice.stochastic]


def recipe(**changes: Any) -> Recipe:
    plain = Recipe(prompt="a red house", width=64, height=64, steps=5, seed=3, guidance_scale=3.0)
    return msgspec.structs.replace(plain, **changes)


def noise_of(asked: Recipe) -> torch.Tensor:
    return initial_noise(asked, generators(asked, SHAPE), SHAPE)


# -- Philox --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ((0,) * 4, (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_the_words_published_with_random123(
    counter: tuple[int, ...], key: tuple[int, int], words: tuple[int, ...]
) -> None:
    several = np.array([counter, (1, 2, 3, 4), counter], dtype=np.uint32).T
    found = philox_4x32(several, key)
    assert tuple(found[:, 0]) == tuple(found[:, 2]) == words
    assert tuple(found[:, 1]) != words


def test_the_numbers_that_a_gpu_draws_from_seed_0() -> None:
    """`torch.manual_seed(0); torch.randn(12, device="cuda")`, as modules/rng_philox.py of A1111 quotes them."""
    drawn = [
        -0.92466259, -0.42534415, -2.6438457, 0.14518388, -0.12086647, -0.57972564,
        -0.62285122, -0.32838709, -1.07454231, -0.36314407, -1.67105067, 2.26550497,
    ]  # fmt: skip
    torch.testing.assert_close(philox_normal(0, 0, (12,)), torch.tensor(drawn), rtol=1e-6, atol=1e-6)


def test_box_and_muller_by_hand() -> None:
    first, second, *_ = (int(word) for word in philox_4x32(np.array([[5], [0], [7], [0]]), (11, 1))[:, 0])
    unit, angle = (first + 0.5) / 2**32, (second + 0.5) / 2**32 * 2 * math.pi
    expected = math.sqrt(-2 * math.log(unit)) * math.sin(angle)
    assert philox_normal((1 << 32) + 11, 5, (8,))[7].item() == pytest.approx(expected, abs=1e-5)


def test_every_draw_goes_on_and_a_state_goes_back() -> None:
    generator = PhiloxGenerator(7)
    with PhiloxDraws():
        first = torch.randn((2, 3), generator=generator)
        kept = generator.get_state()
        second = torch.randn(2, 3, generator=generator, dtype=torch.float64)
        generator.set_state(kept)
        assert torch.equal(torch.randn((2, 3), generator=generator).double(), second)
        plain = torch.randn((2, 3), generator=torch.Generator().manual_seed(7))
    assert torch.equal(first, plain)
    assert not torch.equal(first.double(), second)
    assert second.dtype == torch.float64


def test_other_functions_and_generators_are_left_alone() -> None:
    with PhiloxDraws():
        torch.manual_seed(0)
        drawn = torch.randn(4), torch.rand(4, generator=torch.Generator().manual_seed(1))
    torch.manual_seed(0)
    assert torch.equal(drawn[0], torch.randn(4))
    assert torch.equal(drawn[1], torch.rand(4, generator=torch.Generator().manual_seed(1)))


def test_the_numbers_are_normal() -> None:
    drawn = philox_normal(1, 0, (200_000,)).double()
    assert abs(float(drawn.mean())) < 0.01
    assert abs(float(drawn.std()) - 1) < 0.01
    assert abs(float((drawn**4).mean()) - 3) < 0.1


def test_a_recipe_draws_where_it_says() -> None:
    there = noise_of(recipe(rng="gpu", batch_size=2))
    assert torch.equal(there[0], philox_normal(3, 0, SHAPE))
    assert torch.equal(there[1], philox_normal(4, 0, SHAPE))
    assert torch.equal(noise_of(recipe())[0], torch.randn(SHAPE, generator=torch.Generator().manual_seed(3)))


@pytest.mark.parametrize("sampler", NOISY)
def test_a_noisy_sampler_draws_from_philox_all_the_way(
    model: Model, sampler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the plain generators made useless: nothing that the run draws may come from them."""
    asked = recipe(rng="gpu", sampler=sampler, batch_size=2)
    whole = [step.next_latents for step in sample(model, asked)]
    plain = torch.randn

    def poisoned(*given: Any, **named: Any) -> torch.Tensor:
        return plain(*given, **named) * float("nan")

    monkeypatch.setattr(torch, "randn", poisoned)
    assert all(torch.isfinite(one).all() for one in whole)
    snapshots = Trace.record(model, recipe(sampler=sampler))
    assert not torch.isfinite(snapshots[-1].next_latents).all()


@pytest.mark.parametrize("sampler", ["LMS", *NOISY])
def test_a_fork_of_a_run_on_philox_is_exact(model: Model, sampler: str) -> None:
    whole = Trace.record(model, recipe(rng="gpu", sampler=sampler, batch_size=2))
    for step in (0, len(whole) // 2, len(whole) - 2):
        assert torch.equal(fork(whole, step)[-1].next_latents, whole[-1].next_latents)
    if sampler in NOISY:
        assert not torch.equal(fork(whole, 1, seed=8)[-1].next_latents, whole[-1].next_latents)


# -- variations ----------------------------------------------------------------------------------------------------


def test_a_variation_of_nothing_is_the_seed_and_of_everything_the_other() -> None:
    seed, other = noise_of(recipe()), noise_of(recipe(seed=77))
    assert torch.equal(noise_of(recipe(variation_seed=77)), seed)
    torch.testing.assert_close(noise_of(recipe(variation_seed=77, variation_strength=1.0)), other)
    near = noise_of(recipe(variation_seed=77, variation_strength=0.1))
    assert (near - seed).norm() < (near - other).norm()
    assert float(near.std()) == pytest.approx(1, abs=0.1)


def test_the_arc_keeps_the_length_of_what_it_turns() -> None:
    one, other = torch.tensor([[[1.0], [0.0]]]), torch.tensor([[[0.0], [1.0]]])
    for share in (0.0, 0.25, 0.5, 1.0):
        turned = slerp(one, other, share).flatten().tolist()
        assert turned == pytest.approx(
            [math.cos(share * math.pi / 2), math.sin(share * math.pi / 2)], abs=1e-6
        )


def test_a_seed_varied_by_itself_is_itself() -> None:
    assert torch.equal(noise_of(recipe(variation_seed=3, variation_strength=0.3)), noise_of(recipe()))


@pytest.mark.parametrize("rng", ["cpu", "gpu"])
def test_the_images_of_a_batch_vary_one_seed(rng: str) -> None:
    asked = recipe(batch_size=3, variation_seed=70, variation_strength=0.4, rng=rng)
    assert seeds_of(asked) == [3, 3, 3]
    batch = noise_of(asked)
    for j in range(3):
        alone = asked.for_image(j)
        assert (alone.seed, alone.variation_seed) == (3, 70 + j)
        assert torch.equal(noise_of(alone)[0], batch[j])
        assert alone.whole_batch(j, 3) == asked


def test_a_fork_of_a_variation_is_exact(model: Model) -> None:
    asked = recipe(batch_size=2, variation_seed=70, variation_strength=0.4, sampler="Euler a")
    whole = Trace.record(model, asked)
    assert torch.equal(whole.initial_noise, noise_of(asked))
    for step in range(len(whole) - 1):
        assert torch.equal(fork(whole, step)[-1].next_latents, whole[-1].next_latents)
