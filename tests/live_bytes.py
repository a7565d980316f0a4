"""What a forward pass holds at its worst: bytes of live tensors, of real or of fake ones that take no memory."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveBytes(TorchDispatchMode):
    """`peak` is the most bytes that the tensors made inside had together at one moment; those of `known` modules and
    tensors do not count."""

    def __init__(self, *known: Any) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._seen: dict[int, weakref.ref[Any]] = {}
        self._known = {id(storage): storage for one in known for storage in _storages(one)}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for one in tree_leaves(made):
            if isinstance(one, torch.Tensor):
                self._see(one.untyped_storage())
        return made

    def _see(self, storage: Any) -> None:
        key, size = id(storage), storage.nbytes()
        if key in self._seen or key in self._known:
            return

        def gone(_: Any) -> None:
            self.now -= size
            del self._seen[key]

        self._seen[key] = weakref.ref(storage, gone)
        self.now += size
        self.peak = max(self.peak, self.now)


def _storages(one: Any) -> Iterable[Any]:
    tensors = [one] if isinstance(one, torch.Tensor) else [*one.parameters(), *one.buffers()]
    return [tensor.untyped_storage() for tensor in tensors]
