"""One forward pass of a run as its caller sees it, and a run between two of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from sdcore.diffusion.samplers import SamplerState
from sdcore.diffusion.start import Start
from sdcore.diffusion.timing import Lap


@dataclass(frozen=True)
class Snapshot:
    """A run between two forwards: with the same settings what follows is the same bit for bit. Without a `sampler`
    another one takes over; with `new_noise` what is still drawn comes from the seeds of the recipe that goes on."""

    index: int
    latents: Tensor
    sampler: SamplerState | None
    start: Start
    new_noise: bool = False


@dataclass(frozen=True)
class Step:
    """One forward pass. All tensors are (B, C, H/8, W/8), in the model's own latent space."""

    index: int
    total: int
    t: float
    sigma: float
    latents: Tensor
    noise_pred_uncond: Tensor | None
    noise_pred_text: Tensor
    noise_pred: Tensor
    denoised: Tensor
    next_latents: Tensor
    lap: Lap
    """How long it took; on a GPU that is known after it was launched."""
    start: Start
    """What its pass of the run began from."""
    snapshot: Callable[[], Snapshot]
    """The state after this step; to be called before the next one is asked for."""

    @property
    def seconds(self) -> float:
        """How long it took; waits for its end."""
        return self.lap.seconds
