"""`sdtui inspect`: how was this image made?"""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any, Final

import msgspec

from sdcore.library.lineage import family, tree_line
from sdcore.library.metadata import ImageFacts, MetadataError, facts_of, read_texts
from tui.commands.console import CommandError, say, say_columns, say_json

_ALONE: Final = ("batch_size", 1)
"""What is true of every image by itself; the batch that it came from is told in its place."""
_TOLD_BY_LINEAGE: Final = ("parent", "segments")


def run(options: Namespace) -> int:
    """Print what the image says; an image that says nothing is no failure."""
    try:
        header = read_texts(options.image)
    except MetadataError as fault:
        raise CommandError(str(fault)) from fault
    facts = facts_of(header.texts)
    if options.json:
        said = msgspec.to_builtins(facts)
        del said["exact"]
        say_json(said)
    elif facts == ImageFacts():
        say(f"{options.image} does not say how it was made.")
    else:
        _say_facts(facts, f"{header.format}, {header.width} × {header.height}")
        _say_lineage(Path(options.image).absolute())
    return 0


def _say_facts(facts: ImageFacts, file: str) -> None:
    """The fields as we name them, then what no field knows as its writer named it; our own images have both in one."""
    said = msgspec.to_builtins(facts)
    extra, _ = said.pop("extra"), said.pop("exact")
    fields = [
        (name.replace("_", " "), _text(value))
        for name, value in said.items()
        if value not in (None, "", ()) and (name, value) != _ALONE
    ]
    told = [
        (name, _text(value))
        for name, value in extra.items()
        if name not in _TOLD_BY_LINEAGE or not facts.exact
    ]
    rows = [*fields, ("file", file)]
    if facts.exact:
        say_columns([*rows, *told])
        return
    say_columns(rows)
    if told:
        say(f"\nsaid by {facts.writer} besides")
        say_columns(told)


def _say_lineage(image: Path) -> None:
    """The forks that led to the image and that left it, as a tree."""
    found = family(image)
    if found:
        say("\nforked")
    for one in found:
        say(tree_line(one, image))


def _text(value: Any) -> str:
    """A value for a person: the values of a node or the like one after another, what is deeper as JSON."""
    if isinstance(value, dict) and not any(isinstance(one, dict | list) for one in value.values()):
        return " · ".join(f"{name} {_text(one)}".rstrip() for name, one in value.items())
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
