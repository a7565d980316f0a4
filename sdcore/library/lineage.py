"""Which image was forked from which: told by the images themselves, looked up by name beside one another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from sdcore.library.metadata import ImageFacts, MetadataError, read_image
from sdcore.spec.lineage import Parent, Segment
from sdcore.spec.recipe import Recipe

MOST_GENERATIONS: Final = 100
_MOST_SIBLINGS: Final = 5000


class Relative(msgspec.Struct, frozen=True):
    """An image in a family: how many forks it is away from the oldest known ancestor, the forward pass after which
    it left its parent (None for the oldest), and what of the recipe changed there. `there` is false for an ancestor
    whose file is gone."""

    path: Path
    generation: int
    step: int | None
    changed: tuple[str, ...]
    there: bool = True


def family(image: Path) -> list[Relative]:
    """The ancestors of an image, oldest first, the image, and below it everything in its folder that was forked from
    it, each behind its parent. One alone is no family: an empty list. Raises `MetadataError`."""
    line: list[tuple[Path, Parent | None, tuple[str, ...]]] = []
    path, wanted = image, True
    while wanted and len(line) < MOST_GENERATIONS and path not in [one for one, _, _ in line]:
        parent, changed = read_lineage(path) if path.is_file() or not line else (None, ())
        line.insert(0, (path, parent, changed))
        wanted = parent is not None and bool(parent.image)
        path = beside(parent.image, path) if parent is not None and wanted else path
    found = [
        Relative(path, generation, parent.step if parent else None, changed, path.is_file())
        for generation, (path, parent, changed) in enumerate(line)
    ]
    found += _descendants(image, len(line), _children(image.parent), {path for path, _, _ in line})
    return found if len(found) > 1 or found[0].step is not None else []


def tree_line(one: Relative, image: Path) -> str:
    """A member of the family of `image` as a line of its tree."""
    indent = "   " * (one.generation - 1) + "└─ " if one.generation else ""
    left = "" if one.step is None else f" after step {one.step}"
    changed = f": {', '.join(one.changed)}".replace("_", " ") if one.changed else ""
    mark = " ◂ this image" if one.path == image else "" if one.there else " (its file is gone)"
    return f"{indent}{one.path.name}{left}{changed}{mark}"


def read_lineage(image: Path) -> tuple[Parent | None, tuple[str, ...]]:
    """The parent that an image names, and the fields of the recipe that changed where it left it.

    Raises `MetadataError`.
    """
    return lineage_of(read_image(image))


def lineage_of(facts: ImageFacts) -> tuple[Parent | None, tuple[str, ...]]:
    """The same by what an image says. Never raises."""
    extra = facts.extra
    try:
        parent = msgspec.convert(extra.get("parent"), Parent | None)
        segments = msgspec.convert(extra.get("segments", []), tuple[Segment, ...])
    except msgspec.ValidationError:
        return None, ()  # it says something, and nothing that we ever wrote
    if parent is None or Path(parent.image).name != parent.image:
        return None, ()
    return parent, _changes(segments)


def _changes(segments: tuple[Segment, ...]) -> tuple[str, ...]:
    if len(segments) < 2:
        return ()
    before, after = segments[-2].recipe, segments[-1].recipe
    return tuple(name for name in Recipe.__struct_fields__ if getattr(before, name) != getattr(after, name))


def beside(name: str, child: Path) -> Path:
    """The image of that name in its child's folder, or in that of another day beside it."""
    near = child.parent / name
    if near.is_file() or not name:
        return near
    days = child.parent.parent.glob("????-??-??")
    return next((day / name for day in days if (day / name).is_file()), near)


def _children(folder: Path) -> dict[str, list[tuple[Path, int, tuple[str, ...]]]]:
    """The forks in a folder by the file name of their parent."""
    children: dict[str, list[tuple[Path, int, tuple[str, ...]]]] = {}
    for path in sorted(folder.glob("*.png"))[-_MOST_SIBLINGS:]:
        try:
            parent, changed = read_lineage(path)
        except MetadataError:
            continue
        if parent is not None:
            children.setdefault(parent.image, []).append((path, parent.step, changed))
    return children


def _descendants(
    image: Path,
    generation: int,
    children: dict[str, list[tuple[Path, int, tuple[str, ...]]]],
    seen: set[Path],
) -> Iterator[Relative]:
    for path, step, changed in children.get(image.name, []) if generation < MOST_GENERATIONS else []:
        if path not in seen:
            seen.add(path)
            yield Relative(path, generation, step, changed)
            yield from _descendants(path, generation + 1, children, seen)
