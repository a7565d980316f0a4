"""The settings that models want, and when those of a recipe are far from them."""

from __future__ import annotations

import msgspec
import pytest

from sdcore.library.fitting import ROOM, fits, size_text
from sdcore.spec.families import FAMILIES, VARIANTS, variant_of
from sdcore.spec.recipe import Recipe, find_problems
from sdcore.spec.suiting import find_unsuited
from sdcore.spec.wanted import wanted_by


@pytest.mark.parametrize("family", [family.name for family in FAMILIES])
@pytest.mark.parametrize("variant", ["", *(variant.name for variant in VARIANTS)])
def test_what_any_model_wants_can_be_run_and_is_wanted_no_more(family: str, variant: str) -> None:
    wanted = wanted_by(family, variant)
    recipe = msgspec.structs.replace(Recipe(), **wanted.settings(Recipe()))
    assert find_problems(recipe) == []
    assert find_unsuited(recipe, family) == []
    assert wanted.settings(recipe) == {}
    assert not wanted.is_far(recipe)


def test_a_name_tells_how_a_model_was_distilled() -> None:
    told = {
        "sdxl_lightning_4step": "Lightning", "Hyper-SDXL-8steps": "Hyper", "stabilityai/sd-turbo": "Turbo",
        "LCM_Dreamshaper_v7": "LCM", "flux1-schnell": "Schnell", "HyperRealism_v3": "", "v1-5-pruned": "",
    }  # fmt: skip
    found = {name: variant.name if (variant := variant_of(name)) else "" for name in told}
    assert found == told


def test_steps_are_those_that_the_name_says() -> None:
    for name, steps in {
        "sdxl_lightning_4step": 4, "Hyper-SDXL-8steps-lora": 8, "x-2-Steps": 2, "x_16_step_v2": 16,
        "sdxl_lightning": 4, "1234steps": 4, "0step": 4, "4stepper": 4,
    }.items():  # fmt: skip
        assert wanted_by("SDXL", "Lightning", name=name).steps == steps
    assert wanted_by("SDXL", name="sdxl-8step").steps == 30


def test_a_recipe_is_far_where_its_image_would_come_out_badly() -> None:
    plain, turbo, flow = wanted_by("SDXL"), wanted_by("SDXL", "Turbo", 512), wanted_by("Flux")
    large = Recipe(width=1024, height=1024)
    assert not plain.is_far(large)
    assert not plain.is_far(
        msgspec.structs.replace(large, width=832, height=1216, steps=60, guidance_scale=12.0)
    )
    assert plain.is_far(Recipe(width=512, height=512))
    assert turbo.is_far(Recipe(width=512, height=512))
    assert not turbo.is_far(Recipe(width=512, height=768, steps=6, guidance_scale=2.0))
    assert flow.is_far(large)
    assert not flow.is_far(msgspec.structs.replace(large, sampler="Euler"))


def test_a_size_that_does_stays() -> None:
    tall = Recipe(width=832, height=1216)
    assert "width" not in wanted_by("SDXL").settings(tall)
    assert wanted_by("SD1").settings(tall)["width"] == 512


def test_whether_it_fits() -> None:
    assert fits(10, ROOM + 10, on_gpu=True) == "fits"
    assert fits(11, ROOM + 10, on_gpu=True) == "offloads"
    assert fits(11, ROOM + 10, on_gpu=False) == "too large"
    assert fits(0, ROOM, on_gpu=True) == fits(5, 0, on_gpu=True) == ""


def test_bytes_as_people_say_them() -> None:
    told = [size_text(count) for count in (0, 2_400, 34_000_000, 999_999_999, 11_930_000_000)]
    assert told == ["0 kB", "2 kB", "34 MB", "1000 MB", "11.9 GB"]
