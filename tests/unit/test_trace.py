"""Recorded runs: what they hold is what the loop yielded, and the way on from any step is exact."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
import torch
from safetensors.torch import load_file, save_file

from sdcore.diffusion.checksum import Checksum
from sdcore.diffusion.fork import ForkError, fork, start_fork
from sdcore.diffusion.loop import Step, sample
from sdcore.diffusion.model import Model
from sdcore.diffusion.samplers import make_sampler
from sdcore.diffusion.trace import Trace
from sdcore.diffusion.trace_file import TraceError
from sdcore.spec import choices
from sdcore.spec.recipe import Recipe, RecipeError

TENSORS = ("latents", "noise_pred_text", "noise_pred_uncond", "noise_pred", "denoised", "next_latents")
NOISY = ("Euler a", "DPM2 a", "DPM++ 2M SDE", "DPM++ SDE", "DDPM", "LCM", "TCD")


def recipe(**changes: object) -> Recipe:
    plain = Recipe(prompt="a red house", negative_prompt="sea", width=64, height=64, steps=6, seed=3)
    return msgspec.structs.replace(plain, **changes)


@pytest.fixture(scope="module")
def trace(model: Model) -> Trace:
    return Trace.record(model, recipe())


def same(first: Step, second: Step) -> bool:
    pairs = [(getattr(first, name), getattr(second, name)) for name in TENSORS]
    return all(a is b is None or torch.equal(a, b) for a, b in pairs) and (
        (first.index, first.total, first.t, first.sigma)
        == (second.index, second.total, second.t, second.sigma)
    )


@pytest.mark.parametrize("guidance", [7.5, 1.0])
def test_a_trace_holds_what_the_loop_yielded(model: Model, guidance: float) -> None:
    asked = recipe(guidance_scale=guidance, sampler="Heun", batch_size=2)
    seen: list[Step] = []
    recorded = Trace.record(model, asked, watch=seen.append)
    assert len(recorded) == recorded.total == len(seen) == 11
    assert all(same(recorded[step.index], step) for step in sample(model, asked))
    assert [step.seconds for step in recorded] == [step.seconds for step in seen]
    assert same(recorded[-1], seen[-1])
    with pytest.raises(IndexError, match="11 forward passes"):
        recorded[11]


def test_a_trace_knows_the_schedule_and_the_noise_it_began_with(trace: Trace) -> None:
    plan = make_sampler("LMS", steps=6)
    assert trace.timesteps == tuple(plan.timesteps)
    assert trace.sigmas == tuple(plan.sigmas)
    noise = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(3))
    assert torch.equal(trace.initial_noise, noise)
    assert torch.equal(trace[0].latents, noise * trace.init_noise_sigma)


@pytest.mark.parametrize("sampler", [choice.name for choice in choices.SAMPLERS])
def test_a_fork_with_nothing_changed_is_the_same_run_also_from_disk(
    model: Model, tmp_path: Path, sampler: str
) -> None:
    whole = Trace.record(model, recipe(sampler=sampler, batch_size=2))
    read = Trace.load(whole.save(tmp_path / "run.safetensors"))
    for step in range(len(whole) - 1):
        for source in (whole, read):
            again = fork(source, step, model=model)
            assert len(again) == len(whole)
            assert again.segments == whole.segments
            assert again.exact
            assert all(same(one, other) for one, other in zip(again, whole, strict=True))


def test_a_trace_read_back_is_the_same(trace: Trace, model: Model, tmp_path: Path) -> None:
    forked = fork(fork(trace, 2, prompt="a blue house"), 3, seed=9, guidance_scale=1.0)
    for original in (trace, forked):
        path = original.save(tmp_path / "run.trace.safetensors")
        assert path.stat().st_mode & 0o777 == 0o600
        read = Trace.load(path)
        assert read.segments == original.segments
        assert read.parent == original.parent
        assert (read.model_hash, read.family) == (model.model_hash, model.family)
        assert [step.seconds for step in read] == [step.seconds for step in original]
        assert all(same(one, other) for one, other in zip(read, original, strict=True))


def test_a_trace_whose_recipe_says_a_name_in_another_way_is_forked(
    trace: Trace, model: Model, tmp_path: Path
) -> None:
    path = trace.save(tmp_path / "run.trace.safetensors")
    asked = msgspec.to_builtins(msgspec.structs.replace(trace.recipe, rng="CPU"))
    damaged(path, segments=[{"start": 0, "recipe": asked}])
    read = Trace.load(path, model)
    assert read.recipe == trace.recipe
    assert all(same(one, other) for one, other in zip(fork(read, 2), trace, strict=True))


def test_a_fork_shares_its_past_and_follows_its_own_recipe(trace: Trace) -> None:
    forked = fork(trace, 2, prompt="a blue boat", guidance_scale=3.0)
    assert all(same(forked[k], trace[k]) for k in range(2))
    assert torch.equal(forked[3].latents, trace[3].latents)
    assert not torch.equal(forked[3].noise_pred_text, trace[3].noise_pred_text)
    assert torch.equal(
        forked[4].noise_pred,
        forked[4].noise_pred_uncond + 3.0 * (forked[4].noise_pred_text - forked[4].noise_pred_uncond),
    )
    assert forked.recipe == recipe(prompt="a blue boat", guidance_scale=3.0)
    assert [segment.start for segment in forked.segments] == [0, 3]
    assert forked.parent is not None
    assert forked.parent.step == 2
    assert forked.exact


def test_a_fork_of_a_fork_is_exact_and_one_before_it_leaves_it_out(trace: Trace) -> None:
    first = fork(trace, 1, prompt="a blue boat")
    second = fork(first, 3, negative_prompt="", guidance_scale=2.0)
    assert [segment.start for segment in second.segments] == [0, 2, 4]
    assert all(same(a, b) for a, b in zip(fork(second, 4), second, strict=True))
    back = fork(second, 0, prompt=trace.recipe.prompt, negative_prompt="sea", guidance_scale=7.5)
    assert [segment.start for segment in back.segments] == [0]
    assert all(same(a, b) for a, b in zip(back, trace, strict=True))


@pytest.mark.parametrize("sampler", NOISY)
def test_another_seed_changes_the_noise_that_is_still_to_be_drawn(
    model: Model, tmp_path: Path, sampler: str
) -> None:
    whole = Trace.record(model, recipe(sampler=sampler))
    forked = fork(whole, 2, seed=4)
    assert torch.equal(forked[3].latents, whole[3].latents)
    assert torch.equal(forked[3].noise_pred, whole[3].noise_pred)
    assert not torch.equal(forked[4].latents, whole[4].latents)
    read = Trace.load(forked.save(tmp_path / "run.safetensors"))
    assert all(same(a, b) for a, b in zip(fork(read, 4, model=model), forked, strict=True))


def test_another_seed_changes_nothing_where_no_noise_is_drawn(trace: Trace) -> None:
    assert torch.equal(fork(trace, 2, seed=99)[-1].next_latents, trace[-1].next_latents)


@pytest.mark.parametrize(("before", "after"), [("Euler", "LMS"), ("LMS", "UniPC"), ("DPM++ 2M", "Euler")])
def test_another_sampler_takes_over_at_the_same_noise_level(
    model: Model, tmp_path: Path, before: str, after: str
) -> None:
    whole = Trace.record(model, recipe(sampler=before, schedule="Karras"))
    forked = fork(whole, 2, sampler=after)
    assert not forked.exact
    assert len(forked) == forked.total == whole.total
    # x0 is the same share of the latents for both, and so is the estimate of it
    own = make_sampler(after, "Karras", 6)
    scale = own.alphas[3] / whole.alphas[3]
    torch.testing.assert_close(forked[3].latents, whole[3].latents * scale)
    began = make_sampler(before, "Karras", 6)
    for sampler in (own, began):
        sampler.begin_at(3)
    torch.testing.assert_close(
        own.scale_model_input(forked[3].latents, 3),
        began.scale_model_input(whole[3].latents, 3),
        rtol=1e-4,
        atol=1e-4,
    )
    read = Trace.load(forked.save(tmp_path / "run.safetensors"))
    assert all(same(a, b) for a, b in zip(fork(read, 4, model=model), forked, strict=True))
    undone = fork(read, 2, model=model, sampler=before)
    assert undone.exact
    assert all(same(a, b) for a, b in zip(undone, whole, strict=True))


@pytest.mark.parametrize(
    ("step", "changes", "sentence"),
    [
        (5, {"prompt": "x"}, "Step 5 is the last one"),
        (6, {}, "no step 6"),
        (2, {"steps": 9}, "cannot change steps"),
        (2, {"sampler": "Heun"}, "Heun cannot take over from LMS"),
        (2, {"schedule": "exponential"}, "would be at sigma"),
    ],
)
def test_what_cannot_be_forked_is_refused_in_a_sentence(
    trace: Trace, step: int, changes: dict[str, object], sentence: str
) -> None:
    with pytest.raises(ForkError, match=sentence):
        fork(trace, step, **changes)


def test_a_fork_wants_the_model_that_made_the_run(trace: Trace, model: Model, tmp_path: Path) -> None:
    read = Trace.load(trace.save(tmp_path / "run.safetensors"))
    with pytest.raises(ForkError, match="with which model"):
        fork(read, 2)
    read.checksum = Checksum(known="0123456789")
    with pytest.raises(ForkError, match="other weights"):
        fork(read, 2, model=model)
    with pytest.raises(RecipeError):
        fork(trace, 2, sampler="nonsense")


def test_latents_that_do_not_follow_from_one_another_are_not_continued(model: Model) -> None:
    changed = Trace.record(model, recipe())
    latents = changed.passes[0].latents
    latents[2] = latents[2] + 1e-6
    with pytest.raises(TraceError, match="Step 1 of this trace does not repeat"):
        fork(changed, 3)


def test_a_run_that_was_left_can_be_forked_where_it_got_to(model: Model, trace: Trace) -> None:
    part = Trace(trace.segments, trace.training_noise, trace.preview_factors, trace.checksum, trace.family)
    for step in trace[:3]:
        part.append(step)
    assert (len(part), part.total) == (3, 6)
    new, steps = start_fork(model, part, 2, part.recipe)
    assert [step.index for step in steps] == [3, 4, 5]
    assert torch.equal(new[-1].next_latents, trace[-1].next_latents)


def damaged(path: Path, **changes: object) -> None:
    tensors = load_file(path)
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(json.loads(file.read(size))["__metadata__"]["sdtui_trace"])
    for name, value in changes.items():
        if isinstance(value, torch.Tensor):
            tensors[name] = value
        else:
            header[name] = value
    save_file(tensors, path, {"sdtui_trace": json.dumps(header)})


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 99},
        {"unknown": 1},
        {"segments": []},
        {"guided": [True]},
        {"preview_factors": {"factors": [[1, 0, 0]]}},
        {"seconds": [0.1]},
        {"training_noise": {"beta_schedule": "foo"}},
        {"latents": torch.zeros(2, 1, 4, 8, 8)},
        {"denoised": torch.zeros(6, 1, 4, 8, 9)},
        {"noise_pred_text": torch.zeros(6, 1, 4, 8, 8, dtype=torch.int64)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_damaged_trace_is_refused_in_a_sentence(
    trace: Trace, tmp_path: Path, changes: dict[str, object]
) -> None:
    path = trace.save(tmp_path / "run.safetensors")
    damaged(path, **changes)
    with pytest.raises(TraceError, match=r"run\.safetensors is damaged or is no trace"):
        Trace.load(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"drawn": [0]},
        {"drawn": []},
        {"channels_last": []},
        {"noise": torch.zeros(1, 4, 8, 9)},
        {"mask": torch.zeros(1, 4, 8, 8)},
        {"segments": [{"start": 0, "recipe": {"width": 64, "height": 64, "steps": 3}}]},
    ],
    ids=str,
)
def test_a_beginning_that_does_not_fit_is_refused_in_a_sentence(
    trace: Trace, tmp_path: Path, changes: dict[str, object]
) -> None:
    path = trace.save(tmp_path / "run.safetensors")
    damaged(path, **changes)
    with pytest.raises(TraceError, match=r"run\.safetensors is damaged or is no trace"):
        Trace.load(path)


def test_a_trace_of_the_first_version_is_read(trace: Trace, model: Model, tmp_path: Path) -> None:
    path = trace.save(tmp_path / "run.safetensors")
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(json.loads(file.read(size))["__metadata__"]["sdtui_trace"])
    old = {name: value for name, value in header.items() if name not in ("drawn", "channels_last")}
    tensors = {name: tensor for name, tensor in load_file(path).items() if name != "noise"}
    save_file(tensors, path, {"sdtui_trace": json.dumps(old | {"version": 1})})
    read = Trace.load(path)
    assert torch.equal(read.initial_noise, trace.initial_noise)
    assert torch.equal(fork(read, 2, model=model)[-1].next_latents, trace[-1].next_latents)


def test_what_is_no_trace_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="no trace at"):
        Trace.load(tmp_path / "nothing")
    (tmp_path / "text").write_bytes(b"not a trace at all")
    with pytest.raises(TraceError, match="damaged"):
        Trace.load(tmp_path / "text")
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(TraceError, match="damaged"):
        Trace.load(tmp_path / "other.safetensors")
    with pytest.raises(TraceError):
        Trace.load(tmp_path)
