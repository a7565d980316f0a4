"""The bundled model: a small latent diffusion model of a drawn world, made by this package.

`world`, `drawing` and `captions` make captioned pictures, `train` makes the weights, `evaluate` judges them.
"""

from pathlib import Path


def weights_folder() -> Path:
    """The folder of the bundled model, in the layout that diffusers loads."""
    return Path(__file__).parent / "weights"
