"""InvokeAI: the JSON of `invokeai_metadata` (since version 3), of `sd-metadata` (version 2), and the command line that
version 1 wrote as `Dream`.

Sources: `CoreMetadataInvocation` in `invokeai/app/invocations/metadata.py`; `docs/features/OTHER.md` and
`ldm/invoke/pngwriter.py` of version 2; `ldm/dream/args.py` of version 1.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any, Final

from sdcore.spec import choices, values
from sdcore.spec.facts import ImageFacts
from sdcore.spec.foreign.reading import Texts, facts, load_object, understand, with_loras

WRITER: Final = "InvokeAI"
_MOST_DREAMT: Final = 16 * 1024

_FIELDS: Final[Mapping[str, values.Understand]] = {
    "positive_prompt": values.text("prompt"),
    "negative_prompt": values.text("negative_prompt"),
    "width": values.whole("width"),
    "height": values.whole("height"),
    "seed": values.seed("seed"),
    "rand_device": values.choice("rng", choices.RNGS),
    "cfg_scale": values.real("guidance_scale"),
    "guidance": values.real("guidance_scale"),
    "cfg_rescale_multiplier": values.real("guidance_rescale"),
    "steps": values.whole("steps"),
    "scheduler": values.word("sampler"),
    "clip_skip": values.whole("clip_skip", plus=1),
    "strength": values.real("strength"),
}
_OLDER: Final[Mapping[str, values.Understand]] = {
    "steps": values.whole("steps"),
    "cfg_scale": values.real("guidance_scale"),
    "width": values.whole("width"),
    "height": values.whole("height"),
    "seed": values.seed("seed"),
    "sampler": values.word("sampler"),
    "strength": values.real("strength"),
}
_DREAMT: Final[Mapping[str, values.Understand]] = {
    "-s": values.whole("steps"),
    "-S": values.seed("seed"),
    "-W": values.whole("width"),
    "-H": values.whole("height"),
    "-C": values.real("guidance_scale"),
    "-A": values.word("sampler"),
    "-f": values.real("strength"),
}


def read(text: str, texts: Texts) -> ImageFacts | None:
    """What `invokeai_metadata` says; the graph and the workflow beside it are not looked at."""
    said = load_object(text)
    if said is None:
        return None
    fields, extra = understand(said, _FIELDS)
    fields |= _model(extra, "model", "model") | _model(extra, "vae", "vae")
    if "prompt" in fields:
        fields["prompt"] = with_loras(fields["prompt"], _loras(extra.get("loras")))
    return facts(WRITER, fields, extra)


def _model(extra: dict[str, Any], key: str, field: str) -> dict[str, str]:
    """The name of a model in one of the two ways that it was written; the rest of what is said of it stays."""
    about = extra.get(key)
    name = (about.get("name") or about.get("model_name")) if isinstance(about, dict) else about
    return values.file_name(field)(name) or {}


def _loras(said: Any) -> list[tuple[Any, Any]]:
    found = [one for one in said if isinstance(one, dict)] if isinstance(said, list) else []
    about = [(one.get("model") or one.get("lora"), one.get("weight")) for one in found]
    return [
        (one.get("name") or one.get("model_name"), weight) for one, weight in about if isinstance(one, dict)
    ]


def read_older(text: str, texts: Texts) -> ImageFacts | None:
    """What `sd-metadata` says."""
    said = load_object(text)
    image = said.get("image") if said else None
    if said is None or not isinstance(image, dict):
        return None
    fields, extra = understand(image, _OLDER)
    above = {key: value for key, value in said.items() if key != "image" and value is not None}
    fields |= values.file_name("model")(above.pop("model_weights", None)) or {}
    parts = extra.pop("prompt", None)
    prompt = "\n".join(_weighed(one) for one in parts) if isinstance(parts, list) else parts
    fields |= _parted(prompt) if isinstance(prompt, str) else {}
    return facts(WRITER, fields, {**above, **extra})


def _weighed(part: Any) -> str:
    prompt = part.get("prompt") if isinstance(part, dict) else part
    return prompt if isinstance(prompt, str) else ""


def _parted(prompt: str) -> dict[str, str]:
    """The negative prompt of older versions stands in square brackets within the prompt."""
    prompt = prompt[: values.MOST_SAID]
    negative = re.findall(r"\[([^][]*)\]", prompt)
    return {"prompt": re.sub(r"\[[^][]*\]", "", prompt).strip(), "negative_prompt": " ".join(negative)}


def read_dream(text: str, texts: Texts) -> ImageFacts | None:
    """What the command line of `Dream` says: `"a house [fog]" -s 50 -S 42 -W 512 -H 512 -C 7.5 -A k_lms`."""
    try:
        words = shlex.split(text[:_MOST_DREAMT])
    except ValueError:
        return None
    if not words or words[0].startswith("-"):
        return None
    fields: dict[str, Any] = _parted(words[0])
    extra: dict[str, Any] = {}
    position = 1
    while position < len(words):
        flag, position = words[position], position + 1
        # Both `-s 50` and `-s50` were written.
        short = flag[:2] in _DREAMT and not flag.startswith("--")
        value = flag[2:] if short else ""
        if not value and position < len(words) and not words[position].startswith("--"):
            value, position = words[position], position + 1
        told = _DREAMT[flag[:2]](value) if short else None
        if told is None:
            extra[flag] = value
        else:
            fields |= told
    return facts(WRITER, fields, extra) if len(fields) > 2 else None
