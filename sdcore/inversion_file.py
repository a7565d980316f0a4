"""What the file of a textual inversion has to be so that its vectors can stand in a prompt. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sdcore.regular import open_regular
from sdcore.spec.families import TextPart
from sdcore.spec.sanitise import sanitise
from sdcore.weights import READABLE, Header, TensorInfo

MOST_VECTORS: Final = 75
"""A file with more does not fit into one chunk of a prompt."""
_WIDEST: Final = 1 << 14
"""No text encoder has wider vectors."""

_OWN_KEYS: Final[Mapping[TextPart, tuple[str, ...]]] = {
    "CLIP-L": ("clip_l", "text_encoders_0"),
    "OpenCLIP-G": ("clip_g", "text_encoders_1"),
}
"""What files for two text encoders call the vectors of each."""
_COMMON_KEYS: Final = ("emb_params", "string_to_param.*", "string_to_param")

_NO_NUMBER: Final = {
    "F64": ("<u8", 0x7FF << 52), "F32": ("<u4", 0x7F80_0000), "F16": ("<u2", 0x7C00), "BF16": ("<u2", 0x7F80),
    "F8_E5M2": ("u1", 0x7C), "F8_E4M3": ("u1", 0x7F),
}  # fmt: skip
"""Of each readable type the integers of its size, and the bits that are all set in what is no finite number."""


def vectors_key(header: Header, part: TextPart) -> str | None:
    """The tensor that holds an encoder's vectors: its own, else the common one, else the only one."""
    for key in (*_OWN_KEYS.get(part, ()), *_COMMON_KEYS):
        if key in header.tensors:
            return key
    return next(iter(header.tensors)) if len(header.tensors) == 1 else None


def inversion_problem(path: Path | str, header: Header) -> str:
    """Why the textual inversion at `path` cannot be used with any model, as a sentence; "" if it can. Reads its vectors
    where their header is sound."""
    name = sanitise(Path(path).stem, newlines=False)[:100]
    own = {key for keys in _OWN_KEYS.values() for key in keys if key in header.tensors}
    keys = own | ({vectors_key(header, "CLIP-L")} - {None})
    tensors = [header.tensors[key] for key in keys if key is not None]
    if not tensors:
        return f"{name} does not tell which of its {len(header.tensors)} tensors is an embedding."
    if odd := next((one.dtype for one in tensors if one.dtype not in READABLE), ""):
        return f"{name} holds no numbers that sdtui reads ({odd})."
    shapes = [one.shape if len(one.shape) != 1 else (1, *one.shape) for one in tensors]
    if any(len(shape) != 2 or not 0 < shape[1] <= _WIDEST for shape in shapes):
        return f"{name} is no textual inversion: its tensors are no vectors."
    counts = {shape[0] for shape in shapes}
    if max(counts) > MOST_VECTORS:
        return f"{name} has {max(counts):,} vectors, and a prompt has room for {MOST_VECTORS} together."
    if len(counts) > 1 or not min(counts):
        return f"{name} is damaged: it has not as many vectors for each text encoder; download it again."
    try:
        sound = all(_is_finite(path, header.data_start, one) for one in tensors)
    except OSError as fault:
        return f"{name} cannot be read: {sanitise(fault.strerror or str(fault), newlines=False)}."
    return "" if sound else f"{name} is damaged: its vectors hold what is no number; download it again."


def _is_finite(path: Path | str, start: int, info: TensorInfo) -> bool:
    import numpy as np

    with open_regular(path) as file:
        file.seek(start + info.begin)
        content = file.read(info.end - info.begin)
    integers, mask = _NO_NUMBER[info.dtype]
    values = np.frombuffer(content, integers)
    return len(values) == info.elements and not bool((values & values.dtype.type(mask) == mask).any())
