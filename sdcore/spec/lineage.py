"""Where a run came from: the recipes that it followed, one after another, and the image that it was forked from."""

from __future__ import annotations

import msgspec

from sdcore.spec.recipe import Recipe


class Origin(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a person came to a recipe; it decides nothing. The names of the `styles` that its prompts were put into, and
    the file name of the image that it is a variation of."""

    styles: tuple[str, ...] = ()
    varied_from: str = ""


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of a run under one recipe, from forward pass `start` (0-based) to the next segment or the end.

    A run that was never forked is one segment from 0. Every fork adds one. Where its seed differs from the
    segment's before, the noise drawn on the way comes from the new seed; the initial noise is always the first's.
    """

    start: int
    recipe: Recipe


class Parent(msgspec.Struct, frozen=True, kw_only=True):
    """What a fork was forked from: the file name of an image (empty if it was never saved), and the last forward
    pass (0-based) that both have in common."""

    image: str
    step: int
