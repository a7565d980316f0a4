"""What a prompt can name besides words: LoRA files and textual inversions, and what they say of themselves. No torch.

All text in these files is somebody else's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

import msgspec

from sdcore.inversion_file import inversion_problem
from sdcore.library.folders import FoundFile, Place, Stop, look_at, roots, walk
from sdcore.library.hashes import sha256_of
from sdcore.library.record import AddonUse
from sdcore.spec.found import Addon, AddonKind
from sdcore.spec.sanitise import sanitise
from sdcore.weights import Header, HeaderError, read_header

KINDS: Final[tuple[AddonKind, ...]] = ("LoRA", "textual inversion")
MOST_WORDS: Final = 8
"""So many words that a LoRA was trained on are told, the most frequent first."""
HASH_LENGTH: Final = 12
_LONGEST_WORD: Final = 80
_LAYOUTS: Final = ("kohya", "peft", "diffusers", "LoHa", "LoKr")
"""The layouts of LoRA files that are read (see `sniff.Sniffed`)."""


def find_addons(folders: Iterable[str] | None = None, stop: Stop | None = None) -> list[Addon]:
    """All LoRA files and textual inversions, LoRAs first, by name; see `folders.find_files`. Never fails."""
    return look_into(places(folders, stop))


def places(folders: Iterable[str] | None = None, stop: Stop | None = None) -> list[Place]:
    """Where files of weights lie that may be some, without a look into any. Never fails."""
    return [place for place in walk(roots(folders), stop) if not place.folder]


def look_into(where: Iterable[Place]) -> list[Addon]:
    """Those of the files that are LoRAs or textual inversions, in the order of `find_addons`. Never fails."""
    found = (look_at(place) for place in where)
    addons = {file.path: _describe(file) for file in found if file is not None and file.sniffed.kind in KINDS}
    return sorted(addons.values(), key=lambda one: (KINDS.index(one.kind), one.name.casefold(), one.path))


def use_of(addon: Addon) -> AddonUse:
    """What an image's record says of an add-on that it was made with, its hash "" where the file is gone. Reads all of
    the file the first time."""
    try:
        start = read_header(addon.path).data_start if addon.kind == "LoRA" else 0
        digits = sha256_of(addon.path, start=start)[:HASH_LENGTH]
    except (HeaderError, OSError):
        digits = ""
    return AddonUse(kind=addon.kind, name=addon.name, hash=digits)


@lru_cache(maxsize=4096)
def _describe(file: FoundFile) -> Addon:
    sniffed = file.sniffed
    kind: AddonKind = "LoRA" if sniffed.kind == "LoRA" else "textual inversion"
    header = None if file.problem else _header(file.path)
    problem = f"{_shown(file.name)} {file.problem}" if sniffed.problem and file.problem else file.problem
    if kind == "LoRA" and sniffed.layout not in ("", *_LAYOUTS):
        problem = f"{_shown(file.name)} is an {sniffed.layout}, a form that is not read yet."
    if kind == "textual inversion" and header is not None:
        problem = inversion_problem(file.path, header)
    return Addon(
        kind=kind,
        name=file.name,
        path=file.path,
        families=sniffed.families,
        bytes=file.bytes,
        alias="" if header is None else header.metadata.get("ss_output_name", "").strip(),
        words=() if header is None else trigger_words(header.metadata),
        vectors=_vectors(header) if kind == "textual inversion" and header is not None else 0,
        problem=problem,
    )


def _header(path: str) -> Header | None:
    try:
        return read_header(path)
    except HeaderError:
        return None


def trigger_words(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """What to write so that a LoRA shows: the phrase that its metadata name (`modelspec.trigger_phrase`), else the
    most frequent tags that it was trained on (`ss_tag_frequency`)."""
    phrase = metadata.get("modelspec.trigger_phrase", "").strip()
    if phrase:
        return tuple(word for part in phrase.split(",")[:MOST_WORDS] if (word := _word(part)))
    counts: Counter[str] = Counter()
    for tags in _tags(metadata.get("ss_tag_frequency", "")).values():
        for tag, count in tags.items():
            counts[_word(tag)] += count
    return tuple(word for word, _ in counts.most_common(MOST_WORDS) if word)


def _tags(text: str) -> dict[str, dict[str, int]]:
    """How often each tag occurs, by folder of the training images, as kohya's trainer writes it."""
    try:
        return msgspec.json.decode(text, type=dict[str, dict[str, int]]) if text else {}
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return {}


def _word(text: str) -> str:
    return text.strip()[:_LONGEST_WORD]


def _vectors(header: Header) -> int:
    """The most rows of its matrices: a textual inversion for two encoders has as many for both."""
    return max((info.shape[0] if len(info.shape) > 1 else 1 for info in header.tensors.values()), default=0)


def _shown(text: str) -> str:
    return sanitise(text, newlines=False)[:100]
