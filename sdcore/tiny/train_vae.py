"""Training the autoencoder: crops first, whole pictures to finish, then the latents are whitened.

The loss is L1 and MSE on pixels, L1 on their differences (edges), and a small KL term. Noise of a twentieth of the
latents' deviation makes the decoder forgive the small errors that a denoiser leaves.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL

from sdcore.tiny.architecture import IMAGE_SIZE, new_vae
from sdcore.tiny.dataset import Pictures, to_tensor
from sdcore.tiny.muon import Muon
from sdcore.tiny.training import Budget, Ema, Reporter, Training, step_generator

PEAK_RATE = 1e-3
EMA_DECAY = 0.998
CROP, CROP_BATCH, WHOLE_BATCH = 64, 8, 2
CANDIDATES = 2
WHOLE_FROM = 0.75
MSE_WEIGHT, EDGE_WEIGHT, KL_WEIGHT = 2.0, 0.5, 2e-5
ROBUSTNESS = 0.05
WHITENING_PICTURES = 512
VAE_FOLDER, LATENTS_FILE = "vae", "latents.npy"


def train_vae(
    pictures: Pictures, work: Path, budget: Budget, seed: int, device: torch.device
) -> AutoencoderKL:
    """Train, or resume from `work`, and return the averaged, whitened autoencoder, on the CPU.

    It is kept in the folder `vae` of `work`; latents of an earlier one are deleted.
    """
    training = new_training(seed, device)
    checkpoint = work / "vae.pt"
    if checkpoint.exists():
        training.load(checkpoint)
    pictures.wait(pictures.count)
    reporter = Reporter("vae", training, budget)
    for step, done in training.run(budget, PEAK_RATE, checkpoint, "vae"):
        images = batch(pictures.array, step_generator(seed, step), whole=done >= WHOLE_FROM)
        reporter.add(**train_step(training, images.to(device), step_generator(seed + 1, step)))
    vae = averaged_vae(training, pictures)
    vae.save_pretrained(work / VAE_FOLDER)
    (work / LATENTS_FILE).unlink(missing_ok=True)
    return vae


def new_training(seed: int, device: torch.device) -> Training:
    torch.manual_seed(seed)
    vae = new_vae().to(device, memory_format=torch.channels_last)
    return Training(vae, Muon(vae), Ema(vae, EMA_DECAY))


def batch(pictures: np.ndarray, generator: torch.Generator, whole: bool) -> torch.Tensor:
    """Pictures at random, whole or cropped and half of them mirrored, as floats in [-1, 1].

    Each crop is the busiest of a few random ones: skies are learned soon, and edges decide how sharp a picture looks.
    """
    size, count, candidates = (IMAGE_SIZE, WHOLE_BATCH, 1) if whole else (CROP, CROP_BATCH, CANDIDATES)
    indices = torch.randint(len(pictures), (count, candidates), generator=generator).tolist()
    corners = torch.randint(IMAGE_SIZE - size + 1, (count, candidates, 2), generator=generator).tolist()
    crops = [
        max(
            (pictures[i, y : y + size, x : x + size] for i, (y, x) in zip(*several, strict=True)),
            key=busyness,
        )
        for several in zip(indices, corners, strict=True)
    ]
    images = to_tensor(np.stack(crops))
    mirrored = torch.rand(count, 1, 1, 1, generator=generator) < 0.5
    return torch.where(mirrored, images.flip(-1), images)


def busyness(crop: np.ndarray) -> float:
    """How much neighbouring rows of an image of uint8 (height, width, 3) differ, 0 to 255."""
    return float(np.abs(np.diff(crop[::2, ::2].astype(np.int16), axis=0)).mean())


def train_step(training: Training, images: torch.Tensor, generator: torch.Generator) -> dict[str, float]:
    """One step of the optimiser on images in [-1, 1]. Returns the parts of the loss."""
    vae = training.module
    assert isinstance(vae, AutoencoderKL)
    images = images.contiguous(memory_format=torch.channels_last)
    posterior = vae.encode(images).latent_dist
    noise = torch.randn(posterior.mean.shape, generator=generator).to(images.device)
    spread = posterior.mean.detach().std(dim=(0, 2, 3), keepdim=True)
    decoded = vae.decode(posterior.mean + (posterior.std + ROBUSTNESS * spread) * noise).sample
    loss, pixels, squares = reconstruction_loss(decoded, images)
    kl = 0.5 * (posterior.mean.square() + posterior.var - 1.0 - posterior.logvar).mean()
    loss = loss + KL_WEIGHT * kl
    training.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
    training.optimizer.step()
    return {"l1": pixels.item(), "psnr": psnr(squares.item()), "kl": kl.item()}


def reconstruction_loss(
    decoded: torch.Tensor, images: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """How far decoded images are from the images in [-1, 1]: the loss, and of its parts L1 and mean square."""
    error = decoded - images
    pixels, squares = error.abs().mean(), error.square().mean()
    edges = error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean()
    return pixels + MSE_WEIGHT * squares + EDGE_WEIGHT * edges, pixels, squares


def psnr(mean_square: float) -> float:
    """Decibels for a mean squared error between images in [-1, 1]."""
    return 10.0 * math.log10(4.0 / max(mean_square, 1e-12))


def averaged_vae(training: Training, pictures: Pictures) -> AutoencoderKL:
    """The EMA of a training as a whitened autoencoder of its own, on the CPU."""
    vae = new_vae().eval()
    vae.load_state_dict({**training.module.state_dict(), **training.ema.averages})
    count = min(WHITENING_PICTURES, pictures.ready())
    whiten(vae, to_tensor(pictures.array[:count]))
    return vae


@torch.no_grad()
def whiten(vae: AutoencoderKL, images: torch.Tensor) -> None:
    """Fold a whitening of the latents of `images` into the 1x1 convolutions on both sides of them.

    Afterwards the latents' four channels have mean zero, deviation one and no correlation, and
    decode(encode(image)) is what it was. The log-variances are moved by the mean scale of each channel, exactly
    where the whitening is diagonal and approximately otherwise.
    """
    means = [vae.encode(chunk).latent_dist.mean for chunk in images.split(16)]
    values = torch.cat(means).movedim(1, -1).flatten(0, -2).double()
    centre = values.mean(0)
    covariance = (values - centre).T @ (values - centre) / len(values)
    variances, axes = torch.linalg.eigh(covariance)
    # ZCA: of all whitenings the one that stays nearest to the latents as they were.
    forward = axes @ torch.diag(variances.rsqrt()) @ axes.T
    backward = axes @ torch.diag(variances.sqrt()) @ axes.T
    channels = len(centre)

    before, after = vae.quant_conv, vae.post_quant_conv
    assert before is not None
    assert after is not None
    weight, bias = before.weight.double().flatten(1), before.bias.double()
    mean_rows, variance_rows = slice(0, channels), slice(channels, 2 * channels)
    weight[mean_rows], bias[mean_rows] = forward @ weight[mean_rows], forward @ (bias[mean_rows] - centre)
    bias[variance_rows] += forward.square().sum(1).log()
    before.weight.copy_(weight.view_as(before.weight))
    before.bias.copy_(bias)

    weight, bias = after.weight.double().flatten(1), after.bias.double()
    after.weight.copy_((weight @ backward).view_as(after.weight))
    after.bias.copy_(bias + weight @ centre)


@torch.no_grad()
def reconstruction_psnr(vae: AutoencoderKL, images: torch.Tensor) -> list[float]:
    """The PSNR in decibels of each image's reconstruction, for images in [-1, 1]."""
    result: list[float] = []
    for chunk in images.split(8):
        decoded = vae.decode(vae.encode(chunk).latent_dist.mean).sample.clamp(-1, 1)
        result += [psnr(value) for value in (decoded - chunk).square().flatten(1).mean(1).tolist()]
    return result
