"""stable-diffusion.cpp: the web UI's text with sampler and schedule as one value, lists without quotes, and at its end,
in later versions, `SDCPP:` and JSON.

Source: `get_image_params` in `examples/common/common.cpp` of stable-diffusion.cpp.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from sdcore.spec import choices, infotext, values
from sdcore.spec.facts import ImageFacts
from sdcore.spec.foreign.reading import Texts, load

WRITER: Final = "stable-diffusion.cpp"

_RNGS: Final = values.choice("rng", choices.RNGS)


def read(text: str, texts: Texts) -> ImageFacts | None:
    """What stable-diffusion.cpp says, None when another wrote this."""
    found = infotext.read(text) if WRITER in text else None
    if found is None or not str(found.extra.get("Version", "")).startswith(WRITER):
        return None
    extra: dict[str, Any] = dict(found.extra)
    if "SDCPP" in extra:
        extra["SDCPP"] = load(extra["SDCPP"]) or extra["SDCPP"]
    # A network of its own file stands where the model's name would be.
    model = found.model or extra.pop("Unet", None)
    told = {"model": values.as_name(model)} if model else {}
    told |= {"vae": values.as_name(found.vae)} if found.vae else {}
    told |= _RNGS(extra.pop("RNG", None)) or {}
    return msgspec.structs.replace(found, **told, writer=WRITER, extra=extra)
