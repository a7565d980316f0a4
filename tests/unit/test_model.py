"""Opening a model: what is refused and how it is said; latents <-> images; previews; grids."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from sdcore.diffusion import preview, vae
from sdcore.diffusion.images import image_grid, to_images, to_pixels
from sdcore.diffusion.model import Model, ModelError
from sdcore.diffusion.preview import PreviewFactors
from sdcore.opening import open_model


@pytest.fixture
def copied(sd1_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sd1_folder, tmp_path / "model"))


def test_a_model_says_what_it_is(model: Model) -> None:
    assert (model.name.startswith("random-sd1"), model.family, model.native_size, model.downscale) == (
        True,
        "SD1",
        64,
        8,
    )
    assert model.latent_shape(72, 64) == (4, 8, 9)
    assert len(model.model_hash) == 10
    assert model.parameters > 10_000


def test_loading_reports_each_part_once_and_in_order(sd1_folder: Path) -> None:
    heard: list[tuple[str, float]] = []
    open_model(sd1_folder, device="cpu", progress=lambda stage, fraction: heard.append((stage, fraction)))
    stages, fractions = zip(*heard, strict=True)
    assert stages[-1] == "ready"
    assert len(set(stages)) == len(stages)
    assert list(fractions) == sorted(fractions)


def test_code_in_a_folder_is_refused(copied: Path) -> None:
    (copied / "unet" / "custom.py").write_text("raise SystemExit('ran')")
    with pytest.raises(ModelError, match="Python code"):
        open_model(copied)


def test_an_unknown_class_is_refused(copied: Path) -> None:
    index = copied / "model_index.json"
    parts = json.loads(index.read_text())
    parts["unet"] = ["os", "system"]
    index.write_text(json.dumps(parts))
    with pytest.raises(ModelError, match="'system'"):
        open_model(copied)


def test_a_pickle_is_not_read(copied: Path) -> None:
    weights = copied / "unet" / "diffusion_pytorch_model.safetensors"
    torch.save({}, weights.with_suffix(".bin"))
    weights.unlink()
    with pytest.raises(ModelError, match="is a pickle"):
        open_model(copied)


def test_truncated_weights_are_a_sentence(copied: Path) -> None:
    weights = copied / "vae" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ModelError, match="cut off"):
        open_model(copied)


@pytest.mark.parametrize("ref", ["/nowhere/at/all", "."])
def test_no_model_is_a_sentence(ref: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=r"There is no model|is no diffusers model"):
        open_model(ref)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"beta_start": "x"}, r'beta_start = "x", which must be a number between 0 and 1\.'),
        ({"beta_end": 1.0}, "a number between 0 and 1"),
        ({"beta_schedule": "foo"}, '"linear", "scaled_linear" or "squaredcos_cap_v2"'),
        (
            {"prediction_type": "sample"},
            'prediction_type = "sample", which must be "epsilon" or "v_prediction"',
        ),
        ({"prediction_type": ["epsilon"]}, "prediction_type"),
        ({"num_train_timesteps": True}, "a whole number from 1 to 100000"),
        ({"num_train_timesteps": 10**13}, "a whole number from 1 to 100000"),
        ({"trained_betas": [0.1, 0.2]}, "2 trained_betas for 1,000 timesteps"),
        ({"trained_betas": [0.5, "\x1b[31m"]}, "numbers between 0 and 1"),
        ({"rescale_betas_zero_snr": "no"}, "true or false"),
        ({"beta_start": 0.9, "beta_end": 0.99}, "no signal"),
    ],
    ids=str,
)
def test_training_noise_that_cannot_be_is_a_sentence_before_another_model_goes(
    copied: Path, said: dict[str, object], why: str
) -> None:
    path = copied / "scheduler" / "scheduler_config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | said))
    heard: list[str] = []
    with pytest.raises(ModelError, match=why) as caught:
        open_model(copied, device="cpu", checked=lambda: heard.append("checked"))
    assert heard == []
    assert "\x1b" not in str(caught.value)
    assert str(caught.value).startswith("model cannot be loaded: The ")


@pytest.mark.parametrize("device", ["cuda:99", "gpu", "cuda:x", "cpu:1"])
def test_a_device_that_is_not_there_is_a_sentence(sd1_folder: Path, device: str) -> None:
    with pytest.raises(ModelError, match=r"device|cannot be used"):
        open_model(sd1_folder, device=device)


def test_images_survive_the_way_to_pixels_and_back() -> None:
    image = Image.effect_noise((24, 16), 80).convert("RGB")
    pixels = to_pixels([image])
    assert pixels.shape == (1, 3, 16, 24)
    assert (pixels.min() >= -1, pixels.max() <= 1) == (True, True)
    assert to_images(pixels)[0].tobytes() == image.tobytes()


def test_decode_and_encode_equal_the_vae_itself(model: Model) -> None:
    image = Image.effect_noise((64, 64), 80).convert("RGB")
    latents = model.encode([image, image])
    with torch.inference_mode():
        direct = (
            model.vae.encode(to_pixels([image, image])).latent_dist.mode() * model.vae.config.scaling_factor
        )
        pixels = model.vae.decode(direct / model.vae.config.scaling_factor).sample
    assert torch.equal(latents, direct)
    assert model.decode(latents)[1].tobytes() == to_images(pixels)[1].tobytes()


def test_an_overflowing_half_precision_decode_is_made_again_in_float32(model: Model) -> None:
    half = open_model_in(model, torch.bfloat16)
    latents = torch.zeros(1, 4, 8, 8)
    conv_out = half.decoder.conv_out
    original = conv_out.forward
    calls: list[torch.dtype] = []

    def overflowing(x: torch.Tensor) -> torch.Tensor:
        calls.append(x.dtype)
        return original(x) * (float("inf") if x.dtype != torch.float32 else 1.0)

    conv_out.forward = overflowing
    assert torch.isfinite(vae.decode(half, latents.to(torch.bfloat16))).all()
    assert calls == [torch.bfloat16, torch.float32]
    assert half.dtype == torch.bfloat16


def open_model_in(model: Model, dtype: torch.dtype) -> torch.nn.Module:
    import copy

    return copy.deepcopy(model.vae).to(dtype)


def test_latents_that_are_not_finite_are_an_error_not_a_black_image(model: Model) -> None:
    with pytest.raises(vae.NotFiniteError, match="not finite"):
        model.decode(torch.full((1, 4, 8, 8), float("nan")))


def test_preview_factors_are_found_by_least_squares() -> None:
    torch.manual_seed(0)
    factors, bias = torch.randn(4, 3) * 0.2, torch.tensor([0.1, -0.2, 0.05])
    latents = torch.randn(3, 4, 8, 8).clamp(-1, 1)
    pixels = (latents.permute(0, 2, 3, 1) @ factors + bias).permute(0, 3, 1, 2).clamp(-1, 1)
    kept = ((latents.permute(0, 2, 3, 1) @ factors + bias).abs().amax() < 1).item()
    fitted = preview.fit([(latents, pixels.repeat_interleave(8, -1).repeat_interleave(8, -2))])
    tolerance = 1e-3 if kept else 0.1
    torch.testing.assert_close(torch.tensor(fitted.factors), factors, atol=tolerance, rtol=0)
    torch.testing.assert_close(torch.tensor(fitted.bias), bias, atol=tolerance, rtol=0)


def test_a_preview_is_bytes_at_an_eighth_of_the_size(model: Model) -> None:
    rgb = model.preview(torch.randn(2, 4, 8, 9))
    assert (rgb.shape, str(rgb.dtype)) == ((2, 8, 9, 3), "uint8")
    black = PreviewFactors(((0.0, 0.0, 0.0),) * 4, (-1.0, -1.0, -1.0)).rgb(torch.zeros(1, 4, 2, 2))
    assert black.max() == 0


def test_factors_kept_beside_a_model_are_used(copied: Path) -> None:
    (copied / preview.PREVIEW_FILE).write_text(
        '{"factors": [[1,0,0],[0,1,0],[0,0,1],[0,0,0]], "bias": [0,0,0]}'
    )
    assert open_model(copied).preview_factors.factors[0] == (1.0, 0.0, 0.0)
    (copied / preview.PREVIEW_FILE).write_text("not json")
    assert open_model(copied).preview_factors.factors[0] == (0.3512, 0.2297, 0.3227)


def test_a_grid_is_as_square_as_it_goes() -> None:
    colours = ["red", "lime", "blue", "white", "black"]
    sheet = image_grid([Image.new("RGB", (8, 6), colour) for colour in colours], gap=2)
    assert sheet.size == (3 * 10 - 2, 2 * 8 - 2)
    assert sheet.getpixel((11, 1)) == (0, 255, 0)
    assert sheet.getpixel((1, 9)) == (255, 255, 255)
    assert sheet.getpixel((11, 9)) == (0, 0, 0)
    with pytest.raises(ValueError, match="at least one"):
        image_grid([])


def test_tokens_are_padded_to_77_and_more_go_to_the_next_77(model: Model) -> None:
    short = model.text_encoder.tokenize("ab")
    assert short.ids.shape == (1, 77)
    assert int(short.attention_mask.sum()) == 3
    assert model.text_encoder.encode("ab").shape == (1, 77, 32)
    long = model.text_encoder.tokenize("x " * 75 + "ab")
    assert long.attention_mask.sum(dim=1).tolist() == [77, 3]
    assert torch.equal(long.ids[1], short.ids[0])
    assert model.text_encoder.encode("x " * 75 + "ab").shape == (1, 154, 32)
