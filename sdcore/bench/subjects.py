"""What is measured: the bundled model, and architectures at full size with random weights, written as a folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import msgspec
import torch
from accelerate import init_empty_weights
from safetensors.torch import save_file
from torch import Tensor

from sdcore.diffusion.loading.configs import config_of
from sdcore.diffusion.loading.parts import Part, layout_of, parts_of
from sdcore.library.checkpoints import BUNDLED, resolve
from sdcore.spec.families import family

_PATTERN: Final = 1 << 20
"""How many random numbers there are; larger weights repeat them."""


@dataclass(frozen=True)
class Subject:
    """A model to be measured. One without a `family` is the bundled one."""

    name: str
    title: str
    family: str = ""

    @property
    def size(self) -> int:
        """The side in pixels that is usual, 0 where the model says it."""
        return family(self.family).native_size if self.family else 0


SUBJECTS: Final = (
    Subject("bundled", "the bundled model"),
    Subject("sd15", "Stable Diffusion 1.5, random weights", "SD1"),
    Subject("sdxl", "Stable Diffusion XL, random weights", "SDXL"),
)


@contextmanager
def folder_of(subject: Subject) -> Iterator[Path]:
    """The model's folder; random weights are there only inside, in float16, as checkpoints are."""
    if not subject.family:
        yield resolve(BUNDLED)
        return
    with TemporaryDirectory(prefix="sdtui-bench-") as made:
        folder = Path(made)
        write_random(subject.family, folder)
        yield folder


def write_random(family_name: str, folder: Path) -> None:
    """Write a model of a family in the layout of diffusers: its own configuration, the bundled model's tokenizer, and
    weights (seed 0) that keep activations in range, so that no number is slower than another."""
    parts = parts_of(layout_of(family_name))
    index: dict[str, Any] = {
        "_class_name": family(family_name).pipeline,
        "scheduler": ["diffusers", "EulerDiscreteScheduler"],
    }
    random = torch.randn(_PATTERN, generator=torch.Generator().manual_seed(0)).mul(0.02).half()
    for part in parts:
        index[part.folder] = [part.resolve().__module__.partition(".")[0], part.kind]
        if part.is_tokenizer:
            shutil.copytree(resolve(BUNDLED) / "tokenizer", folder / part.folder)
        else:
            _write_part(part, config_of(family_name, part.folder, []), folder / part.folder, random)
    settings = folder / "scheduler" / "scheduler_config.json"
    settings.parent.mkdir()
    settings.write_bytes(msgspec.json.encode(config_of(family_name, "scheduler", [])))
    (folder / "model_index.json").write_bytes(msgspec.json.encode(index))


def _write_part(part: Part, config: dict[str, Any], folder: Path, random: Tensor) -> None:
    kind = part.resolve()
    with init_empty_weights():
        of_transformers = hasattr(kind, "config_class")
        network = kind(kind.config_class.from_dict(config)) if of_transformers else kind.from_config(config)
    weights = {name: _filled(name, weight, random) for name, weight in network.named_parameters()}
    folder.mkdir()
    (folder / "config.json").write_bytes(msgspec.json.encode(config))
    save_file(
        weights, folder / ("model.safetensors" if of_transformers else "diffusion_pytorch_model.safetensors")
    )


def _filled(name: str, weight: Tensor, random: Tensor) -> Tensor:
    """Normalisations that do nothing, no biases, and random matrices."""
    if weight.ndim == 1:
        return torch.full(weight.shape, float(name.endswith("weight")), dtype=random.dtype)
    repeats = -(-weight.numel() // len(random))
    return random.repeat(repeats)[: weight.numel()].view(weight.shape)
