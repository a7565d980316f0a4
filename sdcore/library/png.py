"""How images are packed into PNG files."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Final

AS_PNG: Final[Mapping[str, int]] = {"compress_type": zlib.Z_RLE}
"""What Pillow is told when it writes one. What a row's filter leaves of an image repeats nowhere, so to look for
repetitions, as zlib does by itself, is most of the time and gains nothing: without it a photograph of 1024 x 1024
pixels takes a fourth of the time, and is as large."""
