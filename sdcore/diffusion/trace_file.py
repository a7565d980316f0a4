"""A trace on disk: one safetensors file, its tensors stacked over the steps, everything else as JSON in its header.

What is read is not trusted: the header is decoded strictly, and the tensors' shapes and kinds are held against it
before any of them is loaded.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from sdcore.atomic import write_atomically
from sdcore.diffusion.preview import PreviewFactors
from sdcore.spec.lineage import Parent, Segment
from sdcore.spec.recipe import RecipeError, check

VERSION: Final = 1
_KEY: Final = "sdtui_trace"
_MAX_HEADER: Final = 4 * 1024 * 1024
_KINDS: Final = ("F32", "F16", "BF16", "F64")


class TraceError(RuntimeError):
    """A trace cannot be read, kept or continued; the message is one sentence that says what to do."""


class TraceHeader(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of a trace but its tensors. `guided` says of each forward pass whether it has an unconditional half."""

    version: int
    segments: tuple[Segment, ...]
    training_noise: dict[str, Any]
    preview_factors: PreviewFactors
    model_hash: str
    family: str
    parent: Parent | None
    guided: tuple[bool, ...]
    seconds: tuple[float, ...]


def write(path: Path, header: TraceHeader, tensors: dict[str, Tensor]) -> Path:
    """Write a trace whole or not at all, for its owner alone, and return its path. Raises `OSError`."""
    whole = {name: tensor.contiguous() for name, tensor in tensors.items()}
    write_atomically(path, save(whole, {_KEY: msgspec.json.encode(header).decode()}))
    return path


def read(path: Path) -> tuple[TraceHeader, dict[str, Tensor]]:
    """A trace's header and its tensors, on the CPU. Raises `TraceError`."""
    try:
        with safe_open(path, framework="pt") as file:
            header = _header(file.metadata())
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
            kinds = {name: file.get_slice(name).get_dtype() for name in shapes}
            _check(header, shapes, kinds)
            return header, {name: file.get_tensor(name) for name in shapes}
    except FileNotFoundError as fault:
        raise TraceError(f"There is no trace at {path}; check the path.") from fault
    except (SafetensorError, msgspec.DecodeError, RecipeError, ValueError, KeyError) as fault:
        raise TraceError(f"{path.name} is damaged or is no trace of sdtui; make the run again.") from fault
    except OSError as fault:
        raise TraceError(f"{path.name} could not be read: {fault.strerror or 'it is no file'}.") from fault


def _header(metadata: dict[str, str] | None) -> TraceHeader:
    text = (metadata or {})[_KEY]
    if len(text) > _MAX_HEADER:
        raise ValueError("the header is too long")
    header = msgspec.json.decode(text, type=TraceHeader)
    if header.version != VERSION:
        raise ValueError(f"version {header.version}")
    return header


def _check(header: TraceHeader, shapes: dict[str, tuple[int, ...]], kinds: dict[str, str]) -> None:
    """Raise `ValueError` or `RecipeError` unless everything fits together."""
    starts = [segment.start for segment in header.segments]
    if not starts or starts[0] != 0 or starts != sorted(set(starts)):
        raise ValueError("the segments are out of order")
    recipes = [check(segment.recipe) for segment in header.segments]
    steps, _, channels, height, width = shapes["latents"]
    count, batch = len(header.seconds), recipes[0].batch_size
    one = (batch, channels, height, width)
    expected = {
        "latents": (count + 1, *one),
        "noise_pred_text": (count, *one),
        "denoised": (count, *one),
    }
    if guided := sum(header.guided):
        expected["noise_pred_uncond"] = (guided, *one)
    if count < 1 or steps != count + 1 or len(header.guided) != count or shapes != expected:
        raise ValueError("the tensors do not fit the header")
    if len(header.preview_factors.factors) != channels:
        raise ValueError("the preview factors are for other latents")
    if len(set(kinds.values())) != 1 or not set(kinds.values()) <= set(_KINDS):
        raise ValueError("the tensors are of an unknown kind")
