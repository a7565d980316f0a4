"""The rows as data: each text makes fields of a recipe, and comes back as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdcore.spec.recipe import Recipe
from tui.parameter_row import absolute, short
from tui.parameter_rows import BY_NAME, ROW_NAMES, ROWS, in_effect, read_rows, unfolded, write_rows
from tui.shortening import shortened
from tui.widgets.parameter_lines import file_name

FULL = Recipe(
    prompt="a boat", negative_prompt="rain", width=96, height=64, steps=12, guidance_scale=5.5, seed=7, batch_size=2,
    sampler="Euler", schedule="Karras", clip_skip=2, emphasis="no norm", guidance_rescale=0.7,
    vae="/models/x.safetensors", rng="gpu", init_image="/pictures/a boat.png", strength=0.4, hires_scale=1.5,
    hires_steps=9, hires_strength=0.35, hires_upscaler="Lanczos", variation_seed=11, variation_strength=0.15,
)  # fmt: skip
MASKED = Recipe(init_image="/pictures/a boat.png", mask_image="input:0123456789abcdef", mask_blur=8)


def test_every_field_has_a_row() -> None:
    fields = {field for row in ROWS for field in row.fields}
    assert fields == set(Recipe.__struct_fields__) - {
        "prompt", "negative_prompt", "sigmas", "earlier_variations",
    }  # fmt: skip


def test_a_recipe_comes_back_whole() -> None:
    base = Recipe(prompt=FULL.prompt, negative_prompt=FULL.negative_prompt)
    assert read_rows(write_rows(FULL), base) == (FULL, {})
    for recipe in (Recipe(), MASKED):
        assert read_rows(write_rows(recipe), Recipe()) == (recipe, {})


def test_what_has_no_effect_is_left_at_rest() -> None:
    texts = write_rows(FULL) | {"init image": "", "hires": "", "variation": ""}
    recipe, faults = read_rows(texts, FULL)
    assert faults == {}
    assert recipe == Recipe(
        prompt=FULL.prompt, negative_prompt=FULL.negative_prompt, width=96, height=64, steps=12, guidance_scale=5.5,
        seed=7, batch_size=2, sampler="Euler", schedule="Karras", clip_skip=2, emphasis="no norm",
        guidance_rescale=0.7, vae=FULL.vae, rng="gpu",
    )  # fmt: skip
    assert [row.name for row in ROWS if not in_effect(row, recipe)] == [
        "strength", "mask", "mask blur", "hires steps", "hires strength", "upscaler", "variation seed",
    ]  # fmt: skip


def test_one_that_hangs_on_another_comes_after_it() -> None:
    for row in ROWS:
        assert not row.parent or ROW_NAMES.index(row.parent) < ROW_NAMES.index(row.name)


def test_only_what_rests_is_folded() -> None:
    seen = [row.name for row in ROWS if in_effect(row, Recipe()) and unfolded(row, Recipe())]
    assert seen == ["model", "size", "steps", "guidance", "sampler", "schedule", "seed", "batch"]
    assert all(unfolded(row, FULL) and in_effect(row, FULL) for row in ROWS if row.name != "mask blur")
    assert in_effect(BY_NAME["mask blur"], MASKED)


@pytest.mark.parametrize("name", [row.name for row in ROWS if row.kind == "typed" and row.name != "size"])
@pytest.mark.parametrize("direction", [1, -1])
def test_steps_keep_within_what_a_recipe_takes(name: str, direction: int) -> None:
    recipe = MASKED if name == "mask blur" else FULL
    for _ in range(60):
        texts = write_rows(recipe) | {name: BY_NAME[name].change(recipe, direction, "")}
        recipe, faults = read_rows(texts, recipe)
        assert name not in faults or "must be" not in faults[name]


def test_a_wrong_text_leaves_the_field_and_asks() -> None:
    recipe, faults = read_rows(write_rows(FULL) | {"strength": "1.2.3", "hires": "9", "seed": ""}, FULL)
    assert (recipe.strength, recipe.seed) == (0.4, 7)
    assert faults == {
        "strength": "Type a strength from 0 to 1, for example 0.75.",
        "seed": "Type a seed, for example 1632.",
        "hires": "Hires scale must be 1 to 8, not 9.",
    }


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("~/x y.png", "{home}/x y.png"), (" /a/b.png ", "/a/b.png"), ("b.png", "{cwd}/b.png"), ("", ""),
        ("input:0123456789abcdef", "input:0123456789abcdef"),
    ],
)  # fmt: skip
def test_paths_are_kept_absolute(
    text: str, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.chdir(tmp_path)
    assert absolute(text) == path.format(home="/home/someone", cwd=tmp_path)


def test_a_vae_may_be_a_name() -> None:
    assert absolute("stabilityai/sd-vae-ft-mse", "weights") == "stabilityai/sd-vae-ft-mse"
    assert absolute("x.safetensors", "weights") == str(Path("x.safetensors").absolute())


@pytest.mark.parametrize("text", ["~nobody-at-all/x", "a\0b", "\udc80.png"])
def test_what_cannot_be_a_path_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (any: a row asks again for all of them)
        absolute(text)


def test_the_home_folder_is_written_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    assert short("/home/someone/x.png") == "~/x.png"
    assert short("/home/someone-else/x.png") == "/home/someone-else/x.png"


def test_names_are_cut_after_a_word() -> None:
    assert shortened("00001-1632-a-boat.png", 21) == "00001-1632-a-boat.png"
    assert shortened("00001-1632-a-boat.png", 20) == "00001-1632-a-boat…"
    assert shortened("00001-1632-a-boat.png", 12) == "00001-1632…"
    assert shortened("sun over a field.png", 18) == "sun over a field…"
    assert shortened("lighthouse", 6) == "light…"
    assert file_name("/a/very/long/way/to/boat.png", 12) == "…/boat.png"
    assert file_name("input:0123456789abcdef", 20) == "kept copy 01234567"
