"""`sdtui show`: an image in the terminal, in the best way that the terminal has."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Callable, Mapping
from typing import Final

from PIL import Image

from sdcore.library.config import load
from sdcore.library.metadata import MetadataError, read_pixels
from tui.commands.console import CommandError, rich_console
from tui.term import colour
from tui.term.capabilities import Capabilities
from tui.term.graphics.ways import Pictures, Way
from tui.term.palette import Depth, depth_of
from tui.term.probe import examine

_CELL: Final = (8, 16)
"""Pixels of a cell where the terminal does not say."""


def run(options: Namespace) -> int:
    """Print the image as large as the terminal allows."""
    try:
        image = read_pixels(options.image)
    except MetadataError as fault:
        raise CommandError(str(fault)) from fault
    if not (sys.stdout.isatty() or options.way or options.color):
        raise CommandError(
            "The output is no terminal; say how to write the image: --as halfblocks, for example."
        )
    print_image(image, options.color or load()[0].color, options.way)
    return 0


def print_image(image: Image.Image, color: str, wanted: str | None = None) -> None:
    """Print `image` on stdout, fitted into the terminal: in the way `wanted`, or the one of the settings, which may be
    the best that the terminal has. Into a pipe it goes in half blocks where no way is wanted."""
    from tui.term.pixels import fit, flatten

    terminal = sys.stdout.isatty()
    found = examine() if terminal else Capabilities()
    pictures = Pictures(wanted or (load()[0].pictures if terminal else "halfblocks"))
    pictures.know(found)

    def ask(environ: Mapping[str, str]) -> bool | None:
        return found.truecolor if found.truecolor is not None else colour.ask_tmux_alone(environ)

    image = flatten(image)
    if os.environ.get("NO_COLOR"):
        image = image.convert("L").convert("RGB")
    console = rich_console(color=color, ask=ask)
    columns, rows = fit(*image.size, console.width, max(1, console.height - 2))
    text = _WAYS[pictures.way](image, columns, rows, pictures, depth_of(console.color_system))
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _halfblocks(image: Image.Image, columns: int, rows: int, pictures: Pictures, depth: Depth) -> str:
    import numpy as np

    from tui.term.frames import ansi_lines, frame_codes
    from tui.term.pixels import resize

    return "\n".join(ansi_lines(frame_codes(np.asarray(resize(image, columns, rows)), depth, 8), depth))


def _quadrants(image: Image.Image, columns: int, rows: int, pictures: Pictures, depth: Depth) -> str:
    import numpy as np

    from tui.term.graphics.quadrants import quadrant_cells, quadrant_lines
    from tui.term.pixels import resize

    cells = quadrant_cells(np.asarray(resize(image, 2 * columns, rows)), depth, 8)
    return "\n".join(quadrant_lines(*cells, depth))


def _kitty(image: Image.Image, columns: int, rows: int, pictures: Pictures, depth: Depth) -> str:
    from tui.term.graphics.kitty import direct, placeholder_lines, transmission
    from tui.term.graphics.payload import png, scaled

    data = png(scaled(image, columns, rows, pictures.found.cell))
    if not pictures.tmux:
        return direct(data, columns, rows)
    number = pictures.numbers.take(depth)
    lines = placeholder_lines(number, columns, rows, depth)
    return "".join(transmission(number, data, columns, rows, tmux=True)) + "\n".join(lines)


def _iterm(image: Image.Image, columns: int, rows: int, pictures: Pictures, depth: Depth) -> str:
    from tui.term.graphics.iterm import inline
    from tui.term.graphics.payload import compact, scaled

    below = "\n" * rows
    up = f"\x1b[{rows}A"
    return f"{below}{up}{inline(compact(scaled(image, columns, rows, pictures.found.cell)), columns, rows)}{below}"


def _sixel(image: Image.Image, columns: int, rows: int, pictures: Pictures, depth: Depth) -> str:
    from tui.term.graphics.payload import scaled
    from tui.term.graphics.sixel import sixels

    return sixels(scaled(image, columns, rows, pictures.found.cell or _CELL, exact=True))


_WAYS: Final[dict[Way, Callable[[Image.Image, int, int, Pictures, Depth], str]]] = {
    "kitty": _kitty,
    "iterm": _iterm,
    "sixel": _sixel,
    "quadrants": _quadrants,
    "halfblocks": _halfblocks,
}
