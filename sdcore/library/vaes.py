"""The VAEs that lie in the known folders by themselves, to take the place of a model's own. No torch."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sdcore.library.folders import FoundFile, find_files
from sdcore.spec.found import VaeFile

_WEIGHTS: Final = "diffusion_pytorch_model"
"""What diffusers calls the weights of a network, whose folder says what it is."""


def find_vaes() -> list[VaeFile]:
    """Each with its file, or its folder in the layout of diffusers, by name. Never fails."""
    found = {vae.path: vae for vae in map(_describe, find_files("VAE"))}
    return sorted(found.values(), key=lambda vae: (vae.name.casefold(), vae.path))


def _describe(file: FoundFile) -> VaeFile:
    path = Path(file.path)
    name = path.stem
    if path.name.startswith(_WEIGHTS):
        path = path.parent
        name = path.name if path.name.casefold() != "vae" else f"{path.parent.name}/{path.name}"
    return VaeFile(
        name=name, path=str(path), families=file.sniffed.families, bytes=file.bytes, problem=file.problem
    )
