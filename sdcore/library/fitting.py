"""Whether a model fits into the memory of the device, before it is loaded; the engine reckons it exactly for a run."""

from __future__ import annotations

from typing import Final, Literal

from sdcore.spec.found import ModelFile

Fit = Literal["", "fits", "offloads", "too large"]
"""Not known; all of it at once; only by parts that take turns, which a GPU can; not at all."""

ROOM: Final = 1 << 30
"""Bytes that a run needs beside the weights: the context of CUDA, and what a forward pass makes on its way."""
_GPU_BYTES, _CPU_BYTES = 2, 4
"""Bytes a number: weights are 16 bits wide on a GPU and 32 on a CPU, whatever their files have."""


def loaded_bytes(model: ModelFile, *, on_gpu: bool) -> int:
    """How many bytes the weights of a model take when it is loaded, 0 where that cannot be told."""
    return model.parameters * (_GPU_BYTES if on_gpu else _CPU_BYTES)


def fits(model_bytes: int, free_bytes: int, *, on_gpu: bool) -> Fit:
    """Whether weights of so many bytes fit into so much memory, with room to run; either may be 0, not known."""
    if model_bytes <= 0 or free_bytes <= 0:
        return ""
    if model_bytes + ROOM <= free_bytes:
        return "fits"
    return "offloads" if on_gpu else "too large"


def size_text(count: int) -> str:
    """A number of bytes as people say it."""
    unit, name = next((unit for unit in ((1e9, "GB"), (1e6, "MB")) if count >= unit[0]), (1e3, "kB"))
    return f"{count / unit:.1f} {name}" if name == "GB" else f"{count / unit:.0f} {name}"
