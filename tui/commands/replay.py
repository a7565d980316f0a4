"""`sdtui replay`: make an image again from what it says about itself."""

from __future__ import annotations

import sys
import tempfile
from argparse import Namespace
from pathlib import Path
from typing import Final

import msgspec

from sdcore.engine.messages import ForkPoint, JobFinished, SavedImage
from sdcore.library import checkpoints
from sdcore.library.config import load
from sdcore.library.lineage import read_lineage
from sdcore.library.metadata import ImageFacts, MetadataError, facts_of, read_image, read_pixels, read_texts
from sdcore.library.outputs import OutputError, save_image
from sdcore.library.record import WHERE, BatchPlace
from sdcore.spec.lineage import Segment
from sdcore.spec.recipe import Recipe, RecipeError, check
from tui.commands.console import CommandError, complain, say
from tui.commands.fetching import described
from tui.commands.making import Maker
from tui.commands.show import print_image
from tui.commands.verdict import addons_of, verdict

_MOST_THREADS: Final = 256


def run(options: Namespace) -> int:
    """Make the image again: it is saved as a new one, or with --verify compared with the old."""
    try:
        header = read_texts(options.image)
        before = read_pixels(options.image)
    except MetadataError as fault:
        raise CommandError(str(fault)) from fault
    facts = facts_of(header.texts)
    recipe = _recipe(facts, options)
    place = (
        msgspec.convert(facts.extra["batch"], BatchPlace) if facts.exact and "batch" in facts.extra else None
    )
    if facts.exact and "cancelled_at" in facts.extra:
        stopped = facts.extra["cancelled_at"] + 1
        complain(f"{options.image} was stopped after pass {stopped}; this makes it whole.")
    with tempfile.TemporaryDirectory(prefix="sdtui-") as folder:
        with Maker(device=options.device, folder=Path(folder), threads=_threads(facts)) as maker:
            made = _made_again(maker, _segments(facts, recipe, options), place)
        after, now = read_pixels(made.path), read_image(made.path)
    for whose, was, there in (
        ("model", facts.model_hash, now.model_hash),
        ("VAE", facts.vae_hash, now.vae_hash),
    ):
        if was and was != there:
            complain(f"The {whose}'s weights are others now: {there}, then {was}.")
    hashes = {(one.kind, one.name): one.hash for one in addons_of(now)}
    for one in addons_of(facts):
        if (there := hashes.get((one.kind, one.name), "")) != one.hash:
            complain(f"The {one.kind} {one.name} is another file now: {there or 'none'}, then {one.hash}.")
    if options.verify:
        return verdict(before, after, facts, now, header)
    try:
        family = now.extra["family"]
        path = save_image(
            after,
            now.recipe(),
            model_hash=now.model_hash or "",
            vae_hash=now.vae_hash or "",
            family=family,
            batch=place,
            parent=read_lineage(Path(options.image))[0],
            segments=_segments(now, now.recipe(), options),
            addons=addons_of(now),
            **{name: now.extra[name] for name in WHERE if name in now.extra},
        )
    except OutputError as fault:
        raise CommandError(str(fault)) from fault
    if sys.stdout.isatty():
        print_image(after, options.color or load()[0].color)
    say(str(path))
    return 0


def _recipe(facts: ImageFacts, options: Namespace) -> Recipe:
    if facts == ImageFacts():
        raise CommandError(f"{options.image} does not say how it was made, so it cannot be made again.")
    try:
        model = described(options.model or facts.model or checkpoints.BUNDLED)
        recipe = msgspec.structs.replace(facts.recipe(), model=model.ref)
        return check(recipe)
    except checkpoints.UnknownModelError as fault:
        raise CommandError(f"{fault} Say which with --model.") from fault
    except RecipeError as fault:
        raise CommandError(f"{options.image} asks for what cannot be made here: {fault}") from fault


def _threads(facts: ImageFacts) -> int:
    """As many as made the image, so that it has the same bits; 0 where it does not say, or claims too many."""
    threads = facts.extra.get("threads", 0) if facts.exact else 0
    return threads if 0 < threads <= _MOST_THREADS else 0


def _segments(facts: ImageFacts, recipe: Recipe, options: Namespace) -> tuple[Segment, ...]:
    """The recipes that the image followed, one after another: one, unless it is a fork."""
    if not (facts.exact and "segments" in facts.extra):
        return (Segment(start=0, recipe=recipe),)
    try:
        told = msgspec.convert(facts.extra["segments"], tuple[Segment, ...])
        return tuple(
            Segment(start=one.start, recipe=check(msgspec.structs.replace(one.recipe, model=recipe.model)))
            for one in told
        )
    except (msgspec.ValidationError, RecipeError) as fault:
        raise CommandError(
            f"{options.image} is a fork, and what it says of its past cannot be followed: {fault}"
        ) from fault


def _made_again(maker: Maker, segments: tuple[Segment, ...], place: BatchPlace | None) -> SavedImage:
    """Make the run of the first recipe, and fork it into each of the others."""
    finished: JobFinished | None = None
    for segment in segments:
        recipe = segment.recipe
        if place:
            # An image of a batch can differ in its last bits from the same one made alone: make the batch.
            recipe = recipe.whole_batch(place.index, place.size)
        fork = None if finished is None else ForkPoint(source=finished.job, step=segment.start - 1)
        finished = maker.make(recipe, "sampling", fork)
    assert finished is not None  # there is always a first segment
    return finished.images[place.index if place else 0]
