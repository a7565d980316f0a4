"""sdcore: Stable Diffusion with an open loop.

    from sdcore import Recipe, open_model, sample

    model = open_model("tiny")
    for step in sample(model, Recipe(prompt="a red house", seed=1632)):
        print(step.index, step.sigma)
    image = model.decode(step.next_latents)[0]

Public names are resolved when they are first touched, so `import sdcore` is cheap and imports no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sdcore.diffusion.addons.lora import AddonError
    from sdcore.diffusion.fork import fork
    from sdcore.diffusion.images import image_grid
    from sdcore.diffusion.loop import Step, sample
    from sdcore.diffusion.model import Model, ModelError
    from sdcore.diffusion.trace import Trace
    from sdcore.library.exporting import ExportError, export
    from sdcore.library.metadata import ImageFacts, MetadataError, read_image
    from sdcore.library.outputs import OutputError, save_image
    from sdcore.opening import open_model
    from sdcore.spec.recipe import Problem, Recipe, RecipeError

__version__ = "0.1.0"

__all__ = [
    "AddonError",
    "ExportError",
    "ImageFacts",
    "MetadataError",
    "Model",
    "ModelError",
    "OutputError",
    "Problem",
    "Recipe",
    "RecipeError",
    "Step",
    "Trace",
    "export",
    "fork",
    "image_grid",
    "open_model",
    "read_image",
    "sample",
    "save_image",
]

_HOMES = {
    "AddonError": "sdcore.diffusion.addons.lora",
    "ExportError": "sdcore.library.exporting",
    "ImageFacts": "sdcore.library.metadata",
    "MetadataError": "sdcore.library.metadata",
    "Model": "sdcore.diffusion.model",
    "ModelError": "sdcore.diffusion.model",
    "OutputError": "sdcore.library.outputs",
    "Problem": "sdcore.spec.recipe",
    "Recipe": "sdcore.spec.recipe",
    "RecipeError": "sdcore.spec.recipe",
    "Step": "sdcore.diffusion.loop",
    "Trace": "sdcore.diffusion.trace",
    "export": "sdcore.library.exporting",
    "fork": "sdcore.diffusion.fork",
    "image_grid": "sdcore.diffusion.images",
    "open_model": "sdcore.opening",
    "read_image": "sdcore.library.metadata",
    "sample": "sdcore.diffusion.loop",
    "save_image": "sdcore.library.outputs",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'sdcore' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
