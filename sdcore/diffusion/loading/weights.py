"""Tensors in safetensors files, read one by one when they are asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from safetensors import SafetensorError, safe_open
from torch import Tensor

from sdcore.diffusion.model import ModelError
from sdcore.weights import HeaderError, read_header

Progress = Callable[[str, float], None]
"""Told the name of a part and the share of the whole that is done (0..1); an exception of its own ends the loading."""

_STEP: Final = 64 << 20
"""Bytes after which progress is told again."""


class WeightFiles(Mapping[str, Tensor]):
    """The tensors of some files of weights by name, on the CPU.

    They are maps of the files: what is asked for is read when it is used. The headers are checked first; raises
    `ModelError`.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self._homes: dict[str, Any] = {}
        for path in files:
            try:
                header = read_header(path)
                opened = safe_open(path, "pt", device="cpu")
            except (HeaderError, OSError, SafetensorError) as error:
                raise ModelError(str(error)) from error
            self._homes |= dict.fromkeys(header.tensors, opened)
            _read_ahead(path)

    def __getitem__(self, name: str) -> Tensor:
        return self._homes[name].get_tensor(name)

    def __contains__(self, name: object) -> bool:
        return name in self._homes

    def __iter__(self) -> Iterator[str]:
        return iter(self._homes)

    def __len__(self) -> int:
        return len(self._homes)


class Meter:
    """Progress over all the bytes of a model: a part is told when it begins, and every 64 MiB."""

    def __init__(self, report: Progress, total: int) -> None:
        self._report = report
        self._total = max(total, 1)
        self._stage, self._done, self._told = "", 0, 0

    def begin(self, stage: str) -> None:
        """The part called `stage` is next."""
        self._stage = stage
        self._tell()

    def add(self, count: int) -> None:
        """So many bytes more are where they belong."""
        self._done += count
        if self._done - self._told >= _STEP:
            self._tell()

    def _tell(self) -> None:
        self._told = self._done
        self._report(self._stage, min(self._done / self._total, 0.99))

    def end(self) -> None:
        """All is done."""
        self._report("ready", 1.0)


def _read_ahead(path: Path) -> None:
    """Have the system read the file before its pages are touched one by one."""
    with suppress(OSError, AttributeError), path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)
