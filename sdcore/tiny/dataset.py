"""The training scenes, their pictures and their latents.

Scene number i depends on the seed and on i alone. Pictures go into one memory-mapped array of uint8 that a
rendering process fills from the front; a small file beside it counts those that are there.
"""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from diffusers import AutoencoderKL
from transformers import CLIPTokenizer

from sdcore.tiny.architecture import IMAGE_SIZE, LATENT_CHANNELS, LATENT_SIZE
from sdcore.tiny.captions import caption
from sdcore.tiny.drawing import render
from sdcore.tiny.tokenizer import PROMPT_WORDS, build_tokenizer
from sdcore.tiny.world import Scene, sample_scene

ENCODE_BATCH = 16
COUNT_EVERY = 100
DROPPED = 0.1
SPRINKLED = 0.15
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
POLL_SECONDS = 2.0
TOKENIZER_FOLDER = "tokenizer"


def training_scene(seed: int, index: int) -> Scene:
    """Scene number `index` of the training set; its combination is never a held-out one."""
    return sample_scene(random.Random(f"{seed}/{index}"))


def holdout_scene(seed: int, index: int) -> Scene:
    """Scene number `index` of a set whose subject-colour-place combinations no training scene has."""
    return sample_scene(random.Random(f"holdout/{seed}/{index}"), holdout=True)


def to_tensor(images: np.ndarray) -> torch.Tensor:
    """uint8 (batch, height, width, 3) to float (batch, 3, height, width) in [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float() / 127.5 - 1.0


class Pictures:
    """The pictures of the first `count` training scenes, kept in the work folder."""

    def __init__(self, work: Path, seed: int, count: int) -> None:
        self.seed, self.count = seed, count
        self.path = work / f"pictures-{seed}-{count}.u8"
        self.counter = self.path.with_suffix(".count")
        shape = (count, IMAGE_SIZE, IMAGE_SIZE, 3)
        mode: Literal["r+", "w+"] = "r+" if self.path.exists() else "w+"
        self.array = np.memmap(self.path, dtype=np.uint8, mode=mode, shape=shape)

    def ready(self) -> int:
        """How many of the first pictures are drawn."""
        return int(self.counter.read_text()) if self.counter.exists() else 0

    def render(self, first: int | None = None) -> None:
        """Draw what is missing, up to picture `first` or all of them. One process at a time."""
        end = self.count if first is None else min(first, self.count)
        begin, started = self.ready(), time.monotonic()
        for index in range(begin, end):
            self.array[index] = np.asarray(render(training_scene(self.seed, index), IMAGE_SIZE))
            if (index + 1) % COUNT_EVERY == 0 or index + 1 == end:
                self._note(index + 1)
                speed = (index + 1 - begin) / (time.monotonic() - started)
                print(f"render: {index + 1} of {end}  {speed:.0f} it/s", flush=True)

    def wait(self, first: int) -> None:
        """Return when the first `first` pictures are drawn by another process."""
        while self.ready() < first:
            time.sleep(POLL_SECONDS)

    def _note(self, ready: int) -> None:
        partial = self.counter.with_suffix(".partial")
        partial.write_text(str(ready))
        partial.replace(self.counter)


@torch.no_grad()
def encode_pictures(pictures: Pictures, vae: AutoencoderKL, path: Path, device: torch.device) -> torch.Tensor:
    """The latents (count, 4, 16, 16) of all pictures, float16, computed once and kept at `path`."""
    if path.exists():
        return torch.from_numpy(np.load(path))
    latents = np.empty((pictures.count, LATENT_CHANNELS, LATENT_SIZE, LATENT_SIZE), dtype=np.float16)
    vae = vae.to(device).eval()
    started = time.monotonic()
    for begin in range(0, pictures.count, ENCODE_BATCH):
        end = min(begin + ENCODE_BATCH, pictures.count)
        pictures.wait(end)
        mean = vae.encode(to_tensor(pictures.array[begin:end]).to(device)).latent_dist.mean
        latents[begin:end] = (mean * vae.config.scaling_factor).cpu().numpy()
        if begin // ENCODE_BATCH % 50 == 0:
            print(
                f"encode: {end} of {pictures.count}  {end / (time.monotonic() - started):.0f} it/s",
                flush=True,
            )
    partial = path.with_suffix(".partial.npy")
    np.save(partial, latents)
    partial.replace(path)
    return torch.from_numpy(latents)


def training_caption(scene: Scene, rng: random.Random) -> str:
    """A caption for training: empty with the odds of DROPPED, sometimes with words that mean nothing here."""
    if rng.random() < DROPPED:
        return ""
    text = caption(scene, rng)
    return _sprinkled(text, rng) if rng.random() < SPRINKLED else text


def _sprinkled(text: str, rng: random.Random) -> str:
    words = text.split(" ")
    for _ in range(rng.randint(1, 3)):
        known = rng.random() < 0.7
        word = rng.choice(PROMPT_WORDS) if known else "".join(rng.choices(LETTERS, k=rng.randint(2, 9)))
        # Mostly at the ends: in the middle a word may come between "japanese" and "house".
        place = rng.choice((0, len(words), len(words), rng.randint(0, len(words))))
        words.insert(place, word)
    return " ".join(words)


def world_words(samples: int = 20_000) -> list[str]:
    """The words that captions are made of, in alphabetical order."""
    words: set[str] = set()
    for index in range(samples):
        rng = random.Random(f"words/{index}")
        words.update(caption(sample_scene(rng), rng).lower().split())
    return sorted(words)


def saved_tokenizer(work: Path) -> CLIPTokenizer:
    """The tokenizer of a training: made at its start and kept, since the embeddings belong to it."""
    folder = work / TOKENIZER_FOLDER
    if not folder.exists():
        build_tokenizer(world_words()).save_pretrained(folder)
    return CLIPTokenizer.from_pretrained(folder)
