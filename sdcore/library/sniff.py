"""What one file of weights is, told from the names and shapes in its header alone: no weight is read. No torch."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final, Literal

import msgspec

from sdcore.library.fingerprints import (
    ARCHITECTURES,
    DIFFUSERS_KEYS,
    EMBEDDING_WIDTHS,
    FINGERPRINTS,
    INPAINTING_CHANNELS,
    INPUTS,
    LORA_LAYOUTS,
    LORA_MARKS,
    PREFIXES,
    QUANTISED,
    UNET_INPUT,
    Fingerprint,
    Kind,
    Need,
    PartName,
)
from sdcore.spec.families import FAMILIES
from sdcore.weights import Header, TensorInfo

__all__ = ["Kind", "Part", "PartName", "Prediction", "Sniffed", "sniff"]

Prediction = Literal["", "epsilon", "v_prediction", "flow"]
"""What a network predicts, "" where its file does not say."""

MAX_EMBEDDINGS: Final = 16
"""More tensors than this, and a file without known names is no textual inversion."""

_NUMBER: Final = re.compile(r"(?<![^._])\d+(?![^._])")
_PREFIX: Final = re.compile("|".join(re.escape(prefix) for prefix in PREFIXES))
_SUBJECTS: Final[tuple[PartName, ...]] = (
    "network", "VAE", "CLIP-L", "OpenCLIP-H", "OpenCLIP-G", "T5", "other",
)  # fmt: skip
"""The part by whose tensors a file is known, the first that it has."""
_LORA_ENDS: Final = tuple(end for end, _ in LORA_LAYOUTS)
_PACKED_ENDS: Final = tuple(end for end, _ in QUANTISED)
_FLOWS: Final = frozenset(family.name for family in FAMILIES if family.flow)


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a model in a file: how many numbers it holds, in how many bytes, mostly of which dtype."""

    name: PartName
    parameters: int
    bytes: int
    dtype: str


class Sniffed(msgspec.Struct, frozen=True, kw_only=True):
    """What a file is.

    `families` are those it may belong to, none where that cannot be told. `layout` is "original" or "diffusers" for
    models, and for a LoRA "kohya", "peft", "diffusers", "LoHa", "LoKr" or "OFT". `title` is what people call it where
    that is more than kind and family; `variant` names one of `sdcore.spec.families.VARIANTS` if the tensors tell.
    `problem` completes "This file …" where it is something that is never loaded.
    """

    kind: Kind
    families: tuple[str, ...] = ()
    layout: str = ""
    title: str = ""
    variant: str = ""
    inpainting: bool = False
    prediction: Prediction = ""
    zero_terminal_snr: bool = False
    parts: tuple[Part, ...] = ()
    problem: str = ""

    @property
    def family(self) -> str:
        """The family, "" unless it is certain."""
        return self.families[0] if len(self.families) == 1 else ""

    @property
    def parameters(self) -> int:
        """How many numbers the file holds."""
        return sum(part.parameters for part in self.parts)

    @property
    def bytes(self) -> int:
        """How many bytes these take."""
        return sum(part.bytes for part in self.parts)

    @property
    def dtype(self) -> str:
        """The dtype (as in `sdcore.weights.BITS`) of its largest part."""
        return max(self.parts, key=lambda part: part.bytes).dtype if self.parts else ""

    def has(self, *names: PartName) -> bool:
        """Whether all of these parts are in the file."""
        return set(names) <= {part.name for part in self.parts}


def sniff(header: Header) -> Sniffed:
    """What the file with this header is; takes milliseconds, and never fails."""
    layout = _lora_layout(header.tensors)
    if layout:
        families = _lora_families(header.tensors, layout) or _told_families(header.metadata)
        return Sniffed(kind="LoRA", families=families, layout=layout, parts=_parts({"other": header.tensors}))
    split = _split(header.tensors)
    subject = next(name for name in _SUBJECTS if name in split)
    skeleton = _skeleton(split[subject])
    loose = _skeleton(split.get("other", {})) if subject == "network" else {}
    found = next((mark for mark in FINGERPRINTS if _fits(mark, {**loose, **skeleton})), None)
    if found is None:
        return _nameless(header, split)
    if subject == "other":
        split = {found.part: header.tensors}
    families = (found.families if len(found.families) == 1 else ()) or _told_families(header.metadata)
    return Sniffed(
        kind="checkpoint" if found.kind == "network" and len(split.keys() - {"other"}) > 1 else found.kind,
        families=families or found.families,
        layout=_layout(found, skeleton),
        title=found.title,
        variant=found.variant,
        inpainting=found.part == "network" and _channels(skeleton) == INPAINTING_CHANNELS,
        prediction=_prediction(found, header) if found.part == "network" else "",
        zero_terminal_snr="ztsnr" in header.tensors,
        parts=_parts(split),
        problem=_problem(found, skeleton, header.tensors),
    )


def _lora_layout(names: Iterable[str]) -> str:
    found = next((name for name in names if name.endswith(_LORA_ENDS)), "")
    return next((layout for end, layout in LORA_LAYOUTS if found.endswith(end)), "")


def _lora_families(tensors: Mapping[str, TensorInfo], layout: str) -> tuple[str, ...]:
    """By the first mark that any matrix bears whose second axis is the width of its module's input."""
    ends = tuple(end for end, name in LORA_LAYOUTS if name == layout)
    modules = [
        (
            f"_{name.replace('.processor.', '.').replace('.', '_')}",
            info.shape[1] if len(info.shape) > 1 else 0,
        )
        for name, info in tensors.items()
        if name.endswith(ends)
    ]
    for mark in LORA_MARKS:
        if any(mark.part in name and mark.width in (None, width) for name, width in modules):
            return mark.families
    return ()


def _told_families(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """The family that the metadata name."""
    told = [metadata.get(key, "").casefold() for key in ("modelspec.architecture", "ss_base_model_version")]
    return tuple(
        family for begins, family in ARCHITECTURES if any(value.startswith(begins) for value in told)
    )[:1]


def _split(tensors: Mapping[str, TensorInfo]) -> dict[PartName, dict[str, TensorInfo]]:
    """The tensors by part, their names without its prefix."""
    split: dict[PartName, dict[str, TensorInfo]] = {} if tensors else {"other": {}}
    for name, info in tensors.items():
        match = _PREFIX.match(name)
        part, rest = (PREFIXES[match[0]], name[match.end() :]) if match else ("other", name)
        split.setdefault(part, {})[rest] = info
    return split


def _skeleton(tensors: Mapping[str, TensorInfo]) -> dict[str, TensorInfo]:
    """The first tensor of each name, names with other numbers being the same."""
    skeleton: dict[str, TensorInfo] = {}
    for name, info in tensors.items():
        skeleton.setdefault(_NUMBER.sub("#", name), info)
    return skeleton


def _fits(mark: Fingerprint, skeleton: Mapping[str, TensorInfo]) -> bool:
    return all(any(_meets(need, skeleton.get(key)) for key in need.keys) for need in mark.needs)


def _meets(need: Need, info: TensorInfo | None) -> bool:
    if info is None or (need.rank is not None and len(info.shape) != need.rank):
        return False
    return need.size is None or info.shape[need.axis : need.axis + 1 or None] == (need.size,)


def _channels(skeleton: Mapping[str, TensorInfo]) -> int:
    """How many channels a UNet takes, 0 where that is not said."""
    first = next((skeleton[key] for key in UNET_INPUT if key in skeleton), None)
    return first.shape[1] if first is not None and len(first.shape) == 4 else 0


def _layout(found: Fingerprint, skeleton: Mapping[str, TensorInfo]) -> str:
    if found.part not in ("network", "VAE"):
        return ""
    return "diffusers" if any(key in skeleton for key in DIFFUSERS_KEYS) else "original"


def _prediction(found: Fingerprint, header: Header) -> Prediction:
    if found.families and found.families[0] in _FLOWS:
        return "flow"
    told = [header.metadata.get(f"modelspec.{key}", "") for key in ("prediction_type", "predict_key")]
    said = next((value.casefold() for value in told if value), "")
    architecture = header.metadata.get("modelspec.architecture", "").casefold()
    if "v_pred" in header.tensors or said.startswith("v") or "768-v" in architecture:
        return "v_prediction"
    return "epsilon" if said.startswith("eps") else ""


def _problem(found: Fingerprint, skeleton: Mapping[str, TensorInfo], names: Iterable[str]) -> str:
    """Why such a file is never loaded, "" where it may be."""
    title = found.title if found.foreign else ""
    if found.part == "network":
        title = title or INPUTS.get(_channels(skeleton), "")
    if title:
        return f"{title}: sdtui does not load models of this kind."
    telling = next((name for name in names if name.endswith(_PACKED_ENDS)), "")
    packed = next((way for end, way in QUANTISED if telling.endswith(end)), "")
    return f"Its weights are packed as {packed}, which sdtui cannot unpack." if packed else ""


def _nameless(header: Header, split: dict[PartName, dict[str, TensorInfo]]) -> Sniffed:
    """A file without known names: an embedding that is named by its word alone, or nothing that is known."""
    widths = {info.shape[-1] if info.shape else 0 for info in header.tensors.values()}
    if (
        len(widths) == 1
        and len(header.tensors) <= MAX_EMBEDDINGS
        and (width := widths.pop()) in EMBEDDING_WIDTHS
    ):
        families = (EMBEDDING_WIDTHS[width],)
        return Sniffed(kind="textual inversion", families=families, parts=_parts(split))
    problem = "Its tensors are of no kind that sdtui knows."
    return Sniffed(kind="unknown", parts=_parts(split), problem=problem)


def _parts(split: Mapping[PartName, Mapping[str, TensorInfo]]) -> tuple[Part, ...]:
    return tuple(_part(name, tensors.values()) for name, tensors in split.items())


def _part(name: PartName, tensors: Iterable[TensorInfo]) -> Part:
    parameters, sizes = 0, Counter[str]()
    for info in tensors:
        parameters += info.elements
        sizes[info.dtype] += info.end - info.begin
    commonest = sizes.most_common(1)
    return Part(
        name=name, parameters=parameters, bytes=sizes.total(), dtype=commonest[0][0] if commonest else ""
    )
