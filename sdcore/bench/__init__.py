"""Our loop beside diffusers' own pipelines: the same weights, recipe and process, in turns.

`python -m sdcore.bench` (or `sdtui bench`) prints figures and their ratios; the ratios are what counts, since both
sides meet the same machine in the same minute.
"""

from __future__ import annotations

from sdcore.bench.command import main
from sdcore.bench.sides import make_image

__all__ = ["main", "make_image"]
