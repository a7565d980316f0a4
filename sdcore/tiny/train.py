"""`python -m sdcore.tiny.train`: makes the bundled model, from drawing its pictures to its folder of weights.

    render      draw the training pictures into the work folder (may run beside `vae`, in its own process)
    vae         train the autoencoder
    decoder     refine the decoder alone, which leaves the latents as they are
    text        teach the text encoder to read captions
    diffusion   encode the pictures, then train UNet and text encoder
    export      write the model folder from the newest checkpoints
    all         everything, one after another

Everything is seeded, and everything resumes from the work folder where it was interrupted.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import torch

from sdcore.tiny import weights_folder
from sdcore.tiny.dataset import Pictures
from sdcore.tiny.export import export
from sdcore.tiny.train_decoder import train_decoder
from sdcore.tiny.train_diffusion import train_diffusion
from sdcore.tiny.train_text import train_text
from sdcore.tiny.train_vae import train_vae
from sdcore.tiny.training import Budget

STAGES = ("render", "vae", "decoder", "text", "diffusion", "export", "all")
TRAININGS = {"vae": train_vae, "decoder": train_decoder, "text": train_text, "diffusion": train_diffusion}
DEFAULT_STEPS = {"vae": 10_000, "decoder": 5_000, "text": 8_000, "diffusion": 12_000}


def parser() -> argparse.ArgumentParser:
    """The command line's parser."""
    result = argparse.ArgumentParser(
        prog="python -m sdcore.tiny.train",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    result.add_argument("stage", nargs="?", default="all", choices=STAGES)
    result.add_argument(
        "--work", type=Path, required=True, help="folder for pictures, latents and checkpoints"
    )
    result.add_argument("--output", type=Path, default=weights_folder(), help="the model folder to write")
    result.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    result.add_argument("--threads", type=int, default=os.cpu_count(), help="CPU threads")
    result.add_argument("--seed", type=int, default=1632)
    result.add_argument("--scenes", type=int, default=30_000, help="how many training pictures")
    length = result.add_mutually_exclusive_group()
    length.add_argument("--steps", type=int, help="length of a training in steps")
    length.add_argument(
        "--minutes", type=float, help="length of a training in minutes, earlier sessions included"
    )
    result.add_argument("--no-resume", action="store_true", help="start the training afresh")
    return result


def main(arguments: list[str] | None = None) -> None:
    """Run the stage that the command line asks for."""
    options = parser().parse_args(arguments)
    # Optimiser states decay into denormal numbers, which slow a CPU down several times.
    torch.set_flush_denormal(True)
    torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    work: Path = options.work
    work.mkdir(parents=True, exist_ok=True)
    pictures = Pictures(work, options.seed, options.scenes)
    stages = STAGES[:-1] if options.stage == "all" else (options.stage,)
    for stage in stages:
        if stage in DEFAULT_STEPS and options.no_resume:
            (work / f"{stage}.pt").unlink(missing_ok=True)
        if stage == "render":
            pictures.render()
        elif stage in TRAININGS:
            TRAININGS[stage](pictures, work, budget(options, stage), options.seed, device)
        else:
            print(f"exported to {export(work, options.output)}")


def budget(options: argparse.Namespace, stage: str) -> Budget:
    """The length that the command line gives a training, or its default."""
    if options.minutes is not None:
        return Budget(minutes=options.minutes)
    return Budget(steps=options.steps or DEFAULT_STEPS[stage])


if __name__ == "__main__":
    main()
