"""Pixels: our renderer beside rich_pixels' own, and live frames, in one run.

    python -m tests.bench.bench_pixels

Each picture is drawn once: rich_pixels remembers styles, and a second time would be nothing like the first.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageDraw
from rich_pixels import Pixels

from tui.term.frames import ansi_lines, frame_codes
from tui.term.palette import Depth, warm_up
from tui.term.pixels import HalfCellRenderer, resize

CELLS = (80, 40)
PICTURES = 24
DEPTHS: tuple[Depth, ...] = ("truecolor", "256", "standard")


def picture(seed: int) -> Image.Image:
    """A sky with a gradient, some noise of a photograph, and a few edges."""
    rng = np.random.default_rng(seed)
    corners = Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8))
    smooth = np.asarray(corners.resize((512, 512), Image.Resampling.BICUBIC), np.int16)
    grain = rng.integers(-4, 5, smooth.shape)
    image = Image.fromarray((smooth + grain).clip(0, 255).astype(np.uint8))
    box = sorted(rng.integers(0, 512, 2).tolist())
    ImageDraw.Draw(image).ellipse(
        (box[0], box[0], box[1] + 1, box[1] + 1), tuple(rng.integers(0, 256, 3).tolist())
    )
    return resize(image, *CELLS)


def median_ms(pictures: Sequence[Image.Image], *drawings: Callable[[Image.Image], object]) -> list[float]:
    """For each of `drawings`, done in turn, the median over the pictures of its milliseconds of CPU."""
    times: list[list[float]] = [[] for _ in drawings]
    for image in pictures:
        for draw, spent in zip(drawings, times, strict=True):
            start = time.thread_time()
            draw(image)
            spent.append(time.thread_time() - start)
    return [statistics.median(spent) * 1000 for spent in times]


def live(depth: Depth) -> Callable[[Image.Image], list[str]]:
    """The drawing of a live frame, from pixels to finished lines."""
    return lambda image: ansi_lines(frame_codes(np.asarray(image), depth), depth)


def main() -> None:
    """Print one line a way of drawing."""
    pictures = [picture(seed) for seed in range(PICTURES)]
    renderer = HalfCellRenderer()
    for depth in DEPTHS:
        warm_up(depth)
    stock, ours, *frames = median_ms(
        pictures,
        Pixels.from_image,
        lambda image: Pixels.from_image(image, renderer=renderer),
        *map(live, DEPTHS),
    )
    print(f"{CELLS[0]}x{CELLS[1]} cells, milliseconds of CPU, median of {PICTURES} pictures")
    print(f"rich_pixels            {stock:6.1f}")
    print(f"our renderer           {ours:6.1f}   {stock / ours:5.1f} times as fast")
    for depth, spent in zip(DEPTHS, frames, strict=True):
        size = statistics.median(sum(len(line.encode()) for line in live(depth)(image)) for image in pictures)
        print(
            f"live frame, {depth:10} {spent:6.1f}   {stock / spent:5.1f} times as fast   {size / 1000:.0f} KB"
        )


if __name__ == "__main__":
    main()
