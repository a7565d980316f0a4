"""From the name of a model to the model: where the library of models and the mathematics meet."""

from __future__ import annotations

from pathlib import Path

import torch

from sdcore.diffusion.loading.folder import Progress, open_folder
from sdcore.diffusion.model import Model, ModelError
from sdcore.library.checkpoints import BUNDLED, UnknownModelError, resolve


def open_model(
    ref: str | Path = BUNDLED,
    *,
    device: str = "auto",
    dtype: torch.dtype | None = None,
    progress: Progress | None = None,
) -> Model:
    """Open "tiny" (the bundled model) or a diffusers folder; safetensors only, nothing is downloaded.

    `device` is "auto", "cpu", "cuda" or "cuda:N"; `dtype` defaults to float32 on a CPU, bfloat16 on a GPU
    that has it, else float16. `progress` is called with the part's name and the share done (0..1). Raises
    `ModelError` with one sentence.
    """
    try:
        folder = resolve(str(ref))
    except UnknownModelError as error:
        raise ModelError(str(error)) from error
    name = BUNDLED if str(ref) == BUNDLED else folder.name
    return open_folder(folder, name, device=device, dtype=dtype, progress=progress)
