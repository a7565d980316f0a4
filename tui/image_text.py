"""What is known of an image, as text beside it. All of it is somebody else's words."""

from __future__ import annotations

import json
import textwrap
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
from textual.content import Content

from sdcore.spec.facts import ImageFacts
from sdcore.spec.recipe import Recipe
from sdcore.spec.sanitise import sanitise
from tui.shortening import shortened

if TYPE_CHECKING:
    from sdcore.library.index import Row

_LABEL: Final = 12
_LONGEST: Final = 4000
"""Characters of a text that are shown."""
_LONGEST_EXTRA: Final = 400
_MOST_EXTRAS: Final = 60
_SAID_APART: Final = frozenset({"prompt", "negative_prompt", "width", "height"})
_NAMES: Final = {
    "guidance_scale": "guidance",
    "guidance_rescale": "rescale",
    "clip_skip": "CLIP skip",
    "instructions": "CPU",
    "model_hash": "hash",
    "vae_hash": "VAE hash",
    "init_image": "from image",
    "mask_image": "mask",
    "hires_strength": "hires",
    "hires_upscaler": "upscaler",
    "variation_seed": "variation",
    "variation_strength": "by",
}
"""What fields are called where their names would be long."""
_NOT_SHOWN: Final = frozenset({"parent", "segments", "created", "software"})
"""Of our own record what is told elsewhere."""
_USUAL: Final = (("batch_size", 1),)
_UNITS: Final = ("B", "kB", "MB", "GB")


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to say of the image at `path`. `origin` are lines on what it was forked from; `problem` says why
    it cannot be read."""

    path: str
    width: int = 0
    height: int = 0
    bytes: int = 0
    created: float = 0.0
    star: bool = False
    tags: tuple[str, ...] = ()
    facts: ImageFacts = ImageFacts()
    origin: tuple[str, ...] = ()
    problem: str = ""


def told_by(row: Row) -> Told:
    """What the index knows."""
    names = ("prompt", "negative_prompt", "seed", "steps", "sampler", "model", "guidance_scale", "writer")
    facts = ImageFacts(**{name: getattr(row, name) for name in names})
    return Told(path=row.path, width=row.width, height=row.height, bytes=row.bytes, created=row.created,
                star=row.star, tags=row.tags, facts=facts, problem=row.problem)  # fmt: skip


def tell(path: Path | str, known: Told | None = None) -> Told:
    """What the file itself says, besides what is known already. Reads the disk: call it on a thread. Never raises."""
    from sdcore.library.metadata import MetadataError, open_image, read_texts

    told = known or Told(path=str(path))
    try:
        texts, about = read_texts(path).texts, Path(path).stat()
        with open_image(path) as image:
            width, height = image.size
    except (MetadataError, OSError) as fault:
        return msgspec.structs.replace(told, problem=told.problem or str(fault))
    return with_texts(told, texts, (width, height), about.st_size, about.st_mtime)


def with_texts(told: Told, texts: dict[str, str], size: tuple[int, int], count: int, changed: float) -> Told:
    """What the texts of a file say, besides what is known already: of a picture of that size in pixels, in a file of
    `count` bytes that was last changed then (epoch seconds)."""
    from sdcore.library.lineage import lineage_of
    from sdcore.library.metadata import facts_of

    facts = facts_of(texts)
    parent, changes = lineage_of(facts)
    origin: tuple[str, ...] = ()
    if parent is not None:
        what = f" with another {', '.join(changes)}".replace("_", " ") if changes else ""
        origin = (f"{parent.image or 'an image that was not saved'}, after step {parent.step}{what}",)
    return msgspec.structs.replace(
        told, facts=facts, origin=origin, width=size[0], height=size[1], bytes=count, created=told.created or changed
    )  # fmt: skip


def details_text(told: Told, width: int) -> Content:
    """Name, words, parameters, origin, and what no field of ours knows, for a column of `width` cells."""
    facts, room = told.facts, max(20, width)
    signs = [*(["★"] if told.star else []), *told.tags]
    parts = [
        _text(shortened(sanitise(Path(told.path).name, newlines=False), room), "$bright"),
        _text(" · ".join(_file_facts(told)), "$dim"),
        _text(" · ".join(sanitise(sign, newlines=False) for sign in signs), "$accent"),
        _text(sanitise(told.problem, newlines=False), "$alert"),
        *_words("", facts.prompt, "$normal"),
        *_words("without  ", facts.negative_prompt, "$dim"),
    ]
    rows = [(_NAMES.get(name, name.replace("_", " ")), value) for name, value in _parameters(facts)]
    rows += [("writer", facts.writer)] if facts.writer and facts.writer != "sdtui" else []
    rows += [("from", line) for line in told.origin]
    extras = [(key, value) for key, value in facts.extra.items() if key not in _NOT_SHOWN and value]
    lines = [part for part in parts if part.plain]
    lines += _table(rows, room) if rows else []
    lines += _table(extras[:_MOST_EXTRAS], room) if extras else []
    if not (facts.writer or facts.prompt or told.problem or rows):
        lines.append(_text("\nIt does not say how it was made.", "$dim"))
    lines.append(_text(f"\n{sanitise(home_path(told.path), newlines=False)}", "$dim"))
    return Content("\n").join(lines)


def home_path(path: str) -> str:
    """A path with the home folder as `~`."""
    home = str(Path.home())
    return f"~{path[len(home) :]}" if path.startswith(f"{home}/") else path


def size_of(count: int) -> str:
    """Bytes as a person reads them: 412 kB."""
    size, unit = float(count), 0
    while size >= 999.5 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.{1 if unit and size < 9.95 else 0}f} {_UNITS[unit]}"


def day_of(seconds: float) -> str:
    """Epoch seconds as a day and a time of the local zone; "" where no clock reaches them."""
    try:
        return f"{datetime.fromtimestamp(seconds):%Y-%m-%d %H:%M}" if seconds else ""
    except (OverflowError, OSError, ValueError):
        return ""


def _file_facts(told: Told) -> list[str]:
    size = f"{told.width} × {told.height}" if told.width else ""
    return [part for part in (size, size_of(told.bytes) if told.bytes else "", day_of(told.created)) if part]


def _words(label: str, text: str | None, tone: str) -> list[Content]:
    if not text:
        return []
    shown = sanitise(text[:_LONGEST]) + (" …" if len(text) > _LONGEST else "")
    return [Content.styled(f"\n{label}", "$dim") + Content.styled(shown, tone)]


def _parameters(facts: ImageFacts) -> list[tuple[str, Any]]:
    names = [*Recipe.__struct_fields__, "model_hash", "vae_hash"]
    return [
        (name, value)
        for name in names
        if name not in _SAID_APART
        and (value := getattr(facts, name, None)) not in (None, "", ())
        and (name, value) not in _USUAL
    ]


def _table(rows: list[tuple[str, Any]], width: int) -> list[Content]:
    """Names and values below one another, after an empty line; a long name has a line for itself."""
    lines = [Content("")]
    for name, value in rows:
        label = sanitise(str(name)[:_LONGEST_EXTRA], newlines=False)
        said = sanitise(_said(value), newlines=False)
        wrapped = textwrap.wrap(said, max(8, width - _LABEL)) or [""]
        if len(label) >= _LABEL:
            lines.append(_text(label, "$dim"))
            label = ""
        for place, line in enumerate(wrapped):
            head = label if place == 0 else ""
            lines.append(_text(head.ljust(_LABEL), "$dim") + _text(line, "$normal"))
    return lines


def _said(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if not isinstance(value, str):
        value = ", ".join(map(str, value)) if isinstance(value, tuple) else json.dumps(value, default=str)
    return value if len(value) <= _LONGEST_EXTRA else f"{value[:_LONGEST_EXTRA]} …"


def _text(text: str, tone: str) -> Content:
    return Content.styled(text, tone)
