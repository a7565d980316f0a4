"""Training UNet and text encoder together to predict the noise in encoded pictures.

With captions that never err, a guidance scale of 3 is all that the networks need, and the 7.5 that everybody is used to
burns the picture. So in the second half of the training a caption is made to count for TRUST of its difference to no
caption at all: at a scale of g the pictures are then those of TRUST * g, and 7.5 is as good a choice as elsewhere.

The loss is the squared error of the predicted noise, weighted like Min-SNR (arXiv:2303.09556) plus a floor in terms
of x0: (min(snr, 5) + 0.4) / snr. The floor makes the noisiest steps count, where layout and colours are decided.
"""

from __future__ import annotations

import random
from pathlib import Path

import torch
from diffusers import DDPMScheduler, UNet2DConditionModel
from torch import nn
from transformers import CLIPTextModel

from sdcore.tiny.architecture import SCHEDULER, new_unet
from sdcore.tiny.dataset import Pictures, encode_pictures, saved_tokenizer, training_caption, training_scene
from sdcore.tiny.identity import start_as_identity
from sdcore.tiny.tokenizer import tokenize
from sdcore.tiny.train_decoder import load_vae
from sdcore.tiny.train_text import reading_text_encoder
from sdcore.tiny.train_vae import LATENTS_FILE
from sdcore.tiny.training import Budget, Ema, Reporter, Training, new_optimizer, step_generator
from sdcore.tiny.world import Scene

PEAK_RATE = 1e-3
WEIGHT_DECAY = 1e-2
EMA_DECAY = 0.999
BATCH = 24
PAIRS_SHARE = 0.6
TEXT_SHARE = 0.2
TRUST, TRUST_FROM = 0.4, 0.55
CAPTION_START = 0.3
SNR_CEILING, SNR_FLOOR = 5.0, 0.4
TIMESTEP_POWER = 0.7


class Denoiser(nn.Module):
    """UNet and text encoder as one module: (latents, timesteps, token ids) to the predicted noise."""

    def __init__(self, text_encoder: CLIPTextModel) -> None:
        super().__init__()
        self.text_encoder = text_encoder
        self.unet: UNet2DConditionModel = start_as_identity(new_unet())
        # Fresh, it would drown the timestep's embedding.
        nn.init.constant_(self.unet.add_embedding.norm2.weight, CAPTION_START)

    def forward(self, latents: torch.Tensor, timesteps: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        embeddings = self.text_encoder(tokens).last_hidden_state
        predicted: torch.Tensor = self.unet(latents, timesteps, embeddings).sample
        return predicted


class NoiseSchedule:
    """The forward process of the model's betas: q(x_t | x_0), and the weight of each timestep's loss."""

    def __init__(self, device: torch.device) -> None:
        names = ("num_train_timesteps", "beta_start", "beta_end", "beta_schedule")
        scheduler = DDPMScheduler(**{name: SCHEDULER[name] for name in names})
        alphas = scheduler.alphas_cumprod.to(device)
        self.signal, self.noise = alphas.sqrt(), (1.0 - alphas).sqrt()
        snr = alphas / (1.0 - alphas)
        weights = (snr.clamp(max=SNR_CEILING) + SNR_FLOOR) / snr
        self.weights = weights / weights.mean()

    def add(self, latents: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
        """Latents with so much of the noise as belongs to each one's timestep."""
        signal, level = self.signal[timesteps], self.noise[timesteps]
        return signal.view(-1, 1, 1, 1) * latents + level.view(-1, 1, 1, 1) * noise


def train_diffusion(pictures: Pictures, work: Path, budget: Budget, seed: int, device: torch.device) -> None:
    """Train, or resume from `work`. Needs the finished autoencoder there; leaves checkpoint and tokenizer."""
    latents = encode_pictures(pictures, load_vae(work), work / LATENTS_FILE, device)
    scenes = [training_scene(pictures.seed, index) for index in range(pictures.count)]
    tokenizer = saved_tokenizer(work)
    training = new_training(reading_text_encoder(work, tokenizer), seed, device)
    checkpoint = work / "diffusion.pt"
    if checkpoint.exists():
        training.load(checkpoint)
    schedule = NoiseSchedule(device)
    reporter = Reporter("diffusion", training, budget)
    odds = scene_odds(scenes)
    nothing = tokenize(tokenizer, [""]).to(device)
    for step, done in training.run(budget, PEAK_RATE, checkpoint, "diffusion"):
        generator = step_generator(seed, step)
        chosen = torch.multinomial(odds, BATCH, replacement=True, generator=generator)
        captions = step_captions([scenes[index] for index in chosen.tolist()], seed, step)
        tokens = tokenize(tokenizer, captions)
        trust = TRUST if done >= TRUST_FROM else 1.0
        loss = train_step(training, schedule, latents[chosen].float(), tokens, nothing, trust, generator)
        reporter.add(loss=loss)


def new_training(text_encoder: CLIPTextModel, seed: int, device: torch.device) -> Training:
    torch.manual_seed(seed)
    denoiser = Denoiser(text_encoder).to(device)
    optimizer = new_optimizer(denoiser, WEIGHT_DECAY, {"text_encoder": TEXT_SHARE})
    return Training(denoiser, optimizer, Ema(denoiser, EMA_DECAY))


def scene_odds(scenes: list[Scene]) -> torch.Tensor:
    """How often each scene is drawn: two subjects are harder to place than one to paint, so they get PAIRS_SHARE."""
    paired = torch.tensor([scene.second is not None for scene in scenes])
    pairs = max(1, int(paired.sum()))
    singles = max(1, len(scenes) - pairs)
    return torch.where(paired, PAIRS_SHARE / pairs, (1.0 - PAIRS_SHARE) / singles)


def step_captions(scenes: list[Scene], seed: int, step: int) -> list[str]:
    """A fresh caption for each scene of a step's batch."""
    rng = random.Random(f"captions/{seed}/{step}")
    return [training_caption(scene, rng) for scene in scenes]


def train_step(
    training: Training,
    schedule: NoiseSchedule,
    latents: torch.Tensor,
    tokens: torch.Tensor,
    nothing: torch.Tensor,
    trust: float,
    generator: torch.Generator,
) -> float:
    """One step of the optimiser on latents (batch, 4, 16, 16) and their captions' tokens (batch, 77).

    `nothing` are the tokens (1, 77) of the empty caption, to whose prediction those of the others are drawn, as far
    as `trust` is below 1. Returns the loss.
    """
    device = schedule.weights.device
    count, levels = len(latents), len(schedule.weights)
    # One timestep from each of `count` parts of the schedule, so that every step sees all noise levels; the parts are
    # narrower where it is noisy, since that is where a caption says most about a picture.
    places = (torch.arange(count) + torch.rand(count, generator=generator)) / count
    timesteps = (places**TIMESTEP_POWER * levels).long().clamp(max=levels - 1).to(device)
    noise = torch.randn(latents.shape, generator=generator).to(device)
    noisy = schedule.add(latents.to(device), noise, timesteps)
    tokens = tokens.to(device)
    wanted = noise
    if trust < 1.0:
        with torch.no_grad():
            without = training.module(noisy, timesteps, nothing.expand(count, -1))
        captioned = (tokens != nothing).any(1).view(-1, 1, 1, 1)
        wanted = torch.where(captioned, trust * noise + (1.0 - trust) * without, noise)
    predicted = training.module(noisy, timesteps, tokens)
    errors = (predicted - wanted).square().flatten(1).mean(1)
    loss = (schedule.weights[timesteps] * errors).mean()
    training.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(training.module.parameters(), 1.0)
    training.optimizer.step()
    return loss.item()
