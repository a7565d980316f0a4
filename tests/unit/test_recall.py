"""An image's recipe brought back: what changes is told, what cannot be had is said, what is not said stays."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdcore.spec import infotext
from sdcore.spec.facts import ImageFacts
from sdcore.spec.recall import FIELDS, Change, KnownModel, Recall, What, recall
from sdcore.spec.recipe import Recipe, find_problems
from tests.unit.recipes import recipes

PRESENT = Recipe(prompt="mine", negative_prompt="fog", seed=1, steps=12, batch_size=4, model="tiny")
MODELS = (
    KnownModel("tiny", "tiny", "0123456789", "SD1"),
    KnownModel("/models/dreamshaper_8.safetensors", "dreamshaper_8", "879db523c3", "SD1"),
    KnownModel("/models/flux1-dev.safetensors", "flux1-dev", "", "Flux"),
)


def bring(what: What = "all", present: Recipe = PRESENT, **said: object) -> Recall:
    return recall(ImageFacts(writer="InvokeAI", **said), present, what, MODELS)  # type: ignore[arg-type]


def test_what_is_not_said_stays() -> None:
    found = bring(prompt="theirs", steps=30)
    assert found.changes == (Change("prompt", "mine", "theirs"), Change("steps", 12, 30))
    assert found.recipe == msgspec.structs.replace(PRESENT, prompt="theirs", steps=30)
    assert found.notes == ()


def test_nothing_changes_where_all_is_as_it_was() -> None:
    assert bring(prompt="mine", steps=12).changes == ()


@pytest.mark.parametrize("what", list(FIELDS))
def test_only_what_is_asked_for(what: What) -> None:
    found = bring(
        what,
        prompt="theirs",
        negative_prompt="",
        seed=9,
        rng="gpu",
        steps=30,
        width=512,
        model="dreamshaper_8",
    )
    assert {change.field for change in found.changes} == set(FIELDS[what]) & {
        "prompt", "negative_prompt", "seed", "rng", "steps", "width", "model"
    }  # fmt: skip


def test_an_image_of_ours_says_everything() -> None:
    present = msgspec.structs.replace(PRESENT, hires_scale=2.0, vae="x", variation_strength=0.5)
    made = Recipe(prompt="a", seed=4, model="tiny")
    found = recall(
        ImageFacts(prompt="a", seed=4, model="tiny", writer="sdtui", exact=True), present, "all", MODELS
    )
    assert found.recipe == msgspec.structs.replace(made, batch_size=4)


def test_the_text_of_the_web_ui_leaves_out_what_rests() -> None:
    present = msgspec.structs.replace(PRESENT, hires_scale=2.0, clip_skip=2, vae="mine")
    facts = infotext.read("a\nSteps: 20, Sampler: Euler, Seed: 1")
    assert facts is not None
    found = recall(facts, present).recipe
    assert (found.hires_scale, found.clip_skip, found.vae, found.rng) == (1.0, 1, "mine", "gpu")


@pytest.mark.parametrize(
    "said", ["dreamshaper_8", "DreamShaper_8", "DREAMSHAPER_8.ckpt", "/else/dreamshaper_8.safetensors"]
)
def test_a_model_by_its_name(said: str) -> None:
    found = bring(model=said)
    assert found.recipe.model == "/models/dreamshaper_8.safetensors"
    assert found.notes == ()


def test_a_model_by_its_hash() -> None:
    found = bring(model="ds8", model_hash="879DB523C3")
    assert found.recipe.model == "/models/dreamshaper_8.safetensors"
    assert found.notes == ("The model ds8 is called dreamshaper_8 here: it has the same weights.",)


def test_a_model_of_the_same_name_and_other_weights_is_told() -> None:
    found = bring(model="dreamshaper_8", model_hash="ffffffffff")
    assert found.recipe.model == "/models/dreamshaper_8.safetensors"
    assert "other weights" in found.notes[0]


def test_a_model_that_is_not_here() -> None:
    found = bring(model="dreamshaper_7", model_hash="")
    assert found.recipe.model == "tiny"
    assert found.notes == (
        "There is no model dreamshaper_7 here: the nearest by name is dreamshaper_8; the one that is set stays.",
    )
    assert bring(model="zzz").notes == ("There is no model zzz here: the one that is set stays.",)
    assert recall(ImageFacts(model="zzz"), PRESENT).recipe.model == "zzz"


@pytest.mark.parametrize(
    ("said", "sampler", "schedule"),
    [("DPM++ 2M Karras", "DPM++ 2M", "Karras"), ("k_euler_a", "Euler a", "automatic"),
     ("dpmpp_2m", "DPM++ 2M", "automatic"), ("lms_k", "LMS", "Karras")],
)  # fmt: skip
def test_samplers_by_the_names_of_others(said: str, sampler: str, schedule: str) -> None:
    found = bring(sampler=said)
    assert (found.recipe.sampler, found.recipe.schedule, found.notes) == (sampler, schedule, ())


@pytest.mark.parametrize(
    ("said", "nearest"),
    [("dpmpp_3m_sde", "DPM++ 2M SDE"), ("Restart", "Heun"), ("Eulr", "Euler"), ("xyz", "LMS")],
)
def test_a_sampler_that_we_do_not_have(said: str, nearest: str) -> None:
    found = bring(sampler=said)
    assert found.recipe.sampler == nearest
    assert f"no sampler {said}" in found.notes[0]
    assert nearest in found.notes[0]


def test_a_schedule_that_we_do_not_have_or_that_the_sampler_cannot_follow() -> None:
    found = bring(schedule="kl_optimal")
    assert found.recipe.schedule == "automatic"
    assert "no schedule kl_optimal" in found.notes[0]
    found = bring(sampler="LCM", schedule="karras")
    assert (found.recipe.sampler, found.recipe.schedule) == ("LCM", "automatic")
    assert "cannot follow" in found.notes[0]


def test_what_the_family_cannot_do_is_told() -> None:
    found = bring(model="flux1-dev", sampler="Euler a", schedule="automatic")
    assert found.recipe.model == "/models/flux1-dev.safetensors"
    assert "cannot sample" in " ".join(found.notes)


@pytest.mark.parametrize(
    ("field", "said", "taken"),
    [("steps", 5000, 1000), ("steps", 0, 1), ("width", 1000, 1000), ("width", 777, 776), ("height", 9, 64),
     ("guidance_scale", 900.0, 100.0), ("clip_skip", 40, 12), ("variation_strength", 1.5, 1.0), ("seed", -1, 1),
     ("seed", 2**63 - 1, 1)],
)  # fmt: skip
def test_values_out_of_range(field: str, said: float, taken: float) -> None:
    found = bring(**{field: said})
    assert getattr(found.recipe, field) == taken
    assert len(found.notes) == (said != taken)


def test_an_image_that_was_begun_from_another() -> None:
    assert "strength 0.4" in bring(strength=0.4).notes[0]
    assert bring("seed", strength=0.4).notes == ()


_NAMES = st.sampled_from(
    [
        "Euler",
        "xyz",
        "k_euler_a",
        "DPM++ 3M SDE Karras",
        "LCM",
        "custom",
        "kl_optimal",
        "Karras",
        "",
        "tiny",
        "flux1-dev",
    ]
)
_WILD = st.fixed_dictionaries(
    {},
    optional={
        "prompt": st.text(max_size=9), "steps": st.integers(), "seed": st.integers(), "width": st.integers(),
        "height": st.integers(), "guidance_scale": st.floats(-1e9, 1e9), "sampler": _NAMES, "schedule": _NAMES,
        "model": _NAMES, "clip_skip": st.integers(), "strength": st.floats(-9, 9), "init_image": st.just("a.png"),
        "mask_image": st.just("b.png"), "hires_scale": st.floats(-9, 99), "hires_strength": st.floats(-9, 9),
        "hires_steps": st.integers(), "emphasis": _NAMES, "rng": _NAMES,
        "variation_strength": st.floats(-9, 9) | st.just(0.0),
        "sigmas": st.lists(st.floats(0, 9), max_size=3).map(tuple), "guidance_rescale": st.floats(-9, 9),
        "writer": st.sampled_from(["A1111", "ComfyUI", "sdtui"]), "exact": st.booleans(),
    },
)  # fmt: skip


@given(_WILD, recipes(), st.sampled_from(list(FIELDS)))
def test_what_could_be_run_still_can(said: dict[str, object], present: Recipe, what: What) -> None:
    found = recall(ImageFacts(**said), present, what, MODELS)  # type: ignore[arg-type]
    assert find_problems(found.recipe) == []
    assert found.recipe.batch_size == present.batch_size
    for change in found.changes:
        assert getattr(found.recipe, change.field) == change.after != change.before


@given(recipes(), recipes())
def test_a_recipe_of_ours_is_brought_back_whole(made: Recipe, present: Recipe) -> None:
    said = {name: getattr(made, name) for name in Recipe.__struct_fields__}
    found = recall(ImageFacts(**said, writer="sdtui", exact=True), present)
    assert found.recipe == msgspec.structs.replace(made, batch_size=present.batch_size)
    assert found.notes == ()
