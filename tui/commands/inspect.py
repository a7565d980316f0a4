"""`sdtui inspect`: how was this image made?"""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Final

import msgspec

from sdcore.library.lineage import family, tree_line
from sdcore.library.metadata import ImageFacts, MetadataError, read_image
from tui.commands.console import CommandError, say, say_columns, say_json

_TOLD_BY_LINEAGE: Final = ("parent", "segments")


def run(options: Namespace) -> int:
    """Print what the image says; an image that says nothing is no failure."""
    try:
        facts = read_image(options.image)
    except MetadataError as fault:
        raise CommandError(str(fault)) from fault
    said = msgspec.to_builtins(facts)
    del said["exact"]
    if options.json:
        say_json(said)
    elif facts == ImageFacts():
        say(f"{options.image} does not say how it was made.")
    else:
        extra = said.pop("extra")
        shown = {name.replace("_", " "): value for name, value in said.items() if value not in (None, "", ())}
        told = {
            name: value for name, value in extra.items() if name not in _TOLD_BY_LINEAGE or not facts.exact
        }
        say_columns((name, _text(value)) for name, value in {**shown, **told}.items())
        _say_lineage(Path(options.image).absolute())
    return 0


def _say_lineage(image: Path) -> None:
    """The forks that led to the image and that left it, as a tree."""
    found = family(image)
    if found:
        say("\nforked")
    for one in found:
        say(tree_line(one, image))


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
