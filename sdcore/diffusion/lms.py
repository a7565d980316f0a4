"""The scheduler of LMS, which integrates each of its coefficients once.

They depend on the noise levels alone, and a table of noise levels is run again with every image. To integrate anew each
time, as diffusers does, takes 3 ms a step: a tenth of an image of the bundled model, and half a pass of a fast GPU.
"""

from __future__ import annotations

from functools import lru_cache
from types import SimpleNamespace
from typing import Any, Final

import torch
from diffusers import LMSDiscreteScheduler

_MOST: Final = 1 << 14


class KeptLMSScheduler(LMSDiscreteScheduler):
    """`LMSDiscreteScheduler`, to the last bit."""

    def get_lms_coefficient(self, order: int, t: int, current_order: int) -> float:
        """What the derivative before `current_order` steps counts in step `t`, of the `order` last ones."""
        levels = self.sigmas[t - order + 1 : t + 2]
        return _coefficient(tuple(levels.tolist()), levels.dtype, order, current_order)


@lru_cache(maxsize=_MOST)
def _coefficient(levels: tuple[float, ...], dtype: torch.dtype, order: int, current_order: int) -> float:
    """That coefficient for the noise levels of the last `order` steps and the one that the step leads to."""
    seen: Any = SimpleNamespace(sigmas=torch.tensor(levels, dtype=dtype))
    return LMSDiscreteScheduler.get_lms_coefficient(seen, order, order - 1, current_order)
