"""The high-resolution fix: two passes, one stream of steps, every one of them recorded and exact to fork."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from PIL import Image
from torch.nn.functional import interpolate

from sdcore.diffusion.compare import why_apart
from sdcore.diffusion.fork import ENLARGING, ForkError, fork
from sdcore.diffusion.loop import Step, sample
from sdcore.diffusion.model import Model
from sdcore.diffusion.passes import course_for
from sdcore.diffusion.samplers import make_sampler
from sdcore.diffusion.trace import Trace
from sdcore.diffusion.views import ViewRequest, make_view
from sdcore.spec import choices
from sdcore.spec.recipe import Recipe, RecipeError, find_problems
from sdcore.spec.views import AttentionView, LatentsView, SheetView, StepView, TextView

FIRST, SECOND, SMALL, LARGE = 4, 3, (1, 4, 8, 8), (1, 4, 12, 12)


def recipe(**changes: Any) -> Recipe:
    plain = Recipe(
        prompt="a red house", negative_prompt="sea", width=64, height=64, steps=FIRST, seed=3, guidance_scale=3.0,
        sampler="Euler", hires_scale=1.5, hires_steps=SECOND, hires_strength=0.5,
    )  # fmt: skip
    return msgspec.structs.replace(plain, **changes)


@pytest.fixture(scope="module")
def trace(model: Model) -> Trace:
    return Trace.record(model, recipe())


def alone(asked: Recipe) -> Recipe:
    return msgspec.structs.replace(asked, hires_scale=1.0)


def ended(run: Trace) -> torch.Tensor:
    return run[-1].next_latents


@pytest.mark.parametrize("sampler", [choice.name for choice in choices.SAMPLERS])
def test_both_passes_are_one_stream(model: Model, sampler: str) -> None:
    asked = recipe(sampler=sampler)
    steps, course = list(sample(model, asked)), course_for(asked)
    first = len(course_for(alone(asked)).timesteps)
    assert [step.index for step in steps] == list(range(course.total))
    assert {step.total for step in steps} == {course.total}
    assert tuple(step.t for step in steps) == course.timesteps
    assert tuple(step.sigma for step in steps) == course.sigmas[:-1]
    assert {step.latents.shape for step in steps[:first]} == {torch.Size(SMALL)}
    assert {step.latents.shape for step in steps[first:]} == {torch.Size(LARGE)}
    assert all(
        torch.equal(one.next_latents, other.latents) for one, other in pairwise(steps) if other.index != first
    )


def test_the_first_pass_is_the_run_without_the_second(model: Model, trace: Trace) -> None:
    small = Trace.record(model, alone(recipe()))
    assert torch.equal(ended(small), trace[FIRST - 1].next_latents)


def test_the_second_begins_with_the_first_enlarged_and_noised(model: Model, trace: Trace) -> None:
    source = interpolate(trace[FIRST - 1].next_latents, size=(12, 12), mode="bilinear")
    table = make_sampler("Euler", steps=6)
    noise = torch.randn(LARGE, generator=torch.Generator().manual_seed(3))
    assert torch.equal(trace[FIRST].latents, source + table.sigmas[3] * noise)
    assert trace.timesteps[FIRST:] == tuple(table.timesteps[3:])
    assert trace.sigmas[FIRST:] == tuple(table.sigmas[3:])


def test_pixels_are_enlarged_by_lanczos_and_encoded_again(model: Model) -> None:
    run = Trace.record(model, recipe(hires_upscaler="Lanczos"))
    picture = model.decode(run[FIRST - 1].next_latents)[0].resize((96, 96), Image.Resampling.LANCZOS)
    step = run[FIRST]
    noised = model.encode([picture]) + step.sigma * step.start.noise
    torch.testing.assert_close(step.latents, noised)


@pytest.mark.parametrize(
    ("steps", "hires_steps", "strength", "run", "table"),
    [(20, 0, 0.5, 20, 40), (20, 10, 0.5, 10, 20), (20, 7, 0.3, 7, 23), (12, 0, 1.0, 12, 12)],
)
def test_all_steps_of_the_second_pass_are_run(
    steps: int, hires_steps: int, strength: float, run: int, table: int
) -> None:
    """As in A1111: the table is made longer, and begun where the strength says."""
    course = course_for(recipe(steps=steps, hires_steps=hires_steps, hires_strength=strength))
    second = course.parts[1]
    assert (len(second.sampler.timesteps), second.recipe.steps) == (run, run)
    assert second.sampler.timesteps == make_sampler("Euler", steps=table).timesteps[table - run :]


def test_custom_sigmas_are_the_table_of_both_passes() -> None:
    sigmas = (14.0, 7.0, 3.0, 1.0)
    course = course_for(recipe(schedule="custom", sigmas=sigmas, hires_strength=0.5))
    assert course.sigmas == pytest.approx((*sigmas, 3.0, 1.0, 0.0))


@pytest.mark.parametrize(
    ("family", "scale", "size"), [("SD1", 1.3, (80, 128)), ("Flux", 1.3, (80, 128)), ("SD3", 1.5, (96, 144))]
)
def test_the_final_size_is_a_multiple_of_the_familys(
    family: str, scale: float, size: tuple[int, int]
) -> None:
    noise = {"shift": 3.0} if family != "SD1" else {}
    part = course_for(recipe(width=64, height=96, hires_scale=scale), noise, family).parts[1]
    assert (part.recipe.width, part.recipe.height) == size


@pytest.mark.parametrize("sampler", ["LMS", "Euler a", "Heun", "DPM++ SDE", "PLMS", "UniPC"])
@pytest.mark.parametrize("upscaler", ["latent", "Lanczos"])
def test_a_fork_from_every_step_of_both_passes_is_exact(
    model: Model, tmp_path: Path, sampler: str, upscaler: str
) -> None:
    whole = Trace.record(model, recipe(sampler=sampler, hires_upscaler=upscaler, batch_size=2))
    read = Trace.load(whole.save(tmp_path / "run.safetensors"))
    for step in range(len(whole) - 1):
        again = fork(read, step, model=model)
        assert len(again) == len(whole)
        assert torch.equal(ended(again), ended(whole))


def test_a_trace_of_two_passes_read_back_is_the_same(trace: Trace, tmp_path: Path) -> None:
    forked = fork(trace, 5, prompt="a blue house")
    for original in (trace, forked):
        read = Trace.load(original.save(tmp_path / "run.safetensors"))
        assert (read.timesteps, read.sigmas) == (original.timesteps, original.sigmas)
        for one, other in zip(read, original, strict=True):
            assert torch.equal(one.latents, other.latents)
            assert torch.equal(one.next_latents, other.next_latents)
            assert torch.equal(one.noise_pred, other.noise_pred)
            assert torch.equal(one.start.noise, other.start.noise)


def test_a_run_stopped_in_its_first_pass_is_kept_and_goes_on(
    model: Model, trace: Trace, tmp_path: Path
) -> None:
    part = Trace(trace.segments, trace.training_noise, trace.preview_factors, trace.checksum, trace.family)
    for step in trace[:2]:
        part.append(step)
    read = Trace.load(part.save(tmp_path / "run.safetensors"))
    assert (len(read), read.total) == (2, FIRST + SECOND)
    assert torch.equal(ended(fork(read, 1, model=model)), ended(trace))


def test_a_fork_in_the_first_pass_runs_the_second_again(trace: Trace) -> None:
    forked = fork(trace, 1, prompt="a blue boat")
    assert len(forked) == len(trace)
    assert not torch.equal(forked[FIRST].latents, trace[FIRST].latents)


def test_a_fork_between_the_passes_changes_the_second_alone(trace: Trace) -> None:
    forked = fork(trace, FIRST - 1, prompt="a blue boat", seed=9)
    assert torch.equal(forked[FIRST - 1].next_latents, trace[FIRST - 1].next_latents)
    noise = torch.randn(LARGE, generator=torch.Generator().manual_seed(9))
    assert torch.equal(forked[FIRST].start.noise, noise)
    assert torch.equal(ended(fork(forked, FIRST + 1)), ended(forked))


def test_a_fork_in_the_second_pass_shares_all_before_it(trace: Trace) -> None:
    forked = fork(trace, FIRST, prompt="a blue boat", seed=9)
    assert torch.equal(forked[FIRST].start.noise, trace[FIRST].start.noise)
    assert torch.equal(forked[FIRST + 1].latents, trace[FIRST + 1].latents)
    assert not torch.equal(ended(forked), ended(trace))
    assert torch.equal(ended(fork(forked, FIRST + 1)), ended(forked))


def test_another_sampler_may_paint_the_second_pass(model: Model, trace: Trace, tmp_path: Path) -> None:
    forked = fork(trace, FIRST - 1, sampler="DPM++ 2M", schedule="exponential")
    assert torch.equal(forked[FIRST - 1].next_latents, trace[FIRST - 1].next_latents)
    assert forked.sigmas[:FIRST] == trace.sigmas[:FIRST]
    read = Trace.load(forked.save(tmp_path / "run.safetensors"))
    assert torch.equal(ended(fork(read, FIRST + 1, model=model)), ended(forked))
    with pytest.raises(ForkError, match="would be at sigma"):
        fork(trace, FIRST, sampler="DPM++ 2M", schedule="exponential")


def test_a_run_is_given_a_second_pass_after_its_end(model: Model, trace: Trace, tmp_path: Path) -> None:
    small = Trace.record(model, alone(recipe()))
    enlarging = {name: getattr(recipe(), name) for name in ENLARGING}
    forked = fork(small, FIRST - 1, **enlarging)
    assert [segment.start for segment in forked.segments] == [0, FIRST]
    assert (forked.timesteps, forked.sigmas[FIRST:]) == (trace.timesteps, trace.sigmas[FIRST:])
    assert torch.equal(ended(forked), ended(trace))
    read = Trace.load(forked.save(tmp_path / "run.safetensors"))
    assert torch.equal(ended(fork(read, FIRST, model=model)), ended(trace))


def test_the_second_pass_may_be_asked_for_otherwise_until_it_begins(trace: Trace) -> None:
    forked = fork(trace, 1, hires_strength=0.8, hires_steps=2)
    assert len(forked) == FIRST + 2
    assert torch.equal(forked[FIRST - 1].next_latents, trace[FIRST - 1].next_latents)
    assert len(fork(trace, 1, hires_scale=1.0)) == FIRST
    with pytest.raises(ForkError, match="cannot change hires_strength"):
        fork(trace, FIRST, hires_strength=0.8)
    with pytest.raises(ForkError, match="is the last one"):
        fork(trace, FIRST - 1, hires_scale=1.0)


def test_every_view_of_both_passes(model: Model, trace: Trace) -> None:
    for step, side in ((0, 8), (FIRST, 12), (FIRST + SECOND - 1, 12)):
        ask = ViewRequest(trace, model, step, position=1)
        latents, pixels = make_view("latents", ask), make_view("step", ask)
        text, heat = make_view("text", ask), make_view("attention", ask)
        assert isinstance(latents, LatentsView)
        assert isinstance(pixels, StepView)
        assert isinstance(text, TextView)
        assert isinstance(heat, AttentionView)
        assert latents.latent_shape == (4, side, side)
        assert latents.pixel_shape == (3, 8 * side, 8 * side)
        assert pixels.denoised.width == heat.heat.width == side
        assert ("latents", (1, 4, side, side)) in text.shapes
    whole = make_view("attention", ViewRequest(trace, model, position=1, whole_run=True))
    sheet = make_view("sheet", ViewRequest(trace))
    assert isinstance(whole, AttentionView)
    assert isinstance(sheet, SheetView)
    assert whole.heat.width == 12
    assert len(sheet.steps) == FIRST + SECOND
    info = trace.info("run")
    assert (len(info.timesteps), len(info.sigmas), info.recorded) == (7, 8, 7)


def test_the_second_pass_reads_a_schedule_over_its_own_steps(model: Model) -> None:
    plain, changing = (
        Trace.record(model, recipe(prompt=prompt)) for prompt in ("a house", "a [house:boat:0.99]")
    )
    assert torch.equal(ended(plain), ended(plain))
    assert torch.equal(plain[FIRST - 2].noise_pred_text, changing[FIRST - 2].noise_pred_text)


def test_runs_with_other_second_passes_are_apart(model: Model, trace: Trace) -> None:
    assert why_apart(trace, trace) == ""
    assert "different strengths" in why_apart(trace, Trace.record(model, alone(recipe())))


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        ({"hires_strength": 0.0}, "hires_strength", "Hires strength must be 0.05 to 1"),
        ({"hires_scale": 9.0}, "hires_scale", "Hires scale must be 1 to 8"),
        ({"hires_scale": 8.0, "width": 2048}, "hires_scale", "is more than 8192"),
        ({"hires_scale": 0.5}, "hires_scale", "Hires scale must be 1 to 8"),
        ({"hires_upscaler": "magic"}, "hires_upscaler", "There is no hires upscaler"),
        ({"init_image": "a.png", "mask_image": "b.png"}, "hires_scale", "cannot be enlarged in the same run"),
    ],
)
def test_what_cannot_be_enlarged_is_said(changes: dict[str, Any], field: str, says: str) -> None:
    problems = find_problems(recipe(**changes))
    assert [problem.field for problem in problems] == [field]
    assert says in problems[0].message


def test_a_table_longer_than_the_sampler_has_timesteps_is_said() -> None:
    with pytest.raises(RecipeError, match="The second pass cannot run 60 steps"):
        course_for(recipe(sampler="DDIM", hires_steps=60, hires_strength=0.05))


def test_an_image_to_image_run_is_enlarged_too(model: Model, tmp_path: Path) -> None:
    Image.effect_noise((64, 64), 60).convert("RGB").save(tmp_path / "picture.png")
    asked = recipe(init_image=str(tmp_path / "picture.png"), strength=0.5)
    steps: list[Step] = list(sample(model, asked))
    assert len(steps) == 2 + SECOND
    assert steps[-1].next_latents.shape == torch.Size(LARGE)
