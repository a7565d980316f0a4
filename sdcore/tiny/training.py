"""What both trainings share: a budget that drives the learning rate, an EMA, checkpoints and a progress line."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

CHECKPOINT_SECONDS = 120.0
REPORT_SECONDS = 15.0
WARM_UP = 0.02
FINAL_RATE = 0.01


@dataclass(frozen=True)
class Budget:
    """How long to train: so many steps, or so many minutes of training time (over all resumptions)."""

    steps: int | None = None
    minutes: float | None = None

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.minutes is None):
            raise ValueError("give either a number of steps or a number of minutes")

    def done(self, step: int, seconds: float) -> float:
        """The part of the budget that is spent, from 0 to 1."""
        if self.steps is not None:
            return min(1.0, step / max(1, self.steps))
        assert self.minutes is not None
        return min(1.0, seconds / max(1e-9, 60.0 * self.minutes))


def rate_factor(done: float) -> float:
    """The learning rate's factor: a short linear warm-up, then a cosine down to FINAL_RATE."""
    if done < WARM_UP:
        return max(0.05, done / WARM_UP)
    phase = (done - WARM_UP) / (1.0 - WARM_UP)
    return FINAL_RATE + (1.0 - FINAL_RATE) * 0.5 * (1.0 + math.cos(math.pi * phase))


def step_generator(seed: int, step: int) -> torch.Generator:
    """The source of one step's randomness. It hangs on nothing else, so a resumed training repeats bit by bit."""
    return torch.Generator().manual_seed(seed * 1_000_003 + step)


class Ema:
    """An exponential moving average of a module's parameters whose memory grows with the steps up to `decay`."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.averages = {name: value.detach().clone() for name, value in module.named_parameters()}

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, value in module.named_parameters():
            self.averages[name].lerp_(value, 1.0 - decay)


@dataclass
class Training:
    """A module in training, and all that a checkpoint holds."""

    module: nn.Module
    optimizer: torch.optim.Optimizer
    ema: Ema
    step: int = 0
    seconds: float = 0.0

    def save(self, path: Path) -> None:
        """Write everything atomically; `load` continues from it."""
        state: dict[str, Any] = {
            "module": self.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "ema": self.ema.averages,
            "step": self.step,
            "seconds": self.seconds,
        }
        partial = path.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(path)

    def load(self, path: Path) -> None:
        state = load_checkpoint(path)
        self.module.load_state_dict(state["module"])
        self.optimizer.load_state_dict(state["optimizer"])
        device = next(self.module.parameters()).device
        self.ema.averages = {name: value.to(device) for name, value in state["ema"].items()}
        self.step, self.seconds = state["step"], state["seconds"]

    def run(
        self, budget: Budget, peak_rate: float, checkpoint: Path, name: str
    ) -> Iterator[tuple[int, float]]:
        """Yield (step, part of the budget done) until the budget is spent; the caller trains one step each time.

        Sets the learning rate, keeps the EMA, the time and the checkpoint.
        """
        last_save = time.monotonic()
        while (done := budget.done(self.step, self.seconds)) < 1.0:
            begin = time.monotonic()
            for group in self.optimizer.param_groups:
                group["lr"] = peak_rate * rate_factor(done) * group.get("share", 1.0)
            yield self.step, done
            self.step += 1
            self.ema.update(self.module, self.step)
            self.seconds += time.monotonic() - begin
            if time.monotonic() - last_save > CHECKPOINT_SECONDS:
                self.save(checkpoint)
                last_save = time.monotonic()
        self.save(checkpoint)
        print(f"{name}: {self.step} steps in {self.seconds / 60:.1f} min", flush=True)


class Reporter:
    """Prints a line with the mean losses since the last one, every REPORT_SECONDS."""

    def __init__(self, name: str, training: Training, budget: Budget) -> None:
        self.name, self.training, self.budget = name, training, budget
        self.sums: dict[str, float] = {}
        self.count = 0
        self.since = time.monotonic()

    def add(self, **values: float) -> None:
        for key, value in values.items():
            self.sums[key] = self.sums.get(key, 0.0) + value
        self.count += 1
        elapsed = time.monotonic() - self.since
        if elapsed > REPORT_SECONDS:
            means = "  ".join(f"{key} {value / self.count:.4f}" for key, value in self.sums.items())
            done = self.budget.done(self.training.step, self.training.seconds)
            left = self.training.seconds * (1 - done) / max(done, 1e-6)
            speed = self.count / elapsed
            pace = f"{speed:.2f} it/s  {left / 60:.1f} min left"
            print(f"{self.name}: step {self.training.step}  {done:6.1%}  {means}  {pace}", flush=True)
            self.sums, self.count, self.since = {}, 0, time.monotonic()


def load_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint's contents, on the CPU. Nothing but tensors and plain values is unpickled."""
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def new_optimizer(
    module: nn.Module, decay: float, shares: Mapping[str, float] | None = None
) -> torch.optim.AdamW:
    """AdamW over the parameters that are not frozen; it decays matrices and leaves biases and gains alone.

    `shares` gives a child module, by name, a share of the learning rate.
    """
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            share = (shares or {}).get(name.partition(".")[0], 1.0)
            groups.setdefault((share, parameter.ndim > 1), []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": parameters, "share": share, "weight_decay": decay if matrices else 0.0}
            for (share, matrices), parameters in groups.items()
        ],
        lr=0.0,
        betas=(0.9, 0.99),
        fused=True,
    )
