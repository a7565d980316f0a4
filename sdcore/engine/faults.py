"""Exceptions of the worker as sentences for a person. No torch: its errors are told by name and text."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sdcore.secrecy import without_secrets
from sdcore.spec.recipe import RecipeError
from sdcore.spec.sanitise import sanitise

_LONGEST: Final = 300


@dataclass(frozen=True)
class Fault:
    """What went wrong, as one sentence that says what to do. After a `fatal` one the process is of no use;
    a `foreseen` one needs no traceback; one that is `out_of_memory` may pass where less is asked for."""

    message: str
    fatal: bool = False
    foreseen: bool = False
    out_of_memory: bool = False


@dataclass(frozen=True)
class _Kind:
    matches: Callable[[BaseException], bool]
    message: str
    fatal: bool = False
    out_of_memory: bool = False


def _says(*parts: str) -> Callable[[BaseException], bool]:
    """Whether one of `parts` is in the text of a RuntimeError (all of torch's own errors are some)."""
    return lambda error: isinstance(error, RuntimeError) and any(part in str(error).lower() for part in parts)


def _is_errno(*numbers: int) -> Callable[[BaseException], bool]:
    return lambda error: isinstance(error, OSError) and error.errno in numbers


def _is_named(name: str, *parts: str) -> Callable[[BaseException], bool]:
    """Whether it is torch's exception `name`, which may also come as a RuntimeError that says `parts`."""
    return lambda error: type(error).__name__ == name or _says(*parts)(error)


_FULL_GPU: Final = (
    "cuda error: out of memory",
    "cuda]: out of memory",  # Triton's
    "alloc_failed",  # cuBLAS and cuDNN
    "unable to find an engine",  # cuDNN, for each of whose algorithms there was too little
    "unable to find a valid cudnn algorithm",
)

_KINDS: Final = (
    _Kind(
        _is_named("OutOfMemoryError", *_FULL_GPU),
        "The GPU's memory is full: choose a smaller size or batch, or end other programs on that GPU.",
        out_of_memory=True,
    ),
    _Kind(
        _is_named("MemoryError", "can't allocate memory", "not enough memory"),
        "The machine's memory is full: choose a smaller size or batch, or a smaller model.",
        out_of_memory=True,
    ),
    _Kind(
        _says("no kernel image"),
        "This build of torch has no code for this GPU: install one that has, or start with --device cpu.",
    ),
    _Kind(
        _says("cuda driver", "no cuda gpus", "not compiled with cuda"),
        "CUDA cannot be used here: check the driver with nvidia-smi, or start with --device cpu.",
    ),
    _Kind(
        _is_named("AcceleratorError", "cuda error", "device-side assert", "cudnn_status", "cublas_status"),
        "The GPU reported a fault that only a new engine process can clear: generate again to start one.",
        fatal=True,
    ),
    _Kind(
        _is_errno(errno.ENOSPC, errno.EDQUOT),
        "There is no space left on the disk: make room, then generate again.",
    ),
    _Kind(
        _is_errno(errno.EACCES, errno.EPERM, errno.EROFS),
        "A file could not be written: check the permissions of its folder.",
    ),
)


def explain(error: BaseException, sentences: tuple[type[Exception], ...] = ()) -> Fault:
    """The fault behind `error`; the text of the exceptions in `sentences` is taken as it is."""
    if isinstance(error, (RecipeError, *sentences)):
        return Fault(_one_line(str(error)), foreseen=True)
    for kind in _KINDS:
        if kind.matches(error):
            return Fault(kind.message, kind.fatal, out_of_memory=kind.out_of_memory)
    text = str(error).strip()
    detail = _one_line(text.splitlines()[0] if text else type(error).__name__)
    return Fault(f"Something unexpected went wrong ({detail}); the engine's log has the details.")


def _one_line(text: str) -> str:
    line = sanitise(without_secrets(text), newlines=False).strip()
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
