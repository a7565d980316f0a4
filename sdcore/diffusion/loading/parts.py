"""The parts of a model: the classes that they are, and who makes an adapter of them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sdcore.diffusion.families import flux, sd3, sdxl, unet
from sdcore.diffusion.model import Adapter
from sdcore.model_folder import LAYOUTS, Layout
from sdcore.spec.families import family

VAE: Final = "vae"
TOKENIZER: Final = "tokenizer"

_TITLES: Final = {"unet": "UNet", VAE: "VAE"}
_TRANSFORMERS: Final = ("CLIP", "T5")
"""How the names of those classes begin that are not of diffusers."""

ADAPTERS: Final[dict[str, Callable[[Mapping[str, Any], Mapping[str, Any]], Adapter]]] = {
    "SD1": unet.make_adapter,
    "SD2": unet.make_adapter,
    "SDXL": sdxl.make_adapter,
    "SD3": sd3.make_adapter,
    "Flux": flux.make_adapter,
}
"""Who makes the adapter of a family, from the parts by their folders and what `model_index.json` says besides."""

NOISE: Final[dict[str, Mapping[str, Any]]] = {"Flux": flux.NOISE}
"""What the pipeline of a family says of the training noise, and its scheduler config does not."""


@dataclass(frozen=True)
class Part:
    """A part of a model by its `folder`, and the name of the class that it is."""

    folder: str
    kind: str

    @property
    def title(self) -> str:
        """What people call it."""
        return _TITLES.get(self.folder, self.folder.replace("_", " "))

    @property
    def is_tokenizer(self) -> bool:
        """Whether it has words and no weights."""
        return self.folder.startswith(TOKENIZER)

    def resolve(self) -> Any:
        """The class; only now is its module imported."""
        library = "transformers" if self.kind.startswith(_TRANSFORMERS) else "diffusers"
        return getattr(importlib.import_module(library), self.kind)


def parts_of(layout: Layout) -> list[Part]:
    """The parts of a layout, in the order in which they are loaded: what is small is checked first."""
    return [Part(folder, kinds[0]) for folder, kinds in layout.parts.items()]


def layout_of(family_name: str) -> Layout:
    """The layout of a family's folders."""
    return LAYOUTS[family(family_name).pipeline]
