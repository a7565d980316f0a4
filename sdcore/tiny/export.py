"""Writing a training's averaged weights as a model folder in the official layout, in float16."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import msgspec
import numpy as np
import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline

from sdcore.diffusion.preview import PREVIEW_FILE, PreviewFactors, fit
from sdcore.tiny.architecture import new_scheduler
from sdcore.tiny.dataset import saved_tokenizer, to_tensor, training_scene
from sdcore.tiny.drawing import render
from sdcore.tiny.train_decoder import refined_vae
from sdcore.tiny.train_diffusion import Denoiser
from sdcore.tiny.train_text import fresh_text_encoder
from sdcore.tiny.training import load_checkpoint

FILE_MODE = 0o644
PREVIEW_SCENES = 96


def export(work: Path, output: Path) -> Path:
    """Write the model of the checkpoints in `work` to the folder `output`, and return it.

    Each file appears whole or not at all. Raises `FileNotFoundError` where a training has left nothing yet.
    """
    tokenizer = saved_tokenizer(work)
    denoiser = Denoiser(fresh_text_encoder(tokenizer))
    state = load_checkpoint(work / "diffusion.pt")
    denoiser.load_state_dict({**state["module"], **state["ema"]})
    pipeline = StableDiffusionPipeline(
        vae=refined_vae(work),
        text_encoder=denoiser.text_encoder,
        tokenizer=tokenizer,
        unet=denoiser.unet,
        scheduler=new_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    write_folder(pipeline, output)
    (output / PREVIEW_FILE).write_bytes(msgspec.json.encode(fit_preview(refined_vae(work))))
    return output


@torch.no_grad()
def fit_preview(vae: AutoencoderKL) -> PreviewFactors:
    """The linear factors that come nearest to this VAE's decodes of training scenes, pooled eightfold."""
    pictures = to_tensor(
        np.stack([np.asarray(render(training_scene(0, index))) for index in range(PREVIEW_SCENES)])
    )
    pairs = []
    for chunk in pictures.split(16):
        means = vae.encode(chunk).latent_dist.mean
        pairs.append((means * vae.config.scaling_factor, vae.decode(means).sample))
    return fit(pairs)


def write_folder(pipeline: StableDiffusionPipeline, output: Path) -> Path:
    """Save a pipeline in float16 to `output`, file by file, each one replaced in one move. Returns the folder."""
    output.parent.mkdir(parents=True, exist_ok=True)
    for part in (pipeline.vae, pipeline.text_encoder, pipeline.unet):
        part.to(torch.float16)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".export-") as folder:
        pipeline.save_pretrained(folder, safe_serialization=True)
        edit_config(Path(folder) / "vae" / "config.json", _name_or_path="")
        # transformers would take the precision of the file, diffusers loads its networks in float32.
        edit_config(Path(folder) / "text_encoder" / "config.json", dtype="float32")
        # Weights last: whoever sees new weights finds the configuration that belongs to them.
        for path in sorted(Path(folder).rglob("*"), key=lambda path: path.suffix == ".safetensors"):
            if path.is_file():
                target = output / path.relative_to(folder)
                target.parent.mkdir(parents=True, exist_ok=True)
                path.chmod(FILE_MODE)
                path.replace(target)
    return output


def edit_config(path: Path, **values: str) -> None:
    """Overwrite settings of a network's configuration file."""
    settings = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(settings | values, indent=2) + "\n", encoding="utf-8")
