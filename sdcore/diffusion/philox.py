"""Normal numbers as a CUDA GPU draws them, computed on the CPU, for seeds that were found on one.

Philox-4x32-10 (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011) keyed by the seed. Number k of
the n-th draw has the counter (n, 0, k, 0), and of its four words the first two become one normal number (Box and
Muller, 1958; source: cuRAND's `curand_normal4` as torch's CUDA kernels call it). A GPU whose threads are fewer than
the numbers of one draw lays them out otherwise; latents are smaller than that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

_ROUNDS: Final = 10
_MULTIPLIERS: Final = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL: Final = (0x9E3779B9, 0xBB67AE85)
_WORD: Final = 0xFFFFFFFF
_SHIFT: Final = np.uint64(32)
_TO_UNIT: Final = np.float32(2.0**-32)
_TO_CIRCLE: Final = np.float32(2.0**-32 * 2 * math.pi)


def philox_4x32(counter: np.ndarray, key: tuple[int, int]) -> np.ndarray:
    """Four random words (4, n) for each counter (4, n), uint32, under a key of two words."""
    words = counter.astype(np.uint32)
    for turn in range(_ROUNDS):
        keys = [np.uint32(key[k] + turn * _WEYL[k] & _WORD) for k in (0, 1)]
        even, odd = (words[2 * k].astype(np.uint64) * _MULTIPLIERS[k] for k in (0, 1))
        words = np.stack(
            [
                _high(odd) ^ words[1] ^ keys[0],
                odd.astype(np.uint32),
                _high(even) ^ words[3] ^ keys[1],
                even.astype(np.uint32),
            ]
        )
    return words


def _high(products: np.ndarray) -> np.ndarray:
    return (products >> _SHIFT).astype(np.uint32)


def philox_normal(seed: int, draw: int, shape: Sequence[int]) -> Tensor:
    """Unit Gaussian numbers of a shape, float32: what the `draw`-th call (from 0) on a GPU seeded so gives."""
    count = math.prod(shape)
    counter = np.zeros((4, count), dtype=np.uint32)
    counter[0] = draw
    counter[2] = np.arange(count, dtype=np.uint32)
    words = philox_4x32(counter, (seed & _WORD, seed >> 32 & _WORD))
    unit = words[0].astype(np.float32) * _TO_UNIT + _TO_UNIT / 2
    angle = words[1].astype(np.float32) * _TO_CIRCLE + _TO_CIRCLE / 2
    normal = np.sqrt(np.float32(-2.0) * np.log(unit)) * np.sin(angle)
    return torch.from_numpy(normal.astype(np.float32)).reshape(tuple(shape))


class PhiloxGenerator(torch.Generator):
    """A generator of such numbers, to be given where a `torch.Generator` is; its state is the number of draws.

    torch itself would draw from the generator that this one is made of, so whoever hands it on does so inside of
    `PhiloxDraws`.
    """

    def __new__(cls, seed: int) -> PhiloxGenerator:
        new: Any = super().__new__
        return new(cls, "cpu")

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._draws = 0

    def normal(self, shape: Sequence[int]) -> Tensor:
        """The next draw: unit Gaussian numbers of a shape, float32 on the CPU."""
        drawn = philox_normal(self._seed, self._draws, shape)
        self._draws += 1
        return drawn

    def get_state(self) -> Tensor:
        """How often was drawn, as a tensor."""
        return torch.tensor(self._draws)

    def set_state(self, new_state: Tensor) -> PhiloxGenerator:
        """Go back to a state."""
        self._draws = int(new_state)
        return self


class PhiloxDraws(TorchFunctionMode):
    """Where this is entered, `torch.randn` draws by Philox: from a `PhiloxGenerator`, or as the first draw of one with
    the seed of the plain generator that it is given, as torchsde does for every interval of a path."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        generator = given.get("generator")
        if func is not torch.randn or generator is None:
            return func(*args, **given)
        if not isinstance(generator, PhiloxGenerator):
            generator = PhiloxGenerator(generator.initial_seed())
        shape = given.get("size", args[0] if args and not isinstance(args[0], int) else args)
        return generator.normal(shape).to(given.get("device"), given.get("dtype"))
