"""Writing a training's averaged weights as a model folder in the official layout, in float16."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline

from sdcore.tiny.architecture import new_scheduler
from sdcore.tiny.train_decoder import refined_vae
from sdcore.tiny.train_diffusion import Denoiser, saved_tokenizer
from sdcore.tiny.training import load_checkpoint

FILE_MODE = 0o644


def export(work: Path, output: Path) -> Path:
    """Write the model of the checkpoints in `work` to the folder `output`, and return it.

    Each file appears whole or not at all. Raises `FileNotFoundError` where a training has left nothing yet.
    """
    tokenizer = saved_tokenizer(work)
    denoiser = Denoiser(tokenizer)
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
    return write_folder(pipeline, output)


def write_folder(pipeline: StableDiffusionPipeline, output: Path) -> Path:
    """Save a pipeline in float16 to `output`, file by file, each one replaced in one move. Returns the folder."""
    output.parent.mkdir(parents=True, exist_ok=True)
    for part in (pipeline.vae, pipeline.text_encoder, pipeline.unet):
        part.to(torch.float16)
        part.register_to_config(_name_or_path="") if hasattr(part, "register_to_config") else None
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".export-") as folder:
        pipeline.save_pretrained(folder, safe_serialization=True)
        # Weights last: whoever sees new weights finds the configuration that belongs to them.
        for path in sorted(Path(folder).rglob("*"), key=lambda path: path.suffix == ".safetensors"):
            if path.is_file():
                target = output / path.relative_to(folder)
                target.parent.mkdir(parents=True, exist_ok=True)
                path.chmod(FILE_MODE)
                path.replace(target)
    return output
