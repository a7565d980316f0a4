"""What a model's scheduler config may say of the noise that it was trained under. Samplers follow from nothing else of
it, so it is looked at before one is made, and so when a model is loaded or a trace is read."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from sdcore.diffusion.flow import is_flow
from sdcore.spec.sanitise import sanitise

MAX_TRAINED: Final = 100_000
"""Timesteps of a training beyond which a scheduler config is not believed."""
_MAX_SHIFT: Final = 20
"""The logarithm of any shift of noise levels is smaller."""
_SHOWN: Final = 40

_Rule = tuple[Callable[[Any], bool], str]
"""Whether a value can be, and the words for those that can."""


def check_noise(config: Mapping[str, Any]) -> None:
    """Raise `ValueError`, with one sentence, where a scheduler config says what no sampler can follow from."""
    for key, (can_be, words) in (_FLOW if is_flow(config) else _DIFFUSION).items():
        if key in config and not can_be(config[key]):
            shown = sanitise(json.dumps(config[key], default=str), newlines=False)[:_SHOWN]
            raise ValueError(f"The model's scheduler config has {key} = {shown}, which must be {words}.")
    betas, trained = config.get("trained_betas"), config.get("num_train_timesteps", 1000)
    if betas is not None and len(betas) != trained:
        raise ValueError(
            f"The model's scheduler config has {len(betas):,} trained_betas for {trained:,} timesteps of training."
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_share(value: Any) -> bool:
    return _is_number(value) and 0 < value < 1


def _one_of(*names: str) -> _Rule:
    quoted = [f'"{name}"' for name in names]
    return (lambda value: value in names), f"{', '.join(quoted[:-1])} or {quoted[-1]}"


_TRAINED: Final[_Rule] = (
    lambda value: isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_TRAINED,
    f"a whole number from 1 to {MAX_TRAINED}",
)
_SHARE: Final[_Rule] = (_is_share, "a number between 0 and 1")
_YES_OR_NO: Final[_Rule] = (lambda value: value is None or isinstance(value, bool), "true or false")
_LENGTH: Final[_Rule] = (lambda value: _is_number(value) and value > 0, "a number above 0")
_SHIFT: Final[_Rule] = (
    lambda value: _is_number(value) and abs(value) <= _MAX_SHIFT,
    f"a number from -{_MAX_SHIFT} to {_MAX_SHIFT}",
)

_DIFFUSION: Final[Mapping[str, _Rule]] = {
    "num_train_timesteps": _TRAINED,
    "beta_start": _SHARE,
    "beta_end": _SHARE,
    "beta_schedule": _one_of("linear", "scaled_linear", "squaredcos_cap_v2"),
    "prediction_type": _one_of("epsilon", "v_prediction"),
    "trained_betas": (
        lambda value: value is None or (isinstance(value, list | tuple) and all(map(_is_share, value))),
        "numbers between 0 and 1",
    ),
    "rescale_betas_zero_snr": _YES_OR_NO,
}
_FLOW: Final[Mapping[str, _Rule]] = {
    "num_train_timesteps": _TRAINED,
    "shift": _LENGTH,
    "use_dynamic_shifting": _YES_OR_NO,
    "base_shift": _SHIFT,
    "max_shift": _SHIFT,
    "base_image_seq_len": _LENGTH,
    "max_image_seq_len": _LENGTH,
    "shift_terminal": (
        lambda value: value is None or _is_share(value) or (_is_number(value) and value == 0),
        "a number from 0 to 1, or null",
    ),
    "time_shift_type": _one_of("exponential", "linear"),
}
