"""Where a program on a GPU would stand still until that is done: found without one.

The device "meta" takes the GPU's place. Its tensors have no content, so whatever asks for a number of theirs fails at
once; and what is copied to it from the CPU, or put together with tensors there, is seen here.
"""

from __future__ import annotations

import traceback
from contextlib import ExitStack
from typing import Any, Final

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

_PLACE_OF_NON_BLOCKING: Final = {
    "aten.to.device": 3,
    "aten.to.dtype": 2,
    "aten.to.other": 2,
    "aten.copy_.default": 2,
}
_SOLVES: Final = "linalg"


class Waits:
    """Inside, every place that would wait is noted in `copies`: where tensors are copied between the devices in a way
    that ends with the copy, or a system of equations is solved, whose solver looks at its result. `mixtures` are those
    where tensors of both devices meet, which fails on a GPU."""

    def __init__(self) -> None:
        self.copies: list[str] = []
        self.mixtures: list[str] = []
        self._stack = ExitStack()

    def __enter__(self) -> Waits:
        self._stack.enter_context(_Operations(self))
        self._stack.enter_context(_Makers(self))
        return self

    def __exit__(self, *fault: object) -> None:
        self._stack.close()


class _Operations(TorchDispatchMode):
    def __init__(self, waits: Waits) -> None:
        super().__init__()
        self._waits = waits

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        made = func(*args, **given)
        tensors = [one for one in tree_leaves((args, given)) if isinstance(one, Tensor)]
        name = str(func)
        if name.startswith(("aten.to.", "aten._to_copy", "aten.copy_")):
            ends = {tensors[-1].device.type, made.device.type}
            if len(ends) > 1 and not _goes_on(name, args, given):
                self._waits.copies.append(_who(name))
        elif "meta" in (there := {one.device.type for one in tensors if one.ndim}):
            if len(there) > 1:
                self._waits.mixtures.append(_who(name))
            if _SOLVES in name and "norm" not in name:
                self._waits.copies.append(_who(name))
        return made


class _Makers(TorchFunctionMode):
    """`torch.tensor` makes its numbers on the CPU and copies them."""

    def __init__(self, waits: Waits) -> None:
        super().__init__()
        self._waits = waits

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        device = torch.device(given.get("device") or "cpu")
        if func in (torch.tensor, torch.as_tensor) and device.type == "meta":
            self._waits.copies.append(_who(func.__name__))
        return func(*args, **given)


def _goes_on(name: str, args: Any, given: Any) -> bool:
    place = _PLACE_OF_NON_BLOCKING.get(name, len(args))
    return bool(given.get("non_blocking") or (place < len(args) and args[place]))


def _who(name: str) -> str:
    """The operation, and the line outside of torch that wanted it."""
    frames = [frame for frame in traceback.extract_stack() if "/torch/" not in frame.filename]
    frame = next(one for one in reversed(frames) if one.filename != __file__)
    return f"{name} in {frame.filename}:{frame.lineno}: {frame.line}"
