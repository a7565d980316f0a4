"""A VAE of one's own: every form that it comes in, and those that do not fit."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from sdcore.diffusion.model import ModelError
from sdcore.opening import open_model, with_vae
from sdcore.spec import infotext
from sdcore.spec.recipe import Recipe
from tests.models import make_single_file


@pytest.fixture
def softer(sd1_folder: Path, tmp_path: Path) -> Path:
    """Another VAE for the models of `sd1_folder`, in a folder of its own."""
    folder = Path(shutil.copytree(sd1_folder / "vae", tmp_path / "softer"))
    path = folder / "diffusion_pytorch_model.safetensors"
    tensors = load_file(path)
    tensors["decoder.conv_out.bias"] += 0.1
    save_file(tensors, path)
    return folder


def test_a_vae_of_ones_own_in_every_form(sd1_folder: Path, softer: Path, tmp_path: Path) -> None:
    whole = Path(shutil.copytree(sd1_folder, tmp_path / "whole"))
    shutil.rmtree(whole / "vae")
    shutil.copytree(softer, whole / "vae")
    alone = tmp_path / "alone.safetensors"
    kept = load_file(make_single_file(whole))
    prefix = "first_stage_model."
    save_file({name.removeprefix(prefix): kept[name] for name in kept if name.startswith(prefix)}, alone)
    (tmp_path / "alone" / "vae").mkdir(parents=True)
    shutil.copy(softer / "config.json", tmp_path / "alone" / "vae")
    latents = torch.randn(1, 4, 8, 8)
    usual = open_model(sd1_folder, device="cpu")
    wanted = open_model(whole, device="cpu").decode(latents)[0].tobytes()
    assert usual.decode(latents)[0].tobytes() != wanted
    for vae in (softer, whole, whole.with_name("whole.safetensors"), alone):
        assert open_model(sd1_folder, device="cpu", vae=vae).decode(latents)[0].tobytes() == wanted
        assert with_vae(usual, sd1_folder, vae).decode(latents)[0].tobytes() == wanted
    changed = with_vae(usual, sd1_folder, softer)
    assert changed.network is usual.network
    weights = (softer / "diffusion_pytorch_model.safetensors").read_bytes()
    ten = hashlib.sha256(weights).hexdigest()[:10]
    assert changed.vae_hash == open_model(sd1_folder, device="cpu", vae=softer).vae_hash == ten
    assert open_model(sd1_folder, device="cpu", vae=alone).vae_hash not in ("", ten)
    back = with_vae(changed, sd1_folder, "")
    assert usual.vae_hash == back.vae_hash == ""
    assert back.decode(latents)[0].tobytes() == usual.decode(latents)[0].tobytes()


def test_a_vae_of_a_known_folder_goes_by_its_name(sd1_folder: Path, softer: Path, private_home: Path) -> None:
    known = private_home / "models"
    known.mkdir(parents=True)
    save_file(load_file(softer / "diffusion_pytorch_model.safetensors"), known / "Soft.safetensors")
    (known / "Soft" / "vae").mkdir(parents=True)
    shutil.copy(softer / "config.json", known / "Soft" / "vae")
    latents = torch.randn(1, 4, 8, 8)
    first = open_model(sd1_folder, device="cpu", vae="soft").decode(latents)[0]
    assert first.tobytes() == open_model(sd1_folder, device="cpu", vae=softer).decode(latents)[0].tobytes()
    with pytest.raises(ModelError, match="There is no VAE 'sof': there are Soft"):
        open_model(sd1_folder, device="cpu", vae="sof")


def test_a_vae_of_a_model_goes_by_the_models_name(sd1_folder: Path, softer: Path, private_home: Path) -> None:
    known = Path(shutil.copytree(sd1_folder, private_home / "models" / "Whole"))
    shutil.rmtree(known / "vae")
    shutil.copytree(softer, known / "vae")
    latents = torch.randn(1, 4, 8, 8)
    wanted = open_model(sd1_folder, device="cpu", vae=softer).decode(latents)[0].tobytes()
    text = infotext.write(Recipe(vae=str(known / "vae")))
    facts = infotext.read(text)
    assert facts is not None
    for name in ("whole", facts.vae):
        assert open_model(sd1_folder, device="cpu", vae=name).decode(latents)[0].tobytes() == wanted


def test_a_vae_for_other_models_is_refused(sd1_folder: Path, tmp_path: Path) -> None:
    from tests.models.parts import vae

    folder = tmp_path / "sixteen"
    vae(latent_channels=16).save_pretrained(folder)
    with pytest.raises(
        ModelError, match="makes 16 latent channels, and SD1 models have 4: choose a VAE for SD1"
    ):
        open_model(sd1_folder, device="cpu", vae=folder)
    save_file({"a": torch.zeros(1)}, tmp_path / "a.safetensors")
    with pytest.raises(ModelError, match="holds no VAE"):
        open_model(sd1_folder, device="cpu", vae=tmp_path / "a.safetensors")
