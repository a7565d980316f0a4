"""Any recipe that can be run, as a hypothesis strategy."""

from __future__ import annotations

from hypothesis import strategies as st

from sdcore.spec import choices
from sdcore.spec.recipe import MAX_BATCH, MAX_SEED, Recipe, Turn

_SNIPPETS = st.sampled_from(
    [
        "a red house",
        "Negative prompt: b",
        "\n",
        "\nNegative prompt: x\n",
        "\nSteps: 1, Sampler: x, Seed: 2",
        ", ",
        '"',
        "\\",
    ]
)
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
PROMPTS = st.lists(_SNIPPETS | _TEXT, max_size=4).map("".join)
_SIDES = st.integers(8, 1024).map(lambda side: 8 * side)
_SHARES = st.floats(0, 1)
_SOME = st.floats(0.0625, 1)
_SEEDS = st.integers(0, MAX_SEED - MAX_BATCH)
_PATHS = st.sampled_from(["input:0123456789abcdef", "/a folder/b, c.png", '"quoted".safetensors'])


@st.composite
def _beginnings(draw: st.DrawFn, steps: int) -> dict[str, object]:
    """What acts of the fields that a run begins with."""
    turns = st.lists(st.builds(Turn, _SEEDS, _SOME), max_size=3).map(tuple)
    varied = st.fixed_dictionaries(
        {"variation_seed": _SEEDS, "variation_strength": _SOME, "earlier_variations": turns}
    )
    fields: dict[str, object] = dict(draw(st.just({}) | varied))
    if draw(st.booleans()):
        fields |= {"init_image": draw(_PATHS)}
        fields["strength"] = draw(st.floats(1 / steps, 1).filter(lambda share: int(share * steps) > 0))
        if draw(st.booleans()):
            fields |= {"mask_image": draw(_PATHS), "mask_blur": draw(st.integers(0, 256))}
    return fields


_ENLARGED = st.fixed_dictionaries(
    {
        "width": st.just(512),
        "height": st.just(768),
        "hires_scale": st.floats(1.01, 8),
        "hires_steps": st.integers(0, 1000),
        "hires_strength": _SOME,
        "hires_upscaler": st.sampled_from(choices.UPSCALERS).map(lambda choice: choice.name),
    }
)


@st.composite
def recipes(draw: st.DrawFn, prompts: st.SearchStrategy[str] = PROMPTS) -> Recipe:
    """A recipe that passes `check`."""
    sampler = draw(st.sampled_from(choices.SAMPLERS))
    schedule = draw(st.sampled_from(sampler.schedules))
    sigma = st.floats(1e-6, 1e4)
    sigmas = draw(st.lists(sigma, min_size=1, max_size=6, unique=True)) if schedule == choices.CUSTOM else []
    steps = len(sigmas) or draw(st.integers(1, 1000))
    begun = draw(_beginnings(steps))
    enlarged = {} if "mask_image" in begun else draw(st.just({}) | _ENLARGED)
    fields: dict[str, object] = {"width": draw(_SIDES), "height": draw(_SIDES), **begun, **enlarged}
    return Recipe(
        **fields,
        prompt=draw(prompts),
        negative_prompt=draw(prompts),
        steps=steps,
        guidance_scale=draw(st.floats(0, 100)),
        seed=draw(st.integers(0, MAX_SEED - MAX_BATCH)),
        sampler=sampler.name,
        schedule=schedule,
        sigmas=tuple(sorted(sigmas, reverse=True)),
        model=draw(_TEXT.filter(str.strip) | st.sampled_from(['"quoted"', "[1, 2]", "/models/a: b", "tiny"])),
        clip_skip=draw(st.integers(1, 12)),
        emphasis=draw(st.sampled_from(choices.EMPHASES)).name,
        guidance_rescale=draw(_SHARES),
        vae=draw(st.just("") | _PATHS),
        rng=draw(st.sampled_from(choices.RNGS)).name,
    )
