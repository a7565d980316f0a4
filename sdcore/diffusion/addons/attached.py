"""LoRA files worked into the weights of an open model, and taken out again to the last bit.

The weights themselves are changed, in place: W + sum of weight * scale * up @ down, added up in float32 from a copy
of the original, then rounded once. So a run with a LoRA costs what one without does, nothing that has been compiled
or captured is lost, and what a weight was before is copied back, not computed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from sdcore.diffusion.addons.layers import NETWORK, layers_of
from sdcore.diffusion.addons.lora import AddonError, LoraFile, LoraLayer, read_lora
from sdcore.diffusion.conditioning import Conditioning
from sdcore.diffusion.denoiser import Network
from sdcore.spec.families import family
from sdcore.spec.sanitise import sanitise

_NETWORKS: Final = ("unet", "transformer")
"""What the folders of networks are called that are no text encoders."""


_ROOM: Final = 4
"""A GPU has room to spare for original weights when so many times the size of all networks is free."""


@dataclass(frozen=True, order=True)
class Use:
    """A LoRA file as a run uses it: what its change of the network counts, and that of the text encoders, and how many
    of its ranks do, all where that is 0.

    `stamp` is the file's time and size, so that another file under the same path is another use.
    """

    path: str
    name: str
    network: float = 1.0
    text: float = 1.0
    rank: int = 0
    stamp: tuple[int, int] = (0, 0)


def use_of(path: str | Path, name: str, network: float = 1.0, text: float = 1.0, rank: int = 0) -> Use:
    """The LoRA at `path`, called `name`, counting so much. Raises `AddonError` where there is no such file."""
    try:
        about = Path(path).stat()
    except (OSError, ValueError) as error:
        raise AddonError(f"The file of the LoRA {name[:100]} is gone; look for it again.") from error
    return Use(str(path), name, network, text, rank, (about.st_mtime_ns, about.st_size))


class Attached:
    """The LoRA files in the weights of a model's networks."""

    def __init__(self, modules: Mapping[str, Any], family_name: str) -> None:
        self._modules = {NETWORK if name in _NETWORKS else name: module for name, module in modules.items()}
        self._text = family(family_name).text
        self._uses: tuple[Use, ...] = ()
        self._originals: dict[tuple[str, str], Tensor] = {}
        self._notices: list[str] = []

    @property
    def uses(self) -> tuple[Use, ...]:
        """What is in the weights now, in the order in which it was added."""
        return self._uses

    def notices(self) -> list[str]:
        """What a person should know of the files that were put in, each sentence once."""
        taken, self._notices = self._notices, []
        return taken

    @torch.inference_mode()
    def use(self, uses: Iterable[Use]) -> None:
        """Have these in the weights, and no others: at once where they are.

        A file named twice counts with the sum of its weights; in which order they are named does not matter.
        Raises `AddonError`, and leaves the weights as they were without any.
        """
        wanted = _merged(uses)
        if wanted == self._uses:
            return
        changes = self._read(wanted)
        self._uses = ()
        try:
            for place in self._originals.keys() - changes.keys():
                self._restore(place)
            sound = [self._change(place, parts) for place, parts in changes.items()]
            if sound and not bool(torch.stack([one.cpu() for one in sound]).all()):
                named = ", ".join(use.name for use in wanted)
                raise AddonError(f"{named[:200]} made weights that are no numbers; the file is damaged.")
        except BaseException:
            for place in list(self._originals):
                self._restore(place)
            raise
        self._uses = wanted

    def _read(self, uses: Sequence[Use]) -> dict[tuple[str, str], list[tuple[float, int, LoraLayer]]]:
        """For each weight that is changed: what the file counts, first row of the layer's product, and the layer."""
        changes: dict[tuple[str, str], list[tuple[float, int, LoraLayer]]] = {}
        if not uses:
            return changes
        networks = {name: layers_of(module) for name, module in self._modules.items()}
        shapes = {
            (name, layer): tuple(module.get_submodule(layer).weight.shape)
            for name, module in self._modules.items()
            for layers in networks[name].values()
            for layer in layers
        }
        for use in uses:
            file: LoraFile = read_lora(Path(use.path), use.name, networks, shapes, self._text)
            if file.unmatched:
                every = len(file.layers) + file.unmatched
                shown = sanitise(use.name, newlines=False)[:100]
                self._notices.append(
                    f"{file.unmatched} of the {every} layers of {shown} are none of this model's; the others are used."
                )
            for layer in (whole.cut(use.rank) for whole in file.layers):
                factor = use.network if layer.part == NETWORK else use.text
                row = 0
                for module in layer.modules:
                    if factor:
                        changes.setdefault((layer.part, module), []).append((factor, row, layer))
                    row += shapes[layer.part, module][0]
        return changes

    def _change(self, place: tuple[str, str], parts: Sequence[tuple[float, int, LoraLayer]]) -> Tensor:
        """Work the layers into one weight; whether all of it is finite, as a tensor where the weight is."""
        weight = self._weight(place)
        if place not in self._originals:
            self._originals[place] = weight.to(self._shelter(weight.device), copy=True)
        original = self._originals[place].to(weight.device, torch.float32)
        changed = original.clone()
        for factor, row, layer in parts:
            changed += layer.change(original, row, factor)
        weight.copy_(changed)
        return torch.isfinite(weight).all()

    def bytes_on(self, device: torch.device) -> int:
        """Bytes of original weights that are kept on a device."""
        return sum(kept.nbytes for kept in self._originals.values() if kept.device == device)

    def leave_the_device(self) -> None:
        """Keep the original weights in the machine's memory: that of the device is short."""
        self._originals = {place: kept.to("cpu") for place, kept in self._originals.items()}

    def _shelter(self, device: torch.device) -> torch.device:
        """Where the originals are kept: on the device where that has room to spare, else in the machine's memory."""
        first = next(iter(self._originals.values()), None)
        if first is not None:
            return first.device
        if device.type != "cuda":
            return torch.device("cpu")
        weights = [weight for module in self._modules.values() for weight in module.parameters()]
        networks = sum(weight.numel() * weight.element_size() for weight in weights)
        free, _ = torch.cuda.mem_get_info(device)
        return device if free > _ROOM * networks else torch.device("cpu")

    def _restore(self, place: tuple[str, str]) -> None:
        self._weight(place).copy_(self._originals[place])
        del self._originals[place]

    def _weight(self, place: tuple[str, str]) -> Tensor:
        part, layer = place
        return self._modules[part].get_submodule(layer).weight


@dataclass(frozen=True)
class HeldNetwork:
    """A network that has its own run's LoRA files in its weights at every pass, whatever other runs there are."""

    network: Network
    attached: Attached
    uses: tuple[Use, ...]

    def __call__(self, model_input: Tensor, t: Tensor, told: Conditioning) -> Tensor:
        self.attached.use(self.uses)
        return self.network(model_input, t, told)


def _merged(uses: Iterable[Use]) -> tuple[Use, ...]:
    """Each file with so many ranks once, in the order of their paths: a sum in floats depends on its order."""
    by_file: dict[tuple[str, int, tuple[int, int]], Use] = {}
    for use in uses:
        which = use.path, use.rank, use.stamp
        known = by_file.get(which)
        network, text = (known.network, known.text) if known else (0.0, 0.0)
        by_file[which] = replace(use, network=use.network + network, text=use.text + text)
    return tuple(sorted(by_file.values()))
