"""Which device and which precision a model runs on."""

from __future__ import annotations

import torch

from sdcore.diffusion.model import ModelError


def choose_device(wanted: str = "auto") -> torch.device:
    """The torch device that a setting means. Raises `ModelError` if it is not there."""
    if wanted == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    kind, _, number = wanted.partition(":")
    if kind == "cpu" and not number:
        return torch.device("cpu")
    if kind != "cuda" or not (number or "0").isdecimal():
        raise ModelError(f"There is no device called {wanted!r}: say auto, cpu, cuda or cuda:N.")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if int(number or 0) >= count:
        found = f"this machine has {count}" if count else "torch finds no CUDA GPU on this machine"
        raise ModelError(f"{wanted} cannot be used: {found}; say --device cpu, or run sdtui doctor.")
    return torch.device("cuda", int(number or 0))


def default_dtype(device: torch.device) -> torch.dtype:
    """float32 on a CPU; on a GPU bfloat16 where it has that, else float16."""
    if device.type == "cpu":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
