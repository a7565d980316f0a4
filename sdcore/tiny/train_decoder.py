"""Refining the decoder alone, with the encoder frozen, on the latents that the denoiser also learns from.

It costs less a step than training both, and leaves every latent what it is: it may run before the diffusion
training, beside it or after it. Noise on the latents stands for the errors that a denoiser leaves.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL

from sdcore.tiny.architecture import LATENT_FACTOR, LATENT_SIZE
from sdcore.tiny.dataset import Pictures, encode_pictures, to_tensor
from sdcore.tiny.muon import Muon
from sdcore.tiny.train_vae import (
    LATENTS_FILE,
    ROBUSTNESS,
    VAE_FOLDER,
    busyness,
    psnr,
    reconstruction_loss,
)
from sdcore.tiny.training import Budget, Ema, Reporter, Training, step_generator

PEAK_RATE = 1e-3
EMA_DECAY = 0.998
CHECKPOINT = "decoder.pt"
CROP, CROP_BATCH, WHOLE_BATCH = LATENT_SIZE // 2, 8, 2
CANDIDATES = 3
WHOLE_FROM = 0.85


def train_decoder(pictures: Pictures, work: Path, budget: Budget, seed: int, device: torch.device) -> None:
    """Train, or resume from `work`. Needs the finished autoencoder there, and leaves a checkpoint."""
    training = new_training(work, device)
    latents = encode_pictures(pictures, load_vae(work), work / LATENTS_FILE, device)
    checkpoint = work / CHECKPOINT
    if checkpoint.exists():
        training.load(checkpoint)
    reporter = Reporter("decoder", training, budget)
    for step, done in training.run(budget, PEAK_RATE, checkpoint, "decoder"):
        generator = step_generator(seed + 2, step)
        size, count = (LATENT_SIZE, WHOLE_BATCH) if done >= WHOLE_FROM else (CROP, CROP_BATCH)
        clean, images = crops(latents, pictures.array, size, count, generator)
        noisy = clean + ROBUSTNESS * torch.randn(clean.shape, generator=generator)
        reporter.add(**train_step(training, noisy.to(device), images.to(device)))


def load_vae(work: Path) -> AutoencoderKL:
    """The autoencoder that the training of both halves left, on the CPU in float32."""
    vae: AutoencoderKL = AutoencoderKL.from_pretrained(work / VAE_FOLDER)
    return vae


def new_training(work: Path, device: torch.device) -> Training:
    vae = load_vae(work).to(device, memory_format=torch.channels_last)
    vae.encoder.requires_grad_(False)
    vae.quant_conv.requires_grad_(False)
    return Training(vae, Muon(vae), Ema(vae, EMA_DECAY))


def crops(
    latents: torch.Tensor, pictures: np.ndarray, size: int, count: int, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Crops of `size` x `size` latents and the pictures they stand for, in [-1, 1].

    Each is the busiest of a few random ones: skies are learned soon, and edges decide how sharp a picture looks.
    """
    indices = torch.randint(len(latents), (count, CANDIDATES), generator=generator).tolist()
    corners = torch.randint(LATENT_SIZE - size + 1, (count, CANDIDATES, 2), generator=generator).tolist()
    codes, pixels = [], []
    for several in zip(indices, corners, strict=True):
        found = [(i, y, x, pictures[i, *_window(y, x, size)]) for i, (y, x) in zip(*several, strict=True)]
        i, y, x, crop = max(found, key=lambda one: busyness(one[3]))
        codes.append(latents[i, :, y : y + size, x : x + size])
        pixels.append(crop)
    return torch.stack(codes).float(), to_tensor(np.stack(pixels))


def _window(y: int, x: int, size: int) -> tuple[slice, slice]:
    f = LATENT_FACTOR
    return slice(y * f, (y + size) * f), slice(x * f, (x + size) * f)


def train_step(training: Training, latents: torch.Tensor, images: torch.Tensor) -> dict[str, float]:
    """One step of the optimiser on latents and the images in [-1, 1] that they are to become."""
    vae = training.module
    assert isinstance(vae, AutoencoderKL)
    latents = latents.contiguous(memory_format=torch.channels_last)
    loss, pixels, squares = reconstruction_loss(vae.decode(latents).sample, images)
    training.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
    training.optimizer.step()
    return {"l1": pixels.item(), "psnr": psnr(squares.item())}


def refined_vae(work: Path) -> AutoencoderKL:
    """The finished autoencoder, with the refined decoder if there is one."""
    vae = load_vae(work)
    if (work / CHECKPOINT).exists():
        training = new_training(work, torch.device("cpu"))
        training.load(work / CHECKPOINT)
        vae.load_state_dict({**vae.state_dict(), **training.ema.averages})
    return vae
