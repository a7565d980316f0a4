"""Two images laid side by side: what they say of themselves, and where their pixels differ. No widgets.

Reading takes its time: call `read` and `compare` on a thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from sdcore.library.metadata import read_image, read_pixels
from sdcore.spec.compare import parameter_differences, pixel_difference, word_runs
from sdcore.spec.recipe import Recipe
from sdcore.spec.sanitise import sanitise
from sdcore.spec.views import ParameterDifference, PixelDifference, WordRun

_LARGEST_SHOWN: Final = 1024
"""Pixels a side above which an image is kept smaller to be shown: more than any terminal has cells for."""


@dataclass(frozen=True)
class Side:
    """One of the two images; `recipe` is None where it does not say how it was made."""

    path: Path
    image: Image.Image
    recipe: Recipe | None
    model_hash: str = ""

    @property
    def name(self) -> str:
        """The name of its file, fit to be shown."""
        return sanitise(self.path.name, newlines=False)

    @property
    def facts(self) -> list[str]:
        """The name, the seed and other facts, the most telling first."""
        size = f"{self.image.width} × {self.image.height}"
        if self.recipe is None:
            return [self.path.stem, size]
        recipe = self.recipe
        return [self.path.stem, f"seed {recipe.seed}", f"{recipe.sampler} {recipe.steps}",
                f"guidance {recipe.guidance_scale:g}", size]  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """The older image and the newer one, and what differs. `silent` names the images that do not say how they were
    made, so that words and parameters are empty; `pixels` is None where there are none to compare, and `unlike`
    says why. `shown` are the images and the difference map at a size for the screen."""

    older: Side
    newer: Side
    prompt: tuple[WordRun, ...]
    negative_prompt: tuple[WordRun, ...]
    parameters: tuple[ParameterDifference, ...]
    silent: tuple[str, ...]
    pixels: PixelDifference | None
    unlike: str
    shown: tuple[Image.Image, Image.Image]
    heat: Image.Image | None

    @property
    def sides(self) -> tuple[Side, Side]:
        """The older one, then the newer."""
        return self.older, self.newer

    @property
    def seeds_differ(self) -> bool:
        """Whether both tell their seed, and not the same."""
        one, other = self.older.recipe, self.newer.recipe
        return one is not None and other is not None and one.seed != other.seed


def read(path: Path) -> Side:
    """The image at `path` and what it says; raises `MetadataError` or OSError."""
    facts = read_image(path)
    recipe = facts.recipe() if facts.writer is not None else None
    return Side(path, read_pixels(path), recipe, facts.model_hash or "")


def compare(older: Side, newer: Side) -> Comparison:
    """Everything that the two images alone can tell."""
    one, other = older.recipe, newer.recipe
    prompt: tuple[WordRun, ...] = ()
    negative_prompt: tuple[WordRun, ...] = ()
    parameters: tuple[ParameterDifference, ...] = ()
    if one is not None and other is not None:
        prompt = word_runs(one.prompt, other.prompt)
        negative_prompt = word_runs(one.negative_prompt, other.negative_prompt)
        parameters = parameter_differences(one, other) + _weights(older.model_hash, newer.model_hash)
    pixels, unlike = None, ""
    try:
        pixels = pixel_difference(np.asarray(older.image), np.asarray(newer.image))
    except ValueError as fault:
        unlike = str(fault)
    heat = None
    if pixels is not None:
        size = (pixels.heat.width, pixels.heat.height)
        heat = _for_the_screen(Image.frombytes("RGB", size, pixels.heat.rgb))
    return Comparison(
        older=older,
        newer=newer,
        prompt=prompt,
        negative_prompt=negative_prompt,
        parameters=parameters,
        silent=tuple(side.name for side in (older, newer) if side.recipe is None),
        pixels=pixels,
        unlike=unlike,
        shown=(_for_the_screen(older.image), _for_the_screen(newer.image)),
        heat=heat,
    )


def first_pair(paths: Sequence[Path], looked_at: Path | None) -> tuple[Path, Path] | None:
    """Of `paths`, the newest first: the image that stays, and the one to lay beside it. That is the image looked at
    and the newest; where the newest is looked at, the one before it. None where there are not two."""
    if len(paths) < 2:
        return None
    stays = looked_at if looked_at in paths and looked_at is not None else paths[0]
    return stays, paths[0] if stays != paths[0] else paths[1]


def parting_step(divergence: Sequence[float]) -> int | None:
    """The forward pass (0-based) during which the distance of two runs grew most; None where it never grew."""
    rises = [after - before for before, after in pairwise(divergence)]
    most = max(rises, default=0.0)
    return rises.index(most) if most > 0 else None


def pixels_phrase(found: PixelDifference | None) -> str:
    """How many pixels differ, and by how much at most: a phrase. None stands for images of two sizes."""
    if found is None:
        return "the sizes differ"
    if not found.strongest:
        return "the same, pixel by pixel"
    return f"{_share(found)} of pixels differ, by {found.strongest} at most"


def pixels_facts(found: PixelDifference) -> list[str]:
    """The same for the difference map, the most telling first."""
    return ["difference", f"{_share(found)} of the pixels", f"by {found.strongest} of 255 at most (white)",
            f"mean {found.mean:.1f}"]  # fmt: skip


def _share(found: PixelDifference) -> str:
    """The share of pixels that differ; all but a few is not all."""
    if found.changed < 0.001:
        return "less than 0.1%"
    return "more than 99.9%" if 0.999 < found.changed < 1 else f"{found.changed:.1%}"


def _weights(first: str, second: str) -> tuple[ParameterDifference, ...]:
    """That the models were not the same, where both images name the weights."""
    if not first or not second or first == second:
        return ()
    return (ParameterDifference(name="model_hash", first=first, second=second),)


def _for_the_screen(image: Image.Image) -> Image.Image:
    if max(image.size) <= _LARGEST_SHOWN:
        return image
    small = image.copy()
    small.thumbnail((_LARGEST_SHOWN, _LARGEST_SHOWN))
    return small
