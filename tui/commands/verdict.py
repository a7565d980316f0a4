"""What `sdtui replay --verify` says: whether two images are the same, how far they are apart, and what could be why."""

from __future__ import annotations

from typing import Any, Final, cast

import msgspec
from PIL import Image, ImageChops, ImageStat

from sdcore.library.headers import Header
from sdcore.library.record import AddonUse
from sdcore.spec.facts import ImageFacts
from sdcore.spec.sanitise import sanitise
from tui.commands.console import FAILED, say, say_columns

_MADE_WITH: Final = {
    "software": "program",
    "torch": "torch",
    "device": "device",
    "dtype": "precision",
    "threads": "threads",
    "instructions": "instructions",
    "sparing": "sparing memory",
    "faster": "made faster",
    "family": "family",
}
"""What our record says of where an image was made, and what a person calls it."""
_IN_TEXTS: Final = ("model", "VAE")
"""What the `parameters` text says of that, too."""
_UNSAID: Final = "a model folder's text encoders and VAE"
_UNSAID_IN_TEXTS: Final = "the machine and its libraries, LoRAs, embeddings"
"""What has no hash, or no place there."""
_OFTEN_NOT: Final = ("sparing memory", "made faster")
"""An image does not say what was not done."""


def verdict(
    before: Image.Image, after: Image.Image, then: ImageFacts, now: ImageFacts, header: Header
) -> int:
    """Print the verdict and return the exit status: 0 where not one value of a pixel differs."""
    if before.size == after.size and ImageChops.difference(before, after).getbbox() is None:
        say("identical")
        return 0
    say(_apart(before, after))
    rows = [*differences(then, now), *_lossy(header)]
    say(_could_be_why([name for name, _, _ in rows], then))
    if rows:
        say_columns([("", "then", "now"), *rows])
    return FAILED


def _could_be_why(names: list[str], then: ImageFacts) -> str:
    if not names:
        unsaid = _UNSAID if then.exact else f"{_UNSAID_IN_TEXTS}, {_UNSAID}"
        return (
            "Nothing that the image says of how it was made differs; what it does not say may "
            f"({unsaid}), or it was changed since."
        )
    last = names.pop()
    return f"What is not as it was then: {', '.join(names) + ' and ' if names else ''}{last}."


def _apart(before: Image.Image, after: Image.Image) -> str:
    if before.size != after.size:
        return f"differs: {before.width}x{before.height} then, {after.width}x{after.height} now"
    difference = ImageChops.difference(before, after)
    red, green, blue = difference.split()
    counts = ImageChops.lighter(ImageChops.lighter(red, green), blue).histogram()
    total = before.width * before.height
    most = [high for _, high in cast(tuple[tuple[int, int], ...], difference.getextrema())]
    mean = ImageStat.Stat(difference).mean
    return (
        f"differs: {total - counts[0]:,} of {total:,} pixels; of 255 at most {_channels(most)}, "
        f"on average {_channels([float(f'{value:.3g}') for value in mean])}"
    )


def _channels(values: list[Any]) -> str:
    return " ".join(f"{name} {value:g}" for name, value in zip("RGB", values, strict=True))


def differences(then: ImageFacts, now: ImageFacts) -> list[tuple[str, str, str]]:
    """(What, then, now) of all that was not the same when both were made; "not said" where an image does not say."""
    made = [
        ("model", then.model_hash, now.model_hash),
        ("VAE", then.vae_hash, now.vae_hash),
        *_addons(then, now),
        *((name, then.extra.get(key), now.extra.get(key)) for key, name in _MADE_WITH.items()),
    ]
    ours = then.exact
    wrote = [] if ours else [("program", then.writer, now.writer)]
    told = made if ours else [row for row in made if row[0] in _IN_TEXTS and row[1]]
    return [(name, _said(name, old), _said(name, new)) for name, old, new in (*wrote, *told) if old != new]


def addons_of(facts: ImageFacts) -> tuple[AddonUse, ...]:
    """The LoRAs and embeddings that the image says it was made with."""
    return msgspec.convert(facts.extra.get("addons", ()), tuple[AddonUse, ...]) if facts.exact else ()


def _addons(then: ImageFacts, now: ImageFacts) -> list[tuple[str, Any, Any]]:
    """(What, its hash then, its hash now) of every LoRA and embedding."""
    old, new = (
        {sanitise(f"{one.kind} {one.name}", newlines=False): one.hash for one in addons_of(facts)}
        for facts in (then, now)
    )
    return [(name, old.get(name, "none"), new.get(name, "none")) for name in {**old, **new}]


def _said(name: str, value: Any) -> str:
    return str(value or ("no" if name in _OFTEN_NOT else "not said"))


def _lossy(header: Header) -> list[tuple[str, str, str]]:
    return [("file", f"{header.format}, which keeps pixels nearly", "PNG")] if header.format == "JPEG" else []
