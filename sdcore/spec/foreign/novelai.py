"""NovelAI: `Software: NovelAI` with JSON in `Comment`, the prompt in `Description` and the model in `Source`.

Its `{word}` weighs a word by 1.05 and `[word]` by 1 / 1.05. Both stay in the prompt as written, since our grammar means
other numbers by brackets and none by braces. Source: images of NovelAI's versions 1 to 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sdcore.spec import values
from sdcore.spec.facts import ImageFacts
from sdcore.spec.foreign.reading import Texts, facts, load_object, understand

WRITER: Final = "NovelAI"

_FIELDS: Final[Mapping[str, values.Understand]] = {
    "prompt": values.text("prompt"),
    "uc": values.text("negative_prompt"),
    "steps": values.whole("steps"),
    "width": values.whole("width"),
    "height": values.whole("height"),
    "scale": values.real("guidance_scale"),
    "cfg_rescale": values.real("guidance_rescale"),
    "seed": values.seed("seed"),
    "sampler": values.word("sampler"),
    "noise_schedule": values.word("schedule"),
    "strength": values.real("strength"),
}
_SIGNS: Final = ("uc", "sampler", "scale")


def read(text: str, texts: Texts) -> ImageFacts | None:
    """What NovelAI says, None when another wrote a comment."""
    said = load_object(text)
    if said is None:
        return None
    inner = said.get("Comment")
    if isinstance(inner, str):  # WebP files hold all the chunks in one
        texts = {**{key: value for key, value in said.items() if isinstance(value, str)}, **texts}
        said = load_object(inner) or {}
    if texts.get("Software") != WRITER and not all(sign in said for sign in _SIGNS):
        return None
    fields, extra = understand(said, _FIELDS)
    # Version 4 has these in every image; they matter only to one that started from another.
    if said.get("request_type") == "PromptGenerateRequest" and "strength" in fields:
        extra["strength"] = fields.pop("strength")
    fields |= _caption(said.get("v4_prompt"), "prompt") | _caption(
        said.get("v4_negative_prompt"), "negative_prompt"
    )
    fields.setdefault("prompt", texts.get("Description", "")[: values.MOST_SAID])
    fields |= values.word("model")(texts.get("Source")) or {}
    return facts(WRITER, fields, extra)


def _caption(said: Any, field: str) -> dict[str, str]:
    """The prompt of version 4, whose characters are described one by one."""
    caption = said.get("caption") if isinstance(said, dict) else None
    base = caption.get("base_caption") if isinstance(caption, dict) else None
    if not isinstance(base, str) or not isinstance(caption, dict):
        return {}
    each = caption.get("char_captions")
    people = (
        [one.get("char_caption") for one in each if isinstance(one, dict)] if isinstance(each, list) else []
    )
    parts = [part for part in (base, *people) if isinstance(part, str) and part]
    return {field: " | ".join(parts)[: values.MOST_SAID]}
