"""What a weights file says of itself: the header of a safetensors file, checked before anything opens it. No torch.

The format: eight bytes with the length of the header (little-endian), the header as a JSON object, then the tensors
without a gap (source: the README of huggingface/safetensors). Pickles are told by name and by content and refused,
because opening one runs what it says.
"""

from __future__ import annotations

import hashlib
import math
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import msgspec

from sdcore.spec.sanitise import sanitise

SUFFIX: Final = ".safetensors"
PICKLES: Final = frozenset({".ckpt", ".bin", ".pt", ".pth", ".pkl", ".pickle"})
"""Suffixes of files that hold pickled weights."""

MAX_HEADER: Final = 8 * 1024 * 1024
MAX_RANK: Final = 16
MAX_SIZE: Final = 1 << 48
"""The most elements along one axis that are believed, and the most bytes from the start of the data."""

BITS: Final[dict[str, int]] = {
    "F64": 64, "F32": 32, "F16": 16, "BF16": 16, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8,
    "F8_E5M2FNUZ": 8, "F6_E2M3": 6, "F6_E3M2": 6, "F4": 4, "I64": 64, "I32": 32, "I16": 16, "I8": 8, "U64": 64,
    "U32": 32, "U16": 16, "U8": 8, "BOOL": 8, "C64": 64,
}  # fmt: skip
"""Bits of one element of each dtype (source: huggingface/safetensors, `tensor.rs`)."""

READABLE: Final = frozenset({"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"})
"""The dtypes of what is added to models that are read: LoRA files and textual inversions."""

_FOREIGN: Final[tuple[tuple[bytes, str], ...]] = (
    (
        b"PK",
        "holds a pickle, which could run any code when it is opened; get the same weights as safetensors",
    ),
    (b"\x80", "is a pickle, which could run any code when it is opened; get the same weights as safetensors"),
    (b"GGUF", "is a GGUF file; get the same weights as safetensors"),
    (b"version ", "is only a Git LFS pointer; fetch the weights themselves with git lfs pull"),
    (b"<", "is a web page and no weights; download the file again, signed in if its site asks for that"),
    (b"{", "is a text file and no weights; download the file again"),
)
"""How files that are no safetensors begin, and what is said of them."""

_Count = Annotated[int, msgspec.Meta(ge=0, le=MAX_SIZE)]


class TensorInfo(msgspec.Struct, frozen=True):
    """One tensor: its dtype as in `BITS`, its shape, and its bytes `begin` to `end`, counted from `data_start`."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int

    @property
    def elements(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What is in a safetensors file. The data begin at byte `data_start` of its `file_bytes`."""

    tensors: dict[str, TensorInfo]
    metadata: dict[str, str]
    data_start: int
    file_bytes: int


class HeaderError(ValueError):
    """A file holds no weights that can be trusted; the message is one sentence that says why."""


class _Entry(msgspec.Struct, frozen=True):
    """A tensor as the header's JSON has it."""

    dtype: str
    shape: Annotated[tuple[_Count, ...], msgspec.Meta(max_length=MAX_RANK)]
    data_offsets: tuple[_Count, _Count]


_OBJECT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ENTRY: Final = msgspec.json.Decoder(_Entry)
_METADATA: Final = msgspec.json.Decoder(dict[str, str] | None)


def read_header(path: Path | str) -> Header:
    """The checked header of the safetensors file at `path`; only the header is read. Raises `HeaderError`.

    Refused are pickles, headers that are longer than `MAX_HEADER` or damaged, tensors that overlap, leave gaps or
    have another size than their dtype and shape make, and files that are shorter or longer than their tensors.
    """
    name = sanitise(str(path), newlines=False)[-200:]
    if Path(path).suffix.casefold() in PICKLES:
        raise HeaderError(f"{name} {_FOREIGN[1][1]}.")
    try:
        raw, file_bytes = _read(path, name)
    except (OSError, ValueError) as fault:
        if isinstance(fault, HeaderError):
            raise
        reason = sanitise(getattr(fault, "strerror", None) or str(fault), newlines=False)
        raise HeaderError(f"{name} cannot be read: {reason}.") from fault
    tensors, metadata = _parse(raw, name)
    data_start = 8 + len(raw)
    _check_extents(tensors, file_bytes - data_start, name)
    return Header(tensors=tensors, metadata=metadata, data_start=data_start, file_bytes=file_bytes)


def check_weights(path: Path | str) -> None:
    """Raise `HeaderError` unless `path` is a sound safetensors file, or a folder (not those in it) of such.

    To be called before a library opens it. Pickles may lie in a folder beside safetensors, which are then what is
    opened; a folder that has no weights but pickles is refused.
    """
    try:
        if not stat.S_ISDIR(Path(path).stat().st_mode):
            read_header(path)
            return
        files = sorted(Path(path).iterdir())
    except (OSError, ValueError) as fault:
        if isinstance(fault, HeaderError):
            raise
        name = sanitise(str(path), newlines=False)[-200:]
        reason = sanitise(getattr(fault, "strerror", None) or str(fault), newlines=False)
        raise HeaderError(f"{name} cannot be read: {reason}.") from fault
    sound = [file for file in files if file.suffix.casefold() == SUFFIX]
    pickled = [file for file in files if file.suffix.casefold() in PICKLES]
    for file in sound or pickled[:1]:
        read_header(file)


def short_hash(digests: Sequence[str]) -> str:
    """What weights are called by: the first ten hex digits of the SHA-256 of their file, as in AUTOMATIC1111's web UI;
    of several files, those of the digests of all, one after another."""
    one = digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
    return one[:10]


def _read(path: Path | str, name: str) -> tuple[bytes, int]:
    """The JSON of the header, and the size of the file."""
    # Not blocking: to open a named pipe would otherwise wait for who writes to it.
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode):
            raise HeaderError(f"{name} is not a file.")
        start = file.read(8)
        length = int.from_bytes(start, "little")
        if len(start) < 8:
            raise HeaderError(f"{name} is cut off after {len(start)} bytes; download it again.")
        if length > MAX_HEADER:
            known = next((says for begins, says in _FOREIGN if start.startswith(begins)), None)
            too_long = f"has a header of {length:,} bytes, which is too much to be true"
            raise HeaderError(f"{name} {known or too_long}.")
        raw = file.read(length)
    if len(raw) < length:
        raise HeaderError(f"{name} is cut off in its header; download it again.")
    return raw, about.st_size


def _parse(raw: bytes, name: str) -> tuple[dict[str, TensorInfo], dict[str, str]]:
    try:
        members = _OBJECT.decode(raw)
        metadata = _METADATA.decode(members.pop("__metadata__", msgspec.Raw(b"null"))) or {}
        entries = {key: _ENTRY.decode(value) for key, value in members.items()}
    except (msgspec.DecodeError, UnicodeError, RecursionError) as fault:
        reason = sanitise(str(fault), newlines=False)[:100]
        raise HeaderError(f"{name} has a damaged header ({reason}); download it again.") from fault
    tensors = {}
    for key, entry in entries.items():
        begin, end = entry.data_offsets
        info = tensors[key] = TensorInfo(entry.dtype, entry.shape, begin, end)
        bits = BITS.get(entry.dtype)
        if bits is None:
            raise HeaderError(f"{name} has a tensor of the unknown type {_shown(entry.dtype)}.")
        if begin > end or (end - begin) * 8 != info.elements * bits:
            raise HeaderError(f"{name} lies about the size of its tensor {_shown(key)}; do not trust it.")
    return tensors, metadata


def _check_extents(tensors: dict[str, TensorInfo], data_bytes: int, name: str) -> None:
    """The tensors must fill the rest of the file, each beginning where another ends."""
    end = 0
    for info in sorted(tensors.values(), key=lambda info: (info.begin, info.end)):
        if info.begin != end:
            fault = "overlap" if info.begin < end else "leave gaps"
            raise HeaderError(f"{name} lies about where its tensors are: they {fault}; do not trust it.")
        end = info.end
    if end > data_bytes:
        raise HeaderError(f"{name} is cut off: {end - data_bytes:,} bytes are missing; download it again.")
    if end < data_bytes:
        raise HeaderError(
            f"{name} has {data_bytes - end:,} bytes more than its header says; do not trust it."
        )


def _shown(text: str) -> str:
    return repr(sanitise(text, newlines=False)[:60])
