"""What may be given to a client on another machine: the images that lie in the folder of the outputs or in those of the
library, and the runs beside them. Nothing that a link leads out of these to, nothing hidden, nothing of the trash."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from sdcore.library import config, paths, trash
from sdcore.library.index.scanning import is_below, is_image

_TRACE: Final = ".trace.safetensors"


class Grounds:
    """The folders as the settings name them now. Reads the disk; never raises."""

    def __init__(self) -> None:
        settings = config.load()[0]
        folders = (settings.outputs_dir(), *(Path(one).expanduser() for one in settings.library_folders))
        self._roots = [os.path.realpath(folder) for folder in folders]
        self._private = [os.path.realpath(folder) for folder in (trash.trash_dir(), paths.cache_dir())]

    def real(self, path: bytes) -> str | None:
        """Where a file that may be given lies once all links are followed, None if it may not be. It need not be
        there."""
        name = os.fsdecode(path)
        if b"\0" in path or not name.startswith("/"):
            return None
        if not (is_image(os.path.basename(name)) or name.lower().endswith(_TRACE)):  # noqa: PTH119
            return None
        real = os.path.realpath(name)
        root = next((root for root in self._roots if is_below(real, root)), None)
        if root is None or "/." in real[len(root) :] or any(is_below(real, one) for one in self._private):
            return None
        return real
