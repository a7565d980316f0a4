"""Where a recorded run is kept: beside its image."""

from __future__ import annotations

from pathlib import Path
from typing import Final

TRACE_SUFFIX: Final = ".trace.safetensors"


def trace_path(image: Path) -> Path:
    """Where the trace of the run that made `image` is kept."""
    return image.with_name(image.stem + TRACE_SUFFIX)
