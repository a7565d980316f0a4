"""Fooocus: `parameters` as JSON (its own scheme) or as the web UI's text, and `fooocus_scheme` beside it; in JPEG and
WebP the EXIF user comment, with the scheme as maker note. Older versions wrote JSON with titles for keys as `Comment`.

Source: `modules/meta_parser.py` and `modules/private_logger.py` of Fooocus.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sdcore.spec import infotext, values
from sdcore.spec.facts import ImageFacts
from sdcore.spec.foreign.names import named
from sdcore.spec.foreign.reading import Texts, facts, load_object, understand, with_loras

WRITER: Final = "Fooocus"
_LEAST: Final = 4
"""JSON with fewer of the keys that Fooocus writes was written by another."""

_FIELDS: Final[Mapping[str, values.Understand]] = {
    "prompt": values.text("prompt"),
    "negative_prompt": values.text("negative_prompt"),
    "steps": values.whole("steps"),
    "resolution": values.size,
    "guidance_scale": values.real("guidance_scale"),
    "base_model": values.file_name("model"),
    "base_model_hash": values.word("model_hash"),
    "sampler": values.word("sampler"),
    "scheduler": values.word("schedule"),
    "vae": values.file_name("vae"),
    "seed": values.seed("seed"),
    "clip_skip": values.whole("clip_skip"),
}
_TITLES: Final = {
    "Prompt": "prompt", "Negative Prompt": "negative_prompt", "Steps": "steps", "Resolution": "resolution",
    "Guidance Scale": "guidance_scale", "Base Model": "base_model", "Sampler": "sampler", "Scheduler": "scheduler",
    "VAE": "vae", "Seed": "seed", "CLIP Skip": "clip_skip",
}  # fmt: skip
_OWN: Final = frozenset({"base_model", "sharpness", "adm_guidance", "performance", "styles", "full_prompt",
                         "base_model_hash", "refiner_model", "resolution", "Fooocus V2 Expansion", "Sharpness",
                         "Performance", "Styles", "Base Model", "Resolution", "ADM Guidance"})  # fmt: skip
_TEXT_KEYS: Final = frozenset({"Sharpness", "ADM Guidance", "Performance", "Scheduler"})


def read(text: str, texts: Texts) -> ImageFacts | None:
    """What Fooocus says in one of its schemes, None when another wrote this."""
    scheme = texts.get("fooocus_scheme") or texts.get("MakerNote", "")
    if text.lstrip().startswith("{"):
        said = load_object(text)
        ours = said is not None and (scheme == "fooocus" or len(_OWN & said.keys()) >= _LEAST)
        return _read_own(said) if ours and said is not None else None
    return _read_text(text, scheme)


def _read_own(said: dict[str, Any]) -> ImageFacts | None:
    table = {**_FIELDS, **{title: _FIELDS[key] for title, key in _TITLES.items()}}
    fields, extra = understand(said, table)
    if "prompt" in fields:
        fields["prompt"] = with_loras(fields["prompt"], _loras(said))
    if fields.get("vae", "").startswith("Default"):
        extra["vae"] = fields.pop("vae")
    return facts(WRITER, fields, extra)


def _loras(said: Mapping[str, Any]) -> list[tuple[Any, Any]]:
    """LoRAs as lists of name, weight and hash, or each as "name : weight"."""
    listed = said.get("loras")
    found = [(one[0], one[1]) for one in listed if isinstance(one, list) and len(one) > 1] if isinstance(
        listed, list) else []  # fmt: skip
    for key, value in said.items():
        if key.lower().startswith(("lora_combined_", "lora ")) and isinstance(value, str):
            name, _, weight = value.rpartition(" : ")
            found.append((name, weight))
    return found


def _read_text(text: str, scheme: str) -> ImageFacts | None:
    """The web UI's text, which names the resolved prompt first and what was typed as `Raw prompt`."""
    found = infotext.read(text)
    if found is None:
        return None
    extra = dict(found.extra)
    own = extra.get("Version", "").startswith("Fooocus") or len(_TEXT_KEYS & extra.keys()) == len(_TEXT_KEYS)
    if scheme != "a1111" and not own:
        return None
    schedule = extra.pop("Scheduler", None)
    fields: dict[str, Any] = {
        name: value
        for name in found.__struct_fields__
        if name not in ("writer", "extra", "exact") and (value := getattr(found, name)) is not None
    }
    for key, field in (("Raw prompt", "prompt"), ("Raw negative prompt", "negative_prompt")):
        if extra.get(key):
            extra[f"full_{field}"] = fields.get(field, "")
            fields[field] = extra.pop(key)
    weights = extra.get("Lora weights", "")
    loras = [(name, weight) for name, _, weight in (one.rpartition(": ") for one in weights.split(", "))]
    fields["prompt"] = with_loras(fields.get("prompt", ""), loras)
    return facts(WRITER, fields | named(fields.get("sampler"), schedule), extra)
