"""`sdtui replay`: make an image again from what it says about itself."""

from __future__ import annotations

import sys
import tempfile
from argparse import Namespace
from pathlib import Path

import msgspec
from PIL import Image, ImageChops

from sdcore.library import checkpoints
from sdcore.library.config import load
from sdcore.library.metadata import ImageFacts, MetadataError, read_image, read_pixels
from sdcore.library.outputs import OutputError, save_image
from sdcore.library.record import BatchPlace
from sdcore.spec.recipe import Recipe, RecipeError, check
from tui.commands.console import FAILED, CommandError, complain, say
from tui.commands.making import Maker
from tui.commands.show import print_image


def run(options: Namespace) -> int:
    """Make the image again: it is saved as a new one, or with --verify compared with the old."""
    try:
        facts = read_image(options.image)
        before = read_pixels(options.image)
    except MetadataError as fault:
        raise CommandError(str(fault)) from fault
    recipe = _recipe(facts, options)
    place = (
        msgspec.convert(facts.extra["batch"], BatchPlace) if facts.exact and "batch" in facts.extra else None
    )
    if facts.exact and "cancelled_at" in facts.extra:
        stopped = facts.extra["cancelled_at"] + 1
        complain(f"{options.image} was stopped after pass {stopped}; this makes it whole.")
    with tempfile.TemporaryDirectory(prefix="sdtui-") as folder:
        # An image of a batch can differ in its last bits from the same one made alone: make the batch.
        whole = msgspec.structs.replace(recipe, seed=place.seed, batch_size=place.size) if place else recipe
        with Maker(device=options.device, folder=Path(folder)) as maker:
            made = maker.make(whole, "sampling").images[place.index if place else 0]
        after, now = read_pixels(made.path), read_image(made.path)
    if facts.model_hash and facts.model_hash != now.model_hash:
        complain(f"The model's weights are others now: {now.model_hash}, then {facts.model_hash}.")
    if options.verify:
        return _verdict(before, after)
    try:
        family = now.extra["family"]
        path = save_image(after, now.recipe(), model_hash=now.model_hash or "", family=family, batch=place)
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
        model = checkpoints.describe(options.model or facts.model or checkpoints.BUNDLED)
        recipe = msgspec.structs.replace(facts.recipe(), model=model.ref)
        return check(recipe)
    except checkpoints.UnknownModelError as fault:
        raise CommandError(f"{fault} Say which with --model.") from fault
    except RecipeError as fault:
        raise CommandError(f"{options.image} asks for what cannot be made here: {fault}") from fault


def _verdict(before: Image.Image, after: Image.Image) -> int:
    if before.size != after.size:
        say(f"differs: {before.width}x{before.height} then, {after.width}x{after.height} now")
        return FAILED
    difference = ImageChops.difference(before, after)
    if difference.getbbox() is None:
        say("identical")
        return 0
    red, green, blue = difference.split()
    counts = ImageChops.lighter(ImageChops.lighter(red, green), blue).histogram()
    same, most = counts[0], max(value for value, count in enumerate(counts) if count)
    total = before.width * before.height
    say(f"differs: {total - same:,} of {total:,} pixels, by at most {most} of 255")
    return FAILED
