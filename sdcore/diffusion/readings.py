"""What text encoders made of what they read last, so that words that are asked for again need not be read again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Final, TypeVar

import torch
from torch import Tensor

_T = TypeVar("_T", bound=tuple[Tensor | None, ...])

_MOST_BYTES: Final = 64 << 20
"""Some two hundred chunks of SDXL's, or sixteen texts of T5's."""


class Readings:
    """The latest readings of one text encoder, the oldest of which go when they take more than `most` bytes.

    `weights` says what is in the encoder's weights besides its own: with another LoRA it reads otherwise.
    """

    def __init__(self, most: int = _MOST_BYTES) -> None:
        self._most = most
        self._weights: Callable[[], Hashable] = tuple
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()

    def connect(self, weights: Callable[[], Hashable]) -> None:
        """Ask `weights` from now on."""
        self._weights = weights

    def of(self, what: Hashable, read: Callable[[], _T]) -> _T:
        """What `read` makes of `what`, or made of it before. Nobody may change these tensors."""
        key = self._weights(), what
        if key in self._kept:
            self._kept.move_to_end(key)
            known: _T = self._kept[key]
            return known
        made = read()
        if _is_finite(made):  # an accident is not to be repeated
            self._kept[key] = made
            while sum(map(_bytes_of, self._kept.values())) > self._most:
                self._kept.popitem(last=False)
        return made


def _is_finite(reading: tuple[Tensor | None, ...]) -> bool:
    return all(bool(torch.isfinite(tensor).all()) for tensor in reading if tensor is not None)


def _bytes_of(reading: tuple[Tensor | None, ...]) -> int:
    return sum(tensor.nbytes for tensor in reading if tensor is not None)
