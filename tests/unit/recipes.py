"""Any recipe that can be run, as a hypothesis strategy."""

from __future__ import annotations

from hypothesis import strategies as st

from sdcore.spec import choices
from sdcore.spec.recipe import MAX_BATCH, MAX_SEED, Recipe

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


@st.composite
def recipes(draw: st.DrawFn, prompts: st.SearchStrategy[str] = PROMPTS) -> Recipe:
    """A recipe that passes `check`."""
    sampler = draw(st.sampled_from(choices.SAMPLERS))
    schedule = draw(st.sampled_from(sampler.schedules))
    sigma = st.floats(1e-6, 1e4)
    sigmas = draw(st.lists(sigma, min_size=1, max_size=6, unique=True)) if schedule == choices.CUSTOM else []
    return Recipe(
        prompt=draw(prompts),
        negative_prompt=draw(prompts),
        width=draw(_SIDES),
        height=draw(_SIDES),
        steps=len(sigmas) or draw(st.integers(1, 1000)),
        guidance_scale=draw(st.floats(0, 100)),
        seed=draw(st.integers(0, MAX_SEED - MAX_BATCH)),
        sampler=sampler.name,
        schedule=schedule,
        sigmas=tuple(sorted(sigmas, reverse=True)),
        model=draw(_TEXT.filter(str.strip) | st.sampled_from(['"quoted"', "[1, 2]", "/models/a: b", "tiny"])),
    )
