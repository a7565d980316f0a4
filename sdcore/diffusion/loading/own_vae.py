"""A VAE that takes the place of a model's own: a folder, a single file, or that of another model."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Final

import torch

from sdcore.diffusion import ladder
from sdcore.diffusion.checksum import Checksum
from sdcore.diffusion.loading.configs import beside, config_of, read_json
from sdcore.diffusion.loading.conversion import Tensors
from sdcore.diffusion.loading.conversion import vae as converted
from sdcore.diffusion.loading.network import Plan, fill, plan
from sdcore.diffusion.loading.parts import VAE, Part
from sdcore.diffusion.loading.weights import Meter, WeightFiles
from sdcore.diffusion.model import Model, ModelError
from sdcore.diffusion.preview import PreviewFactors
from sdcore.model_folder import weights_of
from sdcore.spec.families import family

PART: Final = Part(VAE, "AutoencoderKL")
"""What it has to be."""

_LATENTS: Final = "decoder.conv_in.weight"
"""Its second axis has a place for each latent channel."""


def plan_vae(path: Path, family_name: str) -> Plan:
    """The VAE at `path` for models of a family: a folder of diffusers (of a VAE or of a whole model), or a file (a VAE
    alone or a checkpoint). Raises `ModelError` with one sentence."""
    tensors: Tensors
    if path.is_dir():
        folder, files = _folder_at(path), vae_files(path)
        if not files:
            raise ModelError(f"{folder} has no VAE: it holds no .safetensors file.")
        config, tensors = read_json(folder / "config.json"), WeightFiles(files)
        if config.get("_class_name", PART.kind) != PART.kind:
            raise ModelError(
                f"{folder} is a {str(config['_class_name'])[:60]!r}; sdtui loads {PART.kind} alone."
            )
    else:
        config = config_of(family_name, VAE, beside(path))
        tensors = converted(WeightFiles([path]), config)
    first = tensors.get(_LATENTS)
    if first is None or first.ndim != 4:
        raise ModelError(f"{path} holds no VAE.")
    wanted = family(family_name).latent_channels
    if first.shape[1] != wanted:
        raise ModelError(
            f"The VAE in {path} makes {first.shape[1]} latent channels, and {family_name} models have {wanted}: choose "
            f"a VAE for {family_name}."
        )
    return plan(PART, config, tensors, path)


def vae_files(path: Path) -> list[Path]:
    """The weights of the VAE at `path`, or the file that they are in with others."""
    return weights_of(_folder_at(path)) if path.is_dir() else [path]


def _folder_at(path: Path) -> Path:
    return path / VAE if (path / VAE).is_dir() else path


def replace_vae(
    model: Model, planned: Plan, factors: PreviewFactors | None = None, checksum: Checksum | None = None
) -> Model:
    """The model with another VAE; all else is shared. `factors` are those fitted to that VAE, if there are any, and
    `checksum` is what it is called by, unless it is the model's own."""
    shown, placement = family(model.family), model.thrift.rung.placement
    device = model.device if placement == "resident" else torch.device("cpu")
    changed = dataclasses.replace(
        model,
        vae=fill(planned, device, model.dtype, Meter(lambda stage, fraction: None, planned.nbytes)),
        preview_factors=factors or PreviewFactors(shown.preview, shown.preview_bias),
        vae_checksum=checksum or Checksum(),
    )
    if placement != "resident":
        ladder.place(changed, placement)
    return changed
