"""SwarmUI: JSON with `sui_image_params`, in the PNG chunk `parameters` or the EXIF user comment.

Source: `docs/Image Metadata Format.md` of SwarmUI.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sdcore.spec import values
from sdcore.spec.facts import ImageFacts
from sdcore.spec.foreign.reading import Texts, facts, load_object, understand, with_loras

WRITER: Final = "SwarmUI"
_PARAMETERS: Final = "sui_image_params"


def _clip_skip(value: Any) -> dict[str, Any] | None:
    """It counts layers from the end as -1, -2 …"""
    layer = values.as_whole(value)
    return {"clip_skip": -layer} if layer is not None and layer < 0 else None


_FIELDS: Final[Mapping[str, values.Understand]] = {
    "prompt": values.text("prompt"),
    "negativeprompt": values.text("negative_prompt"),
    "model": values.file_name("model"),
    "seed": values.seed("seed"),
    "steps": values.whole("steps"),
    "cfgscale": values.real("guidance_scale"),
    "fluxguidancescale": values.real("guidance_scale"),
    "width": values.whole("width"),
    "height": values.whole("height"),
    "sampler": values.word("sampler"),
    "scheduler": values.word("schedule"),
    "vae": values.file_name("vae"),
    "clipstopatlayer": _clip_skip,
    "variationseed": values.seed("variation_seed"),
    "variationseedstrength": values.real("variation_strength"),
    "initimagecreativity": values.real("strength"),
    "maskblur": values.whole("mask_blur"),
    "refinerupscale": values.real("hires_scale"),
    "refinersteps": values.whole("hires_steps"),
    "refinercontrolpercentage": values.real("hires_strength"),
}


def read(text: str, texts: Texts) -> ImageFacts | None:
    """What SwarmUI says, None when another wrote this."""
    said = load_object(text) if _PARAMETERS in text else None
    parameters = said.get(_PARAMETERS) if said else None
    if said is None or not isinstance(parameters, dict):
        return None
    fields, extra = understand(parameters, _FIELDS)
    fields |= _model_hash(said.get("sui_models"))
    if "prompt" in fields:
        names, weights = _listed(extra.get("loras")), _listed(extra.get("loraweights"))
        weights += [1] * len(names)
        fields["prompt"] = with_loras(fields["prompt"], zip(names, weights, strict=False))
    beside = {key: value for key, value in said.items() if key != _PARAMETERS and value not in (None, [], {})}
    data = beside.pop("sui_extra_data", None)
    return facts(WRITER, fields, {**extra, **(data if isinstance(data, dict) else {}), **beside})


def _listed(value: Any) -> list[Any]:
    """Lists are written as such, or as one text with commas."""
    if isinstance(value, str):
        return value.split(",")
    return list(value) if isinstance(value, list) else []


def _model_hash(models: Any) -> dict[str, str]:
    """The first ten digits of the model's hash, as other programs have it."""
    for one in models if isinstance(models, list) else []:
        found = one.get("hash") if isinstance(one, dict) and one.get("param") == "model" else None
        if isinstance(found, str) and found:
            return {"model_hash": found.removeprefix("0x")[:10]}
    return {}
