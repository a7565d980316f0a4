"""A model in one file in the original layout. What the file does not say is told by configs that lie beside it, else by
its family's own, and its tokenizers' vocabularies are looked for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from sdcore.diffusion import preview
from sdcore.diffusion.loading.configs import beside, config_of, shipped
from sdcore.diffusion.loading.conversion import CONVERSIONS, TOLD
from sdcore.diffusion.loading.network import Plan, plan
from sdcore.diffusion.loading.parts import Part, layout_of, parts_of
from sdcore.diffusion.loading.tokenizers import Vocabularies, find_tokenizer
from sdcore.diffusion.loading.weights import WeightFiles
from sdcore.diffusion.model import ModelError
from sdcore.diffusion.preview import PreviewFactors
from sdcore.model_folder import weights_of
from sdcore.regular import open_regular

_V: Final = "v_prediction"
_SIDES: Final = {("SD2", "epsilon"): 64}
"""The sides in latents of what those models of a family were trained on that predict otherwise than its config says:
SD 2.x predicts v at 768 pixels, noise at 512."""
_MAX_YAML: Final = 64 * 1024


@dataclass(frozen=True)
class Marks:
    """What a file's header says of it: its family, "" or the kind of its prediction, whether its noise ends in noise
    alone."""

    family: str
    prediction: str = ""
    zero_terminal_snr: bool = False


class FileSource:
    """The `Source` that a single file is. Parts that it lacks are taken from the folders beside it, which are in the
    layout of diffusers: `<stem>/` and `<stem>.config/`."""

    def __init__(self, path: Path, marks: Marks, vocabularies: Vocabularies) -> None:
        self.path = path
        self.family = marks.family
        self.index: Mapping[str, Any] = shipped(marks.family, "model_index")
        self._marks = marks
        self._vocabularies = vocabularies
        self._folders = beside(path)
        self._tensors: Mapping[str, Tensor] = WeightFiles([path])
        layout = layout_of(marks.family)
        self.parts: Sequence[Part] = [
            part for part in parts_of(layout) if part.folder not in layout.optional or self._has(part)
        ]

    def _has(self, part: Part) -> bool:
        """Whether the file or a folder beside it has a text encoder, or that of a tokenizer."""
        encoder = part.folder.replace("tokenizer", "text_encoder")
        inside = CONVERSIONS[self.family][encoder](self._tensors, {})
        return bool(inside) or any((folder / encoder).is_dir() for folder in self._folders)

    @property
    def hashed(self) -> Sequence[Path]:
        """The file."""
        return [self.path]

    @property
    def preview_factors(self) -> PreviewFactors | None:
        """Those kept beside the file."""
        return next((factors for folder in self._folders if (factors := preview.load(folder))), None)

    def tokenizer(self, part: Part) -> Any:
        """One that has the words of its text encoder."""
        encoder = config_of(self.family, part.folder.replace("tokenizer", "text_encoder"), self._folders)
        settings = shipped(self.family, part.folder)
        return find_tokenizer(part, self.path, self._folders, self._vocabularies, settings, encoder)

    def plan(self, part: Part) -> Plan:
        """The network of a part of the file, else of a folder beside it."""
        config = config_of(self.family, part.folder, self._folders)
        tensors = CONVERSIONS[self.family][part.folder](self._tensors, config)
        if tensors:
            return plan(part, config | _told_by(part, tensors, config), tensors, self.path)
        for folder in self._folders:
            if files := weights_of(folder / part.folder):
                return plan(part, config, WeightFiles(files), folder)
        raise ModelError(
            f"{self.path.name} has no {part.title}: use a file that is a whole checkpoint, or put the part, as "
            f"diffusers keeps it, into the folder {self.path.with_suffix('') / part.folder}."
        )

    @property
    def scheduler(self) -> dict[str, Any]:
        """The scheduler config beside the file or of its family."""
        noise = config_of(self.family, "scheduler", self._folders)
        return noise | ({"rescale_betas_zero_snr": True} if self._marks.zero_terminal_snr else {})

    def noise(self, network: Any) -> dict[str, Any]:
        """The scheduler config with the kind of prediction that is known or found."""
        noise = self.scheduler
        if getattr(network.config, "guidance_embeds", True) is False and not self._has_scheduler:
            noise = dict(shipped(self.family, "scheduler_without_guidance"))
        if kind := self._prediction(network):
            noise["prediction_type"] = kind
        side = _SIDES.get((self.family, noise.get("prediction_type", "")))
        if side and not any((folder / "unet").is_dir() for folder in self._folders):
            network.register_to_config(sample_size=side)
        return noise

    @property
    def _has_scheduler(self) -> bool:
        return any((folder / "scheduler").is_dir() for folder in self._folders)

    def _prediction(self, network: Any) -> str:
        """What the header says, or a file of settings beside it; "" where the scheduler's config is to be believed."""
        if self._marks.prediction in ("epsilon", _V):
            return self._marks.prediction
        if self._has_scheduler:
            return ""
        if _says_v(self.path.with_suffix(".yaml")):
            return _V
        return _V if self.family == "SD2" and predicts_v(network) else ""


@torch.inference_mode()
def predicts_v(unet: Any) -> bool:
    """Whether a UNet of SD 2.x predicts v: asked about pure noise, those that predict it answer with less than they
    were given (source: AUTOMATIC1111's web UI, `modules/sd_models_config.py`)."""
    asked = {"device": unet.device, "dtype": unet.dtype}
    channels = unet.config.in_channels
    latents = torch.full((1, channels, 8, 8), 0.5, **asked)
    text = torch.full((1, 2, unet.config.cross_attention_dim), 0.5, **asked)
    answer = unet(latents, torch.tensor([999], device=unet.device), encoder_hidden_states=text).sample
    return bool((answer - latents[:, : answer.shape[1]]).mean() < -1)


def _says_v(path: Path) -> bool:
    """Whether a file of settings as the first authors used them says that v is predicted."""
    try:
        with open_regular(path) as file:
            text = file.read(_MAX_YAML).decode("utf-8", "replace")
    except OSError:
        return False
    return re.search(r"^\s*parameterization:\s*[\"']?v[\"']?\s*$", text, re.M) is not None


def _told_by(part: Part, tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> dict[str, Any]:
    """What the weights say of their network's config."""
    return TOLD[part.kind](tensors, config) if part.kind in TOLD else {}
