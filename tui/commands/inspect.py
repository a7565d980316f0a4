"""`sdtui inspect`: how was this image made?"""

from __future__ import annotations

from argparse import Namespace

import msgspec

from sdcore.library.metadata import ImageFacts, MetadataError, read_image
from tui.commands.console import CommandError, say, say_columns, say_json


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
        say_columns((name, _text(value)) for name, value in {**shown, **extra}.items())
    return 0


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
