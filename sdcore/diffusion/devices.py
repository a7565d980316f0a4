"""Which device and which precision a model runs on."""

from __future__ import annotations

from functools import lru_cache
from time import perf_counter
from typing import Final

import torch

from sdcore.diffusion.model import ModelError

_LARGE: Final = 1 << 30
"""Bytes: the bundled model and its like stay as precise as they are."""

_SIDE: Final = 1024
_CLEARLY: Final = 1.3
_SPARE_FROM: Final = 4


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


def make_present(device: torch.device) -> None:
    """Have what this thread asks of a GPU without naming one go to `device`."""
    if device.type == "cuda":
        torch.cuda.set_device(device)


def default_dtype(device: torch.device, nbytes: int = 0) -> torch.dtype:
    """The precision for weights that take `nbytes` in their files.

    On a GPU bfloat16, or float16 where its matrix units know no other (before compute capability 8); on a CPU float32,
    except for large models where bfloat16 was measured to be faster.
    """
    if device.type == "cuda":
        capable = torch.cuda.get_device_capability(device) >= (8, 0)
        return torch.bfloat16 if capable else torch.float16
    return torch.bfloat16 if nbytes >= _LARGE and has_fast_bfloat16() else torch.float32


@lru_cache(maxsize=1)
def has_fast_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 matrices clearly faster than float32 ones; measured once."""
    plain, half = (_matmul_seconds(dtype) for dtype in (torch.float32, torch.bfloat16))
    return half * _CLEARLY < plain


def _matmul_seconds(dtype: torch.dtype) -> float:
    """The best time of three."""
    matrix = torch.ones(_SIDE, _SIDE, dtype=dtype)
    times = []
    for _ in range(3):
        began = perf_counter()
        torch.mm(matrix, matrix)
        times.append(perf_counter() - began)
    return min(times)


def sampling_threads(cores: int, threads: int) -> int:
    """How many of torch's `threads` sample on a machine of so many cores where somebody types meanwhile: all but one
    of four or more, so that the app and the terminal have one; fewer cores are too dear, and priorities must do."""
    return min(threads, cores - 1) if cores >= _SPARE_FROM else threads
