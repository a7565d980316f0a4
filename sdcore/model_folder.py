"""Model folders in the layout of diffusers, as data: what each kind may hold, and why one is refused. No torch.

A folder names the classes of its parts in `model_index.json`. Only the classes below are ever made, so that a folder
cannot bring code of its own; everything else is refused before any of it is opened.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from sdcore.regular import open_regular
from sdcore.spec.families import FAMILIES
from sdcore.spec.sanitise import sanitise
from sdcore.weights import SUFFIX, HeaderError, check_weights

INDEX: Final = "model_index.json"
MAX_CONFIG: Final = 1024 * 1024
MAX_WORDS: Final = 64 * 1024 * 1024
"""The most bytes of a file of words: Gemma's, which are among the most, fill 34 MB."""
MAX_ENTRIES: Final = 10_000
"""A folder with more files than this is no model."""

WORD_FILES: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    "CLIP": (("tokenizer.json",), ("vocab.json", "merges.txt")),
    "T5": (("tokenizer.json",), ("spiece.model",)),
}
"""The files that each kind of tokenizer is made of, in the ways that it is kept."""

_CLIP_WORDS: Final = ("CLIPTokenizer", "CLIPTokenizerFast")
_T5_WORDS: Final = ("T5Tokenizer", "T5TokenizerFast")
_CLIP: Final = ("CLIPTextModel",)
_CLIP_PROJECTED: Final = ("CLIPTextModelWithProjection",)
_T5: Final = ("T5EncoderModel",)
_VAE: Final = ("AutoencoderKL",)
_UNET: Final = ("UNet2DConditionModel",)


_WEIGHTS: Final = tuple(
    f"{name}{half}" for half in ("", ".fp16") for name in ("diffusion_pytorch_model", "model")
)
_SHARD: Final = re.compile(r"-\d{5}-of-\d{5}")


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """What the folder of one pipeline class holds: the classes that each part may be of.

    `families` are those it may be of, the UNet's text width deciding. Parts in `optional` may be missing.
    """

    families: tuple[str, ...]
    parts: Mapping[str, tuple[str, ...]]
    optional: frozenset[str] = frozenset()

    @property
    def network(self) -> str:
        """The part that denoises."""
        return "unet" if "unet" in self.parts else "transformer"


_SD: Final = Layout(
    families=("SD1", "SD2"),
    parts={"tokenizer": _CLIP_WORDS, "text_encoder": _CLIP, "unet": _UNET, "vae": _VAE},
)
_SDXL: Final = Layout(
    families=("SDXL",),
    parts={
        "tokenizer": _CLIP_WORDS, "tokenizer_2": _CLIP_WORDS, "text_encoder": _CLIP,
        "text_encoder_2": _CLIP_PROJECTED, "unet": _UNET, "vae": _VAE,
    },
)  # fmt: skip
_SD3: Final = Layout(
    families=("SD3",),
    parts={
        "tokenizer": _CLIP_WORDS, "tokenizer_2": _CLIP_WORDS, "tokenizer_3": _T5_WORDS,
        "text_encoder": _CLIP_PROJECTED, "text_encoder_2": _CLIP_PROJECTED, "text_encoder_3": _T5,
        "transformer": ("SD3Transformer2DModel",), "vae": _VAE,
    },
    optional=frozenset({"tokenizer_3", "text_encoder_3"}),
)  # fmt: skip
_FLUX: Final = Layout(
    families=("Flux",),
    parts={
        "tokenizer": _CLIP_WORDS, "tokenizer_2": _T5_WORDS, "text_encoder": _CLIP, "text_encoder_2": _T5,
        "transformer": ("FluxTransformer2DModel",), "vae": _VAE,
    },
)  # fmt: skip

LAYOUTS: Final[dict[str, Layout]] = {
    "StableDiffusionPipeline": _SD,
    "StableDiffusionImg2ImgPipeline": _SD,
    "StableDiffusionInpaintPipeline": _SD,
    "LatentConsistencyModelPipeline": _SD,
    "StableDiffusionXLPipeline": _SDXL,
    "StableDiffusionXLImg2ImgPipeline": _SDXL,
    "StableDiffusionXLInpaintPipeline": _SDXL,
    "StableDiffusion3Pipeline": _SD3,
    "FluxPipeline": _FLUX,
}
"""The pipeline classes that a folder may name as its own, and what they hold."""

IGNORED: Final = frozenset({"scheduler", "safety_checker", "feature_extractor", "image_encoder"})
"""Parts that a folder may name as it likes: they are never made."""


def family_in(layout: Layout, network: Mapping[str, Any]) -> str:
    """The family of a model in this layout whose network has this config.

    Where the width of the text does not tell: SD 2.x projects by linear layers, where 1.x convolves.
    """
    width = network.get("cross_attention_dim")
    named = [one.name for one in FAMILIES if one.name in layout.families and one.text_width == width]
    by_layers = layout.families[-1 if network.get("use_linear_projection") is True else 0]
    return named[0] if named else by_layers


def read_config(path: Path) -> dict[str, Any]:
    """The JSON object in a small file, empty where there is none that can be read."""
    try:
        with open_regular(path) as file:
            content = file.read(MAX_CONFIG + 1)
        return msgspec.json.decode(content, type=dict[str, Any]) if len(content) <= MAX_CONFIG else {}
    except (OSError, ValueError, RecursionError):  # msgspec's and Unicode's faults are ValueErrors
        return {}


def entries_below(folder: Path) -> Iterator[os.DirEntry[str]]:
    """What is in `folder` and below it, at most `MAX_ENTRIES`; folders that are links are not entered. Never fails."""
    waiting, left = [str(folder)], MAX_ENTRIES
    while waiting and left:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in itertools.islice(entries, left):
                    left -= 1
                    yield entry
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
        except OSError:
            continue


def words_problem(folder: Path, kind: str) -> str:
    """Why what is in a tokenizer's folder cannot be opened as one of a kind ("CLIP" or "T5"), in one sentence; "" if it
    can. Never fails."""
    name = sanitise(str(folder), newlines=False)[-200:]
    if not any(all(map(_is_file, map(folder.joinpath, names))) for names in WORD_FILES[kind]):
        wanted = ", or ".join(" and ".join(names) for names in WORD_FILES[kind])
        return f"{name} holds no words of a tokenizer; put {wanted} there."
    for entry in entries_below(folder):
        try:
            too_large = entry.stat().st_size > MAX_WORDS
        except OSError:
            continue  # a link to nowhere, or to itself
        if too_large:
            return f"{sanitise(entry.path, newlines=False)[-200:]} is too large to hold the words of a tokenizer."
    return ""


def folder_problem(folder: Path | str) -> str:
    """Why the folder at this path is no model that may be opened, in one sentence; "" if it is one.

    Refused are folders without a readable index, with code, with classes other than those of `LAYOUTS`, with pickles
    for weights, and with weights whose headers are damaged. Reads small files and headers alone.
    """
    folder = Path(folder)
    name = sanitise(str(folder), newlines=False)[-200:]
    index = read_config(folder / INDEX)
    if "_class_name" not in index:
        return f"{name} is no diffusers model: it has no readable {INDEX}."
    names = [entry.name.casefold() for entry in entries_below(folder)]
    if len(names) >= MAX_ENTRIES:
        return f"{name} holds more than {MAX_ENTRIES:,} files; use a folder with the model alone."
    if any(found.endswith(".py") for found in names):
        return f"{name} holds Python code, which sdtui never runs; use a folder without it."
    pipeline = index["_class_name"]
    layout = LAYOUTS.get(pipeline) if isinstance(pipeline, str) else None
    if layout is None:
        return f"{name} is a {_shown(pipeline)}, which sdtui does not load; it knows {', '.join(LAYOUTS)}."
    return next(
        (problem for part in _parts(index, layout) if (problem := _part(folder, name, part, index, layout))),
        "",
    )


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # its folder may not be entered
        return False


def weights_of(part: Path) -> list[Path]:
    """The weights that are opened from a part's folder: one file or its shards, in the order of their names.

    Of several forms the plain one is meant, then that in half precision, then the first (source: the names that
    diffusers and transformers save under).
    """
    try:
        found = sorted(path for path in part.iterdir() if path.suffix.casefold() == SUFFIX)
    except OSError:
        return []
    forms: dict[str, list[Path]] = {}
    for path in found:
        forms.setdefault(_SHARD.sub("", path.stem), []).append(path)
    return next((forms[name] for name in (*_WEIGHTS, *forms) if name in forms), [])


def _parts(index: Mapping[str, Any], layout: Layout) -> list[str]:
    """The parts that must be there, and those that the folder names besides."""
    named = [part for part, value in index.items() if isinstance(value, list) and part not in IGNORED]
    return list(dict.fromkeys((*layout.parts, *named)))


def _part(folder: Path, name: str, part: str, index: Mapping[str, Any], layout: Layout) -> str:
    named = index.get(part)
    kind = named[-1] if isinstance(named, list) and named else None
    if kind is None and part in layout.optional:
        return ""
    allowed = layout.parts.get(part)
    if allowed is None:
        return "" if kind is None else f"{name} has a part {_shown(part)}, which sdtui does not know."
    if kind is None:
        return f"{name} has no {part.replace('_', ' ')}; sdtui needs {' or '.join(allowed)}."
    if kind not in allowed:
        return (
            f"{name} names {_shown(kind)} as its {part.replace('_', ' ')}; sdtui knows {', '.join(allowed)}."
        )
    if part.startswith("tokenizer"):
        return words_problem(folder / part, "T5" if allowed == _T5_WORDS else "CLIP")
    try:
        check_weights(folder / part)
    except HeaderError as fault:
        return str(fault)
    return "" if weights_of(folder / part) else f"{name} has no weights for its {part.replace('_', ' ')}."


def _shown(value: object) -> str:
    return repr(sanitise(str(value), newlines=False)[:60])
