"""A trace on disk: one safetensors file, its tensors stacked over the steps, everything else as JSON in its header.

The names of the first pass's tensors are plain, those of the second begin with "2.". Version 1 knew one pass, that
begins from its seed's noise alone, and kept nothing of its beginning.

What is read is not trusted: the header is decoded strictly, and the tensors' shapes and kinds are held against it
before any of them is loaded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

import msgspec
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from sdcore.atomic import write_atomically
from sdcore.diffusion.noise import Shape, generators, initial_noise
from sdcore.diffusion.preview import PreviewFactors
from sdcore.diffusion.recorded import Recorded
from sdcore.diffusion.start import Start
from sdcore.regular import open_regular
from sdcore.spec.lineage import Parent, Segment
from sdcore.spec.recipe import RecipeError, check

VERSION: Final = 2
_READ: Final = (1, VERSION)
_PREFIXES: Final = ("", "2.")
_STACKED: Final = ("latents", "noise_pred_text", "denoised", "noise_pred_uncond")
_BEGUN: Final = ("noise", "source", "mask", "beside")
_KEY: Final = "sdtui_trace"
_MAX_HEADER: Final = 4 * 1024 * 1024
_KINDS: Final = ("F32", "F16", "BF16", "F64")


class TraceError(RuntimeError):
    """A trace cannot be read, kept or continued; the message is one sentence that says what to do."""


class TraceHeader(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of a trace but its tensors. `guided` says of each forward pass whether it has an unconditional half, `drawn`
    of each pass of the run how often noise was drawn before it (see `Start`), `channels_last` whether its tensors lay
    so in memory: a network rounds by that too."""

    version: int
    segments: tuple[Segment, ...]
    training_noise: dict[str, Any]
    preview_factors: PreviewFactors
    model_hash: str
    family: str
    parent: Parent | None
    guided: tuple[bool, ...]
    seconds: tuple[float, ...]
    drawn: tuple[int, ...] = (1,)
    channels_last: tuple[bool, ...] = (False,)


def write(path: Path, header: TraceHeader, passes: Sequence[Recorded]) -> Path:
    """Write a trace whole or not at all, for its owner alone, and return its path. Raises `OSError`."""
    tensors = {
        prefix + name: tensor
        for prefix, one in zip(_PREFIXES, passes, strict=False)
        for name, tensor in _tensors_of(one).items()
    }
    whole = {name: tensor.contiguous() for name, tensor in tensors.items()}
    write_atomically(path, save(whole, {_KEY: msgspec.json.encode(header).decode()}))
    return path


def damaged(path: Path) -> TraceError:
    """What is said of a file that is no trace, or is one no more."""
    return TraceError(f"{path.name} is damaged or is no trace of sdtui; make the run again.")


def lies_channels_last(one: Recorded) -> bool:
    """Whether a pass has its channels innermost in memory, as what comes from a VAE may have."""
    made = one.latents[-1]
    return made.is_contiguous(memory_format=torch.channels_last) and not made.is_contiguous()


def _tensors_of(one: Recorded) -> dict[str, Tensor]:
    stacks: tuple[list[Tensor | None], ...] = (
        [*one.latents],
        [*one.text],
        [*one.estimates],
        one.uncond,
    )
    stacked = {
        name: torch.stack(there)
        for name, stack in zip(_STACKED, stacks, strict=True)
        if (there := [tensor for tensor in stack if tensor is not None])
    }
    begun = {name: getattr(one.start, name) for name in _BEGUN}
    return stacked | {name: tensor for name, tensor in begun.items() if tensor is not None}


def read(path: Path) -> tuple[TraceHeader, list[Recorded]]:
    """A trace's header and its passes, on the CPU. Raises `TraceError`."""
    try:
        open_regular(path).close()
        with safe_open(path, framework="pt") as file:
            header = _header(file.metadata())
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
            kinds = {name: file.get_slice(name).get_dtype() for name in shapes}
            counts = _check(header, shapes, kinds)
            tensors = {name: file.get_tensor(name) for name in shapes}
            return header, list(_passes(header, counts, tensors))
    except FileNotFoundError as fault:
        raise TraceError(f"There is no trace at {path}; check the path.") from fault
    except (SafetensorError, msgspec.DecodeError, RecipeError, ValueError, KeyError) as fault:
        raise damaged(path) from fault
    except OSError as fault:
        raise TraceError(f"{path.name} could not be read: {fault.strerror or 'it is no file'}.") from fault


def _header(metadata: dict[str, str] | None) -> TraceHeader:
    text = (metadata or {})[_KEY]
    if len(text) > _MAX_HEADER:
        raise ValueError("the header is too long")
    header = msgspec.json.decode(text, type=TraceHeader)
    if header.version not in _READ:
        raise ValueError(f"version {header.version}")
    segments = tuple(msgspec.structs.replace(one, recipe=check(one.recipe)) for one in header.segments)
    return msgspec.structs.replace(header, segments=segments)


def _check(header: TraceHeader, shapes: dict[str, tuple[int, ...]], kinds: dict[str, str]) -> list[int]:
    """The forward passes of each pass. Raises `ValueError` unless everything fits together."""
    starts = [segment.start for segment in header.segments]
    if not starts or starts[0] != 0 or starts != sorted(set(starts)):
        raise ValueError("the segments are out of order")
    expected: dict[str, tuple[int, ...]] = {}
    counts: list[int] = []
    for prefix, _ in zip(_PREFIXES, header.drawn, strict=False):
        count = shapes[f"{prefix}latents"][0] - 1
        guided = header.guided[sum(counts) : sum(counts) + count]
        expected |= _expected(
            header.version, header.segments[0].recipe.batch_size, prefix, shapes, sum(guided)
        )
        counts.append(count)
    recorded = len(header.seconds)
    if min(counts, default=0) < 1 or sum(counts) != recorded or len(header.guided) != recorded:
        raise ValueError("the tensors do not fit the steps")
    if shapes != expected or len(header.channels_last) != len(counts) or min(header.drawn) < 1:
        raise ValueError("the tensors do not fit the header")
    if len(header.preview_factors.factors) != shapes["latents"][2]:
        raise ValueError("the preview factors are for other latents")
    if len(set(kinds.values())) != 1 or not set(kinds.values()) <= set(_KINDS):
        raise ValueError("the tensors are of an unknown kind")
    return counts


def _expected(
    version: int, batch: int, prefix: str, shapes: dict[str, tuple[int, ...]], guided: int
) -> dict[str, tuple[int, ...]]:
    """The shapes of a pass's tensors; those that may be left out are expected where they are there."""
    steps, _, channels, height, width = shapes[f"{prefix}latents"]
    one = (batch, channels, height, width)
    expected: dict[str, tuple[int, ...]] = {
        "latents": (steps, *one),
        "noise_pred_text": (steps - 1, *one),
        "denoised": (steps - 1, *one),
    }
    if guided:
        expected["noise_pred_uncond"] = (guided, *one)
    if version > 1:
        expected["noise"] = one
        beside = shapes.get(f"{prefix}beside", (batch,))[0]
        optional = {
            "source": one,
            "mask": (1, 1, height, width),
            "beside": (batch if beside != 1 else 1, channels + 1, height, width),
        }
        expected |= {name: shape for name, shape in optional.items() if prefix + name in shapes}
    return {prefix + name: shape for name, shape in expected.items()}


def _passes(header: TraceHeader, counts: list[int], tensors: dict[str, Tensor]) -> Iterator[Recorded]:
    first = 0
    kept = zip(_PREFIXES, counts, header.drawn, header.channels_last, strict=False)
    for prefix, count, drawn, channels_last in kept:
        order = torch.channels_last if channels_last else torch.contiguous_format
        lay = partial(Tensor.contiguous, memory_format=order)
        named = {name: tensors.get(prefix + name) for name in (*_STACKED, *_BEGUN)}
        latents, text, estimates, uncond = (
            [] if named[name] is None else list(map(lay, cast(Tensor, named[name]))) for name in _STACKED
        )
        guided = iter(uncond)
        halves = [next(guided) if there else None for there in header.guided[first : first + count]]
        noise = named["noise"]
        if noise is None:
            recipe, shape = header.segments[0].recipe, cast(Shape, tuple(latents[0].shape[1:]))
            noise = initial_noise(recipe, generators(recipe, shape), shape).to(latents[0])
        source = None if named["source"] is None else lay(named["source"])
        start = Start(noise, latents[0], source, named["mask"], named["beside"], drawn)
        yield Recorded(first, start, latents, halves, text, estimates)
        first += count
