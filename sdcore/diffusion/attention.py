"""Where the cross-attention looked: which places of the latents took their share from which token.

Gathered on request by running a recorded step again, so that ordinary runs pay nothing. The maps are the mean over
heads and layers of softmax(Q K^T / sqrt(d)), as in Tang et al., "What the DAAM", arXiv 2210.04885, but kept as shares:
at each place they add up to 1 over all positions of the prompt: 77 for each of its n chunks.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from sdcore.diffusion.model import Model
from sdcore.diffusion.pictures import grey
from sdcore.diffusion.prompting import pieces_at, sampler_step
from sdcore.diffusion.scaling import network_input
from sdcore.diffusion.speed import plainly
from sdcore.diffusion.trace import Trace
from sdcore.spec.families import family
from sdcore.spec.prompt import Piece
from sdcore.spec.views import AttentionView


class AttentionError(ValueError):
    """There is no attention to show; the message is one sentence that says why."""


class AttentionSum:
    """The shares of every layer that was asked, resized to the latents and added up."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = size
        self._sum: Tensor | None = None
        self._layers = 0

    def add(self, shares: Tensor) -> None:
        """Add a layer: `shares` (B, places, 77 * n), its places row by row."""
        height, width = _layer_size(self._size, shares.shape[1])
        maps = shares.transpose(1, 2).unflatten(2, (height, width))
        resized = interpolate(maps, size=self._size, mode="bilinear", align_corners=False)
        self._sum = resized if self._sum is None else self._sum + resized
        self._layers += 1

    def mean(self) -> Tensor:
        """The mean over the layers (B, 77 * n, h, w), float32 on the CPU; `AttentionError` where none was asked."""
        if self._sum is None:
            raise AttentionError("This network has no cross-attention layer, so no place looks at any token.")
        return (self._sum / self._layers).cpu()


@dataclass(frozen=True)
class AttentionProbe:
    """An attention processor that notes the shares of its layer and leaves the answer to the one it stands for."""

    stands_for: Any
    noted: AttentionSum

    def __call__(
        self, attn: Any, hidden_states: Tensor, encoder_hidden_states: Tensor, *args: Any, **kwargs: Any
    ) -> Tensor:
        """The layer's output for `hidden_states` (B, places, C) that attend to `encoder_hidden_states` (B, T, D)."""
        query = attn.head_to_batch_dim(attn.to_q(hidden_states)).float()
        key = attn.head_to_batch_dim(attn.to_k(encoder_hidden_states)).float()
        by_head = attn.get_attention_scores(query, key).unflatten(0, (-1, attn.heads))
        self.noted.add(by_head.mean(dim=1))
        return self.stands_for(attn, hidden_states, encoder_hidden_states, *args, **kwargs)


@contextmanager
def probed(unet: Any, noted: AttentionSum) -> Iterator[None]:
    """Have the cross-attention layers of `unet` note their shares; afterwards its processors are those it had."""
    had: dict[str, Any] = unet.attn_processors
    probes = {
        name: AttentionProbe(processor, noted)
        for name, processor in had.items()
        if unet.get_submodule(name.removesuffix(".processor")).is_cross_attention
    }
    with plainly(unet):
        try:
            unet.set_attn_processor(had | probes)
            yield
        finally:
            unet.set_attn_processor(dict(had))


@torch.inference_mode()
def attention_maps(model: Model, trace: Trace, step: int) -> Tensor:
    """What share of its attention each place gave to each position at forward `step`: (B, 77 * n, h, w), 0 to 1,
    float32 on the CPU.

    Runs the network once, on the text alone: what the unconditional half looks at is not asked, nor what the prompts
    after the first of those that AND joins do. Raises
    `AttentionError` where the network has no cross-attention, `IndexError` for a step that is not recorded.
    """
    _check_network(model)
    index = trace[step].index
    part = trace.part_at(index)
    place, beside = index - part.first, trace[index].start.beside
    model_input = network_input(trace, index).to(model.device, model.dtype)
    noted = AttentionSum((model_input.shape[-2], model_input.shape[-1]))
    beside = None if beside is None else beside.to(model.device, model.dtype)
    denoiser = model.denoiser(part.recipe, guided=False, beside=beside)
    with probed(model.network, noted):
        denoiser(model_input, part.sampler.timestep(place), place)
    return noted.mean()


def attention_over_run(model: Model, trace: Trace) -> Tensor:
    """The mean of `attention_maps` (B, 77 * n, h, w) over the recorded steps that read the same words as the last one:
    before a fork to another prompt, or a change that the prompt has on its way, the positions stood for others. Of a
    run of two passes only the second is looked at. Raises as `attention_maps` does."""
    last = len(trace) - 1
    words, first = words_at(trace, last), trace.part_at(last).first
    steps = [step for step in range(first, len(trace)) if words_at(trace, step) == words]
    maps = attention_maps(model, trace, steps[0])
    for step in steps[1:]:
        maps = maps + attention_maps(model, trace, step)
    return maps / len(steps)


def attention_view(model: Model, trace: Trace, step: int | None, image: int, position: int) -> AttentionView:
    """The heat of the token at `position` (0 to 77 * n - 1) for image `image`, at a step or, where that is None, over
    the run. Raises as `attention_maps` does, and where there is no such position."""
    _check_network(model)
    ids = model.text_encoder.tokenize(words_at(trace, len(trace) - 1 if step is None else step)).ids.flatten()
    if not 0 <= position < len(ids):
        raise AttentionError(
            f"There is no token position {position} in this run; it has 0 to {len(ids) - 1}."
        )
    maps = attention_over_run(model, trace) if step is None else attention_maps(model, trace, step)
    heat = maps[image, position]
    strongest = float(heat.max())
    return AttentionView(
        position=position,
        word=model.text_encoder.token_text(int(ids[position])),
        step=step,
        heat=grey(heat, 0.0, strongest),
        strongest=strongest,
    )


def _check_network(model: Model) -> None:
    of = family(model.family)
    if of.flow:
        raise AttentionError(
            f"{of.title} reads words and places in one attention, which has no map of a word: there are maps of UNets "
            "alone."
        )


def words_at(trace: Trace, step: int) -> tuple[Piece, ...]:
    """The words that forward `step` read: a fork may have changed them on the way, or the prompt itself."""
    part = trace.part_at(step)
    return pieces_at(part.recipe.prompt, part.recipe, sampler_step(part.recipe, step - part.first))


def _layer_size(latents: tuple[int, int], places: int) -> tuple[int, int]:
    """(height, width) of a layer of so many places: the latents' halved, rounding up, as often as it takes."""
    height, width = latents
    while height * width > places:
        height, width = (height + 1) // 2, (width + 1) // 2
    if height * width != places:
        raise AttentionError(
            f"A layer of this network has {places} places, which is no level of its latents."
        )
    return height, width
