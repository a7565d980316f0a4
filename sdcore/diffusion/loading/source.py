"""Where a model comes from, as its assembly sees it, and the assembly."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch

from sdcore.diffusion.checksum import Checksum
from sdcore.diffusion.devices import choose_device, default_dtype
from sdcore.diffusion.loading.network import Plan, fill
from sdcore.diffusion.loading.parts import ADAPTERS, NOISE, VAE, Part
from sdcore.diffusion.loading.weights import Meter, Progress
from sdcore.diffusion.model import Model, ModelError
from sdcore.diffusion.preview import PreviewFactors
from sdcore.diffusion.samplers import make_sampler
from sdcore.spec.families import family


class Source(Protocol):
    """A model's files. Whatever it is asked raises `ModelError`, and reads no weight but to rename it."""

    @property
    def family(self) -> str:
        """The name of its family."""

    @property
    def parts(self) -> Sequence[Part]:
        """What it has, tokenizers first."""

    @property
    def index(self) -> Mapping[str, Any]:
        """What its `model_index.json` says, or would."""

    @property
    def hashed(self) -> Sequence[Path]:
        """The files by whose contents it is known."""

    @property
    def preview_factors(self) -> PreviewFactors | None:
        """The preview factors that were fitted to its VAE, if there are any."""

    def tokenizer(self, part: Part) -> Any:
        """The tokenizer that a part is."""

    def plan(self, part: Part) -> Plan:
        """The network that a part is, without its weights."""

    @property
    def scheduler(self) -> dict[str, Any]:
        """The scheduler config that its files tell."""

    def noise(self, network: Any) -> dict[str, Any]:
        """The scheduler config that the `network`, which is loaded, was trained under: `scheduler`, and what the
        network shows besides."""


def assemble(
    source: Source,
    name: str,
    *,
    device: str,
    dtype: torch.dtype | None,
    progress: Progress,
    vae: Callable[[], Plan] | None,
    checked: Callable[[], None],
    checksum: Callable[[Sequence[Path]], Checksum],
) -> Model:
    """The model of a source, to be called `name`, with the VAE of `vae` if that is given.

    `checked` is called when nothing is wrong with any part, before the first weight is brought to the device: until
    then another model may stay there. Raises `ModelError`.
    """
    began = time.perf_counter()
    target = choose_device(device)
    progress("checking", 0.0)
    made = {part.folder: source.tokenizer(part) for part in source.parts if part.is_tokenizer}
    networks = [part for part in source.parts if not part.is_tokenizer]
    plans = [vae() if vae and part.folder == VAE else source.plan(part) for part in networks]
    own_noise = NOISE.get(source.family, {})
    try:
        make_sampler("Euler", steps=1, noise={**source.scheduler, **own_noise})
    except ValueError as error:
        raise ModelError(f"{name} cannot be loaded: {error}") from error
    checked()
    kind = dtype or default_dtype(target, sum(plan.nbytes for plan in plans))
    meter = Meter(progress, sum(plan.nbytes for plan in plans))
    try:
        while plans:  # what is placed is let go of: its file's pages need not stay in memory
            plan = plans.pop(0)
            made[plan.part.folder] = fill(plan, target, kind, meter)
    except (OSError, RuntimeError) as error:
        if isinstance(error, (torch.OutOfMemoryError, torch.AcceleratorError)):
            raise
        raise ModelError(
            f"{name} cannot be loaded: {str(error).strip().partition(chr(10))[0][:200]}."
        ) from error
    adapter = ADAPTERS[source.family](made, source.index)
    noise = {**source.noise(adapter.network), **own_noise}
    meter.end()
    shown = family(source.family)
    return Model(
        name, source.family, target, kind, adapter, made[VAE], noise,
        (None if vae else source.preview_factors) or PreviewFactors(shown.preview, shown.preview_bias),
        checksum(source.hashed), time.perf_counter() - began,
    )  # fmt: skip
