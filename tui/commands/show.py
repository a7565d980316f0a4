"""`sdtui show`: an image as terminal pixels."""

from __future__ import annotations

from argparse import Namespace

from PIL import Image

from sdcore.library.config import load
from sdcore.library.metadata import MetadataError, read_pixels
from tui.commands.console import CommandError, rich_console


def run(options: Namespace) -> int:
    """Print the image as large as the terminal allows."""
    try:
        image = read_pixels(options.image)
    except MetadataError as fault:
        raise CommandError(str(fault)) from fault
    print_image(image, options.color or load()[0].color)
    return 0


def print_image(image: Image.Image, color: str) -> None:
    """Print `image` on stdout in half blocks, two pixels a cell, fitted into the terminal."""
    from tui.term.pixels import render_image

    console = rich_console(color=color)
    console.print(render_image(image, console.width, max(1, console.height - 2), console.color_system))
