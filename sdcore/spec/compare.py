"""What differs between two recipes and between two images. No torch."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any, Final, Literal

from sdcore.spec.recipe import Recipe
from sdcore.spec.views import ParameterDifference, Picture, PixelDifference, WordRun

if TYPE_CHECKING:
    import numpy as np

_WORD: Final = re.compile(r"\s*(?:\w+|[^\w\s])")
_PROMPTS: Final = ("prompt", "negative_prompt")


def word_runs(first: str, second: str) -> tuple[WordRun, ...]:
    """What became of the words of `first` in `second`, in reading order; punctuation marks are words of their own.

    Kept and removed runs together are the first text, kept and added ones the second, but for the case of
    letters and the spaces between words.
    """
    before, after = _WORD.findall(first), _WORD.findall(second)
    matcher = SequenceMatcher(None, _plain(before), _plain(after))
    runs: list[WordRun] = []
    for change, start, stop, new_start, new_stop in matcher.get_opcodes():
        gone, come = "".join(before[start:stop]), "".join(after[new_start:new_stop])
        if change == "equal":
            runs.append(WordRun(kind="kept", text=come))
            continue
        sides: tuple[tuple[Literal["removed", "added"], str], ...] = (("removed", gone), ("added", come))
        runs += [WordRun(kind=kind, text=text) for kind, text in sides if text]
    return tuple(runs)


def parameter_differences(first: Recipe, second: Recipe) -> tuple[ParameterDifference, ...]:
    """Every field of the recipes but the prompts that is not the same in both, in the order of the fields."""
    pairs = [
        (name, getattr(first, name), getattr(second, name))
        for name in Recipe.__struct_fields__
        if name not in _PROMPTS
    ]
    return tuple(
        ParameterDifference(name=name, first=_written(one), second=_written(other))
        for name, one, other in pairs
        if one != other
    )


def pixel_difference(first: np.ndarray, second: np.ndarray) -> PixelDifference:
    """Where two images differ: uint8 arrays (H, W, 3) of one size. Raises `ValueError` if the sizes differ."""
    import numpy as np

    if first.shape != second.shape:
        raise ValueError(
            f"An image of {first.shape[1]} x {first.shape[0]} pixels and one of {second.shape[1]} x "
            f"{second.shape[0]} have no difference pixel by pixel; compare images of one size."
        )
    distance = np.abs(first.astype(np.int16) - second.astype(np.int16)).max(axis=2)
    strongest = int(distance.max())
    levels = (distance / max(strongest, 1) * 255).round().astype(np.uint8)
    return PixelDifference(
        heat=Picture(
            width=first.shape[1],
            height=first.shape[0],
            rgb=np.repeat(levels[:, :, None], 3, axis=2).tobytes(),
        ),
        strongest=strongest,
        mean=float(distance.mean()),
        changed=float((distance > 0).mean()),
    )


def _plain(words: list[str]) -> list[str]:
    return [word.strip().casefold() for word in words]


def _written(value: Any) -> str:
    return ", ".join(map(_written, value)) if isinstance(value, tuple) else str(value)
