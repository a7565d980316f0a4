"""`sdtui generate`: prompts to images without the app, by an engine in this process."""

from __future__ import annotations

import secrets
import sys
from argparse import Namespace
from pathlib import Path
from typing import Final

import msgspec

from sdcore.engine.messages import JobFinished
from sdcore.library import checkpoints
from sdcore.library.config import load
from sdcore.library.inputs import InputError, keep_inputs
from sdcore.library.metadata import read_pixels
from sdcore.library.wildcards import Wildcards
from sdcore.spec import choices
from sdcore.spec.recipe import Recipe, RecipeError, check
from sdcore.spec.sweep.drawing import DrawingError, Drawn, draw
from tui.commands.console import USAGE, CommandError, complain, say, say_json
from tui.commands.fetching import described
from tui.commands.making import Maker
from tui.commands.show import print_image

RANDOM_SEEDS = 2**32
"""Random seeds are drawn below this: what other programs take for a seed."""

_PLAIN: Final = Recipe()


def run(options: Namespace) -> int:
    """Make the images one batch after another, each from a seed of its own, and print where each was saved."""
    settings, problems = load()
    for problem in problems:
        complain(problem)
    recipe = recipe_of(options, options.model or settings.model, options.count, options.batch)
    folder = writable(Path(options.out).absolute() if options.out else settings.outputs_dir())
    words = Wildcards()
    _draw(recipe, words)  # what cannot be drawn is said before the engine starts
    what = "image" if options.batch == 1 else "batch"
    with Maker(device=options.device, folder=folder) as maker:
        for index, one in enumerate(recipe.in_turn(options.count)):
            title = f"{what} {index + 1} of {options.count}" if options.count > 1 else "sampling"
            drawn = _draw(one, words)
            _tell(
                maker.make(drawn.recipe, title, template=drawn.template),
                as_json=options.json,
                color=options.color or settings.color,
            )
    return 0


def _draw(recipe: Recipe, words: Wildcards) -> Drawn:
    """The recipe with the choices of its prompts drawn by its seed. Raises `CommandError`."""
    try:
        return draw(recipe, words)
    except DrawingError as fault:
        raise CommandError(str(fault), USAGE) from fault


def writable(folder: Path) -> Path:
    """`folder`, made if it is not there; raises `CommandError` before any work is done for nothing."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as fault:
        raise CommandError(f"{folder} cannot be made: {fault.strerror}; choose another folder.") from fault
    return folder


def recipe_of(options: Namespace, ref: str, count: int = 1, batch: int = 1) -> Recipe:
    """What the command line asks for, of the model `ref`, in the model's own size unless it says another, the first of
    `count` batches of `batch` images; the last seed is checked too.

    Raises `CommandError`.
    """
    recipe = Recipe(
        prompt=options.prompt,
        negative_prompt=options.negative,
        steps=options.steps or len(options.sigmas) or _PLAIN.steps,
        guidance_scale=options.guidance,
        seed=secrets.randbelow(RANDOM_SEEDS) if options.seed == -1 else options.seed,
        batch_size=batch,
        sampler=options.sampler,
        schedule=options.schedule or (choices.CUSTOM if options.sigmas else choices.AUTOMATIC),
        sigmas=options.sigmas,
        model=ref,
        clip_skip=options.clip_skip,
        emphasis=options.emphasis,
        guidance_rescale=options.guidance_rescale,
        vae=_vae_named(options.vae),
        rng=options.rng,
        init_image=options.init,
        strength=options.strength,
        mask_image=options.mask,
        mask_blur=options.mask_blur,
        hires_scale=options.hires,
        hires_steps=options.hires_steps,
        hires_strength=options.hires_strength,
        hires_upscaler=options.hires_upscaler,
        variation_seed=options.variation_seed,
        variation_strength=options.variation_strength,
    )
    if options.size:
        recipe = msgspec.structs.replace(recipe, width=options.size[0], height=options.size[1])
    try:
        check(recipe.in_turn(count)[-1])
        recipe = keep_inputs(check(recipe))
        model = described(ref)
    except RecipeError as fault:
        raise CommandError(str(fault), USAGE) from fault
    except (checkpoints.UnknownModelError, InputError) as fault:
        raise CommandError(str(fault)) from fault
    width, height = options.size or (model.native_size, model.native_size)
    return msgspec.structs.replace(recipe, width=width, height=height, model=model.ref)


def _vae_named(ref: str) -> str:
    """A VAE as a recipe names it: a path from the root, so that it means the same in every folder, or its name.

    Raises `CommandError`.
    """
    if not ref:
        return ""
    try:
        found = checkpoints.resolve_vae(ref)
    except checkpoints.UnknownModelError as fault:
        raise CommandError(str(fault)) from fault
    return str(found) if found == checkpoints.path_at(ref) else ref


def _tell(finished: JobFinished, *, as_json: bool, color: str) -> None:
    for image in finished.images:
        if as_json:
            pace = {"seconds": finished.seconds, "steps_per_second": finished.steps_per_second}
            say_json({"path": image.path, **pace, **msgspec.to_builtins(image.recipe)})
            continue
        if sys.stdout.isatty():
            print_image(read_pixels(image.path), color)
        say(image.path)
