"""What an image of ours says about itself: the lossless JSON of its PNG chunk `sdtui`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

import sdcore
from sdcore.spec.lineage import Parent, Segment
from sdcore.spec.recipe import Recipe
from sdcore.spec.sweep.typed import Template

CHUNK: Final = "sdtui"
VERSION: Final = 1
"""Raised by one when a reader of the old layout would misunderstand the new one."""


class BatchPlace(msgspec.Struct, frozen=True, kw_only=True):
    """Where an image stood in its batch: image `index` (0-based) of `size`, whose first seed was `seed`.

    It matters because samplers that draw noise while they run, and the arithmetic of some devices, can
    give an image of a batch other bits than the same image made alone.
    """

    size: int
    index: int
    seed: int


class AddonUse(msgspec.Struct, frozen=True, kw_only=True):
    """A file that a prompt named: "LoRA" or "textual inversion", its name, and its hash as other programs have it (the
    first twelve hex digits of a SHA-256: of a LoRA's weights without the header, of the whole file of the other)."""

    kind: str
    name: str
    hash: str


class ImageRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How one image was made. `recipe` is a batch of one; `batch` says which larger one it came from. `vae_hash` is
    that of a VAE in place of the model's own.

    A fork names its `parent`, and in `segments` all the recipes that it followed, one after another; `recipe` is
    the last of them. `cancelled_at` is the forward pass (0-based) after which the run was stopped, absent when it
    was not; `created` is an ISO 8601 time with its zone; `software` names the program and its version.
    `job` is the engine's name of what made it, by which an engine that was killed finds what it had saved.

    The fields of `WHERE` are where it was made: the same recipe has other last bits elsewhere. `torch` is a version.
    `threads` and `instructions` ("AVX2" …) are of a CPU, 0 and empty elsewhere; `sparing` is what was given up where
    memory was short (see `sdcore.diffusion.rungs`), `faster` how the network was made faster, each empty if not at all.

    `group` is what the images of a sweep or of a set of variations have in common, `label` what this one was called
    among them. `template` has the prompts as they were typed where choices in them were drawn. `styles` are the names
    of those that its prompts were put into, `varied_from` is the file name of the image that it is a variation of.
    """

    version: int
    recipe: Recipe
    model_hash: str = ""
    vae_hash: str = ""
    family: str = ""
    batch: BatchPlace | None = None
    cancelled_at: int | None = None
    software: str = ""
    created: str = ""
    parent: Parent | None = None
    segments: tuple[Segment, ...] = ()
    addons: tuple[AddonUse, ...] = ()
    group: str = ""
    label: str = ""
    template: Template | None = None
    styles: tuple[str, ...] = ()
    varied_from: str = ""
    job: str = ""
    device: str = ""
    dtype: str = ""
    torch: str = ""
    threads: int = 0
    instructions: str = ""
    sparing: str = ""
    faster: str = ""


WHERE: Final = ("device", "dtype", "torch", "threads", "instructions", "sparing", "faster")


_HASHES: Final = {"LoRA": "Lora hashes", "textual inversion": "TI hashes"}
"""What the web UI of AUTOMATIC1111 calls the hashes of each kind."""


def addon_hashes(addons: Iterable[AddonUse]) -> dict[str, str]:
    """The hashes as pairs for the `parameters` text: {"Lora hashes": "name: hash, name: hash"}."""
    by_kind: dict[str, list[str]] = {}
    for one in addons:
        by_kind.setdefault(_HASHES[one.kind], []).append(f"{one.name}: {one.hash}")
    return {key: ", ".join(found) for key, found in by_kind.items()}


_DECODER: Final = msgspec.json.Decoder(ImageRecord)


def software() -> str:
    """This program and its version, as records and infotexts name it."""
    return f"sdtui {sdcore.__version__}"


def encode(record: ImageRecord) -> str:
    """The record as one line of JSON."""
    return msgspec.json.encode(record).decode()


def decode(text: str) -> ImageRecord:
    """The record in `text`; raises `msgspec.DecodeError` (or its `ValidationError`) if it holds none."""
    return _DECODER.decode(text)
