"""What the library of the engine's machine answers to a client on another one, as functions of its catalogue."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sdcore.engine import messages as m
from sdcore.engine.packing import MOST_IDS, PackingError, pack_ids, pack_rows, pack_texts
from sdcore.library import config, folder_settings, marks, searches
from sdcore.library.catalogue import Catalogue
from sdcore.library.grounds import Grounds
from sdcore.library.metadata import MetadataError, read_texts
from sdcore.library.outputs import OutputError
from sdcore.library.trash import TrashError
from sdcore.spec.sanitise import sanitise

ALREADY: Final = "The images of {} are shown already."
MOST_ROWS: Final = 500
"""In one message."""
MOST_IN_SHEET: Final = 400
_MOST_SIDE: Final = 2048
_QUALITY: Final = 80


def find(catalogue: Catalogue, command: m.FindImages) -> m.ImagesFound:
    """A part of what a search found."""
    found = catalogue.find(command.text)
    count, first = min(max(0, command.count), MOST_IDS), max(0, command.first)
    try:
        at = found.ids.index(command.at)
    except ValueError:
        at = -1
    if at >= 0 and not first <= at < first + count:
        first = max(0, at - count // 2)
    ids = found.ids[first : first + count]
    rows, _ = pack_rows(catalogue.rows(ids[: min(max(0, command.rows), MOST_ROWS)]), whole=False)
    return m.ImagesFound(
        request=command.request,
        version=found.version,
        count=len(found.ids),
        total=found.total,
        at=at,
        first=first,
        ids=pack_ids(ids),
        rows=rows,
    )


def known(catalogue: Catalogue, command: m.GetImages) -> m.ImagesKnown:
    """What the index has of images: as much as fits."""
    asked = command.ids[:MOST_ROWS]
    rows = catalogue.rows(asked)
    packed, count = pack_rows(rows, whole=command.whole)
    seen = len(asked) if count == len(rows) else asked.index(rows[count].id)
    return m.ImagesKnown(request=command.request, rows=packed, seen=seen)


def texts(catalogue: Catalogue, command: m.GetTexts) -> m.TextsRead:
    """What a file says."""
    path = Grounds().real(command.path)
    if path is None:
        return m.TextsRead(request=command.request, problem=_refused(command.path))
    try:
        header, about = read_texts(path), Path(path).stat()
        packed = pack_texts(header.texts)
    except (MetadataError, PackingError, OSError) as fault:
        return m.TextsRead(request=command.request, problem=str(fault))
    return m.TextsRead(
        request=command.request,
        texts=packed,
        width=header.width,
        height=header.height,
        size=about.st_size,
        changed=about.st_mtime,
    )


def picture(catalogue: Catalogue, command: m.GetPicture) -> m.ThumbMade:
    """A small copy of an image."""
    side = max(1, min(command.side, _MOST_SIDE))
    data = small_copy(Grounds().real(command.path), side)
    return m.ThumbMade(request=command.request, path=command.path, side=command.side, data=data)


def small_copy(path: str | None, side: int) -> bytes:
    """The image at `path` as a WebP file of few bytes, `side` pixels the longer side at most; empty where there is
    none."""
    from sdcore.library.thumbnails import thumbnail

    image = thumbnail(path, (side, side)) if path is not None else None
    file = io.BytesIO()
    if image is not None:
        image.save(file, "WEBP", quality=_QUALITY, method=4)
    return file.getvalue()


def lists(catalogue: Catalogue, command: m.GetLists) -> m.LibraryLists:
    """All tags, saved searches and folders."""
    return m.LibraryLists(
        request=command.request,
        tags=tuple(catalogue.tags()),
        searches=searches.read(),
        outputs=_text(str(config.load()[0].outputs_dir())),
        folders=tuple(map(_text, folder_settings.listed_folders("library_folders"))),
    )


def mark(catalogue: Catalogue, command: m.MarkImages) -> m.LibraryDone:
    """Other stars and tags."""
    paths, problem = _given(command.paths)
    try:
        if command.star is not None:
            marks.set_star(paths, command.star)
        if command.new:
            marks.add_tags(paths, command.new)
        if command.old:
            marks.remove_tags(paths, command.old)
    except marks.MarksError as fault:
        problem = str(fault)
    return m.LibraryDone(request=command.request, problem=problem)


def throw(catalogue: Catalogue, command: m.ThrowImages) -> m.ImagesThrown:
    """Away with images."""
    paths, problem = _given(command.paths)
    if not paths:
        return m.ImagesThrown(request=command.request, problem=problem)
    try:
        removed = catalogue.throw(paths)
    except TrashError as fault:
        return m.ImagesThrown(request=command.request, problem=str(fault))
    problems = tuple(filter(None, (*removed.problems, problem)))
    gone = tuple(map(os.fsencode, removed.gone))
    return m.ImagesThrown(request=command.request, thrown=removed.name, gone=gone, problems=problems)


def restore(catalogue: Catalogue, command: m.RestoreImages) -> m.LibraryDone:
    """Back with them."""
    problems = catalogue.restore(command.thrown)
    return m.LibraryDone(request=command.request, problem=next(iter(problems), ""))


def keep_search(catalogue: Catalogue, command: m.KeepSearch) -> m.LibraryDone:
    """Another saved search, or one less."""
    try:
        if command.query is None:
            searches.remove(command.name)
        else:
            searches.add(command.name, command.query)
    except searches.SearchesError as fault:
        return m.LibraryDone(request=command.request, problem=str(fault))
    return m.LibraryDone(request=command.request)


def add_folder(catalogue: Catalogue, command: m.AddFolder) -> m.LibraryDone:
    """Another folder, or one less."""
    if command.on:
        problem = folder_settings.add_folder(command.folder, "library_folders", ALREADY)
    else:
        problem = folder_settings.remove_folder(command.folder, "library_folders")
    return m.LibraryDone(request=command.request, problem=problem)


def sheet(catalogue: Catalogue, command: m.MakeSheet) -> m.LibraryDone:
    """Many images as one."""
    from sdcore.library.grids import save_sheet

    paths, problem = _given(command.paths[:MOST_IN_SHEET])
    if problem or not paths:
        return m.LibraryDone(request=command.request, problem=problem)
    try:
        path = save_sheet([Path(path) for path in paths])
    except (OutputError, MemoryError, OSError) as fault:
        reason = str(fault) or "There is not enough memory to put so many images together."
        return m.LibraryDone(request=command.request, problem=reason)
    return m.LibraryDone(request=command.request, path=os.fsencode(path))


def _text(path: str) -> str:
    return path.encode("utf-8", "replace").decode()


def _given(paths: Sequence[bytes]) -> tuple[list[str], str]:
    """Those of the paths that something may be done with, and why not with the others."""
    grounds = Grounds()
    allowed = [path for path in paths if grounds.real(path) is not None]
    refused = next((path for path in paths if path not in allowed), None)
    return [os.fsdecode(path) for path in allowed], "" if refused is None else _refused(refused)


def _refused(path: bytes) -> str:
    name = os.path.basename(os.fsdecode(path))  # noqa: PTH119
    return f"{sanitise(name, newlines=False)[:200]} lies in no folder of the library, so it is not given out."
