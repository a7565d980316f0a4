"""From a file to what the index keeps of it."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from sdcore.library.index.asking import SEED_END
from sdcore.library.index.scanning import Stamp
from sdcore.library.metadata import MetadataError, facts_of, read_texts
from sdcore.spec.facts import ImageFacts
from sdcore.spec.sanitise import sanitise

_log = logging.getLogger(__name__)

MAX_TEXT: Final = 20_000
MAX_LABEL: Final = 300
_GREATEST: Final = 1e300
_LAST_SECOND: Final = 4e9
"""Years from 1970 to 2096: a time beyond them is a mistake."""


class Reading(NamedTuple):
    """An image as the index has it (see `schema`), `folder` and `name` as they are on disk."""

    folder: str
    name: str
    stamp: Stamp
    created: float
    width: int = 0
    height: int = 0
    steps: int | None = None
    guidance_scale: float | None = None
    seed: str | None = None
    sampler: str | None = None
    model: str | None = None
    writer: str | None = None
    problem: str = ""
    prompt: str = ""
    negative_prompt: str = ""


def read(folder: str, name: str, stamp: Stamp) -> Reading:
    """Read one file. Never raises: what cannot be read has a `problem`."""
    path = os.path.join(folder, name)  # noqa: PTH118  some microseconds, not ten
    changed = min(max(0.0, stamp.changed / 1e9), _LAST_SECOND)
    try:
        header = read_texts(path)
        facts = facts_of(header.texts)
    except MetadataError as fault:
        return Reading(folder, name, stamp, changed, problem=_text(str(fault), MAX_LABEL))
    except Exception as fault:  # one file that is cleverer than its reader must not end the reading of all
        _log.exception("an image could not be read")
        problem = f"{sanitise(name, newlines=False)} could not be read: {type(fault).__name__}."
        return Reading(folder, name, stamp, changed, problem=_text(problem, MAX_LABEL))
    return Reading(
        folder=folder,
        name=name,
        stamp=stamp,
        created=_created(facts, changed),
        width=header.width,
        height=header.height,
        steps=_whole(facts.steps),
        guidance_scale=_real(facts.guidance_scale),
        seed=f"{facts.seed:020d}" if facts.seed is not None and 0 <= facts.seed <= SEED_END else None,
        sampler=_label(facts.sampler),
        model=_label(facts.model),
        writer=_label(facts.writer),
        prompt=_text(facts.prompt or "", MAX_TEXT),
        negative_prompt=_text(facts.negative_prompt or "", MAX_TEXT),
    )


def _created(facts: ImageFacts, changed: float) -> float:
    """When the image was made, if it says so; copies often have another time of change."""
    extra: Mapping[str, Any] = facts.extra
    try:
        made = datetime.fromisoformat(extra.get("created", "")).timestamp()
    except (TypeError, ValueError, OverflowError, OSError):
        return changed
    return made if 0 < made < _LAST_SECOND else changed


def _whole(number: int | None) -> int | None:
    return number if number is not None and abs(number) < 2**63 else None


def _real(number: float | None) -> float | None:
    """SQLite has no NaN, and nobody an infinite guidance."""
    return float(number) if number is not None and abs(number) < _GREATEST else None


def _label(text: str | None) -> str | None:
    return _text(text, MAX_LABEL) if text else None


def _text(text: str, most: int) -> str:
    """SQLite takes no half of a surrogate pair, and ends texts at a NUL in places."""
    return text[:most].replace("\0", "\ufffd").encode("utf-8", "replace").decode()
