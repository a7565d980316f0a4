"""Tiny random-weight models in the official layouts, made by the tests in milliseconds."""

from __future__ import annotations

from tests.models.folders import INPAINTING, make_sd1, make_sd2, make_sdxl
from tests.models.parts import WIDTH, byte_tokenizer
from tests.models.single_file import make_single_file

__all__ = [
    "INPAINTING",
    "WIDTH",
    "byte_tokenizer",
    "make_sd1",
    "make_sd2",
    "make_sdxl",
    "make_single_file",
]
