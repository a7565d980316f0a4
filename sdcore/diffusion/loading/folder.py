"""A model in a folder in the layout of diffusers. Nothing is loaded before all of it is checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sdcore.diffusion import preview
from sdcore.diffusion.loading.configs import read_json
from sdcore.diffusion.loading.network import Plan, plan
from sdcore.diffusion.loading.parts import Part, parts_of
from sdcore.diffusion.loading.tokenizers import open_tokenizer
from sdcore.diffusion.loading.weights import WeightFiles
from sdcore.diffusion.model import ModelError
from sdcore.diffusion.preview import PreviewFactors
from sdcore.model_folder import INDEX, LAYOUTS, family_in, folder_problem, weights_of

SCHEDULER = Path("scheduler") / "scheduler_config.json"


class FolderSource:
    """The `Source` that a folder is. Raises `ModelError` unless it has known classes alone, no code and no pickle."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise ModelError(f"There is no model folder at {folder}.")
        if problem := folder_problem(folder):
            raise ModelError(problem)
        self.folder = folder
        self.index: Mapping[str, Any] = read_json(folder / INDEX)
        layout = LAYOUTS[self.index["_class_name"]]
        self._network = layout.network
        self.family = family_in(layout, self._config(layout.network))
        self.parts: Sequence[Part] = [part for part in parts_of(layout) if self._has(part)]

    @property
    def hashed(self) -> Sequence[Path]:
        """The weights of the network."""
        return weights_of(self.folder / self._network)

    @property
    def preview_factors(self) -> PreviewFactors | None:
        """Those kept in the folder."""
        return preview.load(self.folder)

    def tokenizer(self, part: Part) -> Any:
        """The folder's own."""
        return open_tokenizer(part, self.folder / part.folder)

    def plan(self, part: Part) -> Plan:
        """The network of a part's folder."""
        folder = self.folder / part.folder
        return plan(part, self._config(part.folder), WeightFiles(weights_of(folder)), folder)

    @property
    def scheduler(self) -> dict[str, Any]:
        """The folder's scheduler config."""
        return read_json(self.folder / SCHEDULER)

    def noise(self, network: Any) -> dict[str, Any]:
        """The same: such a network is as its folder says."""
        return self.scheduler

    def _has(self, part: Part) -> bool:
        named = self.index.get(part.folder)
        return isinstance(named, list) and bool(named) and named[-1] is not None

    def _config(self, part: str) -> dict[str, Any]:
        return read_json(self.folder / part / "config.json")
