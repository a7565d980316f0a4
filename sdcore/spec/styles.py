"""Styles: named fragments that prompts are put into, as AUTOMATIC1111's web UI has them. No torch, no I/O."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from sdcore.spec.recipe import Recipe

PLACE: Final = "{prompt}"
"""Where the prompt goes in a fragment; one without is appended."""


class Style(msgspec.Struct, frozen=True):
    """A fragment for the prompt and one for the negative prompt; either may be empty."""

    name: str
    prompt: str = ""
    negative_prompt: str = ""


def merged(prompt: str, fragment: str) -> str:
    """A prompt in a fragment: in its `{prompt}`, else before it with a comma (A1111, modules/styles.py,
    `merge_prompts`)."""
    if PLACE in fragment:
        return fragment.replace(PLACE, prompt)
    return ", ".join(part for part in (prompt.strip(), fragment.strip()) if part)


def in_style(recipe: Recipe, styles: Iterable[Style]) -> Recipe:
    """The recipe with its prompts put into these styles, one after another; itself where there are none."""
    prompt, negative = recipe.prompt, recipe.negative_prompt
    for style in styles:
        prompt, negative = merged(prompt, style.prompt), merged(negative, style.negative_prompt)
    return msgspec.structs.replace(recipe, prompt=prompt, negative_prompt=negative)
